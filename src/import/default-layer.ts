/** @file The layer of a network that is shown if none is asked for. */
import { PhospheneError } from '../errors.ts';
import { sizeOf } from '../ir/tensor.ts';
import type { Layer, Network } from './network.ts';

/** The size at which it is looked for, if the file states none. */
const USUAL = 224;

/**
 * `output` if it has channels and more than one position: that of a network which was cut for this. Else the last convolution that
 * has, which stands before the classifier; else the last layer of any kind that has.
 */
export function lastConvolution(network: Network, output?: string): string {
  const { size } = network.input;
  let layers: readonly Layer[] = [];
  try {
    layers = network.layers({ height: size?.height ?? USUAL, width: size?.width ?? USUAL }).layers;
  } catch (error) {
    if (!(error instanceof PhospheneError)) throw error;
  }
  const spatial = ({ dims, channels }: Layer): boolean =>
    channels !== undefined && dims.length > 2 && sizeOf(dims.filter((_, i) => i !== 0 && i !== channels.axis)) > 1;
  const own = layers.find((l) => l.name === output);
  if (own && spatial(own)) return own.name;
  const convolution = layers.findLast((l) => /^_?(Fused)?(Depthwise|Separable)?Conv/.test(l.type) && spatial(l));
  return (convolution ?? layers.findLast(spatial) ?? layers.at(-1))?.name ?? output ?? '';
}
