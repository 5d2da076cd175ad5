/** @file A whole layer: what DeepDream raises. */
import { kind } from '../noun.ts';
import type { Untitled } from './objective.ts';
import { layer, summedMean } from './parts.ts';

/**
 * mean(x²) over all channels and positions: whatever the layer has found is raised, the most of it first. Source: Mordvintsev et al.
 * 2015, "Inceptionism"; Lucid's `deepdream`.
 */
export const whole = kind({
  kind: 'layer',
  help: 'Mean square of all activations of a layer (DeepDream)',
  settings: { layer },
  make: ({ layer }): Untitled => ({
    shape: `layer(${JSON.stringify(layer)})`,
    layers: [layer],
    values: {},
    build({ b, activation }) {
      const { value } = activation(layer);
      return summedMean(b, b.mul(value, value));
    },
  }),
});
