/** @file Folders made where they are missing. */
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { explained, systemCode } from './filesystem.ts';

/** Makes the folder `path` and those above it where they are missing. Throws `filesystem`; `instead` as in `explained`. */
export async function ensureFolder(path: string, instead?: string): Promise<void> {
  try {
    await makeFolder(path);
  } catch (error) {
    throw explained(error, path, 'cannot be made a folder', instead);
  }
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
