/**
 * @file Where the channels of a value stand. TensorFlow's pictures are [n, h, w, c], ours [n, c, h, w]. A value that came from a
 * convolution is held in our order and known to be meant in the other, so that no Transpose stands between two layers. Only what looks
 * at the order itself, such as a Reshape, is given TensorFlow's.
 */
import type { Builder, Value } from '../../ir/builder.ts';
import { transpose } from '../../ir/fold.ts';
import { type Dims, type Lazy, sizeOf, type Tensor } from '../../ir/tensor.ts';

/** A value of a TensorFlow graph. */
export interface Held {
  readonly value: Value;
  /** Whether it is held as [n, c, h, w] and meant as [n, h, w, c]. */
  readonly first: boolean;
  /** A weight that was not read yet. */
  readonly lazy?: Lazy;
}

/** A value in TensorFlow's own order. */
export function plain(value: Value): Held {
  return { value, first: false };
}

/** A picture in our order. */
export function picture(value: Value): Held {
  return { value, first: true };
}

/** Our axis of each of TensorFlow's. */
const OURS = [0, 2, 3, 1] as const;
const TO_LAST = [0, 2, 3, 1];
const TO_FIRST = [0, 3, 1, 2];

/** The dims that TensorFlow sees. */
export function dimsOf({ value: { dims }, first }: Held): Dims {
  return first ? TO_LAST.map((axis) => dims[axis]!) : dims;
}

/** The axis of the value as it is held, from the axis that TensorFlow means, which may count from the end. */
export function axisOf(held: Held, axis: number): number {
  const rank = held.value.dims.length;
  const normal = axis < 0 ? axis + rank : axis;
  return held.first ? (OURS[normal] ?? normal) : normal;
}

/** What TensorFlow lists by axis in the order in which the value is held. */
export function byAxis<T>({ first }: Held, list: readonly T[]): T[] {
  return first ? TO_FIRST.map((axis) => list[axis]!) : [...list];
}

/** The value in TensorFlow's order. */
export function last(b: Builder, { value, first }: Held): Value {
  return first ? b.transpose(value, TO_LAST) : value;
}

/** A picture in our order. */
export function channelsFirst(b: Builder, held: Held): Value {
  return held.first ? held.value : changed(b, held, byOrder(held.value.dims, TO_FIRST)).value;
}

/** What becomes of a constant: its dims, and its numbers. */
export interface Change {
  readonly dims: Dims;
  readonly perm?: readonly number[];
}

function byOrder(dims: Dims, perm: readonly number[]): Change {
  return { dims: perm.map((axis) => dims[axis]!), perm };
}

/** A value with its axes in another order, and then of other dims. What was not read yet is changed when it is. */
export function changed(b: Builder, { value, lazy }: Held, { dims, perm }: Change): Held {
  if (!lazy) return plain(b.reshape(perm ? b.transpose(value, perm) : value, dims));
  const load = async (): Promise<Tensor> => {
    const found = await lazy.load();
    return { ...(perm ? transpose(found, perm) : found), dims };
  };
  const later = { dtype: lazy.dtype, dims, load };
  return { value: b.constant(later, value.name), first: false, lazy: later };
}

/**
 * Values that are combined element by element, in one order: ours as soon as one of them is a picture in it. Throws nothing: what does
 * not fit is seen by the operator.
 */
export function together(b: Builder, all: readonly Held[]): { values: readonly Value[]; as: (value: Value) => Held } {
  if (!all.some((h) => h.first) || all.some((h) => h.value.dims.length > 4))
    return { values: all.map((h) => last(b, h)), as: plain };
  const values = all.map((held) => {
    const { dims } = held.value;
    if (held.first || dims.length === 0) return held.value;
    if (sizeOf(dims) === 1) return dims.length === 1 ? held.value : changed(b, held, { dims: [1] }).value;
    if (dims.length === 1) return changed(b, held, { dims: [dims[0]!, 1, 1] }).value;
    const four = [...Array.from({ length: 4 - dims.length }, () => 1), ...dims];
    return channelsFirst(b, dims.length === 4 ? held : changed(b, held, { dims: four }));
  });
  return { values, as: picture };
}

/**
 * A value with other dims and the same elements in the order that TensorFlow sees. `pictures` says that a result with one position or
 * one channel may be held as a picture.
 */
export function reshaped(b: Builder, held: Held, dims: Dims, pictures: boolean, name?: string): Held {
  const add = (value: Value, to: Dims): Value => b.one('Reshape', [value, b.ints(to)], {}, name);
  const as = (value: Value): Held => {
    const [n, h, w, c] = dims as [number, number, number, number];
    const one = dims.length === 4 && (h * w === 1 || c === 1);
    return one && pictures ? picture(add(value, [n, c, h, w])) : plain(add(value, dims));
  };
  if (!held.first) return as(held.value);
  const [, c, h, w] = held.value.dims as [number, number, number, number];
  // With one position or one channel both orders are the same.
  return as(c === 1 || h * w === 1 ? held.value : last(b, held));
}
