/**
 * @file The discrete Fourier transform as matrix products: sines and cosines as the rows of an orthogonal matrix. It needs no operator
 * and no rule of its own, takes any length, odd or even, and its inverse is its transpose.
 */
import type { Builder, Value } from '../ir/builder.ts';
import { float32, type Tensor } from '../ir/tensor.ts';

/** Cycles a sample of each row of {@link fourierBasis}: 0, 1/n, 1/n, 2/n, 2/n … and 1/2 last if n is even. */
export function fourierFrequencies(n: number): number[] {
  return Array.from({ length: n }, (_, row) => Math.ceil(row / 2) / n);
}

/**
 * The orthonormal Fourier basis of real signals of `n` samples, [n, n]: a constant row, then a cosine and a sine for each frequency, and if
 * n is even the alternating row last. The product with its transpose is the identity.
 *
 * @example
 * fourierBasis(2).data; // [1, 1, 1, -1] / √2
 */
export function fourierBasis(n: number): Tensor<'float32'> {
  const data = new Float32Array(n * n);
  fourierFrequencies(n).forEach((f, row) => {
    const alone = row === 0 || 2 * f === 1;
    const scale = Math.sqrt((alone ? 1 : 2) / n);
    const cycles = Math.round(f * n);
    for (let x = 0; x < n; x++) {
      // The product is reduced first: a sine of a large angle has lost its digits.
      const angle = (2 * Math.PI * ((cycles * x) % n)) / n;
      data[row * n + x] = scale * (row % 2 === 1 ? Math.cos(angle) : row === 0 ? 1 : Math.sin(angle));
    }
  });
  return float32(data, [n, n]);
}

/**
 * A picture [n, c, h, w] whose frequencies are each multiplied by `gain` of their radius, in cycles a pixel. Four products with square
 * matrices: sines and cosines along both axes together are a basis in which every filter that is equal in all directions is diagonal.
 *
 * @example
 * const smooth = filtered(b, gradient, (f) => 1 / Math.max(f, 1 / 180));
 */
export function filtered(b: Builder, x: Value, gain: (frequency: number) => number): Value {
  const [, , h, w] = x.dims as [number, number, number, number];
  b.budget.take(4 * (2 * h * h + 2 * w * w + h * w));
  const rows = fourierBasis(h);
  const columns = fourierBasis(w);
  const across = fourierFrequencies(w);
  const gains = fourierFrequencies(h).flatMap((fy) => across.map((fx) => gain(Math.hypot(fx, fy))));
  const spectrum = b.matmul(b.matmul(b.constant(rows), x), b.constant(transposed(columns)));
  const kept = b.mul(spectrum, b.constant(float32(Float32Array.from(gains), [h, w])));
  return b.matmul(b.matmul(b.constant(transposed(rows)), kept), b.constant(columns));
}

function transposed({ data, dims: [n] }: Tensor<'float32'>): Tensor<'float32'> {
  const size = n!;
  return float32(
    Float32Array.from(data, (_, i) => data[(i % size) * size + Math.floor(i / size)]!),
    [size, size],
  );
}
