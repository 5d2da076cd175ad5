/** @file Pictures that move: what animations of every format are made of. */
import { PhospheneError } from '../errors.ts';
import { mostPixels, type Raster } from './raster.ts';

/** How an animation is shown. It begins anew when it is over. */
export interface Timing {
  /** Milliseconds that each picture is seen. Default 80. */
  readonly delay?: number;
  /** Milliseconds that the last picture is seen. Default 1500. */
  readonly hold?: number;
}

/**
 * Checks that pictures can be an animation. Throws `bad-option` for none, `shape` for pictures of different sizes, and `too-large` for more
 * pixels in all than a picture may have.
 */
export function checkFrames(frames: readonly Raster[]): { readonly width: number; readonly height: number } {
  const [first] = frames;
  if (!first) throw new PhospheneError('bad-option', 'animation: it needs a picture at least', { count: 0 });
  const { width, height } = first;
  const odd = frames.findIndex((frame) => frame.width !== width || frame.height !== height);
  if (odd >= 0)
    throw new PhospheneError(
      'shape',
      `animation: picture ${odd} is ${frames[odd]!.width}x${frames[odd]!.height}, and the first is ${width}x${height}; all must have one size`,
      { index: odd },
    );
  if (frames.length * width * height > mostPixels)
    throw new PhospheneError(
      'too-large',
      `animation: ${frames.length} pictures of ${width}x${height} have more than ${mostPixels} pixels in all; choose fewer or smaller ones`,
      { count: frames.length, width, height },
    );
  return { width, height };
}

/** A picture of an animation. */
export interface Frame {
  readonly picture: Raster;
  /** Milliseconds that it is seen. */
  readonly delay: number;
}

/**
 * The pictures in the order of the file: the last comes first. Since an animation goes round and round, it is the same; but whoever shows only
 * the first picture shows how it ends.
 */
export function rounds(frames: readonly Raster[], { delay = 80, hold = 1500 }: Timing): Frame[] {
  return [{ picture: frames.at(-1)!, delay: hold }, ...frames.slice(0, -1).map((picture) => ({ picture, delay }))];
}
