/** @file Steps of networks that have names or types of their own. */
import { expect, it } from 'vitest';
import { IMAGE } from '../../src/import/network.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { GRADIENT } from '../../src/render/step.ts';
import { LOSS, NEXT, Z } from '../../src/step/step.ts';
import { compileSeed } from './seed.ts';

/** The gradient for an image of ones of the network's first channel. */
async function gradientOf(build: (b: Builder, image: Value) => Value): Promise<number[]> {
  const b = new Builder();
  const network = b.graph([build(b, b.input(IMAGE, 'float32', [1, 3, 1, 2]))]);
  const seed = await compileSeed(network, 0);
  const image = float32(new Float32Array(6).fill(1), [1, 3, 1, 2]);
  const { gradient } = await seed.step(image, 0);
  await seed.dispose();
  return Array.from(gradient);
}

it('takes a network whose values are called as its own are', async () => {
  const names = [LOSS, NEXT + Z, GRADIENT, 'channel', 'rate', Z];
  const g = await gradientOf((b, image) => names.reduce((x, name) => b.one('Mul', [x, b.float(2)], {}, name), image));
  expect(g).toEqual([32, 32, 0, 0, 0, 0]);
});

it('takes a target of another type', async () => {
  expect(await gradientOf((b, image) => b.cast(b.mul(image, 2), 'float64'))).toEqual([1, 1, 0, 0, 0, 0]);
});
