/** @file What came of an ascent: why a picture shows little, in a word for programs and a sentence for people. */

/** Why a picture shows little; absent if all went well. */
export type Diagnosis = 'no-gradient' | 'not-finite' | 'no-ascent';

/** A sentence for people about each diagnosis. */
export const diagnoses: Readonly<Record<Diagnosis, string>> = {
  'no-gradient':
    'the filter is off everywhere on the start noise, so no gradient says how to raise it; another seed or more noise may wake it',
  'not-finite': 'numbers overflowed on the way; a smaller rate may help',
  'no-ascent': 'the activation did not rise; a smaller rate may help',
};

/**
 * The diagnosis of an ascent from its losses (before each step) and its first and last picture; undefined if it went well. The
 * first and the last tenth of the losses are compared, since single steps are noisy in the presence of transforms.
 *
 * @example
 * diagnose([0.1, 0.2, 0.4], start, image); // undefined
 */
export function diagnose(losses: readonly number[], start: Float32Array, image: Float32Array): Diagnosis | undefined {
  if (losses.length === 0) return undefined;
  if (!losses.every(Number.isFinite) || !image.every(Number.isFinite)) return 'not-finite';
  if (image.every((v, i) => v === start[i])) return 'no-gradient';
  const some = Math.max(1, Math.floor(losses.length / 10));
  const rise = mean(losses.slice(-some)) - mean(losses.slice(0, some));
  return losses.length > 1 && rise <= 0 ? 'no-ascent' : undefined;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, v) => sum + v, 0) / values.length;
}
