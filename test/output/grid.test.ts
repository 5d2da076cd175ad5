/** @file Stitching: the seed's sheet, partial rows, missing tiles, and where every pixel comes from. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultColumns, grid } from '../../src/output/grid.ts';
import type { Raster } from '../../src/output/raster.ts';
import { raster } from '../../src/output/raster.ts';

function flat(width: number, height: number, value: number): Raster {
  return raster(width, height, new Uint8Array(3 * width * height).fill(value));
}

describe('grid', () => {
  it('stitches 64 tiles of 130x130 to 1075x1075 in reading order', () => {
    const sheet = grid(
      Array.from({ length: 64 }, (_, i) => flat(130, 130, 100 + i)),
      { columns: defaultColumns(64) },
    );
    expect([sheet.width, sheet.height]).toEqual([1075, 1075]);
    for (let i = 0; i < 64; i++) {
      const [x, y] = [(i % 8) * 135, Math.floor(i / 8) * 135];
      expect(sheet.data[3 * (y * 1075 + x)]).toBe(100 + i);
      expect(sheet.data[3 * ((y + 129) * 1075 + x + 129)]).toBe(100 + i);
      if (x + 130 < 1075) expect(sheet.data[3 * (y * 1075 + x + 130)]).toBe(0);
    }
  });

  it('puts every pixel where it belongs and background everywhere else', () => {
    fc.assert(
      fc.property(
        fc.record({
          width: fc.integer({ min: 1, max: 5 }),
          height: fc.integer({ min: 1, max: 5 }),
          columns: fc.integer({ min: 1, max: 6 }),
          margin: fc.integer({ min: 0, max: 4 }),
          present: fc.array(fc.boolean(), { minLength: 1, maxLength: 14 }).filter((list) => list.includes(true)),
        }),
        ({ width, height, columns, margin, present }) => {
          const tiles = present.map((there, i) => (there ? flat(width, height, i + 1) : undefined));
          const sheet = grid(tiles, { columns, margin, background: [200, 201, 202] });
          const across = Math.min(columns, tiles.length);
          expect(sheet.width).toBe(across * (width + margin) - margin);
          expect(sheet.height).toBe(Math.ceil(tiles.length / columns) * (height + margin) - margin);
          for (let y = 0; y < sheet.height; y++) {
            for (let x = 0; x < sheet.width; x++) {
              const inTile = x % (width + margin) < width && y % (height + margin) < height;
              const index = Math.floor(y / (height + margin)) * columns + Math.floor(x / (width + margin));
              const value = inTile && present[index] === true ? index + 1 : undefined;
              const at = 3 * (y * sheet.width + x);
              expect([...sheet.data.subarray(at, at + 3)]).toEqual(
                value === undefined ? [200, 201, 202] : [value, value, value],
              );
            }
          }
        },
      ),
      { seed: 20260801, numRuns: 60 },
    );
  });

  it.each([
    [[flat(2, 2, 1), flat(2, 3, 1)], { columns: 2 }, 'shape', 'grid: tile 1 is 2x3, and the others are 2x2'],
    [[flat(2, 2, 1)], { columns: 0 }, 'bad-option', 'columns: 0'],
    [[flat(2, 2, 1)], { columns: 1, margin: -1 }, 'bad-option', 'margin: -1'],
    [[undefined, undefined], { columns: 1 }, 'bad-option', 'none of the 2 tiles'],
  ])('explains what it cannot stitch (%#)', (tiles, options, code, words) => {
    expect(() => grid(tiles, options)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) }),
    );
  });

  it.each([
    [64, 8],
    [1, 1],
    [0, 1],
    [5, 3],
    [512, 23],
  ])('%i tiles stand in %i columns', (count, columns) => expect(defaultColumns(count)).toBe(columns));
});

describe('raster', () => {
  it('explains sides and bytes that do not fit', () => {
    expect(() => raster(0, 2)).toThrow(expect.objectContaining({ code: 'shape' }));
    expect(() => raster(2, 2, new Uint8Array(11))).toThrow('11 bytes do not fill 2x2 pixels of 3 bytes (12)');
  });
});
