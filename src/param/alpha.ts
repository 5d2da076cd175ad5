/** @file Transparency: where the picture does not matter to the objective, it is let through. */
import { number } from '../settings.ts';
import { kind } from '../noun.ts';
import { Z } from '../step/step.ts';
import { opaque, pictureOf, valuesOf } from './colour.ts';
import { fourierSettings } from './fourier.ts';
import type { Param } from './param.ts';
import { coefficientDims, coefficientsOf, planesOf } from './scaled.ts';

/**
 * A picture as `fourier` has it, with one channel more: its opacity, a sigmoid. The network is shown the picture over a background that
 * is drawn anew for each step, noise as `fourier` makes it. What is raised is the objective times 1 - transparency · mean opacity, so
 * that only what pays for itself is opaque.
 *
 * Source: Lucid's `image(alpha=True)`, `collapse_alpha_random`, and `alpha_mean` of its notebook on transparency, whose backgrounds
 * have a deviation of .2 and a decay power of 1.5. Started from a photo, all is opaque.
 */
export const alpha = kind({
  kind: 'alpha',
  help: 'As fourier, with transparency: shown over backgrounds that are drawn for each step',
  settings: {
    ...fourierSettings,
    background: number({
      help: "Standard deviation of the backgrounds' coefficients",
      default: 0.2,
      from: 0,
      to: 1000,
    }),
    backgroundDecay: number({
      help: "How the backgrounds' strength falls with frequency",
      default: 1.5,
      from: 0,
      to: 4,
    }),
    transparency: number({
      help: 'How much of the objective an opaque picture gives away',
      default: 1,
      from: 0,
      to: 1,
    }),
  },
  make:
    ({ deviation, decayPower, colour, background, backgroundDecay, transparency }): Param =>
    (s, dims) => {
      const { b } = s;
      const [n, c, height, width] = dims as [number, number, number, number];
      const both = [n, c + 1, height, width];
      const z = s.state(Z, coefficientDims(both), { kind: 'normal', mean: 0, deviation });
      const planes = planesOf(b, z, width, decayPower);
      const image = pictureOf(b, b.slice(planes, [0], [c], [1]), colour);
      const opacity = b.sigmoid(b.slice(planes, [c], [c + 1], [1]));
      const drawn = s.feed('alpha/background', 'float32', coefficientDims(dims), {
        kind: 'normal',
        mean: 0,
        deviation: background,
      });
      const behind = pictureOf(b, planesOf(b, drawn, width, backgroundDecay), colour);
      return {
        z: [z],
        image,
        alpha: b.sub(b.mul(opacity, 2), 1),
        shown: b.add(behind, b.mul(opacity, b.sub(image, behind))),
        weighed: (loss) => b.mul(loss, b.sub(1, b.mul(b.mean(opacity, undefined, false), transparency))),
        invert(photo) {
          const plane = height * width;
          const values = valuesOf(photo, colour);
          const all = new Float64Array(n * (c + 1) * plane).fill(opaque);
          for (let k = 0; k < n; k++) all.set(values.subarray(k * c * plane, (k + 1) * c * plane), k * (c + 1) * plane);
          return { [Z]: coefficientsOf(all, both, decayPower) };
        },
      };
    },
});
