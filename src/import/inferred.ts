/**
 * @file What a network expects of pictures, inferred from its first convolution. A batch normalisation behind it remembers the mean and
 * the variance that its training pictures gave there. What photographs give is known from their mean, the spread of their colours and
 * how alike neighbouring pixels are, for each way to prepare them; the way that gives what is remembered is the likeliest.
 */
import { knownPreprocess, type Preprocess, type PreprocessName, preprocessOf } from './preprocess.ts';

/** The first convolution of a network, and what the normalisation behind it remembers. */
export interface FirstConvolution {
  /** [out, in, height, width] */
  readonly dims: readonly [number, number, number, number];
  readonly kernel: ArrayLike<number>;
  readonly bias?: ArrayLike<number> | undefined;
  /** Whether a ReLU stands between it and the normalisation. */
  readonly rectified?: boolean;
  /** What the training pictures gave: one number for each output. */
  readonly seen: { readonly mean: ArrayLike<number>; readonly variance: ArrayLike<number> };
}

/** A preprocessing, and how sure it is: the share of 1 that it has of all that are thought of. */
export interface Inferred {
  readonly preprocess: Preprocess;
  readonly sure: number;
}

/** From here on an inference is said to be one; below it is a guess. */
export const SURE = 0.9;

type Way = PreprocessName | 'unit';

/** Of photographs in [-1, 1]: mean and deviation of red, green and blue, and how the colours go together. */
const MEAN = [-0.03, -0.088, -0.188] as const;
const DEVIATION = 0.54;
const TOGETHER = [
  [1, 0.95, 0.88],
  [0.95, 1, 0.95],
  [0.88, 0.95, 1],
] as const;
/** How alike two pixels are at a distance. */
const alike = (distance: number): number => Math.exp(-((distance / 30) ** 0.8));

/** What is off by these is as likely as not: photographs differ, and so do data sets. */
const SPREAD = { mean: 0.35, deviation: 0.5 };
/** No output says more than this, and all together no more than so many: they are alike. */
const [MOST, WITNESSES] = [8, 12];
/** Larger kernels are no first convolutions, and more outputs say no more. */
const [LARGEST, ENOUGH] = [16, 64];

/**
 * What `first` expects of a picture with three channels or one; undefined if it says nothing, being of another kind.
 *
 * @example
 * inferredPreprocess({ dims, kernel, seen: { mean, variance } }); // { preprocess: …, sure: 0.98 }
 */
export function inferredPreprocess(first: FirstConvolution): Inferred | undefined {
  const [outs, channels, height, width] = first.dims;
  if ((channels !== 3 && channels !== 1) || height > LARGEST || width > LARGEST) return undefined;
  if (isUntouched(first.seen)) return undefined;
  const ways = Object.values(waysOf(channels));
  const near = nearness(height, width);
  const responses = Array.from({ length: Math.min(outs, ENOUGH) }, (_, o) => response(first, o, near));
  const scores = ways.map((preprocess) => {
    const costs = responses.map((r, o) => Math.min(cost(r, preprocess, first, o), MOST));
    const mean = costs.reduce((sum, c) => sum + c, 0) / costs.length;
    return -mean * Math.min(costs.length, WITNESSES);
  });
  const best = scores.indexOf(Math.max(...scores));
  const all = scores.reduce((sum, score) => sum + Math.exp(score - scores[best]!), 0);
  // Whether blue comes first cannot be seen here.
  return Number.isFinite(all) ? { preprocess: ways[best]!, sure: 1 / all } : undefined;
}

/** Whether a normalisation has never seen a picture, and remembers what it began with: the mean 0 and the variance 1 everywhere. */
function isUntouched({ mean, variance }: FirstConvolution['seen']): boolean {
  return Array.from(mean).every((m) => m === 0) && Array.from(variance).every((v) => v === 1);
}

/** The ways in which pictures of so many channels are prepared. */
function waysOf(channels: number): Readonly<Record<Way, Preprocess>> {
  const unit = preprocessOf({ range: [0, 1] }, channels);
  if (channels === 3) return { ...knownPreprocess, unit };
  return {
    tf: preprocessOf('tf', 1),
    unit,
    raw: preprocessOf('raw', 1),
    torch: preprocessOf({ mean: 0.45, std: 0.226 }, 1),
    caffe: preprocessOf({ range: [0, 255], mean: 115 }, 1),
  };
}

/** How alike each two positions of a kernel are. */
function nearness(height: number, width: number): Float64Array {
  const area = height * width;
  return Float64Array.from({ length: area * area }, (_, at) => {
    const [i, j] = [Math.floor(at / area), at % area];
    return alike(Math.hypot(Math.floor(i / width) - Math.floor(j / width), (i % width) - (j % width)));
  });
}

/** What an output of the convolution takes of each colour, and what the colours' detail gives it, pair by pair. */
interface Response {
  readonly sums: readonly number[];
  readonly pairs: readonly (readonly number[])[];
  readonly bias: number;
}

function response({ dims, kernel, bias }: FirstConvolution, out: number, near: Float64Array): Response {
  const [, channels, height, width] = dims;
  const area = height * width;
  const weight = (c: number, i: number): number => kernel[(out * channels + c) * area + i]!;
  const colours = Array.from({ length: channels }, (_, c) => c);
  const sums = colours.map((c) => Array.from({ length: area }, (_, i) => weight(c, i)).reduce((a, w) => a + w, 0));
  const pairs = colours.map((c) =>
    colours.map((d) => {
      let sum = 0;
      for (let i = 0; i < area; i++)
        for (let j = 0; j < area; j++) sum += weight(c, i) * weight(d, j) * near[i * area + j]!;
      return sum;
    }),
  );
  return { sums, pairs, bias: bias?.[out] ?? 0 };
}

/** How badly what photographs give at an output, prepared in this way, fits what the network has seen there. */
function cost(
  { sums, pairs, bias }: Response,
  { scale, shift, order }: Preprocess,
  { seen, rectified = false }: FirstConvolution,
  out: number,
): number {
  const colour = (c: number): number => (order === 'bgr' ? scale.length - 1 - c : c);
  const grey = MEAN.reduce<number>((sum, m) => sum + m / 3, 0);
  let mean = bias;
  let variance = 0;
  sums.forEach((sum, c) => {
    mean += sum * (scale[c]! * (scale.length === 3 ? MEAN[colour(c)]! : grey) + shift[c]!);
    sums.forEach((_, d) => {
      variance += pairs[c]![d]! * scale[c]! * scale[d]! * DEVIATION ** 2 * TOGETHER[colour(c)]![colour(d)]!;
    });
  });
  const given = { mean, deviation: Math.sqrt(Math.max(variance, 1e-30)) };
  const { mean: middle, deviation } = rectified ? behindRelu(given) : given;
  const remembered = Math.sqrt(Math.max(seen.variance[out]!, 1e-12));
  const off = (middle - seen.mean[out]!) / remembered / SPREAD.mean;
  const wide = Math.log(deviation / remembered) / SPREAD.deviation;
  return (off ** 2 + wide ** 2) / 2;
}

interface Spread {
  readonly mean: number;
  readonly deviation: number;
}

/** What a ReLU makes of numbers that are spread as if drawn from a normal distribution. */
function behindRelu({ mean, deviation }: Spread): Spread {
  const z = mean / deviation;
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  const share = normalShare(z);
  const middle = mean * share + deviation * density;
  const variance = (mean ** 2 + deviation ** 2) * share + mean * deviation * density - middle ** 2;
  return { mean: middle, deviation: Math.sqrt(Math.max(variance, 1e-30)) };
}

/** The share of a normal distribution below z, to within 1e-7 (Abramowitz and Stegun, 26.2.17). */
function normalShare(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const terms = [1.330274429, -1.821255978, 1.781477937, -0.356563782, 0.31938153];
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * terms.reduce((sum, c) => (sum + c) * t, 0);
  return z > 0 ? 1 - tail : tail;
}
