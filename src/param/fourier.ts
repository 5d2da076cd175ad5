/** @file Fourier coefficients, scaled so that each frequency is as strong as in a photograph. */
import { number } from '../settings.ts';
import { kind } from '../noun.ts';
import { Z } from '../step/step.ts';
import { colours, pictureOf, valuesOf } from './colour.ts';
import type { Param } from './param.ts';
import { coefficientDims, coefficientsOf, planesOf } from './scaled.ts';

/** The settings of a picture of scaled coefficients. */
export const fourierSettings = {
  deviation: number({ help: 'Standard deviation of the start noise', default: 0.01, from: 0, to: 1000 }),
  decayPower: number({ help: 'How strength falls with frequency: 1 / f to this power', default: 1, from: 0, to: 4 }),
  colour: colours,
};

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
  settings: fourierSettings,
  make:
    ({ deviation, decayPower, colour }): Param =>
    (s, dims) => {
      const z = s.state(Z, coefficientDims(dims), { kind: 'normal', mean: 0, deviation });
      return {
        z: [z],
        image: pictureOf(s.b, planesOf(s.b, z, dims[3]!, decayPower), colour),
        invert: (photo) => ({ [Z]: coefficientsOf(valuesOf(photo, colour), dims, decayPower) }),
      };
    },
});
