/** @file Files that are whole or not there: written beside their place, forced to disk, then renamed; read only if they are plain files of sane size. */
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import * as node from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { PhospheneError } from '../errors.ts';
import { explained, systemCode } from '../filesystem.ts';

/** The part of `node:fs/promises` that runs use, so that tests can count what it is asked, or let a disk fill up. */
export type FileSystem = Pick<typeof node, 'link' | 'lstat' | 'mkdir' | 'open' | 'readdir' | 'rename' | 'rm' | 'stat'>;

/** The part of {@link FileSystem} that {@link writeWhole} uses. */
export interface WholeFileSystem {
  open(
    path: string,
    flags: string,
  ): Promise<{ writeFile(bytes: Uint8Array): Promise<unknown>; sync(): Promise<unknown>; close(): Promise<unknown> }>;
  rename(from: string, to: string): Promise<unknown>;
  rm(path: string, options: { force: boolean }): Promise<unknown>;
}

// `.phosphene-tmp-<machine>-<pid>-<random>`: process numbers mean something on one machine only.
const temporaryName = /^\.phosphene-tmp-([0-9a-f]{8})-(\d+)-[0-9a-f]{12}$/;
const machine = createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
const aDay = 24 * 60 * 60 * 1000;

/** A new name for a temporary file of this process in `folder`; {@link sweepTemporaries} removes it once the process is gone. */
export function temporaryIn(folder: string): string {
  return join(folder, `.phosphene-tmp-${machine}-${process.pid}-${randomBytes(6).toString('hex')}`);
}

/** Whether a file of this name is a temporary one, of any process. */
export function isTemporary(name: string): boolean {
  return temporaryName.test(name);
}

/**
 * Writes `bytes` (text as UTF-8) to `path` so that a reader, or a run killed at any moment, finds the old file or the
 * new one and never a part: a temporary file in the same folder, fsync, rename. On failure the temporary is removed. A symbolic
 * link at `path` is replaced, and what it points to is left alone.
 *
 * Throws `filesystem` with the path and what would help.
 *
 * @example
 * await writeWhole('out/grid.png', encodePng(sheet));
 */
export async function writeWhole(path: string, bytes: Uint8Array | string, fs: WholeFileSystem = node): Promise<void> {
  await placed(path, bytes, fs, (temporary) => fs.rename(temporary, path));
}

/**
 * {@link writeWhole} for a file that must not be there yet. Returns whether it was written: of several that try at once, exactly
 * one does. On a file system without hard links a reader can find it cut short.
 *
 * Throws `filesystem`.
 *
 * @example
 * if (!(await createWhole('out/manifest.json', text))) console.log('another run was faster');
 */
export async function createWhole(
  path: string,
  bytes: Uint8Array | string,
  fs: WholeFileSystem & Pick<FileSystem, 'link'> = node,
): Promise<boolean> {
  return placed(path, bytes, fs, async (temporary) => {
    try {
      await fs.link(temporary, path).catch((error: unknown) => {
        if (noLinks.has(systemCode(error) ?? '')) return write(path, bytes, fs);
        throw error;
      });
      return true;
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return false;
      throw error;
    } finally {
      await fs.rm(temporary, { force: true }).catch(() => undefined);
    }
  });
}

// What file systems without hard links say (FAT, some that lie on other machines).
const noLinks: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** Writes a temporary file beside `path` and lets `place` bring it there. */
async function placed<T>(
  path: string,
  bytes: Uint8Array | string,
  fs: WholeFileSystem,
  place: (temporary: string) => Promise<T>,
): Promise<T> {
  const temporary = temporaryIn(dirname(path));
  try {
    await write(temporary, bytes, fs);
    return await place(temporary);
  } catch (error) {
    // What went wrong first is what the user needs to hear, whatever becomes of the temporary.
    await fs.rm(temporary, { force: true }).catch(() => undefined);
    throw explained(error, path, 'cannot be written');
  }
}

async function write(path: string, bytes: Uint8Array | string, fs: WholeFileSystem): Promise<void> {
  const file = await fs.open(path, 'wx');
  try {
    await file.writeFile(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What stands at `path`, links not followed. Throws `filesystem` if the system will not say. */
export async function kindOf(
  path: string,
  fs: Pick<FileSystem, 'lstat'> = node,
): Promise<'nothing' | 'file' | 'folder' | 'other'> {
  try {
    const found = await fs.lstat(path);
    return found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other';
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return 'nothing';
    throw explained(error, path, 'cannot be read');
  }
}

/**
 * The bytes of a regular file of `most` bytes or fewer; undefined if there is none, or if it is anything else: a link, a pipe, a
 * larger file, one that may not be read. No more than `most` bytes are ever read. Throws `filesystem` for a folder in its place.
 *
 * @example
 * const bytes = await readSmall('out/manifest.json', 1 << 20);
 */
export async function readSmall(
  path: string,
  most: number,
  fs: Pick<FileSystem, 'lstat' | 'open'> = node,
): Promise<Uint8Array | undefined> {
  if ((await fileAt(path, fs)) !== 'file') return undefined;
  try {
    // Not a link, and no waiting for a pipe's other end, even if one took the file's place just now.
    const file = await fs.open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    try {
      const { size } = await file.stat();
      if (size > most) return undefined;
      const bytes = new Uint8Array(size);
      let length = 0;
      while (length < size) {
        const { bytesRead } = await file.read(bytes, length, size - length, length);
        if (bytesRead === 0) break;
        length += bytesRead;
      }
      return bytes.subarray(0, length);
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

/** {@link kindOf} for a place where a file is to be written. Throws `filesystem` if a folder is in the way. */
export async function fileAt(
  path: string,
  fs: Pick<FileSystem, 'lstat'> = node,
): Promise<'nothing' | 'file' | 'other'> {
  const kind = await kindOf(path, fs);
  if (kind !== 'folder') return kind;
  throw new PhospheneError(
    'filesystem',
    `${path} cannot be written: it is a folder, and a file of that name is needed; move it away, or choose another folder for the results`,
    { path, option: 'out' },
  );
}

/** Makes a folder in one that is there. Throws `filesystem` if something else has its name: a symbolic link is not followed. */
export async function makeFolder(path: string, fs: Pick<FileSystem, 'lstat' | 'mkdir'> = node): Promise<void> {
  try {
    await fs.mkdir(path);
  } catch (error) {
    const kind = systemCode(error) === 'EEXIST' ? await kindOf(path, fs) : 'nothing';
    if (kind === 'folder') return;
    if (kind === 'nothing') throw explained(error, path, 'cannot be made a folder');
    throw notFolder(path, kind);
  }
}

/** The error for a file or a link in the place of a folder. */
export function notFolder(path: string, kind: 'file' | 'other'): PhospheneError {
  const found = kind === 'file' ? 'a file' : 'a symbolic link, or something else that is no folder,';
  return new PhospheneError(
    'filesystem',
    `${path} cannot be used as a folder: ${found} has that name, and links are not followed there; move it away, or choose another folder for the results`,
    { path, option: 'out' },
  );
}

/**
 * Removes the temporary files that killed runs left in `folder` and returns their names, sorted. A file is a leftover
 * when its process on this machine is gone, or when it is a day old; files of live runs, here or on another machine that
 * shares the folder, stay. A missing folder holds none. Throws `filesystem` when the folder cannot be read.
 */
export async function sweepTemporaries(
  folder: string,
  fs: Pick<FileSystem, 'readdir' | 'rm' | 'stat'> = node,
): Promise<string[]> {
  let names: string[];
  try {
    names = await fs.readdir(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw explained(error, folder, 'cannot be read');
  }
  const swept: string[] = [];
  for (const name of names.sort()) {
    const match = temporaryName.exec(name);
    if (match === null) continue;
    const path = join(folder, name);
    // Another run may finish or sweep the same file between any two of these steps.
    const written = await fs.stat(path).then(
      (found) => found.mtimeMs,
      () => undefined,
    );
    if (written === undefined) continue;
    const gone = match[1] === machine && !isWriting(Number(match[2]), written);
    if (!gone && Date.now() - written < aDay) continue;
    const removed = await fs.rm(path, { force: true }).then(
      () => true,
      () => false,
    );
    if (removed) swept.push(name);
  }
  return swept;
}

/** Whether process `pid` of this machine can be the one that wrote a file at time `written` (ms) and is still at it. */
function isWriting(pid: number, written: number): boolean {
  // In containers every run gets the same number: our own can stand in the leftovers of the run before us.
  if (pid === process.pid) return written >= Date.now() - process.uptime() * 1000;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and belongs to someone else.
    return systemCode(error) === 'EPERM';
  }
}
