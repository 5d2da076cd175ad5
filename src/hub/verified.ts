/** @file Whether a file is the one that was published: its MD5, computed once and remembered beside it. */
import { createHash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { type FileHandle, stat } from 'node:fs/promises';
import { isTrusted, readTrusted, replaceWith } from './guarded.ts';

/** What a check found, and of which file: this one, unchanged since. The times are in milliseconds. */
interface Record {
  readonly md5: string;
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}
const identity = ['dev', 'ino', 'size', 'mtimeMs', 'ctimeMs'] as const;

/** MD5 of a file, in hex. */
export async function md5Of(file: string | FileHandle): Promise<string> {
  const hash = createHash('md5');
  if (typeof file === 'string') {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
    return hash.digest('hex');
  }
  const piece = Buffer.allocUnsafe(1 << 20);
  for (let at = 0; ;) {
    const { bytesRead } = await file.read(piece, 0, piece.length, at);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(piece.subarray(0, bytesRead));
    at += bytesRead;
  }
}

/** Remembers that `file`, as it is now, has this MD5. A folder that cannot be written only costs the next look some time. */
export async function remember(file: string, md5: string): Promise<void> {
  const { dev, ino, size, mtimeMs, ctimeMs } = await stat(file);
  const record: Record = { md5, dev, ino, size, mtimeMs, ctimeMs };
  await replaceWith(`${file}.md5.json`, JSON.stringify(record)).catch(() => {});
}

/**
 * `absent`, `sound` or `wrong`. A file that is the one remembered is not read again, if nobody else can have written it or the
 * record (guarded.ts); any other is.
 */
export async function verify(file: string, md5: string): Promise<'absent' | 'sound' | 'wrong'> {
  const now = await stat(file).catch(() => undefined);
  if (!now?.isFile()) return 'absent';
  if (isTrusted(now) && (await isRemembered(file, md5, now))) return 'sound';
  if ((await md5Of(file)) !== md5) return 'wrong';
  await remember(file, md5);
  return 'sound';
}

async function isRemembered(file: string, md5: string, now: Stats): Promise<boolean> {
  try {
    const known = JSON.parse((await readTrusted(`${file}.md5.json`)) ?? '{}') as Partial<Record> | null;
    return known?.md5 === md5 && identity.every((key) => known[key] === now[key]);
  } catch {
    // A record cut short by a crash is no record.
    return false;
  }
}
