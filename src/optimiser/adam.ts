/** @file Adam (Kingma & Ba 2014, arXiv:1412.6980), AdamW, Nadam and RMSprop, upwards. */
import type { Value } from '../ir/builder.ts';
import { float32 } from '../ir/tensor.ts';
import { number } from '../settings.ts';
import { kind } from '../noun.ts';
import type { StepBuilder } from '../step/builder.ts';
import { clipped } from './length.ts';
import type { Optimiser } from './optimiser.ts';

const rate = number({ help: 'Learning rate', default: 0.05, above: 0, to: 1e6 });
const beta1 = number({ help: 'Decay of the first moment', default: 0.9, from: 0, to: 0.999999 });
const beta2 = number({ help: 'Decay of the second moment', default: 0.999, from: 0, to: 0.999999 });
const epsilon = number({ help: 'Added to the root of the second moment', default: 1e-8, above: 0, to: 1 });
const clip = number({ help: 'Largest length of the gradient; 0 for any', default: 0, from: 0, to: 1e9 });

/** A state that is multiplied by `factor` each step: the product of all factors so far. */
function product(s: StepBuilder, name: string, factor: number | Value): Value {
  const before = s.state(name, [], { kind: 'fill', value: 1 });
  const now = s.b.mul(before, factor);
  s.next(before, now);
  return now;
}

/** A running mean: decay · before + (1 - decay) · of. */
function moment(s: StepBuilder, name: string, decay: number, of: Value): Value {
  const { b } = s;
  const before = s.state(name, of.dims, { kind: 'fill', value: 0 });
  const now = b.add(b.mul(before, decay), b.mul(of, 1 - decay));
  s.next(before, now);
  return now;
}

/** Both moments of each gradient, and the root of the second, corrected for its start. */
function moments(
  s: StepBuilder,
  gradients: readonly Value[],
  { beta1: first, beta2: second }: { readonly beta1: number; readonly beta2: number },
): readonly { readonly g: Value; readonly m: Value; readonly root: Value }[] {
  const { b } = s;
  const correction = b.sqrt(b.sub(1, product(s, 'adam/beta2', second)));
  return gradients.map((g, i) => {
    const m = moment(s, `adam/m/${i}`, first, g);
    const v = moment(s, `adam/v/${i}`, second, b.mul(g, g));
    return { g, m, root: b.div(b.sqrt(v), correction) };
  });
}

/** Adam with bias correction; its moments and the powers of its decays are states of the step. */
export const adam = kind({
  kind: 'adam',
  help: 'Adam: moments of the gradient, corrected for their start',
  settings: { rate, beta1, beta2, epsilon },
  make: ({ rate: given, epsilon: least, ...betas }): Optimiser => ({
    values: { rate: float32(given) },
    build(s, z, gradients) {
      const { b } = s;
      const fed = s.value('rate', 'float32', []);
      const corrected = b.div(fed, b.sub(1, product(s, 'adam/beta1', betas.beta1)));
      return moments(s, gradients, betas).map(({ m, root }, i) =>
        b.add(z[i]!, b.mul(corrected, b.div(m, b.add(root, least)))),
      );
    },
  }),
});

/** Adam whose parameters decay by themselves (Loshchilov & Hutter 2017, arXiv:1711.05101). */
export const adamw = kind({
  kind: 'adamw',
  help: 'Adam with parameters that decay',
  settings: {
    rate,
    beta1,
    beta2,
    epsilon,
    weightDecay: number({
      help: 'Share of a parameter that is lost in a step, over the rate',
      default: 0.01,
      from: 0,
      to: 1e3,
    }),
    clip,
  },
  make: ({ rate: given, epsilon: least, weightDecay, clip: most, ...betas }): Optimiser => ({
    values: { rate: float32(given) },
    build(s, z, gradients) {
      const { b } = s;
      const fed = s.value('rate', 'float32', []);
      const corrected = b.div(fed, b.sub(1, product(s, 'adam/beta1', betas.beta1)));
      const left = b.sub(1, b.mul(fed, weightDecay));
      return moments(s, clipped(b, gradients, most), betas).map(({ m, root }, i) =>
        b.add(b.mul(z[i]!, left), b.mul(corrected, b.div(m, b.add(root, least)))),
      );
    },
  }),
});

/**
 * Adam that looks ahead (Dozat 2016), its momentum warmed up as PyTorch's `NAdam` does it: μ(t) = β₁ (1 - ½ · 0.96^(0.004 t)).
 * MACO uses it.
 */
export const nadam = kind({
  kind: 'nadam',
  help: 'Adam with the momentum of the next step',
  settings: { rate, beta1, beta2, epsilon, clip },
  make: ({ rate: given, epsilon: least, clip: most, ...betas }): Optimiser => ({
    values: { rate: float32(given) },
    build(s, z, gradients) {
      const { b } = s;
      const fed = s.value('rate', 'float32', []);
      // 0.96^(0.004 t), from its value one step before.
      const warm = product(s, 'nadam/warmth', 0.96 ** 0.004);
      const momentum = (warmth: Value): Value => b.mul(b.sub(1, b.mul(warmth, 0.5)), betas.beta1);
      const [now, next] = [momentum(warm), momentum(b.mul(warm, 0.96 ** 0.004))];
      const through = product(s, 'nadam/momenta', now);
      const ahead = b.div(next, b.sub(1, b.mul(through, next)));
      const here = b.div(b.sub(1, now), b.sub(1, through));
      return moments(s, clipped(b, gradients, most), betas).map(({ g, m, root }, i) =>
        b.add(z[i]!, b.mul(fed, b.div(b.add(b.mul(m, ahead), b.mul(g, here)), b.add(root, least)))),
      );
    },
  }),
});

/** The gradient over the root of its mean square (Tieleman & Hinton 2012). */
export const rmsprop = kind({
  kind: 'rmsprop',
  help: 'The gradient over the root of its mean square',
  settings: { rate, beta2: { ...beta2, default: 0.99 }, epsilon, clip },
  make: ({ rate: given, beta2: decay, epsilon: least, clip: most }): Optimiser => ({
    values: { rate: float32(given) },
    build(s, z, gradients) {
      const { b } = s;
      const fed = s.value('rate', 'float32', []);
      return clipped(b, gradients, most).map((g, i) => {
        const v = moment(s, `rmsprop/v/${i}`, decay, b.mul(g, g));
        return b.add(z[i]!, b.mul(fed, b.div(g, b.add(b.sqrt(v), least))));
      });
    },
  }),
});
