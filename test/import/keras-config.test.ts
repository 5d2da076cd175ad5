/** @file Configurations as Keras 2 and 3 write them, and those that cannot be built or are damaged. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { strToU8, zipSync } from 'fflate';
import h5wasm from 'h5wasm/node';
import { describe, expect, it } from 'vitest';
import { openNetwork } from '../../src/import/formats.ts';
import { readConfig } from '../../src/import/keras/config.ts';
import { kerasNetwork, type WeightSource } from '../../src/import/keras/index.ts';
import { openWeights } from '../../src/import/keras/weights.ts';
import { IMAGE, type Network } from '../../src/import/network.ts';
import { knownPreprocess, preprocessOf } from '../../src/import/preprocess.ts';
import { bytesSource as hdf5Bytes } from '../../src/import/hdf5.ts';
import { bytesSource } from '../../src/import/source.ts';
import { openZip } from '../../src/import/zip.ts';
import { float32, sizeOf, type Tensor } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

const bytesSourceOf = (path: string) => hdf5Bytes(path, new Uint8Array(readFileSync(path)));

type Json = Record<string, unknown>;
const size = { height: 6, width: 5 };

/** A Keras 3 tensor. */
const t = (name: string, call = 0): Json => ({
  class_name: '__keras_tensor__',
  config: { shape: [], dtype: 'float32', keras_history: [name, call, 0] },
});
/** A layer as Keras 3 writes it; without calls as in a Sequential model. */
const layer = (class_name: string, name: string, config: Json = {}, ...calls: unknown[][]): Json => ({
  module: 'keras.layers',
  class_name,
  config: { name, ...config },
  name,
  ...(calls.length > 0
    ? { inbound_nodes: calls.map((args) => ({ args, kwargs: { mask: null, training: false } })) }
    : {}),
});
const input = (name = 'img', shape: unknown = [null, 6, 5, 3]): Json => ({
  ...layer('InputLayer', name, { batch_shape: shape }),
  inbound_nodes: [],
});
const functional = (layers: Json[], outputs: unknown, inputs: unknown = ['img', 0, 0]): Json => ({
  class_name: 'Functional',
  config: { name: 'model', layers, input_layers: inputs, output_layers: outputs },
});
const sequential = (...layers: Json[]): Json => ({ class_name: 'Sequential', config: { name: 'seq', layers } });

/** Weights of sines, by name: the same in every test. */
const weights: WeightSource = {
  source: 'weights.h5',
  read: ({ name }, weight, dims) =>
    float32(
      Float32Array.from({ length: sizeOf(dims) }, (_, i) => {
        const wave = Math.sin(i * 1.7 + name.length + weight.length);
        return weight === 'moving_variance' || weight === 'variance' ? 1 + wave ** 2 : wave;
      }),
      dims,
    ),
};

function networkOf(config: Json, keras2 = false): Network {
  const read = readConfig('m.json', config);
  return kerasNetwork({
    name: 'm.json',
    input: { ...read.input, preprocess: preprocessOf('tf', read.input.channels), from: 'assumed' },
    topology: read.topology,
    keras2,
    weights: async () => weights,
    digest: async () => '',
  });
}

async function run(network: Network, name: string, at = size): Promise<Tensor> {
  const program = await nodeRuntime.compile(await network.cut([name], at));
  const dims = [1, network.input.channels, at.height, at.width];
  const image = float32(
    Float32Array.from({ length: sizeOf(dims) }, (_, i) => Math.cos(i * 0.9)),
    dims,
  );
  const out = await program.run({ [IMAGE]: image });
  await program.dispose();
  return out[name]!;
}

const names = (network: Network): string[] => network.layers(size).layers.map((l) => l.name);
const conv = (name: string, ...calls: unknown[][]): Json =>
  layer('Conv2D', name, { filters: 4, kernel_size: [1, 1], padding: 'valid' }, ...calls);

describe('a functional model', () => {
  it('is read as Keras 3 writes it', () => {
    const network = networkOf(
      functional(
        [
          input(),
          conv('a', [t('img')]),
          layer('Activation', 'b', { activation: 'relu' }, [t('a')]),
          layer('Add', 'c', {}, [[t('a'), t('b')]]),
        ],
        [['c', 0, 0]],
      ),
    );
    expect(network.input).toMatchObject({ channels: 3, size });
    expect(
      network.layers(size).layers.map(({ name, type, dims, parameters }) => ({ name, type, dims, parameters })),
    ).toEqual([
      { name: 'a', type: 'Conv2D', dims: [1, 4, 6, 5], parameters: 16 },
      { name: 'b', type: 'Activation', dims: [1, 4, 6, 5], parameters: 0 },
      { name: 'c', type: 'Add', dims: [1, 4, 6, 5], parameters: 0 },
    ]);
    expect(network.defaultLayer).toBe('a');
  });

  it('gives the same as Keras 2 writes it', async () => {
    const three = functional([input(), conv('a', [t('img')]), layer('Add', 'c', {}, [[t('a'), t('a')]])], ['c', 0, 0]);
    const two: Json = {
      class_name: 'Model',
      config: {
        name: 'model',
        layers: [
          {
            class_name: 'InputLayer',
            name: 'img',
            config: { batch_input_shape: [null, 6, 5, 3], name: 'img' },
            inbound_nodes: [],
          },
          {
            class_name: 'Conv2D',
            name: 'a',
            config: { name: 'a', filters: 4, kernel_size: [1, 1] },
            inbound_nodes: [[['img', 0, 0, {}]]],
          },
          {
            class_name: 'Add',
            name: 'c',
            config: { name: 'c' },
            inbound_nodes: [
              [
                ['a', 0, 0, {}],
                ['a', 0, 0, {}],
              ],
            ],
          },
        ],
        input_layers: [['img', 0, 0]],
        output_layers: [['c', 0, 0]],
      },
    };
    expect(await run(networkOf(two, true), 'c')).toEqual(await run(networkOf(three), 'c'));
    expect(networkOf(two).input).toEqual(networkOf(three).input);
  });

  it('may compute with numbers, as operations of Keras 3 and lambdas of Keras 2', async () => {
    const three = functional(
      [
        input(),
        { ...layer('Add', 'plus', {}, [t('img'), 3]), module: 'keras.src.ops.numpy' },
        { ...layer('Multiply', 'times', {}, [t('plus'), 0.5]), module: 'keras.src.ops.numpy' },
        { ...layer('Subtract', 'from', {}, [1, t('times')]), module: 'keras.src.ops.numpy' },
      ],
      ['from', 0, 0],
    );
    const lambda = (name: string, called: string, node: unknown): Json => ({
      class_name: 'TFOpLambda',
      name,
      config: { name, function: called },
      inbound_nodes: [node],
    });
    const two = functional(
      [
        input(),
        lambda('plus', '__operators__.add', ['img', 0, 0, { y: 3, name: null }]),
        lambda('times', 'math.multiply', ['plus', 0, 0, { y: 0.5, name: null }]),
        lambda('from', 'math.subtract', ['_CONSTANT_VALUE', -1, 1, { y: ['times', 0, 0] }]),
        lambda('six', 'nn.relu6', ['plus', 0, 0, { name: null }]),
        lambda('odd', 'math.cumsum', ['plus', 0, 0, { name: null }]),
      ],
      [['six', 0, 0]],
    );
    const found = (await run(networkOf(three), 'from')).data as Float32Array;
    found.forEach((v, i) => expect(v).toBeCloseTo(1 - (Math.cos(i * 0.9) + 3) * 0.5, 5));
    expect(((await run(networkOf(two), 'times')).data as Float32Array)[7]).toBeCloseTo((Math.cos(6.3) + 3) * 0.5, 5);
    expect(names(networkOf(two))).toEqual(['plus', 'times', 'six']);
    await expect(networkOf(two).cut(['odd'], size)).rejects.toThrow(
      "layer `odd`: it is TensorFlow's function `math.cumsum`, which is not supported",
    );
  });

  it('may state its layers in any order', () => {
    const network = networkOf(functional([conv('b', [t('a')]), conv('a', [t('img')]), input()], ['b', 0, 0]));
    expect(names(network)).toEqual(['a', 'b']);
  });

  it('of which a layer needs what is not there is refused', () => {
    for (const wrong of ['nothing', 'b'])
      expect(() => networkOf(functional([input(), conv('b', [t(wrong)])], ['b', 0, 0]))).toThrow(
        expect.objectContaining({
          code: 'bad-file',
          message: 'm.json: its layer `b` needs what no layer gives, or itself',
        }),
      );
  });

  it('with more inputs shows what needs the picture alone', async () => {
    const network = networkOf(
      functional(
        [
          input('meta', [null, 7]),
          input(),
          conv('a', [t('img')]),
          layer('Dense', 'd', { units: 4 }, [t('meta')]),
          layer('Multiply', 'both', {}, [[t('a'), t('d')]]),
          conv('after', [t('a')]),
        ],
        ['both', 0, 0],
        [
          ['meta', 0, 0],
          ['img', 0, 0],
        ],
      ),
    );
    expect(network.input.size).toEqual(size);
    expect(names(network)).toEqual(['a', 'after']);
    await expect(network.cut(['both'], size)).rejects.toThrow(
      'layer `meta`: it is an input of the model beside the picture, which is not supported',
    );
  });

  it('shows what does not need a layer that is not known, and names that with its class', async () => {
    const network = networkOf(
      functional(
        [
          input(),
          conv('a', [t('img')]),
          layer('MyBlock', 'odd', {}, [t('a')]),
          conv('behind', [t('odd')]),
          conv('beside', [t('a')]),
        ],
        ['behind', 0, 0],
      ),
    );
    expect(names(network)).toEqual(['a', 'beside']);
    expect(network.layers(size).barrier).toMatchObject({
      code: 'unsupported-op',
      message: 'layer `odd`: its class MyBlock is not known',
      details: { layer: 'odd', class: 'MyBlock' },
    });
    await expect(network.cut(['behind'], size)).rejects.toThrow(/its class MyBlock is not known/);
    expect((await network.cut(['beside'], size)).outputs).toHaveLength(1);
  });

  it('may have channels first, if all its layers have', () => {
    const formatted = (name: string, format: string, of: string): Json => {
      const made = conv(name, [t(of)]);
      return { ...made, config: { ...(made['config'] as Json), data_format: format } };
    };
    const first = formatted('a', 'channels_first', 'img');
    const picture = input('img', [null, 3, 9, 7]);
    const model = functional([picture, first], ['a', 0, 0]);
    expect(readConfig('x', model).input).toEqual({ channels: 3, size: { height: 9, width: 7 } });
    expect(networkOf(model).layers(size)).not.toHaveProperty('barrier');
    const mixed = functional([picture, first, formatted('b', 'channels_last', 'a')], ['b', 0, 0]);
    expect(networkOf(mixed).layers(size).barrier?.message).toBe(
      'layer `b`: its data_format is "channels_last", and that of other layers is another, which is not supported',
    );
  });
});

describe('a nested model', () => {
  const inner = functional([input('x', [null, null, null, 3]), conv('a', [t('x')])], ['a', 0, 0], ['x', 0, 0]);
  const nested = (name: string, model: Json, ...calls: unknown[][]): Json => ({
    ...layer(String(model['class_name']), name, {}, ...calls),
    config: { ...(model['config'] as Json), name },
  });

  it('shows its layers, by name and by path', async () => {
    const network = networkOf(
      functional(
        [input(), nested('net', inner, [t('img')]), conv('b', [t('net')]), nested('other', inner, [t('img')])],
        [['b', 0, 0]],
      ),
    );
    expect(network.layers(size).layers.map(({ name, path, type }) => [name, path, type])).toEqual([
      ['a', 'net/a', 'Conv2D'],
      ['net', undefined, 'Model'],
      ['b', undefined, 'Conv2D'],
      ['other/a', undefined, 'Conv2D'],
      ['other', undefined, 'Model'],
    ]);
    expect(await run(network, 'net/a')).toEqual(await run(network, 'a'));
    expect((await run(network, 'net')).data).toEqual((await run(network, 'a')).data);
  });

  it('that is called again has one set of weights', async () => {
    // Of as many channels as it takes, so that it can follow itself.
    const same = functional(
      [input('x', [null, null, null, 3]), layer('Conv2D', 'a', { filters: 3, kernel_size: 1 }, [t('x')])],
      ['a', 0, 0],
      ['x', 0, 0],
    );
    for (const [first, second, last] of [
      [0, 1, 2],
      [1, 2, 2],
    ]) {
      const network = networkOf(
        functional(
          [input(), nested('net', same, [t('img')], [t('net', first)]), conv('c', [t('net', second)])],
          ['net', last, 0],
        ),
      );
      expect(names(network)).toEqual(['a', 'net', 'net:1/a', 'net:1', 'c']);
      const shared = (await network.cut(['net:1'], size)).nodes.filter((n) => n.op === 'Conv');
      expect(shared).toHaveLength(2);
      const [one, two] = shared.map((n) => n.inputs.slice(1));
      const { constants } = await network.cut(['net:1'], size);
      one!.forEach((w, i) => expect(constants.get(w)!).toEqual(constants.get(two![i]!)!));
    }
  });

  it('may be a Sequential in a Sequential', () => {
    const network = networkOf(
      sequential(input(), nested('head', sequential(conv('a'), nested('deep', sequential(conv('b')))))),
    );
    expect(network.layers(size).layers.map((l) => l.path ?? l.name)).toEqual([
      'head/a',
      'head/deep/b',
      'head/deep',
      'head',
    ]);
  });

  it('may be nested 32 times and no more', () => {
    const deep = (levels: number): Json => {
      let model = sequential(conv('a'));
      for (let i = 0; i < levels; i++) model = sequential(nested(`m${i}`, model));
      return model;
    };
    expect(names(networkOf(deep(32)))).toHaveLength(33);
    expect(() => networkOf(deep(33))).toThrow('m.json: it has more than 32 models in each other');
  });
});

describe('a sequential model', () => {
  it('has the input of its first layer, whichever way that says it', () => {
    for (const model of [
      sequential(input(), conv('a')),
      sequential({ ...conv('a'), config: { ...(conv('a')['config'] as Json), batch_input_shape: [null, 6, 5, 3] } }),
      { class_name: 'Sequential', config: { layers: [conv('a')], build_input_shape: [null, 6, 5, 3] } },
    ])
      expect(networkOf(model).input).toMatchObject({ channels: 3, size });
    expect(networkOf(sequential(input('img', [null, null, 5, 1]), conv('a'))).input).toMatchObject({
      channels: 1,
      size: { width: 5 },
    });
    expect(networkOf(sequential(conv('a'))).input).toEqual({
      channels: 3,
      preprocess: knownPreprocess.tf,
      from: 'assumed',
    });
    // Very old ones are a list.
    expect(names(networkOf({ class_name: 'Sequential', config: [conv('a'), conv('b')] }))).toEqual(['a', 'b']);
  });
});

describe('a configuration', () => {
  it.each<[unknown, string]>([
    [[], 'm.json: its configuration is not that of a Keras model'],
    [{}, 'm.json: its configuration is not that of a Keras model'],
    [{ class_name: 'Functional' }, 'm.json: its configuration is not that of a Keras model'],
    [
      { class_name: 'MyModel', config: { width: 3 } },
      'm.json: its model of class MyModel does not say which layers it has, as Keras leaves out for subclassed models; export it as ONNX, or build it with the functional API',
    ],
    [
      { class_name: 'Sequential', config: { layers: [] } },
      'm.json: its model of class Sequential does not say which layers it has',
    ],
    [
      { class_name: 'Sequential', config: { layers: [null] } },
      'm.json: one of its layers has no class; the configuration is damaged',
    ],
    [
      { class_name: 'Functional', config: { layers: [{ name: 'a' }] } },
      'm.json: one of its layers has no class; the configuration is damaged',
    ],
  ])('%j is refused', (config, message) => {
    expect(() => readConfig('m.json', config)).toThrow(message);
  });

  it('of more than 16 channels is refused', () => {
    const of = (channels: number): Json => sequential(input('img', [null, 6, 5, channels]), conv('a'));
    expect(networkOf(of(16)).input.channels).toBe(16);
    for (const channels of [17, 1e9])
      expect(() => networkOf(of(channels))).toThrow(
        `m.json: its input has ${channels} channels; a picture has at most 16`,
      );
  });

  it('opens as a file of its own, and says how it wants its pictures', async () => {
    const open = (...layers: Json[]): Promise<Network> =>
      openNetwork(bytesSource('dir/m.json', strToU8(JSON.stringify(sequential(input(), ...layers)))));
    const network = await open(layer('Rescaling', 'r', { scale: 1 / 255 }), conv('a'));
    expect(network.name).toBe('m.json');
    expect(network.input).toMatchObject({ from: 'file', preprocess: preprocessOf('raw', 3) });
    const augmented = await open(
      layer('RandomFlip', 'f'),
      layer('Rescaling', 'r', { scale: 1 / 127.5, offset: -1 }),
      layer('RandomRotation', 'g'),
      conv('a'),
    );
    expect(augmented.input).toMatchObject({ from: 'file', preprocess: preprocessOf('raw', 3) });
    const normal = await open(
      layer('Rescaling', 'r', { scale: 1 / 255, offset: 0 }),
      layer('Normalization', 'n', { axis: [-1], mean: [0.485, 0.456, 0.406], variance: [0.05, 0.05, 0.05] }),
    );
    expect(normal.input).toMatchObject({ from: 'file', preprocess: preprocessOf('raw', 3) });
    const direct = await open(layer('Normalization', 'n', { mean: 0.5, variance: 0.0625 }), conv('a'));
    expect(direct.input).toMatchObject({ from: 'file', preprocess: preprocessOf({ range: [0, 1] }, 3) });
    for (const first of [conv('a'), layer('Normalization', 'n'), layer('Rescaling', 'r', { scale: 'x' })])
      expect((await open(first, layer('Rescaling', 'late', { scale: 1 / 255 }))).input).toMatchObject({
        from: 'assumed',
      });
    await expect(openNetwork(bytesSource('x.json', strToU8('{"a": 1}')))).rejects.toThrow(
      'x.json: is no configuration of a Keras model, and no TensorFlow.js model, but a JSON text',
    );
    const tfjs = JSON.stringify({ padding: 'x'.repeat(600), modelTopology: {}, weightsManifest: [] });
    await expect(openNetwork(bytesSource('model.json', strToU8(tfjs)))).rejects.toThrow(
      'model.json: its `modelTopology` is neither that of a layers model',
    );
    await expect(openNetwork(bytesSource('x.json', strToU8('{"a": 1')))).rejects.toThrow(
      'x.json: its configuration is not JSON; it is damaged or cut short',
    );
  });
});

describe('the weights of a layer', () => {
  it('that are missing are named', async () => {
    const network = kerasNetwork({
      name: 'm',
      input: { channels: 3, preprocess: knownPreprocess.tf, from: 'known' },
      topology: readConfig('m', sequential(conv('a'))).topology,
      weights: async () => ({ source: 'w.h5', read: () => undefined }),
      digest: async () => '',
    });
    await expect(network.cut(['a'], size)).rejects.toThrow(
      expect.objectContaining({
        code: 'missing-weights',
        message: 'w.h5: it has no `kernel` for layer `a`; choose a target before that layer, or a file that has it',
      }),
    );
  });

  it('lie under classes and numbers, whichever way Keras counted them', async () => {
    await h5wasm.ready;
    const folder = mkdtempSync(join(tmpdir(), 'phosphene-classes-'));
    const file = (name: string, container: string, groups: Record<string, string | undefined>): string => {
      const path = join(folder, name);
      const h5 = new h5wasm.File(path, 'w');
      const layers = h5.create_group(container);
      Object.entries(groups).forEach(([group, stated], i) => {
        const vars = layers.create_group(group).create_group('vars');
        if (stated !== undefined) vars.create_attribute('name', stated);
        if (!group.startsWith('re_lu')) vars.create_dataset({ name: '0', data: Float32Array.of(i, i) });
      });
      h5.close();
      return path;
    };
    const first = (path: string, index: number, name: string): number | undefined =>
      openWeights(bytesSourceOf(path)).read({ name, stored: [{ class: 'conv2d', index, name }] }, 'kernel', [2], 0)
        ?.data[0];
    const plain = file('plain.h5', 'layers', {
      conv2d: undefined,
      re_lu: undefined,
      conv2d_1: undefined,
      conv2d_10: undefined,
    });
    expect([0, 1, 2, 10].map((i) => first(plain, i, 'x'))).toEqual([0, 2, undefined, 3]);
    const twice = file('twice.h5', '_layer_checkpoint_dependencies', {
      conv2d: undefined,
      conv2d_2: undefined,
      conv2d_4: undefined,
    });
    expect([0, 1, 2, 3].map((i) => first(twice, i, 'x'))).toEqual([0, 1, 2, undefined]);
    const named = file('named.h5', 'layers', { conv2d: 'b', conv2d_1: 'a', conv2d_transpose: 'c' });
    expect([first(named, 0, 'a'), first(named, 1, 'b'), first(named, 0, 'c')]).toEqual([1, 0, 0]);
    const read = (dims: number[], index = 0): unknown =>
      openWeights(bytesSourceOf(plain)).read(
        { name: 'x', stored: [{ class: 'conv2d', index: 0, name: 'x' }] },
        'kernel',
        dims,
        index,
      );
    expect(() => read([3])).toThrow(
      expect.objectContaining({
        code: 'bad-weights',
        message: expect.stringMatching(/plain\.h5: `kernel` of layer `x` is \[2\], the layer takes \[3\]$/),
      }),
    );
    expect(read([2], 1)).toBeUndefined();
    rmSync(folder, { recursive: true });
  });
});

describe('a zip archive', () => {
  const text = 'phosphene '.repeat(100);
  const archive = zipSync({ 'a.txt': [strToU8(text), { level: 0 }], 'b.txt': [strToU8(text), { level: 9 }] });
  const read = async (bytes: Uint8Array, name: string): Promise<string> => {
    const member = await (await openZip(bytesSource('z.keras', bytes))).get(name)!();
    return new TextDecoder().decode(await member.read(0, member.size));
  };

  it('gives its members, stored or deflated', async () => {
    expect([...(await openZip(bytesSource('z', archive))).keys()]).toEqual(['a.txt', 'b.txt']);
    expect(await read(archive, 'a.txt')).toBe(text);
    expect(await read(archive, 'b.txt')).toBe(text);
  });

  it('may have a comment after its directory', async () => {
    const commented = new Uint8Array([...archive, ...strToU8('hello')]);
    expect(await read(commented, 'b.txt')).toBe(text);
  });

  it('is refused, in words of ours, wherever it is cut or changed', async () => {
    let refused = 0;
    const attempt = async (bytes: Uint8Array): Promise<void> => {
      for (const name of ['a.txt', 'b.txt'])
        try {
          const members = await openZip(bytesSource('z.keras', bytes));
          const member = await members.get(name)?.();
          if (member) await member.read(0, member.size);
        } catch (error) {
          refused++;
          expect(error).toMatchObject({ name: 'PhospheneError' });
          expect((error as Error).message).toMatch(/^z\.keras/);
        }
    };
    for (let end = 0; end < archive.length; end += 7) await attempt(archive.subarray(0, end));
    for (let at = 0; at < archive.length; at++) {
      const changed = archive.slice();
      changed[at] = changed[at]! ^ 0xff;
      await attempt(changed);
    }
    expect(refused).toBeGreaterThan(100);
  });

  it('that is no .keras file says what is missing', async () => {
    await expect(openNetwork(bytesSource('z.zip', archive))).rejects.toThrow(
      expect.objectContaining({
        code: 'bad-file',
        message: 'z.zip: is a zip archive without `config.json`, and no `.keras` file; it has 2 members',
      }),
    );
    const noWeights = zipSync({ 'config.json': strToU8(JSON.stringify(sequential(conv('a')))) });
    await expect(openNetwork(bytesSource('z.keras', noWeights))).rejects.toThrow(/without `model\.weights\.h5`/);
  });

  it('cannot say that it unfolds to more than it can', async () => {
    const bomb = archive.slice();
    // The unpacked length of b.txt in the directory.
    const view = new DataView(bomb.buffer);
    const second = bomb.length - 22 - (46 + 5);
    expect(view.getUint32(second, true)).toBe(0x02014b50);
    view.setUint32(second + 24, 2 ** 30, true);
    await expect(read(bomb, 'b.txt')).rejects.toThrow(
      expect.objectContaining({
        code: 'too-large',
        message: 'z.keras/b.txt: it says that it unfolds to 1073741824 bytes',
      }),
    );
  });
});
