/** @file Pictures of a layer's channels: recipes become jobs, jobs become pictures. */
import { PhospheneError } from '../errors.ts';
import { lowerings } from '../grad/index.ts';
import type { Network } from '../import/network.ts';
import { encodeOnnx } from '../ir/onnx.ts';
import type { Tensor } from '../ir/tensor.ts';
import { objectiveOf, outOfRange } from '../objective/index.ts';
import { type Optimiser, optimisers } from '../optimiser/index.ts';
import { finishes } from '../output/finish.ts';
import type { Raster } from '../output/raster.ts';
import { params } from '../param/index.ts';
import type { Diagnosis } from '../render/diagnosis.ts';
import { canonical, channelRecipe, keyOf, type Recipe, type Settled, type TargetFacts } from '../render/recipe.ts';
import { checkMemory, stepOf, valuesOf, workerMemory } from '../render/step.ts';
import { reaching, type Target } from '../render/targets.ts';
import { unknownLayer } from '../import/network.ts';
import type { StepData } from '../step/step.ts';
import { transforms } from '../transform/index.ts';
import { concurrently } from './concurrently.ts';
import type { Pool } from './pool.ts';

/** A picture, finished. */
export interface Picture {
  /** All that decided it. */
  readonly recipe: Recipe;
  readonly layer: string;
  readonly channel: number;
  /** As it is shown: RGB bytes. */
  readonly raster: Raster;
  /** As it was ascended: [1, c, h, w], values about [-1, 1], not clipped and not cropped. */
  readonly image: Tensor<'float32'>;
  /** The objective before each step. */
  readonly losses: readonly number[];
  /** Why it shows little; absent if all went well. */
  readonly diagnosis?: Diagnosis;
}

/** What happens while pictures are made. */
export type RenderEvent =
  /** The first program is compiled and its first step begins. */
  | { readonly type: 'ready'; readonly workers: number }
  /** Now and then, for each picture under way. */
  | { readonly type: 'steps'; readonly channel: number; readonly done: number }
  | { readonly type: 'picture'; readonly picture: Picture };

/** What is rendered. */
export interface Wanted {
  readonly layer: string;
  /** From 0, each once. Taken one by one, when a worker is about to be free. */
  readonly channels: Iterable<number> | AsyncIterable<number>;
  readonly settled: Settled;
}

/** The layer that is to be rendered, if it can be. Throws `unknown-layer`, `unsupported-op`, `shape`. */
export async function targetOf(network: Network, name: string, settled: Pick<Settled, 'size'>): Promise<Target> {
  const { layers } = network.layers(settled.size);
  const layer = layers.find((l) => l.name === name || l.path === name);
  if (!layer) {
    // Cutting says why, if the layer exists but lies beyond an operator that is not supported.
    await reaching(network, settled.size, () => network.cut([name], settled.size));
    throw unknownLayer(network.name, name, layers);
  }
  if (!layer.channels)
    throw new PhospheneError(
      'unknown-layer',
      `layer \`${name}\` is [${layer.dims.join(', ')}] and has no channels that can be told apart; choose another layer`,
      { option: 'layer', layer: name, dims: layer.dims },
    );
  return layer as Target;
}

/** About the bytes that each worker needs for a target. */
export function memoryOf(network: Network, target: Target, settled: Pick<Settled, 'size'>): number {
  const { layers } = network.layers(settled.size);
  return workerMemory(layers.slice(0, layers.findIndex((l) => l.name === target.name) + 1));
}

/** Refuses channels that the target does not have. Throws `bad-option`. */
export function checkChannel(target: Target, channel: number): void {
  if (!Number.isInteger(channel) || channel < 0 || channel >= target.channels.count)
    throw outOfRange(target.name, channel, target.channels.count);
}

/** What is known of a network when recipes are made for it. */
export async function factsOf(network: Network): Promise<TargetFacts> {
  return {
    model: { name: network.name, digest: await network.digest() },
    preprocess: network.input.preprocess,
    fixed: network.input.size,
  };
}

/**
 * The program that makes the pictures of a target, whatever the channel. Throws `unsupported-op`, `shape`, `bad-weights`,
 * `missing-weights`, `bad-file`.
 */
export async function programOf(
  network: Network,
  target: Target,
  settled: Settled,
  lowering: keyof typeof lowerings,
): Promise<StepData> {
  const { recipe, objective, optimiser } = partsOf(channelRecipe(settled, await factsOf(network), target.name, 0));
  const step = await reaching(network, settled.size, async () =>
    stepOf({
      network: {
        graph: await network.cut([target.name], settled.size),
        channelAxes: { [target.name]: target.channels.axis },
      },
      objective,
      optimiser,
      param: params.make(recipe.param),
      transforms: recipe.transforms.map((t) => transforms.make(t)),
      lowering: lowerings[lowering],
    }),
  );
  const { graph, image, ...plan } = step;
  const { seed: _, steps: __, finish: ___, model, ...rest } = recipe;
  return {
    ...plan,
    id: canonical({ ...rest, model: model.digest, objective: objective.shape, lowering }),
    graph: encodeOnnx(graph),
    image: 'state' in image ? image : encodeOnnx(image),
  };
}

function partsOf(recipe: Recipe): {
  recipe: Recipe;
  objective: ReturnType<typeof objectiveOf>;
  optimiser: Optimiser;
} {
  return { recipe, objective: objectiveOf(recipe.objective), optimiser: optimisers.make(recipe.optimiser) };
}

/** What a rendering runs on. */
export interface Engine {
  readonly pool: Pool;
  /** How gradients are spelled for the pool's runtime. */
  readonly lowering: keyof typeof lowerings;
  readonly signal?: AbortSignal | undefined;
  /** Jobs of a higher number come first. */
  readonly priority?: number;
  /** Bytes that all workers may take together; not checked if absent. */
  readonly memory?: number;
}

/**
 * Renders channels of a layer and yields pictures as they are finished, in no fixed order; each depends on its recipe alone.
 *
 * Throws `unknown-layer`, `bad-option`, `too-large`, `unsupported-op`, `shape`, `bad-weights`, `missing-weights`, `runtime`,
 * `aborted`.
 *
 * @example
 * for await (const event of renderChannels(network, { layer, channels: [0, 1], settled: settle() }, engine)) …
 */
export async function* renderChannels(
  network: Network,
  { layer, channels, settled }: Wanted,
  { pool, lowering, signal, priority = 0, memory }: Engine,
): AsyncGenerator<RenderEvent, void> {
  const target = await targetOf(network, layer, settled);
  if (memory !== undefined) checkMemory(memoryOf(network, target, settled), memory / pool.workers);
  const facts = await factsOf(network);
  const program = programOf(network, target, settled, lowering);
  const finish = finishes.make(settled.finish);
  let ready = false;
  const ascent = async function* (channel: number): AsyncGenerator<RenderEvent, void> {
    checkChannel(target, channel);
    const { recipe, ...parts } = partsOf(channelRecipe(settled, facts, target.name, channel));
    const job = { values: valuesOf(parts), key: keyOf(recipe), steps: recipe.steps };
    for await (const event of pool.submit(program, job, { signal, priority })) {
      if (event.type === 'started') {
        if (!ready) yield { type: 'ready', workers: pool.workers };
        ready = true;
      } else if (event.type === 'step') yield { type: 'steps', channel, done: event.done };
      else if (event.type === 'done') {
        const { image, losses, diagnosis } = event.ascent;
        const raster = finish(image.data, settled.size);
        const picture = { recipe, layer: target.name, channel, raster, image, losses };
        yield { type: 'picture', picture: diagnosis ? { ...picture, diagnosis } : picture };
      }
    }
  };
  // One more than there are workers: the next is at hand when one is free.
  yield* concurrently(channels, pool.workers + 1, ascent);
}
