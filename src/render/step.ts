/** @file One step of ascent as one graph: image and channel in; loss, next image and gradient out. */
import { gradient, type GradientOptions } from '../grad/index.ts';
import { Builder } from '../ir/builder.ts';
import { inlineFused } from '../ir/fuse.ts';
import type { Graph } from '../ir/graph.ts';
import { sizeOf } from '../ir/tensor.ts';
import { IMAGE, type Layer } from '../import/network.ts';
import type { Objective } from '../objective/index.ts';
import { PhospheneError } from '../errors.ts';

/** Feeds of a step graph: `image` [1, 3, h, w], `channel` int64 scalar, `rate` float32 scalar. */
export const CHANNEL = 'channel';
export const RATE = 'rate';
/** Results: `loss` of the image fed, the image one step on, and (when asked for) the gradient, not normalised. */
export const LOSS = 'loss';
export const NEXT = 'next';
export const GRADIENT = 'gradient';

export interface StepOptions extends GradientOptions {
  readonly objective: Objective;
  /** Also return the gradient: for tests and measurements. */
  readonly withGradient?: boolean;
}

/**
 * The step graph of a network cut at its target: `image + rate · g / ‖g‖`, with g the gradient of the objective. The norm is
 * over the whole picture and bounded below as in TensorFlow's `l2_normalize`: g · rsqrt(max(Σg², 1e-12)).
 * Throws `unsupported-op` naming an operator that has no gradient, and what the objective throws.
 *
 * @example
 * const program = await nodeRuntime.compile(stepGraph(model.cut(layer, size), { objective: channelMean(2) }));
 */
export function stepGraph(network: Graph, options: StepOptions): Graph {
  const { objective, withGradient = false, ...gradientOptions } = options;
  const info = network.inputs.find((i) => i.name === IMAGE)!;
  // A network's own values may have any name, also these.
  const b = new Builder([LOSS, NEXT, GRADIENT]);
  const image = b.input(IMAGE, 'float32', info.dims);
  const channel = b.input(CHANNEL, 'int64', []);
  const rate = b.input(RATE, 'float32', []);
  const activation = inlineFused(b, network, { [IMAGE]: image }).get(network.outputs[0]!.name)!;
  const loss = objective(b, activation, channel);
  const [g] = gradient(b, loss, [image], gradientOptions);
  const squares = b.one('ReduceSumSquare', [g], { keepdims: 0 });
  const next = b.add(image, b.mul(g!, b.div(rate, b.sqrt(b.max(squares, 1e-12)))));
  return b.graph({ [LOSS]: loss, [NEXT]: next, ...(withGradient ? { [GRADIENT]: g! } : {}) });
}

/**
 * About the bytes that a worker needs at its peak, its target being the last of `layers`; docs/speed.md holds it against what was
 * measured. A worker is a thread with a heap of its own. Buffers are reused and many layers are computed inside others, so that
 * what is kept for the way back and what is under way on it come to at most one and a quarter floats for every value of every
 * layer. Weights are there about nine times: kernels for both directions, each in the ONNX bytes, and in ONNX Runtime as they were
 * read, as they came and as they are packed; and some more while it folds constants.
 */
export function workerMemory(layers: readonly Pick<Layer, 'dims' | 'parameters'>[]): number {
  return layers.reduce((sum, l) => sum + 5 * sizeOf(l.dims) + 36 * l.parameters, 50e6);
}

/** Refuses what would not fit. Call before anything of that size is allocated. */
export function checkMemory(bytes: number, limit: number): void {
  if (bytes > limit) {
    const gib = (n: number): string => `${(n / 2 ** 30).toFixed(1)} GiB`;
    throw new PhospheneError(
      'too-large',
      `size: a picture of this size needs about ${gib(bytes)} in each worker, and there are ${gib(limit)}; choose a smaller --size, an earlier layer or fewer --workers`,
      { bytes, limit },
    );
  }
}
