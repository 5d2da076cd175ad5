/** @file Cases of every operator: what shape inference and the graphs that we write are held to. */
import type { Builder, Value } from '../../src/ir/builder.ts';
import type { Attributes } from '../../src/ir/graph.ts';
import { type Dims, type DType, int64 } from '../../src/ir/tensor.ts';
import { combinations } from '../check.ts';

/** An operand: dims of a float32 input, a constant of int64 or float32, an input of another dtype, or nothing. */
type Operand =
  | Dims
  | { ints: number[] }
  | { floats: number[] }
  | { scalar: number }
  | { dtype: DType; dims: Dims }
  | undefined;
export interface OperatorCase {
  inputs: Operand[];
  attributes?: Attributes;
  outputs?: number;
}
const image = [1, 4, 6, 7];
const one = (attributes: Attributes = {}): OperatorCase => ({ inputs: [image], attributes });
const unary = (...ops: string[]): Record<string, OperatorCase[]> =>
  Object.fromEntries(ops.map((op) => [op, [one(), { inputs: [[]] }]]));
const both = (dtype?: DType): OperatorCase[] =>
  (
    [
      [image, [4, 1, 1]],
      [[7], image],
      [[], [3]],
      [
        [2, 1],
        [1, 3],
      ],
    ] as const
  ).map(([a, b]) => ({
    inputs: dtype
      ? [
          { dtype, dims: a },
          { dtype, dims: b },
        ]
      : [a, b],
  }));
const binary = (...ops: string[]): Record<string, OperatorCase[]> => Object.fromEntries(ops.map((op) => [op, both()]));
const channels = (count: number): Operand[] => [image, ...Array.from({ length: count }, (): Dims => [4])];

const windows = combinations({
  kernel_shape: [
    [1, 1],
    [2, 3],
    [3, 3],
  ],
  strides: [
    [1, 1],
    [2, 3],
  ],
  pads: [
    [0, 0, 0, 0],
    [0, 1, 0, 2],
  ],
  auto_pad: ['NOTSET', 'SAME_UPPER', 'SAME_LOWER', 'VALID'],
  ceil_mode: [0, 1],
})
  .filter((w) => w.pads.every((p, i) => p < w.kernel_shape[i % 2]!))
  // ONNX Runtime refuses auto_pad beside pads, and a stride wider than a kernel with SAME (importers give it pads).
  .filter((w) => w.auto_pad === 'NOTSET' || (w.pads[1] === 0 && w.ceil_mode === 0))
  .filter((w) => !w.auto_pad.startsWith('SAME') || w.strides.every((s, i) => s <= w.kernel_shape[i]!))
  .map(({ pads, auto_pad, ...w }) => (auto_pad === 'NOTSET' ? { ...w, pads } : { ...w, auto_pad }));
const pools = windows.map(one);
const reductions = (...ops: string[]): Record<string, OperatorCase[]> =>
  Object.fromEntries(
    ops.map((op) => [
      op,
      combinations({ axes: [undefined, [1], [-1, 2]], keepdims: [0, 1] }).map(({ axes, keepdims }) => ({
        inputs: axes ? [image, { ints: axes }] : [image],
        attributes: { keepdims },
      })),
    ]),
  );

/** Every operator that a graph can have, over its attributes. */
export const cases: Readonly<Record<string, readonly OperatorCase[]>> = {
  // prettier-ignore
  ...unary('Abs', 'Atan', 'Ceil', 'Cos', 'Elu', 'Erf', 'Exp', 'Floor', 'HardSigmoid', 'HardSwish', 'Identity', 'LeakyRelu', 'Log', 'Neg', 'Reciprocal', 'Relu', 'Round', 'Selu', 'Sigmoid', 'Sign', 'Sin', 'Softplus', 'Softsign', 'Sqrt', 'Tanh', 'ThresholdedRelu', 'Clip', 'Dropout', 'Celu', 'Mish'),
  Softmax: [one(), one({ axis: 1 })],
  LogSoftmax: [one(), one({ axis: 1 })],
  Not: [{ inputs: [{ dtype: 'bool', dims: image }] }],
  BatchNormalization: [{ inputs: channels(4) }],
  InstanceNormalization: [{ inputs: channels(2) }],
  LayerNormalization: [{ inputs: [image, [7], [7]] }, { inputs: [image, [6, 7]], attributes: { axis: 2 }, outputs: 3 }],
  LRN: [one({ size: 3 })],
  PRelu: [{ inputs: [image, [4, 1, 1]] }],
  ScatterND: [
    { inputs: [[3, 4], { dtype: 'int64', dims: [5, 1] }, [5, 4]] },
    { inputs: [[3, 4], { dtype: 'int64', dims: [2, 2, 2] }, [2, 2]], attributes: { reduction: 'max' } },
  ],
  GatherElements: [{ inputs: [[3, 3], { ints: [0, 2] }], attributes: { axis: 1 } }],
  ScatterElements: [{ inputs: [[3, 3], { ints: [0, 1] }, [1, 2]], attributes: { axis: 1 } }],
  ...binary(
    'Add',
    'Div',
    'Max',
    'Mean',
    'Min',
    'Mul',
    'Pow',
    'Sub',
    'Sum',
    'Equal',
    'Greater',
    'GreaterOrEqual',
    'Less',
    'LessOrEqual',
  ),
  Mod: [
    { inputs: [image, [4, 1, 1]], attributes: { fmod: 1 } },
    { inputs: [{ dtype: 'int64', dims: [3] }, { ints: [2] }] },
  ],
  And: both('bool'),
  Or: both('bool'),
  Where: [
    { inputs: [{ dtype: 'bool', dims: [4, 1, 1] }, image, []] },
    { inputs: [{ dtype: 'bool', dims: image }, [7], [6, 1]] },
  ],
  Cast: (['float64', 'int64', 'bool', 'float16', 'uint8'] as const).map((to) => one({ to })),
  DequantizeLinear: [{ inputs: [{ dtype: 'int8', dims: image }, []] }],
  Conv: windows
    .filter((w) => w.ceil_mode === 0)
    .map(
      (w) =>
        Object.fromEntries(Object.entries(w).filter(([name]) => name !== 'ceil_mode')) as Omit<typeof w, 'ceil_mode'>,
    )
    .flatMap((attributes): OperatorCase[] => [
      { inputs: [image, [6, 4, ...attributes.kernel_shape]], attributes },
      { inputs: [image, [8, 1, ...attributes.kernel_shape], [8]], attributes: { ...attributes, group: 4 } },
    ])
    .concat({ inputs: [image, [2, 4, 2, 2]], attributes: { dilations: [3, 2] } }),
  ConvTranspose: combinations({
    strides: [
      [1, 1],
      [2, 3],
    ],
    pads: [
      [0, 0, 0, 0],
      [0, 1, 1, 2],
    ],
    dilations: [
      [1, 1],
      [2, 1],
    ],
    group: [1, 2],
  })
    .map((attributes) => ({
      inputs: [image, [4, 3, 3, 4]],
      attributes,
    }))
    .concat({ inputs: [image, [4, 3, 3, 4]], attributes: { strides: [2, 2], output_padding: [1, 0] } as never }),
  MatMul: [
    [
      [3, 4],
      [4, 5],
    ],
    [
      [2, 3, 4],
      [4, 5],
    ],
    [
      [2, 1, 3, 4],
      [3, 4, 2],
    ],
  ].map((inputs) => ({ inputs })),
  Gemm: [
    {
      inputs: [
        [3, 4],
        [4, 5],
      ],
    },
    { inputs: [[4, 3], [5, 4], [5]], attributes: { transA: 1, transB: 1 } },
  ],
  MaxPool: [
    ...pools,
    { inputs: [image], attributes: { kernel_shape: [2, 2] }, outputs: 2 },
    one({ kernel_shape: [3, 2], dilations: [2, 3] }),
  ],
  AveragePool: pools,
  GlobalAveragePool: [one()],
  GlobalMaxPool: [one()],
  ...reductions(
    'ReduceL1',
    'ReduceL2',
    'ReduceLogSumExp',
    'ReduceMax',
    'ReduceMean',
    'ReduceMin',
    'ReduceProd',
    'ReduceSum',
    'ReduceSumSquare',
  ),
  Concat: [
    { inputs: [image, [1, 2, 6, 7]], attributes: { axis: 1 } },
    { inputs: [image, image, image], attributes: { axis: -1 } },
  ],
  Split: [
    { inputs: [image], attributes: { axis: 1, num_outputs: 2 }, outputs: 2 },
    { inputs: [image], attributes: { axis: 3, num_outputs: 3 }, outputs: 3 },
    { inputs: [image, { ints: [2, 4] }], attributes: { axis: -2 }, outputs: 2 },
  ],
  Pad: [
    { inputs: [image, { ints: [0, 0, 1, -1, 0, 1, 0, 2] }] },
    { inputs: [image, { ints: [1, 2] }, undefined, { ints: [-1] }] },
    { inputs: [image, { ints: [0, 0, 1, 1, 0, 0, 1, 1] }], attributes: { mode: 'reflect' } },
    { inputs: [image, { ints: [0, 0, 7, 1, 0, 0, 1, 9] }], attributes: { mode: 'edge' } },
  ],
  Slice: [
    { inputs: [image, { ints: [1] }, { ints: [100] }, { ints: [-1] }, { ints: [2] }] },
    { inputs: [image, { ints: [-1, 0] }, { ints: [-100, 3] }, { ints: [2, 3] }, { ints: [-2, 1] }] },
    { inputs: [image, { ints: [0, 2] }, { ints: [1, 3] }] },
    { inputs: [image, { ints: [5] }, { ints: [2] }, { ints: [2] }] },
  ],
  Reshape: [[0, -1], [7, 6, 4], [-1], [1, 2, 2, 0, 7]]
    .filter((to) => to[3] !== 0)
    .map((to) => ({ inputs: [image, { ints: to }] })),
  Flatten: [one(), ...[0, 2, 4, -1].map((axis) => one({ axis }))],
  Transpose: [one(), one({ perm: [0, 2, 3, 1] })],
  Squeeze: [{ inputs: [[1, 3, 1], { ints: [-1] }] }, { inputs: [[1, 3, 1]] }],
  Unsqueeze: [{ inputs: [[3, 4], { ints: [0, -1] }] }],
  Expand: [{ inputs: [[3, 1], { ints: [2, 1, 4] }] }, { inputs: [[2, 3], { ints: [1] }] }],
  Tile: [{ inputs: [[2, 3], { ints: [3, 1] }] }],
  Gather: [{ inputs: [image, { ints: [0, 2] }], attributes: { axis: 1 } }, { inputs: [image, { ints: [0] }] }],
  DepthToSpace: [one({ blocksize: 2 }), one({ blocksize: 2, mode: 'CRD' })],
  SpaceToDepth: [{ inputs: [[1, 2, 6, 4]], attributes: { blocksize: 2 } }],
  Resize: [
    { inputs: [image, undefined, { floats: [1, 1, 2, 1.5] }] },
    { inputs: [image, undefined, { floats: [1, 1, 0.5, 0.7] }], attributes: { mode: 'linear' } },
    { inputs: [image, undefined, undefined, { ints: [1, 4, 9, 3] }], attributes: { mode: 'cubic' } },
    { inputs: [image, undefined, undefined, { ints: [9, 3] }], attributes: { axes: [2, 3] } },
    // Of which some are less than they should be in float32.
    ...[1.1, 1.3, 1.7, 0.1, 0.3, 0.7].map((s) => ({ inputs: [[1, 1, 10, 20], undefined, { floats: [1, 1, s, s] }] })),
  ],
  Shape: [one(), one({ start: 1, end: -1 })],
  Size: [one()],
  Range: [
    { inputs: [{ scalar: 1 }, { scalar: 8 }, { scalar: 3 }] },
    { inputs: [{ scalar: 5 }, { scalar: -1 }, { scalar: -2 }] },
  ],
  CumSum: [{ inputs: [image, { scalar: -1 }], attributes: { exclusive: 1, reverse: 1 } }],
  ConstantOfShape: [{ inputs: [{ ints: [2, 3] }] }],
};

/** Adds a case to the builder, its inputs named `i0`, `i1`, …, and returns its outputs. */
export function build(b: Builder, op: string, { inputs, attributes = {}, outputs = 1 }: OperatorCase): Value[] {
  const values = inputs.map((input, i): Value | undefined => {
    if (!input) return undefined;
    if ('ints' in input) return b.ints(input.ints);
    if ('floats' in input) return b.float(input.floats);
    if ('scalar' in input) return b.constant(int64(input.scalar));
    return 'dtype' in input ? b.input(`i${i}`, input.dtype, input.dims) : b.input(`i${i}`, 'float32', input);
  });
  return b.op(
    op,
    op.endsWith('Elements') ? [values[0], b.reshape(values[1]!, [1, 2]), ...values.slice(2)] : values,
    attributes,
    { outputs },
  );
}
