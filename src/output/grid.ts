/** @file The stitched grid: tiles in reading order with gutters between them and none outside. */
import { PhospheneError } from '../errors.ts';
import type { Raster } from './raster.ts';
import { mostPixels, paste, raster } from './raster.ts';

/** How a grid is laid out. */
export interface GridOptions {
  /** Tiles in a row, from 1. */
  readonly columns: number;
  /** Pixels between neighbouring tiles. Default 5. */
  readonly margin?: number;
  /** Red, green and blue of gutters and of missing tiles, 0 to 255. Default black. */
  readonly background?: readonly [number, number, number];
}

/**
 * The tiles as one picture, row by row: tile i stands in row `floor(i / columns)`, column `i % columns`. Missing tiles
 * (`undefined`) and the end of a partial last row are left as background; fewer tiles than columns make a single row as
 * wide as they are. 64 tiles of 130x130 in 8 columns make 1075x1075.
 *
 * Throws `bad-option` when columns or margin cannot be used or no tile is present, `too-large`, and `shape` when tiles differ in size.
 *
 * @example
 * const sheet = grid(tiles, { columns: defaultColumns(tiles.length) });
 */
export function grid(rasters: readonly (Raster | undefined)[], options: GridOptions): Raster {
  const first = rasters.find((tile) => tile !== undefined);
  if (first === undefined) {
    throw new PhospheneError(
      'bad-option',
      `grid: none of the ${rasters.length} tiles is present; one at least is needed to know their size`,
      { count: rasters.length },
    );
  }
  const sheet = sheetOf(rasters.length, first, options);
  for (const [index, tile] of rasters.entries()) if (tile) sheet.put(index, tile);
  return sheet.raster;
}

/** A grid that is filled tile by tile, in any order. */
export interface Sheet {
  /** The whole grid as it is now. */
  readonly raster: Raster;
  /**
   * Puts a tile into its place, in reading order from 0. Throws `shape`, naming the tile (`name`, else its place), if it has
   * another size than the others.
   */
  put(index: number, tile: Raster, name?: string): void;
}

/**
 * An empty grid of `count` tiles of one size. Tiles need not be kept once they are put into it.
 *
 * Throws `bad-option` when columns or margin cannot be used, and `too-large`.
 *
 * @example
 * const sheet = sheetOf(64, { width: 130, height: 130 }, { columns: 8 });
 * sheet.put(0, tile, 'out/0.png');
 */
export function sheetOf(count: number, tile: Pick<Raster, 'width' | 'height'>, options: GridOptions): Sheet {
  const { columns, margin = 5, background = [0, 0, 0] } = options;
  const { width, height } = tile;
  const size = gridSize(count, tile, options);
  const sheet = raster(size.width, size.height);
  if (background.some((sample) => sample !== 0)) {
    for (let i = 0; i < sheet.data.length; i++) sheet.data[i] = background[i % 3]!;
  }
  return {
    raster: sheet,
    put(index, found, name = `grid: tile ${index}`) {
      if (found.width !== width || found.height !== height) {
        throw new PhospheneError(
          'shape',
          `${name} is ${found.width}x${found.height}, and the others are ${width}x${height}; a grid needs tiles of one size`,
          { index, name, width: found.width, height: found.height },
        );
      }
      paste(found, sheet, (index % columns) * (width + margin), Math.floor(index / columns) * (height + margin));
    },
  };
}

/** Pixels of the grid of `count` such tiles. Throws `bad-option` when columns or margin cannot be used, `too-large`. */
export function gridSize(
  count: number,
  tile: Pick<Raster, 'width' | 'height'>,
  { columns, margin = 5 }: GridOptions,
): { width: number; height: number } {
  if (!Number.isInteger(columns) || columns < 1) {
    throw new PhospheneError('bad-option', `columns: ${columns} found; choose a whole number from 1`, { columns });
  }
  if (!Number.isInteger(margin) || margin < 0) {
    throw new PhospheneError('bad-option', `margin: ${margin} found; choose a whole number of pixels from 0`, {
      margin,
    });
  }
  const across = Math.min(columns, count);
  const down = Math.ceil(count / columns);
  const width = across * tile.width + (across - 1) * margin;
  const height = down * tile.height + (down - 1) * margin;
  if (width * height > mostPixels) {
    throw new PhospheneError(
      'too-large',
      `grid: ${count} pictures of ${tile.width}x${tile.height} with ${margin} pixels between make ${width}x${height}; up to ${mostPixels} pixels can be written: choose fewer filters, smaller pictures or a smaller margin`,
      { width, height },
    );
  }
  return { width, height };
}

/**
 * Columns for `count` tiles that make the grid about square: `ceil(sqrt(count))`, which is 8 for 64; at least 1.
 *
 * @example
 * defaultColumns(64); // 8
 */
export function defaultColumns(count: number): number {
  return Math.max(1, Math.ceil(Math.sqrt(count)));
}
