/** @file Tiles of sheets: letters as dots, labels that fit, and pictures that are marked because something is amiss. */
import { describe, expect, it } from 'vitest';
import { fitText, LINE, textWidth, writeText } from '../../src/output/font.ts';
import { type Raster, raster } from '../../src/output/raster.ts';
import { flattened, labelHeight, tileOf } from '../../src/output/tile.ts';

/** A picture as rows of `#` for what is not black. */
function dots({ width, height, data }: Raster): string[] {
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (__, x) => (data[3 * (y * width + x)]! > 0 ? '#' : '.')).join(''),
  );
}

function written(text: string, width: number, scale = 1): string[] {
  const picture = raster(width, LINE * scale);
  writeText(picture, text, { x: 0, y: 0, scale, colour: [255, 255, 255] });
  return dots(picture);
}

const white: readonly [number, number, number] = [255, 255, 255];

describe('writeText', () => {
  it('draws letters of five by seven dots, one dot apart', () => {
    expect(written('L', 5)).toEqual(['#....', '#....', '#....', '#....', '#....', '#....', '#####']);
    expect(written('T.', 11)).toEqual([
      '#####......',
      ...Array.from({ length: 4 }, () => '..#........'),
      '..#....##..',
      '..#....##..',
    ]);
    expect(written('-', 5)).toEqual(['.....', '.....', '.....', '#####', '.....', '.....', '.....']);
    expect(written('…', 5)).toEqual(['.....', '.....', '.....', '.....', '.....', '.....', '#.#.#']);
  });

  it('has a letter of its own for every character of ASCII', () => {
    const letters = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
    const drawn = letters.map((letter) => written(letter, 5).join('\n'));
    expect(new Set(drawn).size).toBe(95);
    expect(drawn[0]).not.toContain('#');
    for (const [i, letter] of drawn.slice(1).entries()) expect(letter, letters[i + 1]).toContain('#');
  });

  it('leaves accents out, and asks about what it has not', () => {
    expect(written('é', 5)).toEqual(written('e', 5));
    expect(written('層', 5)).toEqual(written('?', 5));
    expect(written('\n', 5)).toEqual(written('?', 5));
    expect(written('\x7f', 5)).toEqual(written('?', 5));
    expect(written('~', 5)).not.toEqual(written('?', 5));
  });

  it('is as large as it is told', () => {
    const twice = written('7', 10, 2);
    const once = written('7', 5);
    expect(twice.length).toBe(14);
    for (const [y, row] of twice.entries()) expect(row).toBe(once[Math.floor(y / 2)]!.replaceAll(/./g, '$&$&'));
  });

  it('cuts off what lies outside', () => {
    const picture = raster(3, 3);
    writeText(picture, '##', { x: -2, y: -2, colour: white });
    writeText(picture, 'A', { x: 50, y: 50, colour: white });
    expect(picture.data.length).toBe(27);
    expect(dots(picture)[0]).toBe('#####'.slice(0, 3));
  });

  it('has the colour that it is given', () => {
    const picture = raster(5, 7);
    writeText(picture, '-', { x: 0, y: 0, colour: [1, 2, 3] });
    expect([...picture.data.subarray(3 * 5 * 3, 3 * 5 * 3 + 3)]).toEqual([1, 2, 3]);
  });
});

describe('fitText', () => {
  it('knows how wide texts are', () => {
    expect([textWidth(''), textWidth('1'), textWidth('12'), textWidth('12', 3)]).toEqual([0, 5, 11, 33]);
  });

  it('keeps both ends of what is too long', () => {
    expect(fitText('conv1', 29)).toBe('conv1');
    expect(fitText('conv1', 28)).toBe('co…1');
    expect(fitText('conv1', 23)).toBe('co…1');
    expect(fitText('conv1', 22)).toBe('c…1');
    expect(fitText('conv1', 5)).toBe('…');
    expect(fitText('conv1', 4)).toBe('');
    expect(fitText('conv1', 58, 2)).toBe('conv1');
    expect(fitText('conv1', 57, 2)).toBe('co…1');
  });
});

const grey = (width: number, height: number, value = 200): Raster =>
  raster(width, height, new Uint8Array(3 * width * height).fill(value));

describe('tileOf', () => {
  it('is the picture if nothing is to be said', () => {
    const picture = grey(20, 10);
    expect(tileOf(picture, {})).toEqual(picture);
    expect(tileOf(picture, {}).data).not.toBe(picture.data);
  });

  it('has its label below, and its picture as it was', () => {
    const tile = tileOf(grey(40, 10), { label: '12' });
    expect([tile.width, tile.height]).toEqual([40, 10 + labelHeight(40)]);
    expect([...tile.data.subarray(0, 1200)]).toEqual(Array.from({ length: 1200 }, () => 200));
    const below = dots(tile).slice(10);
    expect(below.length).toBe(13);
    // Three rows of nothing above and below seven of letters.
    for (const row of [0, 1, 2, 10, 11, 12]) expect(below[row]).toBe('.'.repeat(40));
    expect(below.slice(3, 10).map((row) => row.slice(2, 13))).toEqual(written('12', 11));
    expect(below.slice(3, 10).every((row) => !row.slice(13).includes('#'))).toBe(true);
  });

  it('has larger letters below a large picture', () => {
    expect([labelHeight(159), labelHeight(319), labelHeight(320), labelHeight(480)]).toEqual([13, 13, 26, 39]);
  });

  it.each(['not-rising', 'saturated', 'noise-like'])(
    'has an amber corner and is else as it was if it is %s',
    (status) => {
      const tile = tileOf(grey(21, 14), { status });
      const at = (x: number, y: number): number[] => [...tile.data.subarray(3 * (y * 21 + x), 3 * (y * 21 + x) + 3)];
      expect([at(0, 0), at(20, 0), at(17, 0), at(20, 13)]).toEqual([
        [200, 200, 200],
        [240, 170, 50],
        [200, 200, 200],
        [200, 200, 200],
      ]);
      expect(tileOf(grey(21, 14), { status: 'ok' })).toEqual(grey(21, 14));
    },
  );

  it.each(['dead', 'not-finite'])('is dimmed and has an amber corner if it is %s', (status) => {
    const tile = tileOf(grey(21, 14), { status });
    expect([tile.width, tile.height]).toEqual([21, 14]);
    const at = (x: number, y: number): number[] => [...tile.data.subarray(3 * (y * 21 + x), 3 * (y * 21 + x) + 3)];
    const dark = Math.round(22 + 0.3 * (200 - 22));
    expect(at(0, 0)).toEqual([dark, dark, dark]);
    expect(at(20, 13)).toEqual([dark, dark, dark]);
    // Two pixels along the upper and right edges would be lost: a corner has three at least.
    expect([at(20, 0), at(18, 0), at(20, 2)]).toEqual([
      [240, 170, 50],
      [240, 170, 50],
      [240, 170, 50],
    ]);
    expect([at(17, 0), at(19, 2), at(20, 3)]).toEqual(Array.from({ length: 3 }, () => [dark, dark, dark]));
  });

  it('says what is amiss beside the label, in amber, as far as there is room', () => {
    const tile = tileOf(grey(90, 8), { label: '3', status: 'dead' });
    const plain = tileOf(grey(90, 8), { label: '3' });
    const row = (t: Raster, y: number): number[] => [...t.data.subarray(3 * 90 * (8 + y), 3 * 90 * (9 + y))];
    const amber = (t: Raster): number =>
      Array.from({ length: 90 * 13 }, (_, i) =>
        [...t.data.subarray(3 * (90 * 8 + i), 3 * (90 * 8 + i) + 3)].join(),
      ).filter((c) => c === '240,170,50').length;
    expect(amber(plain)).toBe(0);
    expect(amber(tile)).toBe(written('dead', 23).join('').replaceAll('.', '').length);
    // The number is as it was.
    for (let y = 0; y < 13; y++) expect(row(tile, y).slice(0, 3 * 9)).toEqual(row(plain, y).slice(0, 3 * 9));
    const narrow = tileOf(grey(8, 8), { label: '3', status: 'dead' });
    expect(narrow.width).toBe(8);
  });

  it('shows a chequerboard through what is transparent', () => {
    const alpha = new Uint8Array(16 * 16);
    alpha[0] = 255;
    alpha[8] = 51;
    const picture = raster(16, 16, new Uint8Array(3 * 256).fill(200), alpha);
    const flat = flattened(picture);
    expect(flat.alpha).toBeUndefined();
    const at = (x: number, y: number): number => flat.data[3 * (y * 16 + x)]!;
    expect([at(0, 0), at(1, 0), at(7, 7), at(8, 7), at(8, 8), at(7, 8)]).toEqual([200, 96, 96, 144, 96, 144]);
    expect(at(8, 0)).toBe(Math.round(144 + 0.2 * (200 - 144)));
    expect([...tileOf(picture, {}).data]).toEqual([...flat.data]);
    const opaque = grey(2, 2);
    expect(flattened(opaque)).toBe(opaque);
  });
});
