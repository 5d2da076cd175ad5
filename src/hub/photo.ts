/** @file Photos of this machine: a file is read whole, if it is not too large, and its decoder is a file too. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { PhospheneError } from '../errors.ts';
import type { CodecName } from '../photo/codecs.ts';
import { type Photo, readPhoto } from '../photo/photo.ts';
import { fileSource } from './file-source.ts';

/** Bytes of a file that is read: more than any camera writes as JPEG. */
const MOST_BYTES = 2 ** 28;

const wasm: Readonly<Record<CodecName, readonly [folder: string, file: string]>> = {
  jpeg: ['@jsquash/jpeg/codec/dec', 'mozjpeg_dec.wasm'],
  webp: ['@jsquash/webp/codec/dec', 'webp_dec.wasm'],
};

/** The WebAssembly of a decoder: beside our bundle, or in the package that the bundle has it from. */
export function loadCodec(name: CodecName): Promise<Uint8Array> {
  const [folder, file] = wasm[name];
  const beside = fileURLToPath(new URL(file, import.meta.url));
  return readFile(existsSync(beside) ? beside : createRequire(import.meta.url).resolve(`${folder}/${file}`));
}

/**
 * The picture in a JPEG, PNG or WebP file, upright. Throws `filesystem`, `bad-file`, `too-large`.
 *
 * @example
 * const { width, height } = await openPhoto('holiday.jpg');
 */
export async function openPhoto(path: string): Promise<Photo> {
  const source = await fileSource(path, 'give the path of a JPEG, PNG or WebP file');
  try {
    if (source.size > MOST_BYTES)
      throw new PhospheneError(
        'too-large',
        `${path}: has ${source.size} bytes; photos of up to ${MOST_BYTES} are read: make it smaller first`,
        { path, size: source.size },
      );
    return await readPhoto(await source.read(0, source.size), { name: path, loadCodec });
  } finally {
    await source.close();
  }
}
