/** @file Contact sheets: where pictures and titles stand. */
import { describe, expect, it } from 'vitest';
import { contactSheet, sideBySide } from '../../src/output/contact.ts';
import { raster, type Raster } from '../../src/output/raster.ts';

const tile = (width: number, height: number, value: number): Raster =>
  raster(width, height, new Uint8Array(3 * width * height).fill(value));

describe('contactSheet', () => {
  it('has a row for each title, and columns as wide as the widest picture', () => {
    const sheet = contactSheet(
      [
        { title: 'A', tiles: [tile(10, 8, 100), tile(6, 4, 150)] },
        { title: '', tiles: [undefined, tile(4, 6, 200)] },
      ],
      { margin: 2 },
    );
    // Titles take 14 rows: four, seven of letters, three.
    expect([sheet.width, sheet.height]).toEqual([2 + 12 + 12, 2 + 14 + 8 + 2 + 14 + 6 + 2]);
    const at = (x: number, y: number): number => sheet.data[3 * (y * sheet.width + x)]!;
    expect([at(2, 16), at(11, 23), at(12, 16), at(2, 24)]).toEqual([100, 100, 0, 0]);
    // The smaller one in the middle of its place: columns 14 to 23, rows 16 to 23.
    expect([at(16, 18), at(21, 21), at(15, 18), at(22, 18), at(16, 17), at(16, 22)]).toEqual([150, 150, 0, 0, 0, 0]);
    expect([at(17, 40), at(20, 45), at(2, 40)]).toEqual([200, 200, 0]);
    // The title stands above its row: an A begins in its second row of dots, at the left.
    expect(at(2, 7)).toBe(235);
    expect(Array.from({ length: 26 }, (_, x) => at(x, 5))).toEqual(Array.from({ length: 26 }, () => 0));
  });

  it('has larger titles above larger pictures, and cuts long ones', () => {
    expect(contactSheet([{ title: 'a', tiles: [tile(89, 4, 1)] }], { margin: 0 }).height).toBe(14 + 4);
    expect(contactSheet([{ title: 'a', tiles: [tile(180, 4, 1)] }], { margin: 0 }).height).toBe(28 + 4);
    expect(contactSheet([{ title: 'x'.repeat(500), tiles: [tile(20, 4, 1)] }]).width).toBe(30);
  });

  it('needs a picture, and room', () => {
    expect(() => contactSheet([])).toThrow(expect.objectContaining({ code: 'bad-option' }));
    expect(() => contactSheet([{ title: 'a', tiles: [undefined] }])).toThrow(
      expect.objectContaining({ code: 'bad-option' }),
    );
    const large = tile(2 ** 12, 2 ** 12, 0);
    const row = { title: '', tiles: Array.from({ length: 5 }, () => large) };
    expect(() => contactSheet([row, row, row, row])).toThrow(expect.objectContaining({ code: 'too-large' }));
  });
});

describe('sideBySide', () => {
  it('has a title above each picture, and their tops in one line', () => {
    const all = sideBySide(
      [
        { title: 'A', picture: tile(10, 8, 100) },
        { title: '', picture: tile(6, 4, 150) },
      ],
      { margin: 2 },
    );
    // A title takes 14 rows.
    expect([all.width, all.height]).toEqual([2 + 10 + 2 + 6 + 2, 2 + 14 + 8 + 2]);
    const at = (x: number, y: number): number => all.data[3 * (y * all.width + x)]!;
    expect([at(2, 16), at(11, 23), at(1, 16), at(12, 16), at(2, 15), at(2, 24)]).toEqual([100, 100, 0, 0, 0, 0]);
    expect([at(14, 16), at(19, 19), at(13, 16), at(20, 16), at(14, 20)]).toEqual([150, 150, 0, 0, 0]);
    // The A begins in its second row of dots, at the left.
    expect([at(2, 7), at(2, 5)]).toEqual([235, 0]);
  });

  it('has larger titles above larger pictures, and a wider margin than a grid', () => {
    expect(sideBySide([{ title: 'a', picture: tile(599, 4, 1) }], { margin: 0 }).height).toBe(14 + 4);
    expect(sideBySide([{ title: 'a', picture: tile(600, 4, 1) }], { margin: 0 }).height).toBe(28 + 4);
    expect(sideBySide([{ title: 'a', picture: tile(8, 4, 1) }]).width).toBe(48);
  });

  it('needs a picture, and room', () => {
    expect(() => sideBySide([])).toThrow(expect.objectContaining({ code: 'bad-option' }));
    const picture = tile(2 ** 13, 2 ** 13, 0);
    expect(() => sideBySide(Array.from({ length: 4 }, () => ({ title: '', picture })))).toThrow(
      expect.objectContaining({ code: 'too-large' }),
    );
  });
});
