/** @file The record of a picture: what is kept, and everything that is not. */
import { encode } from 'fast-png';
import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { asciiJson, decodePng, encodePng } from '../../src/output/png.ts';
import { raster } from '../../src/output/raster.ts';
import { activationOf, decodePicture, encodePicture, mostBytes, type PictureRecord } from '../../src/render/record.ts';
import { pictureOf, series } from '../runs/fake.ts';
import { chunk, chunksOf, pngOf } from '../runs/png.ts';

const expected = series().expected(3);
const { channel: _, ...picture } = pictureOf(series(), 3);
const bytes = encodePicture(expected, picture);
const record = JSON.parse(decodePng(bytes).text['phosphene']!) as PictureRecord;
const withText = (phosphene: string, pixels = picture.raster): Uint8Array =>
  encodePng(pixels, { Software: 'phosphene', phosphene });
const withRecord = (changes: object | null): Uint8Array => withText(asciiJson(changes && { ...record, ...changes }));

describe('decodePicture', () => {
  it('gives back what was encoded, the same bytes each time', () => {
    expect(decodePicture(bytes, expected)).toEqual(picture);
    expect(encodePicture(expected, picture)).toEqual(bytes);
    const odd = { ...picture, losses: [1.5, NaN, Infinity], diagnosis: { status: 'not-finite', plain: null } as const };
    expect(decodePicture(encodePicture(expected, odd), expected)).toEqual({ ...odd, losses: [1.5, null, null] });
  });

  it('takes fewer losses than steps if patience may have ended', () => {
    const patient = { ...expected, recipe: { ...expected.recipe, patience: 2 } };
    const kept = (losses: readonly number[]) =>
      decodePicture(encodePicture(patient, { ...picture, losses }), patient)?.losses;
    expect(kept([1, 2])).toEqual([1, 2]);
    expect(kept([1])).toEqual([1]);
    expect(kept([1, 2, 3])).toEqual([1, 2, 3]);
    expect(kept([1, 2, 3, 4])).toBeUndefined();
    expect(kept([])).toBeUndefined();
    const still = { ...patient, recipe: { ...patient.recipe, steps: 0 } };
    expect(decodePicture(encodePicture(still, { ...picture, losses: [] }), still)?.losses).toEqual([]);
  });

  it('keeps a record that is spelled in another order', () => {
    const reversed = Object.fromEntries(Object.entries(record).reverse());
    expect(decodePicture(withText(asciiJson(reversed)), expected)).toEqual(picture);
  });

  it.each<[string, object | null]>([
    ['no record', null],
    ['another format', { format: 'phosphene-picture/1' }],
    ['no format', { format: undefined }],
    ['another algorithm', { algorithm: record.algorithm + 1 }],
    ['another digest', { digest: 'f'.repeat(64) }],
    ['another preset', { preset: 'lucid' }],
    ['another seed', { recipe: { ...record.recipe, seed: 1 } }],
    ['another channel', { recipe: { ...record.recipe, objective: { ...record.recipe.objective, channel: 4 } } }],
    ['a channel as text', { recipe: { ...record.recipe, objective: { ...record.recipe.objective, channel: '3' } } }],
    ['other weights', { recipe: { ...record.recipe, model: { name: 'toy', digest: 'f'.repeat(64) } } }],
    ['a model without a name', { recipe: { ...record.recipe, model: { digest: record.recipe.model.digest } } }],
    ['a model with more', { recipe: { ...record.recipe, model: { ...record.recipe.model, more: 1 } } }],
    ['no model', { recipe: { ...record.recipe, model: null } }],
    ['no recipe', { recipe: null }],
    ['other pixels', { pixels: '0'.repeat(64) }],
    ['no pixels', { pixels: undefined }],
    ['a version that is none', { version: 1 }],
    ['losses null', { losses: null }],
    ['losses a number', { losses: 5 }],
    ['losses an object', { losses: { at: 1, length: 3 } }],
    ['no losses', { losses: undefined }],
    ['losses of text', { losses: ['1', '2', '3'] }],
    ['too few losses', { losses: record.losses.slice(1), activation: record.losses[2] }],
    ['too many losses', { losses: [0, ...record.losses] }],
    ['another activation', { activation: 0 }],
    ['a status that nobody knows', { status: 'bad luck' }],
    ['a status of every object', { status: '__proto__' }],
    ['a status that is no word', { status: { a: 1 } }],
    ['no status', { status: undefined }],
    ['a plain activation that is no number', { plain: '1' }],
    ['no plain activation', { plain: undefined }],
    ['more than we write', { more: true }],
  ])('does not keep %s', (name, changes) => expect(decodePicture(withRecord(changes), expected), name).toBeUndefined());

  it.each([
    ['an array', '[1]'],
    ['text', '"x"'],
    ['no JSON', '{'],
    ['infinite losses', asciiJson(record).replace(/"losses":\[[^,]*/, '"losses":[1e999')],
    ['deep nesting', '['.repeat(3000)],
  ])('does not keep a record that is %s', (_name, text) =>
    expect(decodePicture(withText(text), expected)).toBeUndefined(),
  );

  it('keeps no pixels but those that the record was made of', () => {
    const data = picture.raster.data.slice();
    data[17]! ^= 1;
    const text = { Software: 'phosphene', phosphene: asciiJson(record) };
    expect(decodePicture(withText(text.phosphene), expected)).toEqual(picture);
    expect(decodePicture(withText(text.phosphene, raster(12, 8, data)), expected)).toBeUndefined();
    expect(decodePicture(withText(text.phosphene, raster(8, 12, picture.raster.data)), expected)).toBeUndefined();
    expect(decodePicture(withText(text.phosphene, raster(5, 5)), expected)).toBeUndefined();
    // The same samples in another kind of PNG.
    const deep = Uint16Array.from(picture.raster.data, (sample) => sample * 257);
    const other = encode({ width: 12, height: 8, channels: 3, depth: 16, data: deep, text });
    expect(decodePng(other).raster).toEqual(picture.raster);
    expect(decodePicture(other, expected)).toBeUndefined();
  });

  it('keeps no file that is cut short or has one bit changed', () => {
    for (let end = 0; end < bytes.length; end++)
      expect(decodePicture(bytes.subarray(0, end), expected)).toBeUndefined();
    for (let at = 0; at < bytes.length; at++) {
      const damaged = bytes.slice();
      damaged[at]! ^= 1 << (at % 8);
      expect(decodePicture(damaged, expected), `bit of byte ${at}`).toBeUndefined();
    }
    expect(decodePicture(Uint8Array.of(...bytes, 0), expected)).toBeUndefined();
  });

  const bomb = deflateSync(new Uint8Array(1 << 21), { level: 9 });
  const [head, ...rest] = chunksOf(bytes);
  const inserted = (type: string, data: Uint8Array): Uint8Array => pngOf([head!, [type, data], ...rest]);
  it.each([
    ['iCCP', Buffer.concat([Buffer.from('p\0\0'), bomb])],
    ['zTXt', Buffer.concat([Buffer.from('p\0\0'), bomb])],
    ['iTXt', Buffer.concat([Buffer.from('p\0\x01\0\0\0'), bomb])],
    ['acTL', Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])],
    ['gAMA', Buffer.from([0, 0, 0, 1])],
    ['fAKE', Buffer.from('x')],
    ['tEXt', Buffer.from('note\0x')],
    ['tEXt', Buffer.from('phosphene\0{}')],
  ])('keeps no file with a chunk %s, and does not look into it', (type, data) => {
    const found = inserted(type, data);
    expect(found.length).toBeLessThan(mostBytes(expected));
    expect(decodePicture(found, expected)).toBeUndefined();
  });

  it('keeps no file whose pixels inflate to more than they should, that is interlaced, or has no pixels', () => {
    const others = rest.filter(([type]) => type !== 'IDAT');
    expect(decodePicture(pngOf([head!, ['IDAT', bomb], ...others]), expected)).toBeUndefined();
    expect(decodePicture(pngOf([head!, ...others]), expected)).toBeUndefined();
    const texts = rest.filter(([type]) => type === 'tEXt');
    const pixels = rest.filter(([type]) => type !== 'tEXt');
    for (const text of [[texts[0]!], [texts[1]!], [texts[1]!, texts[1]!], []])
      expect(decodePicture(pngOf([head!, ...text, ...pixels]), expected)).toBeUndefined();
    const interlaced = Buffer.from(head![1]);
    interlaced[12] = 1;
    expect(decodePicture(pngOf([['IHDR', interlaced], ...rest]), expected)).toBeUndefined();
    const huge = Buffer.from(head![1]);
    huge.writeUInt32BE(16000, 0);
    expect(decodePicture(pngOf([['IHDR', huge], ...rest]), expected)).toBeUndefined();
  });

  it('keeps no file of more bytes than such a picture can have', () => {
    const padded = (length: number): Uint8Array => {
      const least = withRecord({ version: '' }).length;
      return withRecord({ version: 'v'.repeat(length - least) });
    };
    const most = mostBytes(expected);
    expect(padded(most).length).toBe(most);
    expect(decodePicture(padded(most), expected)).toEqual(picture);
    expect(decodePicture(padded(most + 1), expected)).toBeUndefined();
  });
});

describe('mostBytes', () => {
  it('has room for the longest of records, and not much more', () => {
    const steps = 2000;
    const long = series({ steps, size: 64, finish: { crop: 0 } }).expected(0);
    const data = Uint8Array.from({ length: 3 * 64 * 64 }, (_v, i) => (i * i * 7919) >> 5);
    const losses = Array.from({ length: steps }, () => -Number.MIN_VALUE - 1.2345678901234e-300);
    const found = encodePicture(long, {
      raster: raster(64, 64, data),
      losses,
      diagnosis: { status: 'not-rising', plain: losses[0]! },
    });
    expect(found.length).toBeLessThanOrEqual(mostBytes(long));
    expect(mostBytes(long)).toBeLessThan(3 * 64 * 64 + 25 * steps + 10_000);
  });
});

describe('activationOf', () => {
  it('is the last loss, or null', () => {
    expect(activationOf([1, 2])).toBe(2);
    expect(activationOf([])).toBeNull();
    expect(activationOf([1, NaN])).toBeNull();
    expect(activationOf([1, null])).toBeNull();
  });
});

describe('chunk', () => {
  it('makes what the encoder makes', () => expect(pngOf(chunksOf(bytes))).toEqual(Buffer.from(bytes)));
  it('knows the checksum of an end', () =>
    expect(chunk('IEND', Buffer.alloc(0)).toString('hex')).toBe('0000000049454e44ae426082'));
});
