/** @file A step of ascent put together from the nouns: parameterisation, transforms, network, objective, gradient, optimiser. */
import { gradient, type GradientOptions } from '../grad/index.ts';
import { Builder, type Value } from '../ir/builder.ts';
import type { Graph, ValueInfo } from '../ir/graph.ts';
import { encodeOnnx, packOnnx } from '../ir/onnx.ts';
import { type Dims, sameDims, sizeOf, type Tensor } from '../ir/tensor.ts';
import type { Layer } from '../import/network.ts';
import { contextOf, type Objective } from '../objective/index.ts';
import type { Optimiser } from '../optimiser/index.ts';
import type { Param } from '../param/index.ts';
import { seen, type Transform } from '../transform/index.ts';
import { PhospheneError } from '../errors.ts';
import { StepBuilder } from '../step/builder.ts';
import { smoothPooling } from '../grad/smooth.ts';
import { inlineBatch } from './batch.ts';
import { followed, overridesOf, type OverrideSpec } from './overrides.ts';
import { IMAGE, LOSS, NEXT, REDIRECT, type Step, type StepData, type Tensors } from '../step/step.ts';

/** An output of a step's graph that is there if asked for: the gradient of the loss for the first parameter, not normalised. */
export const GRADIENT = 'gradient';

/** A network, cut at the layers that an objective reads. */
export interface Cut {
  /** From `image` [1, c, h, w] in [-1, 1] to the layers, each an output of its name. */
  readonly graph: Graph;
  /** Which axis of each layer counts its channels; 1 if it is not there. */
  readonly channelAxes?: Readonly<Record<string, number>>;
}

/** What a step is made of. */
export interface StepParts extends GradientOptions {
  readonly network: Cut;
  /** Of the picture, in pixels; that of the network's input unless transforms show the network another size than is stored. */
  readonly size?: { readonly height: number; readonly width: number };
  readonly objective: Objective;
  readonly param: Param;
  readonly transforms?: readonly Transform[];
  readonly optimiser: Optimiser;
  /** Which gradient is followed; the true one unless given. */
  readonly following?: Partial<OverrideSpec>;
  /** How many pictures are ascended together; 1 unless given. */
  readonly pictures?: number;
  /** Also return the gradient: for tests and measurements. */
  readonly withGradient?: boolean;
}

/**
 * The step of an ascent. Throws `unsupported-op` naming an operator that has no gradient, and what the objective throws.
 *
 * @example
 * const step = stepOf({
 *   network: { graph: await network.cut(['conv3_block4_out'], size) },
 *   objective: objectives.make({ kind: 'channel', layer: 'conv3_block4_out', channel: 7 }),
 *   param: params.make({ kind: 'pixel' }),
 *   optimiser: optimisers.make({ kind: 'normalised' }),
 * });
 */
export function stepOf(parts: StepParts): Step {
  const { network, objective, param, transforms = [], optimiser, size: _, withGradient = false, ...rest } = parts;
  const { following, ...options } = rest;
  const overriding = followed(following);
  // The network's own values may have any name, also one of these.
  const b = new Builder(reserved(parts));
  const s = new StepBuilder(b);
  const { z, image, alpha, shown: over = image, weighed = (raised) => raised } = param(s, dimsOf(parts));
  const shown = seen(s, over, transforms);
  const { dims } = inputOf(network);
  if (!sameDims(shown.dims.slice(1), dims.slice(1)))
    throw new Error(`internal: the network takes [${dims.join(', ')}], and is shown [${shown.dims.join(', ')}]`);
  const given = new Map<string, Value>();
  for (const [name, { dtype, dims: shape }] of Object.entries(objective.values))
    given.set(name, s.value(name, dtype, shape));
  const { overrides } = options;
  const pooling = overriding.pooling === 'smooth' ? smoothPooling : {};
  const activations = inlineBatch(b, network.graph, shown, { ...options, overrides: { ...pooling, ...overrides } });
  const stopped = [...(options.stop ?? [])];
  const loss = objective.build(
    contextOf({
      b,
      image,
      activation: (layer) => ({
        value: activations(layer),
        channelAxis: network.channelAxes?.[layer] ?? 1,
        layer,
      }),
      value: (name) => given.get(name)!,
      stopped,
    }),
  );
  const gradients = gradient(b, weighed(loss), z, {
    ...options,
    stop: stopped,
    overrides: { ...overridesOf(s, loss, overriding), ...overrides },
  });
  optimiser.build(s, z, gradients).forEach((next, i) => s.next(z[i]!, next));
  const graph = b.graph({ [LOSS]: loss, ...s.nexts(), ...(withGradient ? { [GRADIENT]: gradients[0]! } : {}) });
  const own = s.states.find(({ name }) => name === image.name);
  // What nothing reads is pruned, and engines refuse feeds that they do not know.
  const isRead = ({ name }: { readonly name: string }): boolean => graph.inputs.some((i) => i.name === name);
  return {
    graph,
    image: own ? { state: own.name } : b.graph({ [IMAGE]: alpha ? b.concat([image, alpha], 1) : image }),
    states: s.states,
    feeds: s.feeds.filter(isRead),
    values: s.values.filter(isRead),
  };
}

/**
 * A step as it crosses threads. Weights that were not read yet are read now. Throws what reading them throws.
 *
 * @example
 * const data = await stepData(stepOf(parts), 'channel/conv1');
 */
export async function stepData({ graph, image, ...plan }: Step, id: string): Promise<StepData> {
  return { ...plan, id, graph: await packOnnx(graph), image: 'state' in image ? image : encodeOnnx(image) };
}

/**
 * What a job gives a step of these parts: the values of the objective and of the optimiser.
 *
 * @example
 * const objective = objectives.make({ kind: 'channel', layer: 'mixed4a', channel: 3 });
 * const optimiser = optimisers.make({ kind: 'normalised' });
 * Object.keys(valuesOf({ objective, optimiser })); // ['channel', 'rate']
 */
export function valuesOf({ objective, optimiser }: Pick<StepParts, 'objective' | 'optimiser'>): Tensors {
  return { ...objective.values, ...optimiser.values } satisfies Record<string, Tensor>;
}

function inputOf({ graph }: Cut): ValueInfo {
  return graph.inputs.find((i) => i.name === IMAGE)!;
}

/** Of the pictures that are stored. */
function dimsOf({ network, size, pictures = 1 }: Pick<StepParts, 'network' | 'size' | 'pictures'>): Dims {
  const [, c, height, width] = inputOf(network).dims as [number, number, number, number];
  return [pictures, c, size?.height ?? height, size?.width ?? width];
}

/** Names that the step needs for itself: found by building its small parts without the network. */
function reserved(parts: StepParts): string[] {
  const { objective, param, transforms = [], optimiser } = parts;
  const s = new StepBuilder(new Builder());
  const { z, image, shown = image } = param(s, dimsOf(parts));
  seen(s, shown, transforms);
  optimiser.build(s, z, z);
  const names = [...s.states, ...s.feeds, ...s.values].map(({ name }) => name);
  return [
    LOSS,
    GRADIENT,
    IMAGE,
    REDIRECT,
    ...Object.keys(objective.values),
    ...names,
    ...s.states.map(({ name }) => NEXT + name),
  ];
}

/**
 * About the bytes that a worker needs at its peak, its target being the last of `layers`; docs/speed.md holds it against what was
 * measured. A worker is a thread with a heap of its own. Buffers are reused and many layers are computed inside others, so that
 * what is kept for the way back and what is under way on it come to at most one and a quarter floats for every value of every
 * layer. Weights are there about seven times: in ONNX Runtime the kernels of both directions, as they came and as they are packed, and
 * some more while it folds constants. The bytes that it reads them from are shared by all workers.
 */
export function workerMemory(layers: readonly Pick<Layer, 'dims' | 'parameters'>[]): number {
  const values = layers.map(({ dims }) => sizeOf(dims));
  const all = values.reduce((sum, n) => sum + n, 0);
  // A map that outweighs all others is there four times: itself, what is raised of it, and both their gradients.
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  return layers.reduce((sum, l) => sum + 28 * l.parameters, 50e6 + Math.max(5 * all, 16 * most));
}

/** Refuses what would not fit. Call before anything of that size is allocated. Throws `too-large`. */
export function checkMemory(bytes: number, limit: number): void {
  if (bytes <= limit) return;
  const gib = (n: number): string => `${(n / 2 ** 30).toFixed(1)} GiB`;
  throw new PhospheneError(
    'too-large',
    `size: a picture of this size needs about ${gib(bytes)} in each worker, and there are ${gib(limit)}; choose a smaller size, an earlier layer or fewer workers`,
    { option: 'size', bytes, limit },
  );
}
