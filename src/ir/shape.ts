/** @file Arithmetic of shapes: broadcasting, axes, slices. */
import { PhospheneError } from '../errors.ts';
import { type Dims, type Tensor, toNumbers } from './tensor.ts';

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

/** Begin, step and count of a Slice on every axis, clamped as ONNX says. Throws `shape`. */
export function sliceRanges(
  dims: Dims,
  starts: readonly number[],
  ends: readonly number[],
  axes?: readonly number[],
  steps?: readonly number[],
): { begin: number; step: number; count: number }[] {
  const ranges = dims.map((d) => ({ begin: 0, step: 1, count: d }));
  if ([ends, axes, steps].some((list) => list && list.length !== starts.length) || starts.length > dims.length)
    throw new PhospheneError('shape', `its starts, ends, axes and steps are not equally many`);
  const at = normalAxes(axes ?? starts.map((_, i) => i), dims.length);
  starts.forEach((start, i) => {
    const axis = at[i]!;
    const step = steps?.[i] ?? 1;
    if (step === 0) throw new PhospheneError('shape', 'a step is 0');
    const d = dims[axis]!;
    const clamp = (v: number, low: number, high: number): number => Math.min(Math.max(v < 0 ? v + d : v, low), high);
    const begin = step > 0 ? clamp(start, 0, d) : clamp(start, 0, d - 1);
    const end = step > 0 ? clamp(ends[i]!, 0, d) : ends[i]! < -d ? -1 : clamp(ends[i]!, -1, d - 1);
    ranges[axis] = { begin, step, count: Math.max(0, Math.ceil((end - begin) / step)) };
  });
  return ranges;
}

/** What a Shape node says: the dims from `start` to `end`, which count from the back if negative. */
export function shapeOf(
  dims: Dims,
  { start, end }: { readonly start: number; readonly end: number | undefined },
): Dims {
  return dims.slice(start, end);
}

/**
 * Numbers of an input that must be a vector and known while building: axes, sizes, amounts. Throws `shape`.
 * `length` is how many there must be.
 */
export function known(
  input: { readonly dims: Dims; readonly constant?: Tensor | undefined } | undefined,
  what: string,
  length?: number,
): number[] {
  if (!input?.constant)
    throw new PhospheneError(
      'shape',
      `its ${what} must be known when the graph is built; export the network with fixed sizes, or simplify the file with onnxsim`,
    );
  if (input.dims.length !== 1)
    throw new PhospheneError('shape', `its ${what} must be a vector, not [${input.dims.join(', ')}]`);
  const numbers = toNumbers(input.constant);
  if (length !== undefined && numbers.length !== length)
    throw new PhospheneError('shape', `its ${what} are ${numbers.length} numbers, ${length} are needed`);
  return numbers;
}

/** Different axes of a tensor of `rank`, made non-negative. Throws `shape`. */
export function normalAxes(axes: readonly number[], rank: number): number[] {
  const normal = axes.map((a) => normalAxis(a, rank));
  if (new Set(normal).size !== normal.length)
    throw new PhospheneError('shape', `an axis appears twice in [${axes.join(', ')}]`);
  return normal;
}
