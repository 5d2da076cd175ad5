/** @file Compressed bytes of a known length: they cost no more time and memory than that length explains. */
import { Unzlib } from 'fflate';

/** Deflate cannot shrink below 1 : 1032. */
const MOST_RATIO = 1032;
/** Bytes given to the decompressor at once: at most 33 MB come out of them. */
const PIECE = 1 << 15;

/** Whether `compressed` bytes of zlib data can hold `length` bytes at all. Ask before memory for them is taken. */
export function canHold(compressed: number, length: number): boolean {
  return length <= compressed * MOST_RATIO;
}

/**
 * Decompresses zlib data that must hold exactly `length` bytes, and hands them to `take` as they come. It stops as soon as there
 * is more than that, so that a small file cannot unfold into gigabytes. The Adler-32 sum behind the data is left to the caller.
 *
 * Throws a plain `Error` whose message says what is wrong; the caller knows which file to name.
 *
 * @example
 * inflate([compressed], out.length, (piece, at) => out.set(piece, at));
 */
export function inflate(
  parts: Iterable<Uint8Array>,
  length: number,
  take: (piece: Uint8Array, at: number) => void,
): void {
  let at = 0;
  const stream = new Unzlib((piece) => {
    if (at + piece.length > length) throw new Error(`it unfolds into more than ${length} bytes`);
    if (piece.length > 0) take(piece, at);
    at += piece.length;
  });
  // What may follow the last byte: the end of its block, empty blocks, the checksum. Anything longer is no honest file.
  let trailing = 0;
  for (const part of parts) {
    for (let from = 0; from < part.length; from += PIECE) {
      if (at === length && trailing > PIECE) throw new Error(`more data follows its ${length} bytes`);
      const piece = part.subarray(from, from + PIECE);
      stream.push(piece, false);
      if (at === length) trailing += piece.length;
    }
  }
  // The last call also tells whether the stream was ended properly.
  stream.push(new Uint8Array(0), true);
  if (at !== length) throw new Error(`it unfolds into ${at} bytes instead of ${length}`);
}
