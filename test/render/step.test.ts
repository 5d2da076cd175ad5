/** @file Steps of networks that have names or types of their own. */
import { describe, expect, it } from 'vitest';
import { IMAGE } from '../../src/import/network.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { objectives } from '../../src/objective/index.ts';
import { optimisers } from '../../src/optimiser/index.ts';
import { params } from '../../src/param/index.ts';
import { GRADIENT, stepOf, type StepParts, valuesOf, workerMemory } from '../../src/render/step.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { LOSS, NEXT, REDIRECT, Z } from '../../src/step/step.ts';
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

describe('the gradient that is followed', () => {
  /** The gradient of the mean of `build`'s first channel for the image, [1, 1, 2, 2]. */
  async function following(
    build: (b: Builder, image: Value) => Value,
    image: readonly number[],
    more: Partial<StepParts>,
    feeds: Readonly<Record<string, number>> = {},
  ): Promise<number[]> {
    const b = new Builder();
    const graph = b.graph([b.one('Identity', [build(b, b.input(IMAGE, 'float32', [1, 1, 2, 2]))], {}, 'target')]);
    const parts = {
      objective: objectives.make({ kind: 'channel', layer: 'target', channel: 0, border: 0 }),
      optimiser: optimisers.make({ kind: 'normalised' }),
    };
    const step = stepOf({
      network: { graph },
      ...parts,
      param: params.make({ kind: 'pixel' }),
      withGradient: true,
      ...more,
    });
    expect(step.feeds.map(({ name }) => name).sort()).toEqual(Object.keys(feeds).sort());
    const program = await nodeRuntime.compile(step.graph);
    const fed = Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, float32(value)]));
    const results = await program.run({ [Z]: float32(image, [1, 1, 2, 2]), ...valuesOf(parts), ...fed });
    await program.dispose();
    return [...(results[GRADIENT]!.data as Float32Array)];
  }
  const relu = (b: Builder, x: Value): Value => b.relu(b.sub(x, b.float(10)));
  const pool = (b: Builder, x: Value): Value => b.one('MaxPool', [x], { kernel_shape: [2, 2] });

  it('is the true one', async () => {
    expect(await following(relu, [11, 9, 12, 8], {})).toEqual([0.25, 0, 0.25, 0]);
    expect(await following(pool, [1, 2, 3, 4], {})).toEqual([0, 0, 0, 1]);
  });
  it("is by the caller's rules where there are some, whatever else is followed", async () => {
    const overrides: StepParts['overrides'] = { Relu: ({ b, g }) => [b.mul(g, 3)] };
    expect(await following(relu, [11, 9, 12, 8], { overrides })).toEqual([0.75, 0.75, 0.75, 0.75]);
    const own: StepParts['overrides'] = { MaxPool: ({ b, inputs }) => [b.mul(inputs[0]!, 0)] };
    const smooth = { redirect: 0, pooling: 'smooth' } as const;
    expect(await following(pool, [1, 2, 3, 4], { overrides: own, following: smooth })).toEqual([0, 0, 0, 0]);
  });
  it('is smoothed over the window of a max pooling if told so', async () => {
    const smooth = await following(pool, [1, 2, 3, 4], { following: { pooling: 'smooth' } });
    // Of mean(x²) / (mean |x| + 0.01): of 7.5 / 2.51.
    for (const [i, x] of [1, 2, 3, 4].entries()) expect(smooth[i]).toBeCloseTo((2 * x - 7.5 / 2.51) / (4 * 2.51), 5);
  });
  it('goes on past units that are off, in the steps that are told so', async () => {
    const off = [1, 2, 3, 4];
    const following2 = { following: { redirect: 2 } };
    expect(await following(relu, off, {})).toEqual([0, 0, 0, 0]);
    expect(await following(relu, off, following2, { [REDIRECT]: 0 })).toEqual([0, 0, 0, 0]);
    expect(await following(relu, off, following2, { [REDIRECT]: 1 })).toEqual([0.25, 0.25, 0.25, 0.25]);
  });
});

it('has as many pictures, of the size that is stored', () => {
  const b = new Builder();
  const x = b.input(IMAGE, 'float32', [1, 3, 4, 5]);
  const graph = b.graph([b.one('Identity', [b.relu(x)], {}, 'target')]);
  const step = stepOf({
    network: { graph },
    objective: objectives.make({ kind: 'layer', layer: 'target' }),
    param: params.make({ kind: 'pixel' }),
    optimiser: optimisers.make({ kind: 'normalised' }),
    pictures: 3,
  });
  expect(step.states).toMatchObject([{ name: Z, dims: [3, 3, 4, 5] }]);
  expect(step.image).toEqual({ state: Z });
  expect(step.graph.outputs.map(({ name }) => name)).toEqual([LOSS, NEXT + Z]);
  expect(step.values.map(({ name }) => name)).toEqual(['rate']);
});

it('says what a worker needs: 50 MB, its weights nine times, and its values, or its largest map four times', () => {
  expect(workerMemory([])).toBe(50e6);
  expect(workerMemory([{ dims: [1, 10], parameters: 7 }])).toBe(50e6 + 28 * 7 + 16 * 10);
  const even = Array.from({ length: 9 }, () => ({ dims: [1, 10], parameters: 1 }));
  expect(workerMemory(even)).toBe(50e6 + 28 * 9 + 5 * 90);
});
