/** @file Arithmetic on tensors that are known while building: shape arithmetic and weights, not images. */
import { PhospheneError } from '../errors.ts';
import type { Inferred } from './ops/operator.ts';
import {
  arrayTypes,
  type DType,
  type Dims,
  sameDims,
  sizeOf,
  stridesOf,
  type Tensor,
  toInt64,
  toNumbers,
} from './tensor.ts';

/** A tensor of `dtype` from the number at each position, rounded as the dtype rounds. */
export function fromNumbers(dtype: DType, dims: Dims, at: (position: number) => number): Tensor {
  const count = sizeOf(dims);
  if (dtype === 'int64') {
    const data = new BigInt64Array(count);
    for (let i = 0; i < count; i++) {
      const value = at(i);
      data[i] = toInt64(Number.isNaN(value) ? 0 : Math.trunc(value));
    }
    return { dtype, dims, data };
  }
  const data = new arrayTypes[dtype](count) as Float32Array;
  for (let i = 0; i < count; i++) data[i] = dtype === 'bool' ? Number(at(i) !== 0) : at(i);
  return { dtype, dims, data };
}

/** A tensor of one number, as often as the dims say. */
export function filled(dtype: DType, dims: Dims, number: number): Tensor {
  const [value] = fromNumbers(dtype, [1], () => number).data;
  const data = new arrayTypes[dtype](sizeOf(dims)) as Float32Array;
  return { dtype, dims, data: value === 0 ? data : data.fill(value as number) };
}

/** A copy of `x` read along other strides: transposes, slices and broadcasts are all this. */
export function restride(x: Tensor, dims: Dims, strides: readonly number[], start = 0): Tensor {
  const count = sizeOf(dims);
  const data = new arrayTypes[x.dtype](count) as Float32Array;
  const source = x.data as Float32Array;
  // The innermost axis is a plain loop, as long as it can be: megabytes of weights go through here while a user waits.
  const axes = merged(dims, strides);
  const { dim: run, stride } = axes.pop() ?? { dim: 1, stride: 0 };
  const position = axes.map(() => 0);
  let row = start;
  for (let i = 0; i < count; i += run) {
    // A view costs as much as copying some ten numbers one by one.
    if (stride === 1 && run >= 32) data.set(source.subarray(row, row + run), i);
    else if (stride === 0 && run >= 32) data.fill(source[row]!, i, i + run);
    else for (let k = 0, offset = row; k < run; k++, offset += stride) data[i + k] = source[offset]!;
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const { dim, stride: step } = axes[axis]!;
      row += step;
      if (++position[axis]! < dim) break;
      row -= step * dim;
      position[axis] = 0;
    }
  }
  return { dtype: x.dtype, dims, data };
}

/** The axes that are left if those of one element go, and neighbours that read on where the other ends become one. */
function merged(dims: Dims, strides: readonly number[]): { dim: number; stride: number }[] {
  const axes: { dim: number; stride: number }[] = [];
  dims.forEach((dim, axis) => {
    const [stride, outer] = [strides[axis]!, axes.at(-1)];
    if (dim === 1) return;
    if (outer?.stride === stride * dim) axes.splice(-1, 1, { dim: outer.dim * dim, stride });
    else axes.push({ dim, stride });
  });
  return axes;
}

/** Strides that read a tensor of `from` as if broadcast to `to`. */
export function broadcastStrides(from: Dims, to: Dims): number[] {
  const strides = stridesOf(from);
  return to.map((_, axis) => {
    const own = axis - to.length + from.length;
    return own < 0 || from[own] === 1 ? 0 : strides[own]!;
  });
}

/** The axes in another order; `reversed` are those of the result that are read backwards. */
export function transpose(x: Tensor, perm: readonly number[], reversed: readonly number[] = []): Tensor {
  const strides = stridesOf(x.dims);
  return restride(
    x,
    perm.map((p) => x.dims[p]!),
    perm.map((p, axis) => (reversed.includes(axis) ? -strides[p]! : strides[p]!)),
    reversed.reduce((sum, axis) => sum + (x.dims[perm[axis]!]! - 1) * strides[perm[axis]!]!, 0),
  );
}

/** A function of numbers, applied to each element of what is broadcast to `out`. */
export function pointwise(
  f: (...values: number[]) => number,
  inputs: readonly (Tensor | undefined)[],
  out: Inferred,
): Tensor {
  const present = inputs.flatMap((x) => (x ? [x] : []));
  const columns = present.map((x) =>
    readable(sameDims(x.dims, out.dims) ? x : restride(x, out.dims, broadcastStrides(x.dims, out.dims))),
  );
  const [a, b] = columns as [ArrayLike<number>, ArrayLike<number>];
  const at =
    columns.length === 1
      ? (i: number): number => f(a[i]!)
      : columns.length === 2
        ? (i: number): number => f(a[i]!, b[i]!)
        : (i: number): number => f(...columns.map((c) => c[i]!));
  return fromNumbers(out.dtype, out.dims, at);
}

/** Sums, products and extrema over some axes: `f` of what was found so far and the next element. */
export function reduced(
  x: Tensor,
  axes: readonly number[],
  out: Inferred,
  start: number,
  f: (sum: number, value: number) => number,
): Tensor {
  const strides = stridesOf(x.dims.map((d, i) => (axes.includes(i) ? 1 : d)));
  const results = new Float64Array(sizeOf(out.dims)).fill(start);
  const values = readable(x);
  const own = stridesOf(x.dims);
  for (let i = 0; i < values.length; i++) {
    let at = 0;
    for (let axis = 0; axis < x.dims.length; axis++)
      if (!axes.includes(axis)) at += (Math.floor(i / own[axis]!) % x.dims[axis]!) * strides[axis]!;
    results[at] = f(results[at]!, values[i]!);
  }
  return fromNumbers(out.dtype, out.dims, (i) => results[i]!);
}

/** Tensors one behind the other on an axis. */
export function joined(inputs: readonly Tensor[], axis: number, out: Inferred): Tensor {
  const data = new arrayTypes[out.dtype](sizeOf(out.dims)) as Float32Array;
  const outer = sizeOf(out.dims.slice(0, axis));
  let position = 0;
  for (let i = 0; i < outer; i++) {
    for (const x of inputs) {
      const run = sizeOf(x.dims.slice(axis));
      data.set((x.data as Float32Array).subarray(i * run, (i + 1) * run), position);
      position += run;
    }
  }
  return { ...out, data };
}

/** What stands at some positions of an axis. Throws `shape` for one outside it. */
export function gathered(x: Tensor, indices: Tensor, axis: number, out: Inferred): Tensor {
  const [length, run] = [x.dims[axis]!, sizeOf(x.dims.slice(axis + 1))];
  const data = new arrayTypes[x.dtype](sizeOf(out.dims)) as Float32Array;
  const positions = toNumbers(indices);
  const odd = positions.find((index) => index < -length || index >= length);
  if (odd !== undefined) throw new PhospheneError('shape', `index ${odd} is outside an axis of ${length}`);
  let position = 0;
  for (let i = 0; i < sizeOf(x.dims.slice(0, axis)); i++) {
    for (const index of positions) {
      const row = i * length + (index < 0 ? index + length : index);
      data.set((x.data as Float32Array).subarray(row * run, (row + 1) * run), position);
      position += run;
    }
  }
  return { ...out, data };
}

/** The elements as numbers, copied only if they are not. */
export function readable(t: Tensor): ArrayLike<number> {
  return t.data instanceof BigInt64Array ? toNumbers(t) : t.data;
}

export function isInteger(dtype: DType): boolean {
  return dtype.includes('int');
}
