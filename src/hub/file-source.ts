/** @file Files of this machine as sources: opened when they are first read, their siblings inside their folder only. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, read, readSync as readFileSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import { PhospheneError } from '../errors.ts';
import { explained, systemCode } from '../filesystem.ts';
import { checkRange, outside, siblingPath, type Source } from '../import/source.ts';

const readFile = promisify(read);

/** Node reads no more than this at once. */
const MOST_AT_ONCE = 2 ** 30;

/**
 * A file as a source. It is looked at now and opened when it is first read. Throws `filesystem` with `remedy` if it is not there
 * or no regular file.
 *
 * @example
 * const network = await openNetwork(await fileSource('net.onnx'));
 */
export async function fileSource(path: string, remedy?: string): Promise<Source> {
  const { size } = await regular(path, remedy);
  let handle: number | undefined;
  const opened = (): number => (handle ??= openSync(path, 'r'));
  const shorter = (): PhospheneError =>
    new PhospheneError('bad-file', `${path}: became shorter while it was read; try again`, { path });
  const readSync = (offset: number, length: number): Uint8Array => {
    checkRange(path, size, offset, length);
    try {
      const bytes = new Uint8Array(length);
      for (let done = 0; done < length;) {
        const got = readFileSync(opened(), bytes, done, Math.min(length - done, MOST_AT_ONCE), offset + done);
        if (got === 0) throw shorter();
        done += got;
      }
      return bytes;
    } catch (error) {
      throw explained(error, path, 'cannot be read', remedy);
    }
  };
  const readInto = async (bytes: Uint8Array, offset: number): Promise<Uint8Array> => {
    const { length } = bytes;
    checkRange(path, size, offset, length);
    try {
      for (let done = 0; done < length;) {
        const got = await readFile(opened(), bytes, done, Math.min(length - done, MOST_AT_ONCE), offset + done);
        if (got.bytesRead === 0) throw shorter();
        done += got.bytesRead;
      }
      return bytes;
    } catch (error) {
      throw explained(error, path, 'cannot be read', remedy);
    }
  };
  return {
    name: path,
    size,
    readSync,
    async read(offset, length) {
      checkRange(path, size, offset, length);
      return readInto(new Uint8Array(length), offset);
    },
    async sibling(name) {
      const folder = dirname(path);
      const beside = join(folder, ...siblingPath(path, name));
      try {
        // Symbolic links may lead anywhere: what counts is where the file really lies.
        const way = relative(await realpath(folder), await realpath(beside));
        if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) throw outside(path, name);
      } catch (error) {
        if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return undefined;
        throw explained(error, beside, 'cannot be read');
      }
      return fileSource(beside);
    },
    async digest() {
      const hash = createHash('sha256');
      // Large pieces: a stream's small ones take eight times as long, and the first picture waits for this.
      const piece = new Uint8Array(Math.min(PIECE, size));
      for (let at = 0; at < size; at += PIECE)
        hash.update(await readInto(piece.subarray(0, Math.min(PIECE, size - at)), at));
      return hash.digest('hex');
    },
    async close() {
      if (handle !== undefined) closeSync(handle);
      handle = undefined;
    },
  };
}
const PIECE = 1 << 23;

async function regular(path: string, remedy?: string): Promise<{ size: number }> {
  try {
    const found = await stat(path);
    if (!found.isFile())
      throw new PhospheneError(
        'filesystem',
        `${path} cannot be read: it is not a regular file${remedy ? `; ${remedy}` : ''}`,
        { path },
      );
    return found;
  } catch (error) {
    throw explained(error, path, 'cannot be read', remedy);
  }
}
