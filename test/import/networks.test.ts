/** @file Gradients through the whole of SqueezeNet and VGG16, against PyTorch and Keras in float64. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { kerasNetwork } from '../../src/import/keras/index.ts';
import { PICTURE, TopologyBuilder } from '../../src/import/keras/topology.ts';
import { knownPreprocess } from '../../src/import/preprocess.ts';
import { expectOracleGradient, oracleCases } from '../oracles/gradient.ts';
import { readNpy } from '../npy.ts';
import { sharedPath } from '../shared.ts';
import { hashImage, hashWeights } from './hash-weights.ts';
import { openBytes } from './open.ts';

const squeezenet = sharedPath('models/squeezenet1.1/squeezenet1.1.onnx');
const input = sharedPath('models/squeezenet1.1/input_0.npy');
const vggOrder = sharedPath('golden/keras/configs/VGG16.weights-order.json');

describe.skipIf(!squeezenet || !input)('SqueezeNet 1.1 against PyTorch (needs shared/models)', () => {
  it.each(oracleCases('squeezenet1.1'))('the gradient of $target:$channel', async (c) => {
    // `tf`: the recorded input is what the network itself takes.
    const model = await openBytes(readFileSync(squeezenet!), { preprocess: 'tf' });
    await expectOracleGradient(model, c, readNpy(input!).data);
  });
});

describe.skipIf(!vggOrder)('VGG16 against Keras (needs shared/golden)', () => {
  const t = new TopologyBuilder();
  let x = PICTURE;
  [2, 2, 3, 3, 3].forEach((convolutions, i) => {
    for (let k = 1; k <= convolutions; k++) {
      const name = `block${i + 1}_conv${k}`;
      const filters = Math.min(64 << i, 512);
      x = t.add('Conv2D', name, x, { filters, kernel_size: [3, 3], padding: 'same', activation: 'relu' });
    }
    x = t.add('MaxPooling2D', `block${i + 1}_pool`, x, { pool_size: [2, 2], strides: [2, 2] });
  });
  const vgg16 = kerasNetwork({
    name: 'VGG16',
    input: { channels: 3, preprocess: knownPreprocess.tf, from: 'known' },
    defaultLayer: '',
    topology: t.layers,
    weights: async () => hashWeights(vggOrder!),
    digest: async () => '',
  });

  it.each(oracleCases('VGG16'))(
    'the gradient of $target:$channel',
    async (c) => {
      await expectOracleGradient(vgg16, c, hashImage(c.inputShape[1], c.inputShape[2]));
      expect(vgg16.layers({ height: 64, width: 64 }).layers.reduce((sum, l) => sum + l.parameters, 0)).toBe(14_714_688);
    },
    60_000,
  );
});
