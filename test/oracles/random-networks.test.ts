/** @file Random small networks as PyTorch exports them, and their gradients, held against PyTorch's own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { float32 } from '../../src/ir/tensor.ts';
import { type CompiledSeed, compileSeed } from '../render/seed.ts';
import { targets } from '../../src/render/targets.ts';
import { openBytes } from '../import/open.ts';

const python = process.env['PHOSPHENE_PYTHON'];
if (!python) console.info('not held against PyTorch: PHOSPHENE_PYTHON names no Python that has it');
const script = fileURLToPath(new URL('random_networks.py', import.meta.url));

/** A row of networks.json; the script explains the fields. */
interface Network {
  readonly file: string;
  readonly size: readonly [height: number, width: number];
  readonly channel: number;
  readonly border: number;
  readonly loss: number;
  readonly float32Error: number;
  readonly image: readonly number[];
  readonly gradient: readonly number[];
}

describe.skipIf(!python)('random networks (needs PHOSPHENE_PYTHON, a Python with torch and onnx)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'phosphene-networks-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('have the gradient that PyTorch gives, and every target can be rendered', { timeout: 300_000 }, async () => {
    // Others than these with another --seed, or more: the script says how.
    execFileSync(python!, [script, folder], { stdio: ['ignore', 'ignore', 'pipe'] });
    const networks = JSON.parse(readFileSync(join(folder, 'networks.json'), 'utf8')) as Network[];
    expect(networks.length).toBeGreaterThan(0);
    for (const {
      file,
      size: [height, width],
      channel,
      border,
      ...expected
    } of networks) {
      const size = { height, width };
      const model = await openBytes(readFileSync(join(folder, file)), { name: file, preprocess: 'tf' });
      const image = float32(expected.image, [1, 3, height, width]);
      const step = async (layer: string, of: number, without: number): ReturnType<CompiledSeed['step']> => {
        const seed = await compileSeed(await model.cut([layer], size), without);
        const out = await seed.step(image, of);
        await seed.dispose();
        return out;
      };
      const { loss, gradient: g } = await step(model.defaultLayer, channel, border);
      const scale = norm(expected.gradient);
      const off = norm(expected.gradient.map((v, i) => v - g[i]!));
      expect(off, `${file}: gradient`).toBeLessThan(Math.max(1e-4, 10 * expected.float32Error) * scale + 1e-8);
      expect(loss, `${file}: loss`).toBeCloseTo(expected.loss, 3);

      const layers = targets(model, size).map((l) => l.name);
      expect(layers, file).toContain(model.defaultLayer);
      for (const layer of layers) {
        const next = (await step(layer, 0, 0)).next.data as Float32Array;
        expect(next.every(Number.isFinite), `${file}: ${layer}`).toBe(true);
      }
    }
  });
});

function norm(values: readonly number[]): number {
  return Math.sqrt(values.reduce((sum, v) => sum + v * v, 0));
}
