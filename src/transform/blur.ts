/** @file A Gaussian blur whose width is drawn anew for each step. */
import type { Builder, Value } from '../ir/builder.ts';
import { float32 } from '../ir/tensor.ts';
import { number } from '../settings.ts';
import { kind } from '../noun.ts';
import { checkRange } from './range.ts';
import type { Transform } from './transform.ts';

/**
 * Blurs by a Gaussian whose standard deviation is uniform in [from, to) pixels; 0 leaves the picture as it is. At the sides, only
 * pixels of the picture count. Xplique blurs by 1 to 1.1 pixels.
 */
export const blur = kind({
  kind: 'blur',
  help: 'A Gaussian blur by `from` to `to` pixels, drawn for each step',
  settings: {
    from: number({ help: 'Least standard deviation in pixels', default: 1, from: 0, to: 1000 }),
    to: number({ help: 'Largest standard deviation in pixels', default: 1.1, from: 0, to: 1000 }),
  },
  make({ from, to }): Transform {
    checkRange('blur', from, to);
    return (s, image, name) => {
      const sigma = s.feed(name, 'float32', [], { kind: 'uniform', low: from, high: to });
      const [height, width] = image.dims.slice(2) as [number, number];
      const down = s.b.matmul(gaussian(s.b, sigma, height), image);
      return s.b.matmul(down, s.b.transpose(gaussian(s.b, sigma, width), [1, 0]));
    };
  },
});

/** The matrix that blurs an axis; each of its rows sums to one. */
function gaussian(b: Builder, sigma: Value, length: number): Value {
  const squares = Float32Array.from({ length: length * length }, (_, k) => {
    const distance = Math.floor(k / length) - (k % length);
    return -(distance * distance) / 2;
  });
  // Bounded below, so that no blur at all is no division by zero.
  const variance = b.max(b.mul(sigma, sigma), 1e-6);
  const weights = b.exp(b.div(b.constant(float32(squares, [length, length])), variance));
  return b.div(weights, b.sum(weights, [1]));
}
