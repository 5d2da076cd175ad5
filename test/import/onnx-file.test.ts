/** @file What is read of an ONNX file and when, where its weights may lie, and what it says of itself. */
import { create, toBinary } from '@bufbuild/protobuf';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { openNetwork } from '../../src/import/formats.ts';
import { IMAGE, indexOf, type Network } from '../../src/import/network.ts';
import { outlineOf } from '../../src/import/onnx/outline.ts';
import { bytesSource, type Source } from '../../src/import/source.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { decodeOnnx, encodeOnnx } from '../../src/ir/onnx.ts';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  type TensorProto,
} from '../../src/ir/onnx_pb.ts';
import { float32, isLazy, sizeOf, type Tensor } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { noise } from '../check.ts';
import { sharedPath } from '../shared.ts';
import { rejected } from '../thrown.ts';
import { openBytes } from './open.ts';

const size = { height: 16, width: 16 };

/** A file from a few lines; `x` is its image. */
function file(
  build: (b: Builder, x: Value) => Value,
  metadata: Record<string, string> = {},
  dims = [1, 3, 16, 16],
): Uint8Array {
  const b = new Builder();
  return encodeOnnx(b.graph({ out: build(b, b.input('data', 'float32', dims)) }), metadata);
}

/** Two convolutions of 36,864 and 147,456 bytes, and small biases. */
const large = (): Uint8Array =>
  file((b, x) => {
    const first = b.conv(x, noise(b, [1024, 3, 3, 1]), noise(b, [1024]), {}, 'first');
    return b.conv(b.relu(first, 'between'), noise(b, [36, 1024, 1, 1]), noise(b, [36]), {}, 'second');
  });

/** A source that remembers which bytes were read. */
function watched(bytes: Uint8Array): { source: Source; read: () => number } {
  const inner = bytesSource('net.onnx', bytes);
  let read = 0;
  return {
    read: () => read,
    source: {
      ...inner,
      read(offset, length) {
        read += length;
        return inner.read(offset, length);
      },
    },
  };
}

/** What the network gives for a picture. */
async function output(network: Network, layer: string, image: Tensor): Promise<Tensor> {
  const program = await nodeRuntime.compile(await network.cut([layer], size));
  const out = await program.run({ [IMAGE]: image });
  await program.dispose();
  return out[layer]!;
}
const image = float32(new Random('image').normal(3 * 16 * 16), [1, 3, 16, 16]);

function changed(bytes: Uint8Array, change: (proto: ModelProto) => void): Uint8Array {
  const { proto } = decodeOnnx(bytes);
  change(proto);
  return toBinary(ModelProtoSchema, proto);
}

describe('the list of layers', () => {
  it('reads no weights, and a cut only those that its targets need', async () => {
    const bytes = large();
    const { source, read } = watched(bytes);
    const network = await openNetwork(source);
    const { layers, graph } = network.layers(size);
    expect(layers.map((l) => [l.name, l.parameters])).toEqual([
      ['first', 9216 + 1024],
      ['between', 0],
      ['second', 36864 + 36],
      ['out', 0],
    ]);
    expect([...graph.constants.values()].filter(isLazy).map((c) => sizeOf(c.dims))).toEqual([9216, 36864]);
    const opened = read();
    expect(opened).toBeLessThan(60_000);
    await network.cut(['between'], size);
    expect(read() - opened).toBe(9216 * 4);
    await network.cut(['second', 'first'], size);
    expect(read() - opened).toBe(9216 * 4 * 2 + 36864 * 4);
  });

  it('is of the same network as the weights are', async () => {
    const bytes = large();
    const eager = decodeOnnx(bytes).proto.graph!;
    const cut = await (await openBytes(bytes)).cut(['second'], size);
    for (const { name, rawData } of eager.initializer.filter((t) => t.rawData.length > 4096)) {
      const found = cut.constants.get(name) as Tensor;
      expect(Buffer.from(found.data.buffer, found.data.byteOffset, found.data.byteLength).equals(rawData)).toBe(true);
    }
  });
});

describe('the outline of a file', () => {
  it('leaves out long numbers and keeps all that the importer asks for', async () => {
    const bytes = changed(large(), (proto) => {
      proto.docString = 'x'.repeat(5000);
      proto.graph!.docString = 'y'.repeat(5000);
      proto.graph!.node[0]!.docString = 'z'.repeat(5000);
      // As packed floats in place of bytes.
      const t = proto.graph!.initializer.find((i) => i.rawData.length > 100_000)!;
      t.floatData = [...new Float32Array(new Uint8Array(t.rawData).buffer)];
      t.rawData = new Uint8Array();
    });
    const outline = await outlineOf(bytesSource('net.onnx', bytes));
    expect(outline.length).toBeLessThan(8000);
    const [whole, without] = [bytes, outline].map((b) => decodeOnnx(b).proto.graph!);
    expect(without!.node.map((n) => [n.opType, n.input, n.output, n.attribute])).toEqual(
      whole!.node.map((n) => [n.opType, n.input, n.output, n.attribute]),
    );
    expect(without!.initializer.map((t) => [t.name, t.dims, t.dataType])).toEqual(
      whole!.initializer.map((t) => [t.name, t.dims, t.dataType]),
    );
    const a = await output(await openBytes(bytes), 'second', image);
    const b = await output(await openBytes(large()), 'second', image);
    expect(a).toEqual(b);
  });

  it('of a large Constant node is short as well', async () => {
    const bytes = changed(large(), ({ graph }) => {
      const at = graph!.initializer.findIndex((t) => t.rawData.length > 100_000);
      const [t] = graph!.initializer.splice(at, 1);
      const value = create(AttributeProtoSchema, { name: 'value', type: AttributeProto_AttributeType.TENSOR, t: t! });
      graph!.node.unshift(create(NodeProtoSchema, { opType: 'Constant', output: [t!.name], attribute: [value] }));
    });
    const { source, read } = watched(bytes);
    const network = await openNetwork(source);
    expect(network.layers(size).layers.map((l) => l.name)).toEqual(['first', 'between', 'second', 'out']);
    expect(read()).toBeLessThan(80_000);
    expect(await output(network, 'second', image)).toEqual(await output(await openBytes(large()), 'second', image));
  });

  it.each<[string, number[]]>([
    ['a length beyond the end', [0x3a, 0x7f, 1]],
    ['a varint without end', [0x08, 0xff, 0xff]],
    ['a varint of more than ten bytes', [0x08, ...Array.from({ length: 11 }, () => 0xff), 1]],
    ['a field of number 0', [0x02, 0]],
    ['a wire type that is none', [0x0f]],
    ['a group', [0x0b]],
    ['fixed bytes that are cut', [0x0d, 1, 2]],
    ['a tag alone', [0x3a]],
  ])('is refused for %s', async (_, bytes) => {
    await expect(outlineOf(bytesSource('net.onnx', Uint8Array.from([8, 8, ...bytes])))).rejects.toMatchObject({
      code: 'bad-file',
      message: 'net.onnx: not an ONNX model, or damaged or cut short; fetch or export it again',
    });
  });

  it('of a file of nothing but nodes is refused before it takes all memory', async () => {
    // 300,000 nodes of two bytes.
    const graph = new Uint8Array(600_000).map((_, i) => (i % 2 === 0 ? 0x0a : 0));
    const head = [8, 8, 0x3a, 0x80 | (graph.length & 0x7f), 0x80 | ((graph.length >> 7) & 0x7f), graph.length >> 14];
    const bytes = new Uint8Array([...head, ...graph]);
    await expect(outlineOf(bytesSource('net.onnx', bytes))).rejects.toMatchObject({ code: 'too-large' });
  });
});

/** The file with its tensors moved to files beside it, each where `place` says. */
function external(
  bytes: Uint8Array,
  place: (t: TensorProto, offset: number) => Record<string, string>,
): { model: Uint8Array; data: Uint8Array } {
  const parts: Uint8Array[] = [];
  const model = changed(bytes, ({ graph }) => {
    let offset = 0;
    for (const t of graph!.initializer) {
      parts.push(t.rawData);
      const entries = Object.entries(place(t, offset));
      offset += t.rawData.length;
      t.rawData = new Uint8Array();
      t.dataLocation = TensorProto_DataLocation.EXTERNAL;
      t.externalData = entries.map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));
    }
  });
  return { model, data: Buffer.concat(parts) };
}

describe('weights beside the model', () => {
  const location = 'net.onnx.data';
  const normal = (t: TensorProto, offset: number): Record<string, string> => ({
    location,
    offset: String(offset),
    length: String(t.rawData.length),
  });
  const open = ({ model, data }: { model: Uint8Array; data: Uint8Array }, name = location): Promise<Network> =>
    openNetwork(bytesSource('net.onnx', model, { [name]: data }));

  it('are the weights', async () => {
    const bytes = large();
    const network = await open(external(bytes, normal));
    expect(await output(network, 'second', image)).toEqual(await output(await openBytes(bytes), 'second', image));
    const whole = await (await openBytes(bytes)).digest();
    const [a, b] = await Promise.all([network.digest(), open(external(bytes, normal)).then((n) => n.digest())]);
    expect(a).toBe(b);
    expect(a).not.toBe(whole);
    const other = external(bytes, normal);
    other.data[5]! ^= 1;
    expect(await (await open(other)).digest()).not.toBe(a);
  });

  it('may begin at the start and reach as far as they must if nothing else is said', async () => {
    const bytes = file((b, x) => b.conv(x, noise(b, [8, 3, 16, 16]), undefined, {}, 'only'));
    const found = await output(await open(external(bytes, () => ({ location }))), 'only', image);
    expect(found).toEqual(await output(await openBytes(bytes), 'only', image));
  });

  it('that are missing are named, with what helps', async () => {
    await expect(open(external(large(), normal), 'other')).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(
        /^net\.onnx: the weights of tensor `\w+` lie in `net\.onnx\.data`, which is not beside it; put that file into the same folder/,
      ),
      details: { path: 'net.onnx', missing: location },
    });
  });

  it.each<[string, (t: TensorProto, offset: number) => Record<string, string>, string]>([
    ['in another folder', (t, o) => ({ ...normal(t, o), location: '../net.onnx.data' }), 'outside its own folder'],
    ['behind the end', (t, o) => ({ ...normal(t, o), offset: '999999999' }), 'it is damaged or cut short'],
    ['of another length', (t, o) => ({ ...normal(t, o), length: '4' }), 'bytes, 4 are given'],
    ['at no number', (t, o) => ({ ...normal(t, o), offset: '-4' }), '`-4` is no place in a file'],
    ['at half a byte', (t, o) => ({ ...normal(t, o), offset: '0.5' }), '`0.5` is no place in a file'],
  ])('%s are refused', async (_, place, message) => {
    await expect(open(external(large(), place))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringContaining(message),
    });
  });

  it('that are the same bytes again and again are refused', async () => {
    const bytes = file((b, x) => {
      let y = x;
      for (let i = 0; i < 12; i++)
        y = b.conv(y, noise(b, [3, 3, 40, 40]), undefined, { pads: [20, 20, 19, 19] }, `c${i}`);
      return y;
    });
    const { model, data } = external(bytes, () => ({ location }));
    await expect(open({ model, data: data.subarray(0, 3 * 3 * 40 * 40 * 4) })).rejects.toMatchObject({
      code: 'too-large',
      message: 'net.onnx: its tensors refer to the same bytes again and again',
    });
  });

  it('that are not numbers are refused when they are read', async () => {
    const moved = external(large(), normal);
    new Float32Array(moved.data.buffer, moved.data.byteOffset, 100).fill(Number.NaN);
    const network = await open(moved);
    await expect(network.cut(['second'], size)).rejects.toMatchObject({
      code: 'bad-weights',
      message: expect.stringContaining('values that are NaN'),
    });
  });

  const tiny = sharedPath('repro/default_tiny.onnx');
  const tinyData = sharedPath('repro/default_tiny.onnx.data');
  it.skipIf(!tiny || !tinyData)('of PyTorch, with the paths of its modules (needs shared/repro)', async () => {
    const network = await openNetwork(
      bytesSource('t.onnx', readFileSync(tiny!), { 'default_tiny.onnx.data': readFileSync(tinyData!) }),
    );
    expect(network.layers({ height: 64, width: 64 }).layers).toMatchObject([
      {
        name: 'conv2d',
        path: '0',
        type: 'Conv',
        dims: [1, 8, 62, 62],
        channels: { axis: 1, count: 8 },
        parameters: 224,
      },
      { name: 'relu', path: '1', type: 'Relu', dims: [1, 8, 62, 62], channels: { axis: 1, count: 8 }, parameters: 0 },
    ]);
    expect((await network.cut(['1', 'conv2d'], { height: 64, width: 64 })).outputs.map((o) => o.name)).toEqual([
      '1',
      'conv2d',
    ]);
  });
});

describe('the modules of PyTorch', () => {
  const scoped = (scopes: Readonly<Record<string, readonly string[]>>): Promise<Network> =>
    openBytes(
      changed(
        file((b, x) => b.relu(b.relu(b.one('Sigmoid', [b.relu(x, 'getitem_3')], {}, 'add_7'), 'relu_1'), 'relu_2')),
        ({ graph }) => {
          for (const node of graph!.node) {
            const list = scopes[node.name];
            if (list)
              node.metadataProps = [
                create(StringStringEntryProtoSchema, {
                  key: 'pkg.torch.onnx.name_scopes',
                  value: `[${list.map((n) => `'${n}'`).join(', ')}]`,
                }),
              ];
          }
        },
      ),
    );
  const scopes = {
    getitem_3: ['', 'features', 'features.12', 'relu'],
    add_7: ['', 'features', 'features.12', 'sigmoid'],
    relu_1: ['', 'features', 'features.13', 'relu_1'],
    relu_2: ['', 'relu_2'],
  };

  it('name their last node, and with what it does each before it', async () => {
    expect((await scoped(scopes)).layers(size).layers.map((l) => [l.name, l.path])).toEqual([
      ['getitem_3', 'features.12/relu'],
      ['add_7', 'features.12'],
      ['relu_1', 'features.13'],
      ['relu_2', undefined],
      ['out', undefined],
    ]);
  });

  it('are taken for layers, and near ones are suggested', async () => {
    const network = await scoped(scopes);
    const behind = async (layer: string): Promise<Graph['nodes'][number]> => {
      const graph = await network.cut([layer], size);
      expect(graph.outputs.map((o) => o.name)).toEqual([layer]);
      return graph.nodes.filter((n) => n.op !== 'Identity').at(-1)!;
    };
    expect((await behind('features.12')).op).toBe('Sigmoid');
    expect((await behind('features.12/relu')).name).toBe('getitem_3');
    // A module of modules gives what the last of them gives.
    expect((await behind('features')).name).toBe('relu_1');
    await expect(network.cut(['features.14'], size)).rejects.toThrow(/did you mean.*`features\.1[23]`/);
  });
});

describe('what a file says of itself', () => {
  it('is the names of its classes', async () => {
    const labels = async (metadata: Record<string, string>): Promise<unknown> =>
      (await openBytes(file((b, x) => b.relu(x), metadata))).labels;
    expect(await labels({ labels: '["cat", "dog"]' })).toEqual(['cat', 'dog']);
    expect(await labels({ names: `{0: 'person', 1: "bird's nest"}` })).toEqual(['person', "bird's nest"]);
    expect(await labels({ names: `{1: 'a', 0: 'b'}` })).toBeUndefined();
    expect(await labels({ labels: '[1, 2]' })).toBeUndefined();
    expect(await labels({ labels: '{"a": 1}' })).toBeUndefined();
    expect(await labels({})).toBeUndefined();
  });

  it('is the size of its picture, as far as it is fixed', async () => {
    const sized = async (dims: (number | string)[]): Promise<unknown> =>
      (
        await openBytes(
          changed(
            file((b, x) => b.relu(x)),
            ({ graph }) => {
              const type = graph!.input[0]!.type!.value;
              if (type.case !== 'tensorType') throw new Error('no tensor');
              type.value.shape!.dim.forEach((d, i) => {
                const dim = dims[i]!;
                d.value =
                  typeof dim === 'number' ? { case: 'dimValue', value: BigInt(dim) } : { case: 'dimParam', value: dim };
              });
            },
          ),
        )
      ).input;
    expect(await sized(['n', 3, 224, 160])).toMatchObject({ channels: 3, size: { height: 224, width: 160 } });
    expect(await sized(['n', 3, 'h', 160])).toMatchObject({ channels: 3, size: { width: 160 } });
    expect(await sized(['n', 1, 'h', 'w'])).not.toHaveProperty('size');
    expect(await sized(['n', 'c', 'h', 'w'])).toMatchObject({ channels: 3 });
    expect(await sized([1, 28, 28, 1])).toMatchObject({ channels: 1, size: { height: 28, width: 28 } });
    await expect(sized([1, 100, 100, 100])).rejects.toThrow('of its axes 1 and 3 one must be from 1 to 16 channels');
  });

  it('is the layer to show: its output, unless that is a classifier', async () => {
    const shown = async (build: (b: Builder, x: Value) => Value): Promise<string> =>
      (await openBytes(file(build))).defaultLayer;
    expect(await shown((b, x) => b.relu(b.conv(x, noise(b, [4, 3, 3, 3]), undefined, {}, 'c')))).toBe('out');
    const classifier = (b: Builder, x: Value): Value => {
      const c = b.relu(
        b.conv(
          b.conv(x, noise(b, [4, 3, 3, 3]), undefined, {}, 'early'),
          noise(b, [4, 4, 3, 3]),
          undefined,
          {},
          'late',
        ),
        'last_relu',
      );
      return b.one('Softmax', [
        b.one('Flatten', [b.conv(b.one('GlobalAveragePool', [c]), noise(b, [7, 4, 1, 1]), undefined, {}, 'logits')]),
      ]);
    };
    expect(await shown(classifier)).toBe('late');
    expect((await openBytes(file(classifier), { defaultLayer: 'early' })).defaultLayer).toBe('early');
  });
});

describe('the nodes of a file', () => {
  const chain = (): Uint8Array =>
    file((b, x) => b.one('Sigmoid', [b.relu(b.one('Tanh', [x], {}, 'first'), 'second')], {}, 'third'));

  it('are put in order', async () => {
    const mixed = changed(chain(), ({ graph }) => graph!.node.reverse());
    expect((await openBytes(mixed)).layers(size).layers.map((l) => l.name)).toEqual([
      'first',
      'second',
      'third',
      'out',
    ]);
  });

  it.each<[string, (proto: ModelProto) => void, string]>([
    [
      'need their own results',
      ({ graph }) => (graph!.node[0]!.input[0] = 'third'),
      'needs its own result; the graph has a cycle',
    ],
    ['need themselves', ({ graph }) => (graph!.node[1]!.input[0] = 'second'), 'needs its own result'],
    [
      'give one value twice',
      ({ graph }) => (graph!.node[1]!.output[0] = 'first'),
      'two of its nodes or tensors give `first`',
    ],
    [
      'give the picture',
      ({ graph }) => (graph!.node[1]!.output[0] = 'data'),
      'two of its nodes or tensors give `data`',
    ],
    ['need what none gives', ({ graph }) => (graph!.node[1]!.input[0] = 'nothing'), 'nothing gives `nothing`'],
    ['lack an input', ({ graph }) => (graph!.node[1]!.input = []), 'second'],
  ])('that %s are refused', async (_, change, message) => {
    const use = async (): Promise<void> => {
      const { barrier } = (await openBytes(changed(chain(), change))).layers(size);
      if (barrier) throw barrier;
    };
    const error: unknown = await use().catch((e: unknown) => e);
    expect(error).toBeInstanceOf(PhospheneError);
    expect((error as Error).message).toContain(message);
    expect((error as Error).message).not.toMatch(/undefined|BigInt|iterable/);
  });

  it('may be very many, one after the other', async () => {
    const long = file(
      (b, x) => Array.from({ length: 12_000 }).reduce<Value>((y, _, i) => b.relu(y, `r${i}`), x),
      {},
      [1, 3, 1, 1],
    );
    const network = await openBytes(changed(long, ({ graph }) => graph!.node.reverse()));
    expect(network.layers({ height: 1, width: 1 }).layers).toHaveLength(12_001);
  });

  it('that do not depend on the picture are no layers, even if all are', async () => {
    const network = await openBytes(
      changed(
        file((b, x) => b.one('Sin', [x], {}, 'alone')),
        ({ graph }) => {
          graph!.initializer = decodeOnnx(file((b, x) => b.conv(x, noise(b, [4, 3, 3, 3])))).proto.graph!.initializer;
          graph!.node[0]!.input[0] = graph!.initializer[0]!.name!;
        },
      ),
    );
    expect(network.layers(size)).toMatchObject({
      layers: [],
      graph: { inputs: [{ name: IMAGE, dims: [1, 3, 16, 16] }], outputs: [] },
    });
    await expect(network.cut(['alone'], size)).rejects.toMatchObject({ code: 'unknown-layer' });
  });
});

describe('a picture with its channels last', () => {
  it('is given to the network so', async () => {
    const b = new Builder();
    const x = b.input('data', 'float32', [1, 16, 16, 3]);
    const nhwc = encodeOnnx(b.graph({ out: b.relu(b.transpose(x, [0, 3, 1, 2]), 'y') }));
    const network = await openBytes(nhwc);
    expect(network.input).toMatchObject({ channels: 3, size: { height: 16, width: 16 } });
    const found = await output(network, 'y', image);
    expect(found.dims).toEqual([1, 3, 16, 16]);
    expect(found.data).toEqual(image.data.map((v) => Math.max(v, 0)));
  });
});

describe('a layer', () => {
  it('is found by its name, by the name of its node, and by its place in the list', async () => {
    const b = new Builder();
    const x = b.input('data', 'float32', [1, 3, 16, 16]);
    const bytes = encodeOnnx(b.graph([b.relu(b.conv(x, noise(b, [4, 3, 3, 3]), undefined, {}, '495'), '496')]));
    const proto = decodeOnnx(bytes, 'net').proto;
    const [conv, relu] = proto.graph!.node;
    conv!.name = 'Conv_12';
    relu!.name = '495';
    const network = await openBytes(toBinary(ModelProtoSchema, proto));
    const { layers } = network.layers(size);
    expect(layers.map(({ name, node }) => [name, node])).toEqual([
      ['495', 'Conv_12'],
      ['496', '495'],
    ]);
    const found = (name: string): string | undefined => layers[indexOf(layers, name)]?.name;
    expect(['495', '496', 'Conv_12', '0', '1', '-1', '-2'].map(found)).toEqual([
      '495',
      '496',
      '495',
      '495',
      '496',
      '496',
      '495',
    ]);
    expect(['2', '-3', '1.0', 'conv_12', '', '00000000000'].map(found)).toEqual(Array(6).fill(undefined));
    expect((await network.cut(['Conv_12', '-1'], size)).outputs.map((o) => o.name)).toEqual(['Conv_12', '-1']);
    expect((await rejected(network.cut(['Conv_1'], size))).message).toContain('did you mean `Conv_12`?');
  });
});
