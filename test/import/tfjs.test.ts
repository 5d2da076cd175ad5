/** @file TensorFlow.js models that are odd: what is read of them all the same, and what is said of the others. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openNetwork } from '../../src/import/formats.ts';
import type { Network } from '../../src/import/network.ts';
import { preprocessOf } from '../../src/import/preprocess.ts';
import { operators } from '../../src/import/tfjs/operators/index.ts';
import { bytesSource } from '../../src/import/source.ts';
import { fixtures } from './tfjs-golden.ts';

const SIZE = { height: 12, width: 12 };

interface GraphNode {
  readonly name: string;
  readonly op: string;
  readonly input?: readonly string[];
  readonly attr?: object;
}
interface Weight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: object;
  readonly bytes: Uint8Array;
}

const word = (text: string): object => ({ s: Buffer.from(text).toString('base64') });
const list = (...values: readonly number[]): object => ({ list: { i: values.map(String) } });
const shape = (...dims: readonly number[]): object => ({
  shape: { shape: { dim: dims.map((d) => ({ size: String(d) })) } },
  dtype: { type: 'DT_FLOAT' },
});
const floats = (name: string, dims: readonly number[], values: readonly number[] = []): Weight => {
  const size = dims.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: size }, (_, i) => values[i] ?? ((i % 7) - 3) / 4);
  return { name, shape: dims, dtype: 'float32', bytes: new Uint8Array(data.buffer) };
};
const integers = (name: string, values: readonly number[], dims = [values.length]): Weight => ({
  name,
  shape: dims,
  dtype: 'int32',
  bytes: new Uint8Array(Int32Array.from(values).buffer),
});

/** A graph model in memory: `nodes` behind its weights, which are their own Const nodes. */
function graph(nodes: readonly GraphNode[], weights: readonly Weight[], more: object = {}): Promise<Network> {
  const consts = weights.map(({ name }) => ({ name, op: 'Const', input: [], attr: {} }));
  const model = {
    format: 'graph-model',
    modelTopology: { node: [...consts, ...nodes] },
    weightsManifest: [{ paths: ['w.bin'], weights: weights.map((weight) => ({ ...weight, bytes: undefined })) }],
    ...more,
  };
  const bytes = Buffer.from(JSON.stringify(model));
  const shard = Buffer.concat(weights.map((w) => w.bytes));
  return openNetwork(bytesSource('model.json', bytes, { 'w.bin': shard }));
}

const image = (...dims: readonly number[]): GraphNode => ({ name: 'x', op: 'Placeholder', attr: shape(...dims) });
const conv = (name: string, input: string, filter: string, attr: object = {}): GraphNode => ({
  name,
  op: 'Conv2D',
  input: [input, filter],
  attr: { strides: list(1, 1, 1, 1), padding: word('SAME'), ...attr },
});
const names = (network: Network, size = SIZE): readonly string[] => network.layers(size).layers.map((l) => l.name);

describe('the picture of a graph model', () => {
  it('has its channels where the shape says, or else where the first convolution looks for them', async () => {
    const filter = floats('w', [1, 1, 5, 2]);
    const nchw = { data_format: word('NCHW'), strides: list(1, 1, 1, 1) };
    const of = async (node: GraphNode, ...dims: readonly number[]): Promise<object> => {
      const { input } = await graph([image(...dims), node], [filter]);
      return { channels: input.channels, size: input.size };
    };
    expect(await of(conv('c', 'x', 'w'), -1, 20, 30, 5)).toEqual({ channels: 5, size: { height: 20, width: 30 } });
    expect(await of(conv('c', 'x', 'w', nchw), -1, 5, 20, 30)).toEqual({
      channels: 5,
      size: { height: 20, width: 30 },
    });
    expect(await of(conv('c', 'x', 'w'), -1, -1, -1, -1)).toEqual({ channels: 5 });
    expect(await of(conv('c', 'x', 'w', nchw), -1, -1, -1, -1)).toEqual({ channels: 5 });
    expect(await of(conv('c', 'x', 'w'), -1, -1, 30, 5)).toEqual({ channels: 5, size: { width: 30 } });
  });

  it('may lack the axis of the batch', async () => {
    const network = await graph(
      [image(-1, -1, 3), { name: 'batch', op: 'ExpandDims', input: ['x', 'zero'] }, conv('c', 'batch', 'w')],
      [integers('zero', [0], []), floats('w', [3, 3, 3, 4])],
    );
    expect(network.layers(SIZE).layers.at(-1)).toMatchObject({ name: 'c', dims: [1, 4, 12, 12] });
  });

  it('takes its shape from the signature if its node has none, and is the input that the signature names', async () => {
    const info = { name: 'x:0', tensorShape: { dim: [{ size: '-1' }, { size: '8' }, { size: '9' }, { size: '3' }] } };
    const bare = { name: 'x', op: 'Placeholder', attr: { dtype: { type: 'DT_FLOAT' } } };
    const other = { name: 'first', op: 'Placeholder', attr: shape(-1, 4, 4, 1) };
    const network = await graph([other, bare, conv('c', 'x', 'w')], [floats('w', [3, 3, 3, 4])], {
      signature: { inputs: { image: info } },
    });
    expect(network.input).toMatchObject({ channels: 3, size: { height: 8, width: 9 } });
  });

  it('is in [0, 255] if its pixels are whole numbers, or if the first nodes bring that to [-1, 1]', async () => {
    const bytes = { name: 'x', op: 'Placeholder', attr: { ...shape(1, 8, 8, 3), dtype: { type: 'DT_UINT8' } } };
    const cast = { name: 'cast', op: 'Cast', input: ['x'], attr: { DstT: { type: 'DT_FLOAT' } } };
    const whole = await graph([bytes, cast, conv('c', 'cast', 'w')], [floats('w', [3, 3, 3, 4])]);
    expect(whole.input).toMatchObject({ from: 'file', preprocess: preprocessOf('raw', 3) });
    expect(whole.layers(SIZE).layers.at(-1)).toMatchObject({ dims: [1, 4, 12, 12] });
    const scaled = await graph(
      [
        image(-1, -1, -1, 3),
        { name: 'm', op: 'Mul', input: ['scale', 'x'] },
        { name: 's', op: 'Sub', input: ['m', 'one'] },
        conv('c', 's', 'w'),
      ],
      [floats('scale', [], [1 / 127.5]), floats('one', [3], [1, 1, 1]), floats('w', [3, 3, 3, 4])],
    );
    expect(scaled.input).toMatchObject({ from: 'file', preprocess: preprocessOf('raw', 3) });
    const plain = await graph([image(-1, -1, -1, 3), conv('c', 'x', 'w')], [floats('w', [3, 3, 3, 4])]);
    expect(plain.input).toMatchObject({ from: 'assumed' });
  });

  it('must be there', async () => {
    const vector = { name: 'v', op: 'Placeholder', attr: shape(-1, 10) };
    await expect(graph([vector], [])).rejects.toThrow('model.json: its input `v` is [-1, 10]; a picture is needed');
    await expect(graph([], [floats('w', [1])])).rejects.toThrow(
      'model.json: it has 0 inputs; a network with one image',
    );
    await expect(graph([vector, { ...vector, name: 'u' }], [])).rejects.toThrow('it has 2 inputs (v, u)');
    await expect(graph([image(1, 40, 40, 40)], [])).rejects.toThrow('one must be from 1 to 16 channels');
    const text = { name: 't', op: 'Placeholder', attr: { ...shape(1, 8, 8, 3), dtype: { type: 'DT_STRING' } } };
    await expect(graph([text], [])).rejects.toThrow('its input `t` is of DT_STRING; a picture is needed');
  });
});

describe('a graph that cannot be built whole', () => {
  const head = [image(-1, -1, -1, 3), conv('a', 'x', 'w'), { name: 'r', op: 'Relu', input: ['a'] }];
  const weights = [floats('w', [3, 3, 3, 4])];

  it.each(['Switch', 'While', 'StatelessIf', 'PartitionedCall', 'TensorArrayV3', 'TensorListReserve'])(
    'is refused from %s on, with the last layer before it',
    async (op) => {
      const nodes = [...head, { name: 'odd', op, input: ['r'] }, { name: 'after', op: 'Relu', input: ['odd'] }];
      const network = await graph(nodes, weights);
      const { barrier } = network.layers(SIZE);
      expect(names(network)).toEqual(['a', 'r']);
      expect(barrier).toMatchObject({
        code: 'unsupported-op',
        message: `${op} odd: control flow: what is computed depends on the picture, and only networks without it are supported; the last layer before it that can be rendered is \`r\``,
        details: { op, node: 'odd', last: 'r' },
      });
      await expect(network.cut(['after'], SIZE)).rejects.toBe(barrier);
      expect((await network.cut(['r'], SIZE)).outputs).toHaveLength(1);
    },
  );

  it('says of an operator that it is not known, and builds what does not need it', async () => {
    const nodes = [...head, { name: 'odd', op: 'Nonsense', input: ['r'] }, { name: 'other', op: 'Tanh', input: ['r'] }];
    const network = await graph(nodes, weights);
    expect(names(network)).toEqual(['a', 'r', 'other']);
    expect(network.layers(SIZE).barrier?.message).toBe(
      'Nonsense odd: this operator of TensorFlow is not supported; the last layer before it that can be rendered is `r`',
    );
  });

  it('has loops of TensorFlow 1, which are no cycles, and no other cycles', async () => {
    const nodes = [
      ...head,
      { name: 'enter', op: 'Enter', input: ['r'] },
      { name: 'merge', op: 'Merge', input: ['enter', 'next'] },
      { name: 'next', op: 'NextIteration', input: ['merge'] },
    ];
    expect(names(await graph(nodes, weights))).toEqual(['a', 'r']);
    const cycle = [...head, { name: 'p', op: 'Relu', input: ['q'] }, { name: 'q', op: 'Relu', input: ['p'] }];
    await expect(graph(cycle, weights)).rejects.toThrow(
      'model.json: Relu p: it needs its own result; the graph has a cycle',
    );
  });

  it('needs other inputs only for what needs them', async () => {
    const nodes = [
      ...head,
      { name: 'rate', op: 'Placeholder', attr: {} },
      { name: 'm', op: 'Mul', input: ['r', 'rate'] },
      { name: 'half', op: 'PlaceholderWithDefault', input: ['w2'] },
      { name: 'n', op: 'Mul', input: ['r', 'half'] },
    ];
    const network = await graph(nodes, [...weights, floats('w2', [], [0.5])]);
    expect(names(network)).toEqual(['a', 'r', 'n']);
    await expect(network.cut(['m'], SIZE)).rejects.toThrow('this layer needs the input `rate` beside the picture `x`');
  });

  it('gives nothing at a node that has no inputs', async () => {
    const network = await graph([...head, { name: 'none', op: 'IdentityN' }], weights);
    expect(names(network)).toEqual(['a', 'r']);
    expect(network.layers(SIZE).barrier?.message).toBe('IdentityN none: it gives nothing');
  });

  it('passes by nodes that only say that something has happened', async () => {
    const nodes = [
      ...head,
      { name: 'done', op: 'NoOp', input: ['^r'] },
      { name: 's', op: 'Relu', input: ['r', '^done'] },
    ];
    const network = await graph(nodes, weights);
    expect(names(network)).toEqual(['a', 'r', 's']);
    expect(network.layers(SIZE)).not.toHaveProperty('barrier');
  });

  it('names a weight that its shards do not have', async () => {
    const nodes = [...head, { name: 'lost', op: 'Const' }, { name: 'm', op: 'Mul', input: ['r', 'lost'] }];
    const network = await graph(nodes, weights);
    await expect(network.cut(['m'], SIZE)).rejects.toThrow('model.json: its weights do not have `lost`');
  });

  it.each([
    [{ name: 'a', op: 'Relu', input: ['x'] }, 'two nodes of its graph have the name `a`'],
    [{ name: 'z', op: 'Relu', input: ['nothing'] }, 'nothing gives `nothing`, which Relu z needs'],
    [{ name: '', op: 'Relu' }, 'node 4 of its graph has no name or no operator'],
    [{ name: 'z', op: 'Relu', input: 'x' } as unknown as GraphNode, 'the inputs of its node `z` are no list of names'],
    [{ name: 'z', op: 'Relu', input: ['a:999999'] }, 'its node `a` has output 999999'],
  ])('is damaged: %o', async (node, message) => {
    await expect(graph([...head, node], weights)).rejects.toThrow(`model.json: ${message}`);
  });
});

describe('weights', () => {
  const nodes = [image(-1, -1, -1, 3), conv('a', 'x', 'w')];
  const open = (entry: object, bytes: Uint8Array): Promise<Network> =>
    graph(nodes, [{ name: 'w', shape: [1, 1, 3, 1], dtype: 'float32', ...entry, bytes }]);
  const kernel = async (network: Network): Promise<readonly number[]> => {
    const { constants } = await network.cut(['a'], SIZE);
    const [values] = [...constants.values()].flatMap((c) =>
      'data' in c && c.dims.length === 4 && c.data.length === 3 ? [c] : [],
    );
    return Array.from(values!.data as Float32Array);
  };

  it('are what their quantisation makes of them', async () => {
    const stated = { dtype: 'uint8', scale: 0.5, min: -1 };
    expect(await kernel(await open({ quantization: stated }, Uint8Array.of(0, 2, 5)))).toEqual([-1, 0, 1.5]);
    const wide = { dtype: 'uint16', scale: 0.25, min: 1 };
    expect(await kernel(await open({ quantization: wide }, new Uint8Array(Uint16Array.of(0, 1000, 4).buffer)))).toEqual(
      [1, 251, 2],
    );
    const half = { dtype: 'float16' };
    expect(
      await kernel(await open({ quantization: half }, new Uint8Array(Uint16Array.of(0x3c00, 0xc000, 0).buffer))),
    ).toEqual([1, -2, 0]);
  });

  it.each([
    [{ quantization: { dtype: 'uint8' } }, 'its weight `w` is quantised without a scale and a min'],
    [{ quantization: { dtype: 'int4' } }, 'its weight `w` is quantised to "int4"'],
    [{ quantization: 1 }, 'its weight `w` has a quantization that is none'],
    [{ dtype: 'float8' }, 'its weight `w` is of "float8", which is not known'],
    [{ dtype: 1 }, 'its weight `w` has no dtype'],
    [{ shape: [1, -1] }, 'its weight `w` has the shape [1,-1]'],
    [{ shape: [2 ** 40, 2 ** 40] }, 'its weight `w` has the shape [1099511627776, 1099511627776]; no file can hold it'],
    [{ name: null, op: 'Const' }, 'node 0 of its graph has no name or no operator'],
  ])('are refused: %j', async (entry, message) => {
    await expect(open(entry, new Uint8Array(12))).rejects.toThrow(`model.json: ${message}`);
  });

  it('must be as many as their shards hold, and no NaN', async () => {
    await expect(open({}, new Uint8Array(11))).rejects.toThrow(
      'model.json: the weight `w` ends at byte 12 of `w.bin`, which has 11; it is cut short or of another model',
    );
    await expect(open({}, new Uint8Array(Float32Array.of(1, NaN, 2).buffer))).rejects.toThrow(
      'model.json: weight `w` has values that are NaN',
    );
    await expect(
      open({ shape: [2 ** 31], quantization: { dtype: 'uint8', scale: 1, min: 0 } }, new Uint8Array(9)),
    ).rejects.toMatchObject({
      code: 'too-large',
    });
  });

  it('may stand behind texts, which are passed by', async () => {
    const text = Buffer.concat([Buffer.from([2, 0, 0, 0]), Buffer.from('ab'), Buffer.from([0, 0, 0, 0])]);
    const labels: Weight = { name: 'labels', shape: [2], dtype: 'string', bytes: text };
    const network = await graph(nodes, [labels, floats('w', [1, 1, 3, 1], [1, 2, 3])]);
    expect(await kernel(network)).toEqual([1, 2, 3]);
  });

  it('may stand in the node itself', async () => {
    const tensor = {
      dtype: 'DT_FLOAT',
      tensorShape: { dim: [{ size: '1' }, { size: '1' }, { size: '3' }, { size: '1' }] },
    };
    const inline = (value: object): GraphNode => ({
      name: 'k',
      op: 'Const',
      attr: { value: { tensor: { ...tensor, ...value } } },
    });
    const content = Buffer.from(Float32Array.of(3, 2, 1).buffer).toString('base64');
    const of = (value: object): Promise<Network> =>
      graph([image(-1, -1, -1, 3), inline(value), conv('a', 'x', 'k')], []);
    expect(await kernel(await of({ tensorContent: content }))).toEqual([3, 2, 1]);
    expect(await kernel(await of({ floatVal: [4, 5] }))).toEqual([4, 5, 5]);
  });

  it('lie beside the model and nowhere else', async () => {
    const model = (path: string): Buffer =>
      Buffer.from(
        JSON.stringify({
          modelTopology: { node: [{ name: 'w', op: 'Const' }, ...nodes] },
          weightsManifest: [{ paths: [path], weights: [{ name: 'w', shape: [1, 1, 3, 1], dtype: 'float32' }] }],
        }),
      );
    await expect(openNetwork(bytesSource('model.json', model('../w.bin')))).rejects.toThrow(
      'model.json: it refers to `../w.bin`, outside its own folder',
    );
    await expect(openNetwork(bytesSource('model.json', model('/etc/passwd')))).rejects.toThrow(
      'outside its own folder',
    );
    await expect(openNetwork(bytesSource('model.json', model('w.bin')))).rejects.toMatchObject({
      code: 'missing-weights',
      message:
        'model.json: its weights lie in `w.bin`, which is not beside it; put all its shards into the same folder under their names',
    });
  });
});

describe('a file', () => {
  it('that is a shard names its model', async () => {
    const bytes = new Uint8Array(64);
    const model = readFileSync(`${fixtures('tfjs')}resnet/model.json`);
    const open = (name: string, beside: Record<string, Uint8Array>): Promise<Network> =>
      openNetwork(bytesSource(name, bytes, beside));
    await expect(open('group1-shard1of1.bin', { 'model.json': model })).rejects.toThrow(
      'group1-shard1of1.bin: is a TensorFlow.js shard, a part of the weights of a model; open its `model.json`',
    );
    await expect(open('group1-shard2of3', {})).rejects.toThrow('group1-shard2of3: is a TensorFlow.js shard');
    const face = Buffer.from(JSON.stringify({ weightsManifest: [{ paths: ['face.bin'] }] }));
    await expect(open('face.bin', { 'face.json': face })).rejects.toThrow('open its `face.json`');
    await expect(open('face.bin', { 'model.json': model })).rejects.toThrow('holds no network that can be read');
  });

  it('that holds a manifest alone says so', async () => {
    const manifest = Buffer.from(JSON.stringify([{ weights: [], paths: ['a-shard1'] }]));
    await expect(openNetwork(bytesSource('face-weights_manifest.json', manifest))).rejects.toThrow(
      'face-weights_manifest.json: holds the weights of a TensorFlow.js model and not its layers; open the `model.json` that they belong to',
    );
    const nothing = Buffer.from(JSON.stringify({ modelTopology: { a: 1 } }));
    await expect(openNetwork(bytesSource('model.json', nothing))).rejects.toThrow(
      'its `modelTopology` is neither that of a layers model (`class_name` and `config`) nor that of a graph model (`node`)',
    );
  });
});

describe('a layers model', () => {
  const folder = fixtures('tfjs-layers');
  const read = (name: string): Buffer => readFileSync(`${folder}${name}`);

  it('lists its layers without its shards, and names the shard that is missing when they are needed', async () => {
    const network = await openNetwork(bytesSource('model.json', read('teachable/model.json')));
    expect(network.input).toMatchObject({ channels: 3, size: { height: 20, width: 18 } });
    expect(names(network, { height: 20, width: 18 })).toContain('Conv1_relu');
    expect(network.layers({ height: 20, width: 18 }).barrier).toBeUndefined();
    await expect(network.cut(['Conv1'], { height: 20, width: 18 })).rejects.toMatchObject({
      code: 'missing-weights',
      message: expect.stringContaining('its weights lie in `weights.bin`, which is not beside it'),
    });
  });

  it('has the labels that lie beside it', async () => {
    const model = read('teachable/model.json');
    const labels = async (text: string): Promise<unknown> =>
      (await openNetwork(bytesSource('model.json', model, { 'metadata.json': Buffer.from(text) }))).labels;
    expect(await labels('{"labels":["cat","dog","none"],"imageSize":20}')).toEqual(['cat', 'dog', 'none']);
    for (const other of ['{"labels":[]}', '{"labels":[1]}', '{', '[]', '{"keras_version":"3.0"}'])
      expect(await labels(other)).toBeUndefined();
  });

  it('passes by a shape in its middle', async () => {
    const network = await openNetwork(bytesSource('model.json', read('branches/model.json')));
    expect(network.input).toMatchObject({ channels: 1 });
    expect(network.input.size).toBeUndefined();
  });

  it.each([
    [(json: Layers) => (json.weightsManifest[0]!.weights[0]!.shape = [3, 3, 3, 5]), 'weight `Conv1/kernel` of layer'],
    [(json: Layers) => json.weightsManifest[0]!.weights.splice(0, 1), 'it has no `kernel` for layer'],
    [
      (json: Layers) => delete (json as { weightsManifest?: unknown }).weightsManifest,
      'its `weightsManifest` is no list of groups of weights',
    ],
  ])('does not fit its weights: %s', async (change, message) => {
    const json = JSON.parse(read('teachable/model.json').toString()) as Layers;
    change(json);
    const network = await openNetwork(
      bytesSource('model.json', Buffer.from(JSON.stringify(json)), { 'weights.bin': read('teachable/weights.bin') }),
    );
    await expect(network.cut(['Conv1'], { height: 20, width: 18 })).rejects.toThrow(message);
  });
});

interface Layers {
  readonly weightsManifest: { readonly weights: { shape: number[] }[] }[];
}

it('the operators that docs/models.md lists are those that are known', () => {
  const page = readFileSync(new URL('../../docs/models.md', import.meta.url), 'utf8');
  const [, part] = /<!-- operators -->([^]*)<!-- end of operators -->/.exec(page)!;
  const listed = [...part!.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  expect(new Set(listed)).toEqual(new Set(Object.keys(operators)));
});
