/** @file Pixels in decorrelated colours, which stay within the range of a picture. */
import { float32 } from '../ir/tensor.ts';
import { number } from '../settings.ts';
import { kind } from '../noun.ts';
import { Z } from '../step/step.ts';
import { colours, pictureOf, valuesOf } from './colour.ts';
import type { Param } from './param.ts';

/**
 * One parameter a value of the picture, as `pixel`, but mixed to RGB from decorrelated colours and brought into (-1, 1) by a sigmoid.
 * Source: Lucid's `pixel_image` with `to_valid_rgb(decorrelate=True, sigmoid=True)`; its start noise is N(0, .01).
 */
export const decorrelate = kind({
  kind: 'decorrelate',
  help: 'Pixels in decorrelated colours, kept in range by a sigmoid',
  settings: {
    deviation: number({ help: 'Standard deviation of the start noise', default: 0.01, from: 0, to: 1000 }),
    colour: colours,
  },
  make:
    ({ deviation, colour }): Param =>
    (s, dims) => {
      const z = s.state(Z, dims, { kind: 'normal', mean: 0, deviation });
      return {
        z: [z],
        image: pictureOf(s.b, z, colour),
        invert: (photo) => ({ [Z]: float32(Float32Array.from(valuesOf(photo, colour)), dims) }),
      };
    },
});
