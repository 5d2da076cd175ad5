/** @file Gradient ascent by steps of one length, as in the Keras example. */
import { float32 } from '../ir/tensor.ts';
import { number } from '../settings.ts';
import { kind } from '../noun.ts';
import { lengths } from './length.ts';
import type { Optimiser } from './optimiser.ts';

/**
 * z + rate · g / ‖g‖, the norm over all parameters of a picture and bounded below as in TensorFlow's `l2_normalize`: g · rsqrt(max(Σg², 1e-12)).
 * Source: Keras' example "Visualizing what convnets learn".
 */
export const normalised = kind({
  kind: 'normalised',
  help: 'The gradient divided by its length',
  settings: {
    rate: number({ help: 'Learning rate: the length of a step (L2 norm)', default: 10, above: 0, to: 1e6 }),
  },
  make: ({ rate }): Optimiser => ({
    values: { rate: float32(rate) },
    build(s, z, gradients) {
      const { b } = s;
      const rated = s.value('rate', 'float32', []);
      const all = lengths(b, gradients);
      return z.map((parameter, i) => b.add(parameter, b.mul(gradients[i]!, b.div(rated, all[i]!))));
    },
  }),
});
