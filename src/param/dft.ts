/** @file The inverse Fourier transform in a graph, as products with constant matrices: it needs no operator and no gradient of its own. */
import type { Builder, Value } from '../ir/builder.ts';
import { float32 } from '../ir/tensor.ts';

/**
 * The real pictures [n, c, h, width] of spectra [n, c, 2h, floor(width / 2) + 1], which have the real parts of all rows above the
 * imaginary ones. NumPy's `irfft2`, so with a factor of 1 / (h · width), for odd and even sizes: what of a spectrum no real picture
 * can have (imaginary parts of the mean, for example) does not count.
 */
export function inverseDft(b: Builder, spectrum: Value, width: number): Value {
  const [, , both, half] = spectrum.dims as [number, number, number, number];
  const height = both / 2;
  const wave = (f: (angle: number) => number, i: number, k: number, n: number): number =>
    f((2 * Math.PI * ((i * k) % n)) / n);
  // Down the columns, to the real and to the imaginary parts of what is then half-transformed.
  const down = (re: (i: number, k: number) => number, im: (i: number, k: number) => number): Value =>
    matrix(b, height, 2 * height, (i, k) => (k < height ? re(i, k) : im(i, k - height)) / height);
  const cosine = (i: number, k: number): number => wave(Math.cos, i, k, height);
  const sine = (i: number, k: number): number => wave(Math.sin, i, k, height);
  const re = b.matmul(
    down(cosine, (i, k) => -sine(i, k)),
    spectrum,
  );
  const im = b.matmul(down(sine, cosine), spectrum);
  // Along the rows: each column stands for its mirror image too, but for the mean and, of an even width, the highest frequency.
  const twice = (k: number): number => (k === 0 || 2 * k === width ? 1 : 2) / width;
  const across = (f: (angle: number) => number): Value =>
    matrix(b, half, width, (k, j) => twice(k) * wave(f, j, k, width));
  return b.sub(b.matmul(re, across(Math.cos)), b.matmul(im, across(Math.sin)));
}

function matrix(b: Builder, rows: number, columns: number, at: (row: number, column: number) => number): Value {
  const data = b.budget.floats(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) data[i * columns + j] = at(i, j);
  return b.constant(float32(data, [rows, columns]));
}
