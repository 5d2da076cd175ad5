/** @file What came of an ascent: whether a picture shows its filter, and if not, why, and what may help. */

/** What came of a picture, in a word. */
export type Status =
  /** The objective rose. */
  | 'ok'
  /** No gradient at any step: the unit is off everywhere, and the picture stayed as it began. */
  | 'dead'
  /** The objective did not rise. */
  | 'not-rising'
  /** It rose to where nothing moves it any more, or the picture is black and white beyond what can be shown. */
  | 'saturated'
  /** Numbers overflowed. */
  | 'not-finite'
  /** It rose, but neighbouring pixels have nothing to do with each other. */
  | 'noise-like';

/** What went wrong. */
export type Failure = Exclude<Status, 'ok'>;

/** A status, and what it is judged by. */
export interface Diagnosis {
  readonly status: Status;
  /** The objective of the start; NaN if there was no step. The curve between it and `after` is that of the losses. */
  readonly before: number;
  /** The objective of the picture that entered the last step, as it was moved then; NaN if there was no step. */
  readonly after: number;
  /** The objective of the picture that came out, without transforms; NaN if there was no step. */
  readonly plain: number;
  /** What may help, as a sentence for people; absent if all went well. */
  readonly remedy?: string;
}

/** What is known of an ascent when it is over. */
export interface Course {
  /** The objective before each step. */
  readonly losses: readonly number[];
  /** The objective of the last picture without transforms; that before the last step unless given. */
  readonly plain?: number;
  /** The first picture and the one that is kept, [n, c, h, w]. */
  readonly start: Pixels;
  readonly image: Pixels;
  /** The picture after the last step; the one that is kept unless given. */
  readonly last?: Pixels;
  /** Steps in which gradients were redirected past units that are off. */
  readonly redirected?: number;
}

/** Values of a picture, row by row. */
export interface Pixels {
  readonly dims: readonly number[];
  readonly data: Float32Array;
}

/** The statuses, each with a sentence for people, by which a failure is not a riddle. */
const remedies: Readonly<Record<Exclude<Failure, 'dead'>, string>> = {
  'not-rising': 'the activation did not rise; a smaller rate or more steps may help',
  saturated:
    'the activation or the picture reached its end before the steps did; fewer steps or a smaller rate may help',
  'not-finite': 'numbers overflowed on the way; a smaller rate may help',
  'noise-like':
    'the picture is noise that the filter happens to like; a preset that prefers coarse structure, such as `sobolev`, may help',
};

/**
 * What may help a picture of this status; undefined for `ok`. `redirected` are the steps in which gradients were redirected.
 *
 * @example
 * remedyOf('ok'); // undefined
 */
export function remedyOf(status: Status, redirected = 0): string | undefined {
  if (status === 'ok') return undefined;
  if (status !== 'dead') return remedies[status];
  const off = 'the filter is off everywhere on the start noise, so no gradient says how to raise it';
  return redirected > 0
    ? `${off}; redirect was tried; another seed or more noise may wake it`
    : `${off}; redirecting the gradient (\`redirect\` 16), another seed or more noise may wake it`;
}

/** All statuses; of what is not `ok`, the later ones are the milder. */
export const statuses: readonly Status[] = ['ok', 'dead', 'not-finite', 'not-rising', 'saturated', 'noise-like'];

/**
 * The diagnosis of an ascent. The first and the last tenth of the losses are compared, since single steps are noisy in the presence of
 * transforms.
 *
 * @example
 * diagnose({ losses: [0.1, 0.2, 0.4], start: before, image: after }).status; // 'ok'
 */
export function diagnose(course: Course): Diagnosis {
  const { losses, redirected = 0 } = course;
  const status = statusOf(course);
  const [before, after] = [losses[0] ?? Number.NaN, losses.at(-1) ?? Number.NaN];
  const remedy = remedyOf(status, redirected);
  return { status, before, after, plain: course.plain ?? after, ...(remedy === undefined ? {} : { remedy }) };
}

/** Neighbours of white noise correlate by 0, those of photographs by .9 or more, and those of the Keras example's pictures by .4. */
const NOISE = 0.1;
/** Steps from which on a picture is more than its start. */
const FEW = 20;
/** A value that is shown as black or white, of a picture that keeps within [-1, 1]. */
const EXTREME = 0.98;
/** Losses that differ by less are the same, as a share of what the objective rose by. */
const SAME = 1e-6;

function statusOf({ losses, start, image, last = image, plain = 0 }: Course): Status {
  if (losses.length === 0) return 'ok';
  if (![...losses, plain].every(Number.isFinite) || !image.data.every(Number.isFinite)) return 'not-finite';
  // Weights may decay, and a limit may scale: the picture then moves without a gradient, and the objective does not.
  const flat = losses.length > 2 && losses.every((loss) => loss === losses[0]);
  if (flat || last.data.every((v, i) => v === start.data[i])) return 'dead';
  if (losses.length === 1) return 'ok';
  const some = Math.max(1, Math.floor(losses.length / 10));
  const rise = mean(losses.slice(-some)) - mean(losses.slice(0, some));
  if (rise <= 0) return 'not-rising';
  if (isLevel(losses, rise) || isExtreme(image)) return 'saturated';
  // After a few steps every picture still shows the noise that it began with.
  return losses.length >= FEW && neighbours(image) < NOISE ? 'noise-like' : 'ok';
}

/** Whether nothing moved any more from three to four fifths of the way. At the end, a rate that fell may be why. */
function isLevel(losses: readonly number[], rise: number): boolean {
  const middle = losses.slice(Math.floor(losses.length * 0.6), Math.ceil(losses.length * 0.8));
  return middle.length > 2 && Math.max(...middle) - Math.min(...middle) <= SAME * rise;
}

/** Whether a picture that keeps within its range is at its ends almost everywhere. */
function isExtreme({ data }: Pixels): boolean {
  let extreme = 0;
  for (const v of data) {
    if (Math.abs(v) > 1) return false;
    if (Math.abs(v) > EXTREME) extreme++;
  }
  return extreme > data.length / 2;
}

/**
 * How far a pixel is like its neighbours, from -1 to 1: the correlation of values one pixel apart, across and down, which is the mean of
 * cos 2πf over the power spectrum. 1 for a flat picture, 0 for white noise.
 *
 * @example
 * neighbours({ dims: [1, 1, 1, 4], data: Float32Array.of(1, -1, 1, -1) }); // -1
 */
export function neighbours({ dims, data }: Pixels): number {
  const [h, w] = dims.slice(-2) as [number, number];
  const plane = h * w;
  let [same, next, pairs] = [0, 0, 0];
  for (let p = 0; p < data.length; p += plane) {
    const level = mean(data.subarray(p, p + plane));
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++) {
        const at = p + y * w + x;
        const here = data[at]! - level;
        same += here * here;
        if (x + 1 < w) [next, pairs] = [next + here * (data[at + 1]! - level), pairs + 1];
        if (y + 1 < h) [next, pairs] = [next + here * (data[at + w]! - level), pairs + 1];
      }
  }
  return same === 0 || pairs === 0 ? 1 : next / pairs / (same / data.length);
}

function mean(values: readonly number[] | Float32Array): number {
  let sum = 0;
  for (const v of values) sum += v;
  return sum / values.length;
}
