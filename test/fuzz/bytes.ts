/** @file Damage to the bytes of any file. */
import type { Random } from '../../src/random.ts';

/** A file damaged, and how. */
export interface Damaged {
  readonly bytes: Uint8Array;
  readonly how: string;
}

/** One of `list`. */
export function pick<T>(random: Random, list: readonly T[]): T {
  return list[random.integer(list.length)]!;
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

function flipped(random: Random, bytes: Uint8Array): Damaged {
  const out = bytes.slice();
  const count = 1 + random.integer(8);
  for (let i = 0; i < count; i++) out[random.integer(out.length)]! ^= 1 << random.integer(8);
  return { bytes: out, how: `${count} bits flipped` };
}

function overwritten(random: Random, bytes: Uint8Array): Damaged {
  const out = bytes.slice();
  const length = Math.min(out.length, 1 + random.integer(16));
  const at = random.integer(out.length - length + 1);
  const value = pick(random, [0x00, 0xff, 0x7f, 0x80, undefined]);
  for (let i = 0; i < length; i++) out[at + i] = value ?? random.integer(256);
  return { bytes: out, how: `${length} bytes overwritten at ${at}` };
}

function truncated(random: Random, bytes: Uint8Array): Damaged {
  const length = random.integer(bytes.length);
  return { bytes: bytes.slice(0, length), how: `cut to ${length} of ${bytes.length} bytes` };
}

function removed(random: Random, bytes: Uint8Array): Damaged {
  const at = random.integer(bytes.length);
  const length = Math.min(bytes.length - at, 1 + random.integer(64));
  return { bytes: joined(bytes.subarray(0, at), bytes.subarray(at + length)), how: `${length} bytes removed at ${at}` };
}

function inserted(random: Random, bytes: Uint8Array): Damaged {
  const at = random.integer(bytes.length);
  const from = random.integer(bytes.length);
  const piece = bytes.subarray(from, from + 1 + random.integer(64));
  return {
    bytes: joined(bytes.subarray(0, at), piece, bytes.subarray(at)),
    how: `${piece.length} bytes of itself put in at ${at}`,
  };
}

/** Numbers at which sizes, offsets and counts tend to go wrong. */
export const HOSTILE: readonly bigint[] = [
  0n,
  1n,
  -1n,
  2n,
  -2n,
  7n,
  255n,
  65535n,
  65536n,
  2n ** 20n,
  2n ** 24n + 1n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 62n,
  2n ** 63n - 1n,
  -(2n ** 31n),
  -(2n ** 63n),
];

/** A little-endian whole number, as formats with fixed-width fields have them, replaced by a hostile one. */
function numbered(random: Random, bytes: Uint8Array): Damaged {
  const width = pick(random, [1, 2, 4, 8] as const);
  if (bytes.length < width) return truncated(random, bytes);
  const out = bytes.slice();
  const at = random.integer(out.length - width + 1);
  const value = pick(random, HOSTILE);
  for (let i = 0; i < width; i++) out[at + i] = Number(BigInt.asUintN(8, value >> BigInt(8 * i)));
  return { bytes: out, how: `the ${width} bytes at ${at} set to ${value}` };
}

const damages = [flipped, flipped, overwritten, truncated, removed, inserted, numbered];

/** Damages bytes in one of many ways, sometimes in two. */
export function damage(random: Random, bytes: Uint8Array): Damaged {
  let result: Damaged = { bytes, how: 'nothing changed' };
  const ways: string[] = [];
  for (let i = 0; i < (random.integer(4) === 0 ? 2 : 1); i++) {
    if (result.bytes.length === 0) break;
    result = pick(random, damages)(random, result.bytes);
    ways.push(result.how);
  }
  return { bytes: result.bytes, how: ways.join(', ') };
}

/** The beginning of one file and the end of another. */
export function spliced(random: Random, a: Uint8Array, b: Uint8Array): Damaged {
  const head = random.integer(a.length);
  const tail = random.integer(b.length);
  return { bytes: joined(a.subarray(0, head), b.subarray(tail)), how: `cut at ${head} and continued with another` };
}
