/**
 * @file ONNX files as other people's tools write them: halved and quantised by ONNX Runtime, left in NHWC, spelled in parts. What their layers
 * give and how that changes with the picture is held against PyTorch in float64.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Network } from '../../src/import/network.ts';
import { expectOracleGradient, oracleCases } from '../oracles/gradient.ts';
import { hashImage } from './hash-weights.ts';
import { openBytes } from './open.ts';

const folder = new URL('kinds/', import.meta.url);
const opened = (model: string): Promise<Network> =>
  openBytes(readFileSync(new URL(`${model}.onnx`, folder)), { preprocess: 'tf' });
const cases = oracleCases(undefined, new URL('golden.json', folder));

describe.each([...new Set(cases.map((c) => c.model))])('%s.onnx', (model) => {
  const own = cases.filter((c) => c.model === model);
  const [, height, width, channels] = own[0]!.inputShape;

  it('is listed whole at the size that it fixes', async () => {
    const network = await opened(model);
    expect(network.input).toMatchObject({ channels, size: { height, width } });
    const { barrier } = network.layers({ height, width });
    // One layer of the old file needs another input.
    if (model === 'old') expect(barrier?.message).toContain('needs the input `temperature` beside the picture `data`');
    else expect(barrier).toBeUndefined();
  });

  it.each(own)('has the activation and the gradient of $target:$channel', async (c) => {
    await expectOracleGradient(await opened(model), c, hashImage(height, width, false, -1, channels));
  });
});
