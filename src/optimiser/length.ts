/** @file The length of the gradient of each picture. Parameters and their gradients count pictures along their first axis. */
import type { Builder, Value } from '../ir/builder.ts';

/**
 * For each gradient, what brings it to one length when it is divided by it: the L2 norm over all parameters of its picture, bounded below
 * as in TensorFlow's `l2_normalize`: sqrt(max(Σg², 1e-12)). A scalar if there is one picture; else a value for each, [n, 1 …], so that no
 * picture takes another's share of the step.
 *
 * @example
 * const [size] = lengths(b, [g]);
 * const unit = b.div(g, size!);
 */
export function lengths(b: Builder, gradients: readonly Value[]): readonly Value[] {
  const bounded = (squares: readonly Value[]): Value =>
    b.sqrt(
      b.max(
        squares.reduce((sum, one) => b.add(sum, one)),
        1e-12,
      ),
    );
  if (isOne(gradients)) {
    const all = bounded(gradients.map((g) => b.one('ReduceSumSquare', [g], { keepdims: 0 })));
    return gradients.map(() => all);
  }
  const each = bounded(gradients.map((g) => b.sum(b.mul(g, g), inner(g), false)));
  return gradients.map((g) => b.reshape(each, [g.dims[0]!, ...inner(g).map(() => 1)]));
}

/** Gradients that are no longer than `most`, those of each picture together; as they are if it is 0. */
export function clipped(b: Builder, gradients: readonly Value[], most: number): readonly Value[] {
  if (most === 0) return gradients;
  return lengths(b, gradients).map((length, i) => b.mul(gradients[i]!, b.min(b.div(most, length), 1)));
}

/** The standard deviation of each picture's values, tiny at least: a scalar if there is one picture, else [n, 1 …]. */
export function deviation(b: Builder, x: Value): Value {
  const [axes, keep] = isOne([x]) ? [undefined, false] : [inner(x), true];
  const centred = b.sub(x, b.mean(x, axes, keep));
  return b.max(b.sqrt(b.mean(b.mul(centred, centred), axes, keep)), 1e-12);
}

/** Whether there is one picture. */
const isOne = ([first]: readonly Value[]): boolean => first?.dims[0] === 1;
/** The axes of a picture's own values. */
const inner = ({ dims }: Value): number[] => dims.map((_, axis) => axis).slice(1);
