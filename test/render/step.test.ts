/** @file Steps of networks that have names or types of their own. */
import { expect, it } from 'vitest';
import { IMAGE } from '../../src/import/network.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { float32, int64 } from '../../src/ir/tensor.ts';
import { channelMean } from '../../src/objective/index.ts';
import { CHANNEL, GRADIENT, LOSS, NEXT, RATE, stepGraph } from '../../src/render/step.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

/** The gradient for an image of ones of the network's first channel. */
async function gradientOf(build: (b: Builder, image: Value) => Value): Promise<number[]> {
  const b = new Builder();
  const network = b.graph([build(b, b.input(IMAGE, 'float32', [1, 3, 1, 2]))]);
  const program = await nodeRuntime.compile(stepGraph(network, { objective: channelMean(0), withGradient: true }));
  const image = float32(new Float32Array(6).fill(1), [1, 3, 1, 2]);
  const out = await program.run({ [IMAGE]: image, [CHANNEL]: int64(0), [RATE]: float32(1) });
  await program.dispose();
  expect(Object.keys(out).sort()).toEqual([GRADIENT, LOSS, NEXT].sort());
  return Array.from(out[GRADIENT]!.data as Float32Array);
}

it('takes a network whose values are called as its own are', async () => {
  const names = [LOSS, NEXT, GRADIENT, CHANNEL, RATE];
  const g = await gradientOf((b, image) => names.reduce((x, name) => b.one('Mul', [x, b.float(2)], {}, name), image));
  expect(g).toEqual([16, 16, 0, 0, 0, 0]);
});

it('takes a target of another type', async () => {
  expect(await gradientOf((b, image) => b.cast(b.mul(image, 2), 'float64'))).toEqual([1, 1, 0, 0, 0, 0]);
});
