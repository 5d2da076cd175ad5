/** @file An objective is a function from a layer's activation to one scalar to be raised. */
import type { Builder, Value } from '../ir/builder.ts';
import { PhospheneError } from '../errors.ts';
import { float32, sizeOf, type Tensor, tensor } from '../ir/tensor.ts';

/** Adds the objective for the activation [1, c, h, w] (or [1, c]); `channel` is an int64 scalar that is fed at run time. */
export type Objective = (b: Builder, activation: Value, channel: Value) => Value;

/**
 * Mean activation of one channel, `border` positions left out on every side: the Keras example's loss. Border units see the
 * padding around the picture and would draw frames. Throws `shape` where nothing is left.
 *
 * @example
 * const loss = channelMean(2)(b, activation, channel);
 */
export function channelMean(border: number): Objective {
  return (b, activation, channel) => {
    const [, channels, ...size] = activation.dims as [number, number, ...number[]];
    if (size.some((d) => d <= 2 * border)) {
      throw new PhospheneError(
        'shape',
        `layer \`${activation.name}\` is ${size.join('×')} here, and its border of ${border} on each side leaves nothing; use a larger picture (--size) or a smaller --border`,
        { layer: activation.name, size, border },
      );
    }
    // Multiplying by a fed one-hot vector keeps one program for all channels; its gradient needs no scatter, and
    // that of zero weights no padding.
    const index = b.constant(
      tensor(
        'int64',
        [1, channels, ...size.map(() => 1)],
        BigInt64Array.from({ length: channels }, (_, i) => BigInt(i)),
      ),
    );
    const selector = b.cast(b.equal(index, channel), 'float32');
    return b.sum(
      b.mul(b.cast(activation, 'float32'), b.mul(selector, b.constant(centre(size, border)))),
      undefined,
      false,
    );
  };
}

/** One over their number at the positions that are at least `border` away from every side, zero at the others; [1, 1, …size]. */
function centre(size: readonly number[], border: number): Tensor {
  const share = 1 / size.reduce((n, d) => n * (d - 2 * border), 1);
  const inside = (flat: number): boolean =>
    size.reduceRight(
      ({ rest, all }, d) => ({
        rest: Math.floor(rest / d),
        all: all && rest % d >= border && rest % d < d - border,
      }),
      { rest: flat, all: true },
    ).all;
  return float32(
    Float32Array.from({ length: sizeOf(size) }, (_, i) => (inside(i) ? share : 0)),
    [1, 1, ...size],
  );
}
