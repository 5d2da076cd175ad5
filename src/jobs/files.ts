/** @file Files that are whole or not there: written beside their place, forced to disk, then renamed. */
import { createHash, randomBytes } from 'node:crypto';
import { open, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { explained, systemCode } from '../filesystem.ts';

/** The part of `node:fs/promises` that {@link writeWhole} uses, so that tests can let a disk fill up. */
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

/**
 * The name of the folder for `name`, which may be anything: it leads nowhere else, fits every file system, and is none of those
 * that are `taken`. What is not letter, digit, `_`, `.` or `-` becomes `_`; names that cannot be kept so far end in a digest.
 */
export function folderName(name: string, taken: readonly string[]): string {
  const plain = name.replaceAll(/[^\p{L}\p{N}_.-]+/gu, '_').replace(/^\.+/, '_');
  // Names have 255 bytes at most, and a letter up to four.
  if (plain !== '' && Buffer.byteLength(plain) <= 200 && !taken.includes(plain.toLowerCase())) return plain;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `${Array.from(plain).slice(0, 48).join('')}-${digest}`;
}

/**
 * Writes `bytes` (text as UTF-8) to `path` so that a reader, or a run killed at any moment, finds the old file or the
 * new one and never a part: a temporary file in the same folder, fsync, rename. On failure the temporary is removed.
 *
 * Throws `filesystem` with the path and what would help.
 *
 * @example
 * await writeWhole('out/grid.png', encodePng(sheet));
 */
export async function writeWhole(
  path: string,
  bytes: Uint8Array | string,
  fs: WholeFileSystem = { open, rename, rm },
): Promise<void> {
  const temporary = join(dirname(path), `.phosphene-tmp-${machine}-${process.pid}-${randomBytes(6).toString('hex')}`);
  try {
    const file = await fs.open(temporary, 'wx');
    try {
      await file.writeFile(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await fs.rename(temporary, path);
  } catch (error) {
    // What went wrong first is what the user needs to hear, whatever becomes of the temporary.
    await fs.rm(temporary, { force: true }).catch(() => undefined);
    throw explained(error, path, 'cannot be written');
  }
}

/**
 * Removes the temporary files that killed runs left in `folder` and returns their names, sorted. A file is a leftover
 * when its process on this machine is gone, or when it is a day old; files of live runs, here or on another machine that
 * shares the folder, stay. A missing folder holds none. Throws `filesystem` when the folder cannot be read.
 */
export async function sweepTemporaries(folder: string): Promise<string[]> {
  let names: string[];
  try {
    names = await readdir(folder);
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
    const written = await stat(path).then(
      (found) => found.mtimeMs,
      () => undefined,
    );
    if (written === undefined) continue;
    const gone = match[1] === machine && !isWriting(Number(match[2]), written);
    if (!gone && Date.now() - written < aDay) continue;
    const removed = await rm(path, { force: true }).then(
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
