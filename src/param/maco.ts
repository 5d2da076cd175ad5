/** @file Phases: how strong each frequency is never changes, and is that of photographs. */
import { float32 } from '../ir/tensor.ts';
import type { Builder, Value } from '../ir/builder.ts';
import { kind } from '../noun.ts';
import { Z } from '../step/step.ts';
import { colours, pictureOf } from './colour.ts';
import { inverseDft } from './dft.ts';
import type { Param } from './param.ts';
import { magnitudes, spectra } from './spectrum.ts';

/**
 * The picture is the inverse transform of fixed magnitudes and the phases `z` [n, c, h, ⌊w/2⌋ + 1]; before that the phases, and after
 * it the picture, are brought to mean 0 and deviation 1. Then it is mixed from decorrelated colours and brought into (-1, 1) by a
 * sigmoid. Only where things are can be ascended, not how strong they are, so nothing turns to noise.
 *
 * Source: MACO (Fel et al. 2023, arXiv:2306.06805) as in Xplique (`maco.py`), which ships the spectrum of ImageNet. Ours is measured on
 * freely licensed photographs (`training/spectrum`). It is meant for a canvas that is seen by random crops, with noise. No photo
 * can be started from: its magnitudes are others.
 */
export const maco = kind({
  kind: 'maco',
  help: 'Phases of a Fourier transform, whose magnitudes stay those of photographs',
  settings: { spectrum: spectra, colour: colours },
  make:
    ({ spectrum, colour }): Param =>
    (s, dims) => {
      const { b } = s;
      const [n, c, height, width] = dims as [number, number, number, number];
      const half = Math.floor(width / 2) + 1;
      const z = s.state(Z, [n, c, height, half], { kind: 'normal', mean: 0, deviation: 1 });
      const phase = standardised(b, z, 1e-5);
      const magnitude = b.constant(
        float32(Float32Array.from(magnitudes(spectrum, c, height, width)), [1, c, height, half]),
      );
      const parts = ['Cos', 'Sin'].map((part) => b.mul(b.one(part, [phase]), magnitude));
      const planes = inverseDft(b, b.concat(parts, 2), width);
      return { z: [z], image: pictureOf(b, standardised(b, planes, 1e-4), colour) };
    },
});

/** Each picture with mean 0 and deviation 1; `epsilon` is added to the deviation. */
function standardised(b: Builder, x: Value, epsilon: number): Value {
  const centred = b.sub(x, b.mean(x, [1, 2, 3]));
  const deviation = b.sqrt(b.mean(b.mul(centred, centred), [1, 2, 3]));
  return b.div(centred, b.add(deviation, epsilon));
}
