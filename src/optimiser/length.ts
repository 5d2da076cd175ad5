/** @file The length of a gradient. */
import type { Builder, Value } from '../ir/builder.ts';

/**
 * The L2 norm over all parameters, a scalar, bounded below as in TensorFlow's `l2_normalize`: sqrt(max(Σg², 1e-12)).
 *
 * @example
 * const unit = b.div(g, length(b, [g]));
 */
export function length(b: Builder, gradients: readonly Value[]): Value {
  const squares = gradients
    .map((g) => b.one('ReduceSumSquare', [g], { keepdims: 0 }))
    .reduce((sum, one) => b.add(sum, one));
  return b.sqrt(b.max(squares, 1e-12));
}

/** Gradients that are together no longer than `most`; as they are if it is 0. */
export function clipped(b: Builder, gradients: readonly Value[], most: number): readonly Value[] {
  if (most === 0) return gradients;
  const factor = b.min(b.div(most, length(b, gradients)), 1);
  return gradients.map((g) => b.mul(g, factor));
}
