/** @file PNG files: round trips, identical bytes, and every way in which a file can be broken. */
import { encode } from 'fast-png';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { asciiJson, decodePng, encodePng } from '../../src/output/png.ts';
import { raster } from '../../src/output/raster.ts';
import { Random } from '../../src/random.ts';

const tile = raster(
  7,
  5,
  Uint8Array.from({ length: 105 }, (_, i) => (i * 37) % 256),
);

describe('encodePng and decodePng', () => {
  it('give back what went in, JSON of any characters included, in the same bytes each time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer(),
        fc.string({ unit: 'binary' }),
        (width, height, seed, words) => {
          const data = Uint8Array.from(new Random(`png/${seed}`).uniform(3 * width * height, 0, 256));
          const text = { phosphene: asciiJson({ words }), Title: 'é ü' };
          const bytes = encodePng(raster(width, height, data), text);
          const back = decodePng(bytes);
          expect(back).toEqual({ raster: { width, height, data }, text });
          expect(JSON.parse(back.text['phosphene']!)).toEqual({ words });
          // Another order of keywords and another view of the bytes change nothing.
          expect(encodePng(back.raster, { Title: text.Title, phosphene: text.phosphene })).toEqual(bytes);
          const padded = new Uint8Array(bytes.length + 9);
          padded.set(bytes, 5);
          expect(decodePng(padded.subarray(5, 5 + bytes.length))).toEqual(back);
        },
      ),
      { seed: 20260801, numRuns: 30 },
    );
  });

  it('owns no more memory than the file', () => {
    const bytes = encodePng(tile);
    expect(bytes.buffer.byteLength).toBe(bytes.length);
  });

  it('knows every damaged or shortened file', () => {
    const bytes = encodePng(tile, { phosphene: '{"key":"abc"}' });
    for (let end = 0; end < bytes.length; end++) {
      expect(() => decodePng(bytes.subarray(0, end)), `cut at ${end}`).toThrow(
        expect.objectContaining({ name: 'PhospheneError', code: 'bad-file' }),
      );
    }
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 0x10;
      expect(() => decodePng(damaged), `flipped at ${at}`).toThrow(expect.objectContaining({ code: 'bad-file' }));
    }
  });

  it('survives a stranger’s bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (junk) => {
        const bytes = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, ...junk);
        try {
          decodePng(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(PhospheneError);
          expect(error).toMatchObject({ code: 'bad-file' });
        }
      }),
      { seed: 20260801, numRuns: 300 },
    );
  });

  it('refuses a header that asks for more memory than a picture needs', () => {
    const bytes = encodePng(tile);
    new DataView(bytes.buffer).setUint32(16, 0xffffffff);
    expect(() => decodePng(bytes)).toThrow('4294967295x5 pixels');
  });

  it('reads grey, alpha, 16 bits and palettes as RGB', () => {
    const read = (image: Parameters<typeof encode>[0]): number[] => [...decodePng(encode(image)).raster.data];
    expect(read({ width: 2, height: 1, channels: 1, data: Uint8Array.of(9, 200) })).toEqual([9, 9, 9, 200, 200, 200]);
    expect(read({ width: 1, height: 1, channels: 2, data: Uint8Array.of(9, 200) })).toEqual([9, 9, 9]);
    expect(read({ width: 1, height: 1, channels: 4, data: Uint8Array.of(1, 2, 3, 4) })).toEqual([1, 2, 3]);
    const deep = Uint16Array.of(0x1234, 0x5678, 0x9abc);
    expect(read({ width: 1, height: 1, channels: 3, depth: 16, data: deep })).toEqual([0x12, 0x56, 0x9a]);
    const palette = [
      [1, 2, 3],
      [4, 5, 6],
    ];
    const indexed = { width: 2, height: 1, channels: 1, depth: 8 as const, palette };
    expect(read({ ...indexed, data: Uint8Array.of(1, 0) })).toEqual([4, 5, 6, 1, 2, 3]);
    // An index that the palette lacks is the file's fault.
    expect(() => read({ ...indexed, data: Uint8Array.of(1, 7) })).toThrow(
      expect.objectContaining({ code: 'bad-file' }),
    );
  });

  it.each([
    [{ '': 'x' }, 'is no keyword'],
    [{ ' a': 'x' }, 'is no keyword'],
    [{ [String('k').repeat(80)]: 'x' }, 'is no keyword'],
    [{ note: 'π' }, 'outside printable Latin-1'],
    [{ note: 'a\0b' }, 'outside printable Latin-1'],
  ])('refuses text that a chunk cannot hold (%#)', (text: Record<string, string>, words) => {
    expect(() => encodePng(tile, text)).toThrow(
      expect.objectContaining({ code: 'bad-option', message: expect.stringContaining(words) }),
    );
  });
});
