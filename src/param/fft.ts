/** @file The discrete Fourier transform of numbers at hand, for what is computed once: photos that an ascent starts from, spectra. */

/** Numbers of a complex signal or spectrum. */
export interface Complex {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/**
 * Σ x[j] exp(-2πi jk/n) for each k; any length. Lengths with small factors are fast (Cooley–Tukey), primes are summed as they stand.
 *
 * @example
 * fft({ re: Float64Array.of(1, 0, 0), im: new Float64Array(3) }).re; // [1, 1, 1]
 */
export function fft({ re, im }: Complex): Complex {
  const n = re.length;
  const p = smallestFactor(n);
  const m = n / p;
  // Each of p interleaved parts by itself; of a prime length, these are single numbers.
  const parts = Array.from({ length: p }, (_, r) => {
    const part = { re: strided(re, r, p, m), im: strided(im, r, p, m) };
    return m === 1 ? part : fft(part);
  });
  const out = { re: new Float64Array(n), im: new Float64Array(n) };
  const [cosines, sines] = [Math.cos, Math.sin].map((f) =>
    Float64Array.from({ length: n }, (_, k) => f((-2 * Math.PI * k) / n)),
  );
  for (let k = 0; k < n; k++) {
    let [x, y] = [0, 0];
    for (let r = 0; r < p; r++) {
      const [a, b] = [parts[r]!.re[k % m]!, parts[r]!.im[k % m]!];
      const [c, s] = [cosines![(r * k) % n]!, sines![(r * k) % n]!];
      x += a * c - b * s;
      y += a * s + b * c;
    }
    out.re[k] = x;
    out.im[k] = y;
  }
  return out;
}

/**
 * The transform of a real picture [height, width], row by row: [height, floor(width / 2) + 1], since the other half of its columns
 * mirrors these. Not normalised, as NumPy's `rfft2`.
 */
export function rfft2(plane: ArrayLike<number>, height: number, width: number): Complex {
  const half = Math.floor(width / 2) + 1;
  const out = { re: new Float64Array(height * half), im: new Float64Array(height * half) };
  for (let y = 0; y < height; y++) {
    const row = Float64Array.from({ length: width }, (_, x) => plane[y * width + x]!);
    const { re, im } = fft({ re: row, im: new Float64Array(width) });
    out.re.set(re.subarray(0, half), y * half);
    out.im.set(im.subarray(0, half), y * half);
  }
  for (let x = 0; x < half; x++) {
    const { re, im } = fft({ re: strided(out.re, x, half, height), im: strided(out.im, x, half, height) });
    for (let y = 0; y < height; y++) {
      out.re[y * half + x] = re[y]!;
      out.im[y * half + x] = im[y]!;
    }
  }
  return out;
}

/**
 * Cycles per pixel of each coefficient of {@link rfft2}: from 0 to √½.
 *
 * @example
 * frequencies(1, 4); // [0, 0.25, 0.5]
 */
export function frequencies(height: number, width: number): Float64Array {
  const half = Math.floor(width / 2) + 1;
  return Float64Array.from({ length: height * half }, (_, i) => {
    const y = Math.floor(i / half);
    return Math.hypot(Math.min(y, height - y) / height, (i % half) / width);
  });
}

function strided(values: Float64Array, from: number, step: number, count: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => values[from + i * step]!);
}

function smallestFactor(n: number): number {
  for (let p = 2; p * p <= n; p++) if (n % p === 0) return p;
  return n;
}
