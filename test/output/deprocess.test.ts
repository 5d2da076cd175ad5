/** @file The seed's deprocess, against numpy's bytes and an independent double in NHWC order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deprocess, rescaleLikeKeras } from '../../src/output/deprocess.ts';
import { raster } from '../../src/output/raster.ts';
import { Random } from '../../src/random.ts';

/** The Keras example line by line, in float64 and NHWC, values not yet truncated. */
function double(image: Float32Array, height: number, width: number, crop: number): number[] {
  const nhwc: number[] = [];
  for (let i = 0; i < height * width; i++) for (let c = 0; c < 3; c++) nhwc.push(image[c * height * width + i]!);
  const mean = nhwc.reduce((a, b) => a + b, 0) / nhwc.length;
  const deviation = Math.sqrt(nhwc.reduce((a, b) => a + (b - mean) ** 2, 0) / nhwc.length);
  return nhwc
    .filter((_, i) => {
      const x = Math.floor(i / 3) % width;
      const y = Math.floor(i / 3 / width);
      return x >= crop && x < width - crop && y >= crop && y < height - crop;
    })
    .map((value) => Math.min(Math.max(((value - mean) / (deviation + 1e-5)) * 0.15 + 0.5, 0), 1) * 255);
}

describe('deprocess', () => {
  it('gives the bytes that numpy gives', () => {
    const [height, width] = [6, 5];
    const image = new Float32Array(3 * height * width);
    for (let c = 0; c < 3; c++)
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          image[(c * height + y) * width + x] = (((y * 7 + x * 5 + c * 11 + ((y * x) % 3) * 13) % 32) - 12) / 16;
    const tile = deprocess(image, { height, width, crop: 1 });
    expect([tile.width, tile.height]).toEqual([3, 4]);
    expect([...tile.data]).toEqual([
      167, 80, 125, 109, 154, 68, 154, 68, 113, 117, 163, 76, 84, 130, 175, 183, 97, 142, 171, 84, 130, 192, 105, 150,
      80, 125, 171, 121, 167, 80, 63, 109, 154, 109, 154, 68,
    ]);
  });

  it('takes mean and deviation before the crop: a bright border darkens the middle', () => {
    // Middle 0, border 1 of a 4x4: mean 0.75, deviation sqrt(0.1875) = 0.4330, (0 - 0.75) / 0.4330 * 0.15 + 0.5 = 0.2402.
    const plane = [1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1];
    const tile = deprocess(Float32Array.from([...plane, ...plane, ...plane]), { height: 4, width: 4, crop: 1 });
    expect([...tile.data]).toEqual(Array.from({ length: 12 }, () => 61));
  });

  it('follows the double within one step of truncation, whatever the image', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 14 }),
        fc.integer({ min: 3, max: 14 }),
        fc.integer({ min: 0, max: 6 }),
        fc.constantFrom(1e-3, 0.125, 1, 40),
        fc.integer(),
        (height, width, wanted, spread, seed) => {
          const crop = Math.min(wanted, Math.ceil(Math.min(height, width) / 2) - 1);
          const image = new Random(`deprocess/${seed}`).normal(3 * height * width, spread / 3, spread);
          const before = image.slice();
          const tile = deprocess(image, { height, width, crop });
          const wantedBytes = double(image, height, width, crop);
          expect(tile.data).toHaveLength(wantedBytes.length);
          expect([tile.width, tile.height]).toEqual([width - 2 * crop, height - 2 * crop]);
          for (const [i, value] of wantedBytes.entries()) {
            // Float32 against float64 can only differ where truncation is a hair away.
            expect([Math.trunc(value - 1e-3), Math.trunc(value + 1e-3)]).toContain(tile.data[i]);
          }
          expect(image).toEqual(before);
        },
      ),
      { seed: 20260801, numRuns: 100 },
    );
  });

  it('cuts 180x180 to 130x130 by default', () => {
    const tile = deprocess(new Random('seed').uniform(3 * 180 * 180, -0.125, 0.125), { height: 180, width: 180 });
    expect([tile.width, tile.height]).toEqual([130, 130]);
  });

  it('makes a flat image mid-grey and what is not a number black', () => {
    expect([...deprocess(new Float32Array(3).fill(7), { height: 1, width: 1, crop: 0 }).data]).toEqual([127, 127, 127]);
    expect([...deprocess(new Float32Array(3).fill(NaN), { height: 1, width: 1, crop: 0 }).data]).toEqual([0, 0, 0]);
  });

  it.each([
    [{ height: 50, width: 60, crop: 25 }, 'bad-option', 'choose a whole number from 0 to 24'],
    [{ height: 51, width: 60, crop: 26 }, 'bad-option', 'from 0 to 25'],
    [{ height: 50, width: 60, crop: 1.5 }, 'bad-option', 'crop 1.5'],
    [{ height: 50, width: 60, crop: -1 }, 'bad-option', 'crop -1'],
    [{ height: 60, width: 60, deviation: NaN }, 'bad-option', 'deviation NaN'],
  ])('explains %o', (options, code, words) => {
    const image = new Float32Array(3 * options.height * options.width);
    expect(() => deprocess(image, options)).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(words) }),
    );
  });

  it('explains an image of another size', () => {
    expect(() => deprocess(new Float32Array(7), { height: 60, width: 60 })).toThrow(
      expect.objectContaining({ code: 'shape', message: expect.stringContaining('7 values') }),
    );
  });
});

describe('rescaleLikeKeras', () => {
  it('gives the bytes that save_img gives', () => {
    const picture = raster(3, 1, Uint8Array.of(10, 20, 30, 200, 100, 57, 90, 11, 12));
    expect([...rescaleLikeKeras(picture).data]).toEqual([0, 13, 26, 255, 120, 63, 107, 1, 2]);
  });

  it('is the identity where 0 and 255 are present, for every byte between', () => {
    const all = raster(
      1,
      86,
      Uint8Array.from({ length: 258 }, (_, i) => Math.min(i, 255)),
    );
    expect(rescaleLikeKeras(all)).toEqual(all);
  });

  it('makes a flat picture black', () => {
    expect([...rescaleLikeKeras(raster(1, 1, Uint8Array.of(9, 9, 9))).data]).toEqual([0, 0, 0]);
  });
});

describe('an image of other channels', () => {
  const plane = Float32Array.from({ length: 16 }, (_, i) => Math.sin(i * 3));
  const size = { height: 4, width: 4, crop: 1 };
  it('of one is grey', () => {
    const thrice = Float32Array.from([...plane, ...plane, ...plane]);
    expect([...deprocess(plane, size).data]).toEqual([...deprocess(thrice, size).data]);
  });

  it('of more than three shows the first three, and repeats the last of two', () => {
    const zeros = new Float32Array(16);
    const bytes = [...deprocess(Float32Array.from([...plane, ...zeros, ...zeros, ...plane]), size).data];
    expect(bytes.filter((_, i) => i % 3 === 1)).toEqual(bytes.filter((_, i) => i % 3 === 2));
    expect(bytes.filter((_, i) => i % 3 === 0)).not.toEqual(bytes.filter((_, i) => i % 3 === 1));
    const two = [...deprocess(Float32Array.from([...zeros, ...plane]), size).data];
    expect(two.filter((_, i) => i % 3 === 1)).toEqual(two.filter((_, i) => i % 3 === 2));
  });

  it('must be whole', () => {
    expect(() => deprocess(new Float32Array(17), size)).toThrow('deprocess: 17 values do not fill planes of [4, 4]');
    expect(() => deprocess(new Float32Array(0), size)).toThrow('deprocess: 0 values do not fill planes of [4, 4]');
  });
});
