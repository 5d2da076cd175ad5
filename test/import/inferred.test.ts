/** @file How pictures were prepared, told from what the first batch normalisation remembers. */
import { describe, expect, it } from 'vitest';
import { type FirstConvolution, inferredPreprocess } from '../../src/import/inferred.ts';
import { openNetwork } from '../../src/import/formats.ts';
import type { Network } from '../../src/import/network.ts';
import { knownPreprocess, type Preprocess, preprocessOf } from '../../src/import/preprocess.ts';
import { bytesSource } from '../../src/import/source.ts';
import type { Value } from '../../src/ir/builder.ts';
import { Random } from '../../src/random.ts';
import { openBytes } from './open.ts';
import { onnx, weights } from './protos.ts';

const OUTS = 16;

/**
 * What a 1×1 convolution gives of photographs that are made here: brightness and colour of each pixel are drawn, with ImageNet's mean
 * and deviation, and colours that go together.
 */
function remembered(
  preprocess: Preprocess,
  kernel: ArrayLike<number>,
  channels: number,
  behind = (y: number): number => y,
): FirstConvolution['seen'] {
  const random = new Random('photographs');
  const [mean, variance] = [new Float64Array(OUTS), new Float64Array(OUTS)];
  const PIXELS = 4000;
  for (let n = 0; n < PIXELS; n++) {
    const brightness = random.normal(1)[0]! * 0.27;
    const rgb = [0.485, 0.456, 0.406].map((m) => 2 * (m + brightness + random.normal(1)[0]! * 0.05) - 1);
    const seen = channels === 3 ? rgb : [rgb[1]!];
    const fed = preprocess.scale.map(
      (s, c) => s * seen[preprocess.order === 'bgr' ? channels - 1 - c : c]! + preprocess.shift[c]!,
    );
    for (let o = 0; o < OUTS; o++) {
      const y = behind(fed.reduce((sum, v, c) => sum + v * kernel[o * channels + c]!, 0));
      mean[o]! += y / PIXELS;
      variance[o]! += y ** 2 / PIXELS;
    }
  }
  return { mean, variance: variance.map((v, o) => v - mean[o]! ** 2) };
}

const unit = (channels: number): Preprocess => preprocessOf({ range: [0, 1] }, channels);

describe('inferredPreprocess', () => {
  const kernel = new Random('kernel').normal(OUTS * 3);
  it.each<[string, Preprocess]>([
    ['tf', knownPreprocess.tf],
    ['torch', knownPreprocess.torch],
    ['caffe', knownPreprocess.caffe],
    ['raw', knownPreprocess.raw],
    ['[0, 1]', unit(3)],
  ])('tells that pictures were %s', (_, preprocess) => {
    const found = inferredPreprocess({ dims: [OUTS, 3, 1, 1], kernel, seen: remembered(preprocess, kernel, 3) })!;
    expect(found.preprocess).toEqual(preprocess);
    expect(found.sure).toBeGreaterThan(0.9);
    expect(found.sure).toBeLessThanOrEqual(1);
  });

  it.each<[string, Preprocess]>([
    ['[-1, 1]', preprocessOf('tf', 1)],
    ['[0, 1]', unit(1)],
    ['[0, 255]', preprocessOf('raw', 1)],
  ])('tells that grey pictures were in %s', (_, preprocess) => {
    const grey = kernel.slice(0, OUTS);
    const found = inferredPreprocess({ dims: [OUTS, 1, 1, 1], kernel: grey, seen: remembered(preprocess, grey, 1) })!;
    expect(found.preprocess).toEqual(preprocess);
  });

  it('takes the bias into account', () => {
    const seen = remembered(unit(3), kernel, 3);
    const bias = Float64Array.from({ length: OUTS }, (_, o) => (o % 2 === 0 ? 3 : -3));
    const shifted = { ...seen, mean: Float64Array.from(seen.mean, (m, o) => m + bias[o]!) };
    const dims = [OUTS, 3, 1, 1] as const;
    expect(inferredPreprocess({ dims, kernel, bias, seen: shifted })!.preprocess).toEqual(unit(3));
  });

  it('knows what a ReLU leaves of it', () => {
    const dims = [OUTS, 3, 1, 1] as const;
    for (const preprocess of [unit(3), knownPreprocess.tf, knownPreprocess.torch, knownPreprocess.raw]) {
      const seen = remembered(preprocess, kernel, 3, (y) => Math.max(y, 0));
      const found = inferredPreprocess({ dims, kernel, seen, rectified: true })!;
      expect(found.preprocess).toEqual(preprocess);
      expect(found.sure).toBeGreaterThan(0.9);
      // Taken for what the convolution gives, the same numbers fit badly.
      const mistaken = inferredPreprocess({ dims, kernel, seen })!;
      expect(mistaken.preprocess === preprocess && mistaken.sure > found.sure).toBe(false);
    }
  });

  it('says nothing of a normalisation that has never seen a picture', () => {
    const fresh = { mean: new Float32Array(OUTS), variance: new Float32Array(OUTS).fill(1) };
    expect(inferredPreprocess({ dims: [OUTS, 3, 1, 1], kernel, seen: fresh })).toBeUndefined();
    const touched = { ...fresh, mean: fresh.mean.with(3, 0.1) };
    expect(inferredPreprocess({ dims: [OUTS, 3, 1, 1], kernel, seen: touched })).toBeDefined();
    const wider = { ...fresh, variance: fresh.variance.with(3, 1.1) };
    expect(inferredPreprocess({ dims: [OUTS, 3, 1, 1], kernel, seen: wider })).toBeDefined();
  });

  it('says that it is not sure if what is remembered fits nothing', () => {
    const seen = { mean: new Float64Array(OUTS).fill(1e6), variance: new Float64Array(OUTS).fill(1) };
    expect(inferredPreprocess({ dims: [OUTS, 3, 1, 1], kernel, seen })!.sure).toBeLessThan(0.5);
  });

  it('says nothing of other numbers of channels, of kernels that are too large, and of numbers that are none', () => {
    const seen = remembered(unit(3), kernel, 3);
    expect(inferredPreprocess({ dims: [12, 4, 1, 1], kernel, seen })).toBeUndefined();
    expect(inferredPreprocess({ dims: [1, 3, 17, 1], kernel, seen })).toBeUndefined();
    const none = { ...seen, mean: new Float64Array(OUTS).fill(NaN) };
    expect(inferredPreprocess({ dims: [OUTS, 3, 1, 1], kernel, seen: none })).toBeUndefined();
  });
});

/** A TensorFlow.js layers model: a convolution, a ReLU perhaps, and a normalisation that remembers pictures in [0, 255]. */
function layersModel(kernel: ArrayLike<number>, relu: boolean, shards = true): Promise<Network> {
  const seen = remembered(knownPreprocess.raw, kernel, 3, (y) => (relu ? Math.max(y, 0) : y));
  // [out, in] → [1, 1, in, out]
  const turned = Array.from({ length: 3 * OUTS }, (_, i) => kernel[(i % OUTS) * 3 + Math.floor(i / OUTS)]!);
  const weights = { 'c/kernel': turned, 'n/moving_mean': seen.mean, 'n/moving_variance': seen.variance };
  const conv = { filters: OUTS, kernel_size: [1, 1], use_bias: false, activation: relu ? 'relu' : 'linear' };
  const layers = [
    { class_name: 'InputLayer', config: { name: 'i', batch_input_shape: [null, 8, 8, 3] } },
    { class_name: 'Conv2D', config: { name: 'c', ...conv } },
    { class_name: 'BatchNormalization', config: { name: 'n', axis: -1, scale: false, center: false } },
  ];
  const specs = Object.entries(weights).map(([name, { length }]) => ({
    name,
    dtype: 'float32',
    shape: name === 'c/kernel' ? [1, 1, 3, OUTS] : [length],
  }));
  const model = {
    modelTopology: { model_config: { class_name: 'Sequential', config: { name: 's', layers } } },
    weightsManifest: [{ paths: ['w.bin'], weights: specs }],
  };
  const bytes = new Uint8Array(Float32Array.from(Object.values(weights).flatMap((w) => Array.from(w))).buffer);
  return openNetwork(bytesSource('model.json', Buffer.from(JSON.stringify(model)), shards ? { 'w.bin': bytes } : {}));
}

describe('a layers model', () => {
  const kernel = new Random('kernel').normal(OUTS * 3);

  it.each([false, true])('has its preprocessing inferred from its first layers (ReLU between: %s)', async (relu) => {
    expect((await layersModel(kernel, relu)).input).toMatchObject({
      from: 'inferred',
      preprocess: knownPreprocess.raw,
    });
  });

  it('has it assumed if its weights are not there', async () => {
    expect((await layersModel(kernel, false, false)).input).toMatchObject({
      from: 'assumed',
      preprocess: knownPreprocess.tf,
    });
  });
});

describe('an ONNX file', () => {
  const kernel = weights(OUTS, 3, 1, 1);
  const file = (between: (x: Value) => Value, after = true): Promise<{ input: unknown }> => {
    const seen = remembered(knownPreprocess.raw, kernel.data, 3);
    return openBytes(
      onnx((b, x) => {
        const c = b.conv(between(x), b.constant(kernel));
        const each = (v: ArrayLike<number>): Value => b.float(Array.from(v));
        const ones = each(new Float64Array(OUTS).fill(1));
        return after ? b.one('BatchNormalization', [c, ones, ones, each(seen.mean), each(seen.variance)]) : b.relu(c);
      }),
    );
  };

  it('has its preprocessing inferred from its first convolution', async () => {
    expect((await file((x) => x)).input).toMatchObject({ from: 'inferred', preprocess: knownPreprocess.raw });
  });

  it('has it assumed if no normalisation follows, the more common one of the exporter', async () => {
    expect((await file((x) => x, false)).input).toMatchObject({ from: 'assumed', preprocess: knownPreprocess.tf });
    const pytorch = (channels: number) =>
      openBytes(
        onnx((b, x) => b.relu(b.conv(x, b.constant(weights(4, channels, 1, 1)))), {
          dims: [1, channels, 8, 8],
          change: (proto) => (proto.producerName = 'pytorch'),
        }),
      );
    expect((await pytorch(3)).input).toMatchObject({ from: 'assumed', preprocess: knownPreprocess.torch });
    expect((await pytorch(1)).input).toMatchObject({ from: 'assumed', preprocess: preprocessOf('tf', 1) });
  });
});
