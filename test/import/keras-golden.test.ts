/** @file Architectures of keras.applications from Keras' own configurations, against what Keras computes with the same weights. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { IMAGE } from '../../src/import/network.ts';
import { readConfig } from '../../src/import/keras/config.ts';
import { kerasNetwork } from '../../src/import/keras/index.ts';
import type { Topology } from '../../src/import/keras/topology.ts';
import { knownPreprocess } from '../../src/import/preprocess.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { nchw } from '../oracles/gradient.ts';
import { sharedPath } from '../shared.ts';
import { hashImage, hashWeights } from './hash-weights.ts';

interface Golden {
  readonly input_shape: readonly [number, number, number, number];
  readonly input_kind: string;
  readonly taps: Readonly<
    Record<
      string,
      {
        readonly shape_nhwc: readonly number[];
        readonly mean: number;
        readonly std: number;
        readonly samples_nhwc_flat: readonly (readonly [number, number])[];
      }
    >
  >;
}

const golden = sharedPath('golden/keras/golden.json');
const cases = golden
  ? Object.entries(JSON.parse(readFileSync(golden, 'utf8')) as Record<string, Golden>).filter(([name]) =>
      name.includes('@'),
    )
  : [];

/** Without its classifier ConvNeXt normalises each pixel, not their mean. */
function headless(topology: Topology): Topology {
  const at = topology.findIndex((l) => l.name === 'convnext_tiny_head_gap');
  const norm = topology.find((l) => l.name === 'convnext_tiny_head_layernorm')!;
  return [
    ...topology.slice(0, at),
    { ...norm, name: 'layer_normalization', config: { ...norm.config, axis: -1 }, inputs: topology[at]!.inputs },
  ];
}

describe.skipIf(!golden)('keras.applications (needs shared/golden)', () => {
  it.each(cases)(
    '%s computes what Keras does',
    async (name, { input_shape: shape, input_kind: kind, taps }) => {
      const architecture = name.replace(/@.*/, '');
      const folder = 'golden/keras/configs';
      const config = sharedPath(`${folder}/${architecture}.config.json`)!;
      const { topology: whole } = readConfig(architecture, JSON.parse(readFileSync(config, 'utf8')));
      const topology = architecture === 'ConvNeXtTiny' ? headless(whole) : whole;
      const weights = hashWeights(sharedPath(`${folder}/${architecture}.weights-order.json`)!);
      const network = kerasNetwork({
        name,
        // The recorded input is what the network itself takes.
        input: { channels: 3, preprocess: knownPreprocess.tf, from: 'known' },
        topology,
        weights: async () => weights,
        digest: async () => '',
      });
      const [, height, width] = shape;
      expect(network.layers({ height, width }).barrier).toBeUndefined();
      const layers = Object.keys(taps);
      const program = await nodeRuntime.compile(await network.cut(layers, { height, width }));
      const image = float32(hashImage(height, width, kind.startsWith('255')), [1, 3, height, width]);
      const out = await program.run({ [IMAGE]: image });
      await program.dispose();
      for (const [layer, { shape_nhwc: dims, mean, std, samples_nhwc_flat: samples }] of Object.entries(taps)) {
        const { data, dims: ours } = out[layer]!;
        expect(ours).toEqual([1, dims[3], dims[1], dims[2]]);
        const values = data as Float32Array;
        const found = values.reduce((sum, v) => sum + v, 0) / values.length;
        const scale = Math.hypot(mean, std);
        expect(Math.abs(found - mean) / scale).toBeLessThan(1e-4);
        for (const [flat, value] of samples)
          expect(Math.abs(values[nchw(flat, dims)]! - value) / scale).toBeLessThan(1e-4);
      }
    },
    120_000,
  );
});
