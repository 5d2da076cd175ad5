/** @file What stands in ONNX files beside plain chains: order, cycles, names, several inputs, branches that cannot be built. */
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { IMAGE, indexOf, type Layer, type Network } from '../../src/import/network.ts';
import { labelsOf } from '../../src/import/onnx/labels.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import {
  AttributeProto_AttributeType as Kind,
  AttributeProtoSchema,
  type ModelProto,
  NodeProtoSchema,
  ValueInfoProtoSchema,
} from '../../src/ir/onnx_pb.ts';
import { int64 } from '../../src/ir/tensor.ts';
import { openNetwork } from '../../src/import/formats.ts';
import { bytesSource } from '../../src/import/source.ts';
import { openBytes } from './open.ts';
import { entry, inputDims, onnx, weights } from './protos.ts';

const size = { height: 8, width: 8 };
const names = (network: Network, at = size): string[] => network.layers(at).layers.map((l) => l.name);

/** first → second → out. */
const chain = (change: (proto: ModelProto) => void = () => {}): Uint8Array =>
  onnx((b, x) => b.relu(b.relu(b.relu(x, 'first'), 'second'), 'last'), { change });

describe('the nodes of a file', () => {
  it('may stand in any order', async () => {
    const network = await openBytes(chain((p) => p.graph!.node.reverse()));
    expect(names(network)).toEqual(['first', 'second', 'last', 'out']);
    expect((await network.cut(['out'], size)).nodes.map((n) => n.op)).toEqual(['Relu', 'Relu', 'Relu', 'Identity']);
  });

  it('stay where they are if they are in order', async () => {
    const branches = onnx((b, x) => b.add(b.relu(x, 'one'), b.add(b.tanh(x), b.relu(x, 'two'))));
    expect(names(await openBytes(branches))).toEqual(['one', 'tanh', 'two', 'add', 'add_0', 'out']);
  });

  it('may be a chain longer than the stack is deep', async () => {
    const long = onnx(
      (b, x) => {
        let y = x;
        for (let i = 0; i < 12_000; i++) y = b.one('Identity', [y], {}, `n${i}`);
        return y;
      },
      { change: (p) => p.graph!.node.reverse() },
    );
    expect(names(await openBytes(long))).toHaveLength(12_001);
  });

  it.each<[string, (p: ModelProto) => void, string]>([
    [
      'go in a circle',
      (p) => (p.graph!.node[0]!.input[0] = 'second'),
      'net.onnx: Relu first: it needs its own result; the graph has a cycle',
    ],
    [
      'need themselves',
      (p) => (p.graph!.node[1]!.input[0] = 'second'),
      'net.onnx: Relu second: it needs its own result; the graph has a cycle',
    ],
    [
      'need what nothing gives',
      (p) => (p.graph!.node[1]!.input[0] = 'nowhere'),
      'net.onnx: nothing gives `nowhere`, which Relu second needs',
    ],
    [
      'give one value twice',
      (p) => (p.graph!.node[1]!.output[0] = 'first'),
      'net.onnx: two of its nodes or tensors give `first`',
    ],
    [
      'give the value of an input',
      (p) => (p.graph!.node[1]!.output[0] = 'data'),
      'net.onnx: two of its nodes or tensors give `data`',
    ],
    ['give nothing', (p) => (p.graph!.node[1]!.output = []), 'net.onnx: Relu second: it has no output'],
  ])('are refused if they %s', async (_, change, message) => {
    await expect(
      openBytes(
        chain((p) => {
          change(p);
        }),
      ),
    ).rejects.toThrow(expect.objectContaining({ code: 'bad-file', message }));
  });

  it('are refused if two tensors have one name', async () => {
    const twice = onnx((b, x) => b.conv(x, b.constant(weights(2, 3, 1, 1), 'w')), {
      change: (p) => p.graph!.initializer.push(p.graph!.initializer[0]!),
    });
    await expect(openBytes(twice)).rejects.toThrow('net.onnx: two of its tensors have the name `w`');
  });

  it.each<[string, (p: ModelProto) => void]>([
    ['an input is missing', (p) => (p.graph!.node[1]!.input = [])],
    ['an input is left empty', (p) => (p.graph!.node[1]!.input = [''])],
  ])('never answer with words of the JavaScript engine: %s', async (_, change) => {
    const problem = await openBytes(
      chain((p) => {
        change(p);
      }),
    ).then(
      (network): unknown => network.layers(size).barrier,
      (error: unknown) => error,
    );
    const { message, code } = problem as { message: string; code: string };
    expect(message).toMatch(/second/);
    expect(message).not.toMatch(/undefined|Cannot read|not iterable|is not a/);
    expect(['bad-file', 'unsupported-op', 'shape']).toContain(code);
  });

  it('are refused if a tensor attribute holds none', async () => {
    const change = (p: ModelProto): void => {
      p.graph!.node[1]!.attribute = [create(AttributeProtoSchema, { name: 'value', type: Kind.TENSOR })];
    };
    await expect(openBytes(chain(change))).rejects.toThrow(
      'net.onnx: Relu second: its attribute `value` is said to be a tensor and has none; export the model again',
    );
  });

  it('may use an initializer that is an input too', async () => {
    const old = onnx((b, x) => b.conv(x, b.constant(weights(2, 3, 1, 1), 'w'), undefined, {}, 'conv'), {
      change(p) {
        const info = structuredClone(p.graph!.input[0]!);
        info.name = 'w';
        p.graph!.input.unshift(info);
      },
    });
    const network = await openBytes(old);
    expect(network.input.channels).toBe(3);
    expect(network.layers(size).layers[0]).toMatchObject({ name: 'conv', parameters: 6 });
  });
});

describe('a network with a part that cannot be built', () => {
  /** A branch of an unknown operator, and one without it, which stands after it. */
  const branched = onnx(
    (b, x) => {
      const odd = b.relu(b.tanh(b.relu(x, 'stem')), 'behind');
      return b.add(odd, b.sigmoid(b.value('stem')));
    },
    { change: (p) => (p.graph!.node.find((n) => n.opType === 'Tanh')!.opType = 'Unheard') },
  );

  it('shows all that does not need it', async () => {
    const network = await openBytes(branched);
    expect(names(network)).toEqual(['stem', 'sigmoid']);
    expect(network.layers(size).barrier).toMatchObject({ code: 'unsupported-op', details: { op: 'Unheard' } });
    expect((await network.cut(['sigmoid'], size)).outputs[0]!.name).toBe('sigmoid');
    for (const layer of ['tanh', 'behind', 'out'])
      await expect(network.cut([layer], size)).rejects.toThrow('Unheard tanh: this operator is not supported');
    await expect(network.cut(['sigmoids'], size)).rejects.toThrow(
      /layer `sigmoids` not found in net\.onnx; did you mean/,
    );
  });

  it('because of the size says which one the file is for', async () => {
    const pooled = onnx((b, x) => b.one('MaxPool', [x], { kernel_shape: [5, 5] }, 'pool'));
    const { barrier } = (await openBytes(pooled)).layers({ height: 4, width: 9 });
    expect(barrier).toMatchObject({
      code: 'shape',
      message: expect.stringMatching(/; the file is for pictures of 8×8, not 4×9$/),
      details: { option: 'size', size },
    });
    const open = await openBytes(
      onnx((b, x) => b.one('MaxPool', [x], { kernel_shape: [5, 5] }, 'pool'), {
        change: (p) => inputDims(p, -1, 3, -1, -1),
      }),
    );
    expect(open.layers({ height: 4, width: 9 }).barrier?.message).not.toContain('the file is for');
    await expect(open.cut(['pool'], { height: 4, width: 9 })).rejects.toThrow(
      /^MaxPool pool: a window of 5 does not fit/,
    );
  });
});

describe('a network with several inputs', () => {
  const build = (): Uint8Array => {
    const b = new Builder();
    const scale = b.input('scale', 'float32', [1]);
    const x = b.input('data', 'float32', [1, 3, 8, 8]);
    const other = b.input('other', 'float32', [1, 3, 8, 8]);
    b.input('unused', 'float32', [1, 3, 8, 8]);
    const stem = b.relu(x, 'stem');
    return encodeOnnx(b.graph({ scaled: b.mul(stem, scale), both: b.add(stem, other), own: b.tanh(stem) }));
  };

  it('shows the layers that need the picture alone', async () => {
    const network = await openBytes(build());
    expect(names(network)).toEqual(['stem', 'tanh', 'own']);
    expect((await network.cut(['own'], size)).inputs.map((i) => i.name)).toEqual([IMAGE]);
    await expect(network.cut(['both'], size)).rejects.toThrow(
      expect.objectContaining({
        code: 'unsupported-op',
        message:
          'net.onnx: this layer needs the input `other` beside the picture `data`, which is not supported; choose one that needs the picture alone',
      }),
    );
    await expect(network.cut(['scaled'], size)).rejects.toThrow(/needs the input `scale` beside the picture `data`/);
  });

  it('of which none is a picture is refused', async () => {
    const b = new Builder();
    const sum = b.add(b.input('a', 'float32', [2]), b.input('b', 'float32', [2]));
    await expect(openBytes(encodeOnnx(b.graph({ sum })))).rejects.toThrow(
      'net.onnx: it has 2 inputs (a, b); a network with one image input is needed',
    );
  });
});

describe('a network of which no layer depends on the picture', () => {
  /** What is computed of the picture is its shape. */
  const blind = onnx((b, x) => b.one('Identity', [b.relu(x, 'dims')], {}, 'copy'), {
    change: (p) => (p.graph!.node[0]!.opType = 'Shape'),
  });

  it('has no layers, and says so of the others', async () => {
    const network = await openBytes(blind);
    expect(names(network)).toEqual([]);
    expect(network.layers(size).graph.inputs).toEqual([{ name: IMAGE, dtype: 'float32', dims: [1, 3, 8, 8] }]);
    await expect(network.cut(['out'], size)).rejects.toThrow(
      expect.objectContaining({
        code: 'unknown-layer',
        message:
          'layer `out` of net.onnx does not depend on the picture, so there is nothing to see in it; choose another',
      }),
    );
    expect(network.defaultLayer).toBe('out');
  });

  it('leaves shape arithmetic out of the list', async () => {
    const network = await openBytes(
      onnx((b, x) => {
        const dims = b.one('Shape', [x], {}, 'dims');
        return b.one('Reshape', [b.relu(x, 'seen'), b.one('Concat', [dims, b.ints([1])], { axis: 0 }, 'longer')]);
      }),
    );
    expect(names(network)).not.toContain('dims');
    expect(names(network)).not.toContain('longer');
    expect(names(network)[0]).toBe('seen');
  });
});

describe('layers of PyTorch modules', () => {
  const scoped = (key: string, scopes: readonly string[]): Uint8Array =>
    onnx((b, x) => b.one('Sigmoid', [b.relu(b.conv(x, b.constant(weights(2, 3, 1, 1))))]), {
      change(p) {
        p.graph!.node.forEach((node, i) => {
          if (scopes[i] !== undefined) node.metadataProps = [entry(key, scopes[i])];
        });
      },
    });
  const paths = async (key: string, scopes: readonly string[]): Promise<(string | undefined)[]> =>
    (await openBytes(scoped(key, scopes))).layers(size).layers.map((l) => l.path);

  it('have the paths of the modules, and the last of a module the path alone', async () => {
    const key = 'pkg.torch.onnx.name_scopes';
    const scopes = [
      "['', 'features.0', 'conv2d']",
      "['', 'features.0', \"relu\"]",
      "['', 'features', 'features.1', 'sigmoid']",
    ];
    expect(await paths(key, scopes)).toEqual(['features.0/conv2d', 'features.0', 'features.1', undefined]);
    const network = await openBytes(scoped(key, scopes));
    for (const [asked, found] of [
      ['features.0', 'relu'],
      ['features.0/conv2d', 'conv'],
      ['features.1', 'sigmoid'],
      // All of a container: its last module.
      ['features', 'sigmoid'],
      ['sigmoid', 'sigmoid'],
    ] as const) {
      const { layers } = network.layers(size);
      expect(layers[indexOf(layers, asked)]?.name).toBe(found);
      expect((await network.cut([asked], size)).outputs.map((o) => o.name)).toEqual([asked]);
    }
    await expect(network.cut(['features.2'], size)).rejects.toThrow(/did you mean `features\.[01]`/);
  });

  it('are read from the namespace too, and left alone if there is none', async () => {
    expect(
      await paths('namespace', [': Net/features.0: torch.nn.Conv2d/conv2d: aten.conv2d', ': Net/relu: aten.relu', 'x']),
    ).toEqual(['features.0', undefined, undefined, undefined]);
    expect(await paths('another', ["['', 'a', 'b']"])).toEqual(Array.from({ length: 4 }));
  });

  it('that are barred are known by their paths', async () => {
    const network = await openBytes(
      onnx((b, x) => b.tanh(b.relu(x, 'stem')), {
        change(p) {
          p.graph!.node[1]!.opType = 'Unheard';
          p.graph!.node[1]!.metadataProps = [entry('pkg.torch.onnx.name_scopes', "['', 'head', 'tanh']")];
        },
      }),
    );
    await expect(network.cut(['head'], size)).rejects.toThrow('Unheard tanh: this operator is not supported');
  });
});

describe('the layer that is found by a name', () => {
  const layer = (name: string, path?: string): Layer => ({
    name,
    type: '',
    dims: [],
    channels: undefined,
    parameters: 0,
    ...(path === undefined ? {} : { path }),
  });
  it('is the one of that name first, then the last of that path', () => {
    const layers = [layer('a', 'b'), layer('b', 'x.0'), layer('c', 'x.1'), layer('d', 'x'), layer('e', 'xy')];
    expect(['a', 'b', 'x', 'x.0', 'xy', 'y', ''].map((n) => indexOf(layers, n))).toEqual([0, 1, 3, 1, 4, -1, -1]);
  });
});

describe('channels', () => {
  const axes = async (build: (b: Builder, x: Value) => Value, dims = [1, 3, 8, 8]) =>
    (await openBytes(onnx(build, { dims }))).layers(size).layers.map((l) => l.channels?.axis);
  const at = async (build: (b: Builder, x: Value) => Value) => (await axes(build)).at(-1);
  const tokens = (b: Builder, x: Value): Value =>
    b.transpose(b.reshape(b.conv(x, b.constant(weights(6, 3, 1, 1))), [1, 6, 64]), [0, 2, 1]);

  it.each<[string, (b: Builder, x: Value) => Value, number | undefined]>([
    ['a convolution', (b, x) => b.conv(x, b.constant(weights(4, 3, 1, 1))), 1],
    ['NHWC', (b, x) => b.transpose(x, [0, 2, 3, 1]), 3],
    ['NHWC and back', (b, x) => b.transpose(b.transpose(x, [0, 2, 3, 1]), [0, 3, 1, 2]), 1],
    ['a Transpose without perm', (b, x) => b.one('Transpose', [x]), 2],
    ['tokens', tokens, 2],
    ['a product with weights', (b, x) => b.matmul(tokens(b, x), b.constant(weights(6, 5))), 2],
    ['tokens times tokens', (b, x) => b.matmul(tokens(b, x), b.transpose(tokens(b, x), [0, 2, 1])), undefined],
    ['a mean over the picture', (b, x) => b.mean(x, [2, 3], false), 1],
    ['a mean over the channels', (b, x) => b.mean(x, [1], false), undefined],
    ['a mean over the batch', (b, x) => b.mean(x, [0], false), undefined],
    ['a mean that keeps its axes', (b, x) => b.mean(b.transpose(x, [0, 2, 3, 1]), [1], true), 3],
    ['a mean over a negative axis', (b, x) => b.mean(b.transpose(x, [0, 2, 3, 1]), [-2], false), 2],
    ['the channels in rows', (b, x) => b.reshape(x, [1, 3, 64]), 1],
    ['channels and positions in one', (b, x) => b.reshape(x, [1, 192]), undefined],
    ['groups of channels', (b, x) => b.reshape(b.conv(x, b.constant(weights(4, 3, 1, 1))), [1, 2, 2, 64]), undefined],
    ['an axis more', (b, x) => b.one('Unsqueeze', [x, b.ints([1])]), 2],
    ['an axis more at the end', (b, x) => b.one('Unsqueeze', [x, b.ints([-1])]), 1],
    ['an axis less', (b, x) => b.one('Squeeze', [b.mean(x, [2, 3], true), b.ints([2, 3])]), 1],
    ['all axes of one less', (b, x) => b.one('Squeeze', [b.mean(x, [2, 3], true)]), undefined],
    ['a part of the channels', (b, x) => b.slice(x, [0], [2], [1]), 1],
    ['some channels', (b, x) => b.gather(x, b.ints([2, 0]), 1), 1],
    ['one channel', (b, x) => b.gather(x, b.constant(int64(1)), 1), undefined],
    ['one row', (b, x) => b.gather(b.transpose(x, [0, 2, 3, 1]), b.constant(int64(1)), 1), 2],
    [
      'a table of rows',
      (b, x) => b.gather(b.transpose(x, [0, 2, 3, 1]), b.constant(int64([0, 1, 1, 0], [2, 2])), 2),
      4,
    ],
    ['a sum with another layout', (b, x) => b.add(b.reshape(x, [1, 8, 8, 3]), b.transpose(x, [0, 2, 3, 1])), 3],
    ['a sum of weights', (b, x) => b.add(x, b.float([1, 2, 3], [3, 1, 1])), 1],
    ['a concatenation', (b, x) => b.concat([x, b.relu(x)], 1), 1],
    [
      'a concatenation of two layouts',
      (b, x) => b.concat([x, b.transpose(b.reshape(x, [1, 8, 3, 8]), [0, 2, 1, 3])], 1),
      undefined,
    ],
    ['a choice', (b, x) => b.where(b.greater(x, 0), x, b.transpose(b.transpose(x, [0, 2, 3, 1]), [0, 3, 1, 2])), 1],
    ['an activation', (b, x) => b.one('Sigmoid', [b.transpose(x, [0, 2, 3, 1])]), 3],
    ['a row of units', (b, x) => b.one('Gemm', [b.reshape(x, [1, 192]), b.constant(weights(192, 5))]), 1],
  ])('of %s are at %s', async (_, build, axis) => {
    expect(await at(build)).toBe(axis);
  });

  it('are counted', async () => {
    const network = await openBytes(onnx((b, x) => b.transpose(x, [0, 2, 3, 1])));
    expect(network.layers(size).layers[0]!.channels).toEqual({ axis: 3, count: 3 });
  });
});

describe('labels', () => {
  it.each<[Record<string, string>, readonly string[] | undefined]>([
    [{}, undefined],
    [{ labels: '["cat", "dog"]' }, ['cat', 'dog']],
    [{ classes: '["a"]', labels: '["b"]', 'phosphene.labels': '["c"]' }, ['c']],
    [{ labels: 'nonsense', classes: '["a"]' }, ['a']],
    [{ class_names: '["a"]' }, ['a']],
    [{ names: "{0: 'person', 1: \"traffic light\", 2: 'it\\'s'}" }, ['person', 'traffic light', "it\\'s"]],
    [{ names: "{1: 'person', 2: 'car'}" }, undefined],
    [{ labels: '[]' }, undefined],
    [{ labels: '[1, 2]' }, undefined],
    [{ labels: '{"a": 1}' }, undefined],
  ])('of %j are %j', (metadata, labels) => {
    expect(labelsOf(metadata)).toEqual(labels);
  });

  it("are the network's", async () => {
    const network = await openBytes(onnx((b, x) => b.relu(x), { metadata: { labels: '["cat"]' } }));
    expect(network.labels).toEqual(['cat']);
    expect('labels' in (await openBytes(chain()))).toBe(false);
  });
});

describe('a network', () => {
  it('cuts several layers in the order asked, one of them twice', async () => {
    const network = await openBytes(chain());
    const graph = await network.cut(['last', 'first'], size);
    expect(graph.outputs.map((o) => o.name)).toEqual(['last', 'first']);
    expect((await network.cut(['first'], size)).nodes).toHaveLength(1);
  });

  it.each([
    [{ height: 0, width: 8 }, 'height'],
    [{ height: 8, width: -3 }, 'width'],
    [{ height: 1.5, width: 8 }, 'height'],
    [{ height: 8, width: NaN }, 'width'],
    [{ height: 1e9, width: 8 }, 'height'],
  ])('refuses a size of %j', async (wrong, what) => {
    const network = await openBytes(chain());
    expect(() => network.layers(wrong)).toThrow(
      expect.objectContaining({ code: 'bad-option', message: expect.stringContaining(what) }),
    );
    await expect(network.cut(['first'], wrong)).rejects.toThrow(expect.objectContaining({ code: 'bad-option' }));
  });

  it('keeps a layer apart that has the name of the picture', async () => {
    const network = await openBytes(
      onnx((b, x) => b.tanh(b.relu(x, 'temporary')), {
        change(p) {
          p.graph!.node[0]!.output[0] = IMAGE;
          p.graph!.node[1]!.input[0] = IMAGE;
        },
      }),
    );
    const [first] = names(network);
    expect(first).toMatch(/^image_\d$/);
    expect((await network.cut([first!], size)).nodes).toHaveLength(1);
  });

  it('shows its last convolution with a size unless the file ends in one', async () => {
    const classifier = onnx((b, x) => {
      const y = b.relu(b.conv(x, b.constant(weights(4, 3, 3, 3)), undefined, {}, 'conv'), 'act');
      const pooled = b.one('GlobalAveragePool', [y]);
      return b.conv(pooled, b.constant(weights(2, 4, 1, 1)), undefined, {}, 'logits');
    });
    expect((await openBytes(classifier)).defaultLayer).toBe('conv');
    expect((await openBytes(chain())).defaultLayer).toBe('out');
    expect((await openBytes(chain(), { defaultLayer: 'first' })).defaultLayer).toBe('first');
    const none = onnx((b, x) => b.relu(b.one('GlobalAveragePool', [b.tanh(x)], {}, 'pooled'), 'end'));
    expect((await openBytes(none)).defaultLayer).toBe('tanh');
  });

  it('has the name of its file, without folders, unless it is given one', async () => {
    expect((await openBytes(chain(), { name: 'a/b\\c.onnx' })).name).toBe('c.onnx');
    const named = await openNetwork(bytesSource('a/b.onnx', chain()), { name: 'mine' });
    expect(named.name).toBe('mine');
  });
});

describe('protobuf', () => {
  it('may hold nodes of another domain, which are named with it', async () => {
    const network = await openBytes(chain((p) => (p.graph!.node[1]!.domain = 'com.example')));
    expect(network.layers(size).barrier?.message).toBe('com.example.Relu second: this operator is not supported');
  });
  // A graph in an attribute of a node of a graph in an attribute …
  const deep = (depth: number): Promise<Network> =>
    openBytes(
      chain((p) => {
        let node = p.graph!.node[1]!;
        const output = [create(ValueInfoProtoSchema, { name: node.output[0]! })];
        for (let i = 0; i < depth; i++) {
          const attribute = ['then_branch', 'else_branch'].map((name) =>
            create(AttributeProtoSchema, {
              name,
              type: Kind.GRAPH,
              g: { node: name === 'then_branch' || depth < 10 ? [node] : [], output } as never,
            }),
          );
          node = create(NodeProtoSchema, { ...node, opType: 'If', attribute });
        }
        p.graph!.node[1] = node;
      }),
    );
  it('may be deep', async () => {
    expect((await deep(6)).layers(size).barrier?.message).toMatch(/^If second: /);
  });
  it('is refused where it is too deep', async () => {
    await expect(deep(60)).rejects.toMatchObject({
      code: 'too-large',
      message: 'net.onnx: its graphs lie within graphs, deeper than any network needs',
    });
  });
});
