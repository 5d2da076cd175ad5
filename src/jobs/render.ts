/** @file Pictures of a layer's channels, and of any objective: recipes become jobs, jobs become pictures. */
import { PhospheneError } from '../errors.ts';
import { lowerings } from '../grad/index.ts';
import { indexOf, type Network, type Size, unknownLayer } from '../import/network.ts';
import { float32, sameDims, type Tensor, type Tensors } from '../ir/tensor.ts';
import { type Objective, outOfRange } from '../objective/index.ts';
import { type Optimiser, optimisers } from '../optimiser/index.ts';
import { finishes } from '../output/finish.ts';
import type { Raster } from '../output/raster.ts';
import { params, startFrom } from '../param/index.ts';
import type { Ascent } from '../render/ascend.ts';
import type { Diagnosis } from '../render/diagnosis.ts';
import { type Given, type ObjectiveLike, type Raised, raisedOf, raisedUnit } from '../render/raised.ts';
import {
  canonical,
  channelRecipe,
  keyOf,
  type Recipe,
  recipeOf,
  type Settled,
  type Shown,
  sizeShown,
  type TargetFacts,
} from '../render/recipe.ts';
import { stepData, stepOf, valuesOf, workerMemory } from '../render/step.ts';
import { reaching, type Target, targetAt } from '../render/targets.ts';
import type { Device, LoweringName } from '../runtime/index.ts';
import { type Job, type StepData, Z } from '../step/step.ts';
import { transforms } from '../transform/index.ts';
import { concurrently } from './concurrently.ts';
import { evaluated, forwardProgram, keptProgram } from './forward.ts';
import type { JobEvent, Pool } from './pool.ts';

/** A picture, finished. */
export interface Picture {
  /** All that decided it. */
  readonly recipe: Recipe;
  /** The layer; for an objective that is no single channel of one, the text of the objective. */
  readonly layer: string;
  /** From 0; of an objective, the number of the picture. */
  readonly channel: number;
  /** As it is shown: RGB bytes. */
  readonly raster: Raster;
  /** As it was ascended: [1, c, h, w], values about [-1, 1], not clipped and not cropped. */
  readonly image: Tensor<'float32'>;
  /** The objective before each step. */
  readonly losses: readonly number[];
  /** Whether it shows its filter, and if not, why. */
  readonly diagnosis: Diagnosis;
  /** What computed it; the CPU unless it says otherwise. */
  readonly device?: Device;
}

/** What happens while pictures are made. */
export type RenderEvent =
  /** The first program is compiled and its first step begins. */
  | { readonly type: 'ready'; readonly workers: number }
  /** Now and then, for each picture under way; `loss` is the objective before the last of the steps. */
  | { readonly type: 'steps'; readonly channel: number; readonly done: number; readonly loss: number }
  /** The picture after a step that was asked for, finished as the last one will be. */
  | { readonly type: 'snapshot'; readonly channel: number; readonly step: number; readonly raster: Raster }
  | { readonly type: 'picture'; readonly picture: Picture };

/** What is rendered. */
export interface Wanted {
  readonly layer: string;
  /** From 0, each once. Taken one by one, when a worker is about to be free. */
  readonly channels: Iterable<number> | AsyncIterable<number>;
  readonly settled: Settled;
  /** Steps after which a picture is wanted too, from 1. None unless given. */
  readonly snapshots?: readonly number[] | undefined;
  /** What the ascents begin with in place of noise: [1, c, h, w] of the settled size. Its digest is `settled.start`. */
  readonly start?: Tensor<'float32'> | undefined;
}

/** An objective that is to be rendered. */
export interface WantedObjective {
  readonly raised: Raised;
  /** Which of its pictures, each once; all unless given. */
  readonly pictures?: Iterable<number> | AsyncIterable<number> | undefined;
  readonly settled: Settled;
  readonly snapshots?: readonly number[] | undefined;
  /** As of {@link Wanted}: all pictures begin with it. */
  readonly start?: Tensor<'float32'> | undefined;
}

/**
 * What is raised of an objective that reads any layers of a network. Throws `bad-option`, `unknown-layer`, `unsupported-op`, `shape`.
 *
 * @example
 * const raised = await raisedIn(network, 'mixed4a:12 - 0.5*mixed4a:99 + tv(0.1)', settle({}, network.input.size));
 */
export async function raisedIn(
  network: Network,
  objective: ObjectiveLike,
  settled: Settled,
  given: Given = {},
): Promise<Raised> {
  const missing: string[] = [];
  const listing = network.layers(sizeShown(settled));
  const find = (name: string): Target => {
    const index = indexOf(listing.layers, name);
    if (index < 0) missing.push(name);
    if (index < 0) throw unknownLayer(network.name, name, listing.layers);
    return targetAt(listing, index);
  };
  try {
    return raisedOf(objective, settled, find, given);
  } catch (error) {
    // Says why, if the layer exists but lies beyond an operator that is not supported.
    if (missing.length > 0) await targetOf(network, missing[0]!, settled);
    throw error;
  }
}

/** The layer that is to be rendered, if it can be. Throws `unknown-layer`, `unsupported-op`, `shape`. */
export async function targetOf(network: Network, name: string, settled: Shown): Promise<Target> {
  const size = sizeShown(settled);
  const listing = network.layers(size);
  const index = indexOf(listing.layers, name);
  if (index >= 0) return targetAt(listing, index);
  // Cutting says why, if the layer exists but lies beyond an operator that is not supported.
  await reaching(network, size, () => network.cut([name], size));
  throw unknownLayer(network.name, name, listing.layers);
}

/** About the bytes that each worker needs for what is raised. */
export function memoryOf(
  network: Network,
  { targets, pictures = 1 }: Partial<Pick<Raised, 'pictures'>> & { readonly targets: readonly Pick<Target, 'name'>[] },
  settled: Shown,
): number {
  const { layers } = network.layers(sizeShown(settled));
  const last = Math.max(-1, ...targets.map(({ name }) => layers.findIndex((l) => l.name === name)));
  const reached = layers.slice(0, last + 1);
  return workerMemory(reached.map(({ dims, parameters }) => ({ dims: [pictures, ...dims], parameters })));
}

/** Refuses channels that the target does not have. Throws `bad-option`. */
export function checkChannel(target: Target, channel: number): void {
  if (!Number.isInteger(channel) || channel < 0 || channel >= target.channels.count)
    throw outOfRange(target.name, channel, target.channels.count);
}

/** What is known of a network when recipes are made for it. Reads all weights, once, for their digest. */
export async function factsOf(network: Network): Promise<TargetFacts> {
  return {
    model: { name: network.name, digest: await network.digest() },
    preprocess: network.input.preprocess,
    fixed: network.input.size,
  };
}

/** What a program is of. */
type Shaped = Pick<Raised, 'objective' | 'targets' | 'pictures'>;

/**
 * The program that makes the pictures of what is raised, and of all that has the same shape. The last few of a network are kept. Throws
 * `unsupported-op`, `shape`, `bad-option`, `bad-weights`, `missing-weights`, `bad-file`.
 */
export async function programOf(
  network: Network,
  raised: Shaped,
  settled: Settled,
  lowering: LoweringName,
): Promise<StepData> {
  const { param, size, optimiser, gradient } = settled;
  const { objective, pictures } = raised;
  const made = {
    param,
    transforms: settled.transforms,
    optimiser,
    gradient,
    objective: objective.shape,
    size,
    lowering,
  };
  // Values of other dims are other programs.
  const dims = Object.entries(objective.values).map(([name, value]) => [name, value.dims]);
  const id = canonical({
    ...made,
    ...(pictures === 1 ? {} : { pictures }),
    ...(objective.needs ? { dims } : {}),
    model: await network.digest(),
    preprocess: network.input.preprocess,
  });
  return keptProgram(network, id, () => built(id, network, raised, settled, lowering));
}

async function built(
  id: string,
  network: Network,
  { objective, targets, pictures }: Shaped,
  settled: Settled,
  lowering: LoweringName,
  optimiser: Optimiser = optimisers.make(settled.optimiser),
): Promise<StepData> {
  const { layers } = objective;
  const shown = sizeShown(settled);
  const step = await reaching(network, shown, async () =>
    stepOf({
      objective,
      optimiser,
      size: settled.size,
      network: {
        graph: await network.cut(layers, shown, { lazily: true }),
        channelAxes: Object.fromEntries(layers.map((layer, i) => [layer, targets[i]!.channels.axis])),
      },
      param: params.make(settled.param),
      transforms: settled.transforms.map((t) => transforms.make(t)),
      ...(settled.gradient ? { following: settled.gradient } : {}),
      pictures,
      lowering: lowerings[lowering],
    }),
  );
  return stepData(step, id);
}

/** What a device is tried with: the first of some pictures. */
export interface Trial {
  /** Its step. */
  readonly program: StepData;
  /** A step after which the first state is the gradient, and that is its picture. */
  readonly probe: StepData;
  readonly job: Omit<Job, 'steps'>;
}

/** In place of an optimiser: what is followed takes the place of the parameters. */
const bare: Optimiser = { values: {}, build: (_, __, gradients) => gradients };

/** What an engine is tried with before it renders what is raised. Throws what {@link programOf} throws. */
export async function trialOf(network: Network, raised: Raised, settled: Settled, engine: Engine): Promise<Trial> {
  const objective = await supplied(network, raised, settled, engine);
  const whole = { ...raised, objective };
  const program = await programOf(network, whole, settled, engine.lowering);
  const probe = await built(`gradient/${program.id}`, network, whole, settled, engine.lowering, bare);
  const values = valuesOf({ objective, optimiser: optimisers.make(settled.optimiser) });
  return { program, probe: { ...probe, image: { state: Z } }, job: { values, key: 'trial' } };
}

/** What a rendering runs on. */
export interface Engine {
  readonly pool: Pool;
  /** How gradients are spelled for the pool's runtime. */
  readonly lowering: LoweringName;
  readonly signal?: AbortSignal | undefined;
  /** Jobs of a higher number come first. */
  readonly priority?: number;
}

/**
 * Renders channels of a layer and yields pictures as they are finished, in no fixed order; each depends on its recipe alone.
 *
 * Throws `unknown-layer`, `bad-option`, `unsupported-op`, `shape`, `bad-weights`, `missing-weights`, `runtime`, `aborted`.
 *
 * @example
 * const engine = { pool: createPool(nodeHost()), lowering: 'cpu' } as const;
 * const wanted = { layer: network.defaultLayer, channels: [0, 1], settled: settle({ preset: 'keras' }, network.input.size) };
 * for await (const event of renderChannels(network, wanted, engine))
 *   if (event.type === 'picture') console.log(event.picture.channel);
 */
export async function* renderChannels(
  network: Network,
  { layer, channels, settled, start: photo, snapshots }: Wanted,
  engine: Engine,
): AsyncGenerator<RenderEvent, void> {
  const { pool, lowering, signal } = engine;
  const target = await targetOf(network, layer, settled);
  const start = photo && startFrom(params.make(settled.param), photo);
  // They load their engines while the program is built.
  pool.start();
  const program = await programOf(network, raisedUnit(settled, target, 0), settled, lowering);
  if (signal?.aborted) throw new PhospheneError('aborted', 'aborted', {}, signal.reason);
  const facts = await factsOf(network);
  const finish = finishes.make(settled.finish);
  const isFirst = once();
  const ascent = async function* (channel: number): AsyncGenerator<RenderEvent, void> {
    checkChannel(target, channel);
    const { objective } = raisedUnit(settled, target, channel);
    const recipe = channelRecipe(settled, facts, target.name, channel);
    for await (const event of ascended(program, objective, recipe, engine, { start, snapshots })) {
      if (event.type === 'started') {
        if (isFirst()) yield { type: 'ready', workers: pool.workers };
      } else if (event.type === 'step') yield { type: 'steps', channel, done: event.done, loss: event.loss };
      else if (event.type === 'snapshot')
        yield { type: 'snapshot', channel, step: event.step, raster: finish(event.image.data, settled.size) };
      else if (event.type === 'done') {
        const { image, losses, diagnosis } = event.ascent;
        const picture: Picture = {
          recipe,
          layer: target.name,
          channel,
          raster: finish(image.data, settled.size),
          image,
          losses,
          diagnosis,
          ...deviceOf(engine),
        };
        yield { type: 'picture', picture };
      }
    }
  };
  // One more than there are workers: the next is at hand when one is free.
  yield* concurrently(channels, pool.workers + 1, ascent);
}

/**
 * Renders an objective and yields its pictures, which are ascended together: one, unless the objective compares several. The `channel` of
 * an event is the number of the picture.
 *
 * Throws `unknown-layer`, `bad-option`, `unsupported-op`, `shape`, `bad-weights`, `missing-weights`, `runtime`, `aborted`.
 *
 * @example
 * const settled = settle({ preset: 'keras' }, network.input.size);
 * const raised = await raisedIn(network, 'mixed4a:12 + diversity(mixed5a)', settled);
 * for await (const event of renderObjective(network, { raised, settled }, engine))
 *   if (event.type === 'picture') console.log(event.picture.channel);
 */
export async function* renderObjective(
  network: Network,
  { raised, pictures: asked, settled, start: photo, snapshots }: WantedObjective,
  engine: Engine,
): AsyncGenerator<RenderEvent, void> {
  const { pool, lowering, signal } = engine;
  const { recorded, pictures } = raised;
  const start = photo && startFrom(params.make(settled.param), repeated(photo, pictures));
  pool.start();
  const facts = await factsOf(network);
  const finish = finishes.make(settled.finish);
  const recipeAt = (picture: number): Recipe => recipeOf({ ...settled, pictures }, facts, { ...recorded, picture });
  let made: { readonly ascent: Ascent } | undefined;
  for await (const channel of asked ?? Array.from({ length: pictures }, (_, i) => i)) {
    if (!made) {
      const objective = await supplied(network, raised, settled, engine);
      const program = await programOf(network, { ...raised, objective }, settled, lowering);
      if (signal?.aborted) throw new PhospheneError('aborted', 'aborted', {}, signal.reason);
      for await (const event of ascended(program, objective, recipeAt(0), engine, { start, snapshots })) {
        if (event.type === 'started') yield { type: 'ready', workers: pool.workers };
        else if (event.type === 'step') yield { type: 'steps', channel, done: event.done, loss: event.loss };
        else if (event.type === 'snapshot')
          for (let i = 0; i < pictures; i++)
            yield {
              type: 'snapshot',
              channel: i,
              step: event.step,
              raster: finish(only(event.image, i).data, settled.size),
            };
        else if (event.type === 'done') made = event;
      }
    }
    const { image, losses, diagnosis } = made!.ascent;
    const alone = only(image, channel);
    const picture: Picture = {
      recipe: recipeAt(channel),
      layer: raised.objective.text,
      channel,
      raster: finish(alone.data, settled.size),
      image: alone,
      losses,
      diagnosis,
      ...deviceOf(engine),
    };
    yield { type: 'picture', picture };
  }
}

/** The ascent of a recipe's job. */
function ascended(
  program: StepData,
  objective: Objective,
  recipe: Recipe,
  { pool, signal, priority = 0 }: Engine,
  { start, snapshots }: { readonly start?: Tensors | undefined; readonly snapshots?: readonly number[] | undefined },
): AsyncIterable<JobEvent> {
  const { optimiser } = recipe;
  const values = valuesOf({ objective, optimiser: optimisers.make(optimiser) });
  const job = { values, key: keyOf(recipe), ...runOf(recipe), ...(start ? { start } : {}) };
  return pool.submit(program, job, { signal, priority, snapshots });
}

/** What a picture says of the device that it was made on. */
function deviceOf({ lowering }: Engine): Pick<Picture, 'device'> {
  return lowering === 'webgpu' ? { device: 'webgpu' } : {};
}

/** How long a job goes on, and which of its pictures it keeps. */
export function runOf({
  steps,
  keep,
  patience,
}: Pick<Recipe, 'steps' | 'keep' | 'patience'>): Pick<Job, 'steps' | 'keep' | 'patience'> {
  return { steps, ...(keep === undefined ? {} : { keep }), ...(patience === undefined ? {} : { patience }) };
}

/** True the first time. */
function once(): () => boolean {
  let done = false;
  return () => !done && (done = true);
}

/** One of several pictures, as [1, c, h, w]. */
function only({ dims, data }: Tensor<'float32'>, index: number): Tensor<'float32'> {
  const each = data.length / dims[0]!;
  return float32(data.subarray(index * each, (index + 1) * each), [1, ...dims.slice(1)]);
}

/** A photo [1, c, h, w] for each of several pictures. */
function repeated(photo: Tensor<'float32'>, pictures: number): Tensor<'float32'> {
  const data = new Float32Array(photo.data.length * pictures);
  for (let i = 0; i < pictures; i++) data.set(photo.data, i * photo.data.length);
  return float32(data, [pictures, ...photo.dims.slice(1)]);
}

/** The objective with its needs among its values: what it was given, and what its layers make of photos. */
async function supplied(
  network: Network,
  { objective, given }: Raised,
  settled: Settled,
  engine: Engine,
): Promise<Objective> {
  if (!objective.needs) return objective;
  const seen = new Map<string, Promise<Tensor>>();
  const values = await Promise.all(
    Object.entries(objective.needs).map(async ([name, need]): Promise<[string, Tensor]> => {
      if ('tensor' in need) return [name, given.tensors![need.tensor]!];
      const { photo, layer } = need;
      const key = JSON.stringify([photo, layer]);
      const activation =
        seen.get(key) ?? activationOf(network, layer, given.photos![photo]!, sizeShown(settled), engine);
      seen.set(key, activation);
      return [name, await activation];
    }),
  );
  return { ...objective, values: { ...objective.values, ...Object.fromEntries(values) } };
}

/** A layer's activation for a photo [1, c, h, w]. Throws `shape` for a photo of another size than the network sees. */
async function activationOf(
  network: Network,
  layer: string,
  photo: Tensor<'float32'>,
  size: Size,
  engine: Engine,
): Promise<Tensor> {
  const dims = [1, network.input.channels, size.height, size.width];
  if (!sameDims(photo.dims, dims))
    throw new PhospheneError(
      'shape',
      `photos: a photo is [${photo.dims.join(', ')}], and [${dims.join(', ')}] is needed: what the network sees`,
      { option: 'photos', dims: photo.dims, wanted: dims },
    );
  const { lowering } = engine;
  const program = await forwardProgram(network, { what: 'activation', layers: [layer], size, lowering }, (_, value) =>
    value(layer),
  );
  return evaluated(program, photo, engine);
}
