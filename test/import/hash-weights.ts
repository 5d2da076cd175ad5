/** @file The made-up weights of the reference networks: a hash of (tensor index, element), reproducible in any language. */
import { readFileSync } from 'node:fs';
import type { WeightSource } from '../../src/import/keras/index.ts';
import { type Dims, float32, sizeOf, type Tensor } from '../../src/ir/tensor.ts';

/** r(t, i) in [-0.5, 0.5). */
export function hash(t: number, i: number): number {
  let u = (Math.imul(i + 1, 0x9e3779b1) + Math.imul(t + 1, 0x85ebca6b)) >>> 0;
  u ^= u >>> 15;
  u = Math.imul(u, 0x2c1b3c6d);
  u ^= u >>> 12;
  u = Math.imul(u, 0x297a2d39);
  u ^= u >>> 15;
  return (u >>> 0) / 2 ** 32 - 0.5;
}

/** The t-th weight, whose name decides how large its numbers are. */
export function hashOfWeight(t: number, weight: string, dims: Dims): Tensor<'float32'> {
  const [scale, shift] = weight.includes('kernel')
    ? [Math.sqrt(12 / sizeOf(weight === 'depthwise_kernel' ? dims.slice(0, 2) : dims.slice(0, -1))), 0]
    : ['gamma', 'variable'].includes(weight)
      ? [0.2, 1]
      : weight.includes('variance')
        ? [0.5, 1]
        : [0.2, 0];
  const data = new Float32Array(sizeOf(dims));
  for (let i = 0; i < data.length; i++) data[i] = shift + scale * hash(t, i);
  return float32(data, dims);
}

/** Weights for the layers of a `weights-order.json`: [[layer, class, [[path, dims], …]], …] in Keras' order. */
export function hashWeights(orderFile: string): WeightSource {
  const order = JSON.parse(readFileSync(orderFile, 'utf8')) as [string, string, [string, number[]][]][];
  const tensors = order.flatMap(([, type, weights]) => weights.map(([path, dims]) => ({ path, dims, type })));
  const byLayer = new Map<string, ((typeof tensors)[number] & { t: number })[]>();
  tensors.forEach((tensor, t) => {
    const layer = tensor.path.split('/').at(-2)!;
    byLayer.set(layer, [...(byLayer.get(layer) ?? []), { ...tensor, t }]);
  });
  return {
    source: 'hash',
    read({ name }, _, wanted, index) {
      const found = byLayer.get(name.split('/').at(-1)!)?.[index];
      if (!found) return undefined;
      const { t, dims, path, type } = found;
      if (String(dims) !== String(wanted)) throw new Error(`${path} is [${dims.join()}], wanted is [${wanted.join()}]`);
      const weight = path.split('/').at(-1)!;
      return hashOfWeight(t, type === 'DepthwiseConv2D' && weight === 'kernel' ? 'depthwise_kernel' : weight, dims);
    },
  };
}

/** The reference input 2 r(t, i), or 255 (r(t, i) + 0.5), i the flat NHWC index, as [1, channels, h, w]. */
export function hashImage(height: number, width: number, bytes = false, t = -1, channels = 3): Float32Array {
  const plane = height * width;
  const value = (i: number): number => (bytes ? 255 * (hash(t, i) + 0.5) : 2 * hash(t, i));
  return Float32Array.from({ length: channels * plane }, (_, j) =>
    value((j % plane) * channels + Math.floor(j / plane)),
  );
}
