/** @file Keras layers by class, each against its meaning written out with the channels last, as Keras has them. */
import { describe, expect, it } from 'vitest';
import { kerasNetwork } from '../../src/import/keras/index.ts';
import type { Config } from '../../src/import/keras/layer.ts';
import { resnet } from '../../src/import/keras/architectures/resnet.ts';
import { PICTURE, snakeCase, type Topology, TopologyBuilder } from '../../src/import/keras/topology.ts';
import { IMAGE, type Network } from '../../src/import/network.ts';
import { knownPreprocess } from '../../src/import/preprocess.ts';
import { float32, sizeOf, type Dims } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

const size = { height: 7, width: 6 };
const image = new Random('keras layers').normal(3 * 7 * 6);
/** The picture at channel, row and column; outside of it is `outside`. */
const at = (c: number, y: number, x: number, outside = 0): number =>
  y < 0 || y >= 7 || x < 0 || x >= 6 ? outside : image[(c * 7 + y) * 6 + x]!;

/** Weights by `layer/weight`, made when they are asked for. */
function made(): {
  get(name: string): Float32Array;
  dims(name: string): Dims;
  read(layer: string, weight: string, dims: Dims): ReturnType<typeof float32>;
} {
  const all = new Map<string, ReturnType<typeof float32>>();
  return {
    get: (name) => all.get(name)!.data,
    dims: (name) => all.get(name)!.dims,
    read(layer, weight, dims) {
      const name = `${layer}/${weight}`;
      const values = new Random(name).uniform(sizeOf(dims), weight === 'moving_variance' ? 0.5 : -1, 1.5);
      const found = all.get(name) ?? float32(values, dims);
      all.set(name, found);
      return found;
    },
  };
}

function network(topology: Topology, weights = made()): Network {
  return kerasNetwork({
    name: 'net',
    input: { channels: 3, preprocess: knownPreprocess.tf, from: 'known' },
    defaultLayer: '',
    topology,
    weights: async () => ({ source: 'weights.h5', read: ({ name }, weight, dims) => weights.read(name, weight, dims) }),
    digest: async () => '',
  });
}

/** What one layer of a class gives for the picture. */
async function layer(
  type: string,
  config: Config,
  weights = made(),
  inputs: readonly string[] = [PICTURE],
): Promise<{ dims: Dims; value(...at: number[]): number }> {
  const net = network([{ name: 'l', type, config, inputs }], weights);
  const listed = net.layers(size);
  if (listed.barrier) throw listed.barrier;
  const program = await nodeRuntime.compile(await net.cut(['l'], size));
  const { l } = await program.run({ [IMAGE]: float32(image, [1, 3, 7, 6]) });
  await program.dispose();
  expect(listed.layers[0]!.dims).toEqual(l!.dims);
  const [, , h = 1, w = 1] = l!.dims;
  return { dims: l!.dims, value: (c, y = 0, x = 0) => l!.data[(c * h + y) * w + x] as number };
}

describe('a Keras layer', () => {
  it.each<[Config, Dims, (o: number, y: number, x: number) => [number, number]]>([
    [{ filters: 4, kernel_size: [3, 2] }, [1, 4, 5, 5], (_, y, x) => [y, x]],
    [{ filters: 4, kernel_size: 3, padding: 'same' }, [1, 4, 7, 6], (_, y, x) => [y - 1, x - 1]],
    // Of an odd number of zeros the greater part comes last: 7 rows need two, 6 columns one.
    [{ filters: 2, kernel_size: 3, strides: 2, padding: 'same' }, [1, 2, 4, 3], (_, y, x) => [2 * y - 1, 2 * x]],
    [{ filters: 2, kernel_size: 2, strides: [1, 2], use_bias: false }, [1, 2, 6, 3], (_, y, x) => [y, 2 * x]],
  ])('Conv2D %j', async (config, dims, start) => {
    const weights = made();
    const found = await layer('Conv2D', config, weights);
    expect(found.dims).toEqual(dims);
    const [kh, kw, , filters] = weights.dims('l/kernel') as [number, number, number, number];
    const kernel = weights.get('l/kernel');
    const [o, y, x] = [filters - 1, dims[2]! - 1, dims[3]! - 1];
    for (const [row, column] of [
      [0, 0],
      [y, x],
    ] as const) {
      const [top, left] = start(o, row, column);
      let sum = config['use_bias'] === false ? 0 : weights.get('l/bias')[o]!;
      for (let i = 0; i < kh; i++)
        for (let k = 0; k < kw; k++)
          for (let c = 0; c < 3; c++) sum += at(c, top + i, left + k) * kernel[((i * kw + k) * 3 + c) * filters + o]!;
      expect(found.value(o, row, column)).toBeCloseTo(sum, 4);
    }
  });

  it('Conv2D dilated and in groups', async () => {
    const weights = made();
    const found = await layer('Conv2D', { filters: 6, kernel_size: 2, dilation_rate: 2, groups: 3 }, weights);
    expect(found.dims).toEqual([1, 6, 5, 4]);
    expect(weights.dims('l/kernel')).toEqual([2, 2, 1, 6]);
    const kernel = weights.get('l/kernel');
    let sum = weights.get('l/bias')[3]!;
    for (let i = 0; i < 2; i++)
      for (let k = 0; k < 2; k++) sum += at(1, 1 + 2 * i, 2 + 2 * k) * kernel[(i * 2 + k) * 6 + 3]!;
    expect(found.value(3, 1, 2)).toBeCloseTo(sum, 4);
  });

  it('DepthwiseConv2D: channel c, multiplier m is c · M + m', async () => {
    const weights = made();
    const found = await layer('DepthwiseConv2D', { kernel_size: 3, depth_multiplier: 2, activation: 'relu' }, weights);
    expect(found.dims).toEqual([1, 6, 5, 4]);
    const kernel = weights.get('l/depthwise_kernel');
    let sum = weights.get('l/bias')[5]!;
    for (let i = 0; i < 3; i++)
      for (let k = 0; k < 3; k++) sum += at(2, 1 + i, 3 + k) * kernel[((i * 3 + k) * 3 + 2) * 2 + 1]!;
    expect(found.value(5, 1, 3)).toBeCloseTo(Math.max(sum, 0), 4);
  });

  it('SeparableConv2D', async () => {
    const weights = made();
    const found = await layer('SeparableConv2D', { filters: 2, kernel_size: 1, strides: 2 }, weights);
    expect(found.dims).toEqual([1, 2, 4, 3]);
    const [depth, point, bias] = ['depthwise_kernel', 'pointwise_kernel', 'bias'].map((n) => weights.get(`l/${n}`));
    const sum = [0, 1, 2].reduce((s, c) => s + at(c, 2, 4) * depth![c]! * point![c * 2 + 1]!, bias![1]!);
    expect(found.value(1, 1, 2)).toBeCloseTo(sum, 4);
  });

  it.each([
    [{}, 1e-3, true, true],
    [{ epsilon: 0.1, scale: false, axis: 3 }, 0.1, false, true],
    [{ center: false, axis: [3] }, 1e-3, true, false],
  ])('BatchNormalization %j', async (config, epsilon, scale, center) => {
    const weights = made();
    const found = await layer('BatchNormalization', config, weights);
    const of = (name: string): number => weights.get(`l/${name}`)[2]!;
    const normal = (at(2, 3, 4) - of('moving_mean')) / Math.sqrt(of('moving_variance') + epsilon);
    expect(found.value(2, 3, 4)).toBeCloseTo(normal * (scale ? of('gamma') : 1) + (center ? of('beta') : 0), 4);
  });

  const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
  const relu6 = (x: number): number => Math.min(Math.max(x, 0), 6);
  it.each<[string, Config, (x: number) => number]>([
    ['Activation', { activation: 'relu' }, (x) => Math.max(x, 0)],
    ['Activation', { activation: 'linear' }, (x) => x],
    ['Activation', { activation: 'relu6' }, relu6],
    ['Activation', { activation: 'silu' }, (x) => x * sigmoid(x)],
    ['Activation', { activation: 'swish' }, (x) => x * sigmoid(x)],
    ['Activation', { activation: 'hard_sigmoid' }, (x) => relu6(x + 3) / 6],
    ['Activation', { activation: 'hard_silu' }, (x) => (x * relu6(x + 3)) / 6],
    ['Activation', { activation: 'elu' }, (x) => (x > 0 ? x : Math.exp(x) - 1)],
    ['Activation', { activation: 'tanh' }, Math.tanh],
    ['Activation', { activation: 'softplus' }, (x) => Math.log1p(Math.exp(x))],
    ['Activation', { activation: 'softsign' }, (x) => x / (1 + Math.abs(x))],
    ['Activation', { activation: 'leaky_relu' }, (x) => (x > 0 ? x : 0.2 * x)],
    ['Activation', { activation: 'exponential' }, Math.exp],
    // The tanh approximation is within 1e-3 of the exact one.
    ['Activation', { activation: 'gelu' }, (x) => 0.5 * x * (1 + Math.tanh(0.7978845608 * (x + 0.044715 * x ** 3)))],
    ['ReLU', {}, (x) => Math.max(x, 0)],
    ['ReLU', { max_value: null, negative_slope: 0, threshold: 0 }, (x) => Math.max(x, 0)],
    ['ReLU', { max_value: 0.5 }, (x) => Math.min(Math.max(x, 0), 0.5)],
    ['ReLU', { negative_slope: 0.1 }, (x) => (x > 0 ? x : 0.1 * x)],
    ['ReLU', { negative_slope: 0.1, max_value: 0.5 }, (x) => Math.min(x > 0 ? x : 0.1 * x, 0.5)],
    ['LeakyReLU', {}, (x) => (x > 0 ? x : 0.3 * x)],
    ['LeakyReLU', { alpha: 0.7 }, (x) => (x > 0 ? x : 0.7 * x)],
    ['LeakyReLU', { negative_slope: 0.6 }, (x) => (x > 0 ? x : 0.6 * x)],
    ['ELU', { alpha: 2 }, (x) => (x > 0 ? x : 2 * (Math.exp(x) - 1))],
    ['Dropout', { rate: 0.5 }, (x) => x],
  ])('%s %j', async (type, config, f) => {
    const found = await layer(type, config);
    for (let y = 0; y < 7; y++)
      for (let x = 0; x < 6; x++) expect(Math.abs(found.value(1, y, x) - f(at(1, y, x)))).toBeLessThan(1e-3);
  });

  it('softmax is over the channels', async () => {
    for (const found of [await layer('Softmax', {}), await layer('Activation', { activation: 'softmax' })])
      expect(found.value(0, 2, 3) + found.value(1, 2, 3) + found.value(2, 2, 3)).toBeCloseTo(1, 5);
  });

  it('MaxPooling2D and AveragePooling2D, padding counted by neither', async () => {
    const window = (y: number, x: number): number[] =>
      [0, 1].flatMap((i) => [0, 1].map((k) => at(1, y + i, x + k, Number.NaN))).filter((v) => !Number.isNaN(v));
    for (const [type, f] of [
      ['MaxPooling2D', (v: number[]) => Math.max(...v)],
      ['AveragePooling2D', (v: number[]) => v.reduce((a, b) => a + b) / v.length],
    ] as const) {
      const valid = await layer(type, {});
      expect(valid.dims).toEqual([1, 3, 3, 3]);
      expect(valid.value(1, 2, 2)).toBeCloseTo(f(window(4, 4)), 5);
      const same = await layer(type, { pool_size: [2, 2], strides: null, padding: 'same' });
      expect(same.dims).toEqual([1, 3, 4, 3]);
      expect(same.value(1, 3, 0)).toBeCloseTo(f(window(6, 0)), 5);
      expect((await layer(type, { pool_size: 2, strides: 1 })).dims).toEqual([1, 3, 6, 5]);
    }
  });

  it('GlobalAveragePooling2D and GlobalMaxPooling2D', async () => {
    const all = Array.from(image.slice(42, 84));
    const mean = all.reduce((a, b) => a + b) / 42;
    for (const [config, dims] of [
      [{}, [1, 3]],
      [{ keepdims: true }, [1, 3, 1, 1]],
    ] as const) {
      const [average, most] = [
        await layer('GlobalAveragePooling2D', config),
        await layer('GlobalMaxPooling2D', config),
      ];
      expect(average.dims).toEqual(dims);
      expect(average.value(1)).toBeCloseTo(mean, 5);
      expect(most.value(1)).toBeCloseTo(Math.max(...all), 5);
    }
  });

  it('ZeroPadding2D and Cropping2D, [[top, bottom], [left, right]]', async () => {
    const padded = await layer('ZeroPadding2D', {
      padding: [
        [1, 2],
        [3, 0],
      ],
    });
    expect(padded.dims).toEqual([1, 3, 10, 9]);
    expect([padded.value(2, 1, 3), padded.value(2, 0, 3), padded.value(2, 1, 2)]).toEqual([at(2, 0, 0), 0, 0]);
    expect((await layer('ZeroPadding2D', { padding: [1, 2] })).dims).toEqual([1, 3, 9, 10]);
    expect((await layer('ZeroPadding2D', {})).dims).toEqual([1, 3, 9, 8]);
    const cropped = await layer('Cropping2D', {
      cropping: [
        [1, 2],
        [3, 0],
      ],
    });
    expect(cropped.dims).toEqual([1, 3, 4, 3]);
    expect(cropped.value(1, 0, 0)).toBe(at(1, 1, 3));
  });

  it('of several inputs', async () => {
    const inputs = [PICTURE, PICTURE, PICTURE];
    const v = at(1, 2, 3);
    for (const [type, expected] of [
      ['Add', 3 * v],
      ['Multiply', v ** 3],
      ['Maximum', v],
      ['Minimum', v],
    ] as const)
      expect((await layer(type, {}, made(), inputs)).value(1, 2, 3)).toBeCloseTo(expected, 4);
    expect((await layer('Subtract', {}, made(), [PICTURE, PICTURE])).value(1, 2, 3)).toBe(0);
    for (const [axis, dims] of [
      [undefined, [1, 6, 7, 6]],
      [-1, [1, 6, 7, 6]],
      [3, [1, 6, 7, 6]],
      [1, [1, 3, 14, 6]],
      [2, [1, 3, 7, 12]],
      [-2, [1, 3, 7, 12]],
    ] as const)
      expect((await layer('Concatenate', axis === undefined ? {} : { axis }, made(), [PICTURE, PICTURE])).dims).toEqual(
        dims,
      );
  });

  it.each<[string, Config, readonly string[], RegExp]>([
    ['Conv2d', {}, [PICTURE], /^layer `l`: its class Conv2d is not known; did you mean `Conv2D`/],
    ['toString', {}, [PICTURE], /its class toString is not known/],
    [
      'Conv2D',
      { filters: 4, kernel_size: 'x' },
      [PICTURE],
      /^layer `l`: its kernel_size is "x", which is not supported/,
    ],
    ['Conv2D', { filters: 4, kernel_size: [3, 0] }, [PICTURE], /its kernel_size is \[3,0\]/],
    ['Conv2D', { filters: 4, kernel_size: 3, padding: 'causal' }, [PICTURE], /its padding is "causal"/],
    ['Conv2D', { filters: 4, kernel_size: 3, groups: 2 }, [PICTURE], /2 groups do not divide 3 channels and 4 filters/],
    ['Conv2D', { filters: 4, kernel_size: 3, activation: 'swirl' }, [PICTURE], /its activation is `swirl`/],
    ['Activation', { activation: { class_name: 'x' } }, [PICTURE], /its activation is \{"class_name":"x"\}/],
    [
      'ZeroPadding2D',
      {
        padding: [
          [1, -1],
          [0, 0],
        ],
      },
      [PICTURE],
      /its padding is \[\[1,-1\],\[0,0\]\]/,
    ],
    ['Concatenate', { axis: 'last' }, [PICTURE, PICTURE], /its axis is "last"/],
    ['Add', {}, [PICTURE], /it has 1 inputs, two or more are needed/],
  ])('%s %j is refused', async (type, config, inputs, message) => {
    await expect(layer(type, config, made(), inputs)).rejects.toMatchObject({
      code: 'unsupported-op',
      message: expect.stringMatching(message),
      details: expect.objectContaining({ node: 'l' }),
    });
  });
});

describe('a Keras network', () => {
  it('gives every layer its name, though names made up for others look the same', async () => {
    const t = new TopologyBuilder();
    let x = PICTURE;
    // A layer normalisation adds before the layers that are called `add`, `add_1` … do.
    for (let i = 0; i < 30; i++) x = t.add('Add', undefined, [t.add('LayerNormalization', `n${i}`, x), x]);
    const net = kerasNetwork({
      name: 'adds',
      input: { channels: 3, preprocess: knownPreprocess.tf, from: 'known' },
      topology: t.finish(x),
      digest: async () => '',
      weights: async () => ({
        source: 'x.h5',
        read: (_owner, _weight, dims) => float32(new Float32Array(sizeOf(dims)).fill(1), dims),
      }),
    });
    const size = { height: 2, width: 2 };
    const names = net.layers(size).layers.map((l) => l.name);
    expect(names).toHaveLength(60);
    expect((await net.cut(names, size)).outputs.map((o) => o.name)).toEqual(names);
  });

  it('reads the weights that its targets need, when they are cut', async () => {
    const read: string[] = [];
    const net = kerasNetwork({
      name: 'resnet',
      input: { channels: 3, preprocess: knownPreprocess.tf, from: 'known' },
      defaultLayer: 'conv1_conv',
      topology: resnet({ version: 2, blocks: [3, 4, 6, 3], top: false }),
      digest: async () => '',
      async weights() {
        return {
          source: 'x.h5',
          read({ name }, weight, dims) {
            read.push(`${name}/${weight}`);
            return float32(new Float32Array(sizeOf(dims)).fill(1), dims);
          },
        };
      },
    });
    const { layers } = net.layers({ height: 32, width: 32 });
    // Keras' own count, without the top.
    expect(layers.reduce((sum, l) => sum + l.parameters, 0)).toBe(23_564_800);
    expect(layers.every((l) => l.channels?.axis === 1)).toBe(true);
    expect(read).toEqual([]);
    await net.cut(['pool1_pool', 'conv2_block1_preact_bn'], { height: 32, width: 32 });
    expect(read.toSorted()).toEqual(
      [
        'conv1_conv/bias',
        'conv1_conv/kernel',
        ...['beta', 'gamma', 'moving_mean', 'moving_variance'].map((w) => `conv2_block1_preact_bn/${w}`),
      ].toSorted(),
    );
  });

  it('ends at a layer that is not known, with its reason', async () => {
    const t = new TopologyBuilder();
    const x = t.add('Conv2D', 'a', PICTURE, { filters: 2, kernel_size: 3 });
    t.add('Mystery', 'b', x);
    const net = network(t.layers);
    expect(net.layers(size)).toMatchObject({
      layers: [{ name: 'a', type: 'Conv2D', parameters: 56 }],
      barrier: { code: 'unsupported-op', details: { class: 'Mystery' } },
    });
    await expect(net.cut(['b'], size)).rejects.toThrow('its class Mystery is not known');
    await expect(net.cut(['c'], size)).rejects.toMatchObject({ code: 'unknown-layer' });
  });

  it('lacks a weight, which is named', async () => {
    const net = network([{ name: 'a', type: 'Conv2D', config: { filters: 2, kernel_size: 3 }, inputs: [PICTURE] }], {
      ...made(),
      read: () => undefined as never,
    });
    await expect(net.cut(['a'], size)).rejects.toMatchObject({
      code: 'missing-weights',
      message: expect.stringMatching(/^weights\.h5: it has no `kernel` for layer `a`/),
    });
  });

  it('refuses an input that is no layer', () => {
    expect(() => network([{ name: 'a', type: 'ReLU', config: {}, inputs: ['b'] }]).layers(size)).toThrow(
      'layer `a`: its input `b` is no layer before it',
    );
  });

  it('gives layers without a name that of Keras', () => {
    const t = new TopologyBuilder();
    expect(
      ['MaxPooling2D', 'MaxPooling2D', 'Add', 'MaxPooling2D'].map((type) => t.add(type, undefined, PICTURE)),
    ).toEqual(['max_pooling2d', 'max_pooling2d_1', 'add', 'max_pooling2d_2']);
    expect(
      [
        'Conv2D',
        'DepthwiseConv2D',
        'ReLU',
        'LeakyReLU',
        'PReLU',
        'ZeroPadding2D',
        'GlobalAveragePooling2D',
        'InputLayer',
      ].map(snakeCase),
    ).toEqual([
      'conv2d',
      'depthwise_conv2d',
      're_lu',
      'leaky_re_lu',
      'p_re_lu',
      'zero_padding2d',
      'global_average_pooling2d',
      'input_layer',
    ]);
  });
});
