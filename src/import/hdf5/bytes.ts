/** @file Bytes at an address: every read is checked against the end of the file, so a damaged file ends in an error. */
import { PhospheneError } from '../../errors.ts';

/** Where the bytes come from: a file that is read piecewise, or a buffer. `read` is only called inside [0, size). */
export interface ByteSource {
  /** What messages call it: a path or an address. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
}

/** A source over bytes in memory. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return { name, size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/**
 * The same source with an end to what is read of it: some megabytes and a few times its length. Honest structures lie side by
 * side and are read about once; hostile ones point at the same bytes again and again, and a small file would take for ever.
 */
export function metered(source: ByteSource): ByteSource {
  let left = MOST_READ + MOST_READINGS * source.size;
  return {
    name: source.name,
    size: source.size,
    read(offset, length) {
      left -= length;
      if (left < 0)
        throw damaged(source.name, 'its HDF5 structures refer to the same bytes again and again; it is damaged');
      return source.read(offset, length);
    },
  };
}
const MOST_READ = 4 * 2 ** 20;
const MOST_READINGS = 4;

/** A `bad-file` error: `PATH: what is wrong`. */
export function damaged(name: string, what: string, details: Record<string, unknown> = {}): PhospheneError {
  return new PhospheneError('bad-file', `${name}: ${what}`, { path: name, ...details });
}

/** The bytes of one block, read front to back, little-endian. */
export class Cursor {
  readonly #name: string;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at = 0;

  constructor(name: string, bytes: Uint8Array) {
    this.#name = name;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.at;
  }

  take(count: number): Uint8Array {
    if (count > this.left)
      throw damaged(this.#name, 'an HDF5 structure ends early; the file is damaged, fetch or save it again');
    this.at += count;
    return this.#bytes.subarray(this.at - count, this.at);
  }

  skip(count: number): this {
    this.take(count);
    return this;
  }

  u8(): number {
    return this.take(1)[0]!;
  }

  u16(): number {
    this.take(2);
    return this.#view.getUint16(this.at - 2, true);
  }

  u32(): number {
    this.take(4);
    return this.#view.getUint32(this.at - 4, true);
  }

  /** A length: more than 2^53 cannot be meant. */
  u64(): number {
    this.take(8);
    const value = this.#view.getBigUint64(this.at - 8, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw damaged(this.#name, `an HDF5 length says ${value}; the file is damaged`);
    return Number(value);
  }

  /** An address, or undefined if HDF5 stores its "nowhere" (all bits set). */
  address(): number | undefined {
    this.take(8);
    const value = this.#view.getBigUint64(this.at - 8, true);
    return value === 0xffff_ffff_ffff_ffffn ? undefined : Number(value);
  }

  /** An unsigned integer of 1, 2, 4 or 8 bytes. */
  unsigned(bytes: number): number {
    return bytes === 1 ? this.u8() : bytes === 2 ? this.u16() : bytes === 4 ? this.u32() : this.u64();
  }

  expect(signature: string): this {
    const found = String.fromCharCode(...this.take(signature.length));
    if (found !== signature)
      throw damaged(this.#name, `an HDF5 block should start with ${signature} and does not; the file is damaged`);
    return this;
  }
}

/** A cursor over `length` bytes at `address`. */
export function cursorAt(source: ByteSource, address: number | undefined, length: number): Cursor {
  return new Cursor(source.name, bytesAt(source, address, length));
}

/** `length` bytes at `address`, or `bad-file` if they do not lie inside the file. */
export function bytesAt(source: ByteSource, address: number | undefined, length: number): Uint8Array {
  if (address === undefined || !(address >= 0) || !(length >= 0) || address + length > source.size) {
    throw damaged(
      source.name,
      `refers to ${length} bytes at ${address ?? 'nowhere'}, outside the file of ${source.size} bytes; the file is damaged`,
    );
  }
  return source.read(address, length);
}

/** Text of a fixed-length or variable-length HDF5 string, without its padding. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
