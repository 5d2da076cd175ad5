/** @file The Keras layers that are known, by class. */
import type { KerasLayer } from '../layer.ts';
import { activationLayers } from './activation.ts';
import { convolutions } from './convolution.ts';
import { merges } from './merge.ts';
import { denseLayers } from './dense.ts';
import { inputLayers } from './input.ts';
import { movements } from './movement.ts';
import { normalisations } from './normalisation.ts';
import { parts } from './parts.ts';
import { poolings } from './pooling.ts';

/** By `class_name`. A layer more is a row of its family's file. */
export const kerasLayers: Readonly<Record<string, KerasLayer>> = {
  ...activationLayers,
  ...convolutions,
  ...denseLayers,
  ...inputLayers,
  ...merges,
  ...movements,
  ...normalisations,
  ...parts,
  ...poolings,
};
