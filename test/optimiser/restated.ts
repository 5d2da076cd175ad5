/** @file What optimisers compute, written out once more in float64, by the formulas and not by our ways of computing them. */

/** A picture [c, h, w] as numbers. */
export interface Planes {
  readonly c: number;
  readonly h: number;
  readonly w: number;
  readonly data: readonly number[];
}

/** Frequencies of a discrete Fourier transform of n samples, in cycles a sample, as `numpy.fft.fftfreq`. */
const fftfreq = (n: number): number[] => Array.from({ length: n }, (_, k) => (k < (n + 1) >> 1 ? k : k - n) / n);

/** The picture with its spectrum times `gain`: the complex transform and its inverse, by their sums. */
export function filteredBySums({ c, h, w, data }: Planes, gain: (f: number) => number): number[] {
  const [fy, fx] = [fftfreq(h), fftfreq(w)];
  const out = Array.from({ length: c * h * w }, () => 0);
  for (let p = 0; p < c; p++)
    for (let ky = 0; ky < h; ky++)
      for (let kx = 0; kx < w; kx++) {
        let [re, im] = [0, 0];
        for (let y = 0; y < h; y++)
          for (let x = 0; x < w; x++) {
            const angle = -2 * Math.PI * (fy[ky]! * y + fx[kx]! * x);
            const v = data[(p * h + y) * w + x]!;
            re += v * Math.cos(angle);
            im += v * Math.sin(angle);
          }
        const factor = gain(Math.hypot(fy[ky]!, fx[kx]!)) / (h * w);
        for (let y = 0; y < h; y++)
          for (let x = 0; x < w; x++) {
            const angle = 2 * Math.PI * (fy[ky]! * y + fx[kx]! * x);
            out[(p * h + y) * w + x]! += factor * (re * Math.cos(angle) - im * Math.sin(angle));
          }
      }
  return out;
}

/** N of Lucid's `color.py`: `color_correlation_svd_sqrt / max_norm_svd_sqrt`. */
const svdSqrt = [
  [0.26, 0.09, 0.02],
  [0.27, 0.0, -0.05],
  [0.27, -0.09, 0.03],
];
const maxNorm = Math.max(...[0, 1, 2].map((j) => Math.hypot(...svdSqrt.map((row) => row[j]!))));

/** N·Nᵀ. */
export const covariance: readonly (readonly number[])[] = svdSqrt.map((a) =>
  svdSqrt.map((b) => a.reduce((sum, v, k) => sum + (v * b[k]!) / maxNorm ** 2, 0)),
);

/** Each pixel's colours by a 3×3 matrix. */
export function coloured({ h, w, data }: Planes, matrix: readonly (readonly number[])[]): number[] {
  return Array.from({ length: 3 * h * w }, (_, i) => {
    const [p, at] = [Math.floor(i / (h * w)), i % (h * w)];
    return [0, 1, 2].reduce((sum, k) => sum + matrix[p]![k]! * data[k * h * w + at]!, 0);
  });
}

export const norm = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
export const deviation = (values: readonly number[]): number => {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
};
