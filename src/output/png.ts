/** @file PNG with text chunks, so that a picture says how it was made. */
import { decode, encode } from 'fast-png';
import { PhospheneError } from '../errors.ts';
import type { Raster } from './raster.ts';

/** PNG bytes, the same for the same input. Texts must be latin-1: JSON goes through {@link asciiJson}. */
export function encodePng({ width, height, data }: Raster, text: Readonly<Record<string, string>> = {}): Uint8Array {
  return encode({ width, height, data, channels: 3, depth: 8, text: { ...text } });
}

/** A PNG of eight-bit RGB and its texts. Throws `bad-file`. */
export function decodePng(bytes: Uint8Array): { raster: Raster; text: Readonly<Record<string, string>> } {
  try {
    const { width, height, data, channels, text } = decode(bytes, { checkCrc: true });
    if (channels !== 3 || data.length !== 3 * width * height || !(data instanceof Uint8Array))
      throw new Error('not eight-bit RGB');
    return { raster: { width, height, data }, text: text ?? {} };
  } catch (error) {
    throw new PhospheneError('bad-file', `not a PNG of ours: ${(error as Error).message}`, {}, error);
  }
}

/** JSON in ASCII: everything else as \uXXXX. */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
