/** @file A picture as a tile of a sheet: marked if something is amiss with it, with a line of text below it if that is wanted. */
import { type Colour, fitText, LINE, textWidth, writeText } from './font.ts';
import { type Raster, raster } from './raster.ts';

/** What is written below pictures: light grey; and what stands out: amber. */
const TEXT: Colour = [205, 205, 205];
const AMBER: Colour = [240, 170, 50];
/** What came of pictures that show nothing. */
const EMPTY: readonly string[] = ['dead', 'not-finite'];
/** What a picture is dimmed towards. */
const DARK = 22;
/** How much of a dimmed picture is left. */
const LEFT = 0.3;
/** Pixels above and below a line of text, in dots. */
const AROUND = 3;

/** What a tile shows besides its picture. */
export interface TileOptions {
  /** A line below the picture. Without it, nothing is written and the tile is as large as the picture. */
  readonly label?: string | undefined;
  /**
   * What came of the picture. All but `ok` has an amber corner, and its words join the label: `not-rising` as `not rising`. A picture that shows
   * nothing of its filter, since that is dead or its numbers are not finite, is dimmed as well.
   */
  readonly status?: string | undefined;
}

/** How large the letters of a label are below a picture of this width. */
function scaleFor(width: number): number {
  return Math.max(1, Math.floor(width / 160));
}

/**
 * Pixels that a label adds to the height of a picture of this width.
 *
 * @example
 * labelHeight(130); // 13
 */
export function labelHeight(width: number): number {
  return (LINE + 2 * AROUND) * scaleFor(width);
}

/**
 * The tile of a picture. What is transparent shows a chequerboard.
 *
 * @example
 * tileOf(tile, { label: '38', status: 'not-rising' });
 */
export function tileOf(picture: Raster, { label, status = 'ok' }: TileOptions): Raster {
  const { width, height } = picture;
  const tile = raster(width, height + (label === undefined ? 0 : labelHeight(width)));
  tile.data.set(flattened(picture).data);
  const trouble = status === 'ok' ? undefined : status.replaceAll('-', ' ');
  if (EMPTY.includes(status)) dim(tile, height);
  if (trouble !== undefined) mark(tile, height);
  if (label === undefined) return tile;
  const scale = scaleFor(width);
  const y = height + AROUND * scale;
  // The reason may have what room the label leaves.
  const left = 2 * scale;
  const number = fitText(label, width - left, scale);
  writeText(tile, number, { x: left, y, scale, colour: TEXT });
  if (trouble !== undefined) {
    const x = left + textWidth(`${number} `, scale) + scale;
    writeText(tile, fitText(trouble, width - x, scale), { x, y, scale, colour: AMBER });
  }
  return tile;
}

/** Dims the picture in the upper `height` rows of a tile. */
function dim({ width, data }: Raster, height: number): void {
  for (let i = 0; i < 3 * width * height; i++) data[i] = Math.round(DARK + LEFT * (data[i]! - DARK));
}

/** Gives the picture in the upper `height` rows of a tile a corner. */
function mark({ width, data }: Raster, height: number): void {
  const corner = Math.max(3, Math.round(Math.min(width, height) / 7));
  for (let y = 0; y < Math.min(corner, height); y++)
    for (let x = Math.max(0, width - corner + y); x < width; x++) data.set(AMBER, 3 * (y * width + x));
}

/** Sides of the squares that show through what is transparent, and their two greys. */
const SQUARE = 8;
const GREYS = [96, 144] as const;

/**
 * The picture without alpha: where it is transparent, a chequerboard shows through.
 *
 * @example
 * flattened(raster(1, 1, Uint8Array.of(0, 0, 0), Uint8Array.of(0))).data[0]; // 96
 */
export function flattened(picture: Raster): Raster {
  const { width, height, data, alpha } = picture;
  if (!alpha) return picture;
  const flat = raster(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      const behind = GREYS[(Math.floor(x / SQUARE) + Math.floor(y / SQUARE)) % 2]!;
      for (let c = 0; c < 3; c++)
        flat.data[3 * i + c] = Math.round(behind + (alpha[i]! / 255) * (data[3 * i + c]! - behind));
    }
  }
  return flat;
}
