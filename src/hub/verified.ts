/** @file Whether a file is the one that was published: its hash, computed once and remembered beside it. */
import { createHash } from 'node:crypto';
import { createReadStream, type Stats } from 'node:fs';
import { type FileHandle, stat } from 'node:fs/promises';
import { isTrusted, readTrusted, replaceWith } from './guarded.ts';

/** What a check found, and of which file: this one, unchanged since. The times are in milliseconds. */
interface Record {
  readonly hash: string;
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}
const identity = ['dev', 'ino', 'size', 'mtimeMs', 'ctimeMs'] as const;

/** MD5 or SHA-256 of a file, in hex: whichever `like` is. */
export async function hashOf(file: string | FileHandle, like: string): Promise<string> {
  const hash = createHash(algorithmOf(like) === 'MD5' ? 'md5' : 'sha256');
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

/** What a hash is, by its length, as Keras tells them apart. */
export function algorithmOf(hash: string): 'MD5' | 'SHA-256' {
  return hash.length === 32 ? 'MD5' : 'SHA-256';
}

/** Remembers that `file`, as it is now, has this hash. A folder that cannot be written only costs the next look some time. */
export async function remember(file: string, hash: string): Promise<void> {
  const { dev, ino, size, mtimeMs, ctimeMs } = await stat(file);
  const record: Record = { hash, dev, ino, size, mtimeMs, ctimeMs };
  await replaceWith(recordOf(file), JSON.stringify(record)).catch(() => {});
}

/** Where the record of a file is. */
const recordOf = (file: string): string => `${file}.hash.json`;

/**
 * `absent`, `sound` or `wrong`. A file
 * without a published hash is sound if nobody else can have written it: it got its name when it was complete. A file that is the one remembered is not read again, if nobody else can have written it or the
 * record (guarded.ts); any other is.
 */
export async function verify(file: string, hash: string | undefined): Promise<'absent' | 'sound' | 'wrong'> {
  const now = await stat(file).catch(() => undefined);
  if (!now?.isFile()) return 'absent';
  if (hash === undefined) return isTrusted(now) ? 'sound' : 'wrong';
  if (isTrusted(now) && (await isRemembered(file, hash, now))) return 'sound';
  if ((await hashOf(file, hash)) !== hash) return 'wrong';
  await remember(file, hash);
  return 'sound';
}

async function isRemembered(file: string, hash: string, now: Stats): Promise<boolean> {
  try {
    const known = JSON.parse((await readTrusted(recordOf(file))) ?? '{}') as Partial<Record> | null;
    return known?.hash === hash && identity.every((key) => known[key] === now[key]);
  } catch {
    // A record cut short by a crash is no record.
    return false;
  }
}
