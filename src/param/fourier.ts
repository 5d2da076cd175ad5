/** @file Fourier coefficients, scaled so that each frequency is as strong as in a photograph. */
import { type Dims, float32, type Tensor } from '../ir/tensor.ts';
import { number } from '../settings.ts';
import { kind } from '../noun.ts';
import { Z } from '../step/step.ts';
import { colours, pictureOf, valuesOf } from './colour.ts';
import { inverseDft } from './dft.ts';
import { frequencies, rfft2 } from './fft.ts';
import type { Param } from './param.ts';

/**
 * The picture is the inverse transform of `z` times √(wh) / max(f, 1 / max(w, h))^decayPower, over 4, in decorrelated colours,
 * brought into (-1, 1) by a sigmoid. f is in cycles per pixel. `z` is [n, c, 2h, ⌊w/2⌋ + 1]: the real parts above the imaginary ones.
 *
 * Source: Lucid's `fft_image` (`lucid/optvis/param/spatial.py`) with `to_valid_rgb(decorrelate=True, sigmoid=True)`: decay power 1,
 * N(0, .01) to start from, and the 4 that it calls a magic constant. Of an odd width, Lucid has one column of coefficients more, and
 * crops. Xplique has a decay power of .85, Horama 1.5.
 */
export const fourier = kind({
  kind: 'fourier',
  help: 'Coefficients of a Fourier transform, scaled as they are in photographs',
  settings: {
    deviation: number({ help: 'Standard deviation of the start noise', default: 0.01, from: 0, to: 1000 }),
    decayPower: number({ help: 'How strength falls with frequency: 1 / f to this power', default: 1, from: 0, to: 4 }),
    colour: colours,
  },
  make:
    ({ deviation, decayPower, colour }): Param =>
    (s, dims) => {
      const { b } = s;
      const [n, c, height, width] = dims as [number, number, number, number];
      const half = Math.floor(width / 2) + 1;
      const z = s.state(Z, [n, c, 2 * height, half], { kind: 'normal', mean: 0, deviation });
      const scale = scaleOf(height, width, decayPower);
      const both = b.budget.floats(2 * scale.length);
      both.set(scale);
      both.set(scale, scale.length);
      const spectrum = b.mul(z, b.constant(float32(both, [2 * height, half])));
      return {
        z: [z],
        image: pictureOf(b, inverseDft(b, spectrum, width), colour),
        invert: (photo) => ({ [Z]: coefficients(valuesOf(photo, colour), dims, scale) }),
      };
    },
});

/** What each coefficient is multiplied by, row by row; Lucid's 4 is in it. */
function scaleOf(height: number, width: number, decayPower: number): Float64Array {
  const least = 1 / Math.max(width, height);
  return frequencies(height, width).map((f) => Math.sqrt(width * height) / Math.max(f, least) ** decayPower / 4);
}

/** The coefficients of planes [n, c, h, w], each divided by its scale. */
function coefficients(values: Float64Array, dims: Dims, scale: Float64Array): Tensor<'float32'> {
  const [n, c, height, width] = dims as [number, number, number, number];
  const size = scale.length;
  const z = new Float32Array(2 * n * c * size);
  for (let k = 0; k < n * c; k++) {
    const { re, im } = rfft2(values.subarray(k * height * width, (k + 1) * height * width), height, width);
    z.set(
      re.map((v, i) => v / scale[i]!),
      2 * k * size,
    );
    z.set(
      im.map((v, i) => v / scale[i]!),
      (2 * k + 1) * size,
    );
  }
  return float32(z, [n, c, 2 * height, size / height]);
}
