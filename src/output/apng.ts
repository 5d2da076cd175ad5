/** @file Animated PNG files: all colours, alpha, and the texts of a PNG. */
import { checkFrames, rounds, type Timing } from './frames.ts';
import { chunk, encodePng, splitChunks } from './png.ts';
import type { Raster } from './raster.ts';

/**
 * The APNG file of pictures of one size, over and over from the last on, with `text` as in {@link encodePng}. Whoever knows no
 * animation sees the last picture. The same pictures and text give the same bytes.
 *
 * Throws `bad-option`, `shape`, `too-large`.
 *
 * @example
 * decodePng(encodeApng([raster(8, 8), raster(8, 8)], { delay: 80 })).raster.width; // 8
 */
export function encodeApng(
  frames: readonly Raster[],
  timing: Timing = {},
  text: Readonly<Record<string, string>> = {},
): Uint8Array {
  const { width, height } = checkFrames(frames);
  const hasAlpha = frames.some(({ alpha }) => alpha);
  let sequence = 0;
  const parts: Uint8Array[] = [signature];
  for (const [i, { picture, delay }] of rounds(frames, timing).entries()) {
    const chunks = encoded(picture, hasAlpha, i === 0 ? text : {});
    const of = (wanted: string): Uint8Array[] => chunks.flatMap(({ type, whole }) => (type === wanted ? [whole] : []));
    if (i === 0) parts.push(...of('IHDR'), chunk('acTL', numbers([4, frames.length], [4, 0])), ...of('tEXt'));
    const place = numbers([4, width], [4, height], [4, 0], [4, 0]);
    // In milliseconds; each picture takes the place of the one before.
    const shown = numbers([2, delay], [2, 1000], [1, 0], [1, 0]);
    parts.push(chunk('fcTL', joined([numbers([4, sequence++]), place, shown])));
    // The first picture stands where that of a PNG does.
    if (i === 0) parts.push(...of('IDAT'));
    else
      for (const { type, body } of chunks)
        if (type === 'IDAT') parts.push(chunk('fdAT', joined([numbers([4, sequence++]), body])));
  }
  return joined([...parts, chunk('IEND', new Uint8Array(0))]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** The chunks of a picture's PNG; with alpha even if nothing of it is transparent, since all frames are of one kind. */
function encoded(
  frame: Raster,
  hasAlpha: boolean,
  text: Readonly<Record<string, string>>,
): ReturnType<typeof splitChunks> {
  const alpha = frame.alpha ?? new Uint8Array(frame.width * frame.height).fill(255);
  return splitChunks(encodePng(hasAlpha ? { ...frame, alpha } : frame, text));
}

/** Whole numbers of so many bytes each, the highest byte first. */
function numbers(...fields: readonly (readonly [bytes: 1 | 2 | 4, value: number])[]): Uint8Array {
  return Uint8Array.from(
    fields.flatMap(([bytes, value]) =>
      Array.from({ length: bytes }, (_, i) => (value >>> (8 * (bytes - 1 - i))) & 255),
    ),
  );
}
