/** @file A model: something that can list its layers and be cut at one of them, for any image size. */
import { didYouMean, PhospheneError } from '../errors.ts';
import type { Builder, Value } from '../ir/builder.ts';
import type { Graph } from '../ir/graph.ts';
import { float32 } from '../ir/tensor.ts';
import type { Layer } from './layers.ts';

/** Height and width of the picture in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** What the network expects of an RGB picture whose values are in [-1, 1]; names as in keras.applications. */
export type Preprocess =
  /** Just that: RGB in [-1, 1]. */
  | 'tf'
  /** BGR in 0..255 with the ImageNet mean subtracted. */
  | 'caffe'
  /** RGB in 0..1, standardised by ImageNet's mean and deviation. */
  | 'torch'
  /** RGB in 0..255. */
  | 'raw';

export interface Model {
  readonly name: string;
  /** SHA-256 of the weights, so that a picture can say what it shows. */
  readonly hash: string;
  readonly preprocess: Preprocess;
  /** The layer that is rendered when none is named. */
  readonly defaultLayer: string;
  /** Layers in order, with the dims that they have at this size. */
  layers(size: Size): readonly Layer[];
  /** Why the layers at this size are not all that the file has: what is wrong with the first that cannot be built. */
  barrier?(size: Size): PhospheneError | undefined;
  /** The graph from `image` to all layers, its outputs in their order: to be asked, not run; its weights may be zeros. */
  outline(size: Size): Graph;
  /** The graph from `image` [1, 3, h, w] in [-1, 1] to the output of `layer`, and no more. Throws `unknown-layer`. */
  cut(layer: string, size: Size): Graph;
}

/** The name of the image input of every cut graph. */
export const IMAGE = 'image';

/** Adds the map from an RGB image in [-1, 1] to what the network expects: a 1×1 convolution, whose gradient is one too. */
export function preprocessed(b: Builder, image: Value, preprocess: Preprocess): Value {
  if (preprocess === 'tf') return image;
  const deviation = [0.229, 0.224, 0.225];
  const mean = [0.485, 0.456, 0.406];
  const bgr = preprocess === 'caffe';
  const scale = preprocess === 'torch' ? deviation.map((d) => 0.5 / d) : [127.5, 127.5, 127.5];
  const shift =
    preprocess === 'torch'
      ? mean.map((m, i) => (0.5 - m) / deviation[i]!)
      : bgr
        ? [127.5 - 103.939, 127.5 - 116.779, 127.5 - 123.68]
        : [127.5, 127.5, 127.5];
  const kernel = new Float32Array(9);
  for (let out = 0; out < 3; out++) kernel[out * 3 + (bgr ? 2 - out : out)] = scale[out]!;
  return b.conv(image, b.constant(float32(kernel, [3, 3, 1, 1])), b.float(shift));
}

/** Remembers what `list` gave for the last size: one start asks for the layers several times. */
export function remembered<T>(list: (size: Size) => T): (size: Size) => T {
  let last: { readonly height: number; readonly width: number; readonly value: T } | undefined;
  return ({ height, width }) => {
    if (last?.height !== height || last.width !== width) last = { height, width, value: list({ height, width }) };
    return last.value;
  };
}

export function unknownLayer(model: string, layer: string, layers: readonly Layer[]): PhospheneError {
  const names = layers.map((l) => l.name);
  return new PhospheneError(
    'unknown-layer',
    `layer \`${layer}\` not found in ${model}${didYouMean(layer, names) || `; \`phosphene layers ${model}\` lists its ${names.length} layers`}`,
    { layer, model },
  );
}

/** Checks a picture size before anything is built for it. */
export function checkSize({ height, width }: Size): void {
  for (const [what, value] of [
    ['height', height],
    ['width', width],
  ] as const) {
    if (!Number.isInteger(value) || value < 1)
      throw new PhospheneError(
        'bad-option',
        `size: the ${what} must be a positive whole number of pixels, not ${value}`,
      );
  }
}
