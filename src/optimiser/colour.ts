/** @file How the colours of photographs go together, as a preconditioner of gradients. */
import type { Builder, Value } from '../ir/builder.ts';
import { float32 } from '../ir/tensor.ts';

/**
 * Lucid's square root of the colour covariance of ImageNet, N, divided by the length of its longest column. A row a channel of RGB, a
 * column a decorrelated colour: light and dark, blue and yellow, green and magenta.
 */
const columns = [
  [0.26, 0.09, 0.02],
  [0.27, 0, -0.05],
  [0.27, -0.09, 0.03],
] as const;

/** How strongly colours are mixed, as a power of the covariance N·Nᵀ. */
export type Mixing = 'none' | 'root' | 'full';

/** `x` [n, 3, h, w] with its colours mixed by a power of their covariance; any other number of channels is left as it is. */
export function mixed(b: Builder, x: Value, mixing: Mixing): Value {
  if (mixing === 'none' || x.dims[1] !== 3) return x;
  const longest = Math.max(...[0, 1, 2].map((j) => Math.hypot(...columns.map((row) => row[j]!))));
  const n = columns.map((row) => row.map((v) => v / longest));
  const covariance = product(n, transposed(n));
  const matrix = mixing === 'full' ? covariance : root(covariance);
  // A 1×1 convolution: each channel of the result is a sum over those of x.
  return b.conv(x, b.constant(float32(matrix.flat(), [3, 3, 1, 1])));
}

type Matrix = readonly (readonly number[])[];

/** The symmetric square root of a positive definite 3×3 matrix: the iteration of Denman and Beavers, which converges quadratically. */
export function root(matrix: Matrix): Matrix {
  let [y, z]: [Matrix, Matrix] = [matrix, identity];
  for (let i = 0; i < 20; i++) [y, z] = [mean(y, inverse(z)), mean(z, inverse(y))];
  return y;
}

const identity: Matrix = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];

const transposed = (m: Matrix): Matrix => m[0]!.map((_, j) => m.map((row) => row[j]!));
const mean = (a: Matrix, b: Matrix): Matrix => a.map((row, i) => row.map((v, j) => (v + b[i]![j]!) / 2));
const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => transposed(b).map((column) => row.reduce((sum, v, k) => sum + v * column[k]!, 0)));

/** Of a 3×3 matrix, by its cofactors. */
function inverse(m: Matrix): Matrix {
  const at = (i: number, j: number): number => m[(i + 3) % 3]![(j + 3) % 3]!;
  const cofactor = (i: number, j: number): number =>
    at(i + 1, j + 1) * at(i + 2, j + 2) - at(i + 1, j + 2) * at(i + 2, j + 1);
  const determinant = [0, 1, 2].reduce((sum, j) => sum + at(0, j) * cofactor(0, j), 0);
  return [0, 1, 2].map((i) => [0, 1, 2].map((j) => cofactor(j, i) / determinant));
}
