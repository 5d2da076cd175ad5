/**
 * @file Colours: parameters stand for decorrelated colours, so that a step in any of them is as likely in a photograph as in any
 * other; and the squashing that keeps a picture within its range.
 */
import type { Builder, Value } from '../ir/builder.ts';
import { float32, type Tensor } from '../ir/tensor.ts';
import type { Setting } from '../settings.ts';

/** Lucid's matrix, no matrix, or nine numbers: the rows R, G, B of a root of the colours' covariance, of any scale. */
export type Colours = 'lucid' | 'none' | readonly number[];

/**
 * Measured on ImageNet by Lucid's authors (`lucid/optvis/param/color.py`): U √S of the covariance U S Uᵀ of the values in [0, 1].
 * Its columns are about brightness, blue against yellow, and green against magenta.
 */
const LUCID = [0.26, 0.09, 0.02, 0.27, 0, -0.05, 0.27, -0.09, 0.03];

/** The setting `colour` of parameterisations. A picture that has not three channels has no colours. */
export const colours: Setting<Colours> = {
  help: "Decorrelated colours: lucid, none, or nine numbers of one's own, the rows R, G, B of a matrix",
  default: 'lucid',
  takes: 'one of lucid, none, or nine numbers of a matrix that has an inverse',
  accept(value) {
    if (value === 'lucid' || value === 'none') return value;
    if (!Array.isArray(value) || value.length !== 9 || !value.every((v) => Number.isFinite(v))) return undefined;
    const matrix = value as readonly number[];
    return Math.abs(determinant(normalised(matrix))) > 1e-9 ? matrix : undefined;
  },
  parse: (text) =>
    text.includes(',') ? text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part))) : text,
};

/**
 * The picture of decorrelated values [n, c, h, w]: mixed to RGB, then brought into (-1, 1) by a sigmoid. Lucid's
 * `to_valid_rgb(decorrelate, sigmoid)` has the same in (0, 1); 2σ(x) - 1 = tanh(x / 2).
 */
export function pictureOf(b: Builder, values: Value, given: Colours): Value {
  return b.tanh(b.mul(mixed(b, values, given), 0.5));
}

/** How far from zero a photo's values are held: half a step of 8 bits away from the ends of the range. */
const MOST = 1 - 1 / 255;
/** The value whose sigmoid is as opaque as a photo can be. */
export const opaque = 2 * Math.atanh(MOST);

/**
 * What {@link pictureOf} makes a photo of, in float64. A sigmoid reaches neither end of its range, so
 * the photo is held a little away from them.
 */
export function valuesOf({ data, dims }: Tensor<'float32'>, given: Colours): Float64Array {
  const before = Float64Array.from(data, (v) => 2 * Math.atanh(Math.min(Math.max(v, -MOST), MOST)));
  const matrix = matrixOf(given, dims[1]!);
  if (!matrix) return before;
  const back = inverted(matrix);
  const plane = dims[2]! * dims[3]!;
  return before.map((_, i) => {
    const [n, row, at] = [Math.floor(i / (3 * plane)), Math.floor(i / plane) % 3, i % plane];
    return [0, 1, 2].reduce((sum, c) => sum + back[3 * row + c]! * before[(3 * n + c) * plane + at]!, 0);
  });
}

/** RGB of decorrelated colours, [n, 3, h, w]. */
function mixed(b: Builder, values: Value, given: Colours): Value {
  const { dims } = values;
  const matrix = matrixOf(given, dims[1]!);
  if (!matrix) return values;
  const flat = b.reshape(values, [dims[0]!, 3, dims[2]! * dims[3]!]);
  return b.reshape(b.matmul(b.constant(float32(matrix, [3, 3])), flat), dims);
}

/** The matrix for a picture of so many channels, scaled so that the longest of its columns has length one; undefined if there is none. */
export function matrixOf(given: Colours, channels: number): readonly number[] | undefined {
  if (channels !== 3 || given === 'none') return undefined;
  return normalised(given === 'lucid' ? LUCID : given);
}

function normalised(matrix: readonly number[]): readonly number[] {
  const longest = Math.max(...[0, 1, 2].map((c) => Math.hypot(matrix[c]!, matrix[3 + c]!, matrix[6 + c]!)));
  return matrix.map((value) => value / longest);
}

function determinant([a, b, c, d, e, f, g, h, i]: readonly number[]): number {
  return a! * (e! * i! - f! * h!) - b! * (d! * i! - f! * g!) + c! * (d! * h! - e! * g!);
}

/** The inverse of a 3×3 matrix, row by row. */
export function inverted(matrix: readonly number[]): readonly number[] {
  const [a, b, c, d, e, f, g, h, i] = matrix as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const by = determinant(matrix);
  return [
    e * i - f * h,
    c * h - b * i,
    b * f - c * e,
    f * g - d * i,
    a * i - c * g,
    c * d - a * f,
    d * h - e * g,
    b * g - a * h,
    a * e - b * d,
  ].map((value) => value / by);
}
