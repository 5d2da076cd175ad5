/** @file Contact sheets: rows of pictures, each with a title, which may be of different sizes. */
import { PhospheneError } from '../errors.ts';
import { fitText, LINE, writeText } from './font.ts';
import { mostPixels, raster, type Raster } from './raster.ts';

/** A row of a sheet. */
export interface SheetRow {
  /** Above the row. */
  readonly title: string;
  /** From left to right; an absent one leaves its place empty. */
  readonly tiles: readonly (Raster | undefined)[];
}

/** How a sheet is laid out. */
export interface SheetOptions {
  /** Pixels between pictures, and around all of them. Default 5. */
  readonly margin?: number;
}

const TITLE = [235, 235, 235] as const;
/** Dots above and below a title. */
const ABOVE = 4;
const BELOW = 3;

/**
 * A sheet of rows with titles. All columns are as wide as the widest picture; smaller ones stand in the middle of their place.
 *
 * Throws `bad-option` if there is no picture, and `too-large`.
 *
 * @example
 * contactSheet([{ title: 'conv1', tiles: [raster(8, 8)] }]).width; // 18
 */
export function contactSheet(rows: readonly SheetRow[], { margin = 5 }: SheetOptions = {}): Raster {
  const all = rows.flatMap(({ tiles }) => tiles.filter((tile) => tile !== undefined));
  if (all.length === 0)
    throw new PhospheneError('bad-option', 'sheet: there is no picture to put on it', { rows: rows.length });
  const cell = Math.max(...all.map(({ width }) => width));
  const scale = Math.max(1, Math.floor(cell / 90));
  const titleHeight = (ABOVE + LINE + BELOW) * scale;
  const heights = rows.map(({ tiles }) => Math.max(0, ...tiles.map((tile) => tile?.height ?? 0)));
  const columns = Math.max(...rows.map(({ tiles }) => tiles.length));
  const width = columns * (cell + margin) + margin;
  const height = heights.reduce((sum, h) => sum + titleHeight + h + margin, margin);
  if (width * height > mostPixels)
    throw new PhospheneError(
      'too-large',
      `sheet: its pictures make ${width}x${height}; up to ${mostPixels} pixels can be written: choose fewer or smaller ones`,
      { width, height },
    );
  const sheet = raster(width, height);
  let top = margin;
  for (const [i, { title, tiles }] of rows.entries()) {
    const room = width - 2 * margin;
    writeText(sheet, fitText(title, room, scale), { x: margin, y: top + ABOVE * scale, scale, colour: TITLE });
    top += titleHeight;
    for (const [column, tile] of tiles.entries()) {
      if (!tile) continue;
      const left = margin + column * (cell + margin) + ((cell - tile.width) >> 1);
      const above = top + ((heights[i]! - tile.height) >> 1);
      for (let y = 0; y < tile.height; y++) {
        const row = tile.data.subarray(3 * y * tile.width, 3 * (y + 1) * tile.width);
        sheet.data.set(row, 3 * ((above + y) * width + left));
      }
    }
    top += heights[i]! + margin;
  }
  return sheet;
}
