/** @file From the values that ascent leaves to a picture: the Keras example's `deprocess_image`. */
import { PhospheneError } from '../errors.ts';
import type { Raster } from './raster.ts';

export interface DeprocessOptions {
  readonly height: number;
  readonly width: number;
  /** Pixels cut from each side, after the statistics are taken. */
  readonly crop: number;
  /** Standard deviation that the values are brought to; the seed's is 0.15. */
  readonly contrast: number;
}

/**
 * Centres the values [3, h, w] on ½, scales them to the given deviation, crops, clips to [0, 1] and truncates to bytes. Mean and
 * deviation are those of the whole picture, border included, as in the example. Sums are in float64, where NumPy sums float32
 * pairwise: the last digit may differ from Keras, the bytes hardly ever. Throws `bad-option` where the crop leaves nothing.
 *
 * @example
 * const raster = deprocess(image, { height: 180, width: 180, crop: 25, contrast: 0.15 }); // 130 × 130
 */
export function deprocess(image: Float32Array, { height, width, crop, contrast }: DeprocessOptions): Raster {
  const [rows, columns] = [height - 2 * crop, width - 2 * crop];
  if (rows < 1 || columns < 1)
    throw new PhospheneError('bad-option', `crop: ${crop} pixels from each side leave nothing of ${height}×${width}`, {
      crop,
    });
  let sum = 0;
  for (const v of image) sum += v;
  const mean = sum / image.length;
  let squares = 0;
  for (const v of image) squares += (v - mean) ** 2;
  const scale = contrast / (Math.sqrt(squares / image.length) + 1e-5);
  const data = new Uint8Array(3 * rows * columns);
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        const value = (image[(c * height + y + crop) * width + x + crop]! - mean) * scale + 0.5;
        data[3 * (y * columns + x) + c] = Math.min(Math.max(value, 0), 1) * 255;
      }
    }
  }
  return { width: columns, height: rows, data };
}

/** Stretches a raster to 0…255 by its own extremes, as Keras' `save_img` does with every picture that it writes. */
export function stretch(raster: Raster): Raster {
  let [low, high] = [255, 0];
  for (const v of raster.data) {
    low = Math.min(low, v);
    high = Math.max(high, v);
  }
  const span = high - low || 1;
  // float32, as NumPy: with both extremes present every byte keeps its value.
  return { ...raster, data: raster.data.map((v) => Math.fround(Math.fround((v - low) / span) * 255)) };
}
