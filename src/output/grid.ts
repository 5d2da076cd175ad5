/** @file Pictures stitched into one, row by row. */
import { PhospheneError } from '../errors.ts';
import type { Raster } from './raster.ts';

export interface GridOptions {
  /** Pictures in a row; by default as near to a square as it goes. */
  readonly columns?: number | undefined;
  /** Pixels of background between neighbours; none outside. */
  readonly margin?: number;
  readonly background?: readonly [number, number, number];
}

/** As many columns as rows, or one more: 8 for 64 pictures. */
export function squareColumns(count: number): number {
  return Math.max(1, Math.ceil(Math.sqrt(count)));
}

/**
 * Stitches pictures of one size; a missing one leaves background, and the last row may be partial. 64 pictures of 130×130 with
 * a margin of 5 give 1075×1075. Throws `bad-option` for an empty list or different sizes.
 */
export function grid(
  pictures: readonly (Raster | undefined)[],
  { columns = squareColumns(pictures.length), margin = 5, background = [0, 0, 0] }: GridOptions = {},
): Raster {
  const first = pictures.find((p) => p !== undefined);
  if (!first) throw new PhospheneError('bad-option', 'grid: there is no picture to put in it');
  if (columns < 1 || margin < 0)
    throw new PhospheneError('bad-option', `grid: ${columns} columns with a margin of ${margin} make no grid`);
  const across = Math.min(columns, pictures.length);
  const down = Math.ceil(pictures.length / columns);
  const width = across * (first.width + margin) - margin;
  const height = down * (first.height + margin) - margin;
  const data = new Uint8Array(3 * width * height);
  for (let i = 0; i < data.length; i++) data[i] = background[(i % 3) as 0 | 1 | 2];
  pictures.forEach((picture, i) => {
    if (!picture) return;
    if (picture.width !== first.width || picture.height !== first.height) {
      throw new PhospheneError(
        'bad-option',
        `grid: picture ${i} is ${picture.width}×${picture.height}, the first is ${first.width}×${first.height}`,
      );
    }
    const [left, top] = [(i % columns) * (first.width + margin), Math.floor(i / columns) * (first.height + margin)];
    for (let y = 0; y < picture.height; y++) {
      data.set(
        picture.data.subarray(3 * y * picture.width, 3 * (y + 1) * picture.width),
        3 * ((top + y) * width + left),
      );
    }
  });
  return { width, height, data };
}
