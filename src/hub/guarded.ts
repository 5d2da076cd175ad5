/**
 * @file Files in a folder where other users may write too, such as a cache that a group shares.
 *
 * What another user could do there, and what is done against it:
 * - Leave a link under a name that we write (`.part`, `.part.json`, `.md5.json`), so that we overwrite a file of our own elsewhere.
 *   Links are never followed: a file that is written is opened without following, and must be a regular file with one name that
 *   belongs to us and that no one else may write; a small file is written under a new name and then renamed.
 * - Forge the record of a check, so that a wrong file passes. A record counts only if it and the file belong to us or to the
 *   administrator, nobody else may write either, and it names this very file (device, inode, times and size).
 * - Exchange a file between its check and its use. Nobody can prevent that in a folder in which others may rename files; a folder with
 *   the sticky bit, as /tmp has it, does. So a weight file is read as a stranger's all the same: at worst the picture is wrong.
 * - Hold the lock for ever. Waiting heeds the signal, and a lock that shows no life is taken away or named in an error.
 *
 * Windows has no such owners; there the folder's own permissions decide.
 */
import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { systemCode } from '../filesystem.ts';

/** Follow no link, and do not wait for whoever writes into a pipe. Absent on Windows. */
const CAREFULLY = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
/** Others may read: that is what a shared cache is for. */
const MODE = 0o644;

/** Who we are, if the system knows. */
const ourselves = (): number | undefined => process.getuid?.();

/** Whether only we (`user`) or the administrator can have written this file. */
export function isTrusted(stats: Stats, user: number | 'no users' = ourselves() ?? 'no users'): boolean {
  if (!stats.isFile()) return false;
  return user === 'no users' || ((stats.uid === user || stats.uid === 0) && (stats.mode & 0o022) === 0);
}

/** Whether a file is ours to go on writing: trusted, and not a second name of something else. */
function isOurs(stats: Stats): boolean {
  return isTrusted(stats) && stats.nlink === 1 && stats.uid === (ourselves() ?? stats.uid);
}

/** The length of a file that is ours; 0 if there is none, or something else under its name. */
export async function lengthOfOurs(path: string): Promise<number> {
  const stats = await lstat(path).catch(() => undefined);
  return stats && isOurs(stats) ? stats.size : 0;
}

/** Opens a file of ours to go on with it; undefined if what is there is not ours. */
export async function openOurs(path: string): Promise<FileHandle | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDWR | CAREFULLY);
  } catch (error) {
    // ELOOP is a link.
    if (['ENOENT', 'ELOOP', 'EACCES', 'EISDIR', 'ENXIO'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
  if (isOurs(await handle.stat())) return handle;
  await handle.close();
  return undefined;
}

/** An empty file under this name, in place of whatever was there; a link goes, and its target stays. */
export async function createOurs(path: string): Promise<FileHandle> {
  await rm(path, { force: true });
  return open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | CAREFULLY, MODE);
}

/** The text of a small file that can be trusted, or undefined. */
export async function readTrusted(path: string): Promise<string | undefined> {
  return readStart(path, isTrusted);
}

/** The first 4 KB of a regular file, whoever wrote it; undefined if there is none, or it cannot be read. */
export async function readStart(
  path: string,
  accept: (stats: Stats) => boolean = () => true,
): Promise<string | undefined> {
  const handle = await open(path, constants.O_RDONLY | CAREFULLY).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const stats = await handle.stat();
    if (!stats.isFile() || !accept(stats)) return undefined;
    const bytes = new Uint8Array(4096);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    return new TextDecoder().decode(bytes.subarray(0, bytesRead));
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}

/** Writes a small file whole: under a new name first, so that no reader finds half of it and no link is followed. */
export async function replaceWith(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  const handle = await open(aside, 'wx', MODE);
  try {
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
  await rename(aside, path).catch(async (error: unknown) => {
    await rm(aside, { force: true });
    throw error;
  });
}
