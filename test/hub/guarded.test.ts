/** @file A cache in which someone else may write: links under our names, forged records. */
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { download } from '../../src/hub/download.ts';
import { createOurs, isTrusted, lengthOfOurs, openOurs, readTrusted } from '../../src/hub/guarded.ts';
import { remember, verify } from '../../src/hub/verified.ts';
import { give, serve, type TestServer } from './server.ts';

const content = Buffer.from('weights, '.repeat(20_000));
const md5 = createHash('md5').update(content).digest('hex');
const isRoot = process.getuid?.() === 0;

let folder = '';
let file = '';
let victim = '';
let server: TestServer;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phosphene-guarded-'));
  file = join(folder, 'w.h5');
  victim = join(folder, 'victim');
  writeFileSync(victim, 'precious');
  server = await serve((request, response) => give(request, response, content));
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});
const fetched = (): Promise<string> => download({ url: server.url, hash: md5, file, retryDelayMs: 1 });

describe('a download into a folder where others write', () => {
  it.each(['.part', '.part.json', '.hash.json'])('follows no link under the name %s', async (name) => {
    symlinkSync(victim, `${file}${name}`);
    await fetched();
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(readFileSync(file).equals(content)).toBe(true);
    expect(lstatSync(file).isFile()).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['victim', 'w.h5', 'w.h5.hash.json']);
    expect(lstatSync(`${file}.hash.json`).isFile()).toBe(true);
  });

  it('does not go on with a second name of another file', async () => {
    linkSync(victim, `${file}.part`);
    await fetched();
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(server.requests[0]).not.toHaveProperty('range');
  });

  it.skipIf(!isRoot)('does not go on with a part that someone else owns', async () => {
    writeFileSync(`${file}.part`, content.subarray(0, 1000));
    chownSync(`${file}.part`, 65534, 65534);
    await fetched();
    expect(server.requests[0]).not.toHaveProperty('range');
    expect(statSync(file).uid).toBe(0);
  });

  it('goes on with its own part', async () => {
    writeFileSync(`${file}.part`, content.subarray(0, 1000), { mode: 0o644 });
    await fetched();
    expect(server.requests[0]).toHaveProperty('range', 'bytes=1000-');
  });

  it('makes files that others may read and not write', async () => {
    await fetched();
    for (const path of [file, `${file}.hash.json`]) expect(statSync(path).mode & 0o022).toBe(0);
  });
});

describe('the memory of a check', () => {
  const wrong = (): void => {
    writeFileSync(file, Buffer.from('forged!, '.repeat(20_000)));
    utimesSync(file, 1e9, 1e9);
  };
  beforeEach(async () => {
    writeFileSync(file, content, { mode: 0o644 });
    // Whole seconds can be set again exactly.
    utimesSync(file, 1e9, 1e9);
    await remember(file, md5);
  });

  it('spares a second look', async () => {
    const before = statSync(file).atimeMs;
    expect(await verify(file, md5)).toBe('sound');
    expect(statSync(file).atimeMs).toBe(before);
    expect(await verify(file, '0'.repeat(32))).toBe('wrong');
    expect(await verify(`${file}x`, md5)).toBe('absent');
    expect(await verify(folder, md5)).toBe('absent');
  });

  it('is of this very file: same length and time of change are not enough', async () => {
    wrong();
    expect(await verify(file, md5)).toBe('wrong');
  });

  it('is of this very file: another one moved to its name is read', async () => {
    const other = join(folder, 'other');
    writeFileSync(other, Buffer.from('forged!, '.repeat(20_000)));
    utimesSync(other, 1e9, 1e9);
    renameSync(other, file);
    expect(await verify(file, md5)).toBe('wrong');
  });

  it.each([0o664, 0o646])('does not count if others may write the file (%o)', async (mode) => {
    wrong();
    chmodSync(file, mode);
    await remember(file, md5);
    expect(await verify(file, md5)).toBe('wrong');
  });

  it.each([0o664, 0o646])('does not count if others may write the record (%o)', async (mode) => {
    wrong();
    await remember(file, md5);
    expect(await verify(file, md5), 'forged by ourselves').toBe('sound');
    chmodSync(`${file}.hash.json`, mode);
    expect(await verify(file, md5)).toBe('wrong');
  });

  it.skipIf(!isRoot).each(['', '.hash.json'])('does not count if someone else owns w.h5%s', async (name) => {
    wrong();
    chownSync(`${file}${name}`, 65534, 65534);
    const { dev, ino, size, mtimeMs, ctimeMs } = statSync(file);
    writeFileSync(`${file}.hash.json`, JSON.stringify({ hash: md5, dev, ino, size, mtimeMs, ctimeMs }));
    expect(await verify(file, md5)).toBe('wrong');
  });

  it('does not count if it is a link, no JSON, or null', async () => {
    wrong();
    await remember(file, md5);
    const record = `${file}.hash.json`;
    renameSync(record, victim);
    symlinkSync(victim, record);
    expect(await verify(file, md5)).toBe('wrong');
    rmSync(record);
    for (const text of ['', 'null', '[', '{}']) {
      writeFileSync(record, text);
      expect(await verify(file, md5)).toBe('wrong');
    }
  });
});

describe('what can be trusted', () => {
  it('is a regular file of ours or of the administrator', () => {
    writeFileSync(file, '', { mode: 0o644 });
    const stats = statSync(file);
    expect(isTrusted(stats, stats.uid)).toBe(true);
    expect(isTrusted(stats, stats.uid + 1)).toBe(isRoot);
    expect(isTrusted(Object.assign(statSync(file), { uid: 4 }), 5)).toBe(false);
    expect(isTrusted(Object.assign(statSync(file), { uid: 0 }), 5)).toBe(true);
    // Windows has neither owners nor such modes.
    expect(isTrusted(Object.assign(statSync(file), { uid: 4, mode: 0o100666 }), 'no users')).toBe(true);
    expect(isTrusted(statSync(folder), stats.uid)).toBe(false);
  });

  it('is opened only if it is there and a file', async () => {
    expect(await openOurs(file)).toBeUndefined();
    expect(await openOurs(folder)).toBeUndefined();
    expect(await readTrusted(folder)).toBeUndefined();
    expect(await lengthOfOurs(file)).toBe(0);
    await (await createOurs(file)).close();
    const handle = (await openOurs(file))!;
    await handle.write('abc');
    await handle.close();
    expect(await lengthOfOurs(file)).toBe(3);
    symlinkSync(file, `${file}.link`);
    expect(await lengthOfOurs(`${file}.link`)).toBe(0);
    expect(await readTrusted(`${file}.link`)).toBeUndefined();
  });
});
