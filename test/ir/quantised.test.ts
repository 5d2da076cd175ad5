/** @file Quantised networks: the numbers that ONNX says, and gradients that pass the quantiser within its range. */
import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/grad/index.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import type { Attributes } from '../../src/ir/graph.ts';
import { upgraded } from '../../src/ir/infer.ts';
import { type Dims, type DType, float32, tensor, type Tensor, toNumbers } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

type Parts = readonly (Value | undefined)[];

/** A node as a file has it. */
const node = (b: Builder, op: string, inputs: Parts, attributes: Attributes = {}, outputs = ['y']): Value[] =>
  upgraded(b, { op, name: 'n', inputs: [], outputs, attributes }, 21, inputs);
const uint8 = (b: Builder, ...values: number[]): Value =>
  b.constant(tensor('uint8', values.length === 1 ? [] : [values.length], Uint8Array.from(values)));
const int8 = (b: Builder, values: readonly number[], dims: Dims = values.length === 1 ? [] : [values.length]): Value =>
  b.constant(tensor('int8', dims, Int8Array.from(values)));

/** Values of `y` and of its sum's gradient for x, a list of numbers or a tensor. */
async function run(
  x: readonly number[] | Tensor<'float32'>,
  build: (b: Builder, x: Value) => Value,
): Promise<{ y: number[]; dx: number[] }> {
  const fed = 'data' in x ? x : float32(x);
  const b = new Builder();
  const value = b.input('x', 'float32', fed.dims);
  const y = build(b, value);
  const [dx] = gradient(b, b.sum(y, undefined, false), [value]);
  const program = await nodeRuntime.compile(b.graph({ y, dx: dx! }));
  const found = await program.run({ x: fed });
  await program.dispose();
  return { y: toNumbers(found['y']!), dx: toNumbers(found['dx']!) };
}

const halfEven = (v: number): number => (Math.abs(v % 1) === 0.5 ? 2 * Math.round(v / 2) : Math.round(v));

describe('QuantizeLinear', () => {
  it('divides, rounds halves to the even number, adds the zero point, and clips', async () => {
    const x = [-100, -1.25, -0.75, -0.25, 0, 0.25, 0.75, 1.25, 63.5, 100];
    const { y } = await run(x, (b, v) => node(b, 'QuantizeLinear', [v, b.float(0.5), uint8(b, 3)])[0]!);
    // x / 0.5 = -200, -2.5, -1.5, -0.5, 0, 0.5, 1.5, 2.5, 127, 200
    expect(y).toEqual([0, 1, 1, 3, 3, 3, 5, 5, 130, 203]);
  });

  it.each<[DType, number, number]>([
    ['uint8', 0, 255],
    ['int8', -128, 127],
    ['uint16', 0, 65535],
    ['int16', -32768, 32767],
  ])('clips to what %s holds', async (dtype, least, most) => {
    const types = { uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array };
    const zero = tensor(dtype, [], new types[dtype as keyof typeof types](1) as never);
    const { y, dx } = await run(
      [-1e9, least - 1, least, most, most + 1, 1e9],
      (b, v) => node(b, 'QuantizeLinear', [v, b.float(1), b.constant(zero)])[0]!,
    );
    expect(y).toEqual([least, least, least, most, most, most]);
    expect(dx).toEqual([0, 0, 1, 1, 0, 0]);
  });

  it('gives uint8 unless a zero point or `output_dtype` says something else', async () => {
    const quantised = (attributes: Attributes) =>
      run([-200, 300], (b, v) => node(b, 'QuantizeLinear', [v, b.float(1)], attributes)[0]!);
    expect((await quantised({})).y).toEqual([0, 255]);
    expect((await quantised({ output_dtype: 3 })).y).toEqual([-128, 127]);
    await expect(quantised({ output_dtype: 17 })).rejects.toThrow(
      "QuantizeLinear y: it quantises to ONNX's element type 17, which is not supported",
    );
    await expect(quantised({ block_size: 2 })).rejects.toThrow('its scales are one for each block of 2');
  });

  it('has one scale and zero point for each channel', async () => {
    const x = float32([1, -1, 3, -3, 1, -1, 3, -3], [1, 2, 2, 2]);
    const { y, dx } = await run(
      x,
      (b, v) => node(b, 'QuantizeLinear', [v, b.float([1, 0.5]), uint8(b, 2, 4)], { axis: 1 })[0]!,
    );
    expect(y).toEqual([3, 1, 5, 0, 6, 2, 10, 0]);
    // -3 is -1 before it is clipped in the first channel, -2 in the second.
    expect(dx).toEqual([1, 1, 1, 0, 2, 2, 2, 0]);
  });
});

it('a pair of quantisers rounds to multiples of the scale, and passes the gradient within its range', async () => {
  const { y, dx } = await run([-0.2, -0.01, 0.04, 0.11, 25.5, 25.6], (b, v) => {
    const zero = uint8(b, 0);
    const [q] = node(b, 'QuantizeLinear', [v, b.float(0.1), zero], {}, ['q']);
    return b.mul(node(b, 'DequantizeLinear', [q, b.float(0.1), zero], {}, ['z'])[0]!, 3);
  });
  [0, 0, 0, 0.3, 76.5, 76.5].forEach((v, i) => expect(y[i]).toBeCloseTo(v, 4));
  [0, 0, 3, 3, 3, 0].forEach((v, i) => expect(dx[i]).toBeCloseTo(v, 5));
});

describe('operators on quantised values', () => {
  const x = float32(
    Float32Array.from({ length: 32 }, (_, i) => ((i * 37) % 64) - 20),
    [1, 2, 4, 4],
  );
  const kernel = Array.from({ length: 24 }, (_, i) => ((i * 29) % 60) - 30);
  const codes = (v: number, scale: number, zero: number): number =>
    Math.min(255, Math.max(0, halfEven(v / scale) + zero));

  it('QLinearConv is a convolution of what is dequantised, with its bias, quantised', async () => {
    const parts = (b: Builder, v: Value): Parts => [
      node(b, 'QuantizeLinear', [v, b.float(0.25), uint8(b, 90)], {}, ['q'])[0],
      b.float(0.25),
      uint8(b, 90),
      int8(b, kernel, [3, 2, 2, 2]),
      b.float([0.1, 0.2, 0.3]),
      int8(b, [0, 1, 2]),
      b.float(2),
      uint8(b, 100),
      b.constant(tensor('int32', [3], Int32Array.of(0, 40, -400))),
    ];
    const { y, dx } = await run(x, (b, v) => node(b, 'QLinearConv', parts(b, v), { strides: [2, 2] })[0]!);
    const read = (c: number, h: number, w: number): number =>
      (codes(x.data[c * 16 + h * 4 + w]!, 0.25, 90) - 90) * 0.25;
    const expected = [0, 1, 2].flatMap((o) =>
      [0, 1].flatMap((r) =>
        [0, 1].map((s) => {
          let sum = [0, 40, -400][o]! * 0.25 * [0.1, 0.2, 0.3][o]!;
          for (let c = 0; c < 2; c++)
            for (let i = 0; i < 2; i++)
              for (let j = 0; j < 2; j++)
                sum += read(c, 2 * r + i, 2 * s + j) * (kernel[o * 8 + c * 4 + i * 2 + j]! - o) * [0.1, 0.2, 0.3][o]!;
          return codes(sum, 2, 100);
        }),
      ),
    );
    expect(y).toEqual(expected);
    expect(dx.some((g) => g !== 0)).toBe(true);
  });

  it('ConvInteger and MatMulInteger are sums of whole numbers', async () => {
    const whole = float32([1, 2, 3, 4], [1, 1, 2, 2]);
    const conv = await run(
      whole,
      (b, v) => node(b, 'ConvInteger', [v, int8(b, [1, 2, 3, 4], [1, 1, 2, 2]), b.float(1), int8(b, [1])])[0]!,
    );
    expect(conv).toEqual({ y: [0 + 1 + 4 + 9], dx: [0, 1, 2, 3] });
    const product = await run(
      float32([1, 2, 3, 4], [2, 2]),
      (b, v) => node(b, 'MatMulInteger', [v, int8(b, [1, 2, 3, 4], [2, 2])])[0]!,
    );
    expect(product.y).toEqual([7, 10, 15, 22]);
  });

  it('QLinearMatMul has scales by row on the left and by column on the right', async () => {
    const { y } = await run(
      float32([1, 2, 3, 4], [2, 2]),
      (b, v) =>
        node(b, 'QLinearMatMul', [
          v,
          b.float([1, 2]),
          uint8(b, 0, 1),
          int8(b, [1, 2, 3, 4], [2, 2]),
          b.float([1, 0.5]),
          int8(b, [0, 0]),
          b.float(1),
          uint8(b, 0),
        ])[0]!,
    );
    // [[1, 2], [4, 6]] · [[1, 1], [3, 2]]
    expect(y).toEqual([7, 5, 22, 16]);
  });

  it('DynamicQuantizeLinear finds a range that has zero in it', async () => {
    const b = new Builder();
    const v = b.input('x', 'float32', [4]);
    const outs = node(b, 'DynamicQuantizeLinear', [v], {}, ['y', 's', 'z']);
    const program = await nodeRuntime.compile(b.graph(outs));
    // As ONNX's own example has it: [0, 2, -3, -2.5, …] of range 5 gives the scale 5/255 and the zero point 153.
    const found = await program.run({ x: float32([0, 2, -3, -2.5]) });
    await program.dispose();
    const [y, s, z] = outs.map((o) => toNumbers(found[o.name]!));
    expect(s![0]).toBeCloseTo(5 / 255, 6);
    expect(z).toEqual([153]);
    expect(y).toEqual([153, 255, 0, 26]);
  });

  const lead = (b: Builder, v: Value): Parts => [v, b.float(0.5), uint8(b, 10)];
  const q = (v: number): number => codes(v, 1, 5);
  const r = (v: number): number => (v - 10) * 0.5;
  const given = [4, 10, 20, 60];
  it.each<[string, (b: Builder, v: Value) => Parts, Attributes, number[]]>([
    [
      'com.microsoft.QLinearSigmoid',
      (b, v) => [...lead(b, v), b.float(1), uint8(b, 5)],
      {},
      given.map((v) => q(1 / (1 + Math.exp(-r(v))))),
    ],
    [
      'com.microsoft.QLinearLeakyRelu',
      (b, v) => [...lead(b, v), b.float(1), uint8(b, 5)],
      { alpha: 0.5 },
      given.map((v) => q(r(v) < 0 ? r(v) / 2 : r(v))),
    ],
    [
      'com.microsoft.QLinearAdd',
      (b, v) => [...lead(b, v), ...lead(b, v), b.float(1), uint8(b, 5)],
      {},
      given.map((v) => q(2 * r(v))),
    ],
    [
      'com.microsoft.QLinearMul',
      (b, v) => [...lead(b, v), ...lead(b, v), b.float(1), uint8(b, 5)],
      {},
      given.map((v) => q(r(v) ** 2)),
    ],
    [
      'com.microsoft.QLinearConcat',
      (b, v) => [b.float(1), uint8(b, 5), ...lead(b, v), ...lead(b, v)],
      { axis: 0 },
      [...given, ...given].map((v) => q(r(v))),
    ],
  ])('%s', async (op, parts, attributes, expected) => {
    expect((await run(given, (b, v) => node(b, op, parts(b, v), attributes)[0]!)).y).toEqual(expected);
  });

  it.each<[string, Attributes, number[]]>([
    ['com.microsoft.QLinearGlobalAveragePool', {}, [q((r(4) + r(10) + r(20) + r(60)) / 4)]],
    ['com.microsoft.QLinearAveragePool', { kernel_shape: [1, 2] }, [q((r(4) + r(10)) / 2), q((r(20) + r(60)) / 2)]],
  ])('%s', async (op, attributes, expected) => {
    const pooled = (more: Attributes) =>
      run(
        float32(given, [1, 1, 2, 2]),
        (b, v) => node(b, op, [...lead(b, v), b.float(1), uint8(b, 5)], { ...attributes, ...more })[0]!,
      );
    expect((await pooled({})).y).toEqual(expected);
    await expect(pooled({ channels_last: 1 })).rejects.toThrow('channels in its last axis');
  });

  it('QGemm has a bias of the scale of a product, and may give floats', async () => {
    const gemm = (transB: number, last: (b: Builder) => Parts) =>
      run(
        float32([2, 4], [1, 2]),
        (b, v) =>
          node(
            b,
            'com.microsoft.QGemm',
            [
              v,
              b.float(0.5),
              uint8(b, 0),
              int8(b, [1, 2, 3, 4], [2, 2]),
              b.float([1, 0.5]),
              int8(b, [0, 0]),
              b.constant(tensor('int32', [2], Int32Array.of(2, 4))),
              ...last(b),
            ],
            { transB },
          )[0]!,
      );
    // [1, 2] · [[1, 1], [3, 2]] + [2, 4] · 0.5 · [1, 0.5]
    expect((await gemm(0, () => [])).y).toEqual([8, 6]);
    // [1, 2] · [[1, 1.5], [2, 2]] + [1, 1] is [6, 6.5]; twice that, and 1.
    expect((await gemm(1, (b) => [b.float(0.5), uint8(b, 1)])).y).toEqual([13, 14]);
  });
});
