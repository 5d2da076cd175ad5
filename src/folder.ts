/** @file Folders, made if they are missing. */
import { lstat, mkdir, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { PhospheneError } from './errors.ts';
import { explained, systemCode } from './filesystem.ts';

/** How a folder may be made. */
export interface FolderOptions {
  /**
   * The folder that the new one must stay in. Below it no link is followed: one that stands in the place of a folder is refused, because
   * it could lead what is written out of `inside`. The path to `inside` itself may hold links.
   */
  readonly inside?: string;
}

/**
 * Makes the folder `path` and those above it if they are missing. Throws `filesystem`; `instead` as in `explained`.
 *
 * @example
 * await ensureFolder(join(out, layer, 'keras'), 'choose another folder', { inside: out });
 */
export async function ensureFolder(path: string, instead?: string, { inside }: FolderOptions = {}): Promise<void> {
  try {
    if (inside === undefined) return await makeFolder(path);
    await makeFolder(inside);
    const way = relative(inside, path);
    const names = way === '' ? [] : way.split(sep);
    if (names[0] === '..' || isAbsolute(way))
      throw new PhospheneError('filesystem', `${path} is not inside ${inside}`, { path, inside });
    for (let i = 1; i <= names.length; i++) await makeRealFolder(join(inside, ...names.slice(0, i)));
  } catch (error) {
    throw explained(error, path, 'cannot be made a folder', instead);
  }
}

async function makeRealFolder(path: string): Promise<void> {
  await makeFolder(path);
  if ((await lstat(path)).isSymbolicLink())
    throw new PhospheneError(
      'filesystem',
      `${path} is a link where a folder should be; remove it, or use another folder`,
      {
        path,
      },
    );
}

/** Not mkdir's own `recursive`: that calls a read-only file system a missing folder, and never returns from /proc. */
async function makeFolder(path: string, parentIsThere = false): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (systemCode(error) === 'ENOENT' && !parentIsThere && dirname(path) !== path) {
      await makeFolder(dirname(path));
      return makeFolder(path, true);
    }
    const isThere = await stat(path).then(
      (found) => found.isDirectory(),
      () => false,
    );
    if (!isThere) throw error;
  }
}
