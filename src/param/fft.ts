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
  const out = { re: new Float64Array(n), im: new Float64Array(n) };
  const scratch = { re: new Float64Array(n), im: new Float64Array(n) };
  into(out, 0, { re, im }, 0, 1, n, scratch, wavesOf(n));
  return out;
}

/** The transform of `n` numbers of `x`, `step` apart from `from` on, into `out` from `to` on; `waves` are those of the whole. */
function into(
  out: Complex,
  to: number,
  x: Complex,
  from: number,
  step: number,
  n: number,
  scratch: Complex,
  waves: Complex,
): void {
  if (n === 1) {
    out.re[to] = x.re[from]!;
    out.im[to] = x.im[from]!;
    return;
  }
  const p = smallestFactor(n);
  const m = n / p;
  // Each of p interleaved parts by itself, one behind the other; then they are combined.
  for (let r = 0; r < p; r++) into(scratch, to + r * m, x, from + r * step, p * step, m, out, waves);
  for (let k = 0; k < n; k++) {
    let [a, b] = [0, 0];
    for (let r = 0; r < p; r++) {
      const at = to + r * m + (k % m);
      const wave = ((r * k) % n) * step;
      a += scratch.re[at]! * waves.re[wave]! - scratch.im[at]! * waves.im[wave]!;
      b += scratch.re[at]! * waves.im[wave]! + scratch.im[at]! * waves.re[wave]!;
    }
    out.re[to + k] = a;
    out.im[to + k] = b;
  }
}

/** exp(-2πi k/n) for each k. The last length is remembered: pictures are transformed row by row. */
function wavesOf(n: number): Complex {
  if (last?.re.length !== n)
    last = {
      re: Float64Array.from({ length: n }, (_, k) => Math.cos((2 * Math.PI * k) / n)),
      im: Float64Array.from({ length: n }, (_, k) => -Math.sin((2 * Math.PI * k) / n)),
    };
  return last;
}
let last: Complex | undefined;

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
