/** @file What files spell by one operator and we by others gives what ONNX says of it. */
import { describe, expect, it } from 'vitest';
import { Builder, type Value } from '../../src/ir/builder.ts';
import type { Attributes } from '../../src/ir/graph.ts';
import { upgraded } from '../../src/ir/infer.ts';
import { float32, toNumbers } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { checkGradient, noise } from '../check.ts';

const dims = [1, 4, 6, 8];
const xs = new Random('foreign').uniform(4 * 6 * 8, -1, 1);

interface Written {
  readonly op: string;
  readonly opset: number;
  readonly attributes?: Attributes;
  /** Those behind the picture. */
  readonly inputs?: (b: Builder) => Value[];
}

function built({ op, opset, attributes = {}, inputs = () => [] }: Written): { b: Builder; y: Value } {
  const b = new Builder();
  const x = b.input('x', 'float32', dims);
  const [y] = upgraded(b, { op, name: 'n', inputs: [], outputs: ['y'], attributes }, opset, [x, ...inputs(b)]);
  return { b, y: y! };
}

async function run(written: Written): Promise<number[]> {
  const { b, y } = built(written);
  expect(y.name).toBe('y');
  const program = await nodeRuntime.compile(b.graph([y]));
  const result = await program.run({ x: float32(xs, dims) });
  await program.dispose();
  return toNumbers(result['y']!);
}

function close(found: readonly number[], expected: readonly number[]): void {
  expect(found).toHaveLength(expected.length);
  found.forEach((v, i) => expect(v).toBeCloseTo(expected[i]!, 4));
}

describe('Upsample, and Resize as it was before it could do other things', () => {
  const larger = Array.from({ length: 4 * 12 * 16 }, (_, i) => {
    const [c, row, column] = [Math.floor(i / 192), Math.floor(i / 16) % 12, i % 16];
    return xs[c * 48 + Math.floor(row / 2) * 8 + Math.floor(column / 2)]!;
  });
  const scales = (b: Builder): Value[] => [b.float([1, 1, 2, 2])];

  it.each<Written>([
    { op: 'Upsample', opset: 9, inputs: scales },
    { op: 'Upsample', opset: 7, attributes: { scales: [1, 1, 2, 2] } },
    { op: 'Resize', opset: 10, inputs: scales, attributes: { mode: 'nearest' } },
    { op: 'Resize', opset: 10, inputs: scales },
  ])('repeat each element: case %#', async (written) => {
    close(await run(written), larger);
  });

  it('interpolate without half pixels', () => {
    const { b } = built({ op: 'Upsample', opset: 9, inputs: scales, attributes: { mode: 'linear' } });
    expect(b.nodes.map(({ op, attributes }) => [op, attributes])).toEqual([
      ['Resize', { mode: 'linear', coordinate_transformation_mode: 'asymmetric', nearest_mode: 'floor' }],
    ]);
  });

  it('need their scales', () => {
    expect(() => built({ op: 'Upsample', opset: 9 })).toThrow('Upsample y: its scales are missing');
    expect(() => built({ op: 'Upsample', opset: 7, attributes: { scales: 'all' } })).toThrow(
      'Upsample y: attribute `scales` must be numbers, not `all`',
    );
  });

  it('Resize of opset 11 may have an empty region', () => {
    const none = (b: Builder): Value[] => [b.constant(float32([], [0])), b.float([1, 1, 2, 2])];
    expect(built({ op: 'Resize', opset: 11, inputs: none }).y.dims).toEqual([1, 4, 12, 16]);
  });

  it('crops are not supported', () => {
    const attributes = { coordinate_transformation_mode: 'tf_crop_and_resize' };
    const none = (b: Builder): Value[] => [b.float([0, 0, 0, 0, 1, 1, 1, 1]), b.float([1, 1, 2, 2])];
    expect(() => built({ op: 'Resize', opset: 11, inputs: none, attributes })).toThrow(
      'Resize y: crops (`tf_crop_and_resize`) are not supported',
    );
  });
});

describe('GroupNormalization', () => {
  it.each([
    [18, [2, 3]],
    [21, [1, 2, 3, 4]],
  ])('of opset %i normalises groups of channels', async (opset, scale) => {
    const found = await run({
      op: 'GroupNormalization',
      opset,
      attributes: { num_groups: 2, epsilon: 0.1 },
      inputs: (b) => [b.float(scale), b.float(scale.map((s) => s / 2))],
    });
    const expected = [0, 1].flatMap((group) => {
      const part = Array.from(xs.slice(96 * group, 96 * (group + 1)));
      const mean = part.reduce((a, v) => a + v, 0) / 96;
      const variance = part.reduce((a, v) => a + (v - mean) ** 2, 0) / 96;
      return part.map((v, i) => {
        const s = scale[scale.length === 2 ? group : 2 * group + Math.floor(i / 48)]!;
        return ((v - mean) / Math.sqrt(variance + 0.1)) * s + s / 2;
      });
    });
    close(found, expected);
  });

  it.each<[number, number[], string]>([
    [3, [1, 2, 3], '[1, 4, 6, 8] does not divide into 3 groups of channels'],
    [2, [1, 2, 3], 'input has 4 channels, a parameter is [3]'],
  ])('is refused where %i groups do not fit', (num_groups, scale, why) => {
    const inputs = (b: Builder): Value[] => [b.float(scale), b.float(scale)];
    expect(() => built({ op: 'GroupNormalization', opset: 21, attributes: { num_groups }, inputs })).toThrow(
      `GroupNormalization y: ${why}`,
    );
  });

  it('is refused without its inputs and attributes, and in sets that had none', () => {
    const inputs = (b: Builder): Value[] => [b.float([1, 1]), b.float([1, 1])];
    expect(() => built({ op: 'GroupNormalization', opset: 21 })).toThrow('input 1 of 3 is missing');
    expect(() => built({ op: 'GroupNormalization', opset: 21, inputs })).toThrow('attribute `num_groups` is missing');
    expect(() => built({ op: 'GroupNormalization', opset: 17, inputs })).toThrow('this operator is not supported');
  });

  it('has a gradient', async () => {
    const build = (b: Builder, [x]: Value[]): Value => {
      const node = { op: 'GroupNormalization', name: 'n', inputs: [], outputs: ['y'], attributes: { num_groups: 2 } };
      return upgraded(b, node, 21, [x, noise(b, [4]), noise(b, [4])])[0]!;
    };
    await checkGradient(build, [{ dims: [2, 4, 3, 2] }], { op: 'InstanceNormalization' });
  });
});

describe('Gelu and Swish', () => {
  const erf = (v: number): number => {
    // Its series, good for small numbers.
    let [sum, term] = [0, v];
    for (let n = 0; n < 60; n++) {
      sum += term / (2 * n + 1);
      term *= (-v * v) / (n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  };

  it.each<[string, number, Attributes, (v: number) => number]>([
    ['Gelu', 20, {}, (v) => 0.5 * v * (1 + erf(v / Math.SQRT2))],
    [
      'Gelu',
      20,
      { approximate: 'tanh' },
      (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
    ],
    ['Swish', 24, {}, (v) => v / (1 + Math.exp(-v))],
    ['Swish', 24, { alpha: 0.5 }, (v) => v / (1 + Math.exp(-0.5 * v))],
  ])('%s of opset %i with %j has its values and its gradient', async (op, opset, attributes, f) => {
    close(await run({ op, opset, attributes }), Array.from(xs, f));
    const node = { op, name: 'n', inputs: [], outputs: ['y'], attributes };
    await checkGradient((b, [x]) => upgraded(b, node, opset, [x])[0]!, [{ dims: [2, 3, 4], low: -3, high: 3 }]);
  });

  it('are refused in sets that had none', () => {
    expect(() => built({ op: 'Gelu', opset: 19 })).toThrow('Gelu y: this operator is not supported');
    expect(() => built({ op: 'Swish', opset: 23 })).toThrow('Swish y: this operator is not supported');
  });
});

describe('reductions', () => {
  const sums = (f: (v: number) => number): number[] =>
    Array.from({ length: 4 }, (_, c) => xs.slice(48 * c, 48 * (c + 1)).reduce((a, v) => a + f(v), 0));

  it.each<[string, Written]>([
    ['an attribute', { op: 'ReduceLogSum', opset: 13, attributes: { axes: [2, 3], keepdims: 0 } }],
    ['an input', { op: 'ReduceLogSum', opset: 18, attributes: { keepdims: 0 }, inputs: (b) => [b.ints([2, 3])] }],
  ])('ReduceLogSum is the logarithm of a sum, its axes %s', async (_, written) => {
    const { b, y } = built(written);
    expect(b.nodes.map(({ op }) => op)).toEqual(['ReduceSum', 'Log']);
    expect(y.dims).toEqual([1, 4]);
    const program = await nodeRuntime.compile(b.graph([y]));
    const result = await program.run({ x: float32(xs.map(Math.abs), dims) });
    await program.dispose();
    close(toNumbers(result['y']!), sums(Math.abs).map(Math.log));
  });

  it.each([undefined, 1, 2, 3])('GlobalLpPool with p %s is a norm, and has a gradient', async (p) => {
    const attributes = p === undefined ? {} : { p };
    const power = p ?? 2;
    close(
      await run({ op: 'GlobalLpPool', opset: 2, attributes }),
      sums((v) => Math.abs(v) ** power).map((s) => s ** (1 / power)),
    );
    const node = { op: 'GlobalLpPool', name: 'n', inputs: [], outputs: ['y'], attributes };
    await checkGradient((b, [x]) => upgraded(b, node, 2, [x])[0]!, [{ dims: [1, 2, 3, 4], low: 0.2 }]);
  });

  it('GlobalLpPool needs spatial axes', () => {
    const b = new Builder();
    const node = { op: 'GlobalLpPool', name: 'n', inputs: [], outputs: ['y'], attributes: {} };
    expect(() => upgraded(b, node, 2, [b.input('x', 'float32', [2, 3])])).toThrow(
      'GlobalLpPool y: [2, 3] has no spatial axes',
    );
  });
});

describe('normalisations and casts', () => {
  const mean = (v: readonly number[]): number => v.reduce((a, x) => a + x, 0) / v.length;
  const normalised = (v: readonly number[]): number[] => {
    const m = mean(v);
    const deviation = Math.sqrt(mean(v.map((x) => (x - m) ** 2)));
    return v.map((x) => (x - m) / deviation);
  };
  const channelsOf = Array.from({ length: 4 }, (_, c) => Array.from(xs.slice(48 * c, 48 * (c + 1))));

  it.each<[string, Written, readonly number[]]>([
    ['by channel', { op: 'MeanVarianceNormalization', opset: 13 }, channelsOf.flatMap(normalised)],
    [
      'all at once',
      { op: 'MeanVarianceNormalization', opset: 13, attributes: { axes: [0, 1, 2, 3] } },
      normalised(Array.from(xs)),
    ],
  ])('MeanVarianceNormalization %s', async (_, written, expected) => {
    close(await run(written), expected);
  });

  it.each([1, 2])(
    'LpNormalization divides by the norm of order %i, along the last axis unless told otherwise',
    async (p) => {
      const rows = Array.from({ length: 24 }, (_, r) => Array.from(xs.slice(8 * r, 8 * (r + 1))));
      const norm = (row: readonly number[]): number => row.reduce((sum, v) => sum + Math.abs(v) ** p, 0) ** (1 / p);
      close(
        await run({ op: 'LpNormalization', opset: 1, attributes: p === 2 ? {} : { p } }),
        rows.flatMap((row) => row.map((v) => v / norm(row))),
      );
    },
  );

  it('CastLike casts to the type of its second input', () => {
    const { y } = built({ op: 'CastLike', opset: 15, inputs: (b) => [b.ints([1])] });
    expect(y.dtype).toBe('int64');
  });

  it('Shrink takes small numbers away and makes large ones smaller', async () => {
    const f = (v: number): number => (v < -0.4 ? v + 0.1 : v > 0.4 ? v - 0.1 : 0);
    close(await run({ op: 'Shrink', opset: 9, attributes: { lambd: 0.4, bias: 0.1 } }), Array.from(xs, f));
  });

  it('BatchNormalization of weights by their own statistics is computed, of a picture it is refused', async () => {
    const attributes = { training_mode: 1, epsilon: 0, momentum: 0.9 };
    const b = new Builder();
    const w = b.constant(float32(xs, dims));
    const four = (v: number): Value => b.float([v, v, v, v]);
    const node = { op: 'BatchNormalization', name: 'n', inputs: [], outputs: ['y'], attributes };
    const [y] = upgraded(b, node, 15, [w, four(2), four(1), four(0), four(1)]);
    close(
      toNumbers(y!.constant!),
      channelsOf.flatMap(normalised).map((v) => 2 * v + 1),
    );
    const x = b.input('x', 'float32', dims);
    expect(() => upgraded(b, node, 15, [x, four(2), four(1), four(0), four(1)])).toThrow('as in training');
  });
});
