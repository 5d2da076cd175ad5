/** @file Presets: complete recipes under a name. Each number says where it is from in docs/. */
import type { FinishSpec } from '../output/finish.ts';
import type { OptimiserSpec } from '../optimiser/index.ts';
import type { ParamSpec } from '../param/index.ts';
import type { OverrideSpec } from './overrides.ts';
import type { TransformSpec } from '../transform/index.ts';

/** All that decides a picture besides model, target and seed. */
export interface Preset {
  readonly help: string;
  /** Height and width in pixels, unless the model fixes them. */
  readonly size: number;
  readonly steps: number;
  /** Positions of the activation left out on each side. */
  readonly border: number;
  readonly param: ParamSpec;
  readonly transforms: readonly TransformSpec[];
  readonly optimiser: OptimiserSpec;
  readonly gradient?: OverrideSpec;
  readonly finish: FinishSpec;
}

const table = {
  keras: {
    help: 'The Keras example "Visualizing what convnets learn", to the digit',
    size: 180,
    steps: 30,
    border: 2,
    param: { kind: 'pixel', noise: 0.125 },
    transforms: [],
    optimiser: { kind: 'normalised', rate: 10 },
    finish: { kind: 'contrast', crop: 25, contrast: 0.15, stretch: false },
  },
  sobolev: {
    help: 'The Keras loop with a preconditioned gradient, moved about: features instead of noise, at the same cost',
    size: 180,
    steps: 30,
    border: 0,
    param: { kind: 'pixel', noise: 0.0125 },
    transforms: [{ kind: 'roll', by: 8 }],
    optimiser: {
      kind: 'sobolev',
      rate: 5,
      momentum: 0.75,
      exponent: 1,
      mixing: 'root',
      limit: 0.45,
      anneal: 'linear',
    },
    gradient: { redirect: 16, pooling: 'max' },
    finish: { kind: 'contrast', crop: 25, contrast: 0.2, stretch: false },
  },
} as const satisfies Readonly<Record<string, Preset>>;

/** The name of a preset. */
export type PresetName = keyof typeof table;

/** The presets by name. */
export const presets: Readonly<Record<PresetName, Preset>> = table;
