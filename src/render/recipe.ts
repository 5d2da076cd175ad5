/** @file A recipe: everything that decides a picture, as plain data. */
import { createHash } from 'node:crypto';

export const ALGORITHM = 1;

export interface Recipe {
  readonly model: { readonly name: string; readonly digest: string };
  readonly preprocess: {
    readonly scale: readonly number[];
    readonly shift: readonly number[];
    readonly order: 'rgb' | 'bgr';
  };
  readonly size: { readonly height: number; readonly width: number };
  readonly objective: {
    readonly kind: 'channel';
    readonly layer: string;
    readonly channel: number;
    readonly border: number;
  };
  readonly param: { readonly kind: 'pixel'; readonly noise: number };
  readonly transforms: readonly { readonly kind: 'roll'; readonly by: number }[];
  readonly optimiser: { readonly kind: 'normalised'; readonly rate: number };
  readonly steps: number;
  readonly seed: number;
  readonly finish: {
    readonly kind: 'contrast';
    readonly crop: number;
    readonly contrast: number;
    readonly stretch: boolean;
  };
}

export interface RecipeOptions {
  readonly preset?: 'keras' | undefined;
  readonly size?: number | Recipe['size'] | undefined;
  readonly steps?: number | undefined;
  readonly seed?: number | undefined;
  readonly optimiser?: { readonly rate?: number } | undefined;
  readonly finish?: { readonly crop?: number } | undefined;
}

export interface TargetFacts {
  readonly model: Recipe['model'];
  readonly preprocess: Recipe['preprocess'];
  readonly fixed?: { readonly height?: number; readonly width?: number } | undefined;
}

export type Settled = Omit<Recipe, 'model' | 'preprocess' | 'objective'> & {
  readonly preset: 'keras';
  readonly border: number;
};

export function settle(options: RecipeOptions = {}, fixed: TargetFacts['fixed'] = {}): Settled {
  const { size = { height: fixed.height ?? 180, width: fixed.width ?? 180 } } = options;
  return {
    preset: 'keras',
    border: 2,
    size: typeof size === 'number' ? { height: size, width: size } : size,
    param: { kind: 'pixel', noise: 0.125 },
    transforms: [],
    optimiser: { kind: 'normalised', rate: 10, ...options.optimiser },
    steps: options.steps ?? 30,
    seed: options.seed ?? 0,
    finish: { kind: 'contrast', crop: 25, contrast: 0.15, stretch: false, ...options.finish },
  };
}

export function channelRecipe(settled: Settled, facts: TargetFacts, layer: string, channel: number): Recipe {
  const { preset: _, border, ...rest } = settled;
  return {
    model: facts.model,
    preprocess: facts.preprocess,
    objective: { kind: 'channel', layer, channel, border },
    ...rest,
  };
}

export function digestOf(recipe: Recipe): string {
  const { model, ...rest } = recipe;
  return hashed({ ...rest, model: model.digest });
}

export function setDigestOf(recipe: Recipe): string {
  const { model, objective, ...rest } = recipe;
  const { channel: _, ...common } = objective;
  return hashed({ ...rest, objective: common, model: model.digest });
}

function hashed(value: unknown): string {
  return createHash('sha256')
    .update(`phosphene/${ALGORITHM}/${canonical(value)}`)
    .digest('hex');
}

export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
