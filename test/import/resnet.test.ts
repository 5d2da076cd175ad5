/** @file The ResNets layer by layer and backwards, against Keras: forward fingerprints and float64 gradients. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { resnet } from '../../src/hub/resnet.ts';
import { kerasModel } from '../../src/import/keras.ts';
import { IMAGE, type Model } from '../../src/import/model.ts';
import { float32, int64 } from '../../src/ir/tensor.ts';
import { channelMean } from '../../src/objective/index.ts';
import { CHANNEL, GRADIENT, LOSS, RATE, stepGraph } from '../../src/render/step.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { sharedPath } from '../shared.ts';
import { hashImage, hashWeights } from './hash-weights.ts';

interface Taps {
  input_shape: number[];
  params: number;
  taps: Record<string, { shape_nhwc: number[]; mean: number; std: number; samples_nhwc_flat: [number, number][] }>;
}
interface Case {
  model: string;
  target: string;
  channel: number;
  border: number;
  inputShape: number[];
  loss: number;
  l2: number;
  float32Error: number;
  samples: [number, number][];
}

const orders = {
  ResNet50: sharedPath('golden/keras/configs/ResNet50.weights-order.json'),
  ResNet50V2: sharedPath('golden/keras/configs/ResNet50V2.weights-order.json'),
};
const goldenFile = sharedPath('golden/keras/golden.json');
const oracle = JSON.parse(readFileSync(new URL('../oracles/network-golden.json', import.meta.url), 'utf8')) as {
  cases: Case[];
};

/** The network fed as it is: without preprocessing, as the references are. */
function model(name: 'ResNet50' | 'ResNet50V2'): Model {
  const version = name === 'ResNet50' ? 1 : 2;
  return kerasModel({
    name,
    hash: '',
    preprocess: 'tf',
    defaultLayer: '',
    topology: (l, image) => resnet(l, image, { version, blocks: [3, 4, 6, 3] }),
    weights: hashWeights(orders[name]!),
  });
}
/** Position in [1, c, h, w] of a flat NHWC index. */
const nchw = (flat: number, [, h, w, c]: readonly number[]): number => (flat % c!) * h! * w! + Math.floor(flat / c!);

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
      expect(network.layers(size).reduce((sum, l) => sum + l.parameters, 0)).toBe(params);
      for (const [layer, tap] of Object.entries(taps)) {
        const program = await nodeRuntime.compile(network.cut(layer, size));
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

  it.each(oracle.cases.filter((c) => c.model === 'ResNet50'))(
    'the gradient of $target:$channel of $model agrees with Keras in float64',
    async (c) => {
      const [, height, width] = c.inputShape as [number, number, number];
      const graph = stepGraph(model('ResNet50').cut(c.target, { height, width }), {
        objective: channelMean(c.border),
        withGradient: true,
      });
      const program = await nodeRuntime.compile(graph);
      const out = await program.run({
        [IMAGE]: float32(hashImage(height, width), [1, 3, height, width]),
        [CHANNEL]: int64(c.channel),
        [RATE]: float32(1),
      });
      await program.dispose();
      const g = out[GRADIENT]!.data as Float32Array;
      // What float32 itself costs the oracle, with room for another order of summation.
      const tolerance = Math.max(1e-5, 5 * c.float32Error);
      expect(Math.abs((out[LOSS]!.data as Float32Array)[0]! / c.loss - 1)).toBeLessThan(1e-4);
      expect(Math.abs(Math.sqrt(g.reduce((sum, v) => sum + v * v, 0)) / c.l2 - 1)).toBeLessThan(tolerance);
      const root = c.l2 / Math.sqrt(g.length);
      const error = Math.sqrt(
        c.samples.reduce((sum, [flat, value]) => sum + (g[nchw(flat, c.inputShape)]! - value) ** 2, 0) /
          c.samples.length,
      );
      expect(error / root).toBeLessThan(tolerance * 3);
    },
    60_000,
  );
});
