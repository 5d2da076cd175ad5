/** @file Decompression that knows how much must come. */
import { deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { canHold, inflate } from '../src/inflate.ts';
import { Random } from '../src/random.ts';

const bytes = new Uint8Array(new Random('inflate').uniform(50_000).buffer);
const packed = deflateSync(bytes);

function all(parts: readonly Uint8Array[], length: number): Buffer {
  const out = Buffer.alloc(length);
  let next = 0;
  inflate(parts, length, (piece, at) => {
    if (at !== next) expect.fail(`a piece for ${at} came at ${next}`);
    next += piece.length;
    out.set(piece, at);
  });
  return out;
}

describe('inflate', () => {
  it('gives what was compressed, however it is cut', () => {
    expect(all([packed], bytes.length).equals(bytes)).toBe(true);
    expect(all([packed.subarray(0, 1), packed.subarray(1, 2), packed.subarray(2)], bytes.length).equals(bytes)).toBe(
      true,
    );
    expect(all([deflateSync(bytes, { level: 0 })], bytes.length).equals(bytes)).toBe(true);
    expect(all([deflateSync(new Uint8Array(0))], 0).length).toBe(0);
  });

  it('says by how much the length is missed', () => {
    expect(() => all([packed], bytes.length - 1)).toThrow('unfolds into more than 199999 bytes');
    expect(() => all([packed], bytes.length + 1)).toThrow('unfolds into 200000 bytes instead of 200001');
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['no zlib header', packed.subarray(2)],
    ['data without an end', packed.subarray(0, -5)],
  ])('refuses %s', (_, part) => {
    expect(() => all([part], bytes.length)).toThrow(Error);
  });

  it('passes by a short trailer, and no longer one', () => {
    expect(all([packed, new Uint8Array(100)], bytes.length).equals(bytes)).toBe(true);
    expect(() => all([packed, new Uint8Array(1 << 17)], bytes.length)).toThrow('more data follows its 200000 bytes');
  });

  it('stops a bomb in its first megabytes', () => {
    let taken = 0;
    const bomb = deflateSync(new Uint8Array(2 ** 28));
    expect(() => inflate([bomb], 1000, (piece) => (taken += piece.length))).toThrow('more than 1000 bytes');
    expect(() => inflate([bomb], 2 ** 26, (piece) => (taken += piece.length))).toThrow('more than 67108864 bytes');
    expect(taken).toBeLessThanOrEqual(2 ** 26);
  });
});

describe('canHold', () => {
  it('knows the best that deflate can do', () => {
    expect(canHold(1, 1032)).toBe(true);
    expect(canHold(1, 1033)).toBe(false);
    const zeros = 2 ** 24;
    expect(canHold(deflateSync(new Uint8Array(zeros), { level: 9 }).length, zeros)).toBe(true);
  });
});
