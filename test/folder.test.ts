/** @file Folders made, and links refused inside a given one. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureFolder } from '../src/folder.ts';

let base = '';
let out = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'phosphene-folder-'));
  out = join(base, 'out');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe('ensureFolder', () => {
  it.each([undefined, 'out'])('makes what is missing and takes what is there (inside %s)', async (inside) => {
    const path = join(out, 'a', 'b');
    for (let again = 0; again < 2; again++)
      await ensureFolder(path, undefined, inside === undefined ? {} : { inside: join(base, inside) });
    expect(lstatSync(path).isDirectory()).toBe(true);
  });

  it('makes the folder itself that nothing may leave', async () => {
    await ensureFolder(out, undefined, { inside: out });
    expect(lstatSync(out).isDirectory()).toBe(true);
  });

  it('follows a link unless it is told to stay inside', async () => {
    const elsewhere = join(base, 'elsewhere');
    mkdirSync(out);
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, join(out, 'layer'));
    for (const path of [join(out, 'layer'), join(out, 'layer', 'keras')]) {
      await expect(ensureFolder(path, undefined, { inside: out })).rejects.toMatchObject({
        code: 'filesystem',
        message: expect.stringContaining(`${join(out, 'layer')} is a link where a folder should be`),
        details: { path: join(out, 'layer') },
      });
    }
    expect(readdirSync(elsewhere)).toEqual([]);
    await ensureFolder(join(out, 'layer', 'keras'));
    expect(existsSync(join(elsewhere, 'keras'))).toBe(true);
  });

  it('lets the way to that folder hold links', async () => {
    mkdirSync(out);
    symlinkSync(out, join(base, 'short'));
    await ensureFolder(join(base, 'short'), undefined, { inside: join(base, 'short') });
    await ensureFolder(join(base, 'short', 'layer'), undefined, { inside: join(base, 'short') });
    expect(existsSync(join(out, 'layer'))).toBe(true);
  });

  it('refuses a path outside, and names a file in the way', async () => {
    await expect(ensureFolder(join(base, 'other'), undefined, { inside: out })).rejects.toMatchObject({
      message: `${join(base, 'other')} is not inside ${out}`,
    });
    writeFileSync(join(out, 'file'), '');
    await expect(ensureFolder(join(out, 'file'), 'use b', { inside: out })).rejects.toMatchObject({
      code: 'filesystem',
      message: expect.stringMatching(/file cannot be made a folder: .*EEXIST.*use b/),
    });
    await ensureFolder(join(out, '..layer'), undefined, { inside: out });
    expect(readdirSync(out).sort()).toEqual(['..layer', 'file']);
  });
});
