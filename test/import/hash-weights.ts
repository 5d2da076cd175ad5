/** @file The made-up weights of the reference networks: a hash of (tensor index, element), reproducible in any language. */
import { readFileSync } from 'node:fs';
import type { WeightSource } from '../../src/import/keras/index.ts';
import { float32, sizeOf } from '../../src/ir/tensor.ts';

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

/** Weights for the layers of a `weights-order.json`: [[layer, class, [[path, dims], …]], …] in Keras' order. */
export function hashWeights(orderFile: string): WeightSource {
  const order = JSON.parse(readFileSync(orderFile, 'utf8')) as [string, string, [string, number[]][]][];
  const index = new Map(order.flatMap(([, , weights]) => weights).map(([path, dims], t) => [path, { t, dims }]));
  return {
    source: 'hash',
    read(layer, weight) {
      const found = index.get(`${layer}/${weight}`);
      if (!found) return undefined;
      const { t, dims } = found;
      const scale =
        weight === 'kernel' ? Math.sqrt(12 / sizeOf(dims.slice(0, -1))) : weight === 'moving_variance' ? 0.5 : 0.2;
      const shift = weight === 'gamma' || weight === 'moving_variance' ? 1 : 0;
      return float32(
        Float32Array.from({ length: sizeOf(dims) }, (_, i) => shift + scale * hash(t, i)),
        dims,
      );
    },
  };
}

/** The reference input 2 r(-1, i), i the flat NHWC index, as [1, 3, h, w]. */
export function hashImage(height: number, width: number): Float32Array {
  const plane = height * width;
  return Float32Array.from({ length: 3 * plane }, (_, j) => 2 * hash(-1, (j % plane) * 3 + Math.floor(j / plane)));
}
