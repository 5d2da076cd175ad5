/** @file Which way up a photo is: the orientation in its EXIF data, which is a TIFF file of tags. */
import { type Raster, raster } from '../output/raster.ts';

/** 1 is upright; how the others are turned is in {@link upright}. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

const ORIENTATION = 0x0112;
const SHORT = 3;

/**
 * The orientation that EXIF data states, beginning with its byte order (`II` or `MM`), after an optional `Exif\0\0`. What is damaged or says
 * nothing is upright: a photo is worth more than its tags.
 *
 * @example
 * orientationOf(decodePng(bytes).exif ?? new Uint8Array(0)); // 1
 */
export function orientationOf(exif: Uint8Array): Orientation {
  const at = String.fromCharCode(...exif.subarray(0, 6)) === 'Exif\0\0' ? 6 : 0;
  const view = new DataView(exif.buffer, exif.byteOffset + at, exif.byteLength - at);
  if (view.byteLength < 8) return 1;
  const order = view.getUint16(0);
  const little = order === 0x4949;
  if ((!little && order !== 0x4d4d) || view.getUint16(2, little) !== 42) return 1;
  const first = view.getUint32(4, little);
  if (first + 2 > view.byteLength) return 1;
  const count = view.getUint16(first, little);
  for (let i = 0, tag = first + 2; i < count && tag + 12 <= view.byteLength; i++, tag += 12) {
    if (view.getUint16(tag, little) !== ORIENTATION) continue;
    const value = view.getUint16(tag + 2, little) === SHORT ? view.getUint16(tag + 8, little) : 1;
    return value >= 1 && value <= 8 ? (value as Orientation) : 1;
  }
  return 1;
}

/** For each orientation: whether rows and columns change places, and then which of them run backwards. */
const turns: Readonly<Record<Orientation, { swap: boolean; mirrorX: boolean; mirrorY: boolean }>> = {
  1: { swap: false, mirrorX: false, mirrorY: false },
  2: { swap: false, mirrorX: true, mirrorY: false },
  3: { swap: false, mirrorX: true, mirrorY: true },
  4: { swap: false, mirrorX: false, mirrorY: true },
  5: { swap: true, mirrorX: false, mirrorY: false },
  6: { swap: true, mirrorX: true, mirrorY: false },
  7: { swap: true, mirrorX: true, mirrorY: true },
  8: { swap: true, mirrorX: false, mirrorY: true },
};

/**
 * The picture as it is meant to be seen, from the one that is stored.
 *
 * @example
 * upright(raster(2, 1, Uint8Array.of(1, 1, 1, 2, 2, 2)), 6); // 1x2, the first pixel on top
 */
export function upright(stored: Raster, orientation: Orientation): Raster {
  if (orientation === 1) return stored;
  const { swap, mirrorX, mirrorY } = turns[orientation];
  const [width, height] = swap ? [stored.height, stored.width] : [stored.width, stored.height];
  const turned = raster(
    width,
    height,
    new Uint8Array(3 * width * height),
    stored.alpha && new Uint8Array(width * height),
  );
  for (let y = 0; y < height; y++) {
    const v = mirrorY ? height - 1 - y : y;
    for (let x = 0; x < width; x++) {
      const u = mirrorX ? width - 1 - x : x;
      const [to, from] = [y * width + x, swap ? u * stored.width + v : v * stored.width + u];
      for (let c = 0; c < 3; c++) turned.data[3 * to + c] = stored.data[3 * from + c]!;
      if (turned.alpha) turned.alpha[to] = stored.alpha![from]!;
    }
  }
  return turned;
}
