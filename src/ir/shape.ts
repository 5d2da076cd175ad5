/** @file Shape inference: for each operator, the dtype and dims of its outputs. A row here is what makes an operator known. */
import { PhospheneError } from '../errors.ts';
import type { Attributes } from './graph.ts';
import { type Dims, type DType, sizeOf, type Tensor, toNumbers } from './tensor.ts';
import { windowOf, windowOutput } from './window.ts';

/** What inference sees of an input; `constant` is there where the value is known while building. */
export interface Operand {
  readonly dtype: DType;
  readonly dims: Dims;
  readonly constant?: Tensor | undefined;
}
export interface Inferred {
  readonly dtype: DType;
  readonly dims: Dims;
}
type Inputs = readonly (Operand | undefined)[];
type Rule = (inputs: Inputs, attributes: Attributes, outputs: number) => Inferred[];

/** Dims of the result of broadcasting, by NumPy's rule. Throws `shape`. */
export function broadcast(...shapes: readonly Dims[]): number[] {
  const rank = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: rank }, (_, axis) => {
    let length = 1;
    for (const shape of shapes) {
      const d = shape[axis - rank + shape.length] ?? 1;
      if (d !== 1 && length !== 1 && d !== length) {
        throw new PhospheneError('shape', `[${shapes.map((s) => s.join(', ')).join('] and [')}] do not broadcast`);
      }
      if (length === 1) length = d;
    }
    return length;
  });
}

/** A possibly negative axis, made non-negative. Throws `shape` when out of range. */
export function normalAxis(axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(normal) || normal < 0 || normal >= Math.max(rank, 1)) {
    throw new PhospheneError('shape', `axis ${axis} is outside a rank of ${rank}`);
  }
  return normal;
}

/** Begin, end and step of a Slice on every axis, clamped as ONNX says. */
export function sliceRanges(
  dims: Dims,
  starts: readonly number[],
  ends: readonly number[],
  axes?: readonly number[],
  steps?: readonly number[],
): { begin: number; step: number; count: number }[] {
  const ranges = dims.map((d) => ({ begin: 0, step: 1, count: d }));
  starts.forEach((start, i) => {
    const axis = normalAxis(axes?.[i] ?? i, dims.length);
    const step = steps?.[i] ?? 1;
    const d = dims[axis]!;
    const clamp = (v: number, low: number, high: number): number => Math.min(Math.max(v < 0 ? v + d : v, low), high);
    const begin = step > 0 ? clamp(start, 0, d) : clamp(start, 0, d - 1);
    const end = step > 0 ? clamp(ends[i]!, 0, d) : ends[i]! < -d ? -1 : clamp(ends[i]!, -1, d - 1);
    ranges[axis] = { begin, step, count: Math.max(0, Math.ceil((end - begin) / step)) };
  });
  return ranges;
}

/** What a Shape node says: the dims from `start` to `end`, which count from the back where negative. */
export function shapeOf(dims: Dims, { start, end }: Attributes): Dims {
  return dims.slice((start as number | undefined) ?? 0, (end as number | undefined) ?? dims.length);
}

/** Numbers of a constant input. Throws `shape` when it is not known while building. */
export function known(operand: Operand | undefined, what: string): number[] {
  if (!operand?.constant) throw new PhospheneError('shape', `${what} must be known when the graph is built`);
  return toNumbers(operand.constant);
}

const first = (inputs: Inputs): Operand => inputs[0]!;
const same: Rule = (inputs) => [{ dtype: first(inputs).dtype, dims: first(inputs).dims }];
const binary: Rule = (inputs) => [{ dtype: first(inputs).dtype, dims: broadcast(...inputs.map((i) => i!.dims)) }];
const comparison: Rule = (inputs) => [{ dtype: 'bool', dims: broadcast(...inputs.map((i) => i!.dims)) }];

function axesOf(inputs: Inputs, attributes: Attributes, position: number, rank: number): number[] {
  const axes = inputs[position]
    ? known(inputs[position], 'axes')
    : (attributes['axes'] as readonly number[] | undefined);
  if (!axes || axes.length === 0)
    return attributes['noop_with_empty_axes'] === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
  return axes.map((a) => normalAxis(a, rank));
}

const reduce: Rule = (inputs, attributes) => {
  const { dtype, dims } = first(inputs);
  const axes = new Set(axesOf(inputs, attributes, 1, dims.length));
  const keep = attributes['keepdims'] !== 0;
  return [{ dtype, dims: keep ? dims.map((d, i) => (axes.has(i) ? 1 : d)) : dims.filter((_, i) => !axes.has(i)) }];
};

const pool: Rule = (inputs, attributes, outputs) => {
  const { dtype, dims } = first(inputs);
  const size = dims.slice(2);
  const out = [
    ...dims.slice(0, 2),
    ...windowOutput(windowOf(attributes, attributes['kernel_shape'] as number[], size), size),
  ];
  return outputs > 1
    ? [
        { dtype, dims: out },
        { dtype: 'int64', dims: out },
      ]
    : [{ dtype, dims: out }];
};

const globalPool: Rule = (inputs) => {
  const { dtype, dims } = first(inputs);
  return [{ dtype, dims: dims.map((d, i) => (i < 2 ? d : 1)) }];
};

export const shapeRules: Readonly<Record<string, Rule>> = {
  // elementwise
  ...Object.fromEntries(
    // prettier-ignore
    ['Abs', 'Ceil', 'Clip', 'Cos', 'Dropout', 'Elu', 'Erf', 'Exp', 'Floor', 'HardSigmoid', 'HardSwish', 'Identity', 'InstanceNormalization', 'LRN', 'LayerNormalization', 'LeakyRelu', 'Log', 'LogSoftmax', 'Neg', 'Not', 'PRelu', 'Reciprocal', 'Relu', 'Round', 'Selu', 'Sigmoid', 'Sign', 'Sin', 'Softmax', 'Softplus', 'Softsign', 'Sqrt', 'Tanh', 'ThresholdedRelu', 'ScatterElements'].map((op) => [op, same]),
  ),
  ...Object.fromEntries(['Add', 'Div', 'Max', 'Mean', 'Min', 'Mul', 'Pow', 'Sub', 'Sum'].map((op) => [op, binary])),
  ...Object.fromEntries(
    ['And', 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'Or'].map((op) => [op, comparison]),
  ),
  BatchNormalization: (inputs) => {
    const { dtype, dims } = first(inputs);
    const odd = inputs.slice(1).find((p) => p!.dims.length !== 1 || p!.dims[0] !== dims[1]);
    if (odd)
      throw new PhospheneError('shape', `input has ${dims[1]} channels, a parameter is [${odd.dims.join(', ')}]`);
    return [{ dtype, dims }];
  },
  Where: ([condition, a, b]) => [{ dtype: a!.dtype, dims: broadcast(condition!.dims, a!.dims, b!.dims) }],
  Cast: (inputs, { to }) => [{ dtype: to as DType, dims: first(inputs).dims }],
  DequantizeLinear: (inputs) => [{ dtype: inputs[1]!.dtype, dims: first(inputs).dims }],

  // bilinear
  Conv: ([x, w], attributes) => {
    const group = (attributes['group'] as number | undefined) ?? 1;
    if (x!.dims.length !== w!.dims.length)
      throw new PhospheneError('shape', `input has rank ${x!.dims.length}, weights have ${w!.dims.length}`);
    if (x!.dims[1] !== w!.dims[1]! * group) {
      throw new PhospheneError('shape', `input has ${x!.dims[1]} channels, weights expect ${w!.dims[1]! * group}`);
    }
    if (w!.dims[0]! % group !== 0)
      throw new PhospheneError('shape', `${w!.dims[0]} filters do not divide into ${group} groups`);
    const size = x!.dims.slice(2);
    return [
      {
        dtype: x!.dtype,
        dims: [x!.dims[0]!, w!.dims[0]!, ...windowOutput(windowOf(attributes, w!.dims.slice(2), size), size)],
      },
    ];
  },
  ConvTranspose: ([x, w], attributes) => {
    const group = (attributes['group'] as number | undefined) ?? 1;
    if (x!.dims[1] !== w!.dims[0])
      throw new PhospheneError('shape', `input has ${x!.dims[1]} channels, weights expect ${w!.dims[0]}`);
    if (
      attributes['output_shape'] !== undefined ||
      !['NOTSET', 'VALID'].includes((attributes['auto_pad'] as string | undefined) ?? 'NOTSET')
    ) {
      throw new PhospheneError('shape', 'only explicit pads are supported');
    }
    const window = windowOf(attributes, w!.dims.slice(2), []);
    const size = x!.dims.slice(2);
    const extra = (attributes['output_padding'] as readonly number[] | undefined) ?? [];
    // ONNX allows it where a dilation is wider, ONNX Runtime never.
    if (extra.some((e, i) => e > 0 && e >= window.strides[i]!))
      throw new PhospheneError('shape', `output padding [${extra.join(', ')}] as wide as a stride is not supported`);
    const out = size.map(
      (d, i) =>
        (d - 1) * window.strides[i]! +
        (window.kernel[i]! - 1) * window.dilations[i]! +
        1 -
        window.pads[i]! -
        window.pads[i + size.length]! +
        (extra[i] ?? 0),
    );
    return [{ dtype: x!.dtype, dims: [x!.dims[0]!, w!.dims[1]! * group, ...out] }];
  },
  MatMul: ([a, b]) => {
    const [m, n] = [a!.dims, b!.dims];
    if (m.at(-1) !== n.at(-2))
      throw new PhospheneError('shape', `[${m.join(', ')}] and [${n.join(', ')}] do not multiply`);
    return [{ dtype: a!.dtype, dims: [...broadcast(m.slice(0, -2), n.slice(0, -2)), m.at(-2)!, n.at(-1)!] }];
  },
  Gemm: ([a, b], { transA, transB }) => {
    const [m, k] = transA === 1 ? [a!.dims[1]!, a!.dims[0]!] : [a!.dims[0]!, a!.dims[1]!];
    const [k2, n] = transB === 1 ? [b!.dims[1]!, b!.dims[0]!] : [b!.dims[0]!, b!.dims[1]!];
    if (k !== k2)
      throw new PhospheneError('shape', `[${a!.dims.join(', ')}] and [${b!.dims.join(', ')}] do not multiply`);
    return [{ dtype: a!.dtype, dims: [m, n] }];
  },

  // pooling and reduction
  MaxPool: pool,
  AveragePool: pool,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  ...Object.fromEntries(
    ['ReduceL1', 'ReduceL2', 'ReduceMax', 'ReduceMean', 'ReduceMin', 'ReduceProd', 'ReduceSum', 'ReduceSumSquare'].map(
      (op) => [op, reduce],
    ),
  ),

  // movement
  Concat: (inputs, { axis }) => {
    const { dtype, dims } = first(inputs);
    const at = normalAxis(axis as number, dims.length);
    for (const other of inputs) {
      if (other!.dims.length !== dims.length || other!.dims.some((d, i) => i !== at && d !== dims[i])) {
        throw new PhospheneError(
          'shape',
          `[${inputs.map((i) => i!.dims.join(', ')).join('] and [')}] do not join on axis ${at}`,
        );
      }
    }
    return [{ dtype, dims: dims.map((d, i) => (i === at ? inputs.reduce((sum, x) => sum + x!.dims[at]!, 0) : d)) }];
  },
  Split: (inputs, attributes, outputs) => {
    const { dtype, dims } = first(inputs);
    const axis = normalAxis((attributes['axis'] as number | undefined) ?? 0, dims.length);
    const even = Math.ceil(dims[axis]! / outputs);
    const parts = inputs[1]
      ? known(inputs[1], 'Split sizes')
      : Array.from({ length: outputs }, (_, i) => Math.min(even, dims[axis]! - i * even));
    return parts.map((part) => ({ dtype, dims: dims.map((d, i) => (i === axis ? part : d)) }));
  },
  Pad: (inputs, { mode = 'constant' }) => {
    const { dtype, dims } = first(inputs);
    if (!['constant', 'reflect', 'edge'].includes(mode as string))
      throw new PhospheneError('shape', `mode \`${mode as string}\` is not supported`);
    const pads = known(inputs[1], 'Pad amounts');
    const axes = inputs[3]
      ? known(inputs[3], 'Pad axes').map((a) => normalAxis(a, dims.length))
      : dims.map((_, i) => i);
    const out = [...dims];
    axes.forEach((axis, i) => (out[axis]! += pads[i]! + pads[i + axes.length]!));
    if (out.some((d) => d < 1))
      throw new PhospheneError('shape', `pads [${pads.join(', ')}] leave nothing of [${dims.join(', ')}]`);
    return [{ dtype, dims: out }];
  },
  Slice: (inputs) => {
    const { dtype, dims } = first(inputs);
    const ranges = sliceRanges(
      dims,
      known(inputs[1], 'Slice starts'),
      known(inputs[2], 'Slice ends'),
      inputs[3] && known(inputs[3], 'Slice axes'),
      inputs[4] && known(inputs[4], 'Slice steps'),
    );
    return [{ dtype, dims: ranges.map((r) => r.count) }];
  },
  Reshape: (inputs, { allowzero }) => {
    const { dtype, dims } = first(inputs);
    const wanted = known(inputs[1], 'Reshape shape').map((d, i) => (d === 0 && allowzero !== 1 ? dims[i]! : d));
    const rest = wanted.reduce((product, d) => (d === -1 ? product : product * d), 1);
    const out = wanted.map((d) => (d === -1 ? sizeOf(dims) / rest : d));
    if (sizeOf(out) !== sizeOf(dims) || out.some((d) => !Number.isInteger(d) || d < 0)) {
      throw new PhospheneError('shape', `[${dims.join(', ')}] does not reshape to [${wanted.join(', ')}]`);
    }
    return [{ dtype, dims: out }];
  },
  Flatten: (inputs, { axis = 1 }) => {
    const { dtype, dims } = first(inputs);
    const at = (axis as number) < 0 ? (axis as number) + dims.length : (axis as number);
    return [{ dtype, dims: [sizeOf(dims.slice(0, at)), sizeOf(dims.slice(at))] }];
  },
  Transpose: (inputs, { perm }) => {
    const { dtype, dims } = first(inputs);
    return [
      {
        dtype,
        dims: ((perm as readonly number[] | undefined) ?? dims.map((_, i) => dims.length - 1 - i)).map((p) => dims[p]!),
      },
    ];
  },
  Squeeze: (inputs, attributes) => {
    const { dtype, dims } = first(inputs);
    const given = inputs[1] ? known(inputs[1], 'axes') : (attributes['axes'] as readonly number[] | undefined);
    const axes = new Set(
      given ? given.map((a) => normalAxis(a, dims.length)) : dims.flatMap((d, i) => (d === 1 ? [i] : [])),
    );
    return [{ dtype, dims: dims.filter((_, i) => !axes.has(i)) }];
  },
  Unsqueeze: (inputs, attributes) => {
    const { dtype, dims } = first(inputs);
    const axes = inputs[1] ? known(inputs[1], 'axes') : (attributes['axes'] as readonly number[]);
    const rank = dims.length + axes.length;
    const at = new Set(axes.map((a) => normalAxis(a, rank)));
    const rest = dims[Symbol.iterator]();
    return [{ dtype, dims: Array.from({ length: rank }, (_, i) => (at.has(i) ? 1 : (rest.next().value as number))) }];
  },
  Expand: (inputs) => [
    { dtype: first(inputs).dtype, dims: broadcast(first(inputs).dims, known(inputs[1], 'Expand shape')) },
  ],
  Tile: (inputs) => {
    const repeats = known(inputs[1], 'Tile repeats');
    return [{ dtype: first(inputs).dtype, dims: first(inputs).dims.map((d, i) => d * repeats[i]!) }];
  },
  Gather: ([x, indices], { axis = 0 }) => {
    const at = normalAxis(axis as number, x!.dims.length);
    return [{ dtype: x!.dtype, dims: [...x!.dims.slice(0, at), ...indices!.dims, ...x!.dims.slice(at + 1)] }];
  },
  DepthToSpace: (inputs, { blocksize }) => {
    const { dtype, dims } = first(inputs);
    const b = blocksize as number;
    return [{ dtype, dims: [dims[0]!, dims[1]! / (b * b), dims[2]! * b, dims[3]! * b] }];
  },
  SpaceToDepth: (inputs, { blocksize }) => {
    const { dtype, dims } = first(inputs);
    const b = blocksize as number;
    return [{ dtype, dims: [dims[0]!, dims[1]! * b * b, dims[2]! / b, dims[3]! / b] }];
  },
  Shape: (inputs, attributes) => [{ dtype: 'int64', dims: [shapeOf(first(inputs).dims, attributes).length] }],
  ConstantOfShape: (inputs, { value }) => [
    { dtype: (value as Tensor | undefined)?.dtype ?? 'float32', dims: known(inputs[0], 'ConstantOfShape shape') },
  ],
};

/** How many inputs an operator needs at least, where that is not one. */
const leastInputs: Readonly<Record<string, number>> = {
  ...Object.fromEntries(
    // prettier-ignore
    ['Add', 'And', 'Conv', 'ConvTranspose', 'DequantizeLinear', 'Div', 'Equal', 'Expand', 'Gather', 'Gemm', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual', 'MatMul', 'Mul', 'Or', 'PRelu', 'Pad', 'Pow', 'Reshape', 'Sub', 'Tile'].map((op) => [op, 2]),
  ),
  InstanceNormalization: 3,
  ScatterElements: 3,
  Slice: 3,
  Where: 3,
  BatchNormalization: 5,
};

/** Operators whose inputs may be of several float types. */
const mixed = new Set(['BatchNormalization', 'DequantizeLinear', 'Pow', 'QuantizeLinear', 'Resize']);

/** Output dtypes and dims of an operator. Throws `unsupported-op` for an unknown one, `shape` where the inputs do not fit. */
export function infer(op: string, name: string, inputs: Inputs, attributes: Attributes, outputs: number): Inferred[] {
  const rule = shapeRules[op];
  if (!rule)
    throw new PhospheneError('unsupported-op', `${op} ${name}: this operator is not supported`, { op, node: name });
  try {
    const needed = leastInputs[op] ?? 1;
    const missing = Array.from({ length: needed }, (_, i) => i).find((i) => !inputs[i]);
    if (missing !== undefined) throw new PhospheneError('shape', `input ${missing} of ${needed} is missing`);
    const types = new Set(inputs.flatMap((i) => (i?.dtype.startsWith('float') ? [i.dtype] : [])));
    if (types.size > 1 && !mixed.has(op))
      throw new PhospheneError(
        'shape',
        `inputs of ${[...types].join(' and ')}; one type is needed, and pictures are float32`,
      );
    const inferred = rule(inputs, attributes, outputs);
    if (inferred.some(({ dims }) => dims.some((d) => !Number.isSafeInteger(d) || d < 0))) {
      throw new PhospheneError('shape', `it would give [${inferred[0]?.dims.join(', ')}]`);
    }
    return inferred;
  } catch (error) {
    if (error instanceof PhospheneError && error.code === 'shape' && !error.message.startsWith(op)) {
      throw new PhospheneError('shape', `${op} ${name}: ${error.message}`, { op, node: name }, error);
    }
    throw error;
  }
}
