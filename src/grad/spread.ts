/**
 * @file Tensors as sums of small ones, each spread over every s-th position of a larger one: that is what gradients of strided
 * windows are. Interleaving the small ones leaves ONNX Runtime's blocked layout and touches every element twice, so the parts of
 * what was interleaved are remembered, and a consumer that can work on them does.
 */
import type { Builder, Value } from '../ir/builder.ts';
import { float32, type Dims } from '../ir/tensor.ts';

/** A small tensor whose element (y, x) lies at (top + stride · y, left + stride · x) of the large one. */
export interface Part {
  readonly value: Value;
  readonly top: number;
  readonly left: number;
}

/** The sum of the parts in a tensor of `dims` [n, c, h, w]: zero between them, and what lies outside is dropped. */
export interface Spread {
  readonly stride: number;
  readonly dims: Dims;
  readonly parts: readonly Part[];
}

/** What is known of the values of one gradient: the parts of those that were interleaved. */
export class Spreads {
  readonly #known = new Map<Value, Spread>();

  /** The parts of a value that came from {@link interleave}, cropped or not. */
  of(v: Value): Spread | undefined {
    return this.#known.get(v);
  }

  /** The large tensor itself, its parts remembered. */
  interleave(b: Builder, spread: Spread): Value {
    const { stride, dims, parts } = spread;
    // Begins where the first part does, so that nothing has to be cropped before the end.
    const top = Math.max(0, ...parts.map((p) => -p.top));
    const left = Math.max(0, ...parts.map((p) => -p.left));
    const moved = parts.map((p) => ({ ...p, top: p.top + top, left: p.left + left }));
    const long = (axis: 2 | 3, side: 'top' | 'left', begin: number): number =>
      Math.max(
        Math.ceil((dims[axis]! + begin) / stride),
        ...moved.map((p) => p.value.dims[axis]! + Math.floor(p[side] / stride)),
      );
    const size: Pair = [long(2, 'top', top), long(3, 'left', left)];
    const zero = b.expand(b.float(0), [dims[0]!, dims[1]!, ...size]);
    const joined = b.concat(
      phasePositions(b, stride).map(
        ([row, column]) => phase(b, { ...spread, parts: moved }, row, column, size) ?? zero,
      ),
      1,
    );
    const value = weave(b, joined, stride, [top, left], dims);
    this.#known.set(value, spread);
    return value;
  }

  /** Cropped by `pads`, [top, left, bottom, right] of numbers that are zero or negative. */
  crop(b: Builder, v: Value, pads: readonly number[]): Value {
    const [top, left, bottom, right] = pads as [number, number, number, number];
    const cropped = b.pad(v, [0, 0, top, left, 0, 0, bottom, right]);
    const spread = this.#known.get(v);
    if (spread && cropped !== v) {
      const parts = spread.parts.map((p) => ({ ...p, top: p.top + top, left: p.left + left }));
      this.#known.set(cropped, { ...spread, dims: cropped.dims, parts });
    }
    return cropped;
  }
}

/**
 * Phases [n, s² · c, h, w] (phase by phase, row-major) interleaved: row q of phase r is row s q + r. `[top, left]` and `dims` say which
 * part of that is wanted.
 */
export function weave(b: Builder, phases: Value, stride: number, [top, left]: Pair, dims: Dims): Value {
  const full = b.one('DepthToSpace', [phases], { blocksize: stride, mode: 'DCR' });
  return top === 0 && left === 0 && full.dims[2] === dims[2] && full.dims[3] === dims[3]
    ? full
    : b.slice(full, [top, left], [top + dims[2]!, left + dims[3]!], [2, 3]);
}

export type Pair = readonly [number, number];

/** About what a phase takes until it is a value. */
const PHASE_BYTES = 1024;

/** Rows and columns of the s² phases, row-major. */
export function phasePositions(b: Builder, stride: number): Pair[] {
  // A stride of a stranger may be anything.
  b.budget.take(PHASE_BYTES * stride * stride);
  return Array.from({ length: stride * stride }, (_, i): Pair => [Math.floor(i / stride), i % stride]);
}

/**
 * One phase of a spread: the elements at rows s q + `row` and columns s r + `column`, for as many q and r as there are (or as
 * `size` says, zero beyond the parts). Undefined if no part lies on it, or the tensor ends before it begins.
 */
export function phase(b: Builder, spread: Spread, row: number, column: number, size?: Pair): Value | undefined {
  const { stride, dims, parts } = spread;
  const [rows, columns] = size ?? [Math.ceil((dims[2]! - row) / stride), Math.ceil((dims[3]! - column) / stride)];
  if (rows === 0 || columns === 0) return undefined;
  const here = parts.filter((p) => modulo(p.top, stride) === row && modulo(p.left, stride) === column);
  return total(
    b,
    here.map((p) => shift(b, p.value, Math.floor(p.top / stride), Math.floor(p.left / stride), [rows, columns])),
  );
}

/** The sum of values of the same dims; undefined if there are none. */
export function total(b: Builder, values: readonly Value[]): Value | undefined {
  return values.reduce<Value | undefined>((sum, v) => (sum ? b.add(sum, v) : v), undefined);
}

/**
 * Element (y, x) moved to (y + down, x + right) in a tensor of `size`, zeros before and after, what lies outside dropped. As a
 * depthwise convolution by a kernel of zeros and a single one, it stays in the blocked layout, and `always` brings it there.
 */
export function shift(b: Builder, v: Value, down: number, right: number, [rows, columns]: Pair, always = false): Value {
  const channels = v.dims[1]!;
  const [y, x] = [along(down, v.dims[2]!, rows), along(right, v.dims[3]!, columns)];
  if (!always && down === 0 && right === 0 && v.dims[2] === rows && v.dims[3] === columns) return v;
  const pads = [y.begin, x.begin, y.end, x.end];
  return b.conv(v, oneHot(b, channels, [y.kernel, x.kernel], [y.at, x.at]), undefined, { pads, group: channels });
}

/** Kernel and pads along one axis that move `length` elements by `by` into `wanted`: out[q] = in[q − by]. */
function along(by: number, length: number, wanted: number): { begin: number; end: number; kernel: number; at: number } {
  const [begin, at] = [Math.max(0, by), Math.max(0, -by)];
  const missing = wanted - length - begin;
  // What is too long is cut by a kernel that reaches further.
  const kernel = Math.max(at, -missing) + 1;
  return { begin, at, kernel, end: missing + kernel - 1 };
}

/** Every s-th row and column of `x` from (`row`, `column`) on: the phases that {@link Spreads.interleave} puts together. */
export function sample(b: Builder, x: Value, stride: number, row: number, column: number): Value {
  const channels = x.dims[1]!;
  const kernel = oneHot(b, channels, [row + 1, column + 1], [row, column]);
  return b.conv(x, kernel, undefined, { strides: [stride, stride], group: channels });
}

/** Depthwise kernels that are one at a single position. */
function oneHot(b: Builder, channels: number, [height, width]: Pair, [row, column]: Pair): Value {
  const data = b.budget.floats(channels * height * width);
  for (let c = 0; c < channels; c++) data[(c * height + row) * width + column] = 1;
  return b.constant(float32(data, [channels, 1, height, width]));
}

function modulo(a: number, n: number): number {
  return ((a % n) + n) % n;
}
