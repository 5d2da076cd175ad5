/** @file Pictures at another size: Lanczos' filter along each axis, widened if the picture shrinks, so that nothing aliases. */
import { PhospheneError } from '../errors.ts';
import { float32, type Tensor } from '../ir/tensor.ts';

/** Height and width in pixels. */
export interface PhotoSize {
  readonly height: number;
  readonly width: number;
}

/** Lobes of the filter on each side. */
const LOBES = 3;

/** What one output sample is made of: `weights.length` input samples from `from` on. */
interface Kernel {
  readonly from: number;
  readonly weights: Float64Array;
}

/**
 * The picture [n, c, h, w] at another size; values may leave their range a little at sharp edges, as with every filter that keeps edges
 * sharp. The same as Pillow's LANCZOS. Throws `shape` for another number of axes.
 *
 * @example
 * resize(pixels, { height: 180, width: 180 }).dims; // [1, 3, 180, 180]
 */
export function resize(picture: Tensor<'float32'>, { height, width }: PhotoSize): Tensor<'float32'> {
  const [n, c, h, w] = picture.dims;
  if (picture.dims.length !== 4)
    throw new PhospheneError('shape', `resize: [${picture.dims.join(', ')}] is no picture [n, c, h, w]`);
  if (h === height && w === width) return picture;
  const planes = n! * c!;
  const narrow = alongRows(picture.data, planes * h!, w!, kernels(w!, width));
  return float32(alongColumns(narrow, planes, h!, width, kernels(h!, height)), [n!, c!, height, width]);
}

function kernels(from: number, to: number): Kernel[] {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const reach = LOBES * stretch;
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const last = Math.min(from, Math.trunc(centre + reach + 0.5));
    const weights = Float64Array.from({ length: last - first }, (__, k) =>
      lanczos((first + k + 0.5 - centre) / stretch),
    );
    const sum = weights.reduce((a, b) => a + b, 0);
    return { from: first, weights: weights.map((weight) => weight / sum) };
  });
}

function lanczos(x: number): number {
  if (Math.abs(x) >= LOBES) return 0;
  return sinc(x) * sinc(x / LOBES);
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function alongRows(data: Float32Array, rows: number, width: number, to: readonly Kernel[]): Float32Array {
  const out = new Float32Array(rows * to.length);
  for (let y = 0; y < rows; y++) {
    for (const [x, { from, weights }] of to.entries()) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k]! * data[y * width + from + k]!;
      out[y * to.length + x] = sum;
    }
  }
  return out;
}

function alongColumns(
  data: Float32Array,
  planes: number,
  height: number,
  width: number,
  to: readonly Kernel[],
): Float32Array {
  const out = new Float32Array(planes * to.length * width);
  const row = new Float64Array(width);
  for (let p = 0; p < planes; p++) {
    for (const [y, { from, weights }] of to.entries()) {
      // Row by row, so that memory is read in its order.
      row.fill(0);
      for (let k = 0; k < weights.length; k++) {
        const at = (p * height + from + k) * width;
        for (let x = 0; x < width; x++) row[x]! += weights[k]! * data[at + x]!;
      }
      out.set(row, (p * to.length + y) * width);
    }
  }
  return out;
}
