/** @file PNG files: round trips, identical bytes, and every way in which a file can be broken. */
import { deflateSync } from 'node:zlib';
import { convertIndexedToRgb, decode, encode } from 'fast-png';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { asciiJson, decodePng, encodePng, type ExpectedPicture } from '../../src/output/png.ts';
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

  it('keep alpha', () => {
    const seen = raster(2, 1, Uint8Array.of(1, 2, 3, 4, 5, 6), Uint8Array.of(0, 130));
    const bytes = encodePng(seen, { a: 'b' });
    expect(decodePng(bytes)).toEqual({ raster: seen, text: { a: 'b' } });
    expect([...decode(bytes).data]).toEqual([1, 2, 3, 0, 4, 5, 6, 130]);
    expect(() => raster(2, 1, new Uint8Array(6), new Uint8Array(6))).toThrow(
      expect.objectContaining({ code: 'shape', message: expect.stringContaining('6 bytes of alpha') }),
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

type Chunk = readonly [type: string, body: Uint8Array];

/** CRC-32, bit by bit: Node has one only from 20.15 on. */
function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** A PNG file of these chunks, each with a correct checksum. */
function png(...chunks: readonly Chunk[]): Uint8Array {
  const parts = chunks.map(([type, body]) => {
    const chunk = Buffer.alloc(12 + body.length);
    chunk.writeUInt32BE(body.length, 0);
    chunk.write(type, 4, 'latin1');
    chunk.set(body, 8);
    chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + body.length)), 8 + body.length);
    return chunk;
  });
  return new Uint8Array(Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...parts]));
}

function header(width: number, height: number, more: readonly number[] = [8, 2, 0, 0, 0]): Chunk {
  const body = Buffer.alloc(13);
  body.writeUInt32BE(width, 0);
  body.writeUInt32BE(height, 4);
  body.set(more, 8);
  return ['IHDR', body];
}
const data = (raw: Uint8Array): Chunk => ['IDAT', deflateSync(raw)];
const text = (keyword: string, words: string): Chunk => ['tEXt', Buffer.from(`${keyword}\0${words}`, 'latin1')];
const end: Chunk = ['IEND', new Uint8Array(0)];
/** A black picture of 2x2 pixels: two rows of a filter and six bytes. */
const black = data(new Uint8Array(14));
const bomb = deflateSync(new Uint8Array(2 ** 28));

/** The error that a file ends in. */
function refusal(bytes: Uint8Array, expected?: ExpectedPicture): PhospheneError {
  try {
    decodePng(bytes, expected);
  } catch (error) {
    expect(error).toBeInstanceOf(PhospheneError);
    expect(error).toMatchObject({ code: 'bad-file', message: expect.stringMatching(/^PNG file: /) });
    return error as PhospheneError;
  }
  throw new Error('the file was read');
}

describe('decodePng', () => {
  it.each([
    [0, 1],
    [0, 8],
    [0, 16],
    [2, 8],
    [2, 16],
    [3, 1],
    [3, 2],
    [3, 4],
    [3, 8],
    [4, 8],
    [4, 16],
    [6, 8],
    [6, 16],
  ])('agrees with another decoder about every filter: colour type %i, %i bits', (colour, depth) => {
    const random = new Random(`png/${colour}/${depth}`);
    const samples = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[colour]!;
    const palette: Chunk[] =
      colour === 3 ? [['PLTE', Uint8Array.from({ length: 3 * 2 ** depth }, () => random.integer(256))]] : [];
    for (const width of [1, 3, 8, 21]) {
      const rowBytes = Math.ceil((width * samples * depth) / 8);
      const raw = Uint8Array.from({ length: 6 * (1 + rowBytes) }, (_, i) =>
        i % (1 + rowBytes) > 0 ? random.integer(256) : (i / (1 + rowBytes) + 1) % 5,
      );
      const bytes = png(header(width, 6, [depth, colour, 0, 0, 0]), ...palette, data(raw), end);
      const { raster: ours } = decodePng(bytes);
      const theirs = decode(bytes);
      const wide = colour === 3 ? convertIndexedToRgb(theirs) : theirs.data;
      const channels = colour === 3 ? 3 : samples;
      for (let i = 0; i < 3 * 6 * width; i++) {
        const [pixel, c] = [Math.floor(i / 3), i % 3];
        const theirsHere =
          depth === 1 && colour === 0
            ? 255 *
              ((theirs.data[Math.floor(pixel / width) * rowBytes + ((pixel % width) >> 3)]! >>
                (7 - ((pixel % width) & 7))) &
                1)
            : wide[pixel * channels + (channels < 3 ? 0 : c)]! >> (depth === 16 ? 8 : 0);
        if (ours.data[i] !== theirsHere) expect.fail(`width ${width}: byte ${i} is ${ours.data[i]}, not ${theirsHere}`);
      }
    }
  });

  it.each([
    [0, 8],
    [2, 8],
    [2, 16],
    [6, 8],
  ])('agrees with another decoder about interlacing: colour type %i, %i bits', (colour, depth) => {
    const random = new Random(`png/interlaced/${colour}/${depth}`);
    const samples = { 0: 1, 2: 3, 6: 4 }[colour]!;
    // Some passes of small pictures have no pixels.
    for (const [width, height] of [
      [1, 1],
      [3, 2],
      [5, 9],
      [21, 13],
    ] as const) {
      const rows = [
        [0, 0, 8, 8],
        [4, 0, 8, 8],
        [0, 4, 4, 8],
        [2, 0, 4, 4],
        [0, 2, 2, 4],
        [1, 0, 2, 2],
        [0, 1, 1, 2],
      ].flatMap(([left, top, dx, dy]) => {
        const across = Math.max(0, Math.ceil((width - left!) / dx!));
        const down = across === 0 ? 0 : Math.max(0, Math.ceil((height - top!) / dy!));
        return Array.from({ length: down }, () => 1 + (across * samples * depth) / 8);
      });
      const raw = rows.flatMap((length, y) =>
        Array.from({ length }, (_, i) => (i === 0 ? (y + 1) % 5 : random.integer(256))),
      );
      const bytes = png(header(width, height, [depth, colour, 0, 0, 1]), data(Uint8Array.from(raw)), end);
      const theirs = decode(bytes);
      const ours = decodePng(bytes).raster;
      const expected = Array.from({ length: 3 * width * height }, (_, i) => {
        const at = Math.floor(i / 3) * samples + (samples === 1 ? 0 : i % 3);
        return theirs.data[at]! >> (depth === 16 ? 8 : 0);
      });
      expect([...ours.data], `${width}x${height}`).toEqual(expected);
      if (samples === 4) expect([...ours.alpha!]).toEqual([...theirs.data].filter((_, i) => i % 4 === 3));
    }
  });

  it('reads alpha beside the colours, from a channel and from a palette', () => {
    const grey = png(header(2, 1, [8, 4, 0, 0, 0]), data(Uint8Array.of(0, 9, 200, 8, 0)), end);
    expect(decodePng(grey).raster).toEqual(raster(2, 1, Uint8Array.of(9, 9, 9, 8, 8, 8), Uint8Array.of(200, 0)));
    const deep = png(header(1, 1, [16, 6, 0, 0, 0]), data(Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8)), end);
    expect(decodePng(deep).raster).toEqual(raster(1, 1, Uint8Array.of(1, 3, 5), Uint8Array.of(7)));
    const palette: Chunk = ['PLTE', Uint8Array.of(1, 2, 3, 4, 5, 6)];
    const indexed = (...more: Chunk[]): Uint8Array =>
      png(header(2, 1, [8, 3, 0, 0, 0]), palette, ...more, data(Uint8Array.of(0, 1, 0)), end);
    const colours = Uint8Array.of(4, 5, 6, 1, 2, 3);
    // A palette's transparency may be shorter than the palette: the rest is opaque.
    expect(decodePng(indexed(['tRNS', Uint8Array.of(70)])).raster).toEqual(
      raster(2, 1, colours, Uint8Array.of(255, 70)),
    );
    expect(decodePng(indexed()).raster).toEqual(raster(2, 1, colours));
    expect(decodePng(png(header(2, 2), ['tRNS', new Uint8Array(6)], black, end)).raster.alpha).toBeUndefined();
  });

  it('hands out the EXIF data of a picture, and no more than 64 KiB of it', () => {
    expect(decodePng(png(header(2, 2), black, ['eXIf', Uint8Array.of(7, 8)], end)).exif).toEqual(Uint8Array.of(7, 8));
    expect(decodePng(png(header(2, 2), black, ['eXIf', new Uint8Array(2 ** 20)], end)).exif!.length).toBe(2 ** 16);
  });

  it('spreads grey of 2 and 4 bits over the whole range', () => {
    const grey = (depth: number, byte: number, width: number): number[] =>
      [...decodePng(png(header(width, 1, [depth, 0, 0, 0, 0]), data(Uint8Array.of(0, byte)), end)).raster.data].filter(
        (_, i) => i % 3 === 0,
      );
    expect(grey(2, 0b00011011, 4)).toEqual([0, 85, 170, 255]);
    expect(grey(4, 0x0f, 2)).toEqual([0, 255]);
    expect(grey(4, 0x1e, 2)).toEqual([17, 238]);
  });

  it('reads pixels that stand in several chunks', () => {
    const [, whole] = black;
    const parts = [whole.subarray(0, 1), new Uint8Array(0), whole.subarray(1, 7), whole.subarray(7)];
    const bytes = png(header(2, 2), ...parts.map((p): Chunk => ['IDAT', p]), end);
    expect(decodePng(bytes).raster).toEqual(raster(2, 2));
  });

  it.each([
    ['IDAT', png(header(2, 2), ['IDAT', bomb], end), /unfolds into more than 14 bytes/],
    ['IDAT behind the pixels', png(header(2, 2), data(new Uint8Array(15)), end), /unfolds into more than 14 bytes/],
    ['IDAT that is too short', png(header(2, 2), data(new Uint8Array(13)), end), /13 bytes instead of 14/],
    ['a trailer', png(header(2, 2), black, ['IDAT', new Uint8Array(2 ** 20)], end), /more data follows/],
    ['a header', png(header(16000, 16000), black, end), /cannot hold 16000x16000/],
    ['a header of more pixels than can be', png(header(0xffffffff, 5), black, end), /4294967295x5 pixels/],
    [
      'a header of one pixel too many',
      png(header(2 ** 14 + 1, 2 ** 14), black, end),
      /16385x16384 pixels; 1 to 268435456/,
    ],
    ['no width', png(header(0, 2), black, end), /0x2 pixels/],
    ['no height', png(header(2, 0), black, end), /2x0 pixels/],
  ])('never unfolds more than the header says: %s', (_, bytes, message) => {
    const before = process.memoryUsage().arrayBuffers;
    expect(refusal(bytes).message).toMatch(message);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(150 * 2 ** 20);
  });

  it.each(['iCCP', 'zTXt', 'iTXt'])('does not open a compressed chunk that it has no use for (%s)', (type) => {
    const head = Buffer.from(type === 'iTXt' ? 'p\0\x01\0\0\0' : 'p\0\0', 'latin1');
    const chunk: Chunk = [type, Buffer.concat([head, bomb])];
    const before = process.memoryUsage().arrayBuffers;
    expect(decodePng(png(header(2, 2), chunk, chunk, chunk, black, end))).toEqual({ raster: raster(2, 2), text: {} });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 2 ** 20);
  });

  it('refuses a picture of another size before it looks at its pixels', () => {
    const bytes = png(header(2, 2), ['IDAT', bomb], end);
    expect(refusal(bytes, { width: 3, height: 2 }).message).toBe('PNG file: is 2x2 pixels and should be 3x2');
    expect(refusal(bytes, { height: 4 }).message).toContain('should be 2x4');
    expect(decodePng(png(header(2, 2), black, end), { width: 2, height: 2 }).raster.width).toBe(2);
  });

  it('keeps the texts of strangers apart from its own objects', () => {
    const found = decodePng(png(header(2, 2), text('__proto__', '{}'), text('a', 'é'), black, text('b', ''), end)).text;
    expect(Object.entries(found)).toEqual([
      ['__proto__', '{}'],
      ['a', 'é'],
      ['b', ''],
    ]);
    expect(found['constructor']).toBeUndefined();
    expect(Object.getPrototypeOf({})).toBe(Object.prototype);
    const mine = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    expect(Object.entries(decodePng(encodePng(tile, mine)).text)).toEqual([['__proto__', 'x']]);
    // Byte 0x80 is a control character in Latin-1 and the euro sign in Windows' own.
    expect(decodePng(png(header(2, 2), text('k', '\x80'), black, end)).text['k']).toBe('\x80');
  });

  it('bounds the number and the length of texts', () => {
    const some = (count: number): Uint8Array =>
      png(header(2, 2), ...Array.from({ length: count }, (_, i) => text(`k${i}`, 'v')), black, end);
    expect(Object.keys(decodePng(some(256)).text).length).toBe(256);
    expect(refusal(some(257)).message).toContain('more than 256 texts');
    const long = (length: number): Uint8Array => png(header(2, 2), text('k', ' '.repeat(length)), black, end);
    expect(decodePng(long(2 ** 22 - 2)).text['k']!.length).toBe(2 ** 22 - 2);
    expect(refusal(long(2 ** 22 - 1)).message).toContain('4194304 bytes');
  });

  it('takes the first picture of an animation', () => {
    const control = Buffer.alloc(8, 255);
    expect(decodePng(png(header(2, 2), ['acTL', control], black, ['fdAT', bomb], end)).raster).toEqual(raster(2, 2));
  });

  it.each([
    ['has an unknown interlacing', [header(2, 2, [8, 2, 0, 0, 2]), black, end], /unknown kind \(interlacing 2/],
    ['is interlaced and cut short', [header(2, 2, [8, 2, 0, 0, 1]), black, end], /14 bytes instead of 15/],
    ['has an unknown colour type', [header(2, 2, [8, 5, 0, 0, 0]), black, end], /unknown kind \(colour type 5/],
    ['has an impossible depth', [header(2, 2, [4, 2, 0, 0, 0]), black, end], /unknown kind .*4 bits/],
    ['has an unknown compression', [header(2, 2, [8, 2, 1, 0, 0]), black, end], /methods 1 and 0/],
    ['has an unknown filter method', [header(2, 2, [8, 2, 0, 1, 0]), black, end], /methods 0 and 1/],
    ['has an unknown filter', [header(2, 2), data(new Uint8Array(14).fill(5)), end], /unknown filter 5/],
    ['has a short header', [['IHDR', new Uint8Array(12)], black, end], /12 bytes instead of 13/],
    ['has no header', [black, end], /one header, at its beginning/],
    ['has two headers', [header(2, 2), header(3, 3), black, end], /one header/],
    ['has no pixels', [header(2, 2), end], /no pixels/],
    ['does not end', [header(2, 2), black], /cut short/],
    ['has an unknown critical chunk', [header(2, 2), ['CgBI', new Uint8Array(4)], black, end], /"CgBI" chunk/],
    ['has a chunk without a name', [header(2, 2), ['\x1b[2J', new Uint8Array(4)], black, end], /no name/],
    ['has a text without a keyword', [header(2, 2), text('', 'v'), black, end], /without a keyword/],
    ['has a keyword of 80 letters', [header(2, 2), text('k'.repeat(80), 'v'), black, end], /without a keyword/],
    ['has a text without an end of its keyword', [header(2, 2), ['tEXt', Buffer.from('abc')], black, end], /keyword/],
    ['has no palette', [header(2, 2, [8, 3, 0, 0, 0]), data(new Uint8Array(6)), end], /palette has 0 bytes/],
    [
      'has a palette of 257 colours',
      [header(2, 2, [8, 3, 0, 0, 0]), ['PLTE', new Uint8Array(771)], data(new Uint8Array(6)), end],
      /771 bytes/,
    ],
    [
      'has a palette of a colour and a third',
      [header(2, 2, [8, 3, 0, 0, 0]), ['PLTE', new Uint8Array(4)], data(new Uint8Array(6)), end],
      /4 bytes/,
    ],
  ] as readonly (readonly [string, readonly Chunk[], RegExp])[])('refuses a file that %s', (_, chunks, message) => {
    expect(refusal(png(...chunks)).message).toMatch(message);
  });
});
