/** @file ONNX files as models: a real network to its recorded outputs, and files that are broken. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { beforeAll, describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { gradient } from '../../src/grad/index.ts';
import { IMAGE, type Network } from '../../src/import/network.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { inlineFused } from '../../src/grad/fuse.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { decodeOnnx, encodeOnnx } from '../../src/ir/onnx.ts';
import { AttributeProto_AttributeType, AttributeProtoSchema, ModelProtoSchema } from '../../src/ir/onnx_pb.ts';
import { float32, sizeOf, type Tensor } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { compileSeed } from '../render/seed.ts';
import { targets } from '../../src/render/targets.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { combinations, noise, titled } from '../check.ts';
import { readNpy } from '../npy.ts';
import { sharedPath } from '../shared.ts';
import { openBytes } from './open.ts';

const squeezenet = sharedPath('models/squeezenet1.1');

describe.skipIf(!squeezenet)('SqueezeNet 1.1 (needs shared/models/squeezenet1.1)', () => {
  const open = (): Promise<Network> =>
    // What was recorded is the network's input: no map from [-1, 1] before it.
    openBytes(readFileSync(join(squeezenet!, 'squeezenet1.1.onnx')), { preprocess: 'tf' });
  const output = 'squeezenet0_flatten0_reshape0';

  it('gives the recorded outputs', async () => {
    const model = await open();
    const graph = await model.cut([output], { height: 224, width: 224 });
    const program = await nodeRuntime.compile(graph);
    for (let i = 0; i < 3; i++) {
      const { data } = readNpy(join(squeezenet!, `input_${i}.npy`));
      const expected = readNpy(join(squeezenet!, `output_${i}.npy`)).data;
      const found = (await program.run({ [IMAGE]: float32(data, [1, 3, 224, 224]) }))[output]!.data as Float32Array;
      const scale = expected.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const worst = expected.reduce((most, v, k) => Math.max(most, Math.abs(v - found[k]!)), 0);
      expect(found.length).toBe(expected.length);
      expect(worst).toBeLessThan(2e-4 * scale);
    }
    await program.dispose();
  });

  it('lists its layers at any size', async () => {
    const model = await open();
    const [small, large] = [224, 259].map((n) => model.layers({ height: n, width: n }).layers);
    expect(small!.map((l) => l.name)).toEqual(large!.map((l) => l.name));
    expect(small!.filter((l) => l.type === 'Conv')).toHaveLength(26);
  });

  it('has the gradient that differences say, through the whole net', async () => {
    const model = await open();
    const full = { height: 224, width: 224 };
    const middle = model.layers(full).layers.filter((l) => l.type === 'Concat')[4]!;
    // The middle at a size too small for the last pool.
    for (const [layer, size] of [
      [middle.name, { height: 67, width: 64 }],
      [output, full],
    ] as const) {
      const dims = [1, 3, size.height, size.width];
      const random = new Random('squeezenet');
      const at = readNpy(join(squeezenet!, 'input_0.npy')).data.slice(0, sizeOf(dims));
      const strongest = await strongestChannel(await model.cut([layer], size), float32(at, dims));
      const b = new Builder();
      const image = b.input(IMAGE, 'float32', dims);
      const y = inlineFused(b, await model.cut([layer], size), { [IMAGE]: image }).get(layer)!;
      const channel = b.gather(y, b.ints([strongest]), 1);
      const [g] = gradient(b, b.mean(channel, undefined, false), [image]);
      const program = await nodeRuntime.compile(b.graph({ channel, g: g! }));
      const run = (data: Float32Array): Promise<Record<string, Tensor>> =>
        program.run({ [IMAGE]: float32(data, dims) });
      const nabla = (await run(at))['g']!.data as Float32Array;
      expect(norm(nabla)).toBeGreaterThan(0);
      for (let i = 0; i < 3; i++) {
        // Along the gradient and beside it: a random direction alone would see next to nothing of it.
        const beside = random.normal(at.length);
        const [length, other] = [norm(nabla), norm(beside)];
        const v = nabla.map((value, k) => value / length + (i * beside[k]!) / other);
        const mean = (r: Record<string, Tensor>): number =>
          (r['channel']!.data as Float32Array).reduce((s, value) => s + value, 0) / r['channel']!.data.length;
        // Of the picture's 0..255: large enough for float32, small enough for few ReLUs to switch.
        const step = 1;
        const [above, below] = [
          await run(at.map((x, k) => x + step * v[k]!)),
          await run(at.map((x, k) => x - step * v[k]!)),
        ].map(mean);
        const slope = v.reduce((s, value, k) => s + value * nabla[k]!, 0);
        expect(
          Math.abs(slope - (above! - below!) / (2 * step)) / (length * norm(v)),
          `${slope} in ${layer}`,
        ).toBeLessThan(3e-3);
      }
      await program.dispose();
    }
  });

  it('takes a cut file for what it is', async () => {
    const bytes = readFileSync(join(squeezenet!, 'squeezenet1.1.onnx'));
    for (let i = 0; i < 40; i++) await harmless(() => use(bytes.subarray(0, Math.floor((bytes.length * i) / 40))));
  });
});

/** The channel with the largest sum: many are dead on any one picture, and a gradient of zero shows nothing. */
async function strongestChannel(graph: Graph, image: Tensor): Promise<number> {
  const program = await nodeRuntime.compile(graph);
  const [y] = Object.values(await program.run({ [IMAGE]: image }));
  await program.dispose();
  const run = sizeOf(y!.dims.slice(2));
  const sums = Array.from({ length: y!.dims[1]! }, (_, c) =>
    (y!.data as Float32Array).subarray(c * run, (c + 1) * run).reduce((s, v) => s + v, 0),
  );
  return sums.indexOf(Math.max(...sums));
}

/** A small file that has a bit of everything: attributes, constants, shape arithmetic. */
function small(): Uint8Array {
  const b = new Builder();
  const x = b.input('data', 'float32', [1, 3, 16, 16]);
  const c = b.conv(
    b.pad(x, [0, 0, 1, 1, 0, 0, 1, 1]),
    noise(b, [4, 3, 3, 3]),
    noise(b, [4]),
    { strides: [2, 2] },
    'conv1',
  );
  const n = b.one(
    'BatchNormalization',
    [c, noise(b, [4]), noise(b, [4]), noise(b, [4]), noise(b, [4], 1, 2)],
    { epsilon: 0.001 },
    'norm1',
  );
  const p = b.one(
    'MaxPool',
    [b.one('LeakyRelu', [n], { alpha: 0.1 })],
    { kernel_shape: [2, 2], strides: [2, 2], auto_pad: 'SAME_UPPER' },
    'pool1',
  );
  const [left, right] = b.op('Split', [p, b.ints([1, 3])], { axis: 1 }, { outputs: 2 });
  const joined = b.concat([left!, b.slice(right!, [0], [3], [1], [2])], 1);
  const flat = b.one('Reshape', [b.gather(joined, b.ints([2, 0]), 1), b.ints([0, -1])]);
  return encodeOnnx(b.graph({ out: b.one('Softmax', [b.matmul(flat, noise(b, [32, 5]))], { axis: 1 }) }));
}

/** Everything that is done with a file before it runs. */
async function use(bytes: Uint8Array): Promise<Graph> {
  const model = await openBytes(bytes, { name: 'broken.onnx' });
  const size = { height: 16, width: 16 };
  const { layers, barrier } = model.layers(size);
  targets(model, size);
  expect(typeof model.defaultLayer).toBe('string');
  const last = layers.at(-1);
  if (!last) throw barrier ?? new PhospheneError('bad-file', 'nothing depends on the picture');
  return model.cut([last.name], size);
}

/** Whether `f` went through; that it either does or throws a PhospheneError is asserted. */
async function harmless(f: () => Promise<unknown>): Promise<boolean> {
  try {
    await f();
    return true;
  } catch (error) {
    if (!(error instanceof PhospheneError)) throw error;
    expect(error.message.length).toBeGreaterThan(0);
    return false;
  }
}

describe('a broken ONNX file', () => {
  let bytes: Uint8Array;
  beforeAll(() => {
    bytes = small();
  });

  it('is whole before it is broken', async () => {
    expect((await use(bytes)).nodes.map(({ op }) => op)).toContain('Conv');
  });

  it('that is cut short is refused or still a model', async () => {
    for (let length = 0; length < bytes.length; length += 3) await harmless(() => use(bytes.subarray(0, length)));
  });

  it('with a flipped bit is refused or still a model', async () => {
    const random = new Random('flips');
    let refused = 0;
    for (let i = 0; i < 1000; i++) {
      const flipped = bytes.slice();
      flipped[random.integer(bytes.length)]! ^= 1 << random.integer(8);
      if (!(await harmless(() => use(flipped)))) refused++;
    }
    expect(refused).toBeGreaterThan(100);
  });

  it('with a run of random bytes is refused or still a model', async () => {
    const random = new Random('runs');
    for (let i = 0; i < 300; i++) {
      const noisy = bytes.slice();
      const start = random.integer(bytes.length - 8);
      for (let k = 0; k < 8; k++) noisy[start + k] = random.integer(256);
      await harmless(() => use(noisy));
    }
  });
});

describe('an ONNX file', () => {
  const of = (build: (b: Builder, x: Value) => Value, dims = [1, 3, 8, 8]): Uint8Array => {
    const b = new Builder();
    return encodeOnnx(b.graph({ out: build(b, b.input('data', 'float32', dims)) }));
  };
  const model = (bytes: Uint8Array): Promise<Network> => openBytes(bytes);
  const size = { height: 8, width: 8 };

  it('names the operator and the node that it does not know', async () => {
    // The one way to write such a file here is to rename an operator of the same length.
    const bytes = of((b, x) => b.relu(x, 'activation'));
    const at = Buffer.from(bytes).indexOf('Relu');
    bytes.set(new TextEncoder().encode('Gelu'), at);
    expect((await model(bytes)).layers(size)).toMatchObject({
      layers: [],
      barrier: expect.objectContaining({
        code: 'unsupported-op',
        message: 'Gelu activation: this operator is not supported',
      }),
    });
  });

  it('names an operator with a subgraph, and keeps what stands before it', async () => {
    const { proto } = decodeOnnx(of((b, x) => b.relu(b.relu(x, 'first'), 'last')));
    const node = proto.graph!.node.find((n) => n.name === 'last')!;
    node.opType = 'Loop';
    node.attribute = [create(AttributeProtoSchema, { name: 'body', type: AttributeProto_AttributeType.GRAPH })];
    const net = await model(toBinary(ModelProtoSchema, proto));
    expect(net.layers(size).layers.map((l) => l.name)).toEqual(['first']);
    await expect(net.cut(['out'], size)).rejects.toThrow('Loop last: this operator is not supported');
  });

  it('names the pooling in ceil mode that does not fit', async () => {
    const net = await model(
      of((b, x) => b.one('MaxPool', [x], { kernel_shape: [3, 3], ceil_mode: 1 }, 'pool'), [1, 3, 8, 8]),
    );
    expect(net.layers({ height: 2, width: 8 }).barrier?.message).toMatch(
      /^MaxPool pool: a window of 3 does not fit an axis of 2.*; the file is for pictures of 8×8, not 2×8$/,
    );
  });

  it('takes a window of ceil mode that is larger than its input', async () => {
    const net = await model(
      of((b, x) => b.one('MaxPool', [x], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 })),
    );
    expect(net.layers({ height: 2, width: 8 }).layers[0]!.dims).toEqual([1, 3, 1, 4]);
  });

  it('refuses what has no picture for its input', async () => {
    await expect(model(of((b, x) => b.relu(x), [1, 7]))).rejects.toThrow(
      'net.onnx: its input `data` is [1, 7]; a picture is needed, [n, c, h, w] or [n, h, w, c]',
    );
    await expect(
      model(of((b) => b.relu(b.add(b.input('a', 'float32', [2]), b.input('b', 'float32', [2]))))),
    ).rejects.toThrow('net.onnx: it has 2 inputs (a, b); a network with one image input is needed');
  });

  it('refuses elements that it would take for others', async () => {
    const whole = new Builder();
    const x = whole.input('data', 'int64', [1, 3, 8, 8]);
    const numbers = encodeOnnx(whole.graph({ out: whole.relu(whole.cast(x, 'float32')) }));
    await expect(model(numbers)).rejects.toThrow(
      'net.onnx: its input `data` is of int64; a picture is needed, of float32, float16, float64 or uint8',
    );
    const { proto } = decodeOnnx(of((b, x) => b.cast(b.cast(x, 'float64'), 'float32')));
    // bfloat16, which graphs do not have.
    proto.graph!.node[0]!.attribute[0]!.i = 16n;
    await expect(model(toBinary(ModelProtoSchema, proto))).rejects.toThrow(
      expect.objectContaining({
        code: 'bad-file',
        message: 'attribute `to` of Cast: element type BFLOAT16 is not supported',
      }),
    );
  });

  it('says which layers are near a misspelt one', async () => {
    const net = await model(of((b, x) => b.relu(x, 'conv1_relu')));
    await expect(net.cut(['conv1_rleu'], size)).rejects.toThrow(/did you mean `conv1_relu`/);
  });

  it('normalises over all axes from its own on where a Softmax is older than opset 13', async () => {
    const { proto } = decodeOnnx(of((b, x) => b.one('Softmax', [x], { axis: 1 })));
    proto.opsetImport[0]!.version = 12n;
    const program = await nodeRuntime.compile(
      await (await model(toBinary(ModelProtoSchema, proto))).cut(['out'], size),
    );
    const out = (await program.run({ [IMAGE]: float32(new Float32Array(192), [1, 3, 8, 8]) }))['out']!;
    await program.dispose();
    expect(out.dims).toEqual([1, 3, 8, 8]);
    expect((out.data as Float32Array).every((v) => Math.abs(v - 1 / 192) < 1e-7)).toBe(true);
  });

  it('resolves SAME where ONNX Runtime cannot', async () => {
    const net = await model(
      of((b, x) => b.one('MaxPool', [x], { kernel_shape: [1, 1], strides: [2, 2], auto_pad: 'SAME_UPPER' })),
    );
    const program = await nodeRuntime.compile(await net.cut(['out'], size));
    const image = float32(new Random('same').uniform(sizeOf([1, 3, 8, 8])), [1, 3, 8, 8]);
    const out = (await program.run({ [IMAGE]: image }))['out']!;
    await program.dispose();
    expect(out.dims).toEqual([1, 3, 4, 4]);
    expect(out.data[1]).toBe(image.data[2]);
  });

  it.each(['MaxPool', 'AveragePool'])('spells the ceil mode of %s as padding where that says the same', async (op) => {
    const image = float32(new Random('ceil').normal(sizeOf([1, 3, 8, 8])), [1, 3, 8, 8]);
    for (const window of combinations({
      kernel_shape: [
        [1, 1],
        [2, 3],
        [3, 3],
      ],
      strides: [
        [2, 2],
        [3, 4],
      ],
      pads: [
        [0, 0, 0, 0],
        [0, 1, 0, 2],
      ],
      count_include_pad: op === 'MaxPool' ? [undefined] : [0, 1],
    })) {
      const { kernel_shape, strides, pads, count_include_pad } = window;
      if (pads.some((p, i) => p >= kernel_shape[i % 2]!)) continue;
      const counts = count_include_pad === undefined ? {} : { count_include_pad };
      const b = new Builder();
      const data = b.input(IMAGE, 'float32', [1, 3, 8, 8]);
      const graph = b.graph({
        out: b.one(op, [data], { kernel_shape, strides, pads, ...counts, ceil_mode: 1 }, 'out'),
      });
      const imported = await (await model(encodeOnnx(graph))).cut(['out'], size);
      expect(imported.nodes.filter((n) => 'ceil_mode' in n.attributes)).toEqual([]);
      const [expected, found] = await Promise.all(
        [graph, imported].map(async (g) => {
          const program = await nodeRuntime.compile(g);
          const { out } = await program.run({ [IMAGE]: image });
          await program.dispose();
          return out!;
        }),
      );
      expect(found!.dims, titled(window)).toEqual(expected!.dims);
      // Not to the bit: ONNX Runtime sums a padded window in another order.
      const off = (expected!.data as Float32Array).map((v, i) => Math.abs(v - (found!.data[i] as number)));
      expect(Math.max(...off), titled(window)).toBeLessThan(1e-6);
    }
  });

  it('knows the last window of ceil mode where the operator set counts another', async () => {
    // A stride wider than the kernel on one axis, an overhang that is no padding on the other.
    for (const [op, attributes, dims] of [
      ['AveragePool', { kernel_shape: [3, 1], strides: [3, 3], count_include_pad: 1 }, [1, 3, 3, 3]],
      ['MaxPool', { kernel_shape: [2, 1], strides: [4, 3], dilations: [3, 1] }, [1, 3, 2, 3]],
    ] as const) {
      const net = await model(of((b, x) => b.one(op, [x], { ...attributes, ceil_mode: 1 })));
      const seed = await compileSeed(await net.cut(['out'], size), 0);
      const image = float32(new Random('last').normal(sizeOf([1, 3, 8, 8])), [1, 3, 8, 8]);
      const { loss, gradient } = await seed.step(image, 1);
      await seed.dispose();
      expect(net.layers(size).layers[0]!.dims).toEqual(dims);
      // Both are homogeneous: the loss is its own derivative along the image.
      const along = gradient.reduce((sum, g, i) => sum + g * (image.data[i] as number), 0);
      expect(along).toBeCloseTo(loss, 5);
    }
  });

  it('reads to the end where an attribute says so with the largest integer', async () => {
    const { proto } = decodeOnnx(of((b, x) => b.relu(x)));
    const [node] = proto.graph!.node;
    node!.opType = 'Slice';
    node!.attribute = Object.entries({ starts: [1n], ends: [2n ** 63n - 1n], axes: [3n] }).map(([name, ints]) =>
      create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INTS, ints }),
    );
    proto.opsetImport[0]!.version = 9n;
    expect((await model(toBinary(ModelProtoSchema, proto))).layers(size).layers[0]!.dims).toEqual([1, 3, 8, 7]);
  });

  /** The file, its first node with an attribute that our operator set has not: whole numbers, or one. */
  const stating = (bytes: Uint8Array, name: string, value: bigint | bigint[]): Uint8Array => {
    const { proto } = decodeOnnx(bytes);
    const stated = Array.isArray(value)
      ? { name, type: AttributeProto_AttributeType.INTS, ints: value }
      : { name, type: AttributeProto_AttributeType.INT, i: value };
    proto.graph!.node[0]!.attribute.push(create(AttributeProtoSchema, stated));
    return toBinary(ModelProtoSchema, proto);
  };

  it('leaves off what newer operator sets say and ours cannot, where it says nothing', async () => {
    const net = of((b, x) => b.one('AveragePool', [x], { kernel_shape: [2, 2] }));
    const cast = of((b, x) => b.one('Cast', [x], { to: 'float32' }));
    for (const bytes of [stating(net, 'dilations', [1n, 1n]), stating(cast, 'saturate', 1n)])
      await (await nodeRuntime.compile(await (await model(bytes)).cut(['out'], size))).dispose();
  });

  it('refuses dilations of an average, which our operator set has not', async () => {
    const bytes = of((b, x) => b.one('AveragePool', [x], { kernel_shape: [2, 2] }, 'odd'));
    expect((await model(stating(bytes, 'dilations', [2n, 1n]))).layers(size).barrier?.message).toBe(
      'AveragePool odd: its dilations are not supported',
    );
  });

  it('names the attribute that is not known', async () => {
    const bytes = of((b, x) => b.relu(x, 'odd'));
    expect((await model(stating(bytes, 'keepdims', 1n))).layers(size).barrier).toMatchObject({
      code: 'unsupported-op',
      message: 'Relu odd: attribute `keepdims` is not known; export the file again without it',
      details: { op: 'Relu', node: 'odd' },
    });
  });
});

const norm = (a: Float32Array): number => Math.sqrt(a.reduce((s, v) => s + v * v, 0));
