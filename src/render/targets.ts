/** @file Which layers can be a target, and what to say of one that cannot. */
import { PhospheneError } from '../errors.ts';
import { differentiable } from '../grad/index.ts';
import type { Layer, Listing, Network, Size } from '../import/network.ts';
import type { Graph } from '../ir/graph.ts';
import { sizeOf } from '../ir/tensor.ts';
import { beforeProbability, isEnd } from '../objective/index.ts';
import { IMAGE } from '../step/step.ts';
import { strideOf } from './stride.ts';

/** A layer that can be ascended: it has channels. */
export type Target = Layer & {
  readonly channels: NonNullable<Layer['channels']>;
  /** Whether it gives probabilities at an end of the network; the logits before them are what is raised. */
  readonly probability?: boolean;
  /** Pixels of the picture from one unit to the next, if someone has counted. */
  readonly stride?: number;
};

/** Why a layer cannot be a target. */
export type Obstacle = 'no channels' | 'no gradient';

/**
 * What is rendered of a layer: filters, each a map of positions; units, each one number; or logits, the units of classes before the
 * probabilities that the layer gives.
 */
export type Shows = 'filters' | 'units' | 'logits';

/** A layer, and what is to be said of it before anything is rendered. */
export interface Surveyed {
  readonly layer: Layer;
  /** What is rendered of it, if something can be. */
  readonly shows?: Shows;
  /** Why nothing can be. */
  readonly obstacle?: Obstacle;
  /** Whether it only combines another layer with weights, position by position: a bias, or a part of an activation. */
  readonly isDetail: boolean;
}

/**
 * Each layer at this size, with what can be rendered of it, or what keeps it from being a target. Nothing is differentiated for it, and
 * no weight is read.
 *
 * @example
 * for (const { layer, obstacle, shows } of surveyed(network, { height: 180, width: 180 }))
 *   console.log(layer.name, obstacle ?? `${layer.channels!.count} ${shows}`);
 */
export function surveyed(network: Network, size: Size): readonly Surveyed[] {
  const { layers, graph } = network.layers(size);
  const reached = differentiable(graph, IMAGE);
  const seen = new Set([IMAGE]);
  const details = new Set<string>();
  for (const { op, inputs, outputs } of graph.nodes) {
    const from = inputs.filter((i) => seen.has(i));
    if (from.length === 0) continue;
    for (const output of outputs) seen.add(output);
    if (from.length === 1 && inputs.length === 2 && COMBINING.has(op)) details.add(outputs[0]!);
  }
  return layers.map((layer, i) => {
    const value = graph.outputs[i]!.name;
    const isDetail = details.has(value) && COMBINING.has(layer.type);
    if (!layer.channels) return { layer, isDetail, obstacle: 'no channels' };
    if (!reached.has(value)) return { layer, isDetail, obstacle: 'no gradient' };
    const isVector = sizeOf(layer.dims) === layer.dims[0]! * layer.channels.count;
    return { layer, isDetail, shows: isVector ? (isProbability(graph, value) ? 'logits' : 'units') : 'filters' };
  });
}

/** Operators of ONNX and TensorFlow that combine two values position by position. */
const COMBINING: ReadonlySet<string> = new Set(['Add', 'AddV2', 'BiasAdd', 'Sub', 'Mul', 'Div', 'RealDiv']);

/** Whether a value is that of probabilities at an end of the network. */
function isProbability({ nodes }: Graph, value: string): boolean {
  return beforeProbability(nodes, value) !== undefined && isEnd(nodes, value);
}

/**
 * The layers that can be ascended: those with channels and a gradient for the image.
 *
 * @example
 * const names = targets(network, { height: 180, width: 180 }).map((layer) => layer.name);
 */
export function targets(network: Network, size: Size): Target[] {
  return surveyed(network, size).flatMap(({ layer, obstacle }) => (obstacle ? [] : [layer as Target]));
}

/**
 * The target at a place of the list of layers. Throws `unknown-layer` if it has no channels.
 *
 * @example
 * targetAt(network.layers(size), 12).channels.count;
 */
export function targetAt({ layers, graph }: Listing, index: number): Target {
  const layer = layers[index]!;
  const { name, dims, channels } = layer;
  if (!channels)
    throw new PhospheneError(
      'unknown-layer',
      `layer \`${name}\` is [${dims.join(', ')}] and has no channels that can be told apart; choose another layer`,
      { option: 'layer', layer: name, dims },
    );
  const value = graph.outputs[index]!.name;
  const probability = isProbability(graph, value) ? { probability: true } : {};
  return { ...layer, channels, ...probability, stride: strideOf(graph, value) };
}

/** The widest stride of what an objective reads. */
export function strideOfAll(targets: readonly Target[]): number {
  return Math.max(1, ...targets.map(({ stride = 1 }) => stride));
}

/**
 * What `build` makes of the network at this size. If an operator bars its way, the error also says which layers can be rendered;
 * they are looked for only then.
 */
export async function reaching<T>(network: Network, size: Size, build: () => T | Promise<T>): Promise<T> {
  try {
    return await build();
  } catch (error) {
    if (!(error instanceof PhospheneError && isOfOperator(error))) throw error;
    const reachable = targets(network, size).map((l) => l.name);
    const last = reachable.at(-1);
    if (last === undefined) throw error;
    const inOrder = network.layers(size).layers[reachable.length - 1]?.name === last;
    const which = inOrder ? `layers up to \`${last}\`` : `${reachable.length} layers, the last of them \`${last}\`,`;
    throw new PhospheneError(
      error.code,
      `${error.message}; ${which} can still be rendered`,
      { ...error.details, reachable },
      error,
    );
  }
}

/** Whether an operator is at fault: it is not supported, has no gradient, or does not fit this size. */
function isOfOperator({ code, details }: PhospheneError): boolean {
  return code === 'unsupported-op' || (code === 'shape' && 'node' in details);
}
