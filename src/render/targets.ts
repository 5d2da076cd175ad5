/** @file Which layers can be a target, and what to say of one that cannot. */
import { PhospheneError } from '../errors.ts';
import { differentiable } from '../grad/index.ts';
import type { Layer, Listing, Network, Size } from '../import/network.ts';
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
 * Each layer at this size, with what keeps it from being a target. Nothing is differentiated for it, and no weight is read.
 *
 * @example
 * for (const { layer, obstacle } of surveyed(network, { height: 180, width: 180 }))
 *   console.log(layer.name, obstacle ?? `${layer.channels!.count} channels`);
 */
export function surveyed(network: Network, size: Size): readonly { layer: Layer; obstacle?: Obstacle }[] {
  const { layers, graph } = network.layers(size);
  const reached = differentiable(graph, IMAGE);
  return layers.map((layer, i) => {
    if (!layer.channels) return { layer, obstacle: 'no channels' as const };
    return reached.has(graph.outputs[i]!.name) ? { layer } : { layer, obstacle: 'no gradient' as const };
  });
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
  const isProbability = beforeProbability(graph.nodes, value) !== undefined && isEnd(graph.nodes, value);
  return { ...layer, channels, ...(isProbability ? { probability: true } : {}), stride: strideOf(graph, value) };
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
