/** @file Gradients other than the true one, which pictures may follow: past units that are off, and through all of a pool's window. */
import { redirected } from '../grad/redirect.ts';
import { smoothPooling } from '../grad/smooth.ts';
import type { Rule } from '../grad/index.ts';
import type { Value } from '../ir/builder.ts';
import { choice, normalised, type Schema, type Values, whole } from '../settings.ts';
import type { StepBuilder } from '../step/builder.ts';
import { REDIRECT } from '../step/step.ts';

/** The settings of the gradient. Their defaults are the true one. */
export const overrideSettings = {
  redirect: whole({
    help: 'Steps, from the first, in which a gradient goes on past units that are all off if it would wake them',
    default: 0,
    to: 1e6,
  }),
  pooling: choice({
    help: 'Gradient of max pooling: to the largest value of a window, or a smooth share to each',
    default: 'max',
    of: ['max', 'smooth'],
  }),
} satisfies Schema;

/** Which gradient a picture follows. */
export type OverrideSpec = Values<typeof overrideSettings>;

/** Which gradient a recipe follows that may not say: the true one then. */
export function followed(gradient?: Partial<OverrideSpec>): OverrideSpec {
  return normalised(overrideSettings, gradient ?? {}, 'gradient');
}

/** The rules that stand in place of the true ones, for a gradient of `loss`. */
export function overridesOf(
  s: StepBuilder,
  loss: Value,
  { redirect, pooling }: OverrideSpec,
): Readonly<Record<string, Rule>> {
  return {
    ...(redirect === 0
      ? {}
      : redirected(s.b, loss, s.feed(REDIRECT, 'float32', [], { kind: 'first', steps: redirect }))),
    ...(pooling === 'smooth' ? smoothPooling : {}),
  };
}
