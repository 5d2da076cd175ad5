/** @file Adam (Kingma & Ba 2014, arXiv:1412.6980), upwards. */
import { float32 } from '../ir/tensor.ts';
import { number } from '../settings.ts';
import { kind } from '../noun.ts';
import type { Optimiser } from './optimiser.ts';

/** Adam with bias correction; its moments and the powers of its decays are states of the step. */
export const adam = kind({
  kind: 'adam',
  help: 'Adam: moments of the gradient, corrected for their start',
  settings: {
    rate: number({ help: 'Learning rate', default: 0.05, above: 0, to: 1e6 }),
    beta1: number({ help: 'Decay of the first moment', default: 0.9, from: 0, to: 0.999999 }),
    beta2: number({ help: 'Decay of the second moment', default: 0.999, from: 0, to: 0.999999 }),
    epsilon: number({ help: 'Added to the root of the second moment', default: 1e-8, above: 0, to: 1 }),
  },
  make: ({ rate, beta1, beta2, epsilon }): Optimiser => ({
    values: { rate: float32(rate) },
    build(s, z, gradients) {
      const { b } = s;
      const fed = s.value('rate', 'float32', []);
      /** A state that is multiplied by `decay` each step: the power of it that the correction needs. */
      const power = (name: string, decay: number): ReturnType<typeof b.mul> => {
        const before = s.state(name, [], { kind: 'fill', value: 1 });
        const now = b.mul(before, decay);
        s.next(before, now);
        return now;
      };
      const corrected = b.div(b.sqrt(b.sub(1, power('adam/beta2', beta2))), b.sub(1, power('adam/beta1', beta1)));
      return z.map((parameter, i) => {
        const g = gradients[i]!;
        const moment = (name: string, decay: number, of: typeof g): typeof g => {
          const before = s.state(`adam/${name}/${i}`, parameter.dims, { kind: 'fill', value: 0 });
          const now = b.add(b.mul(before, decay), b.mul(of, 1 - decay));
          s.next(before, now);
          return now;
        };
        const [m, v] = [moment('m', beta1, g), moment('v', beta2, b.mul(g, g))];
        return b.add(parameter, b.mul(b.mul(fed, corrected), b.div(m, b.add(b.sqrt(v), epsilon))));
      });
    },
  }),
});
