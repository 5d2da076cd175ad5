/** @file docs/architectures.md: what the comparison with Keras found. */
import { publishedModels } from '../../src/hub/published.ts';
import type { ModelErrors } from './keras-models.ts';

const shown = (error: number): string => error.toExponential(1);

/** The page for these results. */
export function page(found: Readonly<Record<string, ModelErrors>>): string {
  const models = publishedModels.flatMap((model) => {
    const errors = found[model.name];
    return errors ? [{ model, errors }] : [];
  });
  const worst = (of: (e: ModelErrors) => number): string => shown(Math.max(...models.map(({ errors }) => of(errors))));
  const targets = models.flatMap(({ model, errors }) =>
    errors.targets.map(
      ({ layer, size, forward, gradient }) =>
        `| \`${model.name}\` | \`${layer}\` | ${size} | ${shown(forward)} | ${shown(gradient)} |`,
    ),
  );
  const missing = publishedModels.filter(({ name }) => !found[name]).map(({ name }) => `\`${name}\``);
  const rest = missing.length > 0 ? ` Not compared yet: ${missing.join(', ')}.` : '';
  return `${HEAD}
${models.length} of ${publishedModels.length} are compared.${rest} Largest errors of all: activations ${worst((e) => e.worst.error)} in any layer, gradients ${worst((e) => Math.max(...e.targets.map((t) => t.gradient)))}.

## Layer by layer

The largest relative error of any layer's activation, at the even size.

| model | parameters | layers | largest error | in layer |
|---|---:|---:|---:|---|
${models.map(({ model, errors }) => `| \`${model.name}\` | ${(model.full.parameters / 1e6).toFixed(1)} M | ${errors.layers} | ${shown(errors.worst.error)} | \`${errors.worst.layer}\` |`).join('\n')}

## Gradients

| model | layer | size | activation | gradient |
|---|---|---:|---:|---:|
${targets.join('\n')}
`;
}

const HEAD = `# The architectures that are known by name

\`phosphene models\` lists them: all networks of keras.applications whose weights Keras publishes. Their names, addresses and hashes are those
of the source of Keras. They are compared with Keras itself: their layers, their activations, and their gradients.

What is compared are networks with weights that are made of a hash, the same here as there, for pictures that are too. Keras computes in
float64 on TensorFlow, without oneDNN; phosphene in float32 on ONNX Runtime. *Activation* is the relative error of a layer's output,
|ours − theirs| / |theirs|, over all its numbers. *Gradient* is that of d mean(channel of the layer) / d picture. Both are estimated from
sums under rows of random signs, sixteen for a target and two for each of the other layers, which is what the records in
\`test/oracles/keras-models\` hold. Pictures are of 48 × 48 and of 41 × 41 pixels (of Inception 80 × 80 and 75 × 75), so that even and odd sizes occur in all layers.

A ReLU whose input is as near to zero as float32 is wrong passes a gradient in one engine and none in the other, though both are
right; one such unit of a million changes a gradient by a thousandth. Of eight pictures the one is therefore taken whose activations keep
the farthest from these corners.

Seven small ones are compared in every run of the tests. All of them, and this page:

\`\`\`sh
PHOSPHENE_MODELS=all npx vitest run test/oracles/keras-models.test.ts
\`\`\`

The records are made anew by \`python test/oracles/keras_models.py record\`, with the packages of \`test/oracles/requirements.txt\`.
`;
