/** @file What a photo's first bytes say: its format, size and orientation, before memory is taken for its pixels. */
import { PhospheneError } from '../errors.ts';
import { type Orientation, orientationOf } from './exif.ts';

/** Pixels above which a photo is refused: 67 million, more than all but a few cameras have. */
export const mostPhotoPixels: number = 2 ** 26;

/** Pixels times passes over them: a progressive JPEG can ask for thousands of passes. */
const MOST_WORK = 2 ** 30;

/** What is known of a photo before it is decoded. */
export interface Header {
  readonly format: 'JPEG' | 'PNG' | 'WebP';
  /** Of the stored picture, before it is turned upright. */
  readonly width: number;
  readonly height: number;
  /** Of a PNG it is known later. */
  readonly orientation: Orientation;
}

/** A `bad-file` error about the photo `name`. */
export function wrong(
  name: string,
  what: string,
  details: Record<string, unknown> = {},
  cause?: unknown,
): PhospheneError {
  return new PhospheneError('bad-file', `${name}: ${what}`, { path: name, ...details }, cause);
}

const REMEDY = 'save it as JPEG, PNG or WebP';

/** Other formats that people take for photos, by what stands at the given place. */
const others: readonly (readonly [at: number, word: string, name: string])[] = [
  [0, 'GIF8', 'a GIF'],
  [0, 'BM', 'a BMP'],
  [0, 'II*\0', 'a TIFF or a raw photo'],
  [0, 'MM\0*', 'a TIFF or a raw photo'],
  [4, 'ftypavi', 'an AVIF'],
  [4, 'ftyphe', 'a HEIC'],
  [4, 'ftypmif1', 'a HEIC'],
  [0, '%PDF', 'a PDF'],
  [0, '<svg', 'an SVG'],
];

/**
 * Looks at a photo without decoding it. Throws `bad-file` for what is no photo, is damaged at its beginning or of a kind that is not read,
 * and `too-large`.
 *
 * @example
 * inspect(bytes, 'photo.jpg'); // { format: 'JPEG', width: 4032, height: 3024, orientation: 6 }
 */
export function inspect(bytes: Uint8Array, name: string): Header {
  const word = (at: number, length: number): string => String.fromCharCode(...bytes.subarray(at, at + length));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: Header;
  if (word(0, 3) === '\xff\xd8\xff') header = jpegHeader(view, name);
  else if (word(0, 8) === '\x89PNG\r\n\x1a\n') header = pngHeader(view, name);
  else if (word(0, 4) === 'RIFF' && word(8, 4) === 'WEBP') header = webpHeader(view, name);
  else {
    const other = others.find(([at, start]) => word(at, start.length) === start);
    const found = other ? `is ${other[2]}, which is not read` : 'is no photo: neither JPEG, PNG nor WebP';
    throw wrong(name, `${found}; ${REMEDY}`);
  }
  const { width, height } = header;
  if (width === 0 || height === 0) throw wrong(name, `damaged: its header says ${width}x${height} pixels`);
  if (width * height > mostPhotoPixels)
    throw new PhospheneError(
      'too-large',
      `${name}: has ${width}x${height} pixels; up to ${mostPhotoPixels} can be read: make it smaller first`,
      { path: name, width, height },
    );
  return header;
}

function short(name: string): PhospheneError {
  return wrong(name, 'cut short');
}

function pngHeader(view: DataView, name: string): Header {
  if (view.byteLength < 24) throw short(name);
  return { format: 'PNG', width: view.getUint32(16), height: view.getUint32(20), orientation: 1 };
}

// Marker codes of JPEG: tables, comments and application data have a length and are passed by.
const APP1 = 0xe1;
const SOS = 0xda;
/** Frames: C0 to CF but for tables (C4), extensions (C8) and arithmetic coding conditions (CC). */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

function jpegHeader(view: DataView, name: string): Header {
  let orientation: Orientation = 1;
  for (let at = 2; ;) {
    if (at + 4 > view.byteLength) throw short(name);
    if (view.getUint8(at) !== 0xff) throw wrong(name, 'damaged: a JPEG marker is not where it should be');
    const marker = view.getUint8(at + 1);
    // A marker may be preceded by any number of fill bytes.
    if (marker === 0xff) {
      at++;
      continue;
    }
    const length = view.getUint16(at + 2);
    if (length < 2) throw wrong(name, 'damaged: a JPEG segment has no length');
    if (at + 2 + length > view.byteLength) throw short(name);
    const body = new Uint8Array(view.buffer, view.byteOffset + at + 4, length - 2);
    if (marker === APP1 && isExif(body)) orientation = orientationOf(body);
    if (marker === SOS) throw wrong(name, 'damaged: its JPEG data begin before its size is said');
    if (isFrame(marker)) {
      if (length < 8) throw wrong(name, 'damaged: its JPEG frame has no size');
      const [height, width, components] = [view.getUint16(at + 5), view.getUint16(at + 7), view.getUint8(at + 9)];
      if (components === 4) throw wrong(name, 'is a JPEG for printing (CMYK), which is not read; save it as RGB');
      const scans = scansFrom(view, at);
      if (scans * width * height > MOST_WORK)
        throw wrong(name, `its ${width}x${height} pixels are stored in ${scans} passes, which no honest file needs`);
      return { format: 'JPEG', width, height, orientation };
    }
    at += 2 + length;
  }
}

function isExif(body: Uint8Array): boolean {
  return String.fromCharCode(...body.subarray(0, 6)) === 'Exif\0\0';
}

/** How often a scan may begin from here on: in the data themselves FF is always followed by 00, or by a mark to restart. */
function scansFrom(view: DataView, from: number): number {
  let scans = 0;
  for (let at = from; at + 1 < view.byteLength; at++)
    if (view.getUint8(at) === 0xff && view.getUint8(at + 1) === SOS) scans++;
  return scans;
}

function webpHeader(view: DataView, name: string): Header {
  const ascii = (at: number): string => String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));
  let size: { width: number; height: number } | undefined;
  let orientation: Orientation = 1;
  for (let at = 12; at + 8 <= view.byteLength;) {
    const [type, length] = [ascii(at), view.getUint32(at + 4, true)];
    const body = at + 8;
    if (type === 'ANIM' || type === 'ANMF')
      throw wrong(name, 'is an animated WebP, which is not read; save one frame of it');
    if (body + length > view.byteLength) throw short(name);
    if (type === 'VP8 ' && length >= 10)
      size = { width: view.getUint16(body + 6, true) & 0x3fff, height: view.getUint16(body + 8, true) & 0x3fff };
    else if (type === 'VP8L' && length >= 5) {
      const bits = view.getUint32(body + 1, true);
      size = { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
    } else if (type === 'EXIF')
      orientation = orientationOf(new Uint8Array(view.buffer, view.byteOffset + body, length));
    at = body + length + (length % 2);
  }
  if (!size) throw wrong(name, 'damaged or cut short: it holds no picture');
  return { format: 'WebP', ...size, orientation };
}
