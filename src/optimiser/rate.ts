/** @file The learning rate, and how it falls towards the end. */
import type { Value } from '../ir/builder.ts';
import { choice, type Setting } from '../settings.ts';
import type { StepBuilder } from '../step/builder.ts';

/** How the rate falls over the steps of a picture. */
export type Annealing = 'none' | 'linear' | 'cosine';

/** What is left of the rate in the last step, which is not wasted. */
const LAST = 0.05;

/** The setting of an optimiser whose rate can fall. */
export function annealing(fallback: Annealing): Setting<Annealing> {
  return choice({
    help: 'How the rate falls to a twentieth over the steps',
    default: fallback,
    of: ['none', 'linear', 'cosine'],
  });
}

/** The rate of a step: the value `rate`, which a picture is given once, times what is left of it at this step. */
export function annealed(s: StepBuilder, anneal: Annealing): Value {
  const rate = s.value('rate', 'float32', []);
  if (anneal === 'none') return rate;
  return s.b.mul(rate, s.feed('anneal', 'float32', [], { kind: 'schedule', from: 1, to: LAST, shape: anneal }));
}
