/** @file Presets: complete recipes under a name. Each number says where it is from in docs/. */
import type { FinishSpec } from '../output/finish.ts';
import type { OptimiserSpec } from '../optimiser/index.ts';
import type { ParamSpec } from '../param/index.ts';
import type { Iterates } from './iterate.ts';
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
  /** Which iterate is kept; the last of all steps unless it says otherwise. */
  readonly iterates?: Partial<Iterates>;
  readonly finish: FinishSpec;
}

/** What the study of `sobolev` found; the exponent is found from the layer. */
const ascent = {
  kind: 'sobolev',
  rate: 5,
  momentum: 0.75,
  exponent: 1.4,
  mixing: 'root',
  limit: 0.45,
  anneal: 'linear',
} as const;

/** What the presets of that ascent have in common: pixels, begun with little noise, that are moved about. */
const moved = {
  size: 180,
  border: 0,
  param: { kind: 'pixel', noise: 0.0125 },
  transforms: [{ kind: 'roll', by: 8 }],
  gradient: { redirect: 16, pooling: 'max' },
} as const satisfies Partial<Preset>;

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
    ...moved,
    help: 'The Keras loop with a preconditioned gradient, moved about: features instead of noise, at the same cost',
    steps: 30,
    optimiser: ascent,
    finish: { kind: 'contrast', crop: 25, contrast: 0.2, stretch: false },
  },
  fast: {
    ...moved,
    help: 'As `natural`, in half the steps of the Keras example',
    steps: 14,
    optimiser: { ...ascent, rate: 8, momentum: 0.6 },
    gradient: { redirect: 8, pooling: 'max' },
    finish: { kind: 'contrast', crop: 25, contrast: 0.2, stretch: false },
  },
  natural: {
    ...moved,
    help: 'The preconditioned ascent with time to settle, shown at the contrast of a photograph',
    steps: 60,
    optimiser: { ...ascent, rate: 6, limit: 0.6 },
    finish: { kind: 'contrast', crop: 25, contrast: 0.28, stretch: false },
  },
  best: {
    ...moved,
    help: 'The preconditioned ascent without regard for time: for the one picture in a paper',
    steps: 400,
    transforms: [
      { kind: 'roll', by: 8 },
      { kind: 'scale', from: 0.95, to: 1.05 },
      { kind: 'rotate', by: 3, still: 0 },
    ],
    optimiser: { ...ascent, rate: 4, momentum: 0.85, limit: 0.6 },
    iterates: { keep: 'best' },
    finish: { kind: 'contrast', crop: 25, contrast: 0.28, stretch: false },
  },
  lucid: {
    help: "Lucid's: Fourier coefficients in decorrelated colours, moved about, by Adam",
    size: 180,
    steps: 512,
    border: 0,
    param: { kind: 'fourier', deviation: 0.01, decayPower: 1, colour: 'lucid' },
    transforms: [
      { kind: 'jitter', by: 4 },
      { kind: 'scale', from: 0.9, to: 1.1 },
      { kind: 'rotate', by: 10, still: 0.19 },
      { kind: 'jitter', by: 2 },
    ],
    optimiser: { kind: 'adam', rate: 0.05, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    gradient: { redirect: 16, pooling: 'max' },
    finish: { kind: 'plain', crop: 25 },
  },
  maco: {
    help: 'MACO: phases alone are free, a large canvas is seen by random crops, and strengths stay those of photographs',
    size: 256,
    steps: 256,
    border: 0,
    param: { kind: 'maco', spectrum: 'photographs', colour: 'lucid' },
    transforms: [
      { kind: 'crop', view: 180, from: 0.85, to: 0.55, spread: 0.05, wander: 0.15 },
      { kind: 'noise', normal: 0.08, uniform: 0.04 },
    ],
    optimiser: { kind: 'nadam', rate: 1, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, clip: 0 },
    gradient: { redirect: 16, pooling: 'max' },
    finish: { kind: 'plain', crop: 0 },
  },
} as const satisfies Readonly<Record<string, Preset>>;

/** The name of a preset. */
export type PresetName = keyof typeof table;

/** The preset of those who ask for none: the best pictures for the time that people wait (docs/quality.md). */
export const DEFAULT_PRESET = 'natural' satisfies PresetName;

/** The presets by name. */
export const presets: Readonly<Record<PresetName, Preset>> = table;
