/** @file Noise on what the network sees, drawn anew for each step. */
import { number } from '../settings.ts';
import { kind } from '../noun.ts';
import type { Transform } from './transform.ts';

/**
 * Adds normal and uniform noise, so that no pattern can rest on exact values. Values of a picture are about [-1, 1]. MACO in Xplique
 * adds N(0, .08) and uniform noise in [-.04, .04). Drawing costs about as much as a tenth of a step: a 0 is not drawn.
 */
export const noise = kind({
  kind: 'noise',
  help: 'Normal and uniform noise, drawn for each step',
  settings: {
    normal: number({ help: 'Standard deviation of the normal noise', default: 0.08, from: 0, to: 10 }),
    uniform: number({ help: 'Uniform noise is in [-uniform, uniform)', default: 0.04, from: 0, to: 10 }),
  },
  make:
    ({ normal, uniform }): Transform =>
    (s, image, name) => {
      const { dims } = image;
      let noisy = image;
      if (normal > 0)
        noisy = s.b.add(
          noisy,
          s.feed(`${name}/normal`, 'float32', dims, { kind: 'normal', mean: 0, deviation: normal }),
        );
      if (uniform > 0)
        noisy = s.b.add(
          noisy,
          s.feed(`${name}/uniform`, 'float32', dims, { kind: 'uniform', low: -uniform, high: uniform }),
        );
      return noisy;
    },
});
