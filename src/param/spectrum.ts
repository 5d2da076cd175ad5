/** @file Magnitude spectra of photographs: measured, held as a small table, and read for a picture of any size. */
import { PhospheneError } from '../errors.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { Setting } from '../settings.ts';
import { type Colours, inverted, matrixOf } from './colour.ts';
import { frequencies, rfft2 } from './fft.ts';
import type { Photos } from './measure.ts';
import { PHOTOGRAPHS } from './photographs.ts';

/**
 * The spectrum of our photographs, or a table of one's own from {@link measureSpectrum}: natural logarithms of mean magnitudes, for
 * each of three decorrelated colours, each of 16 frequencies and each of 7 directions.
 */
export type Spectrum = 'photographs' | readonly number[];

/** Frequencies of a table: evenly spaced logarithms from one cycle in 256 pixels to the highest of all, √½ cycles per pixel. */
const RADII = 16;
const [LEAST, MOST] = [Math.log(1 / 256), Math.log(Math.SQRT1_2)];
/** Directions of a table: from along the rows to down the columns. A spectrum and its mirror image count as one. */
const ANGLES = 7;
const COUNT = 3 * RADII * ANGLES;
/** Side in pixels of the squares that are measured. */
const SIDE = 256;

/** The setting `spectrum` of parameterisations. */
export const spectra: Setting<Spectrum> = {
  help: 'Magnitudes of the spectrum: photographs, or the numbers of measureSpectrum',
  default: 'photographs',
  takes: `photographs, or ${COUNT} numbers`,
  accept(value) {
    if (value === 'photographs') return value;
    const isTable = Array.isArray(value) && value.length === COUNT && value.every((v) => Number.isFinite(v));
    return isTable ? (value as readonly number[]) : undefined;
  },
  parse: (text) => (text.includes(',') ? text.split(',').map(Number) : text),
};

/**
 * The magnitudes of a picture [c, height, width] as `rfft2` has its coefficients, channel after channel, the mean being zero. Their
 * common scale means nothing. A picture that has not three channels has the spectrum of brightness in each.
 */
export function magnitudes(spectrum: Spectrum, channels: number, height: number, width: number): Float64Array {
  const table = spectrum === 'photographs' ? PHOTOGRAPHS : spectrum;
  const places = placesOf(height, width);
  const out = new Float64Array(channels * places.length);
  for (let c = 0; c < channels; c++) {
    const from = (channels === 3 ? c : 0) * RADII * ANGLES;
    places.forEach((place, i) => {
      if (place) out[c * places.length + i] = Math.exp(place.reduce((sum, [k, w]) => sum + w * table[from + k]!, 0));
    });
  }
  return out;
}

/**
 * The table of photos [1, 3, h, w], for the setting `spectrum`. Each photo is made smaller by a whole factor until its shorter side
 * has 256 to 511 pixels; five squares of it, from its corners and its middle, are centred and windowed (Hann), so that the borders
 * leave no cross; their magnitudes in decorrelated colours are averaged.
 *
 * Throws `bad-option` if there is no photo, and if one is too small or has not three channels.
 *
 * @example
 * const spectrum = await measureSpectrum(photos);
 * params.make({ kind: 'maco', spectrum });
 */
export async function measureSpectrum(photos: Photos, colour: Colours = 'lucid'): Promise<readonly number[]> {
  const plane = frequencies(SIDE, SIDE).length;
  const sums = new Float64Array(3 * plane);
  const matrix = matrixOf(colour, 3);
  const back = matrix ? inverted(matrix) : [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const window = Float64Array.from({ length: SIDE }, (_, i) => (1 - Math.cos((2 * Math.PI * (i + 0.5)) / SIDE)) / 2);
  let count = 0;
  for await (const photo of photos) {
    for (const square of squaresOf(photo)) {
      count++;
      for (let c = 0; c < 3; c++) {
        const [r, g, b] = back.slice(3 * c, 3 * c + 3) as [number, number, number];
        const seen = square[0]!.map((red, i) => r * red + g * square[1]![i]! + b * square[2]![i]!);
        const mean = seen.reduce((sum, v) => sum + v, 0) / seen.length;
        for (let i = 0; i < seen.length; i++)
          seen[i] = (seen[i]! - mean) * window[i % SIDE]! * window[Math.floor(i / SIDE)]!;
        const { re, im } = rfft2(seen, SIDE, SIDE);
        for (let i = 0; i < plane; i++) sums[c * plane + i]! += Math.hypot(re[i]!, im[i]!);
      }
    }
  }
  if (count === 0)
    throw new PhospheneError('bad-option', 'photos: there are none; a spectrum is measured on one at least');
  const places = placesOf(SIDE, SIDE);
  return [0, 1, 2].flatMap((c) =>
    tabled(
      sums.subarray(c * plane, (c + 1) * plane).map((sum) => sum / count),
      places,
    ),
  );
}

/** Which entries of a table a coefficient lies between, with their weights. */
type Place = readonly (readonly [entry: number, weight: number])[];

/** The places of all coefficients; undefined for the mean. Between entries, and beyond the lowest frequency, logarithms go in lines. */
function placesOf(height: number, width: number): readonly (Place | undefined)[] {
  const half = Math.floor(width / 2) + 1;
  return Array.from(frequencies(height, width), (f, i) => {
    if (f === 0) return undefined;
    const y = Math.floor(i / half);
    const angle = Math.atan2(Math.min(y, height - y) / height, (i % half) / width);
    const [r, dr] = between(((Math.log(f) - LEAST) / (MOST - LEAST)) * (RADII - 1), RADII);
    const [a, da] = between((angle / (Math.PI / 2)) * (ANGLES - 1), ANGLES);
    return [
      [r * ANGLES + a, (1 - dr) * (1 - da)],
      [r * ANGLES + a + 1, (1 - dr) * da],
      [(r + 1) * ANGLES + a, dr * (1 - da)],
      [(r + 1) * ANGLES + a + 1, dr * da],
    ] as const;
  });
}

/** The entry before a position and how far it lies from there: outside [0, 1] beyond the ends. */
function between(at: number, count: number): readonly [number, number] {
  const before = Math.min(Math.max(Math.floor(at), 0), count - 2);
  return [before, at - before];
}

/** The table of one channel: the weighted mean logarithm about each entry. */
function tabled(magnitude: Float64Array, places: readonly (Place | undefined)[]): number[] {
  const [sums, weights] = [new Float64Array(RADII * ANGLES), new Float64Array(RADII * ANGLES)];
  places.forEach((place, i) => {
    for (const [entry, weight] of place ?? []) {
      sums[entry]! += weight * Math.log(magnitude[i]! + 1e-12);
      weights[entry]! += weight;
    }
  });
  return Array.from(sums, (sum, entry) => {
    if (weights[entry]! > 0.1) return sum / weights[entry]!;
    // The lowest frequencies come in few directions: the mean of those that there are.
    const row = Math.floor(entry / ANGLES) * ANGLES;
    const ring = (of: Float64Array): number => of.subarray(row, row + ANGLES).reduce((a, b) => a + b, 0);
    return ring(sums) / ring(weights);
  });
}

/** Five squares of a photo, three planes each. */
function squaresOf({ data, dims }: Tensor<'float32'>): Float64Array[][] {
  const [n, c, height, width] = dims as [number, number, number, number];
  if (dims.length !== 4 || n !== 1 || c !== 3 || Math.min(height, width) < SIDE)
    throw new PhospheneError(
      'bad-option',
      `photos: one is [${dims.join(', ')}]; a spectrum needs [1, 3, height, width] of at least ${SIDE} pixels a side`,
      { dims },
    );
  const by = Math.floor(Math.min(height, width) / SIDE);
  const [rows, columns] = [Math.floor(height / by), Math.floor(width / by)];
  const [down, right] = [rows - SIDE, columns - SIDE];
  return [
    [0, 0],
    [0, right],
    [down, 0],
    [down, right],
    [Math.floor(down / 2), Math.floor(right / 2)],
  ].map(([top, left]) =>
    [0, 1, 2].map((k) =>
      Float64Array.from({ length: SIDE * SIDE }, (_, i) => {
        const [y, x] = [(top! + Math.floor(i / SIDE)) * by, (left! + (i % SIDE)) * by];
        let sum = 0;
        for (let dy = 0; dy < by; dy++)
          for (let dx = 0; dx < by; dx++) sum += data[(k * height + y + dy) * width + x + dx]!;
        return sum / (by * by);
      }),
    ),
  );
}
