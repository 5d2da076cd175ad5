/** @file Rasters as PNG files and back, with text chunks: the same raster and text give the same bytes, always. */
import { convertIndexedToRgb, decode, encode } from 'fast-png';
import type { DecodedPng } from 'fast-png';
import { PhospheneError } from '../errors.ts';
import type { Raster } from './raster.ts';
import { mostPixels, raster } from './raster.ts';

// Printable Latin-1 and newline: what the PNG specification allows in tEXt and what every reader agrees about.
const plainText = /^[\n\x20-\x7e\xa0-\xff]*$/;

/**
 * The PNG file of a raster, 8-bit RGB, with `text` as tEXt chunks (sorted by keyword). No timestamp and nothing else that
 * varies is written. Text is printable Latin-1; for anything else see {@link asciiJson}.
 *
 * Throws `bad-option` for a keyword or text that a tEXt chunk cannot hold.
 *
 * @example
 * await writeFile('filter.png', encodePng(tile, { phosphene: asciiJson({ layer, channel }) }));
 */
export function encodePng(picture: Raster, text: Readonly<Record<string, string>> = {}): Uint8Array {
  const sorted: Record<string, string> = {};
  for (const keyword of Object.keys(text).sort()) {
    checkKeyword(keyword);
    checkText(keyword, text[keyword]!);
    sorted[keyword] = text[keyword]!;
  }
  const { width, height, data } = raster(picture.width, picture.height, picture.data);
  const bytes = encode({ width, height, data, channels: 3, depth: 8, text: sorted }, { zlib: { level: 6 } });
  // The encoder's buffer grows by doubling; hand out the file alone.
  return bytes.slice();
}

/**
 * The picture and the tEXt chunks of a PNG file. Grey and palette pictures become RGB, 16-bit samples lose their low byte,
 * alpha is dropped. Checksums are verified, so that a file that decodes is whole.
 *
 * Throws `bad-file` when the bytes are not a PNG, are damaged or cut short, or need more than 256 million pixels.
 *
 * @example
 * const { raster, text } = decodePng(await readFile('filter.png'));
 */
export function decodePng(bytes: Uint8Array): { raster: Raster; text: Record<string, string> } {
  checkSize(bytes);
  try {
    const png = decode(bytes, { checkCrc: true });
    return { raster: raster(png.width, png.height, rgbOf(png)), text: { ...png.text } };
  } catch (error) {
    if (error instanceof PhospheneError && error.code === 'bad-file') throw error;
    const found = error instanceof Error ? error.message : String(error);
    throw new PhospheneError('bad-file', `PNG file: damaged or cut short (${found})`, { found }, error);
  }
}

/**
 * JSON in ASCII alone: every other character is written as `\uXXXX`, so that a tEXt chunk can hold it and `JSON.parse`
 * gives it back.
 *
 * @example
 * asciiJson({ layer: 'é' }) // {"layer":"\u00e9"}
 */
export function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function checkKeyword(keyword: string): void {
  if (keyword.length > 79 || !/^[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(keyword)) {
    throw new PhospheneError(
      'bad-option',
      `PNG text: ${JSON.stringify(keyword)} is no keyword; 1 to 79 printable ASCII characters with single spaces inside would do`,
      { keyword },
    );
  }
}

function checkText(keyword: string, text: string): void {
  if (!plainText.test(text)) {
    throw new PhospheneError(
      'bad-option',
      `PNG text \`${keyword}\`: holds characters outside printable Latin-1; JSON with \\uXXXX escapes would do`,
      { keyword },
    );
  }
}

/** Signature and size, read before the decoder asks for memory in a stranger's name. */
function checkSize(bytes: Uint8Array): void {
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  if (!signature.every((byte, i) => bytes[i] === byte)) {
    throw new PhospheneError('bad-file', 'PNG file: does not begin as a PNG does; another format or an empty file', {
      length: bytes.length,
    });
  }
  if (bytes.length < 33) {
    throw new PhospheneError('bad-file', `PNG file: cut short after ${bytes.length} bytes`, { length: bytes.length });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  if (view.getUint32(12) !== 0x49484452 || width === 0 || height === 0 || width * height > mostPixels) {
    throw new PhospheneError(
      'bad-file',
      `PNG file: its header asks for ${width}x${height} pixels; 1 to ${mostPixels} pixels can be read`,
      { width, height },
    );
  }
}

function rgbOf(png: DecodedPng): Uint8Array {
  const { channels, depth } = png;
  if (png.palette !== undefined) {
    const samples = Uint8Array.from(convertIndexedToRgb(png));
    return pick(samples, samples.length / (png.width * png.height), 0);
  }
  if (depth < 8) {
    throw new PhospheneError('bad-file', `PNG file: grey of ${depth} bits; 8 or 16 bits a sample can be read`, {
      depth,
    });
  }
  return pick(png.data, channels, depth === 16 ? 8 : 0);
}

/** The first three samples of each pixel (grey three times), each less its `shift` low bits. */
function pick(samples: ArrayLike<number>, channels: number, shift: number): Uint8Array {
  const pixels = samples.length / channels;
  const rgb = new Uint8Array(3 * pixels);
  for (let i = 0; i < pixels; i++) {
    for (let c = 0; c < 3; c++) rgb[3 * i + c] = samples[i * channels + (channels < 3 ? 0 : c)]! >> shift;
  }
  return rgb;
}
