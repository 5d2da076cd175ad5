/** @file From an optimised image to a picture: Keras' `deprocess_image`, digit for digit, and the rescaling of its `save_img`. */
import { PhospheneError } from '../errors.ts';
import type { Raster } from './raster.ts';
import { raster } from './raster.ts';

/** The size of the image, and what is made of it. */
export interface DeprocessOptions {
  /** Rows of the image, pixels. */
  readonly height: number;
  /** Columns of the image, pixels. */
  readonly width: number;
  /** Pixels cut from each of the four sides, where the network's own padding leaves junk. Default 25; 0 keeps all. */
  readonly crop?: number;
  /** The standard deviation that the values get, as a share of the range from black to white. Default 0.15. */
  readonly deviation?: number;
}

/**
 * The picture of an optimised image `[channels, height, width]` (planar, any range): values are centred, brought to `deviation`
 * around mid-grey, cropped and cut off at black and white. Mean and deviation are those of the *whole* image, before the
 * crop, and the last step truncates as `astype("uint8")` does. The image is left as it was.
 *
 * Digits: numpy works in float32 and adds pairwise in the order of memory. Here the two sums (mean and variance) run in
 * float64 and are rounded once, which no order of memory changes; every operation on an element rounds to float32 as
 * numpy's does. What can differ is the last bit of the mean or of the deviation, and so, rarely, a byte by one.
 *
 * A flat image becomes mid-grey (127); an element that is not a number becomes black. One channel is shown as grey; of more than three,
 * the first three are shown as red, green and blue.
 *
 * Throws `shape` when the image does not fill `[channels, height, width]` and `bad-option` when the crop leaves nothing.
 *
 * @example
 * const tile = deprocess(image, { height: 180, width: 180 }); // 130x130
 */
export function deprocess(image: Float32Array, options: DeprocessOptions): Raster {
  const { height, width, crop = 25, deviation = 0.15 } = options;
  const plane = height * width;
  const channels = image.length / plane;
  if (!Number.isInteger(channels) || channels < 1) {
    throw new PhospheneError('shape', `deprocess: ${image.length} values do not fill planes of [${height}, ${width}]`, {
      height,
      width,
      length: image.length,
    });
  }
  if (!Number.isInteger(crop) || crop < 0 || 2 * crop >= Math.min(height, width)) {
    const most = Math.ceil(Math.min(height, width) / 2) - 1;
    throw new PhospheneError(
      'bad-option',
      `crop ${crop} leaves nothing of a picture of ${width}x${height}; choose a whole number from 0 to ${most}`,
      { crop, height, width },
    );
  }
  if (!Number.isFinite(deviation) || deviation < 0) {
    throw new PhospheneError(
      'bad-option',
      `deviation ${deviation} is no spread of values; choose a number from 0 (0.15 is usual)`,
      { deviation },
    );
  }

  const mean = Math.fround(meanOf(image));
  const divisor = Math.fround(Math.fround(deviationAround(image, mean)) + Math.fround(1e-5));
  const scale = Math.fround(deviation);

  const tile = raster(width - 2 * crop, height - 2 * crop);
  let at = 0;
  for (let y = crop; y < height - crop; y++) {
    for (let x = crop; x < width - crop; x++) {
      for (let c = 0; c < 3; c++) {
        const centred = Math.fround(image[Math.min(c, channels - 1) * plane + y * width + x]! - mean);
        const scaled = Math.fround(Math.fround(centred / divisor) * scale);
        tile.data[at++] = byteOf(Math.fround(scaled + 0.5));
      }
    }
  }
  return tile;
}

/**
 * What Keras' `save_img` does to a picture once more (its `scale=True`): the darkest byte becomes 0 and the brightest 255.
 * phosphene leaves pictures as `deprocess` makes them, so that a filter looks the same alone and in the grid; Keras' script
 * writes single pictures through this. A picture that already holds 0 and 255 stays as it is; a flat one
 * becomes black, as it does there.
 *
 * @example
 * const asKerasSaves = rescaleLikeKeras(deprocess(image, { height: 180, width: 180 }));
 */
export function rescaleLikeKeras(picture: Raster): Raster {
  let low = 255;
  let high = 0;
  for (const byte of picture.data) {
    if (byte < low) low = byte;
    if (byte > high) high = byte;
  }
  const range = high - low;
  // Keras divides only when there is something to divide by: a flat picture becomes black.
  const data = picture.data.map((byte) => Math.fround((range === 0 ? 0 : Math.fround((byte - low) / range)) * 255));
  return raster(picture.width, picture.height, data);
}

function meanOf(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** The population deviation of `values - mean` as float32, around what mean the rounding left it. */
function deviationAround(values: Float32Array, mean: number): number {
  let sum = 0;
  let squares = 0;
  for (const value of values) {
    const centred = Math.fround(value - mean);
    sum += centred;
    squares += centred * centred;
  }
  // The remaining mean is a rounding error, so that this difference does not cancel.
  const rest = sum / values.length;
  return Math.sqrt(Math.max(0, squares / values.length - rest * rest));
}

/** clip to [0, 1], times 255, truncated; NaN gives 0. */
function byteOf(value: number): number {
  if (!(value > 0)) return 0;
  return Math.trunc(Math.fround(Math.min(value, 1) * 255));
}
