/**
 * @file Pictures as tests: a picture is compared with a reference that a person has looked at.
 *
 * `UPDATE_PICTURES=1 npm test -- test/render/pictures.test.ts` writes references anew; look at each before it is committed.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { decodePng, encodePng } from '../src/output/png.ts';
import type { Raster } from '../src/output/raster.ts';
import { differences } from './difference.ts';

const besideTheTest = (): string => join(dirname(expect.getState().testPath!), 'references');

/** Fails where a picture is not, to an eye, `references/NAME.png` beside the test, and leaves `NAME-changed.png` there. */
export function expectPicture(picture: Raster, name: string, folder: string = besideTheTest()): void {
  if (process.env['UPDATE_PICTURES'] === '1') write(picture, folder, name);
  expectAlike(picture, referencePicture(name, folder), name, folder);
}

/** The same for a reference that comes from elsewhere. */
export function expectAlike(picture: Raster, reference: Raster, name: string, folder: string = besideTheTest()): void {
  const changed = `${name}-changed`;
  rmSync(join(folder, `${changed}.png`), { force: true });
  const found = differences(picture, reference);
  if (found.length === 0) return;
  const file = write(picture, folder, changed);
  throw new Error(`${name} has changed: ${found.join(', ')}; ${file} shows how`);
}

/** The reference picture NAME of a test. */
export function referencePicture(name: string, folder: string = besideTheTest()): Raster {
  const file = join(folder, `${name}.png`);
  if (!existsSync(file))
    throw new Error(`${file}: no reference yet; UPDATE_PICTURES=1 writes it from what there is, for you to look at`);
  return decodePng(readFileSync(file)).raster;
}

function write(picture: Raster, folder: string, name: string): string {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.png`);
  writeFileSync(file, encodePng(picture));
  return file;
}
