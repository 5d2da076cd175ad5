/** @file An objective is a function from a layer's activation to one scalar to be raised. */
import type { Builder, Value } from '../ir/builder.ts';
import { PhospheneError } from '../errors.ts';
import { tensor } from '../ir/tensor.ts';

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
    const axes = size.map((_, i) => i + 2);
    const centre =
      border > 0 && size.length > 0
        ? b.slice(
            activation,
            size.map(() => border),
            size.map((d) => d - border),
            axes,
          )
        : activation;
    // Multiplying by a fed one-hot vector keeps one program for all channels; its gradient needs no scatter.
    const index = b.constant(
      tensor(
        'int64',
        [1, channels, ...size.map(() => 1)],
        BigInt64Array.from({ length: channels }, (_, i) => BigInt(i)),
      ),
    );
    const selector = b.cast(b.equal(index, channel), 'float32');
    const count = size.reduce((n, d) => n * (d - 2 * border), 1);
    return b.mul(b.sum(b.mul(centre, selector), undefined, false), 1 / count);
  };
}
