/** @file A tensor is a dtype, dims and a typed array in row-major order: plain data. */
import { PhospheneError } from '../errors.ts';

/** Element types that graphs use, with the array that holds each. float16 is held as its bits. */
export interface DataArrays {
  float32: Float32Array;
  float64: Float64Array;
  float16: Uint16Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int16: Int16Array;
  uint16: Uint16Array;
  int32: Int32Array;
  int64: BigInt64Array;
  bool: Uint8Array;
}
/** The type of a tensor's elements. */
export type DType = keyof DataArrays;

/** Axis lengths, outermost first; images are [n, c, h, w]. */
export type Dims = readonly number[];

/** Numbers with a shape, in row-major order. */
export interface Tensor<T extends DType = DType> {
  readonly dtype: T;
  readonly dims: Dims;
  readonly data: DataArrays[T];
}

/** Tensors by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A big constant that was not read yet: a weight of a file. Its dtype and dims are known, so that shapes can be inferred. */
export interface Lazy<T extends DType = DType> {
  readonly dtype: T;
  readonly dims: Dims;
  /** Reads it; each call may read it anew. */
  load(): Promise<Tensor<T>>;
}

/** What a graph holds beside its nodes. */
export type Constant<T extends DType = DType> = Tensor<T> | Lazy<T>;

/**
 * Whether a constant was not read yet.
 *
 * @example
 * isLazy(float32([1, 2])); // false
 */
export function isLazy(constant: Constant): constant is Lazy {
  return 'load' in constant;
}

/**
 * What `change` makes of a constant, of the same dtype and of `dims`: at once if it is known, else when it is read. So a weight that is made
 * of another takes memory only while it is written.
 *
 * @example
 * const ones = float32([1, 1]);
 * derived(ones, ones.dims, ({ data, dims }) => float32(data.map((v) => 2 * v), dims));
 */
export function derived<T extends DType>(
  constant: Tensor<T> | Lazy<T>,
  dims: Dims,
  change: (t: Tensor<T>) => Tensor<T>,
): Tensor<T> | Lazy<T> {
  if (!('load' in constant)) return change(constant);
  return { dtype: constant.dtype, dims, load: async () => change(await constant.load()) };
}

export const arrayTypes: {
  readonly [T in DType]: {
    new (length: number): DataArrays[T];
    new (buffer: ArrayBufferLike, offset: number, length: number): DataArrays[T];
    readonly BYTES_PER_ELEMENT: number;
  };
} = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
};

/** Whether a word names an element type. */
export function isDType(word: string): word is DType {
  return Object.hasOwn(arrayTypes, word);
}

/** Whether a constant is of float32, as weights are. */
export function isFloat32(t: Tensor): t is Tensor<'float32'>;
export function isFloat32(t: Constant): t is Constant<'float32'>;
export function isFloat32(t: Constant): boolean {
  return t.dtype === 'float32';
}

/** Number of elements in `dims`. */
export function sizeOf(dims: Dims): number {
  return dims.reduce((product, d) => product * d, 1);
}

/** Bytes of a constant's numbers. */
export function bytesOf({ dtype, dims }: Constant): number {
  return sizeOf(dims) * arrayTypes[dtype].BYTES_PER_ELEMENT;
}

export function sameDims(a: Dims, b: Dims): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** Distance in elements between neighbours on each axis of a row-major tensor. */
export function stridesOf(dims: Dims): number[] {
  const strides = Array.from({ length: dims.length }, () => 1);
  for (let i = dims.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * dims[i + 1]!;
  return strides;
}

/**
 * A tensor over `data` (not copied). Throws `shape` when the length does not fit the dims.
 *
 * @example
 * tensor('uint8', [2, 2], Uint8Array.of(1, 2, 3, 4)).dims; // [2, 2]
 */
export function tensor<T extends DType>(dtype: T, dims: Dims, data: DataArrays[T]): Tensor<T> {
  if (data.length !== sizeOf(dims)) {
    throw new PhospheneError('shape', `tensor: ${data.length} elements do not fill [${dims.join(', ')}]`);
  }
  return { dtype, dims, data };
}

/**
 * A float32 tensor; a plain number becomes a scalar, an array a vector unless dims say otherwise.
 *
 * @example
 * float32([1, 2, 3, 4], [2, 2]).data.length; // 4
 */
export function float32(values: number | readonly number[] | Float32Array, dims?: Dims): Tensor<'float32'> {
  const data =
    typeof values === 'number'
      ? Float32Array.of(values)
      : values instanceof Float32Array
        ? values
        : Float32Array.from(values);
  return tensor('float32', dims ?? (typeof values === 'number' ? [] : [data.length]), data);
}

/**
 * An int64 tensor, ONNX's type for shapes, axes and indices.
 *
 * @example
 * int64(7).data[0]; // 7n
 */
export function int64(values: number | readonly number[], dims?: Dims): Tensor<'int64'> {
  const list = typeof values === 'number' ? [values] : values;
  return tensor('int64', dims ?? (typeof values === 'number' ? [] : [list.length]), BigInt64Array.from(list, toInt64));
}

/** The nearest int64 of a whole number: "to the end" is the largest of them, which as a number is one too many. */
export function toInt64(value: number): bigint {
  return value >= 2 ** 63 ? 2n ** 63n - 1n : value <= -(2 ** 63) ? -(2n ** 63n) : BigInt(value);
}

/** The elements as numbers (int64 included). */
export function toNumbers(t: Tensor): number[] {
  return Array.from(t.data as ArrayLike<number | bigint>, Number);
}

/** The largest number of float32. */
const LARGEST = (2 - 2 ** -23) * 2 ** 127;

/**
 * What stands around a picture in place of an infinite number: no pooling takes it either, and a gradient that multiplies it by zero
 * is zero, where ∞ would give no number.
 */
export function bounded(value: number): number {
  return Math.min(Math.max(value, -LARGEST), LARGEST);
}
