/** @file Photos: what Pillow sees in the same files, all ways to hold a camera, and files that are damaged or mean harm. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { loadCodec, openPhoto } from '../../src/hub/photo.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { type Raster, raster } from '../../src/output/raster.ts';
import { orientationOf, upright } from '../../src/photo/exif.ts';
import { inspect } from '../../src/photo/header.ts';
import { photoDigest, photoRaster, photoTensor, readPhoto } from '../../src/photo/photo.ts';
import { resize } from '../../src/photo/resize.ts';

const folder = join(import.meta.dirname, 'files');
const file = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));
const read = (bytes: Uint8Array, name = 'photo'): Promise<Raster> => readPhoto(bytes, { name, loadCodec });

/** What Pillow sees in the files: test/photo/make_files.py. */
const pillow = JSON.parse(readFileSync(join(folder, 'pillow.json'), 'utf8')) as Readonly<
  Record<string, { readonly width: number; readonly height: number; readonly mode: string; readonly data: string }>
>;

/** A raster as bytes with alpha, or without. */
function bytesOf({ data, alpha }: Raster, mode: string): number[] {
  if (mode === 'RGB') return [...data];
  return Array.from({ length: (data.length / 3) * 4 }, (_, i) =>
    i % 4 === 3 ? (alpha?.[i >> 2] ?? 255) : data[3 * (i >> 2) + (i % 4)]!,
  );
}

async function failure(work: () => unknown): Promise<PhospheneError> {
  try {
    await work();
  } catch (error) {
    expect(error).toBeInstanceOf(PhospheneError);
    return error as PhospheneError;
  }
  throw new Error('nothing was thrown');
}

describe('readPhoto', () => {
  const readable = Object.keys(pillow).filter((name) => !/print|animated|tif|avif/.test(name));

  it.each(readable)('sees in %s what Pillow sees', async (name) => {
    const { width, height, mode, data } = pillow[name]!;
    const photo = await read(file(name), name);
    expect([photo.width, photo.height]).toEqual([width, height]);
    const theirs = [...Buffer.from(data, 'base64')];
    const ours = bytesOf(photo, mode);
    expect(ours.length).toBe(theirs.length);
    // Decoders may round differently; lossless files have nothing to round.
    const most = /png|lossless|alpha|-6.webp/.test(name) ? 0 : 2;
    const worst = ours.reduce((far, byte, i) => Math.max(far, Math.abs(byte - theirs[i]!)), 0);
    expect(worst).toBeLessThanOrEqual(most);
  });

  it('has alpha only if something is transparent', async () => {
    expect((await read(file('alpha.webp'))).alpha).toBeDefined();
    expect((await read(file('alpha.png'))).alpha).toBeDefined();
    for (const name of ['plain.jpg', 'plain.png', 'plain.webp', 'lossless.webp'])
      expect((await read(file(name))).alpha, name).toBeUndefined();
  });

  it('goes by the content, not by the name', async () => {
    expect((await read(file('plain.webp'), 'photo.jpg')).width).toBe(24);
  });

  it('reads photos at the same time, also beside a damaged one', async () => {
    const names = ['plain.jpg', 'grey.jpg', 'plain.webp', 'progressive.jpg', 'alpha.webp'];
    const together = await Promise.all([
      ...names.map((name) => read(file(name))),
      failure(() => read(file('plain.jpg').subarray(0, 500))),
    ]);
    for (const [i, name] of names.entries()) expect(together[i], name).toEqual(await read(file(name)));
  });

  it('is the same whether the bytes stand alone or in a larger buffer', async () => {
    for (const name of ['orientation-6.jpg', 'orientation-6.webp', 'orientation-6.png']) {
      const bytes = file(name);
      const padded = new Uint8Array(bytes.length + 20);
      padded.set(bytes, 13);
      expect(await read(padded.subarray(13, 13 + bytes.length))).toEqual(await read(bytes));
    }
  });

  it.each([
    ['animated.gif', /^x: is a GIF, which is not read; save it as JPEG, PNG or WebP$/],
    ['photo.tif', /is a TIFF/],
    ['photo.avif', /is an AVIF/],
    ['print.jpg', /for printing \(CMYK\).*save it as RGB/],
    ['animated.webp', /is an animated WebP.*one frame/],
    ['pillow.json', /^x: is no photo: neither JPEG, PNG nor WebP; save it as/],
  ])('says what %s is and what to do', async (name, message) => {
    const error = await failure(() => read(file(name), 'x'));
    expect(error.code).toBe('bad-file');
    expect(error.message).toMatch(message);
    expect(error.details).toMatchObject({ path: 'x' });
  });

  it.each(['plain.jpg', 'progressive.jpg', 'orientation-6.jpg', 'plain.png', 'plain.webp', 'alpha.webp'])(
    'knows %s cut anywhere',
    async (name) => {
      const bytes = file(name);
      const whole = await read(bytes);
      // The end mark of a JPEG is missed too.
      for (let end = 0; end < bytes.length; end += end < 40 ? 1 : 13) {
        const error = await failure(() => read(bytes.subarray(0, end), 'x.jpg'));
        expect(error.code, `cut at ${end}`).toBe('bad-file');
        expect(error.message).toMatch(/^x\.jpg: (damaged|cut short|is no photo)/);
      }
      // Nothing of that disturbs the next photo.
      expect(await read(bytes)).toEqual(whole);
    },
  );

  it.each(['plain.jpg', 'progressive.jpg', 'plain.webp', 'lossless.webp', 'orientation-6.png'])(
    'reads or refuses %s with any byte changed, and says nothing else',
    async (name) => {
      const bytes = file(name);
      for (let at = 0; at < bytes.length; at += 5) {
        const damaged = bytes.slice();
        damaged[at]! ^= 0x55;
        try {
          await read(damaged);
        } catch (error) {
          expect(error).toBeInstanceOf(PhospheneError);
          expect((error as PhospheneError).code).toMatch(/^(bad-file|too-large)$/);
        }
      }
    },
  );
});

/** A JPEG's segments up to its frame, which says this size. */
function jpeg(width: number, height: number, scans = 1): Uint8Array {
  const size = [height >> 8, height & 255, width >> 8, width & 255];
  const frame = [0xff, 0xc2, 0, 11, 8, ...size, 1, 1, 0x11, 0];
  const start = Array.from({ length: scans }, () => [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0]).flat();
  return Uint8Array.of(0xff, 0xd8, 0xff, 0xfe, 0, 3, 7, 0xff, ...frame, ...start);
}

describe('inspect', () => {
  it('knows sizes before anything is decoded', () => {
    expect(inspect(file('plain.jpg'), 'x')).toEqual({ format: 'JPEG', width: 24, height: 16, orientation: 1 });
    expect(inspect(file('orientation-7.jpg'), 'x')).toEqual({ format: 'JPEG', width: 16, height: 24, orientation: 7 });
    expect(inspect(file('plain.webp'), 'x')).toEqual({ format: 'WebP', width: 24, height: 16, orientation: 1 });
    expect(inspect(file('lossless.webp'), 'x')).toEqual({ format: 'WebP', width: 24, height: 16, orientation: 1 });
    expect(inspect(file('orientation-6.webp'), 'x')).toEqual({ format: 'WebP', width: 16, height: 24, orientation: 6 });
    expect(inspect(file('plain.png'), 'x')).toEqual({ format: 'PNG', width: 24, height: 16, orientation: 1 });
    expect(inspect(jpeg(300, 200), 'x')).toMatchObject({ width: 300, height: 200 });
  });

  it('refuses more pixels than are sane, in every format, before they cost memory', async () => {
    expect(inspect(jpeg(8192, 8192), 'x').width).toBe(8192);
    expect(await failure(() => inspect(jpeg(8193, 8192), 'x'))).toMatchObject({
      code: 'too-large',
      message: 'x: has 8193x8192 pixels; up to 67108864 can be read: make it smaller first',
    });
    const png = file('plain.png');
    png.set([0, 1, 0, 0, 0, 1, 0, 0], 16);
    expect((await failure(() => read(png))).code).toBe('too-large');
    const webp = file('lossless.webp');
    webp.set([0xff, 0xff, 0xff, 0x0f], 21);
    expect((await failure(() => read(webp))).message).toContain('has 16384x16384 pixels');
    expect((await failure(() => inspect(jpeg(0, 8), 'x'))).message).toMatch(/damaged.*0x8/);
    expect((await failure(() => inspect(jpeg(8, 0), 'x'))).message).toMatch(/damaged.*8x0/);
  });

  it('refuses a JPEG that asks for endless passes', async () => {
    expect(inspect(jpeg(4096, 4096, 64), 'x').width).toBe(4096);
    const error = await failure(() => inspect(jpeg(4096, 4096, 65), 'x'));
    expect(error.message).toMatch(/4096x4096 pixels are stored in 65 passes/);
  });

  it.each([
    ['no frame before its data', [0xff, 0xd8, 0xff, 0xda, 0, 4, 0, 0], /before its size/],
    ['no marker where one must be', [0xff, 0xd8, 0xff, 0xfe, 0, 2, 1, 1, 1, 1], /marker is not where/],
    ['a segment of no length', [0xff, 0xd8, 0xff, 0xfe, 0, 1, 0, 0], /has no length/],
    ['a frame without a size', [0xff, 0xd8, 0xff, 0xc0, 0, 7, 8, 0, 1, 0, 1], /no size/],
    ['a segment that is longer than the file', [0xff, 0xd8, 0xff, 0xfe, 1, 0, 0, 0], /cut short/],
  ])('refuses a JPEG with %s', async (_, bytes, message) => {
    expect((await failure(() => inspect(Uint8Array.from(bytes), 'x'))).message).toMatch(message);
  });

  it('refuses a WebP without a picture', async () => {
    const bytes = Buffer.from('RIFF\x04\0\0\0WEBP', 'latin1');
    expect((await failure(() => inspect(new Uint8Array(bytes), 'x'))).message).toMatch(/holds no picture/);
  });
});

describe('orientationOf', () => {
  /** EXIF data of one tag, in either order of bytes. */
  const exif = (order: 'II' | 'MM', tag: number, type: number, value: number): Uint8Array => {
    const little = order === 'II';
    const view = new DataView(new ArrayBuffer(26));
    view.setUint16(0, little ? 0x4949 : 0x4d4d);
    view.setUint16(2, 42, little);
    view.setUint32(4, 8, little);
    view.setUint16(8, 1, little);
    view.setUint16(10, tag, little);
    view.setUint16(12, type, little);
    view.setUint32(14, 1, little);
    view.setUint16(18, value, little);
    return new Uint8Array(view.buffer);
  };

  it('reads both orders of bytes, with and without the prefix', () => {
    for (const order of ['II', 'MM'] as const)
      for (const value of [1, 2, 3, 4, 5, 6, 7, 8]) {
        const bytes = exif(order, 0x112, 3, value);
        expect(orientationOf(bytes)).toBe(value);
        expect(orientationOf(Uint8Array.from([...Buffer.from('Exif\0\0'), ...bytes]))).toBe(value);
      }
  });

  it('is upright for anything else', () => {
    const odd = [
      exif('II', 0x112, 3, 0),
      exif('II', 0x112, 3, 9),
      exif('II', 0x112, 4, 6),
      exif('II', 0x113, 3, 6),
      exif('II', 0x112, 3, 6).subarray(0, 20),
      exif('II', 0x112, 3, 6).subarray(0, 7),
      new Uint8Array(0),
      new Uint8Array(30),
    ];
    const elsewhere = exif('II', 0x112, 3, 6);
    elsewhere[4] = 200;
    const noTiff = exif('II', 0x112, 3, 6);
    noTiff[2] = 43;
    for (const bytes of [...odd, elsewhere, noTiff]) expect(orientationOf(bytes)).toBe(1);
  });
});

describe('upright', () => {
  it('turns alpha with its pixels', () => {
    const stored = raster(2, 1, Uint8Array.of(1, 1, 1, 2, 2, 2), Uint8Array.of(10, 20));
    expect(upright(stored, 6)).toEqual(raster(1, 2, Uint8Array.of(1, 1, 1, 2, 2, 2), Uint8Array.of(10, 20)));
    expect(upright(stored, 8)).toEqual(raster(1, 2, Uint8Array.of(2, 2, 2, 1, 1, 1), Uint8Array.of(20, 10)));
    expect(upright(stored, 1)).toBe(stored);
  });
});

describe('photoTensor', () => {
  const picture = raster(2, 1, Uint8Array.of(0, 255, 51, 255, 0, 102));

  it('has values in [-1, 1], plane by plane', () => {
    const { dims, data } = photoTensor(picture);
    expect(dims).toEqual([1, 3, 1, 2]);
    expect([...data].map((v) => Number(v.toFixed(6)))).toEqual([-1, 1, 1, -1, -0.6, -0.2]);
    expect(photoRaster(photoTensor(picture))).toEqual(picture);
  });

  it('is grey for a grey network', () => {
    const { dims, data } = photoTensor(picture, { channels: 1 });
    expect(dims).toEqual([1, 1, 1, 2]);
    expect(data[0]).toBeCloseTo((0.587 * 255 + 0.114 * 51) / 127.5 - 1, 6);
    expect(data[1]).toBeCloseTo((0.299 * 255 + 0.114 * 102) / 127.5 - 1, 6);
    const grey = photoRaster(photoTensor(picture, { channels: 1 })).data;
    expect([...grey]).toEqual([155, 155, 155, 88, 88, 88]);
  });

  it('is mid-grey if it is transparent', () => {
    const seen = raster(2, 1, picture.data, Uint8Array.of(0, 51));
    const values = [...photoTensor(seen).data].map((v) => Number(v.toFixed(6)));
    expect(values).toEqual([0, 0.2, 0, -0.2, 0, -0.04]);
  });

  it('fills another shape with its middle', () => {
    // Four columns: dark, light, dark, dark.
    const wide = raster(4, 1, Uint8Array.of(0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0));
    const { dims, data } = photoTensor(wide, { size: { height: 1, width: 2 } });
    expect(dims).toEqual([1, 3, 1, 2]);
    expect([...data]).toEqual([1, 1, 1, 1, 1, 1]);
    const tall = raster(1, 4, wide.data);
    expect([...photoTensor(tall, { size: { height: 2, width: 1 } }).data]).toEqual([1, 1, 1, 1, 1, 1]);
    expect(photoTensor(wide, { size: { height: 3, width: 5 } }).dims).toEqual([1, 3, 3, 5]);
  });

  it('keeps to [-1, 1] where the filter would leave it', () => {
    const edge = raster(4, 1, Uint8Array.of(0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255));
    const { data } = photoTensor(edge, { size: { height: 3, width: 12 } });
    expect(Math.max(...data)).toBe(1);
    expect(Math.min(...data)).toBe(-1);
  });

  it('refuses other numbers of channels', async () => {
    const error = await failure(() => photoTensor(picture, { channels: 4 }));
    expect(error).toMatchObject({ code: 'bad-option', details: { channels: 4, option: 'start' } });
  });
});

describe('photoDigest', () => {
  it('depends on every value and on the shape', () => {
    const digest = photoDigest(float32([1, 2, 3, 4], [1, 1, 2, 2]));
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
    expect(photoDigest(float32([1, 2, 3, 4], [1, 1, 2, 2]))).toBe(digest);
    expect(photoDigest(float32([1, 2, 3, 4], [1, 1, 1, 4]))).not.toBe(digest);
    expect(photoDigest(float32([1, 2, 3, 5], [1, 1, 2, 2]))).not.toBe(digest);
  });
});

describe('resize', () => {
  const { plane, resized } = JSON.parse(readFileSync(join(folder, 'resized.json'), 'utf8')) as {
    plane: number[];
    resized: { width: number; height: number; values: number[] }[];
  };

  it.each(resized)('agrees with Pillow: 7x5 to $width x $height', ({ width, height, values }) => {
    const two = float32([...plane, ...plane.map((v) => -v)], [1, 2, 5, 7]);
    const { dims, data } = resize(two, { width, height });
    expect(dims).toEqual([1, 2, height, width]);
    for (const [i, value] of [...values, ...values.map((v) => -v)].entries()) expect(data[i]).toBeCloseTo(value, 5);
  });

  it('leaves a picture of that size alone', () => {
    const picture = float32(plane, [1, 1, 5, 7]);
    expect(resize(picture, { width: 7, height: 5 })).toBe(picture);
  });

  it('wants a picture', async () => {
    expect(await failure(() => resize(float32(plane, [5, 7]), { width: 2, height: 2 }))).toMatchObject({
      code: 'shape',
      message: expect.stringContaining('[5, 7] is no picture'),
    });
  });
});

describe('openPhoto', () => {
  it('reads a file', async () => {
    expect(await openPhoto(join(folder, 'plain.jpg'))).toEqual(await read(file('plain.jpg')));
  });

  it('names the file that is missing or wrong', async () => {
    const missing = await failure(() => openPhoto('/no/such/photo.jpg'));
    expect(missing).toMatchObject({ code: 'filesystem', message: expect.stringContaining('/no/such/photo.jpg') });
    const path = join(folder, 'pillow.json');
    expect((await failure(() => openPhoto(path))).message).toContain(`${path}: is no photo`);
  });
});
