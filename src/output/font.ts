/** @file Letters on pictures: a font of 5 by 7 dots, so that labels need no files and look the same everywhere. */
import type { Raster } from './raster.ts';

/** Red, green and blue, 0 to 255. */
export type Colour = readonly [number, number, number];

/** Dots of a letter, and from one letter to the next. */
const WIDTH = 5;
const ADVANCE = 6;
/** Dots of a line of text; letters have no more. */
export const LINE = 7;

/** Each letter as its five columns, from left to right; the lowest bit of a column is its highest dot. From space to tilde, then `…`. */
const columns = `
0000000000 00005f0000 0007000700 147f147f14 242a7f2a12 2313086462 3649552250 0005030000
001c224100 0041221c00 082a1c2a08 08083e0808 0050300000 0808080808 0060600000 2010080402
3e5149453e 00427f4000 4261514946 2141454b31 1814127f10 2745454539 3c4a494930 0171090503
3649494936 064949291e 0036360000 0056360000 0008142241 1414141414 4122140800 0201510906
324979413e 7e1111117e 7f49494936 3e41414122 7f4141221c 7f49494941 7f09090101 3e41415132
7f0808087f 00417f4100 2040413f01 7f08142241 7f40404040 7f0204027f 7f0408107f 3e4141413e
7f09090906 3e4151215e 7f09192946 4649494931 01017f0101 3f4040403f 1f2040201f 7f2018207f
6314081463 0304780403 6151494543 007f414100 0204081020 0041417f00 0402010204 4040404040
0001020400 2054545478 7f48444438 3844444420 384444487f 3854545418 087e090102 085454543c
7f08040478 00447d4000 2040443d00 007f102844 00417f4000 7c04180478 7c08040478 3844444438
7c14141408 081414187c 7c08040408 4854545420 043f444020 3c4040207c 1c2040201c 3c4030403c
4428102844 0c5050503c 4464544c44 0008364100 00007f0000 0041360800 1008081008 4000400040
`
  .trim()
  .split(/\s+/)
  .map((hex) => Array.from({ length: WIDTH }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)));

const FIRST = 0x20;
const LAST = 0x7e;

/** The columns of a letter. An accent is left out; what the font has not is a question mark. */
function dotsOf(letter: string): readonly number[] {
  if (letter === '…') return columns.at(-1)!;
  const code = letter.normalize('NFKD').codePointAt(0)!;
  return columns[code >= FIRST && code <= LAST ? code - FIRST : '?'.charCodeAt(0) - FIRST]!;
}

/**
 * Pixels that a text takes from left to right.
 *
 * @example
 * textWidth('12', 2); // 22
 */
export function textWidth(text: string, scale = 1): number {
  const count = Array.from(text).length;
  return count === 0 ? 0 : (count * ADVANCE - (ADVANCE - WIDTH)) * scale;
}

/**
 * The text as it fits into so many pixels: if it is too long, its middle becomes an ellipsis, since names differ at their ends.
 *
 * @example
 * fitText('conv3_block4_out', 60); // 'conv3…_out'
 */
export function fitText(text: string, width: number, scale = 1): string {
  if (textWidth(text, scale) <= width) return text;
  const letters = Array.from(text);
  const most = Math.floor((width / scale + ADVANCE - WIDTH) / ADVANCE);
  if (most < 1) return '';
  const head = Math.ceil((most - 1) / 2);
  return [...letters.slice(0, head), '…', ...letters.slice(letters.length - (most - 1 - head))].join('');
}

/** Where and how a text is written. */
export interface WriteOptions {
  /** Its left and upper edge, pixels. */
  readonly x: number;
  readonly y: number;
  readonly colour: Colour;
  /** Pixels of a dot: a whole number from 1. */
  readonly scale?: number;
}

/**
 * Writes a line of text on a picture, in place; what lies outside is cut off.
 *
 * @example
 * writeText(sheet, 'conv1', { x: 4, y: 4, colour: [255, 255, 255] });
 */
export function writeText(picture: Raster, text: string, { x, y, colour, scale = 1 }: WriteOptions): void {
  for (const [i, letter] of Array.from(text).entries()) {
    for (const [column, dots] of dotsOf(letter).entries()) {
      for (let row = 0; row < LINE; row++)
        if ((dots >> row) & 1) dot(picture, x + (i * ADVANCE + column) * scale, y + row * scale, scale, colour);
    }
  }
}

function dot(picture: Raster, left: number, top: number, side: number, colour: Colour): void {
  for (let y = Math.max(0, top); y < Math.min(picture.height, top + side); y++)
    for (let x = Math.max(0, left); x < Math.min(picture.width, left + side); x++)
      picture.data.set(colour, 3 * (y * picture.width + x));
}
