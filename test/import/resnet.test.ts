/** @file The ResNets layer by layer and backwards, against Keras: forward fingerprints and float64 gradients. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { kerasNetwork } from '../../src/import/keras/index.ts';
import { resnet } from '../../src/import/keras/architectures/resnet.ts';
import { IMAGE, type Network } from '../../src/import/network.ts';
import { knownPreprocess } from '../../src/import/preprocess.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { sharedPath } from '../shared.ts';
import { expectOracleGradient, nchw, oracleCases } from '../oracles/gradient.ts';
import { hashImage, hashWeights } from './hash-weights.ts';

interface Taps {
  input_shape: number[];
  params: number;
  taps: Record<string, { shape_nhwc: number[]; mean: number; std: number; samples_nhwc_flat: [number, number][] }>;
}
const orders = {
  ResNet50: sharedPath('golden/keras/configs/ResNet50.weights-order.json'),
  ResNet50V2: sharedPath('golden/keras/configs/ResNet50V2.weights-order.json'),
};
const goldenFile = sharedPath('golden/keras/golden.json');

/** The network fed as it is: without preprocessing, as the references are. */
function model(name: 'ResNet50' | 'ResNet50V2'): Network {
  const version = name === 'ResNet50' ? 1 : 2;
  return kerasNetwork({
    name,
    input: { channels: 3, preprocess: knownPreprocess.tf, from: 'known' },
    defaultLayer: '',
    topology: resnet({ version, blocks: [3, 4, 6, 3], top: false }),
    weights: async () => hashWeights(orders[name]!),
    digest: async () => '',
  });
}
describe.skipIf(!goldenFile || !orders.ResNet50)('ResNets against Keras (needs shared/golden)', () => {
  const golden = goldenFile ? (JSON.parse(readFileSync(goldenFile, 'utf8')) as Record<string, Taps>) : {};

  it.each([
    ['ResNet50V2@180', 'ResNet50V2'],
    ['ResNet50V2@96', 'ResNet50V2'],
    ['ResNet50@96', 'ResNet50'],
  ] as const)(
    '%s gives the activations that Keras gives',
    async (key, name) => {
      const { input_shape, taps, params } = golden[key]!;
      const size = { height: input_shape[1]!, width: input_shape[2]! };
      const network = model(name);
      expect(network.layers(size).layers.reduce((sum, l) => sum + l.parameters, 0)).toBe(params);
      for (const [layer, tap] of Object.entries(taps)) {
        const program = await nodeRuntime.compile(await network.cut([layer], size));
        const out = (
          await program.run({ [IMAGE]: float32(hashImage(size.height, size.width), [1, 3, size.height, size.width]) })
        )[layer]!;
        await program.dispose();
        expect(out.dims).toEqual([1, tap.shape_nhwc[3], tap.shape_nhwc[1], tap.shape_nhwc[2]]);
        const data = out.data as Float32Array;
        for (const [flat, value] of tap.samples_nhwc_flat)
          expect(Math.abs(data[nchw(flat, tap.shape_nhwc)]! - value)).toBeLessThan(2e-4 * Math.max(1, tap.std));
        expect(Math.abs(data.reduce((sum, v) => sum + v, 0) / data.length - tap.mean)).toBeLessThan(
          1e-4 * Math.max(1, tap.std),
        );
      }
    },
    60_000,
  );

  it.each(oracleCases('ResNet50'))(
    'the gradient of $target:$channel of $model agrees with Keras in float64',
    async (c) => {
      await expectOracleGradient(model('ResNet50'), c, hashImage(c.inputShape[1], c.inputShape[2]));
    },
    60_000,
  );
});
