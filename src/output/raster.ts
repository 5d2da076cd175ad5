/** @file A raster is a picture as it leaves: RGB bytes in reading order, and alpha if parts of it are transparent. */
import { PhospheneError } from '../errors.ts';

/** Pixels above which a picture is refused before its memory is asked for: 256 million, 768 MB of RGB. */
export const mostPixels: number = 2 ** 28;

/** Row-major RGB, 8 bits a sample: pixel (x, y) is `data[3 * (y * width + x)]` and the two bytes after it. */
export interface Raster {
  /** Pixels in a row, at least 1. */
  readonly width: number;
  /** Rows, at least 1. */
  readonly height: number;
  /** `3 * width * height` bytes. */
  readonly data: Uint8Array;
  /** `width * height` bytes, from 0 (nothing of the pixel is seen) to 255; without it, all of the picture is seen. */
  readonly alpha?: Uint8Array;
}

/**
 * A raster over `data` (not copied); black if it is left out. Throws `shape` when the sides are not positive whole
 * numbers or the bytes do not fill them.
 *
 * @example
 * const dot = raster(1, 1, Uint8Array.of(255, 0, 0));
 */
export function raster(width: number, height: number, data?: Uint8Array, alpha?: Uint8Array): Raster {
  if (!isSide(width) || !isSide(height)) {
    throw new PhospheneError('shape', `raster: ${width}x${height} is no size; both sides are whole numbers from 1`, {
      width,
      height,
    });
  }
  const bytes = data ?? new Uint8Array(3 * width * height);
  if (bytes.length !== 3 * width * height) {
    throw new PhospheneError(
      'shape',
      `raster: ${bytes.length} bytes do not fill ${width}x${height} pixels of 3 bytes (${3 * width * height})`,
      { width, height, bytes: bytes.length },
    );
  }
  if (alpha === undefined) return { width, height, data: bytes };
  if (alpha.length !== width * height) {
    throw new PhospheneError(
      'shape',
      `raster: ${alpha.length} bytes of alpha do not fill ${width}x${height} pixels (${width * height})`,
      { width, height, bytes: alpha.length },
    );
  }
  return { width, height, data: bytes, alpha };
}

/**
 * Copies a picture's colours into a larger one, its upper left corner at column `left` and row `top`. All of it must fit; alpha is left out.
 *
 * @example
 * paste(tile, sheet, 135, 0);
 */
export function paste(picture: Raster, into: Raster, left: number, top: number): void {
  const stride = 3 * picture.width;
  for (let y = 0; y < picture.height; y++)
    into.data.set(picture.data.subarray(y * stride, (y + 1) * stride), 3 * ((top + y) * into.width + left));
}

function isSide(side: number): boolean {
  return Number.isInteger(side) && side > 0;
}
