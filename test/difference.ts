/**
 * @file How different two pictures are to an eye: six numbers, each with a limit between right and wrong.
 *
 * An ascent is chaotic: a last bit decides on which side of zero a ReLU falls, and thirty steps later details lie elsewhere. The
 * same thirty steps elsewhere may be less alike, pixel by pixel, than fifteen steps here; what tells those is the grain. Measured on
 * eleven filters, nine of the built-in model and two of ResNet50V2, keras preset; limits stand between:
 *
 * | at most, for the right picture | form | worst | colour | brightness | contrast | grain |
 * |---|---|---|---|---|---|---|
 * | two threads, or one            | 0    | 0    | 0    | 0   | 0     | 0     |
 * | start changed by 1e-6          | 0.14 | 0.36 | 0.29 | 0.8 | 0.008 | 0.012 |
 * | AVX2 instead of AVX-512        | 0.14 | 0.35 | 0.29 | 1.4 | 0.008 | 0.008 |
 * | SSE instead of AVX-512         | 0.13 | 0.32 | 0.30 | 0.8 | 0.009 | 0.009 |
 * | float64 of golden/seed         | 0.12 | 0.25 | 0.12 | 0.8 | 0.010 | 0.012 |
 * | start changed by 1e-4          | 0.23 | 0.41 | 0.34 | 2.5 | 0.012 | 0.012 |
 *
 * | at least, for a wrong one               | by                                          |
 * |---|---|
 * | another filter, another seed            | form 0.87                                   |
 * | mirrored, upside down, transposed       | form 0.92                                   |
 * | cropped one pixel aside                 | form 0.36                                   |
 * | another place pasted over a tenth of it | worst 0.85                                  |
 * | two channels swapped, colour lost       | colour 0.57                                 |
 * | ten levels brighter                     | brightness 9.97                             |
 * | a tenth more or less contrast           | contrast 0.085                              |
 * | 15 steps of 30                          | grain 0.092; for one filter contrast 0.13   |
 * | half of the rate                        | grain 0.13; for one filter contrast 0.10    |
 */
import type { Raster } from '../src/output/raster.ts';

/** All are 0 for the same picture. */
export interface Difference {
  /** Of light and dark in the median place: about 1 for unrelated pictures, 2 for a negative … */
  readonly form: number;
  /** … and in the worst place. */
  readonly worst: number;
  /** As `form`, of red against green or of yellow against blue, whichever is worse. */
  readonly colour: number;
  /** Of a channel's mean, in levels of 255. */
  readonly brightness: number;
  /** Of a channel's deviation, relative. */
  readonly contrast: number;
  /** Of the steps of colour from pixel to pixel, relative: the coloured start noise fades while an ascent goes on. */
  readonly grain: number;
}

export const limits: Difference = { form: 0.25, worst: 0.6, colour: 0.45, brightness: 4, contrast: 0.03, grain: 0.03 };

/** What differs by more than its limit, in words: nothing for pictures that are the same to an eye. */
export function differences(picture: Raster, reference: Raster): string[] {
  const [a, b] = [picture, reference].map(({ width, height }) => `${width}x${height}`);
  if (a !== b) return [`size ${a} for ${b}`];
  const found = difference(picture, reference);
  return (Object.keys(limits) as (keyof Difference)[])
    .filter((name) => !(found[name] <= limits[name]))
    .map((name) => `${name} ${found[name].toFixed(3)} (limit ${limits[name]})`);
}

/** For rasters of one size. */
export function difference(picture: Raster, reference: Raster): Difference {
  const whole: Place = { left: 0, top: 0, right: reference.width, bottom: reference.height };
  const places = placesOf(reference);
  const forms = (axis: Axis): number[] =>
    places.map((place) => dissimilarity(picture, reference, axis, place)).sort((p, q) => p - q);
  const median = (sorted: number[]): number => sorted[sorted.length >> 1]!;
  const changes = <T>(
    of: readonly T[],
    change: (p: number, q: number) => number,
    measure: (a: Raster, of: T) => number,
  ) => Math.max(...of.map((each) => change(measure(picture, each), measure(reference, each))));
  const light = forms(LIGHT);
  return {
    form: median(light),
    worst: light.at(-1)!,
    colour: Math.max(...HUES.map((hue) => median(forms(hue)))),
    brightness: changes(CHANNELS, absolute, (a, channel) => mean(a, channel, whole)),
    contrast: changes(CHANNELS, relative, (a, channel) => Math.sqrt(covariance(a, a, channel, whole))),
    grain: changes(DIRECTIONS, relative, grain),
  };
}

/** A direction in the space of colours: weights of red, green and blue. */
type Axis = readonly [number, number, number];
const CHANNELS: readonly Axis[] = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
];
const LIGHT: Axis = [1 / 3, 1 / 3, 1 / 3];
/** Red against green, yellow against blue. */
const HUES: readonly Axis[] = [
  [1, -1, 0],
  [1 / 2, 1 / 2, -1],
];
const DIRECTIONS = [
  { dx: 1, dy: 0 },
  { dx: 0, dy: 1 },
];

const absolute = (a: number, b: number): number => Math.abs(a - b);
/** One level is added to both, so that nothing beside nothing is no change. */
const relative = (a: number, b: number): number => Math.abs(Math.log((a + 1) / (b + 1)));

interface Place {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Equal places about 26 pixels wide: so large that unrelated ones do not match by chance. */
function placesOf({ width, height }: Raster): Place[] {
  const count = (side: number): number => Math.max(1, Math.round(side / 26));
  const [across, down] = [count(width), count(height)];
  return Array.from({ length: across * down }, (_, i) => {
    const [column, row] = [i % across, Math.floor(i / across)];
    return {
      left: Math.floor((column * width) / across),
      top: Math.floor((row * height) / down),
      right: Math.floor(((column + 1) * width) / across),
      bottom: Math.floor(((row + 1) * height) / down),
    };
  });
}

/** One less SSIM without its term for brightness. Two flat places are the same. */
function dissimilarity(a: Raster, b: Raster, axis: Axis, place: Place): number {
  const shared = covariance(a, b, axis, place);
  return 1 - (2 * shared + 1) / (covariance(a, a, axis, place) + covariance(b, b, axis, place) + 1);
}

function covariance(a: Raster, b: Raster, axis: Axis, place: Place): number {
  const [p, q] = [mean(a, axis, place), mean(b, axis, place)];
  return average(place, (x, y) => (sample(a, axis, x, y) - p) * (sample(b, axis, x, y) - q));
}

function mean(a: Raster, axis: Axis, place: Place): number {
  return average(place, (x, y) => sample(a, axis, x, y));
}

/** Root mean square of the steps of hue from a pixel to the next. */
function grain(a: Raster, { dx, dy }: { dx: number; dy: number }): number {
  const step = (hue: Axis, x: number, y: number): number => sample(a, hue, x + dx, y + dy) - sample(a, hue, x, y);
  const inside = { left: 0, top: 0, right: a.width - dx, bottom: a.height - dy };
  return Math.sqrt(average(inside, (x, y) => HUES.reduce((sum, hue) => sum + step(hue, x, y) ** 2, 0)));
}

function sample({ width, data }: Raster, axis: Axis, x: number, y: number): number {
  const at = 3 * (y * width + x);
  return axis[0] * data[at]! + axis[1] * data[at + 1]! + axis[2] * data[at + 2]!;
}

function average({ left, top, right, bottom }: Place, value: (x: number, y: number) => number): number {
  let sum = 0;
  for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += value(x, y);
  return sum / ((right - left) * (bottom - top));
}
