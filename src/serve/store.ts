/** @file Finished pictures in a folder, each under the digest of its recipe: a second visit finds them. */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from '../live/studio.ts';
import { decodePicture, mostBytes } from '../render/record.ts';
import { readSmall, writeWhole } from '../runs/files.ts';

/** What the folder may hold. */
const MOST_BYTES = 2 ** 30;

/**
 * Pictures kept in `folder`, which is made when the first one is. If they have become more than a gibibyte, those made longest ago go.
 *
 * @example
 * const store = pictureStore(join(cacheFolder(), 'pictures'));
 */
export function pictureStore(folder: string, most: number = MOST_BYTES): Store {
  // Whoever comes in the way of this loses a picture that can be made again.
  const pruned = prune(folder, most).catch(() => {});
  const placeOf = (digest: string): string => join(folder, digest.slice(0, 2), `${digest}.png`);
  return {
    async get(expected) {
      try {
        const bytes = await readSmall(placeOf(expected.digest), mostBytes(expected));
        return bytes && decodePicture(bytes, expected);
      } catch {
        return undefined;
      }
    },
    async put(digest, png) {
      await pruned;
      const path = placeOf(digest);
      try {
        await mkdir(join(path, '..'), { recursive: true });
        await writeWhole(path, png);
      } catch {
        // A cache that cannot be written makes no picture fail.
      }
    },
  };
}

async function prune(folder: string, most: number): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = await Promise.all(
    entries
      .filter((entry) => entry.isFile() && entry.name.endsWith('.png'))
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        const { size, mtimeMs } = await stat(path);
        return { path, size, made: mtimeMs };
      }),
  );
  files.sort((a, b) => b.made - a.made);
  let kept = 0;
  for (const { path, size } of files) {
    kept += size;
    if (kept > most) await rm(path, { force: true });
  }
}
