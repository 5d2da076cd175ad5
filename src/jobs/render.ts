/** @file Pictures of a layer's channels: recipes become jobs, jobs become pictures. */
import { PhospheneError } from '../errors.ts';
import { lowerings } from '../grad/index.ts';
import { indexOf, type Network, unknownLayer } from '../import/network.ts';
import { encodeOnnx } from '../ir/onnx.ts';
import type { Tensor } from '../ir/tensor.ts';
import { objectives, outOfRange } from '../objective/index.ts';
import { optimisers } from '../optimiser/index.ts';
import { finishes } from '../output/finish.ts';
import type { Raster } from '../output/raster.ts';
import { params, startFrom } from '../param/index.ts';
import type { Diagnosis } from '../render/diagnosis.ts';
import {
  canonical,
  channelRecipe,
  keyOf,
  type Recipe,
  type Settled,
  type Shown,
  sizeShown,
  type TargetFacts,
} from '../render/recipe.ts';
import { stepOf, type StepParts, valuesOf, workerMemory } from '../render/step.ts';
import { strideOf } from '../render/stride.ts';
import { reaching, type Target } from '../render/targets.ts';
import type { LoweringName } from '../runtime/index.ts';
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
  /** Whether it shows its filter, and if not, why. */
  readonly diagnosis: Diagnosis;
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

/** The layer that is to be rendered, if it can be. Throws `unknown-layer`, `unsupported-op`, `shape`. */
export async function targetOf(network: Network, name: string, settled: Shown): Promise<Target> {
  const size = sizeShown(settled);
  const { layers, graph } = network.layers(size);
  const index = indexOf(layers, name);
  const layer = layers[index];
  if (!layer) {
    // Cutting says why, if the layer exists but lies beyond an operator that is not supported.
    await reaching(network, size, () => network.cut([name], size));
    throw unknownLayer(network.name, name, layers);
  }
  if (!layer.channels)
    throw new PhospheneError(
      'unknown-layer',
      `layer \`${name}\` is [${layer.dims.join(', ')}] and has no channels that can be told apart; choose another layer`,
      { option: 'layer', layer: name, dims: layer.dims },
    );
  return { ...(layer as Target), stride: strideOf(graph, graph.outputs[index]!.name) };
}

/** About the bytes that each worker needs for a target. */
export function memoryOf(network: Network, target: Target, settled: Shown): number {
  const { layers } = network.layers(sizeShown(settled));
  return workerMemory(layers.slice(0, layers.findIndex((l) => l.name === target.name) + 1));
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

/** What a channel's job is made of. */
function channelParts(settled: Settled, layer: string, channel: number): Pick<StepParts, 'objective' | 'optimiser'> {
  const { border, optimiser } = settled;
  return {
    objective: objectives.make({ kind: 'channel', layer, channel, border }),
    optimiser: optimisers.make(optimiser),
  };
}

/** Programs that a network keeps: one who looks at its layers comes back to the last few. */
const KEPT = 4;
const programs = new WeakMap<Network, Map<string, Promise<StepData>>>();

/**
 * The program that makes the pictures of a target, whatever the channel. The last few of a network are kept. Throws `unsupported-op`,
 * `shape`, `bad-weights`, `missing-weights`, `bad-file`.
 */
export async function programOf(
  network: Network,
  target: Target,
  settled: Settled,
  lowering: LoweringName,
): Promise<StepData> {
  const { param, size, optimiser, gradient } = settled;
  const { shape } = channelParts(settled, target.name, 0).objective;
  const made = { param, transforms: settled.transforms, optimiser, gradient, objective: shape, size, lowering };
  const id = canonical({ ...made, model: await network.digest(), preprocess: network.input.preprocess });
  const kept = programs.get(network) ?? new Map<string, Promise<StepData>>();
  programs.set(network, kept);
  const program = kept.get(id) ?? built(id, network, target, settled, lowering);
  // The one used longest ago stands first. One that failed is tried anew.
  kept.delete(id);
  kept.set(id, program);
  if (kept.size > KEPT) kept.delete(kept.keys().next().value!);
  return program.catch((error: unknown) => {
    kept.delete(id);
    throw error;
  });
}

async function built(
  id: string,
  network: Network,
  target: Target,
  settled: Settled,
  lowering: LoweringName,
): Promise<StepData> {
  const parts = channelParts(settled, target.name, 0);
  const shown = sizeShown(settled);
  const step = await reaching(network, shown, async () =>
    stepOf({
      ...parts,
      size: settled.size,
      network: {
        graph: await network.cut([target.name], shown),
        channelAxes: { [target.name]: target.channels.axis },
      },
      param: params.make(settled.param),
      transforms: settled.transforms.map((t) => transforms.make(t)),
      ...(settled.gradient ? { following: settled.gradient } : {}),
      lowering: lowerings[lowering],
    }),
  );
  const { graph, image, ...plan } = step;
  return {
    ...plan,
    id,
    graph: encodeOnnx(graph),
    image: 'state' in image ? image : encodeOnnx(image),
  };
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
  { pool, lowering, signal, priority = 0 }: Engine,
): AsyncGenerator<RenderEvent, void> {
  const target = await targetOf(network, layer, settled);
  const start = photo && startFrom(params.make(settled.param), photo);
  // They load their engines while the program is built.
  pool.start();
  const program = await programOf(network, target, settled, lowering);
  if (signal?.aborted) throw new PhospheneError('aborted', 'aborted', {}, signal.reason);
  const facts = await factsOf(network);
  const finish = finishes.make(settled.finish);
  let ready = false;
  const ascent = async function* (channel: number): AsyncGenerator<RenderEvent, void> {
    checkChannel(target, channel);
    const values = valuesOf(channelParts(settled, target.name, channel));
    const { seed, steps, border } = settled;
    const objective = { kind: 'channel', layer: target.name, channel, border } as const;
    for await (const event of pool.submit(
      program,
      { values, key: keyOf({ seed, objective }), steps, ...(start ? { start } : {}) },
      { signal, priority, snapshots },
    )) {
      if (event.type === 'started') {
        if (!ready) yield { type: 'ready', workers: pool.workers };
        ready = true;
      } else if (event.type === 'step') yield { type: 'steps', channel, done: event.done, loss: event.loss };
      else if (event.type === 'snapshot')
        yield { type: 'snapshot', channel, step: event.step, raster: finish(event.image.data, settled.size) };
      else if (event.type === 'done') {
        const { image, losses, diagnosis } = event.ascent;
        const picture: Picture = {
          recipe: channelRecipe(settled, facts, target.name, channel),
          layer: target.name,
          channel,
          raster: finish(image.data, settled.size),
          image,
          losses,
          diagnosis,
        };
        yield { type: 'picture', picture };
      }
    }
  };
  // One more than there are workers: the next is at hand when one is free.
  yield* concurrently(channels, pool.workers + 1, ascent);
}
