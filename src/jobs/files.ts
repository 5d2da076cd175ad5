/** @file Files are written whole or not at all. */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PhospheneError } from '../errors.ts';

const TEMPORARY = '.phosphene-tmp-';

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'it is not writable',
  EPERM: 'it is not writable',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'a file of that name is in the way',
  EISDIR: 'a folder of that name is in the way',
};

function explain(path: string, error: unknown): PhospheneError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new PhospheneError(
    'filesystem',
    `${path}: cannot be written: ${reasons[code ?? ''] ?? message}`,
    { path, cause: code },
    error,
  );
}

/** Makes a folder and those above it. Throws `filesystem`. */
export async function ensureFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (error) {
    throw explain(path, error);
  }
}

/** Writes a file under a temporary name beside it, flushes it, and renames it. Throws `filesystem`, leaving nothing behind. */
export async function writeWhole(path: string, bytes: Uint8Array | string): Promise<void> {
  const temporary = join(dirname(path), `${TEMPORARY}${process.pid}-${basename(path)}`);
  try {
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw explain(path, error);
  }
}

/** Removes what killed runs left in a folder; temporaries of a process that is alive stay. */
export async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const pid = name.startsWith(TEMPORARY) ? Number.parseInt(name.slice(TEMPORARY.length), 10) : Number.NaN;
    if (Number.isInteger(pid) && !alive(pid)) await rm(join(folder, name), { force: true });
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
