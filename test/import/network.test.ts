/** @file Networks whatever their format: cutting at several layers, sizes that cannot be, layers that are not there, formats. */
import { describe, expect, it } from 'vitest';
import { formats } from '../../src/import/formats.ts';
import { defaultSize, findLayer, IMAGE, type Network } from '../../src/import/network.ts';
import { knownPreprocess } from '../../src/import/preprocess.ts';
import { bytesSource } from '../../src/import/source.ts';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { noise } from '../check.ts';
import { openBytes } from './open.ts';
import { inputDims, onnx } from './protos.ts';

const size = { height: 8, width: 10 };

/** a → b, and beside b a branch c. */
function file(): Uint8Array {
  const b = new Builder();
  const x = b.input('data', 'float32', [1, 3, 8, 10]);
  const a = b.conv(x, noise(b, [4, 3, 3, 3]), undefined, {}, 'a');
  const left = b.relu(a, 'b');
  return encodeOnnx(b.graph([left, b.conv(a, noise(b, [5, 4, 1, 1]), undefined, {}, 'c')]));
}

describe('a cut', () => {
  it('has the outputs that are asked for, in this order, and no more', async () => {
    const network = await openBytes(file());
    const graph = await network.cut(['c', 'a'], size);
    expect(graph.inputs).toEqual([{ name: IMAGE, dtype: 'float32', dims: [1, 3, 8, 10] }]);
    expect(graph.outputs).toEqual([
      { name: 'c', dtype: 'float32', dims: [1, 5, 6, 8] },
      { name: 'a', dtype: 'float32', dims: [1, 4, 6, 8] },
    ]);
    expect(graph.nodes.map((n) => n.op)).toEqual(['Conv', 'Conv']);
    expect((await network.cut(['b'], size)).nodes.map((n) => n.op)).toEqual(['Conv', 'Relu']);
  });

  it('takes values of any name', async () => {
    const b = new Builder();
    const x = b.input('data', 'float32', [1, 3, 8, 10]);
    const odd = encodeOnnx(
      b.graph([b.relu(b.one('Sigmoid', [b.one('Tanh', [x], {}, IMAGE)], {}, 'image/scale'), 'conv')]),
    );
    const network = await openBytes(odd, { preprocess: 'raw' });
    const names = network.layers(size).layers.map((l) => l.name);
    expect(names).toHaveLength(3);
    expect(new Set(names).size).toBe(3);
    expect(names).not.toContain(IMAGE);
    for (const name of names) expect((await network.cut([name], size)).outputs.map((o) => o.name)).toEqual([name]);
  });

  it('of a layer that is not there names those that are near', async () => {
    const network = await openBytes(file(), { name: 'net.onnx' });
    await expect(network.cut(['a', 'nothing like it'], size)).rejects.toMatchObject({
      code: 'unknown-layer',
      message: 'layer `nothing like it` not found in net.onnx; `phosphene layers net.onnx` lists its 3 layers',
      details: { layer: 'nothing like it', model: 'net.onnx' },
    });
    expect(() => findLayer('net', network.layers(size).layers, 'aa')).toThrow('did you mean `a`');
    expect(findLayer('net', network.layers(size).layers, 'c').parameters).toBe(20);
  });
});

describe('a size', () => {
  it.each([
    [{ height: 0, width: 8 }, 'size: the height must be a whole number of pixels from 1 to 65536, not 0'],
    [{ height: -3, width: 8 }, 'size: the height must be a whole number of pixels from 1 to 65536, not -3'],
    [{ height: 8, width: -3 }, 'the width must be'],
    [{ height: 8, width: 2.5 }, 'not 2.5'],
    [{ height: Number.NaN, width: 8 }, 'not NaN'],
    [{ height: 8, width: 65_537 }, 'not 65537'],
  ])('that cannot be is refused: %j', async (wrong, message) => {
    const network = await openBytes(file());
    expect(() => network.layers(wrong)).toThrow(
      expect.objectContaining({
        code: 'bad-option',
        message: expect.stringContaining(message),
        details: { option: 'size' },
      }),
    );
    await expect(network.cut(['a'], wrong)).rejects.toMatchObject({ code: 'bad-option' });
  });

  it('is the file’s own unless another is asked for', () => {
    const input = { channels: 3, preprocess: knownPreprocess.tf, from: 'assumed' } as const;
    const otherwise = { height: 180, width: 180 };
    expect(defaultSize(input, otherwise)).toEqual(otherwise);
    expect(defaultSize({ ...input, size: { height: 224, width: 160 } }, otherwise)).toEqual({
      height: 224,
      width: 160,
    });
    expect(defaultSize({ ...input, size: { width: 160 } }, otherwise)).toEqual({ height: 180, width: 160 });
  });

  it('that the file is not for is tried, and the barrier states the right one', async () => {
    const b = new Builder();
    const x = b.input('data', 'float32', [1, 3, 8, 10]);
    const network: Network = await openBytes(
      encodeOnnx(b.graph([b.one('Reshape', [b.relu(x, 'r'), b.ints([1, 240])], {}, 'flat')])),
    );
    expect(network.layers(size)).not.toHaveProperty('barrier');
    const listing = network.layers({ height: 8, width: 12 });
    expect(listing.layers.map((l) => l.name)).toEqual(['r']);
    expect(listing.barrier).toMatchObject({
      code: 'shape',
      message: expect.stringMatching(/does not reshape to .*; the file is for pictures of 8×10, not 8×12$/),
      details: expect.objectContaining({ option: 'size', size: { height: 8, width: 10 } }),
    });
    await expect(network.cut(['flat'], { height: 8, width: 12 })).rejects.toThrow('the file is for pictures of 8×10');
  });
});

describe('a size that does not fit', () => {
  /** Halves a picture and adds what it doubles again to it, as networks with a way back up do. */
  const bytes = onnx(
    (b, x) => {
      const half = b.relu(b.one('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] }), 'half');
      const doubled = b.one('Resize', [half, undefined, b.float([1, 1, 2, 2], [4])], { mode: 'nearest' }, 'doubled');
      return b.one('Add', [doubled, x], {}, 'sum');
    },
    { dims: [1, 3, 32, 32], change: (proto) => inputDims(proto, 1, 3, -1, -1) },
  );

  it('is told with the nearest round one that does, if the file leaves the size open', async () => {
    const network = await openBytes(bytes);
    const { barrier, layers } = network.layers({ height: 33, width: 40 });
    expect(layers.map((l) => l.name)).toContain('doubled');
    expect(barrier).toMatchObject({
      code: 'shape',
      message: expect.stringMatching(/Add sum: .* do not broadcast; pictures of 64×64 fit$/),
      details: expect.objectContaining({ option: 'size', size: { height: 64, width: 64 } }),
    });
    await expect(network.cut(['sum'], { height: 33, width: 40 })).rejects.toThrow('pictures of 64×64 fit');
    expect(network.layers({ height: 64, width: 64 })).not.toHaveProperty('barrier');
  });

  it('is told alone if none of them does', async () => {
    const network = await openBytes(
      onnx((b, x) => b.one('Reshape', [b.relu(x, 'r'), b.ints([1, 12])], {}, 'flat'), {
        dims: [1, 3, 2, 2],
        change: (proto) => inputDims(proto, 1, 3, -1, -1),
      }),
    );
    expect(network.layers({ height: 5, width: 5 }).barrier?.message).toMatch(/^Reshape flat: .*reshape to \[1, 12\]$/);
  });
});

describe('a listing', () => {
  it('is made once for a size', async () => {
    const network = await openBytes(file());
    expect(network.layers(size)).toBe(network.layers({ ...size }));
    const other = network.layers({ height: 9, width: 10 });
    expect(other).not.toBe(network.layers(size));
    expect(other.graph.outputs.map((o) => o.name)).toEqual(other.layers.map((l) => l.name));
  });
});

describe('a file', () => {
  it('is recognised by its content', () => {
    const match = (head: readonly number[] | string, name: string): string | undefined =>
      formats.find((f) => f.match(typeof head === 'string' ? Buffer.from(head) : Uint8Array.from(head), name))?.name;
    expect(match([8, 8, 0x12, 7], 'x.bin')).toBe('ONNX');
    expect(match([0x3a, 0xff, 3], 'x.onnx')).toBe('ONNX');
    expect(match([0x3a, 0xff, 3], 'x.bin')).toBeUndefined();
    expect(match([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a], 'x.onnx')).toBe('Keras HDF5');
    expect(match('<!DOCTYPE html>', 'x.onnx')).toBeUndefined();
    expect(match('', 'x.onnx')).toBeUndefined();
  });

  it.each([['\x1c\0\0\0TFL3', 'a TensorFlow Lite model']])(
    'of another kind is named, and closed: %j',
    async (content, kind) => {
      let closed = false;
      const source = {
        ...bytesSource('model', Buffer.from(content, 'latin1')),
        close: async () => void (closed = true),
      };
      const { openNetwork } = await import('../../src/import/formats.ts');
      await expect(openNetwork(source)).rejects.toMatchObject({
        code: 'bad-file',
        message: expect.stringContaining(`model: holds no network that can be read, but ${kind}`),
      });
      expect(closed).toBe(true);
    },
  );

  it('is called by its name without its folder, unless another is given', async () => {
    expect((await openBytes(file(), { name: 'mine' })).name).toBe('mine');
    const { openNetwork } = await import('../../src/import/formats.ts');
    expect((await openNetwork(bytesSource('/some/folder/net.onnx', file()))).name).toBe('net.onnx');
    expect((await openNetwork(bytesSource('C:\\folder\\net.onnx', file()))).name).toBe('net.onnx');
  });
});
