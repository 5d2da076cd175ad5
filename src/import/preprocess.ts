/** @file What a network expects of a picture: for each of its channels a scale and a shift, and the order of the colours. */
import { didYouMean, PhospheneError } from '../errors.ts';
import type { Builder, Value } from '../ir/builder.ts';
import { float32 } from '../ir/tensor.ts';

/**
 * Channel i of the network's input is `scale[i] * picture[i] + shift[i]`, the picture's values being in [-1, 1]. With the order
 * `bgr` it is the picture's channel 2 - i. There is one entry for each channel of the network.
 */
export interface Preprocess {
  readonly scale: readonly number[];
  readonly shift: readonly number[];
  readonly order: 'rgb' | 'bgr';
}

/**
 * How a preprocessing is known: the model is published with it, the file says so, the caller gave it, it was inferred from the
 * weights, or nothing says it and [-1, 1] is assumed. People should be told of the last two.
 */
export type Origin = 'known' | 'file' | 'given' | 'inferred' | 'assumed';

/** Preprocessings that have a name, as in keras.applications. */
export type PreprocessName =
  /** RGB in [-1, 1]. */
  | 'tf'
  /** RGB in [0, 1], standardised by ImageNet's mean and deviation. */
  | 'torch'
  /** BGR in [0, 255] with ImageNet's mean subtracted. */
  | 'caffe'
  /** RGB in [0, 255]. */
  | 'raw';

/** A preprocessing spelled out: pixels in `range`, from which `mean` is subtracted, and which are divided by `std`. */
export interface PreprocessRange {
  /** What black and white are before mean and std; [0, 1] unless given. */
  readonly range?: readonly [black: number, white: number];
  /** One number, or one for each channel in the network's order; 0 unless given. */
  readonly mean?: number | readonly number[];
  /** One number, or one for each channel in the network's order; 1 unless given. */
  readonly std?: number | readonly number[];
  /** Whether the network takes blue first. */
  readonly bgr?: boolean;
}

/** What a network expects of a picture: a name, or numbers. */
export type PreprocessSpec = PreprocessName | PreprocessRange;

const names: Readonly<Record<PreprocessName, PreprocessRange>> = {
  tf: { range: [-1, 1] },
  torch: { range: [0, 1], mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
  caffe: { range: [0, 255], mean: [103.939, 116.779, 123.68], bgr: true },
  raw: { range: [0, 255] },
};
const NAMES = Object.keys(names) as PreprocessName[];

/** The named preprocessings of a network with three channels. */
export const knownPreprocess: Readonly<Record<PreprocessName, Preprocess>> = {
  tf: preprocessOf('tf', 3),
  torch: preprocessOf('torch', 3),
  caffe: preprocessOf('caffe', 3),
  raw: preprocessOf('raw', 3),
};

export function isPreprocessName(name: string): name is PreprocessName {
  return (NAMES as readonly string[]).includes(name);
}

/**
 * The preprocessing that `spec` means for a network with so many channels. Throws `bad-option` for an unknown name, for numbers
 * that make no sense, and if it is for another number of channels.
 *
 * @example
 * preprocessOf('torch', 3);
 * preprocessOf({ range: [0, 255], mean: 128, std: 64 }, 1); // { scale: [1.9921875], shift: [-0.0078125], order: 'rgb' }
 */
export function preprocessOf(spec: PreprocessSpec, channels: number): Preprocess {
  if (typeof spec === 'string') {
    if (!isPreprocessName(spec)) throw unknownPreprocess('preprocess', spec);
    return preprocessOf(names[spec], channels);
  }
  const { range = [0, 1], mean = 0, std = 1, bgr = false } = spec;
  const fault = (what: string): PhospheneError =>
    new PhospheneError('bad-option', `preprocess: ${what}`, { option: 'preprocess' });
  const [black, white] = range;
  if (range.length !== 2 || !range.every(Number.isFinite) || black === white)
    throw fault(`its range is [${range.join(', ')}]; two different numbers are needed, such as [0, 1] or [0, 255]`);
  if (bgr && channels !== 3) throw fault(`BGR needs three channels, this network has ${channels}`);
  const each = (what: string, values: number | readonly number[]): readonly number[] => {
    const list = typeof values === 'number' ? Array.from({ length: channels }, () => values) : values;
    if (list.length !== channels)
      throw fault(`its ${what} has ${list.length} numbers, this network has ${channels} channels; give one for each`);
    if (!list.every(Number.isFinite)) throw fault(`its ${what} is [${list.join(', ')}]; finite numbers are needed`);
    return list;
  };
  const [means, deviations] = [each('mean', mean), each('std', std)];
  if (deviations.some((d) => d <= 0)) throw fault('its std is not positive');
  const [half, middle] = [(white - black) / 2, (white + black) / 2];
  return {
    scale: deviations.map((d) => half / d),
    shift: means.map((m, i) => (middle - m) / deviations[i]!),
    order: bgr ? 'bgr' : 'rgb',
  };
}

/** What is said of a name that no preprocessing has; `what` says where it stands. */
export function unknownPreprocess(what: string, name: string): PhospheneError {
  return new PhospheneError(
    'bad-option',
    `${what}: \`${name}\` is not known${didYouMean(name, NAMES)}; the names are ${NAMES.join(', ')}`,
    { option: 'preprocess', name, known: NAMES },
  );
}

/** Adds the map from a picture [n, c, h, w] in [-1, 1] to what the network expects: a 1×1 convolution, whose gradient is one too. */
export function preprocessed(b: Builder, image: Value, { scale, shift, order }: Preprocess): Value {
  const channels = scale.length;
  if (order === 'rgb' && scale.every((s) => s === 1) && shift.every((s) => s === 0)) return image;
  const kernel = new Float32Array(channels * channels);
  for (let out = 0; out < channels; out++)
    kernel[out * channels + (order === 'bgr' ? channels - 1 - out : out)] = scale[out]!;
  // Named, so that no value of a file finds its name taken.
  return b.conv(
    image,
    b.constant(float32(kernel, [channels, channels, 1, 1]), 'image/scale'),
    b.constant(float32(shift), 'image/shift'),
    {},
    'image/preprocessed',
  );
}
