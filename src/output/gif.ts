/** @file Animated GIF files: 256 colours a picture, chosen for each, and a comment that says how they were made. */
import { PhospheneError } from '../errors.ts';
import { checkFrames, rounds, type Timing } from './frames.ts';
import type { Raster } from './raster.ts';
import { flattened } from './tile.ts';

/** Sides that the format can say. */
const MOST = 0xffff;

/** How a GIF is shown, and what it says. */
export interface GifOptions extends Timing {
  /** ASCII; for anything else see `asciiJson`. */
  readonly comment?: string;
}

/**
 * The GIF file of pictures of one size, over and over, from the last on. GIF counts hundredths of a second. What is transparent shows a chequerboard. The same
 * pictures and comment give the same bytes.
 *
 * Throws `bad-option`, `shape`, `too-large`.
 *
 * @example
 * await writeFile('ascent.gif', await encodeGif(frames, { delay: 80, comment: asciiJson({ layer, channel }) }));
 */
export async function encodeGif(frames: readonly Raster[], options: GifOptions = {}): Promise<Uint8Array> {
  const { width, height } = checkFrames(frames);
  const { comment } = options;
  if (width > MOST || height > MOST)
    throw new PhospheneError(
      'too-large',
      `GIF: ${width}x${height} is too large; sides of up to ${MOST} can be written`,
      {
        width,
        height,
      },
    );
  if (comment !== undefined && !/^[\n\x20-\x7e]*$/.test(comment))
    throw new PhospheneError(
      'bad-option',
      'GIF comment: holds characters outside ASCII; write them as \\uXXXX in JSON',
      {},
    );
  // Loaded by those who need it, as CommonJS or not.
  const loaded = await import('gifenc');
  const { GIFEncoder, quantize, applyPalette } = { ...loaded.default, ...loaded };
  const gif = GIFEncoder();
  for (const { picture, delay } of rounds(frames, options)) {
    const rgba = opaque(flattened(picture));
    const palette = quantize(rgba, 256);
    gif.writeFrame(applyPalette(rgba, palette), width, height, { palette, delay, repeat: 0 });
  }
  if (comment !== undefined) {
    const bytes = Uint8Array.from(comment, (letter) => letter.charCodeAt(0));
    gif.stream.writeBytes(Uint8Array.of(0x21, 0xfe));
    for (let at = 0; at < bytes.length; at += 255) {
      const part = bytes.subarray(at, at + 255);
      gif.stream.writeByte(part.length);
      gif.stream.writeBytes(part);
    }
    gif.stream.writeByte(0);
  }
  gif.finish();
  return gif.bytes();
}

function opaque({ width, height, data }: Raster): Uint8Array {
  const rgba = new Uint8Array(4 * width * height).fill(255);
  for (let i = 0; i < width * height; i++) rgba.set(data.subarray(3 * i, 3 * i + 3), 4 * i);
  return rgba;
}
