/** @file What a step is started with and fed, as data: how a tensor is drawn from a stream of random numbers. */
import { PhospheneError } from '../errors.ts';
import { type Dims, type DType, int64, sizeOf, tensor, type Tensor } from '../ir/tensor.ts';
import type { Random } from '../random.ts';

/** How the elements of a tensor are drawn. Plain data: it crosses threads and stands in records. */
export type Draw =
  /** Every element is `value`. */
  | { readonly kind: 'fill'; readonly value: number }
  /** Uniform in [low, high). */
  | { readonly kind: 'uniform'; readonly low: number; readonly high: number }
  /** Normally distributed. */
  | { readonly kind: 'normal'; readonly mean: number; readonly deviation: number }
  /** Whole numbers from `low` to `high`, both included. */
  | { readonly kind: 'whole'; readonly low: number; readonly high: number }
  /** No chance: every element goes from `from` in the first step to `to` in the last, along a line or half a cosine. */
  | { readonly kind: 'schedule'; readonly from: number; readonly to: number; readonly shape: 'linear' | 'cosine' }
  /** int64 indices [length] that move an axis by a whole number drawn from [-by, by], and wrap around its end. */
  | { readonly kind: 'roll'; readonly length: number; readonly by: number }
  /** No chance: 1 in the first `steps` steps, then 0. */
  | { readonly kind: 'first'; readonly steps: number };

/**
 * A tensor drawn from `random`. The stream decides it alone, so the same stream gives the same tensor on every machine. `progress`
 * is 0 in the first step of an ascent and 1 in the last: what schedules follow. `step` counts from 1.
 *
 * @example
 * drawn({ kind: 'uniform', low: -1, high: 1 }, 'float32', [1, 3, 8, 8], new Random('0/layer/7'));
 */
export function drawn(draw: Draw, dtype: DType, dims: Dims, random: Random, progress = 0, step = 1): Tensor {
  const count = sizeOf(dims);
  const filled = (value: number): Tensor =>
    of(
      dtype,
      dims,
      Array.from({ length: count }, () => value),
    );
  switch (draw.kind) {
    case 'fill':
      return filled(draw.value);
    case 'schedule': {
      const done = draw.shape === 'cosine' ? (1 - Math.cos(Math.PI * progress)) / 2 : progress;
      return filled(draw.from + (draw.to - draw.from) * done);
    }
    case 'first':
      return filled(step <= draw.steps ? 1 : 0);
    case 'uniform':
      return of(dtype, dims, random.uniform(count, draw.low, draw.high));
    case 'normal':
      return of(dtype, dims, random.normal(count, draw.mean, draw.deviation));
    case 'whole':
      return of(
        dtype,
        dims,
        Array.from({ length: count }, () => draw.low + random.integer(draw.high - draw.low + 1)),
      );
    case 'roll': {
      const by = random.integer(2 * draw.by + 1) - draw.by;
      const { length } = draw;
      return of(
        dtype,
        dims,
        Array.from({ length }, (_, i) => (((i - by) % length) + length) % length),
      );
    }
  }
}

/**
 * A draw without chance: the middle of what it draws, so that what is moved, turned or made noisy is left as it is. Schedules are followed.
 *
 * @example
 * middleOf({ kind: 'uniform', low: 0.9, high: 1.1 }); // { kind: 'fill', value: 1 }
 */
export function middleOf(draw: Draw): Draw {
  switch (draw.kind) {
    case 'uniform':
    case 'whole':
      return { kind: 'fill', value: (draw.low + draw.high) / 2 };
    case 'normal':
      return { kind: 'fill', value: draw.mean };
    case 'roll':
      return { ...draw, by: 0 };
    case 'fill':
    case 'schedule':
    case 'first':
      return draw;
  }
}

function of(dtype: DType, dims: Dims, values: readonly number[] | Float32Array): Tensor {
  if (dtype === 'float32')
    return tensor('float32', dims, values instanceof Float32Array ? values : Float32Array.from(values));
  if (dtype === 'int64') return int64(Array.from(values, Math.trunc), dims);
  if (dtype === 'int32') return tensor('int32', dims, Int32Array.from(values));
  throw new PhospheneError('bad-option', `a tensor of ${dtype} cannot be drawn; float32, int32 and int64 can`, {
    dtype,
  });
}
