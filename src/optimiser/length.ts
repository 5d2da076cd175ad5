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
