/**
 * @file Published architectures with made-up weights against Keras: each layer's activation, and gradients of five targets at an even
 * and an odd size. With `PHOSPHENE_MODELS=all`, or names with commas between them, others than a few small ones; what is found is then
 * written to docs/architectures.md.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { errorsOf, type ModelErrors, recorded } from './keras-models.ts';
import { page } from './keras-models-page.ts';

const named = process.env['PHOSPHENE_MODELS'];
/** In every run: a small one of each family that has one, so that it takes seconds. */
const small = [
  'mobilenet-0.25',
  'mobilenetv2-0.35',
  'mobilenetv3small',
  'densenet121',
  'efficientnetb0',
  'efficientnetv2b0',
  'nasnetmobile',
];
const wanted = named?.split(',') ?? small;
const chosen = recorded.filter(({ name }) => named === 'all' || wanted.includes(name));

const found: Record<string, ModelErrors> = {};
/** Of what is not compared this time stays what was found before. */
const results = new URL('keras-models/errors.json', import.meta.url);
afterAll(() => {
  if (named === undefined) return;
  const before = existsSync(results) ? (JSON.parse(readFileSync(results, 'utf8')) as typeof found) : {};
  const all = { ...before, ...found };
  writeFileSync(results, `${JSON.stringify(all)}\n`);
  writeFileSync(new URL('../../docs/architectures.md', import.meta.url), page(all));
});

describe('keras.applications', () => {
  it.each(chosen.map((m) => [m.name, m] as const))(
    '%s computes and differentiates as Keras does in float64',
    async (name, model) => {
      const errors = await errorsOf(model);
      found[name] = errors;
      expect(errors.worst.error, errors.worst.layer).toBeLessThan(1e-4);
      for (const { layer, size, forward, gradient } of errors.targets) {
        expect(forward, `${layer} at ${size}`).toBeLessThan(1e-4);
        expect(gradient, `the gradient of ${layer} at ${size}`).toBeLessThan(1e-4);
      }
    },
    600_000,
  );
});
