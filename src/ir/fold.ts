/** @file Constant folding: operators whose inputs are all known are computed while building. Shape arithmetic and weights, not images. */
import { PhospheneError } from '../errors.ts';
import type { Attributes } from './graph.ts';
import { type Inferred, normalAxis, sliceRanges } from './shape.ts';
import { arrayTypes, type DType, type Dims, sizeOf, stridesOf, type Tensor, toInt64, toNumbers } from './tensor.ts';

/** Absent optional inputs are undefined, as in a node. */
type Fold = (inputs: readonly (Tensor | undefined)[], attributes: Attributes, out: Inferred) => Tensor;

/** Results larger than this stay in the graph: folding must not make a model bigger than its file. */
const MOST_ELEMENTS = 1 << 26;

/** A tensor of `dtype` from numbers, rounded as the dtype rounds. */
function fromNumbers(dtype: DType, dims: Dims, values: ArrayLike<number>): Tensor {
  if (dtype === 'int64') {
    const whole = (v: number): bigint => toInt64(Number.isNaN(v) ? 0 : Math.trunc(v));
    return { dtype, dims, data: BigInt64Array.from(values as number[], whole) };
  }
  if (dtype === 'bool') return { dtype, dims, data: Uint8Array.from(values as number[], (v) => Number(v !== 0)) };
  const data = new arrayTypes[dtype](values.length) as Float32Array;
  for (let i = 0; i < values.length; i++) data[i] = values[i]!;
  return { dtype, dims, data };
}

/** A copy of `x` read along other strides: transposes, slices and broadcasts are all this. */
function restride(x: Tensor, dims: Dims, strides: readonly number[], start = 0): Tensor {
  const count = sizeOf(dims);
  const data = new arrayTypes[x.dtype](count) as Float32Array;
  const source = x.data as Float32Array;
  const rank = dims.length;
  const [run, stride] = rank === 0 ? [1, 0] : [dims[rank - 1]!, strides[rank - 1]!];
  const position = Array.from({ length: rank }, () => 0);
  let row = start;
  // The innermost axis is a plain loop: megabytes of weights go through here while a user waits.
  for (let i = 0; i < count; i += run) {
    for (let k = 0, offset = row; k < run; k++, offset += stride) data[i + k] = source[offset]!;
    for (let axis = rank - 2; axis >= 0; axis--) {
      row += strides[axis]!;
      if (++position[axis]! < dims[axis]!) break;
      row -= strides[axis]! * dims[axis]!;
      position[axis] = 0;
    }
  }
  return { dtype: x.dtype, dims, data };
}

/** Strides that read a tensor of `from` as if broadcast to `to`. */
function broadcastStrides(from: Dims, to: Dims): number[] {
  const strides = stridesOf(from);
  return to.map((_, axis) => {
    const own = axis - to.length + from.length;
    return own < 0 || from[own] === 1 ? 0 : strides[own]!;
  });
}

export function transpose(x: Tensor, perm: readonly number[]): Tensor {
  const strides = stridesOf(x.dims);
  return restride(
    x,
    perm.map((p) => x.dims[p]!),
    perm.map((p) => strides[p]!),
  );
}

/** Reverses the given axes: the kernel flip of a convolution's gradient. */
export function reverse(x: Tensor, axes: readonly number[]): Tensor {
  const strides = stridesOf(x.dims);
  const start = axes.reduce((sum, a) => sum + (x.dims[a]! - 1) * strides[a]!, 0);
  return restride(
    x,
    x.dims,
    strides.map((s, i) => (axes.includes(i) ? -s : s)),
    start,
  );
}

const pointwise =
  (f: (...values: number[]) => number): Fold =>
  (inputs, _, out) => {
    const columns = inputs.map((x) => readable(restride(x!, out.dims, broadcastStrides(x!.dims, out.dims))));
    const values = Float64Array.from({ length: sizeOf(out.dims) }, (__, i) => f(...columns.map((c) => c[i]!)));
    return fromNumbers(out.dtype, out.dims, values);
  };

/** The elements as numbers, copied only where they are not. */
const readable = (t: Tensor): ArrayLike<number> => (t.data instanceof BigInt64Array ? toNumbers(t) : t.data);

const reshaped: Fold = ([x], _, out) => ({ ...x!, dims: out.dims });
const isInteger = (dtype: DType): boolean => dtype.includes('int');

const folds: Readonly<Record<string, Fold>> = {
  Identity: reshaped,
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Add: pointwise((a, b) => a + b),
  Sub: pointwise((a, b) => a - b),
  Mul: pointwise((a, b) => a * b),
  Div: (inputs, attributes, out) =>
    pointwise(isInteger(out.dtype) ? (a, b) => Math.trunc(a / b) : (a, b) => a / b)(inputs, attributes, out),
  Pow: pointwise((a, b) => a ** b),
  Max: pointwise(Math.max),
  Min: pointwise(Math.min),
  Neg: pointwise((a) => -a),
  Abs: pointwise(Math.abs),
  Sqrt: pointwise(Math.sqrt),
  Exp: pointwise(Math.exp),
  Log: pointwise(Math.log),
  Floor: pointwise(Math.floor),
  Ceil: pointwise(Math.ceil),
  Reciprocal: pointwise((a) => 1 / a),
  Equal: pointwise((a, b) => Number(a === b)),
  Greater: pointwise((a, b) => Number(a > b)),
  Less: pointwise((a, b) => Number(a < b)),
  Where: pointwise((condition, a, b) => (condition ? a : b)),
  Cast: ([x], _, out) =>
    fromNumbers(out.dtype, out.dims, isInteger(out.dtype) ? toNumbers(x!).map(Math.trunc) : toNumbers(x!)),
  Concat: (inputs, { axis }, out) => {
    const at = normalAxis(axis as number, out.dims.length);
    const outer = sizeOf(out.dims.slice(0, at));
    const data = new arrayTypes[out.dtype](sizeOf(out.dims)) as Float32Array;
    let position = 0;
    for (let i = 0; i < outer; i++) {
      for (const x of inputs) {
        const run = sizeOf(x!.dims.slice(at));
        data.set((x!.data as Float32Array).subarray(i * run, (i + 1) * run), position);
        position += run;
      }
    }
    return { ...out, data };
  },
  Gather: ([x, indices], { axis = 0 }, out) => {
    const at = normalAxis(axis as number, x!.dims.length);
    const run = sizeOf(x!.dims.slice(at + 1));
    const data = new arrayTypes[x!.dtype](sizeOf(out.dims)) as Float32Array;
    let position = 0;
    for (let i = 0; i < sizeOf(x!.dims.slice(0, at)); i++) {
      for (const index of toNumbers(indices!)) {
        if (index < -x!.dims[at]! || index >= x!.dims[at]!)
          throw new PhospheneError('shape', `Gather: index ${index} is outside an axis of ${x!.dims[at]}`);
        const row = i * x!.dims[at]! + (index < 0 ? index + x!.dims[at]! : index);
        data.set((x!.data as Float32Array).subarray(row * run, (row + 1) * run), position);
        position += run;
      }
    }
    return { ...out, data };
  },
  Slice: (inputs, _, out) => {
    const [x, starts, ends, axes, steps] = inputs;
    const ranges = sliceRanges(
      x!.dims,
      toNumbers(starts!),
      toNumbers(ends!),
      axes && toNumbers(axes),
      steps && toNumbers(steps),
    );
    const strides = stridesOf(x!.dims);
    const begin = ranges.reduce((sum, r, i) => sum + r.begin * strides[i]!, 0);
    return restride(
      x!,
      out.dims,
      ranges.map((r, i) => r.step * strides[i]!),
      begin,
    );
  },
  Transpose: ([x], { perm }) =>
    transpose(x!, (perm as readonly number[] | undefined) ?? x!.dims.map((_, i) => x!.dims.length - 1 - i)),
  Expand: ([x], _, out) => restride(x!, out.dims, broadcastStrides(x!.dims, out.dims)),
  ConstantOfShape: (_, { value }, out) =>
    fromNumbers(
      out.dtype,
      out.dims,
      new Float64Array(sizeOf(out.dims)).fill(value ? toNumbers(value as Tensor)[0]! : 0),
    ),
  ReduceProd: ([x], _, out) => fromNumbers(out.dtype, out.dims, [toNumbers(x!).reduce((a, b) => a * b, 1)]),
  DequantizeLinear: ([x, scale, zero], { axis = 1 }, out) => {
    const [q, s, z] = [readable(x!), readable(scale!), zero && readable(zero)];
    const values = new Float64Array(q.length);
    const run =
      scale!.dims.length === 0 ? q.length : sizeOf(out.dims.slice(normalAxis(axis as number, out.dims.length) + 1));
    // Plain loops: all weights of a quantised model go through here while a user waits.
    for (let start = 0, channel = 0; start < q.length; start += run, channel = (channel + 1) % s.length) {
      const [factor, shift] = [s[channel]!, z?.[channel] ?? 0];
      for (let i = start; i < start + run; i++) values[i] = (q[i]! - shift) * factor;
    }
    return fromNumbers(out.dtype, out.dims, values);
  },
};

/** The value of an operator whose inputs are all known or absent, or undefined where it must wait for the runtime. */
export function fold(
  op: string,
  inputs: readonly (Tensor | undefined)[],
  attributes: Attributes,
  out: Inferred,
): Tensor | undefined {
  const rule = folds[op];
  if (
    !rule ||
    sizeOf(out.dims) > MOST_ELEMENTS ||
    out.dtype === 'float16' ||
    inputs.some((x) => x?.dtype === 'float16')
  )
    return undefined;
  if (op === 'ReduceProd' && sizeOf(out.dims) !== 1) return undefined;
  return rule(inputs, attributes, out);
}
