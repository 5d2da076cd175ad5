/** @file Files that are whole or not there: full disks, places that cannot be written, and leftovers of killed runs. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { ensureFolder } from '../../src/folder.ts';
import type { WholeFileSystem } from '../../src/runs/files.ts';
import { sweepTemporaries, writeWhole } from '../../src/runs/files.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'phosphene-files-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function failing(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}

describe('writeWhole', () => {
  it('writes and replaces, bytes and text, and leaves nothing else', async () => {
    const path = join(folder, 'a.bin');
    await writeWhole(path, Uint8Array.of(1, 2, 3));
    expect([...(await readFile(path))]).toEqual([1, 2, 3]);
    await writeWhole(path, 'µ');
    expect(await readFile(path, 'utf8')).toBe('µ');
    expect(await readdir(folder)).toEqual(['a.bin']);
  });

  it('lets many writers of one file pass, one of them wins whole', async () => {
    const path = join(folder, 'a.txt');
    const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(5000));
    await Promise.all(texts.map((text) => writeWhole(path, text)));
    expect(texts).toContain(await readFile(path, 'utf8'));
    expect(await readdir(folder)).toEqual(['a.txt']);
  });

  it('keeps the old file and removes the temporary when the disk fills up', async () => {
    const path = join(folder, 'a.txt');
    await writeWhole(path, 'old');
    const full: WholeFileSystem = {
      rename,
      rm,
      open: async (name, flags) => {
        const file = await open(name, flags);
        return {
          writeFile: async () => {
            await file.writeFile('ne');
            throw failing('ENOSPC');
          },
          sync: () => file.sync(),
          close: () => file.close(),
        };
      },
    };
    await expect(writeWhole(path, 'new', full)).rejects.toThrow(
      expect.objectContaining({
        name: 'PhospheneError',
        code: 'filesystem',
        message: expect.stringMatching(/a\.txt cannot be written: the disk is full \(ENOSPC\); free some space/),
        details: { path, systemCode: 'ENOSPC' },
      }),
    );
    expect(await readdir(folder)).toEqual(['a.txt']);
    expect(await readFile(path, 'utf8')).toBe('old');
  });

  it.each(['EACCES', 'EROFS', 'EIO'])('reports %s at the rename and cleans up', async (code) => {
    const broken: WholeFileSystem = { open, rm, rename: () => Promise.reject(failing(code)) };
    await expect(writeWhole(join(folder, 'a'), 'x', broken)).rejects.toThrow(
      expect.objectContaining({ code: 'filesystem', message: expect.stringContaining(`(${code})`) }),
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it('explains a file in the place of the folder, a missing folder and a folder in the place of the file', async () => {
    await writeFile(join(folder, 'file'), '');
    await mkdir(join(folder, 'sub'));
    const found = (path: string): Promise<unknown> => writeWhole(join(folder, path), 'x').catch((e: unknown) => e);
    expect(String(await found('file/a.png'))).toContain('a part of the path is a file, not a folder (ENOTDIR)');
    expect(String(await found('none/a.png'))).toContain('no such file or folder (ENOENT)');
    expect(String(await found('sub'))).toContain('a folder of that name is there already');
    expect(String(await found('x'.repeat(300)))).toContain('too long (ENAMETOOLONG)');
    expect((await readdir(folder)).sort()).toEqual(['file', 'sub']);
  });

  it.skipIf(process.platform !== 'linux')('explains a place that nobody may write', async () => {
    const error: unknown = await writeWhole('/proc/phosphene.png', 'x').catch((e: unknown) => e);
    expect(error).toBeInstanceOf(PhospheneError);
    expect(error).toMatchObject({ code: 'filesystem', details: { path: '/proc/phosphene.png' } });
  });
});

describe('ensureFolder', () => {
  it('makes what is missing and is content with what is there', async () => {
    await ensureFolder(join(folder, 'a', 'b'));
    await ensureFolder(join(folder, 'a', 'b'));
    expect(await readdir(join(folder, 'a'))).toEqual(['b']);
  });

  it('lets many make the same folder', async () => {
    const path = join(folder, 'a', 'b', 'c');
    await Promise.all(Array.from({ length: 20 }, () => ensureFolder(path)));
    expect(await readdir(join(folder, 'a', 'b'))).toEqual(['c']);
  });

  it.skipIf(process.platform !== 'linux')('explains a place where no folder can be made', async () => {
    await expect(ensureFolder('/proc/phosphene/out')).rejects.toThrow(/cannot be made a folder: /);
  });

  it('explains a file in the way', async () => {
    await writeFile(join(folder, 'a'), '');
    await expect(ensureFolder(join(folder, 'a'))).rejects.toThrow(/cannot be made a folder: a file of that name/);
    await expect(ensureFolder(join(folder, 'a', 'b'))).rejects.toThrow(/cannot be made a folder: a part of the path/);
  });
});

describe('sweepTemporaries', () => {
  const here = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);

  it('removes what dead runs left and nothing of live ones', async () => {
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    const put = async (name: string, hoursOld = 0): Promise<string> => {
      const when = Date.now() / 1000 - hoursOld * 3600;
      await writeFile(join(folder, name), 'x');
      await utimes(join(folder, name), when, when);
      return name;
    };
    const swept = [
      await put(`.phosphene-tmp-${here}-${dead}-000000000001`),
      // Our own number, but written before we lived.
      await put(`.phosphene-tmp-${here}-${process.pid}-000000000002`, 20),
      await put(`.phosphene-tmp-ffffffff-${dead}-000000000003`, 30),
    ];
    const kept = [
      await put(`.phosphene-tmp-${here}-${process.ppid}-000000000004`),
      await put(`.phosphene-tmp-${here}-${process.pid}-000000000005`),
      await put(`.phosphene-tmp-ffffffff-${dead}-000000000006`, 2),
      await put(`.phosphene-tmp-mine`, 300),
      await put(`filter-0000.png`, 300),
    ];
    await symlink(join(folder, 'nowhere'), join(folder, `.phosphene-tmp-${here}-${dead}-000000000007`));
    expect(await sweepTemporaries(folder)).toEqual(swept.sort());
    expect(await readdir(folder)).toEqual(expect.arrayContaining(kept));
    expect(await sweepTemporaries(folder)).toEqual([]);
  });

  it('finds nothing in a folder that is not there, and explains one that cannot be read', async () => {
    expect(await sweepTemporaries(join(folder, 'none'))).toEqual([]);
    await writeFile(join(folder, 'file'), '');
    await expect(sweepTemporaries(join(folder, 'file'))).rejects.toThrow(
      expect.objectContaining({ code: 'filesystem' }),
    );
  });
});
