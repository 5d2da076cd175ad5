/** @file Where a model's bytes come from: a file, a buffer, later a browser's `File`. Read in pieces, never whole unless asked. */
import { PhospheneError } from '../errors.ts';
import type { ByteSource } from './hdf5/bytes.ts';

/** A file, wherever it is. */
export interface Source {
  /** For messages, and for recognising the format: a path or an address. */
  readonly name: string;
  /** Length in bytes. */
  readonly size: number;
  /** Exactly `length` bytes from `offset` on. Throws `bad-file` if they do not lie inside the file, `filesystem`. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** The same at once, if the source can: formats that follow pointers through the file ask for it. */
  readonly readSync?: (offset: number, length: number) => Uint8Array;
  /**
   * The file of that name beside this one, or in a folder beside it; undefined if there is none. Throws `bad-file` if the name
   * leads out of the folder.
   */
  sibling(name: string): Promise<Source | undefined>;
  /** SHA-256 of all bytes, in hex. */
  digest(): Promise<string>;
  /** Releases the file; its siblings are closed on their own. */
  close(): Promise<void>;
}

/**
 * A source over bytes in memory, with what lies beside them.
 *
 * @example
 * const source = bytesSource('net.onnx', bytes, { 'net.onnx.data': data });
 */
export function bytesSource(
  name: string,
  bytes: Uint8Array,
  siblings: Readonly<Record<string, Uint8Array>> = {},
): Source {
  const readSync = (offset: number, length: number): Uint8Array => {
    checkRange(name, bytes.length, offset, length);
    return bytes.subarray(offset, offset + length);
  };
  return {
    name,
    size: bytes.length,
    readSync,
    read: async (offset, length) => readSync(offset, length),
    async sibling(other) {
      const path = siblingPath(name, other).join('/');
      return Object.hasOwn(siblings, path) ? bytesSource(path, siblings[path]!) : undefined;
    },
    digest: async () => sha256(bytes),
    close: async () => {},
  };
}

/**
 * A source over a blob, such as a file that was chosen on a page. It is read in pieces. `siblings` are the files that were chosen with
 * it, by name.
 *
 * @example
 * const network = await openNetwork(blobSource(file.name, file));
 */
export function blobSource(name: string, blob: Blob, siblings: Readonly<Record<string, Blob>> = {}): Source {
  const { size } = blob;
  const read = async (offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> => {
    checkRange(name, size, offset, length);
    try {
      return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
    } catch (error) {
      // Browsers say so if a file was changed or removed since it was chosen.
      throw new PhospheneError('filesystem', `${name} cannot be read any more; choose it again`, { path: name }, error);
    }
  };
  return {
    name,
    size,
    read,
    async sibling(other) {
      const path = siblingPath(name, other).join('/');
      return Object.hasOwn(siblings, path) ? blobSource(path, siblings[path]!) : undefined;
    },
    digest: async () => sha256(await read(0, size)),
    close: async () => {},
  };
}

/** A part of a source as a source of its own, such as a member of an archive. Closing it leaves the whole open. */
export function sourceSlice(whole: Source, name: string, start: number, size: number): Source {
  checkRange(whole.name, whole.size, start, size);
  const { readSync } = whole;
  return {
    name,
    size,
    async read(offset, length) {
      checkRange(name, size, offset, length);
      return whole.read(start + offset, length);
    },
    ...(readSync && {
      readSync(offset: number, length: number): Uint8Array {
        checkRange(name, size, offset, length);
        return readSync(start + offset, length);
      },
    }),
    sibling: async () => undefined,
    digest: () => whole.digest(),
    close: async () => {},
  };
}

/** The most bytes that are held in memory for a source that cannot be read at once. */
const MOST_HELD = 2 ** 31 - 1;

/**
 * The source for a reader that follows pointers through the file (HDF5). If it cannot be read at once, as in a browser, its bytes
 * are held in memory. Throws `too-large` if those are 2 GiB or more.
 */
export async function byteSource(source: Source): Promise<ByteSource> {
  const { name, size, readSync } = source;
  if (readSync) return { name, size, read: readSync };
  if (size > MOST_HELD)
    throw new PhospheneError(
      'too-large',
      `${name}: it has ${(size / 2 ** 30).toFixed(1)} GiB; at most 2 GiB of it can be held in memory here`,
      { path: name, size },
    );
  const bytes = await source.read(0, size);
  return { name, size, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/** The first bytes of a source, by which its format is recognised. */
export function headOf(source: Source): Promise<Uint8Array> {
  return source.read(0, Math.min(HEAD, source.size));
}
const HEAD = 512;

/**
 * The parts of the path of a file beside `file`, or in a folder beside it. Names come from strangers: throws `bad-file` if this one
 * would lead elsewhere.
 *
 * @example
 * siblingPath('net.onnx', 'weights/conv1.bin'); // ['weights', 'conv1.bin']
 */
export function siblingPath(file: string, name: string): readonly string[] {
  const parts = name.split('/').filter((part) => part !== '.' && part !== '');
  const absolute = name.startsWith('/') || /^[a-z]:/i.test(name);
  if (absolute || parts.length === 0 || parts.includes('..') || /[\\\0]/.test(name)) throw outside(file, name);
  return parts;
}

/** What is said of a file that refers to one outside its folder. */
export function outside(file: string, name: string): PhospheneError {
  return new PhospheneError(
    'bad-file',
    `${file}: it refers to \`${name}\`, outside its own folder; only files beside it are read, so put that file there and name it without a folder`,
    { path: file, sibling: name },
  );
}

/** Throws `bad-file` unless `length` bytes at `offset` lie inside a file of `size` bytes. */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  const inside = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!inside || offset + length > size)
    throw new PhospheneError(
      'bad-file',
      `${name}: ${length} bytes at ${offset} are asked for, the file has ${size}; it is damaged or cut short`,
      { path: name, offset, length, size },
    );
}

/** SHA-256 of bytes, in hex. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  // A copy if they lie in shared memory, which Web Crypto does not take.
  const own = bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes);
  const digest = await crypto.subtle.digest('SHA-256', own);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
