/** @file Animations, read back by other decoders. */
import { decodeApng } from 'fast-png';
import omggif from 'omggif';
import { describe, expect, it } from 'vitest';
import { encodeApng } from '../../src/output/apng.ts';
import { encodeGif } from '../../src/output/gif.ts';
import { asciiJson, decodePng, splitChunks } from '../../src/output/png.ts';
import { raster, type Raster } from '../../src/output/raster.ts';

/** Frames of a few plain colours, which 256 colours can say exactly. */
const frames: readonly Raster[] = [0, 1, 2].map((step) =>
  raster(
    6,
    4,
    Uint8Array.from({ length: 72 }, (_, i) => [248, 16, 96, 0][(Math.floor(i / 3) + step) % 4]!),
  ),
);
/** The last comes first. */
const inFile = [frames[2]!, frames[0]!, frames[1]!];
const see = (picture: Raster): Raster => raster(picture.width, picture.height, picture.data);

describe('encodeGif', () => {
  const read = (bytes: Uint8Array) => new omggif.GifReader(Buffer.from(bytes));

  it('shows its pictures one after another, for ever', async () => {
    const gif = read(await encodeGif(frames, { delay: 120, hold: 900 }));
    expect([gif.width, gif.height, gif.numFrames(), gif.loopCount()]).toEqual([6, 4, 3, 0]);
    expect([0, 1, 2].map((i) => gif.frameInfo(i).delay)).toEqual([90, 12, 12]);
    for (const [i, { data }] of inFile.entries()) {
      const rgba = new Uint8Array(4 * 24);
      gif.decodeAndBlitFrameRGBA(i, rgba);
      const worst = Math.max(...Array.from(data, (v, at) => Math.abs(v - rgba[4 * Math.floor(at / 3) + (at % 3)]!)));
      // Five or six bits a colour.
      expect(worst).toBeLessThanOrEqual(8);
    }
    const usual = read(await encodeGif(frames));
    expect([0, 2].map((i) => usual.frameInfo(i).delay)).toEqual([150, 8]);
  });

  it('says how it was made, however long that is', async () => {
    const record = { note: 'x'.repeat(600), layer: 'é' };
    const bytes = await encodeGif(frames, { comment: asciiJson(record) });
    expect(read(bytes).numFrames()).toBe(3);
    const at = Buffer.from(bytes).lastIndexOf(Buffer.of(0x21, 0xfe));
    let [text, next] = ['', at + 2];
    while (bytes[next]! > 0) {
      text += Buffer.from(bytes.subarray(next + 1, next + 1 + bytes[next]!)).toString('latin1');
      next += 1 + bytes[next]!;
    }
    expect(JSON.parse(text)).toEqual(record);
    expect([...bytes.subarray(next)]).toEqual([0, 0x3b]);
    expect(await encodeGif(frames, { comment: asciiJson(record) })).toEqual(bytes);
    await expect(encodeGif(frames, { comment: 'é' })).rejects.toMatchObject({ code: 'bad-option' });
  });

  it('shows a chequerboard through what is transparent', async () => {
    const clear = raster(2, 1, Uint8Array.of(255, 0, 0, 255, 0, 0), Uint8Array.of(0, 255));
    const rgba = new Uint8Array(8);
    read(await encodeGif([clear])).decodeAndBlitFrameRGBA(0, rgba);
    expect(Math.abs(rgba[0]! - 96)).toBeLessThanOrEqual(8);
    expect([...rgba.subarray(4)].map((v) => Math.round(v / 255))).toEqual([1, 0, 0, 1]);
  });

  it('refuses what cannot be', async () => {
    await expect(encodeGif([])).rejects.toMatchObject({ code: 'bad-option' });
    await expect(encodeGif([frames[0]!, raster(4, 6)])).rejects.toMatchObject({
      code: 'shape',
      message: 'animation: picture 1 is 4x6, and the first is 6x4; all must have one size',
    });
    await expect(encodeGif([raster(65_536, 1)])).rejects.toMatchObject({ code: 'too-large' });
    const large = raster(2 ** 13, 2 ** 13);
    await expect(encodeGif(Array.from({ length: 5 }, () => large))).rejects.toMatchObject({ code: 'too-large' });
  });
});

describe('encodeApng', () => {
  it('shows its pictures one after another, for ever, and the last where nothing moves', () => {
    const bytes = encodeApng(frames, { delay: 120, hold: 900 }, { b: 'c', a: asciiJson({ layer: 'é' }) });
    const found = decodeApng(bytes);
    expect([found.width, found.height, found.numberOfFrames, found.numberOfPlays]).toEqual([6, 4, 3, 0]);
    expect(found.frames.map((f) => f.delayNumber / f.delayDenominator)).toEqual([0.9, 0.12, 0.12]);
    for (const [i, { data }] of inFile.entries()) expect([...found.frames[i]!.data]).toEqual([...data]);
    // Whoever knows no animation sees the last picture, and the texts.
    const still = decodePng(bytes);
    expect(still.raster).toEqual(see(frames[2]!));
    expect({ ...still.text }).toEqual({ a: '{"layer":"\\u00e9"}', b: 'c' });
    const types = splitChunks(bytes).map((c) => c.type);
    expect(types.filter((type, i) => type !== types[i - 1])).toEqual([
      'IHDR',
      'acTL',
      'tEXt',
      'fcTL',
      'IDAT',
      'fcTL',
      'fdAT',
      'fcTL',
      'fdAT',
      'IEND',
    ]);
    expect(encodeApng(frames, { delay: 120, hold: 900 }, { b: 'c', a: asciiJson({ layer: 'é' }) })).toEqual(bytes);
    expect(decodeApng(encodeApng(frames)).frames.map((f) => f.delayNumber)).toEqual([1500, 80, 80]);
  });

  it('keeps alpha, of all pictures if of one', () => {
    const clear = raster(6, 4, frames[0]!.data, new Uint8Array(24).fill(9));
    const found = decodeApng(encodeApng([frames[1]!, clear]));
    expect(found.frames.map((f) => [f.data[3], f.data.length])).toEqual([
      [9, 96],
      [255, 96],
    ]);
  });

  it('refuses what cannot be', () => {
    expect(() => encodeApng([])).toThrow(expect.objectContaining({ code: 'bad-option' }));
    expect(() => encodeApng([frames[0]!, raster(6, 5)])).toThrow(expect.objectContaining({ code: 'shape' }));
  });
});
