/** @file A folder of photos, one after the other. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { PhospheneError } from '../errors.ts';
import type { Photo } from '../photo/photo.ts';
import { openPhoto } from './photo.ts';

/**
 * The photos of a folder and of the folders in it, in the order of their names; other files are passed by. Throws `filesystem`, and
 * what `openPhoto` throws for a file that is damaged.
 *
 * @example
 * for await (const { width, height } of openPhotos('photos')) console.log(width, height);
 */
export async function* openPhotos(folder: string): AsyncGenerator<Photo, void> {
  let files: readonly string[];
  try {
    files = await readdir(folder, { recursive: true });
  } catch (error) {
    throw new PhospheneError(
      'filesystem',
      `${folder}: this folder cannot be read; give the path of a folder of JPEG, PNG or WebP files`,
      { path: folder },
      error,
    );
  }
  for (const file of files.toSorted()) if (/\.(jpe?g|png|webp)$/i.test(file)) yield await openPhoto(join(folder, file));
}
