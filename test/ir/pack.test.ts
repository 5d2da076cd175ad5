/** @file Weights are in memory once: left unread while graphs are built, read one after another into the bytes that engines read. */
import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/grad/index.ts';
import { inlineFused } from '../../src/grad/fuse.ts';
import { Budget } from '../../src/ir/budget.ts';
import { Builder } from '../../src/ir/builder.ts';
import { type Graph, largeWeights, load } from '../../src/ir/graph.ts';
import { decodeOnnx, encodeOnnx, packOnnx, PACKED_WEIGHTS } from '../../src/ir/onnx.ts';
import { type Constant, float32, isLazy, type Lazy, sizeOf, type Tensor, toNumbers } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { createWebRuntime } from '../../src/runtime/web.ts';
import { Random } from '../../src/random.ts';

const random = (dims: readonly number[], key: string): Tensor<'float32'> =>
  float32(new Random(key).uniform(sizeOf(dims), -0.5, 0.5), dims);

/** Every kind of convolution whose kernel the gradient needs in another form, and a matrix. */
const weights = {
  plain: random([32, 3, 3, 3], 'plain'),
  deep: random([64, 32, 5, 3], 'deep'),
  strided: random([64, 64, 3, 3], 'strided'),
  grouped: random([64, 16, 3, 3], 'grouped'),
  pointwise: random([256, 64, 1, 1], 'pointwise'),
  matrix: random([256, 128], 'matrix'),
};
const channels = (count: number, at: number): Tensor<'float32'> =>
  float32(Float32Array.from({ length: count }, (_, i) => at + i / count));

/** Constants as they are, or each to be read later; `reads` says which were, in order. */
type Reader = (name: string, t: Tensor) => Constant;
const eagerly: Reader = (_, t) => t;
const lazily =
  (reads: string[] = []): Reader =>
  (name, { dtype, dims, ...t }): Lazy => ({
    dtype,
    dims,
    load: async () => {
      reads.push(name);
      return { dtype, dims, ...t };
    },
  });

function network(reader: Reader): Graph {
  const b = new Builder();
  const weight = (name: keyof typeof weights) => b.constant(reader(name, weights[name]), name);
  const x = b.input('image', 'float32', [1, 3, 15, 16]);
  const same = [1, 1, 1, 1];
  const first = b.relu(b.conv(x, weight('plain'), undefined, { pads: same }));
  const deep = b.conv(first, weight('deep'), undefined, { pads: [2, 1, 2, 1] });
  const statistics = [1, 0, 0.1, 0.5].map((at) => b.constant(channels(64, at)));
  const normal = b.relu(b.one('BatchNormalization', [deep, ...statistics]));
  const strided = b.relu(b.conv(normal, weight('strided'), undefined, { pads: same, strides: [2, 2] }));
  const grouped = b.relu(b.conv(strided, weight('grouped'), undefined, { pads: same, group: 4 }));
  const wide = b.relu(b.conv(grouped, weight('pointwise')));
  const flat = b.reshape(b.mean(wide, [2, 3]), [1, 256]);
  return b.graph({ y: b.one('Gemm', [flat, weight('matrix')]) });
}

/** The network with the gradient of its third output. */
function differentiated(graph: Graph, budget = new Budget()): Graph {
  const b = new Builder([], budget);
  const x = b.input('x', 'float32', [1, 3, 15, 16]);
  const y = b.slice(inlineFused(b, graph, { image: x }).get('y')!, [2], [3], [1]);
  const loss = b.sum(y, undefined, false);
  return b.graph({ loss, dx: gradient(b, loss, [x])[0]! });
}

const all = Object.keys(weights).toSorted();
const feeds = { x: random([1, 3, 15, 16], 'x') };

describe('weights that are read later', () => {
  it('are read by nothing that builds, and each but once if only one thing is made of it', async () => {
    const reads: string[] = [];
    const graph = differentiated(network(lazily(reads)));
    expect(reads).toEqual([]);
    await packOnnx(graph);
    // The kernel of a strided convolution becomes one for each phase of its gradient.
    expect(reads.filter((name) => name !== 'strided').toSorted()).toEqual(all.filter((name) => name !== 'strided'));
  });

  it('give the bytes that known ones give', async () => {
    const later = await packOnnx(differentiated(network(lazily())));
    const known = await packOnnx(differentiated(network(eagerly)));
    expect(Buffer.from(later.weights).equals(Buffer.from(known.weights))).toBe(true);
    expect(Buffer.from(later.model).equals(Buffer.from(known.model))).toBe(true);
  });

  it('are not copied for the gradient: each stands among the packed weights once', async () => {
    const forward = await packOnnx(await load(network(lazily())));
    const both = await packOnnx(differentiated(network(lazily())));
    // What is left are the phases of the strided kernel, which together are no larger than a kernel of four by four.
    const phases = (4 * weights.strided.data.length * 16) / 9;
    expect(both.weights.length - forward.weights.length).toBeLessThan(phases + 8192);
    // A budget that is smaller than the kernels shows that nothing of their size was computed.
    const budget = new Budget({ bytes: phases + 2 ** 16 });
    expect(() => differentiated(network(eagerly), budget)).not.toThrow();
  });

  it('are those that are large and that results alone depend on', () => {
    const graph = network(lazily());
    expect([...largeWeights(graph)].toSorted()).toEqual(['deep', 'matrix', 'strided']);
    expect(largeWeights(network(eagerly)).size).toBe(0);
    // Not if something else is made of one.
    const b = new Builder();
    const deep = b.constant(lazily()('deep', weights.deep), 'deep');
    const x = b.input('x', 'float32', [1, 32, 8, 8]);
    const used = b.graph([b.conv(x, deep), b.one('Gather', [deep, b.cast(b.sum(x), 'int64')], { axis: 0 })]);
    expect(largeWeights(used).size).toBe(0);
    // Nor if something can be computed of constants alone once they are read: that is done first.
    const c = new Builder();
    const kernel = c.one('Mul', [c.constant(lazily()('deep', weights.deep), 'deep'), c.float(2)]);
    expect(largeWeights(c.graph([c.conv(c.input('x', 'float32', [1, 32, 8, 8]), kernel)])).size).toBe(0);
  });

  it('stay unread if they are left for later', async () => {
    const reads: string[] = [];
    const graph = network(lazily(reads));
    const some = await load(graph, new Set(['deep', 'matrix']));
    expect(reads.toSorted()).toEqual(all.filter((name) => name !== 'deep' && name !== 'matrix'));
    expect([...some.constants].filter(([, c]) => isLazy(c)).map(([name]) => name)).toEqual(['deep', 'matrix']);
    expect(() => encodeOnnx(some)).toThrow('was not loaded');
  });

  it('must be what was promised', async () => {
    const b = new Builder();
    const odd = { ...lazily()('deep', weights.deep), dims: [64, 32, 3, 5] };
    const graph = b.graph([b.conv(b.input('x', 'float32', [1, 32, 8, 8]), b.constant(odd, 'odd'))]);
    await expect(packOnnx(graph)).rejects.toThrow('promised was float32 [64, 32, 3, 5]');
  });
});

describe('a packed graph', () => {
  it('has its large constants beside it, in shared memory, each at a line of the cache', async () => {
    const { model, weights: bytes } = await packOnnx(network(eagerly));
    expect(bytes.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(model.length).toBeLessThan(8192);
    const { proto } = decodeOnnx(model);
    const tensors = proto.graph!.initializer;
    const beside = tensors.flatMap((t) => (t.externalData.length > 0 ? [t.name] : []));
    // The first kernel has 3456 bytes.
    expect(beside.toSorted()).toEqual(all.filter((name) => name !== 'plain'));
    for (const t of tensors.filter(({ externalData }) => externalData.length > 0)) {
      const place = Object.fromEntries(t.externalData.map(({ key, value }) => [key, value]));
      expect(place['location']).toBe(PACKED_WEIGHTS);
      const [offset, length] = [Number(place['offset']), Number(place['length'])];
      expect(offset % 64).toBe(0);
      const { data } = weights[t.name as keyof typeof weights];
      expect(new Float32Array(bytes.slice(offset, offset + length).buffer)).toEqual(data);
    }
  });

  it('of small constants has nothing beside it', async () => {
    const b = new Builder();
    const limit = random([32, 32], 'limit');
    const packed = await packOnnx(b.graph([b.matmul(b.input('x', 'float32', [1, 32]), b.constant(limit))]));
    expect(packed.weights.length).toBe(0);
    const program = await nodeRuntime.compile(packed);
    await program.dispose();
  });

  it.each([
    ['Node', nodeRuntime],
    ['the web', createWebRuntime()],
  ])('computes in ONNX Runtime for %s what its graph computes', async (_, runtime) => {
    const known = differentiated(network(eagerly));
    const packed = await packOnnx(differentiated(network(lazily())));
    const [one, other, third] = await Promise.all([
      runtime.compile(encodeOnnx(known)),
      runtime.compile(packed),
      runtime.compile(known),
    ]);
    const expected = await one.run(feeds);
    expect(toNumbers(expected['dx']!).some((v) => Math.abs(v) > 1e-6)).toBe(true);
    expect(await other.run(feeds)).toEqual(expected);
    expect(await third.run(feeds)).toEqual(expected);
    await Promise.all([one, other, third].map((program) => program.dispose()));
  });
});
