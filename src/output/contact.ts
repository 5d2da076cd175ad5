/** @file Contact sheets: rows of pictures, each with a title, which may be of different sizes; and pictures side by side. */
import { PhospheneError } from '../errors.ts';
import { fitText, LINE, writeText } from './font.ts';
import { mostPixels, paste, raster, type Raster } from './raster.ts';

/** A row of a sheet. */
export interface SheetRow {
  /** Above the row. */
  readonly title: string;
  /** From left to right; an absent one leaves its place empty. */
  readonly tiles: readonly (Raster | undefined)[];
}

/** How a sheet is laid out. */
export interface SheetOptions {
  /** Pixels between pictures, and around all of them. */
  readonly margin?: number;
}

const TITLE = [235, 235, 235] as const;
/** Dots above and below a title. */
const ABOVE = 4;
const BELOW = 3;

/**
 * A sheet of rows with titles. All columns are as wide as the widest picture; smaller ones stand in the middle of their place. The margin is 5
 * unless given.
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
  if (width * height > mostPixels) throw tooLarge(width, height);
  const sheet = raster(width, height);
  let top = margin;
  for (const [i, { title, tiles }] of rows.entries()) {
    const room = width - 2 * margin;
    writeText(sheet, fitText(title, room, scale), { x: margin, y: top + ABOVE * scale, scale, colour: TITLE });
    top += titleHeight;
    for (const [column, tile] of tiles.entries()) {
      if (!tile) continue;
      const left = margin + column * (cell + margin) + ((cell - tile.width) >> 1);
      paste(tile, sheet, left, top + ((heights[i]! - tile.height) >> 1));
    }
    top += heights[i]! + margin;
  }
  return sheet;
}

/** A picture that stands beside others. */
export interface SidePicture {
  /** Above it. */
  readonly title: string;
  readonly picture: Raster;
}

/** Pixels of a picture's width for each dot of its title. */
const DOT = 300;

/**
 * Pictures side by side, a title above each. The tops of all stand in one line. The margin is 20 unless given: more than a grid has inside.
 *
 * Throws `bad-option` if there is no picture, and `too-large`.
 *
 * @example
 * sideBySide([{ title: 'keras', picture: raster(8, 8) }, { title: 'best', picture: raster(8, 8) }]).width; // 76
 */
export function sideBySide(pictures: readonly SidePicture[], { margin = 20 }: SheetOptions = {}): Raster {
  if (pictures.length === 0)
    throw new PhospheneError('bad-option', 'side by side: there is no picture', { pictures: 0 });
  const scale = Math.max(1, Math.floor(Math.min(...pictures.map(({ picture }) => picture.width)) / DOT));
  const titleHeight = (ABOVE + LINE + BELOW) * scale;
  const width = pictures.reduce((sum, { picture }) => sum + picture.width + margin, margin);
  const height = titleHeight + Math.max(...pictures.map(({ picture }) => picture.height)) + 2 * margin;
  if (width * height > mostPixels) throw tooLarge(width, height);
  const all = raster(width, height);
  let left = margin;
  for (const { title, picture } of pictures) {
    const place = { x: left, y: margin + ABOVE * scale, scale, colour: TITLE };
    writeText(all, fitText(title, picture.width, scale), place);
    paste(picture, all, left, margin + titleHeight);
    left += picture.width + margin;
  }
  return all;
}

function tooLarge(width: number, height: number): PhospheneError {
  return new PhospheneError(
    'too-large',
    `sheet: its pictures make ${width}x${height}; up to ${mostPixels} pixels can be written: choose fewer or smaller ones`,
    { width, height },
  );
}
