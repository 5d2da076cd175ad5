/** @file The elements of a dataset: compact, contiguous or chunked, with deflate, shuffle and checksum undone. */
import { canHold, inflate } from '../../inflate.ts';
import { bytesAt, type ByteSource, Cursor, damaged } from './bytes.ts';
import { MESSAGE, type Message } from './header.ts';
import { walkTree } from './links.ts';
import { readDataspace, readDatatype, toFloat32 } from './values.ts';

/** Most bytes of one dataset: a typed array of this length is safe everywhere. */
const MOST_BYTES = 2 ** 31 - 1;

/** The shape of a dataset; nothing else is read of it. `what` names it in messages. */
export function shapeOf(source: ByteSource, what: string, messages: readonly Message[]): number[] {
  return readDataspace(source.name, messageOf(source, what, messages, MESSAGE.dataspace));
}

/**
 * The elements as float32, row-major. The shape is checked against the bytes that the file has before memory is taken.
 * `what` names the dataset in messages.
 */
export function readDataset(
  source: ByteSource,
  what: string,
  messages: readonly Message[],
): { dims: readonly number[]; data: Float32Array } {
  const dims = shapeOf(source, what, messages);
  const type = readDatatype(source.name, messageOf(source, what, messages, MESSAGE.datatype));
  if (messages.some((m) => m.type === MESSAGE.externalFiles)) {
    throw damaged(source.name, `${what} keeps its numbers in another file, which is not read`);
  }
  const count = dims.reduce((a, b) => a * b, 1);
  const bytes = count * type.size;
  if (!(bytes <= MOST_BYTES) || !(count * 4 <= MOST_BYTES)) throw tooLong(source, what, dims, bytes);
  if (count === 0) return { dims, data: new Float32Array(0) };
  const raw = rawBytes({ source, what, messages, dims, elementSize: type.size, bytes });
  return { dims, data: toFloat32(source.name, what, type, raw, count) };
}

/** A dataset whose elements are wanted: where it is, its name in messages, its shape, and the bytes that it must have. */
interface Wanted {
  readonly source: ByteSource;
  readonly what: string;
  readonly messages: readonly Message[];
  readonly dims: readonly number[];
  readonly elementSize: number;
  readonly bytes: number;
}

function rawBytes(wanted: Wanted): Uint8Array {
  const { source, what, messages, dims, bytes } = wanted;
  const c = new Cursor(source.name, messageOf(source, what, messages, MESSAGE.layout));
  const version = c.u8();
  const layout = c.u8();
  if (version !== 3 && !(version === 4 && layout < 2)) {
    throw damaged(
      source.name,
      `${what} has an HDF5 layout of version ${version}, which is not read; save the weights with h5py's default \`libver\``,
    );
  }
  if (layout === 0) {
    if (c.u16() !== bytes) throw tooLong(source, what, dims, bytes);
    return c.take(bytes);
  }
  if (layout === 1) {
    const address = c.address();
    if (address === undefined)
      throw damaged(source.name, `${what} was declared but never written; whatever saved the file did not finish`);
    if (bytes > source.size || c.u64() !== bytes) throw tooLong(source, what, dims, bytes);
    return bytesAt(source, address, bytes);
  }
  if (layout === 2) return chunked(wanted, c);
  throw damaged(source.name, `${what} is a virtual dataset or of an unknown layout (${layout}), which is not read`);
}

interface ChunkKey {
  readonly size: number;
  readonly mask: number;
  readonly at: readonly number[];
}

/** `c` stands behind the class of a chunked layout message. */
function chunked({ source, what, messages, dims, elementSize, bytes }: Wanted, c: Cursor): Uint8Array {
  const rank = c.u8() - 1;
  const tree = c.address();
  const chunk = Array.from({ length: rank }, () => c.u32());
  const chunkElements = chunk.reduce((a, b) => a * b, 1);
  const chunkBytes = chunkElements * elementSize;
  const inconsistent = (): never => {
    throw damaged(
      source.name,
      `the chunks of ${what} do not make up its shape [${dims.join(', ')}]; the file is damaged or was not finished`,
    );
  };
  if (rank !== dims.length || rank === 0 || c.u32() !== elementSize || chunk.includes(0)) inconsistent();
  if (!canHold(source.size, bytes) || !(chunkBytes <= MOST_BYTES) || !canHold(source.size, chunkBytes))
    throw tooLong(source, what, dims, bytes);
  if (tree === undefined)
    throw damaged(source.name, `${what} was declared but never written; whatever saved the file did not finish`);
  const filters = readFilters(source, what, messages);

  // Every chunk must be there, once: HDF5 itself would fill a hole with zeros, which are plausible, wrong weights.
  const expected = dims.reduce((product, d, i) => product * Math.ceil(d / chunk[i]!), 1);
  const chunks = new Map<string, { key: ChunkKey; address: number }>();
  walkTree(
    source,
    tree,
    1,
    8 + 8 * (rank + 1),
    (k): ChunkKey => {
      const key = { size: k.u32(), mask: k.u32(), at: Array.from({ length: rank }, () => k.u64()) };
      k.skip(8);
      return key;
    },
    (key, address) => {
      if (key.at.some((a, i) => a % chunk[i]! !== 0 || a >= dims[i]!)) inconsistent();
      chunks.set(key.at.join(), { key, address });
    },
  );
  if (chunks.size !== expected) inconsistent();

  const out = new Uint8Array(bytes);
  for (const { key, address } of chunks.values()) {
    const stored = bytesAt(source, address, key.size);
    const plain = unfilter(source, what, filters, key.mask, stored, chunkBytes, elementSize);
    if (plain.length !== chunkBytes) inconsistent();
    place(plain, chunk, key.at, out, dims, elementSize);
  }
  return out;
}

/** Copies the rows of a chunk that lie inside the dataset. */
function place(
  from: Uint8Array,
  chunk: readonly number[],
  at: readonly number[],
  out: Uint8Array,
  dims: readonly number[],
  elementSize: number,
): void {
  const last = dims.length - 1;
  const rowBytes = Math.min(chunk[last]!, dims[last]! - at[last]!) * elementSize;
  const walk = (axis: number, fromRow: number, outRow: number): void => {
    if (axis === last) {
      const source = fromRow * chunk[last]! * elementSize;
      out.set(from.subarray(source, source + rowBytes), (outRow * dims[last]! + at[last]!) * elementSize);
      return;
    }
    const rows = Math.min(chunk[axis]!, dims[axis]! - at[axis]!);
    for (let i = 0; i < rows; i++) walk(axis + 1, fromRow * chunk[axis]! + i, outRow * dims[axis]! + at[axis]! + i);
  };
  walk(0, 0, 0);
}

interface Filter {
  readonly id: number;
  readonly name: string;
}
const FILTER = { deflate: 1, shuffle: 2, fletcher32: 3 } as const;
const FILTER_NAMES: Readonly<Record<number, string>> = {
  4: 'szip',
  5: 'nbit',
  6: 'scaleoffset',
  32000: 'lzf',
  32001: 'blosc',
  32004: 'lz4',
  32015: 'zstd',
};

function readFilters(source: ByteSource, what: string, messages: readonly Message[]): Filter[] {
  const message = messages.find((m) => m.type === MESSAGE.filters);
  if (message === undefined) return [];
  const c = new Cursor(source.name, message.body);
  const version = c.u8();
  const count = c.u8();
  if (version !== 1 && version !== 2)
    throw damaged(source.name, `the filters of ${what} have version ${version}; the file is damaged`);
  if (version === 1) c.skip(6);
  const filters: Filter[] = [];
  for (let i = 0; i < count; i++) {
    const id = c.u16();
    const nameLength = version === 1 || id >= 256 ? c.u16() : 0;
    c.skip(2);
    const values = c.u16();
    const name = c.take(version === 1 ? nameLength + (-nameLength & 7) : nameLength);
    c.skip(values * 4 + (version === 1 && values % 2 === 1 ? 4 : 0));
    const known: readonly number[] = Object.values(FILTER);
    if (!known.includes(id)) {
      const called = FILTER_NAMES[id] ?? new TextDecoder().decode(name).replace(/\0.*$/s, '');
      throw damaged(
        source.name,
        `${what} is compressed with ${called || `filter ${id}`}, which is not read; save it with gzip or without compression`,
        { filter: id },
      );
    }
    filters.push({ id, name: Object.keys(FILTER)[known.indexOf(id)]! });
  }
  return filters;
}

function unfilter(
  source: ByteSource,
  what: string,
  filters: readonly Filter[],
  mask: number,
  stored: Uint8Array,
  chunkBytes: number,
  elementSize: number,
): Uint8Array {
  let bytes = stored;
  const applied = filters.map((_, i) => (mask & (1 << i)) === 0);
  for (let i = filters.length - 1; i >= 0; i--) {
    if (!applied[i]) continue;
    const { id } = filters[i]!;
    // A checksum that was appended first was compressed with the numbers.
    const sums = filters.slice(0, i).filter((f, j) => f.id === FILTER.fletcher32 && applied[j]).length;
    if (id === FILTER.deflate) bytes = unzip(source, what, bytes, chunkBytes + 4 * sums);
    else if (id === FILTER.shuffle) bytes = unshuffle(bytes, elementSize);
    else {
      const body = bytes.subarray(0, Math.max(0, bytes.length - 4));
      if (new Cursor(source.name, bytes.subarray(body.length)).u32() !== fletcher32(body)) throw wrongSum(source, what);
      bytes = body;
    }
  }
  return bytes;
}

/** The plain bytes of a chunk: as many as it was declared to have, and a checksum if one was taken before compressing. */
function unzip(source: ByteSource, what: string, bytes: Uint8Array, length: number): Uint8Array {
  const broken = (why: string): Error =>
    damaged(source.name, `${what} cannot be decompressed (${why}); the file is damaged`);
  if (!canHold(bytes.length, length)) throw broken(`${bytes.length} bytes cannot hold ${length}`);
  const plain = new Uint8Array(length);
  try {
    inflate([bytes], length, (piece, at) => plain.set(piece, at));
  } catch (cause) {
    throw broken(cause instanceof Error ? cause.message : String(cause));
  }
  const sum = bytes.length < 6 ? -1 : new DataView(bytes.buffer, bytes.byteOffset + bytes.length - 4, 4).getUint32(0);
  if (sum !== adler32(plain)) throw wrongSum(source, what);
  return plain;
}

function unshuffle(bytes: Uint8Array, elementSize: number): Uint8Array {
  const out = new Uint8Array(bytes.length);
  const count = Math.floor(bytes.length / elementSize);
  for (let b = 0; b < elementSize; b++)
    for (let i = 0; i < count; i++) out[i * elementSize + b] = bytes[b * count + i]!;
  out.set(bytes.subarray(count * elementSize), count * elementSize);
  return out;
}

function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let i = 0; i < bytes.length;) {
    // 3800 sums stay below 2^31.
    const end = Math.min(i + 3800, bytes.length);
    for (; i < end; i++) b += a += bytes[i]!;
    a %= 65521;
    b %= 65521;
  }
  return ((b << 16) | a) >>> 0;
}

function fletcher32(bytes: Uint8Array): number {
  let a = 0;
  let b = 0;
  const fold = (sum: number): number => (sum & 0xffff) + (sum >>> 16);
  for (let i = 0; i < bytes.length; i += 2) {
    a = fold(a + ((bytes[i]! << 8) | (bytes[i + 1] ?? 0)));
    b = fold(b + a);
  }
  return ((fold(b) << 16) | fold(a)) >>> 0;
}

function messageOf(source: ByteSource, what: string, messages: readonly Message[], type: number): Uint8Array {
  const message = messages.find((m) => m.type === type);
  if (message === undefined) throw damaged(source.name, `${what} is not a complete HDF5 dataset; the file is damaged`);
  return message.body;
}

function wrongSum(source: ByteSource, what: string): Error {
  return damaged(source.name, `the checksum of ${what} does not fit; the file is damaged, fetch or save it again`);
}

function tooLong(source: ByteSource, what: string, dims: readonly number[], bytes: number): Error {
  return damaged(
    source.name,
    `${what} says it is [${dims.join(', ')}], ${bytes} bytes, which the file of ${source.size} bytes cannot hold`,
    { dims, bytes },
  );
}
