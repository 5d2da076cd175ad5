/** @file Photos of this machine: a file is read whole, if it is not too large, and its decoder is found beside our packages. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { PhospheneError } from '../errors.ts';
import type { CodecName } from '../photo/codecs.ts';
import { type Photo, readPhoto } from '../photo/photo.ts';
import { fileSource } from './file-source.ts';

/** Bytes of a file that is read: more than any camera writes as JPEG. */
const MOST_BYTES = 2 ** 28;

const wasm: Readonly<Record<CodecName, string>> = {
  jpeg: '@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm',
  webp: '@jsquash/webp/codec/dec/webp_dec.wasm',
};

/** The WebAssembly of a decoder, from its package. */
export function loadCodec(name: CodecName): Promise<Uint8Array> {
  return readFile(createRequire(import.meta.url).resolve(wasm[name]));
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
