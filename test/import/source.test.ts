/** @file Sources of bytes: what is read, and that nothing outside a model's own folder is. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fileSource } from '../../src/hub/file-source.ts';
import { byteSource, bytesSource, headOf, type Source, sourceSlice } from '../../src/import/source.ts';

const bytes = Uint8Array.from({ length: 2000 }, (_, i) => (i * 37) % 251);
const folder = mkdtempSync(join(tmpdir(), 'phosphene-source-'));
afterAll(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'model', 'parts'), { recursive: true });
const path = join(folder, 'model', 'net.onnx');
writeFileSync(path, bytes);
writeFileSync(join(folder, 'model', 'net.onnx.data'), 'beside');
writeFileSync(join(folder, 'model', 'parts', 'a.bin'), 'below');
writeFileSync(join(folder, 'secret'), 'outside');
symlinkSync(join(folder, 'secret'), join(folder, 'model', 'leads-out'));
symlinkSync(join(folder, 'model', 'net.onnx.data'), join(folder, 'model', 'stays-in'));

const beside = { 'net.onnx.data': Buffer.from('beside'), 'parts/a.bin': Buffer.from('below') };
const sources: [string, () => Promise<Source>][] = [
  ['a file', () => fileSource(path)],
  ['bytes in memory', async () => bytesSource('net.onnx', bytes, beside)],
  [
    'a part of a source',
    async () =>
      sourceSlice(bytesSource('all', Buffer.concat([Buffer.alloc(7, 1), bytes, Buffer.alloc(5, 2)])), 'part', 7, 2000),
  ],
];

describe.each(sources)('%s', (kind, open) => {
  it('gives exactly the bytes that are asked for, later and at once', async () => {
    const source = await open();
    expect(source.size).toBe(2000);
    expect(Buffer.from(await source.read(10, 30))).toEqual(Buffer.from(bytes.slice(10, 40)));
    expect(Buffer.from(source.readSync!(1999, 1))).toEqual(Buffer.from(bytes.slice(1999)));
    expect(await source.read(2000, 0)).toHaveLength(0);
    expect(Buffer.from(await headOf(source))).toEqual(Buffer.from(bytes.slice(0, 512)));
    await source.close();
    await source.close();
  });

  it.each([
    [0, 2001],
    [2000, 1],
    [-1, 4],
    [0, -1],
    [0.5, 1],
    [2 ** 60, 1],
    [Number.NaN, 1],
  ])('refuses what lies outside: %d + %d', async (offset, length) => {
    const source = await open();
    await expect(source.read(offset, length)).rejects.toMatchObject({ code: 'bad-file' });
    expect(() => source.readSync!(offset, length)).toThrow(expect.objectContaining({ code: 'bad-file' }));
    await source.close();
  });

  it.runIf(kind !== 'a part of a source')('knows its digest', async () => {
    const source = await open();
    expect(await source.digest()).toBe(createHash('sha256').update(bytes).digest('hex'));
    await source.close();
  });

  it.runIf(kind !== 'a part of a source')('opens what lies beside it, and nothing else', async () => {
    const source = await open();
    const text = async (name: string): Promise<string | undefined> => {
      const found = await source.sibling(name);
      const content = found && Buffer.from(await found.read(0, found.size)).toString();
      await found?.close();
      return content;
    };
    expect(await text('net.onnx.data')).toBe('beside');
    expect(await text('./parts/a.bin')).toBe('below');
    expect(await text('missing.data')).toBeUndefined();
    for (const name of [
      '../secret',
      'parts/../../secret',
      '/etc/passwd',
      'C:\\secret',
      'C:secret',
      '..',
      '',
      '.',
      'a\0b',
      '..\\secret',
    ])
      await expect(source.sibling(name), name).rejects.toMatchObject({
        code: 'bad-file',
        message: expect.stringContaining('outside its own folder'),
        details: expect.objectContaining({ sibling: name }),
      });
    await source.close();
  });
});

describe('a file', () => {
  it('is followed through symbolic links inside its folder only', async () => {
    const source = await fileSource(path);
    expect((await source.sibling('stays-in'))?.size).toBe(6);
    await expect(source.sibling('leads-out')).rejects.toThrow('it refers to `leads-out`, outside its own folder');
    await source.close();
  });

  it('that is missing or a folder is said to be, with what helps', async () => {
    await expect(fileSource(join(folder, 'none'), 'try another')).rejects.toThrow(
      /none cannot be read: no such file.*try another/,
    );
    await expect(fileSource(folder)).rejects.toMatchObject({
      code: 'filesystem',
      message: expect.stringContaining('not a regular file'),
    });
  });

  it('that is cut while it is read ends in an error', async () => {
    const file = join(folder, 'shrinks');
    writeFileSync(file, bytes);
    const source = await fileSource(file);
    truncateSync(file, 100);
    await expect(source.read(0, 2000)).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringContaining('became shorter'),
    });
    expect(() => source.readSync!(0, 2000)).toThrow('became shorter');
    await source.close();
  });
});

describe('a source that cannot be read at once', () => {
  const { readSync: _, ...later } = bytesSource('later', bytes);

  it('is held in memory for a reader that needs that', async () => {
    expect(Buffer.from((await byteSource(later)).read(5, 10))).toEqual(Buffer.from(bytes.slice(5, 15)));
  });

  it('is refused from 2 GiB on', async () => {
    await expect(byteSource({ ...later, size: 2 ** 31 })).rejects.toMatchObject({
      code: 'too-large',
      message: 'later: it has 2.0 GiB; at most 2 GiB of it can be held in memory here',
    });
  });
});
