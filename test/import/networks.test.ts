/** @file Gradients through the whole of SqueezeNet and VGG16, against PyTorch and Keras in float64. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { kerasModel } from '../../src/import/keras.ts';
import { fromOnnx } from '../../src/import/onnx.ts';
import { expectOracleGradient, oracleCases } from '../oracles/gradient.ts';
import { readNpy } from '../npy.ts';
import { sharedPath } from '../shared.ts';
import { hashImage, hashWeights } from './hash-weights.ts';

const squeezenet = sharedPath('models/squeezenet1.1/squeezenet1.1.onnx');
const input = sharedPath('models/squeezenet1.1/input_0.npy');
const vggOrder = sharedPath('golden/keras/configs/VGG16.weights-order.json');

describe.skipIf(!squeezenet || !input)('SqueezeNet 1.1 against PyTorch (needs shared/models)', () => {
  it.each(oracleCases('squeezenet1.1'))('the gradient of $target:$channel', async (c) => {
    // `tf`: the recorded input is what the network itself takes.
    const model = fromOnnx(readFileSync(squeezenet!), { name: 'squeezenet', hash: '', preprocess: 'tf' });
    await expectOracleGradient(model, c, readNpy(input!).data);
  });
});

describe.skipIf(!vggOrder)('VGG16 against Keras (needs shared/golden)', () => {
  const vgg16 = kerasModel({
    name: 'VGG16',
    hash: '',
    preprocess: 'tf',
    defaultLayer: '',
    weights: vggOrder ? hashWeights(vggOrder) : undefined,
    topology(l, image) {
      let x = image;
      [2, 2, 3, 3, 3].forEach((convolutions, i) => {
        for (let k = 1; k <= convolutions; k++) {
          const name = `block${i + 1}_conv${k}`;
          x = l.conv(name, x, { filters: Math.min(64 << i, 512), kernel: 3, bias: true, same: true });
          x = l.relu(`${name}_relu`, x);
        }
        x = l.maxPooling(`block${i + 1}_pool`, x, 2, 2);
      });
    },
  });

  it.each(oracleCases('VGG16'))(
    'the gradient of $target:$channel',
    async (c) => {
      // Keras' convolutions here end with their activation.
      const layer = c.target.includes('conv') ? `${c.target}_relu` : c.target;
      await expectOracleGradient(vgg16, c, hashImage(c.inputShape[1], c.inputShape[2]), layer);
      expect(vgg16.layers({ height: 64, width: 64 }).reduce((sum, l) => sum + l.parameters, 0)).toBe(14_714_688);
    },
    60_000,
  );
});
