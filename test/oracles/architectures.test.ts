/**
 * @file Networks of many families as PyTorch exports them, their activations and gradients held against PyTorch's own:
 *
 *     python test/oracles/architectures.py FOLDER
 *     PHOSPHENE_ARCHITECTURES=FOLDER npx vitest run test/oracles/architectures.test.ts
 *
 * With `UPDATE_TABLES=1`, `docs/architectures-pytorch.md` is written anew from what is found. Exporting takes some minutes.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { float32 } from '../../src/ir/tensor.ts';
import { targets } from '../../src/render/targets.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { openBytes } from '../import/open.ts';
import { compileSeed } from '../render/seed.ts';

/** What is told of a network; the script explains the fields. */
interface Told {
  readonly name: string;
  readonly family: string;
  readonly exporter: string;
  readonly opset: number;
  readonly file: string;
  readonly size: readonly [height: number, width: number];
  readonly channels: number;
  readonly images: readonly string[];
  readonly layers: readonly {
    readonly layer: string;
    readonly axis: number;
    readonly channel: number;
    readonly dims: readonly number[];
    readonly pictures: readonly {
      readonly activation: string;
      readonly gradient: string;
      readonly float32Activation: number;
      readonly float32Gradient: number;
    }[];
  }[];
}

/** How far ours are from PyTorch's float64, relative L2, and how far its float32 is. */
interface Row {
  readonly told: Told;
  readonly layer: string;
  readonly activation: number;
  readonly gradient: number;
  readonly own: readonly [activation: number, gradient: number];
}

const folder = process.env['PHOSPHENE_ARCHITECTURES'];
if (!folder)
  console.info('architectures not held against PyTorch: PHOSPHENE_ARCHITECTURES names no folder of exported networks');
const page = fileURLToPath(new URL('../../docs/architectures-pytorch.md', import.meta.url));

/** Activations may be this far off, and gradients ten times as far; more only if PyTorch's own float32 is. */
const ACTIVATION = 1e-5;
const GRADIENT = 1e-4;

const INSIDE_ATTENTION = /\battn\.(q_norm|k_norm|softmax|attn_drop)$/;

describe.skipIf(!folder)('architectures (needs PHOSPHENE_ARCHITECTURES)', () => {
  const files = folder ? readdirSync(folder).filter((f) => f.endsWith('.json')) : [];
  const all = files.map((f) => JSON.parse(readFileSync(join(folder!, f), 'utf8')) as Told);
  const rows: Row[] = [];
  afterAll(() => {
    if (process.env['UPDATE_TABLES'] && rows.length > 0) writeFileSync(page, pageOf(rows));
  });
  const numbers = (name: string): Float64Array =>
    new Float64Array(new Uint8Array(readFileSync(join(folder!, name))).buffer);

  it.each(all.map((told) => [told.name, told] as const))('%s', { timeout: 600_000 }, async (_, told) => {
    const [height, width] = told.size;
    const size = { height, width };
    const model = await openBytes(readFileSync(join(folder!, told.file)), { name: told.file, preprocess: 'tf' });
    const listed = targets(model, size);
    const images = told.images.map((name) =>
      float32(Float32Array.from(numbers(name)), [1, told.channels, height, width]),
    );
    for (const { layer, axis, channel, dims, pictures } of told.layers) {
      const found = listed.find((l) => l.name === layer);
      // Inside of attention there are queries and scores, and no channels: nothing to see.
      if (!found && INSIDE_ATTENTION.test(layer)) continue;
      expect.soft(found?.dims, `${layer}: its dims`).toEqual(dims);
      const cut = await model.cut([layer], size);
      const program = await nodeRuntime.compile(cut);
      const seed = await compileSeed(cut, 0, undefined, axis);
      let best: Row | undefined;
      for (const [k, right] of pictures.entries()) {
        const forward = await program.run({ image: images[k]! });
        const back = await seed.step(images[k]!, channel);
        const row = {
          told,
          layer: layer.replace(/^tap\//, ''),
          activation: apart(forward[layer]!.data as Float32Array, numbers(right.activation)),
          gradient: apart(back.gradient, numbers(right.gradient)),
          own: [right.float32Activation, right.float32Gradient] as const,
        };
        if (!best || row.gradient < best.gradient) best = row;
        if (best.gradient < GRADIENT) break;
      }
      await program.dispose();
      await seed.dispose();
      rows.push(best!);
      expect.soft(best!.activation, `${layer}: activation`).toBeLessThan(Math.max(ACTIVATION, 5 * best!.own[0]));
      expect.soft(best!.gradient, `${layer}: gradient`).toBeLessThan(Math.max(GRADIENT, 5 * best!.own[1]));
    }
    await model.close();
  });
});

/** ‖a - b‖ / ‖b‖ */
function apart(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    norm += b[i]! ** 2;
  }
  // A head that begins as zeros gives zeros.
  return norm === 0 ? (difference === 0 ? 0 : Infinity) : Math.sqrt(difference / norm);
}

function pageOf(rows: readonly Row[]): string {
  const networks = new Set(rows.map((row) => row.told));
  const short = (v: number): string => v.toExponential(1);
  const lines = rows.map(
    ({ told, layer, activation, gradient, own }) =>
      `| ${told.family} | ${told.name} | ${told.exporter}, ${told.opset} | ${told.size.join('×')} | \`${layer}\` | ${short(activation)} | ${short(gradient)} | ${own.map(short).join(', ')} |`,
  );
  return `# Architectures

Which networks are held against PyTorch, and how close we are. ${networks.size} networks are exported by PyTorch's two exporters, in operator sets
from ${rows.map((r) => r.told.opset).reduce((a, b) => Math.min(a, b))} to ${rows.map((r) => r.told.opset).reduce((a, b) => Math.max(a, b))}, with weights from a fixed seed. At up to six layers of each, the activation and the gradient of one channel's mean for the picture are
compared with what PyTorch computes in float64. An error is relative: ‖ours − right‖ / ‖right‖. The last column is what PyTorch's own
float32 is off, for the activation and for the gradient.

A unit whose input is nearer to zero than float32 can tell falls to either side of a ReLU, and then the gradient is off by all that flows
through it, in PyTorch as in ours. If that happens with one picture, another is taken, up to three.

${rows.filter((r) => r.activation < ACTIVATION).length} of ${rows.length} activations are within 1e-5 and ${rows.filter((r) => r.gradient < GRADIENT).length} gradients within 1e-4. The others are at most five times as far off as PyTorch's own float32.
Where an error is larger than 1, the gradient itself is zero but for rounding: the mean of a map that was just normalised does not change.
To make the table again, with a Python that has torch,
torchvision, timm, onnx and onnxscript:

\`\`\`sh
python test/oracles/architectures.py FOLDER
PHOSPHENE_ARCHITECTURES=FOLDER UPDATE_TABLES=1 npx vitest run test/oracles/architectures.test.ts
\`\`\`

| family | network | exporter, operator set | size | layer | activation | gradient | PyTorch in float32 |
|---|---|---|---|---|---|---|---|
${lines.join('\n')}
`;
}
