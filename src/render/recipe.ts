/**
 * @file A recipe: all that decides a picture, as plain data. Options and presets expand to it, workers are sent what it says, records
 * hold it, and its digest tells whether a picture that is there is the one that is wanted.
 */
import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils';
import { didYouMean, PhospheneError } from '../errors.ts';
import type { Size } from '../import/network.ts';
import type { Preprocess } from '../import/preprocess.ts';
import type { Optional, PartialSpec } from '../noun.ts';
import type { Schema, Setting } from '../settings.ts';
import { checked, choice, normalised, refuseUnknown, whole } from '../settings.ts';
import { channel as channelKind } from '../objective/channel.ts';
import { type ObjectiveSpec, objectives, type PartialObjective, type TermSpec } from '../objective/index.ts';
import { type OptimiserSpec, optimisers } from '../optimiser/index.ts';
import { finishes, type FinishSpec } from '../output/finish.ts';
import { params, type ParamSpec } from '../param/index.ts';
import { sizeSeen, type TransformSpec, transforms } from '../transform/index.ts';
import { iterateSettings, type Iterates } from './iterate.ts';
import { followed, overrideSettings, type OverrideSpec } from './overrides.ts';
import { DEFAULT_PRESET, type Preset, presets, type PresetName } from './presets.ts';

/**
 * The revision of the algorithm. It is part of every digest: raise it if the same recipe gives other pictures than before, and only
 * then, since all pictures of earlier revisions are made anew.
 */
export const ALGORITHM = 1;

/** The photo that an ascent begins with. */
export interface StartSpec {
  /** SHA-256 of the photo as the ascent takes it, in hex. */
  readonly photo: string;
}

/** All that decides a picture. */
export interface Recipe {
  readonly model: {
    /** For people; not part of the digest. */
    readonly name: string;
    /** SHA-256 of what the model was read from. */
    readonly digest: string;
  };
  /** From the picture in [-1, 1] to what the network expects. */
  readonly preprocess: Preprocess;
  /** Of the picture before it is finished, in pixels. */
  readonly size: Size;
  readonly objective: ObjectiveSpec | CustomSpec;
  /** SHA-256 of the tensors and photos that the objective was given, by name; absent if there are none. */
  readonly given?: Readonly<Record<string, string>>;
  /** How many pictures were ascended together; absent if it was one. */
  readonly pictures?: number;
  /** Which of them it is, from 0; absent if there is one. */
  readonly picture?: number;
  readonly param: ParamSpec;
  readonly transforms: readonly TransformSpec[];
  readonly optimiser: OptimiserSpec;
  /** Absent if it is the true one. */
  readonly gradient?: OverrideSpec;
  readonly steps: number;
  /** Absent if the last picture is kept. */
  readonly keep?: 'best';
  /** Absent if all steps are taken. */
  readonly patience?: number;
  readonly seed: number;
  /** The photo that the ascent begins with, if it does not begin with noise. */
  readonly start?: StartSpec;
  readonly finish: FinishSpec;
}

/** What a recipe says of an objective that is a program: its text, its shape, and SHA-256 of its values. */
export interface CustomSpec {
  readonly kind: 'custom';
  readonly text: string;
  readonly shape: string;
  readonly values: string;
}

/** What is raised of each channel, if it is not the mean of its map: one unit, or the logit of a class. */
export type Unit =
  | { readonly kind: 'neuron'; readonly row?: number; readonly column?: number }
  | { readonly kind: 'logit' };

/** A spec of which some settings are changed; of another kind, the others have that kind's defaults. */
export type Change<Spec extends { readonly kind: string }> = Spec extends unknown
  ? { readonly kind?: Spec['kind'] | undefined } & Optional<Omit<Spec, 'kind'>>
  : never;

/** What decides a picture besides its model and target. All may be left out. */
export interface RecipeOptions {
  /** Where the settings start; {@link DEFAULT_PRESET} unless given. */
  readonly preset?: PresetName | undefined;
  /** Side in pixels, or height and width; what the model fixes, else the preset's, unless given. */
  readonly size?: number | Size | undefined;
  /** Steps of ascent, from 0. */
  readonly steps?: number | undefined;
  /** The picture that is kept: the last, or the one whose objective was best. */
  readonly keep?: Iterates['keep'] | undefined;
  /** Steps without a better objective after which an ascent ends before its time; 0 for none. */
  readonly patience?: number | undefined;
  /** Of all random numbers. The same seed gives the same bytes. */
  readonly seed?: number | undefined;
  /** Positions of a channel's map left out on each side; what the preset says, or less if the map is small, unless given. */
  readonly border?: number | undefined;
  /** One unit of each channel in place of its whole map: that at the centre, or at a position. */
  readonly neuron?: 'centre' | { readonly row: number; readonly column: number } | undefined;
  /** How many pictures are ascended together, for objectives that compare them; what they need unless given. */
  readonly pictures?: number | undefined;
  readonly param?: Change<ParamSpec> | undefined;
  /** In place of the preset's. */
  readonly transforms?: readonly PartialSpec<TransformSpec>[] | undefined;
  readonly optimiser?: Change<OptimiserSpec> | undefined;
  /** Which gradient is followed. */
  readonly gradient?: Optional<OverrideSpec> | undefined;
  readonly finish?: Change<FinishSpec> | undefined;
}

const usual: Preset = presets[DEFAULT_PRESET];

/** The settings that belong to no noun. */
export const general = {
  steps: whole({ help: 'Steps of ascent', default: usual.steps, to: 1e6 }),
  seed: whole({
    help: 'Seed of all random numbers; the same seed gives the same bytes',
    default: 0,
    from: Number.MIN_SAFE_INTEGER,
  }),
  border: { ...channelKind.settings.border, default: usual.border },
  ...iterateSettings,
} satisfies Schema;

/** Pictures that are ascended together: each costs as much as one alone. */
const pictures = whole({ help: 'Pictures ascended together', default: 1, from: 1, to: 64 });
const position = whole({ help: 'Row or column of a map', default: 0 });

const side = whole({ help: 'Picture size in pixels', default: usual.size, from: 1, to: 1 << 16 });

/** What is known of the target when a recipe is made. */
export interface TargetFacts {
  readonly model: Recipe['model'];
  readonly preprocess: Preprocess;
  /** What the model fixes. */
  readonly fixed?: { readonly height?: number; readonly width?: number } | undefined;
}

/** A recipe without its target: options and preset expanded, all settings checked. Throws `unknown-preset`, `bad-option`. */
export type Settled = Omit<Recipe, 'model' | 'preprocess' | 'objective' | 'given' | 'picture'> & {
  readonly preset: PresetName;
  readonly border: number;
  /** Absent for the mean of a channel's map. */
  readonly unit?: Unit;
};

/**
 * Options expanded: the preset's settings with those given in their place. `fixed` is what the model says of its size. Throws
 * `unknown-preset`, and `bad-option` for what cannot be.
 *
 * @example
 * settle({ preset: 'keras', steps: 60, optimiser: { rate: 5 } });
 */
export function settle(options: RecipeOptions = {}, fixed: TargetFacts['fixed'] = {}): Settled {
  refuseUnknown(Object.keys(options), optionNames, 'options');
  const name = options.preset ?? DEFAULT_PRESET;
  const preset = presetOf(name);
  const { size, transforms: own } = seenAs(preset, options.size, fixed);
  const finish = changed(finishes, { ...preset.finish, crop: cropFor(preset, size) }, options.finish);
  if (2 * finish.crop >= Math.min(size.height, size.width)) {
    const most = Math.ceil(Math.min(size.height, size.width) / 2) - 1;
    throw new PhospheneError(
      'bad-option',
      `crop: ${finish.crop} pixels from each side leave nothing of ${size.height}×${size.width}; choose a crop of at most ${most}`,
      {
        option: 'crop',
        crop: finish.crop,
        size,
        most,
      },
    );
  }
  return {
    preset: name,
    size,
    border: checked(general.border, 'border', options.border ?? preset.border),
    ...(options.neuron === undefined ? {} : { unit: unitOf(options.neuron) }),
    ...(options.pictures === undefined ? {} : { pictures: checked(pictures, 'pictures', options.pictures) }),
    param: changed(params, preset.param, options.param),
    transforms: (options.transforms ?? own).map((t) => transforms.complete(t)),
    optimiser: changed(optimisers, preset.optimiser, options.optimiser),
    ...gradientOf({ ...preset.gradient, ...defined(options.gradient ?? {}) }),
    steps: checked(general.steps, 'steps', options.steps ?? preset.steps),
    ...iteratesOf({ ...preset.iterates, ...defined({ keep: options.keep, patience: options.patience }) }),
    seed: checked(general.seed, 'seed', options.seed ?? 0),
    finish,
  };
}

/** What decides how large the network sees a picture. */
export type Shown = Pick<Recipe, 'size'> & Partial<Pick<Recipe, 'transforms'>>;

/**
 * The size that the network sees: transforms may show it another one than the picture's. Throws `bad-option` and `shape` if they do
 * not suit the picture.
 *
 * @example
 * sizeShown({ size: { height: 512, width: 512 }, transforms: [transforms.complete({ kind: 'crop', view: 224 })] }); // 224×224
 */
export function sizeShown({ size, transforms: specs = [] }: Shown): Size {
  return sizeSeen(
    size,
    specs.map((spec) => transforms.make(spec)),
  );
}

const optionNames = [
  'preset',
  'size',
  'steps',
  'keep',
  'patience',
  'seed',
  'border',
  'neuron',
  'pictures',
  'param',
  'transforms',
  'optimiser',
  'gradient',
  'finish',
] as const satisfies readonly (keyof RecipeOptions)[];

/** The gradient that is followed, if it is not the true one: what has always been said of a picture stays as it is. */
function gradientOf(given: object): { readonly gradient?: OverrideSpec } {
  const gradient = followed(given);
  return canonical(gradient) === canonical(followed()) ? {} : { gradient };
}

/** Which iterate is kept, if it is not the last of all steps: what has always been said of a picture stays as it is. */
function iteratesOf(given: object): Pick<Recipe, 'keep' | 'patience'> {
  const { keep, patience } = normalised(iterateSettings, given, 'options');
  return { ...(keep === 'best' ? { keep } : {}), ...(patience > 0 ? { patience } : {}) };
}

function unitOf(neuron: NonNullable<RecipeOptions['neuron']>): Unit {
  if (neuron === 'centre') return { kind: 'neuron' };
  if (Object(neuron) !== neuron)
    throw new PhospheneError(
      'bad-option',
      `neuron: \`centre\`, or a row and a column, is needed, not ${JSON.stringify(neuron)}`,
      { option: 'neuron', value: neuron },
    );
  const { row, column } = neuron;
  return { kind: 'neuron', row: checked(position, 'neuron', row), column: checked(position, 'neuron', column) };
}

/** The preset of that name. Throws `unknown-preset`. */
export function presetOf(name: string): Preset {
  const known = Object.keys(presets);
  if (Object.hasOwn(presets, name)) return presets[name as PresetName];
  throw new PhospheneError(
    'unknown-preset',
    `preset \`${name}\` is not known${didYouMean(name, known) || `; there is ${known.join(', ')}`}`,
    { option: 'preset', preset: name, known },
  );
}

/** The preset's crop; if that were more than half of a side, as much of it as the size is of the preset's. */
function cropFor({ finish: { crop }, size }: Preset, { height, width }: Size): number {
  const side = Math.min(height, width);
  return 4 * crop <= side ? crop : Math.min(crop, Math.floor((crop * side) / size));
}

/** What is known of a layer when settings are fitted to it. */
export interface FittedTo {
  /** Those of the layer's output. */
  readonly dims: readonly number[];
  readonly channels: { readonly axis: number };
  /** Whether it gives probabilities at the end of the network. */
  readonly probability?: boolean;
  /** Pixels of the picture from one unit to the next, if it is known. */
  readonly stride?: number;
}

/**
 * Settings for a target, as far as nobody asked for others. A border is narrowed until it leaves a position of a small map, and of
 * probabilities the logits are raised. Shifts reach half a stride either way at least, so that an ascent cannot lock itself to the grid on
 * which the network samples pictures. The deeper a layer, the coarser is what it sees, and the higher the exponent of a preconditioned
 * gradient.
 *
 * @example
 * const [target] = targets(network, size);
 * const { border } = fitted(settle({ size }, network.input.size), {}, target!);
 */
export function fitted(
  settled: Settled,
  options: Pick<RecipeOptions, 'border' | 'transforms' | 'optimiser'>,
  target: FittedTo,
): Settled {
  const { border } = options;
  const own: Settled =
    target.probability && settled.unit === undefined ? { ...settled, unit: { kind: 'logit' } } : settled;
  const bordered = border === undefined ? { ...own, border: fittedBorder(settled.border, target) } : own;
  return target.stride === undefined ? bordered : atStride(bordered, options, target.stride);
}

/** Settings for what is seen at a stride, as {@link fitted} has them. */
export function atStride(
  settled: Settled,
  { transforms: chosen, optimiser = {} }: Pick<RecipeOptions, 'transforms' | 'optimiser'>,
  stride: number,
): Settled {
  const isChosen = optimiser.kind !== undefined || ('exponent' in optimiser && optimiser.exponent !== undefined);
  return {
    ...settled,
    transforms: chosen === undefined ? wideEnough(settled.transforms, stride) : settled.transforms,
    optimiser:
      !isChosen && settled.optimiser.kind === 'sobolev'
        ? { ...settled.optimiser, exponent: exponentFor(stride) }
        : settled.optimiser,
  };
}

/**
 * What suits a layer at a stride: 1 at 4 pixels, 1.25 at 8, 1.4 from 16 on. Judged by how near the spectra of pictures come to those of
 * photographs (docs/quality.md): shallow layers need fine structure, and a higher exponent makes flat colours of them.
 */
function exponentFor(stride: number): number {
  return Math.min(1.4, 0.5 + Math.log2(stride) / 4);
}

/** The first shift of all, wide enough for a stride. */
function wideEnough(specs: readonly TransformSpec[], stride: number): readonly TransformSpec[] {
  const first = specs.findIndex(({ kind }) => kind === 'roll' || kind === 'jitter');
  return specs.map((spec, i) =>
    i === first && (spec.kind === 'roll' || spec.kind === 'jitter')
      ? { ...spec, by: Math.max(spec.by, Math.ceil(stride / 2)) }
      : spec,
  );
}

/** The border, narrowed until it leaves a position of a small map. */
export function fittedBorder(border: number, { dims, channels }: FittedTo): number {
  const map = dims.filter((_, axis) => axis !== 0 && axis !== channels.axis);
  const most = Math.max(0, Math.ceil(Math.min(...map) / 2) - 1);
  return map.length === 0 ? border : Math.min(border, most);
}

/**
 * What is raised of a channel.
 *
 * @example
 * unitSpec(settle({ border: 1 }), 'mixed4a', 7); // { kind: 'channel', layer: 'mixed4a', channel: 7, border: 1 }
 */
export function unitSpec({ border, unit }: Pick<Settled, 'border' | 'unit'>, layer: string, channel: number): TermSpec {
  if (unit === undefined) return objectives.complete({ kind: 'channel', layer, channel, border });
  return objectives.complete({ ...unit, layer, channel });
}

/**
 * The recipe of one channel of a layer.
 *
 * @example
 * const facts = { model: { name: network.name, digest: await network.digest() }, preprocess: network.input.preprocess };
 * const recipe = channelRecipe(settle({ steps: 60 }), facts, 'conv3_block4_out', 7);
 */
export function channelRecipe(settled: Settled, facts: TargetFacts, layer: string, channel: number): Recipe {
  return recipeOf({ ...settled, pictures: undefined }, facts, { objective: unitSpec(settled, layer, channel) });
}

/**
 * The recipe of a picture of an objective.
 *
 * @example
 * recipeOf(settle({ steps: 60 }), facts, { objective: objectives.complete({ kind: 'layer', layer: 'mixed4a' }) });
 */
export function recipeOf(
  settled: Omit<Settled, 'pictures'> & { readonly pictures?: number | undefined },
  facts: TargetFacts,
  what: Pick<Recipe, 'objective' | 'given' | 'picture'>,
): Recipe {
  const { preset: _, border: __, unit: ___, pictures, ...rest } = settled;
  const { objective, given, picture } = what;
  return {
    model: facts.model,
    preprocess: facts.preprocess,
    objective,
    ...rest,
    ...(given === undefined ? {} : { given }),
    ...(pictures === undefined || pictures === 1 ? {} : { pictures, picture: picture ?? 0 }),
  };
}

/**
 * The digest of a recipe, in hex: equal for recipes that give the same picture, different for all others. The name of the model and
 * the order of keys do not count; the revision of the algorithm does.
 *
 * @example
 * digestOf(recipe) === digestOf({ ...recipe, seed: recipe.seed + 1 }); // false
 */
export function digestOf(recipe: Recipe): string {
  const { model, ...rest } = recipe;
  return hashed({ ...rest, model: model.digest });
}

/** The digest of what pictures that differ only in their channel, or in which of several they are, have in common. */
export function setDigestOf(recipe: Recipe): string {
  const { model, objective, picture: _, ...rest } = recipe;
  const { channel: __, ...common } = isUnit(objective) ? objective : { channel: 0, ...objective };
  return hashed({ ...rest, objective: common, model: model.digest });
}

/** Whether it is one channel of a layer, in one way or another: such pictures are made side by side. */
export function isUnit(
  objective: Recipe['objective'] | PartialObjective,
): objective is Extract<typeof objective, { readonly kind: 'channel' | 'neuron' | 'logit' }> {
  return ['channel', 'neuron', 'logit'].includes(objective.kind);
}

/** The random streams of a picture: its seed and its objective, not the order or the worker. */
export function keyOf({ seed, objective }: Pick<Recipe, 'seed' | 'objective'>): string {
  return objective.kind === 'channel'
    ? `${seed}/${objective.layer}/${objective.channel}`
    : `${seed}/${canonical(objective)}`;
}

function hashed(value: unknown): string {
  return bytesToHex(sha256(utf8ToBytes(`phosphene/${ALGORITHM}/${canonical(value)}`)));
}

/** JSON with its keys in order: equal values give equal texts. Throws an internal error for what JSON cannot hold. */
export function canonical(value: unknown): string {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error(`internal: ${value} in a recipe`);
    return Object.is(value, -0) ? '0' : String(value);
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}

type Noun = 'param' | 'optimiser' | 'gradient' | 'finish';

/** A setting as a flat list has it, such as the options of a command. */
export interface FlatSetting {
  readonly name: string;
  readonly setting: Setting<unknown>;
  /** Where its value stands in `RecipeOptions`: `['steps']`, or `['optimiser', 'rate']`. */
  readonly path: readonly [string] | readonly [Noun, string];
}

/**
 * All settings by name, each once: what `--help` and the docs are made of. A noun of several kinds is a setting itself: it chooses
 * the kind. Defaults are those of the default preset.
 */
export function flatSettings(): readonly FlatSetting[] {
  const nouns = { param: params, optimiser: optimisers, finish: finishes };
  const flat = new Map<string, FlatSetting>(
    Object.entries(general).map(([name, setting]) => [name, { name, setting, path: [name] }]),
  );
  for (const [name, setting] of Object.entries(overrideSettings))
    flat.set(name, { name, setting, path: ['gradient', name] });
  for (const [noun, table] of Object.entries(nouns) as [
    Exclude<Noun, 'gradient'>,
    { kinds: Readonly<Record<string, AnyKind>> },
  ][]) {
    const kinds = Object.values(table.kinds);
    const own = usual[noun] as { readonly kind: string } & Readonly<Record<string, unknown>>;
    if (kinds.length > 1) {
      const help = kinds.map((k) => `${k.kind} (${k.help.charAt(0).toLowerCase()}${k.help.slice(1)})`).join(', ');
      const setting = choice({ help, default: own.kind, of: kinds.map((k) => k.kind) });
      flat.set(noun, { name: noun, setting, path: [noun, 'kind'] });
    }
    const names = new Set(kinds.flatMap((k) => Object.keys(k.settings)));
    for (const name of names) {
      if (flat.has(name)) throw new Error(`internal: two nouns have the setting \`${name}\``);
      const having = kinds.filter((k) => Object.hasOwn(k.settings, name));
      const first = (having.find((k) => k.kind === own.kind) ?? having[0]!).settings[name]!;
      const only = having.length < kinds.length ? ` (of ${having.map((k) => k.kind).join(', ')})` : '';
      const setting: Setting<unknown> = {
        ...first,
        help: first.help + only,
        default: own[name] ?? (first.default as unknown),
      };
      flat.set(name, { name, setting, path: [noun, name] });
    }
  }
  return [...flat.values()];
}

interface AnyKind {
  readonly kind: string;
  readonly help: string;
  readonly settings: Schema;
}

function changed<Spec extends { readonly kind: string }>(
  nouns: { complete(spec: never): Spec },
  from: Spec,
  change: { readonly kind?: string | undefined } = {},
): Spec {
  const base = change.kind === undefined || change.kind === from.kind ? from : {};
  return nouns.complete({ ...base, ...defined(change) } as never);
}

/**
 * The size of a picture, and the preset's transforms so that the network is shown the size that it fixes. A canvas that is seen by crops is
 * as much larger than they are as it is in the preset; if the network sees no square, it is as large as they are.
 */
function seenAs(
  preset: Preset,
  given: RecipeOptions['size'],
  fixed: TargetFacts['fixed'] = {},
): Pick<Settled, 'size' | 'transforms'> {
  const { height, width } = fixed;
  const isFree = height === undefined && width === undefined;
  const view = height === width ? height! : 0;
  let canvas = { height: height ?? preset.size, width: width ?? preset.size };
  const own = preset.transforms.map((spec) => {
    if (isFree || spec.kind !== 'crop') return spec;
    if (view > 0) canvas = squareOf(Math.round((preset.size * view) / spec.view));
    return { ...spec, view };
  });
  const size = given === undefined ? canvas : typeof given === 'number' ? squareOf(given) : given;
  return {
    size: { height: checked(side, 'size', size.height), width: checked(side, 'size', size.width) },
    transforms: own,
  };
}

const squareOf = (length: number): Size => ({ height: length, width: length });

/** Without what is undefined: options that were not given. */
function defined<T extends object>(given: T): T {
  return Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined)) as T;
}
