/** @file Files of the web as sources: fetched whole when they are first read, their siblings from the same folder of the server. */
import { createHash } from 'node:crypto';
import { PhospheneError } from '../errors.ts';
import { checkRange, siblingPath, type Source } from '../import/source.ts';
import { fetchBytes, type FetchOptions } from './download.ts';

/** Whether a model's name is an address of the web. */
export function isUrl(name: string): boolean {
  return /^https?:\/\//i.test(name);
}

/**
 * A file of the web as a source. It is held in memory. Throws `offline`, `download`, `too-large`, `aborted`.
 *
 * @example
 * const network = await openNetwork(await urlSource('https://example.org/mobilenet/model.json'));
 */
export async function urlSource(url: string, options: FetchOptions = {}): Promise<Source> {
  return source(url, await fetchBytes(url, options), options);
}

function source(url: string, bytes: Uint8Array, options: FetchOptions): Source {
  const readSync = (offset: number, length: number): Uint8Array => {
    checkRange(url, bytes.length, offset, length);
    return bytes.subarray(offset, offset + length);
  };
  return {
    name: url,
    size: bytes.length,
    readSync,
    read: async (offset, length) => readSync(offset, length),
    async sibling(name) {
      const beside = siblingUrl(url, name);
      try {
        return source(beside, await fetchBytes(beside, options), options);
      } catch (error) {
        if (error instanceof PhospheneError && [404, 410].includes(error.details['status'] as number)) return undefined;
        throw error;
      }
    },
    digest: async () => createHash('sha256').update(bytes).digest('hex'),
    close: async () => {},
  };
}

/** The address of a file beside `url`, with its query: that may be what lets both be fetched. Throws `bad-file`. */
export function siblingUrl(url: string, name: string): string {
  const base = new URL(url);
  const beside = new URL(siblingPath(url, name).map(encodeURIComponent).join('/'), base);
  beside.search = base.search;
  return beside.href;
}
