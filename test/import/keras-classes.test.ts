/** @file Keras layers, class by class, against plain loops over Keras' own order of axes. */
import { describe, expect, it } from 'vitest';
import { kerasNetwork, type WeightSource } from '../../src/import/keras/index.ts';
import { kerasLayers } from '../../src/import/keras/layers/index.ts';
import { PICTURE, TopologyBuilder } from '../../src/import/keras/topology.ts';
import { IMAGE, type Listing, type Network } from '../../src/import/network.ts';
import { preprocessOf } from '../../src/import/preprocess.ts';
import { float32, sizeOf } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

const [H, W, C] = [3, 4, 2] as const;
const size = { height: H, width: W };

/** Numbers by Keras' index: [h, w, c], and weights in their own order. */
const wave = (i: number, seed = 0): number => Math.fround(Math.sin(1.3 * i + seed));
const pixel = (y: number, x: number, c: number): number => wave((y * W + x) * C + c);

/** Weights in which position and name tell what is expected. */
const weightSource: WeightSource = {
  source: 'w',
  read: (_, weight, dims) =>
    float32(
      Float32Array.from({ length: sizeOf(dims) }, (_unused, i) => weightAt(weight, i)),
      dims,
    ),
};
const weightAt = (weight: string, i: number): number =>
  Math.fround(weight === 'variance' ? 1 + wave(i, 7) ** 2 : wave(i, weight.length));

type Config = Record<string, unknown>;
type Step = readonly [type: string, config?: Config, inputs?: readonly (string | number)[]];

/** A network of these layers, one after the other unless inputs are given; they are called 0, 1, … */
function networkOf(steps: readonly Step[], keras2 = false): Network {
  const t = new TopologyBuilder();
  steps.forEach(([type, config, inputs], i) => {
    t.add(type, String(i), inputs ?? [i === 0 ? PICTURE : String(i - 1)], config);
  });
  return kerasNetwork({
    name: 'k',
    input: { channels: C, preprocess: preprocessOf('tf', C), from: 'known' },
    topology: t.layers,
    weights: async () => weightSource,
    digest: async () => '',
    keras2,
  });
}

/** The last layer's output, read by Keras' indices. */
async function outputOf(
  steps: readonly Step[],
  keras2 = false,
): Promise<{ shape: number[]; at: (...index: number[]) => number }> {
  const network = networkOf(steps, keras2);
  const last = String(steps.length - 1);
  const program = await nodeRuntime.compile(await network.cut([last], size));
  const image = new Float32Array(H * W * C);
  for (let y = 0; y < H; y++)
    for (let x = 0; x < W; x++) for (let c = 0; c < C; c++) image[(c * H + y) * W + x] = pixel(y, x, c);
  const { data, dims } = (await program.run({ [IMAGE]: float32(image, [1, C, H, W]) }))[last]!;
  await program.dispose();
  const values = data as Float32Array;
  if (dims.length !== 4) {
    const shape = dims.slice(1);
    return { shape, at: (...index) => values[index.reduce((flat, i, axis) => flat * shape[axis]! + i, 0)]! };
  }
  const [, channels, height, width] = dims as [number, number, number, number];
  return {
    shape: [height, width, channels],
    at: (y, x, c) => values[(c * height + y) * width + x]!,
  };
}

/** Holds an output against what each index should have. */
async function expectOutput(
  steps: readonly Step[],
  shape: readonly number[],
  expected: (...index: number[]) => number,
  keras2 = false,
): Promise<void> {
  const found = await outputOf(steps, keras2);
  expect(found.shape).toEqual(shape);
  const walk = (index: readonly number[]): void => {
    if (index.length === shape.length) {
      const value = expected(...index);
      return expect(Math.abs(found.at(...index) - value), String(index)).toBeLessThan(1e-5 * (1 + Math.abs(value)));
    }
    for (let i = 0; i < shape[index.length]!; i++) walk([...index, i]);
  };
  walk([]);
}

const barrier = (steps: readonly Step[]): Listing['barrier'] => networkOf(steps).layers(size).barrier;
const hwc = [H, W, C];
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const channelsAt = (y: number, x: number): number[] => [pixel(y, x, 0), pixel(y, x, 1)];

describe('shapes', () => {
  it('Flatten has the channels of a pixel together', async () => {
    await expectOutput([['Flatten']], [H * W * C], (i) => wave(i));
  });
  it('Reshape and Permute go by Keras’ order', async () => {
    await expectOutput([['Reshape', { target_shape: [W, H, C] }]], [W, H, C], (y, x, c) => wave((y * H + x) * C + c));
    await expectOutput([['Reshape', { target_shape: [-1, C] }]], [H * W, C], (i, c) => wave(i * C + c));
    await expectOutput([['Permute', { dims: [2, 1, 3] }]], [W, H, C], (y, x, c) => pixel(x, y, c));
    await expectOutput([['Permute', { dims: [3, 1, 2] }]], [C, H, W], (y, x, c) => pixel(x, c, y));
    expect(barrier([['Reshape', { target_shape: 'x' }]])?.message).toBe(
      'layer `0`: its target_shape is "x", which is not supported',
    );
    expect(barrier([['Permute', { dims: [1] }]])?.message).toBe('layer `0`: its dims are [1], which is not supported');
  });
  it('UpSampling2D repeats', async () => {
    await expectOutput([['UpSampling2D', { size: [2, 3] }]], [2 * H, 3 * W, C], (y, x, c) =>
      pixel(Math.floor(y / 2), Math.floor(x / 3), c),
    );
    await expectOutput([['UpSampling2D']], [2 * H, 2 * W, C], (y, x, c) => pixel(y >> 1, x >> 1, c));
    expect(barrier([['UpSampling2D', { interpolation: 'area' }]])?.message).toBe(
      'layer `0`: its interpolation is "area", which is not supported',
    );
  });
  it('ZeroPadding2D and Cropping2D take each side', async () => {
    const sides = [
      [1, 0],
      [2, 1],
    ];
    await expectOutput([['ZeroPadding2D', { padding: sides }]], [H + 1, W + 3, C], (y, x, c) =>
      y >= 1 && x >= 2 && x < W + 2 ? pixel(y - 1, x - 2, c) : 0,
    );
    await expectOutput([['Cropping2D', { cropping: sides }]], [H - 1, W - 3, C], (y, x, c) => pixel(y + 1, x + 2, c));
    await expectOutput([['ZeroPadding2D', { padding: [0, 1] }]], [H, W + 2, C], (y, x, c) =>
      x >= 1 && x <= W ? pixel(y, x - 1, c) : 0,
    );
    for (const padding of [
      -1,
      [1],
      'x',
      [
        [1, 2],
        [3, 4, 5],
      ],
    ])
      expect(barrier([['ZeroPadding2D', { padding }]])?.message).toBe(
        `layer \`0\`: its padding is ${JSON.stringify(padding)}, which is not supported`,
      );
  });
  it('Resizing does nothing if there is nothing to do, and is refused if it is unknown how', async () => {
    await expectOutput([['Resizing', { height: H, width: W }]], hwc, pixel);
    expect(barrier([['Resizing', { height: 8, width: W, interpolation: 'area' }]])?.message).toBe(
      'layer `0`: its interpolation is "area", which is not supported',
    );
    expect(barrier([['Resizing', { height: 8, width: 1e6 }]])?.message).toBe(
      'layer `0`: its width is 1000000, which is not supported',
    );
    expect(barrier([['Resizing', { height: 8, width: W, pad_to_aspect_ratio: true, fill_mode: 'x' }]])?.message).toBe(
      'layer `0`: its fill_mode is "x", which is not supported',
    );
  });
  it.each([
    'Dropout',
    'SpatialDropout2D',
    'GaussianNoise',
    'GaussianDropout',
    'AlphaDropout',
    'ActivityRegularization',
    'StochasticDepth',
    'RandomFlip',
    'RandomRotation',
    'RandomZoom',
    'RandomTranslation',
    'RandomContrast',
    'RandomBrightness',
  ])('%s does nothing', async (type) => {
    await expectOutput([[type, { rate: 0.5 }]], hwc, pixel);
  });
});

describe('dense layers', () => {
  const units = (channels: readonly number[], u: number, bias = true): number =>
    channels.reduce((sum, v, i) => sum + v * weightAt('kernel', i * 3 + u), bias ? weightAt('bias', u) : 0);
  it('work on the last axis, whatever the rank', async () => {
    await expectOutput([['Dense', { units: 3 }]], [H, W, 3], (y, x, u) => units(channelsAt(y, x), u));
    await expectOutput(
      [
        ['Reshape', { target_shape: [-1, C] }],
        ['Dense', { units: 3 }],
      ],
      [H * W, 3],
      (i, u) => units([wave(i * C), wave(i * C + 1)], u),
    );
    const flat = Array.from({ length: H * W * C }, (_, i) => wave(i));
    await expectOutput([['Flatten'], ['Dense', { units: 3 }]], [3], (u) => units(flat, u));
  });
  it('may have no bias, and an activation', async () => {
    for (const first of [[], [['Reshape', { target_shape: [-1, C] }]], [['Flatten']]] as Step[][]) {
      const plain = await outputOf([...first, ['Dense', { units: 3, use_bias: false }]]);
      const relu = await outputOf([...first, ['Dense', { units: 3, use_bias: false, activation: 'relu' }]]);
      const zero = plain.shape.map(() => 0);
      for (let u = 0; u < 3; u++) {
        const index = [...zero.slice(1), u];
        expect(relu.at(...index)).toBeCloseTo(Math.max(plain.at(...index), 0), 5);
      }
    }
    await expectOutput([['Dense', { units: 3, use_bias: false }]], [H, W, 3], (y, x, u) =>
      units(channelsAt(y, x), u, false),
    );
  });
});

describe('convolutions', () => {
  it.each([
    ['same', 3, 2],
    ['same', 2, 3],
    ['valid', 3, 2],
    ['valid', 2, 3],
    ['valid', 2, 1],
    ['same', 4, 1],
  ])('Conv2DTranspose, %s, kernel %i, stride %i', async (padding, k, s) => {
    const filters = 2;
    const over = Math.max(k - s, 0);
    const before = padding === 'same' ? Math.floor(over / 2) : 0;
    const long = (n: number): number => n * s + (padding === 'same' ? 0 : over);
    const config = { filters, kernel_size: k, strides: s, padding };
    await expectOutput([['Conv2DTranspose', config]], [long(H), long(W), filters], (y, x, o) => {
      let sum = weightAt('bias', o);
      for (let i = 0; i < H; i++)
        for (let j = 0; j < W; j++) {
          const [ky, kx] = [y + before - i * s, x + before - j * s];
          if (ky < 0 || ky >= k || kx < 0 || kx >= k) continue;
          for (let c = 0; c < C; c++) sum += pixel(i, j, c) * weightAt('kernel', ((ky * k + kx) * filters + o) * C + c);
        }
      return sum;
    });
  });
  it('Conv2DTranspose without bias, with an activation', async () => {
    const config = { filters: 1, kernel_size: 1, use_bias: false };
    const value = (y: number, x: number): number =>
      channelsAt(y, x).reduce((sum, v, c) => sum + v * weightAt('kernel', c), 0);
    await expectOutput([['Conv2DTranspose', config]], [H, W, 1], (y, x) => value(y, x));
    await expectOutput([['Conv2DTranspose', { ...config, activation: 'relu' }]], [H, W, 1], (y, x) =>
      Math.max(0, value(y, x)),
    );
  });
  it.each<[Config, string]>([
    [{ output_padding: 1 }, 'its output_padding is 1 at strides of 1×1'],
    [{ output_padding: [0, 2], strides: 2 }, 'its output_padding is [0,2] at strides of 2×2'],
    [{ padding: 'odd' }, 'its padding is `odd`'],
  ])('Conv2DTranspose of %j is refused', (config, why) => {
    expect(barrier([['Conv2DTranspose', { filters: 1, kernel_size: 1, ...config }]])?.message).toBe(
      `layer \`0\`: ${why}, which is not supported`,
    );
  });
  it('are refused if a number could not be that of a real layer', () => {
    for (const [key, value] of [
      ['filters', 2 ** 20 + 1],
      ['filters', 0],
      ['filters', 1.5],
      ['groups', 1e9],
      ['kernel_size', 2 ** 14 + 1],
      ['kernel_size', 0],
      ['strides', -1],
      ['dilation_rate', '2'],
    ] as const)
      expect(barrier([['Conv2D', { filters: 1, kernel_size: 1, [key]: value }]])?.message).toBe(
        `layer \`0\`: its ${key} is ${JSON.stringify(value)}, which is not supported`,
      );
    expect(barrier([['Conv2D', { filters: 2 ** 20, kernel_size: 1 }]])).toBeUndefined();
    expect(barrier([['Conv2D', { filters: 1, kernel_size: 1, strides: 2 ** 14 }]])).toBeUndefined();
    expect(barrier([['Dense', { units: 0 }]])?.message).toBe('layer `0`: its units is 0, which is not supported');
    expect(barrier([['ZeroPadding2D', { padding: 2 ** 14 }]])).toBeUndefined();
    expect(barrier([['ZeroPadding2D', { padding: 2 ** 14 + 1 }]])).toBeDefined();
  });
  it('are refused if their groups do not fit', () => {
    expect(barrier([['Conv2D', { filters: 4, kernel_size: 1, groups: 3 }]])?.message).toBe(
      'layer `0`: 3 groups do not divide 2 channels and 4 filters, which is not supported',
    );
    expect(barrier([['Conv2D', { filters: 4, kernel_size: 'x' }]])?.message).toBe(
      'layer `0`: its kernel_size is "x", which is not supported',
    );
    expect(barrier([['Conv2D', { filters: null, kernel_size: 1, padding: 'causal' }]])?.message).toContain(
      'not supported',
    );
  });
});

describe('normalisations', () => {
  it('Rescaling', async () => {
    await expectOutput([['Rescaling', { scale: 2, offset: -1 }]], hwc, (y, x, c) => 2 * pixel(y, x, c) - 1);
    await expectOutput([['Rescaling', { scale: [2, 3] }]], hwc, (y, x, c) => [2, 3][c]! * pixel(y, x, c));
    expect(barrier([['Rescaling', { scale: [1, 2, 3] }]])?.message).toBe(
      'layer `0`: [1,2,3] is neither one number nor one for each of 2 channels, which is not supported',
    );
  });
  it('Normalization, by config, by weights, and the other way round', async () => {
    await expectOutput(
      [['Normalization', { mean: [1, 2], variance: [4, 9] }]],
      hwc,
      (y, x, c) => (pixel(y, x, c) - [1, 2][c]!) / [2, 3][c]!,
    );
    await expectOutput(
      [['Normalization', { mean: 1, variance: 4, invert: true }]],
      hwc,
      (y, x, c) => pixel(y, x, c) * 2 + 1,
    );
    await expectOutput(
      [['Normalization']],
      hwc,
      (y, x, c) => (pixel(y, x, c) - weightAt('mean', c)) / Math.sqrt(weightAt('variance', c)),
    );
  });
  const normal = (y: number, x: number, c: number, epsilon: number): number => {
    const values = channelsAt(y, x);
    const m = mean(values);
    return (values[c]! - m) / Math.sqrt(mean(values.map((v) => (v - m) ** 2)) + epsilon);
  };
  it('LayerNormalization is over the channels of each pixel', async () => {
    await expectOutput(
      [['LayerNormalization', { epsilon: 0.1 }]],
      hwc,
      (y, x, c) => normal(y, x, c, 0.1) * weightAt('gamma', c) + weightAt('beta', c),
    );
    await expectOutput(
      [['LayerNormalization', { axis: [3], scale: false }]],
      hwc,
      (y, x, c) => normal(y, x, c, 1e-3) + weightAt('beta', c),
    );
    await expectOutput(
      [['LayerNormalization', { center: false, axis: -1 }]],
      hwc,
      (y, x, c) => normal(y, x, c, 1e-3) * weightAt('gamma', c),
    );
    await expectOutput(
      [['Reshape', { target_shape: [-1, C] }], ['LayerNormalization']],
      [H * W, C],
      (i, c) => normal(Math.floor(i / W), i % W, c, 1e-3) * weightAt('gamma', c) + weightAt('beta', c),
    );
  });
  it.each(['LayerNormalization', 'BatchNormalization', 'GroupNormalization'])(
    '%s over axes that there are not is refused',
    (type) => {
      for (const axis of [0, 'x', 4, [1, 1], [0, 1]])
        expect(barrier([[type, { axis }]])?.message).toBe(
          `layer \`0\`: its axis is ${JSON.stringify(axis)}, which is not supported`,
        );
    },
  );
  it('of one axis or of channels are refused over others', () => {
    expect(barrier([['BatchNormalization', { axis: [1, 2] }]])?.message).toBe(
      'layer `0`: it normalises over several axes, which is not supported',
    );
    expect(barrier([['GroupNormalization', { axis: 1 }]])?.message).toBe(
      "layer `0`: its axis is 1 and not that of a picture's channels, which is not supported",
    );
    expect(barrier([['GroupNormalization', { groups: 5 }]])?.message).toBe(
      `layer \`0\`: 5 groups do not divide ${C} channels, which is not supported`,
    );
  });
  it('LayerScale is by channel', async () => {
    await expectOutput([['LayerScale']], hwc, (y, x, c) => pixel(y, x, c) * weightAt('gamma', c));
  });
});

describe('merges', () => {
  const two: Step = ['Rescaling', { scale: 2, offset: 1 }];
  const b = (y: number, x: number, c: number): number => 2 * pixel(y, x, c) + 1;
  it.each<[string, (a: number, b: number) => number]>([
    ['Add', (p, q) => p + q],
    ['Subtract', (p, q) => p - q],
    ['Multiply', (p, q) => p * q],
    ['Divide', (p, q) => p / q],
    ['Maximum', Math.max],
    ['Minimum', Math.min],
    ['Average', (p, q) => (p + q) / 2],
  ])('%s', async (type, f) => {
    await expectOutput([two, [type, {}, [PICTURE, '0']]], hwc, (y, x, c) => f(pixel(y, x, c), b(y, x, c)));
  });
  it('of three', async () => {
    await expectOutput([two, ['Add', {}, [PICTURE, '0', '0']]], hwc, (y, x, c) => pixel(y, x, c) + 2 * b(y, x, c));
    await expectOutput(
      [two, ['Average', {}, [PICTURE, '0', '0']]],
      hwc,
      (y, x, c) => (pixel(y, x, c) + 2 * b(y, x, c)) / 3,
    );
  });
  it('with numbers', async () => {
    await expectOutput([['Add', {}, [PICTURE, 3]]], hwc, (y, x, c) => pixel(y, x, c) + 3);
    await expectOutput([['Subtract', {}, [3, PICTURE]]], hwc, (y, x, c) => 3 - pixel(y, x, c));
  });
  it('of channels with a picture', async () => {
    const all = (c: number): number => mean(Array.from({ length: H * W }, (_, i) => wave(i * C + c)));
    for (const keepdims of [true, false])
      await expectOutput(
        [
          ['GlobalAveragePooling2D', { keepdims }],
          ['Multiply', {}, [PICTURE, '0']],
        ],
        hwc,
        (y, x, c) => pixel(y, x, c) * all(c),
      );
  });
  it('CustomScaleLayer', async () => {
    await expectOutput(
      [two, ['CustomScaleLayer', { scale: 0.25 }, [PICTURE, '0']]],
      hwc,
      (y, x, c) => pixel(y, x, c) + 0.25 * b(y, x, c),
    );
    await expectOutput([two, ['CustomScaleLayer', {}, [PICTURE, '0']]], hwc, (y, x, c) => pixel(y, x, c) + b(y, x, c));
  });
  it('Concatenate goes by Keras’ axes', async () => {
    for (const axis of [undefined, -1, 3])
      await expectOutput(
        [two, ['Concatenate', axis === undefined ? {} : { axis }, [PICTURE, '0']]],
        [H, W, 2 * C],
        (y, x, c) => (c < C ? pixel(y, x, c) : b(y, x, c - C)),
      );
    await expectOutput([two, ['Concatenate', { axis: 1 }, [PICTURE, '0']]], [2 * H, W, C], (y, x, c) =>
      y < H ? pixel(y, x, c) : b(y - H, x, c),
    );
    await expectOutput([two, ['Concatenate', { axis: -2 }, [PICTURE, '0']]], [H, 2 * W, C], (y, x, c) =>
      x < W ? pixel(y, x, c) : b(y, x - W, c),
    );
    await expectOutput([['Flatten'], ['Concatenate', { axis: 1 }, ['0', '0']]], [2 * H * W * C], (i) =>
      wave(i % (H * W * C)),
    );
    for (const axis of [0, 4, -5, 'x'])
      expect(barrier([two, ['Concatenate', { axis }, [PICTURE, '0']]])?.message).toBe(
        `layer \`1\`: its axis is ${JSON.stringify(axis)}, which is not supported`,
      );
  });
  it('need two inputs', () => {
    for (const type of ['Add', 'Concatenate', 'Average', 'CustomScaleLayer'])
      expect(barrier([[type]])?.message).toBe(
        'layer `0`: it has 1 inputs, two or more are needed, which is not supported',
      );
  });
});

describe('activations', () => {
  const clip = (v: number, low: number, high: number): number => Math.min(Math.max(v, low), high);
  const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
  const cases: [string, (v: number) => number][] = [
    ['linear', (v) => v],
    ['relu', (v) => Math.max(v, 0)],
    ['relu6', (v) => clip(v, 0, 6)],
    ['sigmoid', sigmoid],
    ['tanh', Math.tanh],
    ['elu', (v) => (v > 0 ? v : Math.exp(v) - 1)],
    ['selu', (v) => 1.0507009873554805 * (v > 0 ? v : 1.6732632423543772 * (Math.exp(v) - 1))],
    ['softplus', (v) => Math.log1p(Math.exp(v))],
    ['softsign', (v) => v / (1 + Math.abs(v))],
    ['exponential', Math.exp],
    ['leaky_relu', (v) => (v > 0 ? v : 0.2 * v)],
    ['hard_sigmoid', (v) => clip(v + 3, 0, 6) / 6],
    ['silu', (v) => v * sigmoid(v)],
    ['swish', (v) => v * sigmoid(v)],
    ['hard_silu', (v) => (v * clip(v + 3, 0, 6)) / 6],
    ['hard_swish', (v) => (v * clip(v + 3, 0, 6)) / 6],
  ];
  const wide: Step = ['Rescaling', { scale: 8 }];
  it.each(cases)('%s', async (activation, f) => {
    await expectOutput([wide, ['Activation', { activation }]], hwc, (y, x, c) => f(8 * pixel(y, x, c)));
  });
  it('hard_sigmoid was another in Keras 2', async () => {
    await expectOutput(
      [wide, ['Activation', { activation: 'hard_sigmoid' }]],
      hwc,
      (y, x, c) => clip(0.2 * 8 * pixel(y, x, c) + 0.5, 0, 1),
      true,
    );
  });
  it('gelu is the exact one', async () => {
    const found = await outputOf([
      ['Rescaling', { scale: 0, offset: 1 }],
      ['Activation', { activation: 'gelu' }],
    ]);
    // 1 · Φ(1)
    expect(found.at(0, 0, 0)).toBeCloseTo(0.8413447, 5);
  });
  it('softmax is over the channels', async () => {
    const soft = (y: number, x: number, c: number): number =>
      Math.exp(pixel(y, x, c)) / channelsAt(y, x).reduce((sum, v) => sum + Math.exp(v), 0);
    await expectOutput([['Softmax']], hwc, soft);
    await expectOutput([['Activation', { activation: 'softmax' }]], hwc, soft);
    await expectOutput([['Activation', { activation: 'log_softmax' }]], hwc, (y, x, c) => Math.log(soft(y, x, c)));
    await expectOutput([['Reshape', { target_shape: [-1, C] }], ['Softmax']], [H * W, C], (i, c) =>
      soft(Math.floor(i / W), i % W, c),
    );
  });
  it.each<[string, Config, (v: number) => number]>([
    ['ReLU', {}, (v) => Math.max(v, 0)],
    ['ReLU', { max_value: 6 }, (v) => clip(v, 0, 6)],
    ['ReLU', { max_value: null, negative_slope: 0.1 }, (v) => (v > 0 ? v : 0.1 * v)],
    ['ReLU', { max_value: 2, negative_slope: 0.1 }, (v) => (v > 0 ? Math.min(v, 2) : 0.1 * v)],
    ['LeakyReLU', {}, (v) => (v > 0 ? v : 0.3 * v)],
    ['LeakyReLU', { alpha: 0.5 }, (v) => (v > 0 ? v : 0.5 * v)],
    ['LeakyReLU', { negative_slope: 0.5 }, (v) => (v > 0 ? v : 0.5 * v)],
    ['ELU', { alpha: 2 }, (v) => (v > 0 ? v : 2 * (Math.exp(v) - 1))],
    ['ELU', {}, (v) => (v > 0 ? v : Math.exp(v) - 1)],
  ])('%s of %j', async (type, config, f) => {
    await expectOutput([wide, [type, config]], hwc, (y, x, c) => f(8 * pixel(y, x, c)));
  });
  it('PReLU has a slope for each value, or shares them', async () => {
    const of = (v: number, i: number): number => (v > 0 ? v : v * weightAt('alpha', i));
    await expectOutput([['PReLU', { shared_axes: [1, 2] }]], hwc, (y, x, c) => of(pixel(y, x, c), c));
    await expectOutput([['PReLU']], hwc, (y, x, c) => of(pixel(y, x, c), (y * W + x) * C + c));
    await expectOutput([['Flatten'], ['PReLU']], [H * W * C], (i) => of(wave(i), i));
  });
  it('that are not known are refused', () => {
    expect(barrier([['Activation', { activation: 'toString' }]])?.message).toBe(
      'layer `0`: its activation is `toString`, which is not supported',
    );
    expect(barrier([['Activation', { activation: { class_name: 'Mine' } }]])?.message).toBe(
      'layer `0`: its activation is {"class_name":"Mine"}, which is not supported',
    );
  });
});

describe('layers of pictures', () => {
  it.each([
    'Conv2D',
    'Conv2DTranspose',
    'DepthwiseConv2D',
    'SeparableConv2D',
    'MaxPooling2D',
    'AveragePooling2D',
    'GlobalAveragePooling2D',
    'GlobalMaxPooling2D',
    'ZeroPadding2D',
    'Cropping2D',
    'UpSampling2D',
    'Resizing',
  ])('%s takes nothing else', (type) => {
    expect(barrier([['Flatten'], [type, { filters: 1, kernel_size: 1 }]])?.message).toBe(
      'layer `1`: its input has 1 axes and not height, width and channels, which is not supported',
    );
  });
});

describe('the table', () => {
  it('has each layer of keras.applications', () => {
    // From keras-formats.md, section 5.
    const occurring =
      'InputLayer Conv2D DepthwiseConv2D SeparableConv2D Conv2DTranspose Dense BatchNormalization LayerNormalization Activation ReLU LeakyReLU ELU PReLU MaxPooling2D AveragePooling2D GlobalAveragePooling2D GlobalMaxPooling2D ZeroPadding2D Cropping2D Add Multiply Concatenate Flatten Reshape Dropout Rescaling Normalization LayerScale StochasticDepth CustomScaleLayer UpSampling2D Resizing';
    expect(occurring.split(' ').filter((type) => !Object.hasOwn(kerasLayers, type))).toEqual([]);
  });
  it('knows a class by its exact name', () => {
    expect(barrier([['conv2d']])?.message).toMatch(/^layer `0`: its class conv2d is not known; did you mean `?Conv2D/);
    expect(barrier([['constructor']])?.message).toMatch(/its class constructor is not known/);
  });
});
