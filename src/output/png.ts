/** @file Rasters as PNG files and back, with text chunks: the same raster and text give the same bytes, always. */
import { encode } from 'fast-png';
import { PhospheneError } from '../errors.ts';
import { canHold, inflate } from '../inflate.ts';
import type { Raster } from './raster.ts';
import { mostPixels, raster } from './raster.ts';

// Printable Latin-1 and newline: what the PNG specification allows in tEXt and what every reader agrees about.
const plainText = /^[\n\x20-\x7e\xa0-\xff]*$/;

/**
 * The PNG file of a raster, 8-bit RGB, or RGBA if it has `alpha`, with `text` as tEXt chunks (sorted by keyword). No timestamp and nothing else that
 * varies is written. Text is printable Latin-1; for anything else see {@link asciiJson}.
 *
 * Throws `bad-option` for a keyword or text that a tEXt chunk cannot hold.
 *
 * @example
 * await writeFile('filter.png', encodePng(tile, { phosphene: asciiJson({ layer, channel }) }));
 */
export function encodePng(picture: Raster, text: Readonly<Record<string, string>> = {}): Uint8Array {
  const sorted = textRecord();
  for (const keyword of Object.keys(text).sort()) {
    checkKeyword(keyword);
    checkText(keyword, text[keyword]!);
    sorted[keyword] = text[keyword]!;
  }
  const { width, height } = raster(picture.width, picture.height, picture.data, picture.alpha);
  const channels = picture.alpha ? 4 : 3;
  const data = picture.alpha ? rgba(picture) : picture.data;
  const bytes = encode({ width, height, data, channels, depth: 8, text: sorted }, { zlib: { level: 6 } });
  // The encoder's buffer grows by doubling; hand out the file alone.
  return bytes.slice();
}

/** What a picture must be; anything else is refused before memory is taken for it. */
export interface ExpectedPicture {
  /** Pixels in a row. */
  readonly width?: number;
  /** Rows. */
  readonly height?: number;
}

/** What a PNG file holds. */
export interface DecodedPng {
  /** With `alpha`, if the file has an alpha channel or a palette with transparent colours. */
  readonly raster: Raster;
  readonly text: Record<string, string>;
  /** The bytes of its eXIf chunk, if it has one. */
  readonly exif?: Uint8Array;
}

/**
 * The picture and the tEXt chunks of a PNG file. Grey and palette pictures become RGB, 16-bit samples lose their low byte, and of
 * an animation the first picture is taken. The checksum of every chunk is verified, so that a file that
 * decodes is whole.
 *
 * The file may be a stranger's. Its header says how many bytes its pixels take; no more are ever unfolded, and no other
 * compressed chunk is opened. `expected` refuses a picture of another size before that. `text` has no prototype.
 *
 * Throws `bad-file` when the bytes are not a PNG, are damaged or cut short, have another size than `expected`, need
 * more than 256 million pixels, or hold more than 256 texts or 4 MB of them.
 *
 * @example
 * const { raster, text } = decodePng(await readFile('filter.png'));
 */
export function decodePng(bytes: Uint8Array, expected: ExpectedPicture = {}): DecodedPng {
  const file = readChunks(bytes, expected);
  return { raster: pixelsOf(file), text: file.text, ...(file.exif ? { exif: file.exif } : {}) };
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
      `PNG text: ${JSON.stringify(keyword)} is no keyword; use 1 to 79 printable ASCII characters with single spaces inside`,
      { keyword },
    );
  }
}

function checkText(keyword: string, text: string): void {
  if (!plainText.test(text)) {
    throw new PhospheneError(
      'bad-option',
      `PNG text \`${keyword}\`: holds characters outside printable Latin-1; write them as \\uXXXX in JSON`,
      { keyword },
    );
  }
}

/** Keyword to text. Without a prototype: a stranger's keyword may be `__proto__`, and `constructor` is none that was given. */
function textRecord(): Record<string, string> {
  return Object.create(null) as Record<string, string>;
}

/** A `bad-file` error that says what is wrong with the PNG file. */
function damaged(what: string, details: Record<string, unknown> = {}): PhospheneError {
  return new PhospheneError('bad-file', `PNG file: ${what}`, details);
}

/** Ours have two texts of some kilobytes. */
const MOST_TEXTS = 256;
const MOST_TEXT_BYTES = 4 * 2 ** 20;
/** The part of EXIF data that is of interest stands at its beginning. */
const MOST_EXIF = 2 ** 16;

/** Samples of a pixel by colour type; a palette's sample is an index. */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const PALETTE = 3;
const DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

interface Header {
  readonly width: number;
  readonly height: number;
  /** Bits of a sample. */
  readonly depth: number;
  readonly colour: number;
  /** Samples of a pixel. */
  readonly samples: number;
  readonly interlaced: boolean;
}

interface PngFile {
  readonly header: Header;
  /** RGB of each index, if the picture has a palette. */
  readonly palette: Uint8Array;
  /** Alpha of the first indices of the palette. */
  readonly transparency: Uint8Array;
  readonly exif?: Uint8Array;
  /** The compressed pixels, in the pieces in which they stand in the file. */
  readonly data: readonly Uint8Array[];
  readonly text: Record<string, string>;
}

/** Takes the file apart. Nothing is decompressed; chunks that are not needed are checked and passed by. */
function readChunks(bytes: Uint8Array, expected: ExpectedPicture): PngFile {
  const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
  if (!signature.every((byte, i) => bytes[i] === byte))
    throw damaged('does not begin as a PNG does; another format or an empty file', { length: bytes.length });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const latin1 = new TextDecoder('latin1');
  const text = textRecord();
  let texts = 0;
  let textBytes = 0;
  let header: Header | undefined;
  let palette = new Uint8Array(0);
  let transparency = new Uint8Array(0);
  let exif: Uint8Array | undefined;
  const data: Uint8Array[] = [];
  for (let at = 8; ;) {
    const length = at + 12 <= bytes.length ? view.getUint32(at) : Infinity;
    if (at + 12 + length > bytes.length)
      throw damaged(`cut short after ${bytes.length} bytes`, { length: bytes.length });
    const type = latin1.decode(bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (crc32(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length))
      throw damaged(`damaged: the checksum of its ${JSON.stringify(type)} chunk does not fit`);
    at += 12 + length;
    if (!/^[A-Za-z]{4}$/.test(type)) throw damaged('damaged: a chunk has no name');
    if ((type === 'IHDR') !== (header === undefined))
      throw damaged('damaged: it must have one header, at its beginning');
    if (type === 'IHDR') header = readHeader(body, expected);
    else if (type === 'PLTE') palette = body.slice();
    else if (type === 'tRNS' && header!.colour === PALETTE) transparency = body.slice(0, 256);
    else if (type === 'eXIf') exif = body.slice(0, MOST_EXIF);
    else if (type === 'IDAT') data.push(body);
    else if (type === 'tEXt') {
      texts++;
      textBytes += body.length;
      if (texts > MOST_TEXTS || textBytes > MOST_TEXT_BYTES) {
        throw damaged(`holds more than ${MOST_TEXTS} texts, or more than ${MOST_TEXT_BYTES} bytes of them`, {
          texts,
          textBytes,
        });
      }
      const end = body.indexOf(0);
      if (end < 1 || end > 79) throw damaged('damaged: it holds a text without a keyword');
      text[plain(body.subarray(0, end))] = plain(body.subarray(end + 1));
    } else if (type === 'IEND') break;
    // A capital letter says that the picture cannot be understood without this chunk.
    else if (/^[A-Z]/.test(type)) throw damaged(`holds a ${JSON.stringify(type)} chunk, which is not known`, { type });
  }
  if (data.length === 0) throw damaged('damaged: it holds no pixels');
  if (header!.colour === PALETTE && (palette.length === 0 || palette.length > 768 || palette.length % 3 !== 0))
    throw damaged(`damaged: its palette has ${palette.length} bytes`);
  return { header: header!, palette, transparency, data, text, ...(exif ? { exif } : {}) };
}

/** Latin-1 as PNG means it: a byte is its character. (The decoder of that name is Windows-1252.) */
function plain(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return text;
}

function readHeader(body: Uint8Array, expected: ExpectedPicture): Header {
  if (body.length !== 13) throw damaged(`damaged: its header has ${body.length} bytes instead of 13`);
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  if (width === 0 || height === 0 || width * height > mostPixels) {
    throw damaged(`its header asks for ${width}x${height} pixels; 1 to ${mostPixels} pixels can be read`, {
      width,
      height,
    });
  }
  const { width: w = width, height: h = height } = expected;
  if (width !== w || height !== h)
    throw damaged(`is ${width}x${height} pixels and should be ${w}x${h}`, { width, height, expected: [w, h] });
  const [depth, colour, compression, filter, interlace] = body.subarray(8) as unknown as readonly number[];
  if (!DEPTHS[colour!]?.includes(depth!) || compression !== 0 || filter !== 0)
    throw damaged(
      `its header is of an unknown kind (colour type ${colour}, ${depth} bits, methods ${compression} and ${filter})`,
    );
  if (interlace! > 1) throw damaged(`its header is of an unknown kind (interlacing ${interlace})`, { interlace });
  return { width, height, depth: depth!, colour: colour!, samples: SAMPLES[colour!]!, interlaced: interlace === 1 };
}

/** Pixels that are stored together: every `dx`th of every `dy`th row. */
interface Pass {
  readonly left: number;
  readonly top: number;
  readonly dx: number;
  readonly dy: number;
}

const WHOLE: readonly Pass[] = [{ left: 0, top: 0, dx: 1, dy: 1 }];
/** The order of Adam7, the one interlacing that PNG has. */
const INTERLACED: readonly Pass[] = [
  { left: 0, top: 0, dx: 8, dy: 8 },
  { left: 4, top: 0, dx: 8, dy: 8 },
  { left: 0, top: 4, dx: 4, dy: 8 },
  { left: 2, top: 0, dx: 4, dy: 4 },
  { left: 0, top: 2, dx: 2, dy: 4 },
  { left: 1, top: 0, dx: 2, dy: 2 },
  { left: 0, top: 1, dx: 1, dy: 2 },
];

/** A row as it is stored, and where its pixels go. */
interface Row extends Pass {
  /** The y of its pixels. */
  readonly y: number;
  /** Bytes, without that of its filter. */
  readonly bytes: number;
}

/** The rows of a file in their order. */
function* rowsOf({ width, height, samples, depth, interlaced }: Header): Generator<Row, void> {
  for (const pass of interlaced ? INTERLACED : WHOLE) {
    const across = Math.max(0, Math.ceil((width - pass.left) / pass.dx));
    if (across === 0) continue;
    const bytes = Math.ceil((across * samples * depth) / 8);
    for (let y = pass.top; y < height; y += pass.dy) yield { ...pass, y, bytes };
  }
}

/** The pixels, row by row as they are decompressed: the picture itself is all that memory is taken for. */
function pixelsOf({ header, palette, transparency, data }: PngFile): Raster {
  const { width, height, depth, samples, colour } = header;
  let total = 0;
  for (const { bytes } of rowsOf(header)) total += 1 + bytes;
  const stored = data.reduce((sum, { length }) => sum + length, 0);
  if (!canHold(stored, total))
    throw damaged(`damaged: ${stored} compressed bytes cannot hold ${width}x${height} pixels`, { width, height });
  const hasAlpha = samples % 2 === 0 || transparency.length > 0;
  const picture = raster(
    width,
    height,
    new Uint8Array(3 * width * height),
    hasAlpha ? new Uint8Array(width * height) : undefined,
  );
  const colours = colour === PALETTE ? { palette, transparency } : undefined;
  const pixelBytes = Math.max(1, (samples * depth) / 8);
  const longest = 1 + Math.ceil((width * samples * depth) / 8);
  // The row that is being filled with the byte of its filter before it, and the one above it.
  let row = new Uint8Array(longest);
  let above = new Uint8Array(longest);
  let filled = 0;
  const rows = rowsOf(header);
  let now = rows.next();
  try {
    inflate(data, total, (piece) => {
      for (let from = 0; from < piece.length;) {
        const at = now.value as Row;
        // The rows of a pass stand alone.
        if (filled === 0 && at.y === at.top) above.fill(0);
        const length = 1 + at.bytes;
        const part = piece.subarray(from, from + length - filled);
        row.set(part, filled);
        filled += part.length;
        from += part.length;
        if (filled < length) return;
        unfilter(row.subarray(0, length), above, pixelBytes);
        spread(row, header, colours, picture, at);
        [row, above] = [above, row];
        filled = 0;
        now = rows.next();
      }
    });
  } catch (error) {
    if (error instanceof PhospheneError) throw error;
    const found = error instanceof Error ? error.message : String(error);
    throw new PhospheneError('bad-file', `PNG file: damaged or cut short (${found})`, { found }, error);
  }
  return picture;
}

/** Undoes the filter of a row, in place: each byte was stored as its difference from a guess. Byte 0 of both rows is the filter. */
function unfilter(row: Uint8Array, above: Uint8Array, pixelBytes: number): void {
  const filter = row[0]!;
  if (filter > 4) throw damaged(`damaged: a row has the unknown filter ${filter}`);
  for (let i = 1; filter > 0 && i < row.length; i++) {
    const left = i > pixelBytes ? row[i - pixelBytes]! : 0;
    const up = above[i]!;
    const corner = i > pixelBytes ? above[i - pixelBytes]! : 0;
    row[i]! += filter === 1 ? left : filter === 2 ? up : filter === 3 ? (left + up) >> 1 : paeth(left, up, corner);
  }
}

/** Whichever of the three is nearest to left + up - corner; in a tie the first. */
function paeth(left: number, up: number, corner: number): number {
  const [toLeft, toUp, toCorner] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return toLeft <= toUp && toLeft <= toCorner ? left : toUp <= toCorner ? up : corner;
}

/** Writes one row of samples into the picture. */
function spread(
  row: Uint8Array,
  { depth, samples }: Header,
  colours: Pick<PngFile, 'palette' | 'transparency'> | undefined,
  { width, data, alpha }: Raster,
  { left, dx, y }: Row,
): void {
  const largest = 2 ** depth - 1;
  // The high byte of 16 bits; fewer than 8 bits stand side by side, the first one highest.
  const sample = (i: number): number =>
    depth === 8
      ? row[1 + i]!
      : depth === 16
        ? row[1 + 2 * i]!
        : (row[1 + ((i * depth) >> 3)]! >> (8 - depth - ((i * depth) & 7))) & largest;
  const isGrey = samples < 3;
  for (let i = 0, x = left; x < width; i++, x += dx) {
    const pixel = y * width + x;
    for (let c = 0; c < 3; c++) {
      let value = sample(i * samples + (isGrey ? 0 : c));
      if (colours) {
        const { palette } = colours;
        if (3 * value >= palette.length)
          throw damaged(`damaged: a pixel has colour ${value} of a palette of ${palette.length / 3}`);
        value = palette[3 * value + c]!;
      } else if (depth < 8) value = (value * 255) / largest;
      data[3 * pixel + c] = value;
    }
    if (alpha) alpha[pixel] = colours ? (colours.transparency[sample(i)] ?? 255) : sample(i * samples + samples - 1);
  }
}

/** Colour and alpha of each pixel together. */
function rgba({ width, height, data, alpha }: Raster): Uint8Array {
  const bytes = new Uint8Array(4 * width * height);
  for (let i = 0; i < width * height; i++) {
    bytes.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
    bytes[4 * i + 3] = alpha![i]!;
  }
  return bytes;
}

/** A chunk of a file that we wrote ourselves. */
export interface Chunk {
  readonly type: string;
  readonly body: Uint8Array;
  /** With its length, type and checksum. */
  readonly whole: Uint8Array;
}

/** The chunks of a PNG file that we wrote ourselves: nothing is checked. */
export function splitChunks(bytes: Uint8Array): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  for (let at = 8; at < bytes.length;) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    chunks.push({ type, body: bytes.subarray(at + 8, at + 8 + length), whole: bytes.subarray(at, at + 12 + length) });
    at += 12 + length;
  }
  return chunks;
}

/** A chunk as it stands in a file. */
export function chunk(type: string, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  bytes.set(
    Array.from(type, (letter) => letter.charCodeAt(0)),
    4,
  );
  bytes.set(body, 8);
  view.setUint32(8 + body.length, crc32(bytes.subarray(4, 8 + body.length)));
  return bytes;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
  return c;
});

/** The checksum of PNG, as zip and gzip have it. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ crcTable[(crc ^ bytes[i]!) & 255]!;
  return ~crc >>> 0;
}
