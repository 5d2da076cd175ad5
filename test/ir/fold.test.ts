/** @file Constant folding gives what the runtime would have given. */
import { describe, expect, it } from 'vitest';
import { Builder, type Value } from '../../src/ir/builder.ts';
import type { Attributes } from '../../src/ir/graph.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { type Dims, float32, int64, sizeOf, type Tensor, toNumbers } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

type Operand = Tensor | undefined;
const floats = (dims: Dims, low = -2, high = 2): Tensor =>
  float32(new Random(dims.join()).uniform(sizeOf(dims), low, high), dims);
const ints = (...values: number[]): Tensor => int64(values);
const whole = (dims: Dims): Tensor =>
  int64(
    Array.from({ length: sizeOf(dims) }, (_, i) => ((i * 7) % 11) - 5),
    dims,
  );
const bools = (...values: number[]): Tensor => ({
  dtype: 'bool',
  dims: [values.length],
  data: Uint8Array.from(values),
});
const bytes = (dims: Dims): Tensor => ({
  dtype: 'uint8',
  dims,
  data: Uint8Array.from({ length: sizeOf(dims) }, (_, i) => (i * 37) % 256),
});

const cases: [string, Operand[], Attributes?][] = [
  ['Identity', [floats([2, 3])]],
  ['Reshape', [floats([2, 3, 4]), ints(0, -1)]],
  ['Flatten', [floats([2, 3, 4])], { axis: 2 }],
  ['Squeeze', [floats([1, 3, 1]), ints(-1)]],
  ['Squeeze', [floats([1, 3, 1])]],
  ['Unsqueeze', [floats([3]), ints(0, 2)]],
  ...['Add', 'Sub', 'Mul', 'Div', 'Max', 'Min'].flatMap((op): [string, Operand[]][] => [
    [op, [floats([2, 3, 4]), floats([3, 1], 1, 2)]],
    [op, [floats([4]), floats([2, 1, 1], 1, 2)]],
    [op, [whole([2, 3]), ints(2, -3, 1)]],
  ]),
  ['Max', [floats([2, 3]), floats([3]), floats([])]],
  ['Pow', [floats([2, 3], 0.1, 2), floats([3])]],
  ['Pow', [whole([2, 3]), ints(2)]],
  ...['Neg', 'Abs', 'Floor', 'Ceil'].map((op): [string, Operand[]] => [op, [floats([2, 5])]]),
  ...['Neg', 'Abs'].map((op): [string, Operand[]] => [op, [whole([2, 5])]]),
  ...['Sqrt', 'Exp', 'Log', 'Reciprocal'].map((op): [string, Operand[]] => [op, [floats([7], 0.1, 2)]]),
  ...['Equal', 'Greater', 'Less'].flatMap((op): [string, Operand[]][] => [
    [op, [whole([2, 3]), ints(2, -5, 1)]],
    [op, [floats([2, 3]), floats([3])]],
    [op, [float32([1, 2]), float32([1, 1])]],
  ]),
  ...['LessOrEqual', 'GreaterOrEqual'].map((op): [string, Operand[]] => [op, [whole([2, 3]), ints(2, -5, 1)]]),
  ...['And', 'Or'].map((op): [string, Operand[]] => [op, [bools(0, 0, 1, 1), bools(0, 1, 0, 1)]]),
  ['Not', [bools(0, 1)]],
  ['Clip', [floats([2, 3]), float32(-1), float32(0.5)]],
  ['Clip', [whole([2, 3]), undefined, int64(2)]],
  ['Clip', [whole([2, 3]), int64(0)]],
  ['Relu', [floats([2, 3])]],
  ['Round', [float32([0.5, 1.5, 2.5, -0.5, -1.5, 0.4, -2.6])]],
  ['Sign', [float32([-2, 0, 3])]],
  ['Mod', [ints(5, -5, 5, -5), ints(3, 3, -3, -3)]],
  ['Mod', [floats([5]), float32(0.7)], { fmod: 1 }],
  ['Sum', [floats([2, 3]), floats([3]), floats([])]],
  ['Mean', [floats([2, 3]), floats([3])]],
  ['Range', [int64(1), int64(8), int64(3)]],
  ['Range', [int64(5), int64(-1), int64(-2)]],
  ['Range', [float32(0), float32(1), float32(0.3)]],
  ['CumSum', [floats([2, 3, 2]), int64(1)]],
  ['CumSum', [whole([4, 2]), int64(-2)], { exclusive: 1, reverse: 1 }],
  ['Size', [floats([2, 3, 4])]],
  ...['ReduceSum', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceMean', 'ReduceSumSquare', 'ReduceL1'].flatMap(
    (op): [string, Operand[], Attributes][] => [
      [op, [floats([2, 3, 4]), ints(-1, 0)], { keepdims: 0 }],
      [op, [floats([2, 3, 4])], { keepdims: 1 }],
    ],
  ),
  ['Where', [bools(1, 0, 1), floats([2, 3]), floats([])]],
  ['Cast', [floats([9], -3, 3)], { to: 'int64' }],
  ['Cast', [float32([0, 0.5, 2, -1])], { to: 'bool' }],
  ['Cast', [bools(1, 0)], { to: 'float32' }],
  ['Cast', [whole([5])], { to: 'float32' }],
  ['Cast', [{ dtype: 'int64', dims: [1], data: BigInt64Array.of(2n ** 63n - 1n) }], { to: 'int64' }],
  ['Concat', [floats([2, 3]), floats([2, 1])], { axis: -1 }],
  ['Concat', [ints(1), ints(2, 3)], { axis: 0 }],
  ['Gather', [floats([2, 3, 4]), int64([2, -1, 0, 0], [2, 2])], { axis: 1 }],
  ['Gather', [ints(5, 6, 7), int64(1)]],
  ['Slice', [floats([4, 5]), ints(1, -4), ints(100, -1)]],
  ['Slice', [floats([4, 5]), ints(-1), ints(-100), ints(1), ints(-2)]],
  ['Slice', [floats([4, 5]), ints(0, 4), ints(4, 0), undefined, ints(3, -1)]],
  ['Transpose', [floats([2, 3, 4])]],
  ['Transpose', [floats([2, 3, 4])], { perm: [1, 2, 0] }],
  ['Expand', [floats([3, 1]), ints(2, 1, 4)]],
  ['ConstantOfShape', [ints(2, 3)]],
  ['ConstantOfShape', [ints(2)], { value: int64([7]) }],
  ['ReduceProd', [whole([5])], { keepdims: 0 }],
  ['ReduceProd', [floats([2, 3])]],
  ['DequantizeLinear', [bytes([2, 3]), float32(0.5), { dtype: 'uint8', dims: [], data: Uint8Array.of(128) }]],
  ['DequantizeLinear', [bytes([2, 3]), float32([0.5, 2]), undefined], { axis: 0 }],
  [
    'DequantizeLinear',
    [bytes([2, 3, 2]), float32([0.5, 2, 3]), { dtype: 'uint8', dims: [3], data: Uint8Array.of(1, 2, 3) }],
    { axis: -2 },
  ],
  ['Shape', [floats([2, 3, 4])]],
  ['Shape', [floats([2, 3, 4])], { start: 1 }],
  ['Shape', [floats([2, 3, 4])], { start: -2, end: -1 }],
];

/** What ONNX Runtime says of one node whose inputs are all graph inputs. */
async function computed(op: string, inputs: readonly Operand[], attributes: Attributes, out: Value): Promise<Tensor> {
  const infos = inputs.map((t, i) => ({
    name: t ? `i${i}` : '',
    dtype: t?.dtype ?? ('float32' as const),
    dims: t?.dims ?? [],
  }));
  const present = infos.filter(({ name }) => name !== '');
  const last = infos.findLastIndex(({ name }) => name !== '');
  const node = { op, name: 'node', inputs: infos.slice(0, last + 1).map((i) => i.name), outputs: ['y'], attributes };
  const graph = {
    inputs: present,
    outputs: [{ name: 'y', dtype: out.dtype, dims: out.dims }],
    nodes: [node],
    constants: new Map(),
  };
  const program = await nodeRuntime.compile(graph);
  try {
    return (await program.run(Object.fromEntries(present.map(({ name }) => [name, inputs[Number(name.slice(1))]!]))))[
      'y'
    ]!;
  } finally {
    await program.dispose();
  }
}

describe('fold', () => {
  it.each(cases.map(([op, inputs, attributes = {}], i) => [op, i, inputs, attributes] as const))(
    '%s (%i) is the runtime’s answer',
    async (op, _, inputs, attributes) => {
      const b = new Builder();
      const y = b.one(
        op,
        inputs.map((t) => t && b.constant(t)),
        attributes,
      );
      expect(b.nodes).toEqual([]);
      const expected = await computed(op, inputs, attributes, y);
      expect(y.dtype).toBe(expected.dtype);
      expect(y.dims).toEqual(expected.dims);
      if (expected.dtype === 'int64') expect(y.constant!.data).toEqual(expected.data);
      const [found, wanted] = [toNumbers(y.constant!), toNumbers(expected)];
      found.forEach((v, i) => expect(Math.abs(v - wanted[i]!)).toBeLessThanOrEqual(2e-6 * Math.abs(wanted[i]!)));
    },
  );

  it('leaves half precision to the runtime', () => {
    const b = new Builder();
    const half = b.cast(b.float([1, 2]), 'float16');
    expect(half.constant).toBeUndefined();
    expect(encodeOnnx(b.graph({ y: half })).length).toBeGreaterThan(0);
  });

  it.each([NaN, Infinity, -Infinity])('survives a Cast of %f to int64', (value) => {
    expect(new Builder().cast(new Builder().float(value), 'int64').constant!.dtype).toBe('int64');
  });

  it('refuses an index outside its axis', () => {
    const b = new Builder();
    expect(() => b.gather(b.float([1, 2]), b.ints([2]), 0)).toThrow(/index 2 is outside an axis of 2/);
  });
});
