/** @file Gradients of pooling, reductions and softmax. */
import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/grad/index.ts';
import { pool } from '../../src/grad/pool.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import type { Attributes, Node } from '../../src/ir/graph.ts';
import { upgraded } from '../../src/ir/infer.ts';
import { float32, toNumbers } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { type Case, checkRules, combinations, titled } from '../check.ts';

const windows = combinations({
  kernel: [
    [1, 1],
    [2, 2],
    [3, 3],
    [2, 3],
  ],
  strides: [
    [1, 1],
    [2, 2],
    [3, 2],
  ],
  pads: [
    [0, 0, 0, 0],
    [1, 1, 1, 1],
    [0, 1, 1, 0],
  ],
  ceil_mode: [0, 1],
  size: [
    [6, 7],
    [7, 8],
  ],
}).filter(({ kernel, pads }) => pads.every((p, i) => p < kernel[i % 2]!));

const pooled = (op: string, attributes: Attributes, size: readonly number[], distinct: boolean): Case => ({
  title: `${titled(attributes)} on ${titled(size)}`,
  build: (b, [x]) => b.one(op, [x], attributes),
  inputs: [{ dims: [1, 2, ...size], distinct }],
  options: { directions: 1 },
});

const reductions = (op: string, input: { low?: number; high?: number; distinct?: boolean } = {}): Case[] => [
  ...combinations({ axes: [undefined, [1], [2, 3], [-1], [0, 1, 2, 3]], keepdims: [0, 1] }).map(
    ({ axes, keepdims }): Case => ({
      title: titled({ axes, keepdims }),
      build: (b, [x]) => b.one(op, [x, axes && b.ints(axes)], { keepdims }),
      inputs: [{ dims: [2, 3, 4, 5], ...input }],
    }),
  ),
  {
    title: 'no axes and noop_with_empty_axes',
    build: (b, [x]) => b.one(op, [x], { noop_with_empty_axes: 1 }),
    inputs: [{ dims: [2, 3, 4], ...input }],
  },
];

const softmax = (op: string): Case[] =>
  [
    [3, 4],
    [2, 3, 4, 5],
  ].flatMap((dims) =>
    [undefined, 0, 1, -1].map((axis): Case => ({
      title: `axis ${axis} of ${titled(dims)}`,
      build: (b, [x]) => b.one(op, [x], axis === undefined ? {} : { axis }),
      inputs: [{ dims, low: -2, high: 2 }],
    })),
  );

const globals = (op: string, distinct: boolean): Case[] =>
  [
    [2, 3, 4, 5],
    [1, 3, 6],
    [1, 1, 1, 1],
  ].map((dims) => ({
    title: titled(dims),
    build: (b, [x]) => b.one(op, [x]),
    inputs: [{ dims, distinct }],
  }));

const away = { low: 0.2, high: 1 };

checkRules(pool, {
  MaxPool: [
    ...windows.map(({ kernel: kernel_shape, size, ...rest }) =>
      pooled('MaxPool', { kernel_shape, ...rest }, size, true),
    ),
    ...[
      [2, 2],
      [1, 2],
    ].flatMap((dilations) =>
      [0, 1].map((ceil_mode) =>
        pooled(
          'MaxPool',
          { kernel_shape: [3, 3], dilations, ceil_mode, pads: [1, 1, 1, 1], strides: [2, 2] },
          [7, 8],
          true,
        ),
      ),
    ),
    ...['SAME_UPPER', 'SAME_LOWER', 'VALID'].map((auto_pad) =>
      pooled('MaxPool', { kernel_shape: [2, 3], strides: [2, 2], auto_pad }, [7, 8], true),
    ),
    pooled('MaxPool', { kernel_shape: [3] }, [8], true),
    pooled('MaxPool', { kernel_shape: [1], strides: [2] }, [8], true),
  ],
  AveragePool: [
    ...windows.flatMap(({ kernel: kernel_shape, size, ...rest }) =>
      [0, 1].map((count_include_pad) =>
        pooled('AveragePool', { kernel_shape, count_include_pad, ...rest }, size, false),
      ),
    ),
    ...['SAME_UPPER', 'SAME_LOWER', 'VALID'].flatMap((auto_pad) =>
      [0, 1].map((count_include_pad) =>
        pooled('AveragePool', { kernel_shape: [2, 3], strides: [2, 2], auto_pad, count_include_pad }, [7, 8], false),
      ),
    ),
  ],
  GlobalAveragePool: globals('GlobalAveragePool', false),
  GlobalMaxPool: globals('GlobalMaxPool', true),
  ReduceSum: reductions('ReduceSum'),
  ReduceMean: reductions('ReduceMean'),
  ReduceMax: reductions('ReduceMax', { distinct: true }),
  ReduceMin: reductions('ReduceMin', { distinct: true }),
  ReduceSumSquare: reductions('ReduceSumSquare'),
  ReduceL2: reductions('ReduceL2', away),
  ReduceL1: reductions('ReduceL1', away),
  // A sum of more is rounded to fewer places: a longer step.
  ReduceLogSumExp: reductions('ReduceLogSumExp').map((c) => ({ ...c, options: { step: 0.05 } })),
  Softmax: softmax('Softmax'),
  LogSoftmax: softmax('LogSoftmax'),
});

it('takes the gradient of the length of zeros for zero, as behind a ReLU', async () => {
  const b = new Builder();
  const x = b.input('x', 'float32', [2, 2]);
  const [g] = gradient(b, b.sum(b.one('ReduceL2', [x, b.ints([1])]), undefined, false), [x]);
  const program = await nodeRuntime.compile(b.graph({ g: g! }));
  const result = await program.run({ x: float32([0, 0, 3, 4], [2, 2]) });
  await program.dispose();
  expect(toNumbers(result['g']!)).toEqual([0, 0, Math.fround(0.6), Math.fround(0.8)]);
});

const FAR = 2 ** 24;
it.each<[string, (b: Builder, x: Value) => Value]>([
  ['MaxPool', (b, x) => b.one('MaxPool', [x], { kernel_shape: [1, 1], strides: [FAR, FAR] })],
  ['Slice', (b, x) => b.slice(x, [0, 0], [2, 3], [2, 3], [FAR, FAR])],
])('takes a stride of a %s beyond the axis for one as long, in memory too', async (_, build) => {
  const b = new Builder();
  const image = b.input('x', 'float32', [1, 1, 2, 3]);
  const [g] = gradient(b, b.sum(build(b, image), undefined, false), [image]);
  const graph = b.graph({ g: g! });
  for (const { dims } of graph.constants.values()) expect(dims.reduce((size, d) => size * d, 1)).toBeLessThan(100);
  const program = await nodeRuntime.compile(graph);
  const result = await program.run({ x: float32([1, 2, 3, 4, 5, 6], [1, 1, 2, 3]) });
  await program.dispose();
  expect(toNumbers(result['g']!)).toEqual([1, 0, 0, 0, 0, 0]);
});

describe('MaxPool with ties', () => {
  const tied = async (size: [number, number], x: number[], attributes: Attributes): Promise<number[]> => {
    const b = new Builder();
    const image = b.input('x', 'float32', [1, 1, ...size]);
    const y = b.one('MaxPool', [image], attributes);
    // Window i weighs i + 1: the gradient says which element won which windows.
    const u = b.float(
      Array.from({ length: y.dims[2]! * y.dims[3]! }, (_, i) => i + 1),
      y.dims,
    );
    const [g] = gradient(b, b.sum(b.mul(y, u), undefined, false), [image]);
    const program = await nodeRuntime.compile(b.graph({ g: g! }));
    const result = await program.run({ x: float32(x, [1, 1, ...size]) });
    await program.dispose();
    return toNumbers(result['g']!);
  };

  it('gives the gradient to the first of each window', async () => {
    const g = await tied([2, 4], [1, 1, 2, 3, 1, 1, 3, 3], { kernel_shape: [2, 2], strides: [2, 2] });
    expect(g).toEqual([1, 0, 0, 2, 0, 0, 0, 0]);
  });

  it('adds what overlapping windows give to one element', async () => {
    const g = await tied([3, 3], [0, 0, 0, 0, 5, 5, 0, 5, 5], { kernel_shape: [2, 2] });
    expect(g).toEqual([0, 0, 0, 0, 1 + 2 + 3 + 4, 0, 0, 0, 0]);
  });

  it('never gives it to the padding', async () => {
    const g = await tied([2, 2], [-1, -1, -1, -1], { kernel_shape: [2, 2], strides: [2, 2], pads: [1, 1, 1, 1] });
    expect(g).toEqual([1, 2, 3, 4]);
  });

  it('survives a padding of minus infinity, as converters write one before a pool', async () => {
    const b = new Builder();
    const image = b.input('x', 'float32', [1, 1, 3, 3]);
    const file: Node[] = [
      { op: 'Pad', name: 'pad', inputs: ['x', 'pads', 'value'], outputs: ['pad'], attributes: {} },
      {
        op: 'MaxPool',
        name: 'y',
        inputs: ['pad'],
        outputs: ['y'],
        attributes: { kernel_shape: [3, 3], strides: [2, 2] },
      },
    ];
    const values = new Map<string, Value>([
      ['x', image],
      ['pads', b.ints([0, 0, 1, 1, 0, 0, 1, 1])],
      ['value', b.float(-Infinity)],
    ]);
    for (const node of file)
      upgraded(
        b,
        node,
        13,
        node.inputs.map((i) => values.get(i)),
      ).forEach((v, i) => values.set(node.outputs[i]!, v));
    const [g] = gradient(b, b.sum(values.get('y')!, undefined, false), [image]);
    const program = await nodeRuntime.compile(b.graph({ y: values.get('y')!, g: g! }));
    const result = await program.run({ x: float32([-9, -8, -7, -6, -5, -4, -3, -2, -1], [1, 1, 3, 3]) });
    await program.dispose();
    expect(toNumbers(result['y']!)).toEqual([-5, -4, -2, -1]);
    expect(toNumbers(result['g']!)).toEqual([0, 0, 0, 0, 1, 1, 0, 1, 1]);
  });
});
