/** @file A network for several pictures: what it makes of them together is what it makes of each. */
import { describe, expect, it } from 'vitest';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { type Dims, float32, int64, toNumbers } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { inlineBatch } from '../../src/render/batch.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { IMAGE } from '../../src/step/step.ts';
import { noise } from '../check.ts';

describe('several pictures', () => {
  const dims: Dims = [1, 3, 8, 8];
  /** The network for three pictures, and for each of them alone. */
  const both = async (
    build: (b: Builder, x: Value) => Value,
  ): Promise<{ ops: string[]; together: number[]; alone: number[] }> => {
    const b = new Builder();
    const graph = b.graph({ out: build(b, b.input(IMAGE, 'float32', dims)) });
    const batch = new Builder();
    const pictures = float32(new Random('pictures').normal(3 * 3 * 64), [3, 3, 8, 8]);
    const out = inlineBatch(batch, graph, batch.input('pictures', 'float32', [3, 3, 8, 8]))('out');
    const made = batch.graph({ all: out });
    const program = await nodeRuntime.compile(made);
    const together = toNumbers((await program.run({ pictures }))['all']!);
    const single = await nodeRuntime.compile(graph);
    const alone: number[] = [];
    for (let i = 0; i < 3; i++)
      alone.push(
        ...toNumbers(
          (await single.run({ [IMAGE]: float32(pictures.data.slice(i * 192, (i + 1) * 192), dims) }))['out']!,
        ),
      );
    await Promise.all([program.dispose(), single.dispose()]);
    expect(out.dims).toEqual([3, ...graph.outputs[0]!.dims.slice(1)]);
    return { ops: made.nodes.map((n) => n.op), together, alone };
  };
  const convolutions = (ops: readonly string[]): number => ops.filter((op) => op === 'Conv').length;
  const features = (b: Builder, x: Value): Value => b.relu(b.conv(x, noise(b, [4, 3, 3, 3])));

  it.each<[string, (b: Builder, x: Value) => Value]>([
    ['a convolution', features],
    ['a shape that states one picture', (b, x) => b.reshape(features(b, x), [1, 4, 36])],
    ['a softmax along the channels', (b, x) => b.one('Softmax', [features(b, x)], { axis: 1 })],
    ['a softmax along the last axis, which is that of none', (b, x) => b.one('Softmax', [features(b, x)])],
    ['a shape of its channels', (b, x) => b.reshape(features(b, x), [-1, 4, 36])],
    ['a flattened one', (b, x) => b.matmul(b.one('Flatten', [features(b, x)], { axis: 1 }), noise(b, [144, 5]))],
    [
      'a shuffle of channels',
      (b, x) => b.reshape(b.transpose(b.reshape(features(b, x), [1, 2, 2, 6, 6]), [0, 2, 1, 3, 4]), [1, 4, 6, 6]),
    ],
    [
      'a pooled one, classified',
      (b, x) =>
        b.one('Softmax', [b.matmul(b.reshape(b.mean(features(b, x), [2, 3]), [1, 4]), noise(b, [4, 5]))], { axis: -1 }),
    ],
  ])('go through the network once: %s', async (_, build) => {
    const { ops, together, alone } = await both(build);
    expect(convolutions(ops)).toBe(1);
    together.forEach((value, i) => expect(value).toBeCloseTo(alone[i]!, 4));
  });

  it.each<[string, (b: Builder, x: Value) => Value]>([
    [
      'a mean over the first axis too',
      (b, x) => {
        const y = features(b, x);
        return b.mul(y, b.mean(y, [0, 2, 3]));
      },
    ],
    [
      'a shape that takes the pictures for channels',
      (b, x) => b.reshape(b.transpose(b.reshape(features(b, x), [4, 1, 6, 6]), [1, 0, 2, 3]), [1, 4, 6, 6]),
    ],
    [
      'a softmax along the first axis, counted from the last',
      (b, x) => b.one('Softmax', [features(b, x)], { axis: -4 }),
    ],
    ['a softmax along the first axis', (b, x) => b.one('Softmax', [features(b, x)], { axis: 0 })],
    ['a running sum along the first axis', (b, x) => b.one('CumSum', [features(b, x), b.constant(int64(0))])],
    [
      'a shape whose zero is a zero',
      (b, x) => b.one('Reshape', [features(b, x), b.ints([1, 4, 36])], { allowzero: 1 }),
    ],
    ['a token for one picture', (b, x) => b.concat([b.reshape(features(b, x), [1, 4, 36]), noise(b, [1, 4, 1])], 2)],
  ])('go through it one by one if they might mix: %s', async (_, build) => {
    const { ops, together, alone } = await both(build);
    expect(convolutions(ops)).toBe(3);
    together.forEach((value, i) => expect(value).toBeCloseTo(alone[i]!, 4));
  });
});
