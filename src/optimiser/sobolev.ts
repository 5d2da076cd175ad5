/** @file Gradient ascent in a Sobolev space: coarse structure and the colours of photographs come first. */
import { float32 } from '../ir/tensor.ts';
import { kind } from '../noun.ts';
import { choice, number } from '../settings.ts';
import { filtered } from '../step/fourier.ts';
import { mixed } from './colour.ts';
import { deviation, lengths } from './length.ts';
import type { Optimiser } from './optimiser.ts';
import { annealed, annealing } from './rate.ts';

/**
 * The gradient of a picture is nearly white noise, and the fine part of what it draws is an artefact of the network's strides. Here its
 * spectrum is multiplied by f^-exponent and its colours by a power of their covariance in photographs, which is a gradient step in
 * another inner product: the steepest way up among pictures whose differences are measured as photographs differ. Then it has one length,
 * goes into a momentum, and the deviation of the picture is kept at the contrast that is shown in the end.
 *
 *     v ← momentum · v + P g / ‖P g‖     z ← z + rate · v     z ← z · min(1, limit / deviation(z))
 */
export const sobolev = kind({
  kind: 'sobolev',
  help: 'The gradient with its spectrum and colours made like those of photographs, at one length, with momentum',
  settings: {
    rate: number({ help: 'Learning rate: the length of a step (L2 norm)', default: 5, above: 0, to: 1e6 }),
    momentum: number({ help: 'What is left of the velocity after a step', default: 0.75, from: 0, to: 0.999999 }),
    exponent: number({
      help: 'The spectrum of the gradient is divided by its frequency to this power',
      default: 1,
      from: 0,
      to: 4,
    }),
    mixing: choice({
      help: 'Power of the colour covariance of photographs that mixes the colours of the gradient',
      default: 'root',
      of: ['none', 'root', 'full'],
    }),
    limit: number({
      help: 'Largest standard deviation of the picture; 0 for no limit',
      default: 0.45,
      from: 0,
      to: 1e6,
    }),
    anneal: annealing('linear'),
  },
  make: ({ rate, momentum, exponent, mixing, limit, anneal }): Optimiser => ({
    values: { rate: float32(rate) },
    build(s, z, gradients) {
      const { b } = s;
      const fed = annealed(s, anneal);
      const conditioned = gradients.map((g) => {
        if (g.dims.length !== 4) return g;
        const lowest = 1 / Math.max(...g.dims.slice(2));
        const smooth = exponent === 0 ? g : filtered(b, g, (f) => Math.max(f, lowest) ** -exponent);
        return mixed(b, smooth, mixing);
      });
      const all = lengths(b, conditioned);
      return z.map((parameter, i) => {
        const unit = b.div(conditioned[i]!, all[i]!);
        let velocity = unit;
        if (momentum > 0) {
          const before = s.state(`sobolev/velocity/${i}`, parameter.dims, { kind: 'fill', value: 0 });
          velocity = b.add(b.mul(before, momentum), unit);
          s.next(before, velocity);
        }
        const moved = b.add(parameter, b.mul(velocity, fed));
        return limit === 0 ? moved : b.mul(moved, b.min(b.div(limit, deviation(b, moved)), 1));
      });
    },
  }),
});
