/** @file Pixels: the picture is its own parameter, as in the Keras example. */
import { number } from '../settings.ts';
import { kind } from '../noun.ts';
import { Z } from '../step/step.ts';
import type { Param } from './param.ts';

/** The picture itself, begun as uniform noise. */
export const pixel = kind({
  kind: 'pixel',
  help: 'The pixels themselves, begun as uniform noise',
  settings: {
    noise: number({ help: 'Start noise is uniform in [-noise, noise)', default: 0.125, from: 0, to: 1000 }),
  },
  make:
    ({ noise }): Param =>
    (s, dims) => {
      const z = s.state(Z, dims, { kind: 'uniform', low: -noise, high: noise });
      return { z: [z], image: z, invert: (photo) => ({ [Z]: photo }) };
    },
});
