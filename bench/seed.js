/** @file The seed: what every contender computes. `peers/seed.py` has the same numbers. */
import { objectives, optimisers, params, presets, stepOf } from '../dist/index.js';

export const layer = 'conv3_block4_out';
export const size = { height: 180, width: 180 };
export const steps = 30;
/** Filters of the example's sheet. */
export const filters = 64;

/** The real network if its weights are given, else the built-in one. */
export const nameOf = (weights) => (weights ? 'resnet50v2' : 'resnet50v2-mini');

/** A step of the seed on a network that was cut at its layer. */
export function stepOfSeed(graph) {
  const { border, param, optimiser } = presets.keras;
  return stepOf({
    network: { graph },
    objective: objectives.make({ kind: 'channel', layer, border }),
    param: params.make(param),
    optimiser: optimisers.make(optimiser),
  });
}
