/** @file What parameterisations know of photographs, measured on photos of one's own. */
import { PhospheneError } from '../errors.ts';
import type { Tensor } from '../ir/tensor.ts';

/** Photos [1, 3, h, w], values in [-1, 1]; taken one by one, so that they need not all be in memory. */
export type Photos = Iterable<Tensor<'float32'>> | AsyncIterable<Tensor<'float32'>>;

/**
 * The matrix of photos' colours, for the setting `colour`: U √S of the covariance U S Uᵀ of their values, so that its columns are
 * the axes of the colours, the longest first. Photos are [1, 3, h, w], and count the same whatever their size.
 *
 * Throws `bad-option` if there is no photo, if one has not three channels, or if all their colours lie in a plane.
 *
 * @example
 * const colour = await measureColours(photos);
 * params.make({ kind: 'fourier', colour });
 */
export async function measureColours(photos: Photos): Promise<readonly number[]> {
  const [mean, products] = [new Float64Array(3), new Float64Array(9)];
  let count = 0;
  for await (const photo of photos) {
    const plane = planeOf(photo);
    count++;
    for (let r = 0; r < 3; r++)
      for (let i = 0; i < plane; i++) {
        const value = photo.data[r * plane + i]!;
        mean[r]! += value / plane;
        for (let c = 0; c < 3; c++) products[3 * r + c]! += (value * photo.data[c * plane + i]!) / plane;
      }
  }
  if (count === 0)
    throw new PhospheneError('bad-option', 'photos: there are none; colours are measured on one at least');
  const covariance = products.map((p, k) => p / count - (mean[Math.floor(k / 3)]! * mean[k % 3]!) / count ** 2);
  const axes = eigen(covariance).sort((a, b) => b.value - a.value);
  if (axes[2]!.value <= 1e-9 * axes[0]!.value || !(axes[0]!.value > 0))
    throw new PhospheneError(
      'bad-option',
      'photos: their colours all lie in a plane, as those of grey photos do; add photos of other colours, or choose the colours `lucid`',
    );
  const columns = axes.map(({ value, vector }) => {
    const largest = vector.reduce((a, b) => (Math.abs(b) > Math.abs(a) ? b : a));
    return vector.map((v) => v * Math.sign(largest) * Math.sqrt(value));
  });
  return [0, 1, 2].flatMap((row) => columns.map((column) => column[row]!));
}

/** The pixels of a colour photo. */
function planeOf({ dims }: Tensor): number {
  if (dims.length !== 4 || dims[0] !== 1 || dims[1] !== 3)
    throw new PhospheneError('bad-option', `photos: one is [${dims.join(', ')}]; colours need [1, 3, height, width]`, {
      dims,
    });
  return dims[2]! * dims[3]!;
}

/** Eigenvalues and unit eigenvectors of a symmetric 3×3 matrix, by Jacobi's rotations. */
function eigen(symmetric: ArrayLike<number>): { value: number; vector: readonly number[] }[] {
  const a = Float64Array.from(symmetric);
  const vectors = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
  // Three sweeps reach all digits of float64; a few more cost nothing.
  for (let sweep = 0; sweep < 12; sweep++)
    for (const [p, q] of [
      [0, 1],
      [0, 2],
      [1, 2],
    ] as const) {
      const off = a[3 * p + q]!;
      if (off === 0) continue;
      const angle = Math.atan2(2 * off, a[4 * q]! - a[4 * p]!) / 2;
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      const turn = (m: Float64Array, i: number, j: number): void => {
        const [x, y] = [m[i]!, m[j]!];
        m[i] = c * x - s * y;
        m[j] = s * x + c * y;
      };
      for (let k = 0; k < 3; k++) turn(a, 3 * k + p, 3 * k + q);
      for (let k = 0; k < 3; k++) turn(a, 3 * p + k, 3 * q + k);
      for (let k = 0; k < 3; k++) turn(vectors, 3 * k + p, 3 * k + q);
    }
  return [0, 1, 2].map((k) => ({ value: a[4 * k]!, vector: [0, 1, 2].map((row) => vectors[3 * row + k]!) }));
}
