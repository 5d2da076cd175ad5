/** @file Constants that are read later: graphs are built, fused and asked with their shapes alone. */
import { describe, expect, it } from 'vitest';
import { differentiable } from '../../src/grad/index.ts';
import { Builder } from '../../src/ir/builder.ts';
import { inlineFused } from '../../src/grad/fuse.ts';
import { type Graph, load, prune } from '../../src/ir/graph.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { float32, int64, isLazy, type Lazy, type Tensor } from '../../src/ir/tensor.ts';

/** A constant that says when it is read. */
function lazy(t: Tensor, read: string[] = [], name = ''): Lazy {
  const later = { dtype: t.dtype, dims: t.dims };
  return {
    ...later,
    load: () => {
      read.push(name);
      return Promise.resolve(t);
    },
  };
}

const kernel = float32(
  Float32Array.from({ length: 36 }, (_, i) => i - 17),
  [4, 1, 3, 3],
);
const four = float32([1, 2, 3, 4]);

/** Pad, convolution, normalisation and a branch that no output needs. */
function network(read: string[], eager = false): Graph {
  const b = new Builder();
  const weight = (t: Tensor, name: string) => b.constant(eager ? t : lazy(t, read, name), name);
  const x = b.input('image', 'float32', [1, 1, 8, 8]);
  const c = b.conv(b.pad(x, [0, 0, 1, 1, 0, 0, 1, 1]), weight(kernel, 'w'));
  const statistics = ['gamma', 'beta', 'mean', 'variance'].map((name) => weight(four, name));
  const y = b.one('BatchNormalization', [c, ...statistics], {}, 'y');
  b.one('Add', [y, weight(float32([1]), 'unused')], {}, 'z');
  return b.graph([y]);
}

describe('a lazy constant', () => {
  it('has its dtype and dims, and no value', () => {
    const b = new Builder();
    const t = lazy(float32([1, 2, 3]));
    const v = b.constant(t, 'w');
    expect(v).toEqual({ name: 'w', dtype: 'float32', dims: [3] });
    expect(isLazy(t)).toBe(true);
    expect(isLazy(float32(1))).toBe(false);
    // Its shape is known, what it holds is not.
    expect(b.one('Shape', [v]).constant).toEqual(int64([3]));
    expect(b.add(v, 1).constant).toBeUndefined();
    expect(() => b.one('Reshape', [b.input('x', 'float32', [6]), b.constant(lazy(int64([2, 3])))])).toThrow(/known/);
  });

  it('is never taken for another of its dims', () => {
    const b = new Builder();
    const [v, w] = [b.constant(lazy(four)), b.constant(lazy(four))];
    expect(v.name).not.toBe(w.name);
  });

  it('is not read by what differentiates, prunes or fuses', () => {
    const read: string[] = [];
    const graph = network(read);
    expect(differentiable(graph, 'image')).toContain('y');
    expect([...prune(graph).constants.keys()].sort()).toEqual(
      ['beta', 'gamma', 'mean', 'variance', 'w', 'constant'].sort(),
    );
    const b = new Builder();
    const image = b.input('image', 'float32', [1, 1, 8, 8]);
    const fused = b.graph({ out: inlineFused(b, graph, { image }).get('y')! });
    // The padding goes into the convolution; the normalisation waits for its numbers.
    expect(fused.nodes.map((n) => n.op)).toEqual(['Conv', 'BatchNormalization', 'Identity']);
    expect(read).toEqual([]);
  });

  it('cannot be written', () => {
    expect(() => encodeOnnx(network([]))).toThrow('internal: constant `w` was not loaded');
  });
});

describe('load', () => {
  it('reads what the outputs need, once, and gives the graph that eager constants give', async () => {
    const read: string[] = [];
    const loaded = await load(network(read));
    expect(read).toEqual(['w', 'gamma', 'beta', 'mean', 'variance']);
    expect(encodeOnnx(loaded)).toEqual(encodeOnnx(network([], true)));
  });

  it('throws where a constant is not what it was promised to be', async () => {
    for (const other of [float32([1, 2, 3]), int64([1, 2, 3, 4]), float32([1, 2, 3, 4], [2, 2])]) {
      const b = new Builder();
      const promised: Lazy = { dtype: 'float32', dims: [4], load: () => Promise.resolve(other) };
      const graph = b.graph({ y: b.add(b.input('x', 'float32', [4]), b.constant(promised, 'w')) });
      await expect(load(graph)).rejects.toThrow(/^internal: constant `w` is .* promised was float32 \[4\]$/);
    }
  });

  it('passes on why a constant cannot be read', async () => {
    const b = new Builder();
    const w: Lazy = { dtype: 'float32', dims: [4], load: () => Promise.reject(new Error('cut short')) };
    await expect(load(b.graph({ y: b.neg(b.constant(w)) }))).rejects.toThrow('cut short');
  });
});
