/** @file HDF5 files that are made to do harm: bombs, structures that refer to themselves, and seeded damage. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ByteSource, bytesSource, openHdf5 } from '../../src/import/hdf5.ts';
import { readWeights } from '../../src/import/keras-weights.ts';
import { sizeOf } from '../../src/ir/tensor.ts';
import { cases, readAll } from '../fuzz/hdf5.ts';
import { type FixtureWeight, writeFixture } from './fixture.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'phosphene-hostile-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const gzip = { filter: { id: 1, options: [9] } } as const;
const weight = (name: string, shape: readonly number[], more: Partial<FixtureWeight> = {}): FixtureWeight => ({
  name,
  shape,
  data: new Float32Array(sizeOf(shape)),
  ...more,
});

/** A source that tells how many bytes were read of it. */
function counted(bytes: Uint8Array): ByteSource & { read(offset: number, length: number): Uint8Array; total: number } {
  const source = bytesSource('bomb.h5', bytes);
  const counter = {
    ...source,
    total: 0,
    read(offset: number, length: number): Uint8Array {
      counter.total += length;
      return source.read(offset, length);
    },
  };
  return counter;
}

describe('a bomb', () => {
  it('is refused by its shape before a number of it is read', async () => {
    const shape = [4_000_000];
    const { bytes } = await writeFixture(folder, 'bomb.h5', {
      conv1: [weight('conv1/kernel', shape, { chunks: [1_000_000], ...gzip })],
    });
    expect(bytes.length).toBeLessThan(100_000);
    const source = counted(bytes);
    const file = readWeights(source);
    const opened = source.total;
    expect(file.dims('conv1', 'kernel')).toEqual(shape);
    expect(file.dims('conv1', 'bias')).toBeUndefined();
    expect(() => file.read('conv1', 'kernel', [7, 7, 3, 64])).toThrow(
      expect.objectContaining({
        code: 'bad-weights',
        message: expect.stringContaining('is [4000000], the layer takes [7, 7, 3, 64]'),
        details: expect.objectContaining({ layer: 'conv1', weight: 'kernel' }),
      }),
    );
    // Of another rank, and of another length alone.
    expect(() => file.read('conv1', 'kernel', [4_000_000, 1])).toThrow('the layer takes [4000000, 1]');
    expect(() => file.read('conv1', 'kernel', [4_000_001])).toThrow('the layer takes [4000001]');
    expect(source.total).toBe(opened);
    expect(file.read('conv1', 'kernel', shape)!.data.length).toBe(4_000_000);
  });

  it('spends one budget for all weights of a file, and each weight once', async () => {
    const { bytes } = await writeFixture(folder, 'three.h5', {
      a: [weight('a/kernel', [1000]), weight('a/bias', [1000]), weight('a/gamma', [1000])],
    });
    let left = 8000;
    const file = readWeights(bytesSource('three.h5', bytes), undefined, {
      take(count) {
        left -= count;
        if (left < 0) throw new Error('spent');
      },
    });
    for (let again = 0; again < 3; again++) {
      file.read('a', 'kernel');
      file.read('a', 'bias');
    }
    expect(left).toBe(0);
    expect(() => file.read('a', 'gamma')).toThrow('spent');
  });

  it('cannot say that its chunk unfolds into more or less than its shape', async () => {
    const { bytes } = await writeFixture(folder, 'chunk.h5', {
      a: [weight('a/kernel', [1000], { chunks: [1000], ...gzip })],
    });
    expect(readWeights(bytesSource('chunk.h5', bytes)).read('a', 'kernel')!.data.length).toBe(1000);
    // 1000 stands in the dataspace and in the layout; both are changed, so that only the compressed bytes disagree.
    for (const [count, message] of [
      [999, /unfolds into more than 3996 bytes/],
      [1001, /unfolds into 4000 bytes instead of 4004/],
    ] as const) {
      const copy = bytes.slice();
      const view = new DataView(copy.buffer);
      let changed = 0;
      for (let at = 0; at + 4 <= copy.length; at++) {
        if (view.getUint32(at, true) !== 1000) continue;
        view.setUint32(at, count, true);
        changed++;
      }
      expect(changed).toBeGreaterThan(1);
      expect(() => readWeights(bytesSource('chunk.h5', copy)).read('a', 'kernel')).toThrow(
        expect.objectContaining({ code: 'bad-file', message: expect.stringMatching(message) }),
      );
    }
  });
});

describe('structures that refer to the same bytes again and again', () => {
  /** A file of one group whose tree points `entries` times at one node of `entries` names. */
  function amplified(entries: number): Uint8Array {
    const [tree, heap, names] = [200, 200 + 24 + 16 * entries + 8, 200 + 24 + 16 * entries + 8 + 32];
    const node = names + 8;
    const bytes = new Uint8Array(node + 8 + 40 * entries);
    const view = new DataView(bytes.buffer);
    const u64 = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
    const put = (at: number, text: string): void => bytes.set(Buffer.from(text, 'latin1'), at);
    put(0, '\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08');
    u64(32, 2 ** 32);
    view.setBigUint64(32, 2n ** 64n - 1n, true);
    u64(40, bytes.length);
    u64(64, 104);
    // The root's header: one message, the symbol table.
    put(104, '\x01\0\x01\0');
    view.setUint32(112, 24, true);
    view.setUint16(120, 0x11, true);
    view.setUint16(122, 16, true);
    u64(128, tree);
    u64(136, heap);
    put(tree, 'TREE\0\0');
    view.setUint16(tree + 6, entries, true);
    for (let i = 0; i < entries; i++) u64(tree + 24 + 16 * i + 8, node);
    put(heap, 'HEAP');
    u64(heap + 8, 8);
    u64(heap + 24, names);
    put(node, 'SNOD');
    view.setUint16(node + 6, entries, true);
    return bytes;
  }

  it('are read while that is little, and refused when it takes for ever', () => {
    expect(openHdf5(bytesSource('small.h5', amplified(3))).members).toEqual(['']);
    const started = performance.now();
    expect(() => openHdf5(bytesSource('large.h5', amplified(30_000))).members).toThrow(
      expect.objectContaining({ code: 'bad-file', message: expect.stringContaining('again and again') }),
    );
    // 900 million names would take minutes.
    expect(performance.now() - started).toBeLessThan(10_000);
  });
});

describe('seeded damage', () => {
  it('ends in an error of ours, or in sound numbers', async () => {
    const layers = {
      conv1: [weight('conv1/kernel:0', [3, 3, 3, 4]), weight('conv1/bias:0', [4])],
      packed: [weight('packed/kernel', [6, 5], { chunks: [4, 4], ...gzip })],
      nested: [weight('nested/a/kernel', [2]), weight('b/gamma', [2])],
    };
    const seeds = await Promise.all(
      (['earliest', 'latest'] as const).map(
        async (libver) =>
          (
            await writeFixture(
              folder,
              `${libver}.h5`,
              libver === 'latest' ? { conv1: layers.conv1, nested: layers.nested } : layers,
              { libver },
            )
          ).bytes,
      ),
    );
    for (const seed of seeds) expect(readAll('sound', seed)).toBe('read');
    const ends = new Map<string, number>();
    for (const { name, bytes } of cases('short', 600, seeds)) {
      const end = readAll(name, bytes);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    expect(ends.get('read')).toBeGreaterThan(10);
    expect(ends.get('bad-file')).toBeGreaterThan(100);
    // The same seed makes the same files.
    const names = (seed: string): string[] => [...cases(seed, 5, seeds)].map((c) => c.name);
    expect(names('x')).toEqual(names('x'));
    expect(names('x')).not.toEqual(names('y'));
  });
});
