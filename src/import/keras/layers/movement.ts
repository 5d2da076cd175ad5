/** @file Keras layers that move values and change none. */
import type { Value } from '../../../ir/builder.ts';
import {
  flag,
  type KerasLayer,
  type LayerContext,
  MOST_PIXELS,
  number,
  only,
  pair,
  picture,
  text,
  unsupported,
  whole,
} from '../layer.ts';
import { resized } from './resampling.ts';

/** `2`, `[1, 2]` or `[[top, bottom], [left, right]]` as four numbers. */
function sides(
  context: LayerContext,
  key: string,
): readonly [top: number, bottom: number, left: number, right: number] {
  const value = context.config[key] ?? 1;
  const [rows, columns] = Array.isArray(value) ? (value as unknown[]) : [value, value];
  const both = (v: unknown): unknown[] => (Array.isArray(v) ? (v as unknown[]) : [v, v]);
  const numbers = [...both(rows), ...both(columns)];
  if (
    numbers.length !== 4 ||
    !numbers.every((n) => Number.isInteger(n) && (n as number) >= 0 && (n as number) <= MOST_PIXELS)
  )
    throw unsupported(context, `its ${key} is ${JSON.stringify(value)}`);
  return numbers as unknown as readonly [number, number, number, number];
}

const ZeroPadding2D: KerasLayer = (context) => {
  const [top, bottom, left, right] =
    context.config['before_stride'] === undefined ? sides(context, 'padding') : beforeStride(context);
  return context.b.pad(picture(context), [0, 0, top, left, 0, 0, bottom, right], 0, context.name);
};

/**
 * The pads before a convolution of stride 2 in the networks of keras.applications, which depend on the picture's size. A file has
 * the numbers; a published architecture has the kernel's length under `before_stride`.
 */
function beforeStride(context: LayerContext): readonly [number, number, number, number] {
  const [, , height, width] = picture(context).dims as [number, number, number, number];
  const half = Math.floor(whole(context, 'before_stride', 0) / 2);
  const before = (length: number): number => half - 1 + (length % 2);
  return [before(height), half, before(width), half];
}

const Cropping2D: KerasLayer = (context) => {
  const [top, bottom, left, right] = sides(context, 'cropping');
  return context.b.pad(picture(context), [0, 0, -top, -left, 0, 0, -bottom, -right], 0, context.name);
};

/** Dropout and the like: nothing, when the network is not trained. */
const same: KerasLayer = (context) => context.b.one('Identity', [only(context)], {}, context.name);

/** Each pixel several times: between axes of their own for rows and columns. */
const UpSampling2D: KerasLayer = (context) => {
  const { b, name } = context;
  const x = picture(context);
  const [rows, columns] = pair(context, 'size', 2);
  const interpolation = text(context, 'interpolation', 'nearest');
  const [n, c, h, w] = x.dims as [number, number, number, number];
  if (interpolation !== 'nearest') return resized(context, x, [h * rows, w * columns], interpolation);
  const spread = b.expand(b.reshape(x, [n, c, h, 1, w, 1]), [n, c, h, rows, w, columns]);
  return b.one('Reshape', [spread, b.ints([n, c, h * rows, w * columns])], {}, name);
};

/** A size, with what a picture must be cut to or padded to so that it has the same shape. */
const Resizing: KerasLayer = (context) => {
  const { b } = context;
  const x = picture(context);
  const [height, width] = [length(context, 'height'), length(context, 'width')];
  const interpolation = text(context, 'interpolation', 'bilinear').toLowerCase();
  let from = x;
  if (flag(context, 'crop_to_aspect_ratio', false)) from = cropped(context, x, fitting(x, height, width));
  else if (flag(context, 'pad_to_aspect_ratio', false)) {
    const [, , h, w] = x.dims as [number, number, number, number];
    // As much on either side: of an odd number one is left off.
    const rows = Math.floor((Math.max(h, Math.floor((w * height) / width)) - h) / 2);
    const columns = Math.floor((Math.max(w, Math.floor((h * width) / height)) - w) / 2);
    if (text(context, 'fill_mode', 'constant') !== 'constant')
      throw unsupported(context, `its fill_mode is ${JSON.stringify(context.config['fill_mode'])}`);
    from = b.pad(x, [0, 0, rows, columns, 0, 0, rows, columns], number(context, 'fill_value', 0));
  }
  return resized(context, from, [height, width], interpolation, flag(context, 'antialias', false));
};

/** The middle of a picture, or if it is smaller the largest part of it that has that shape, made larger. */
const CenterCrop: KerasLayer = (context) => {
  const x = picture(context);
  const [height, width] = [length(context, 'height'), length(context, 'width')];
  const [, , h, w] = x.dims as [number, number, number, number];
  if (h >= height && w >= width) return cropped(context, x, [height, width], context.name);
  return resized(context, cropped(context, x, fitting(x, height, width)), [height, width], 'bilinear');
};

/** When nothing is trained: of Keras 2 the largest part that has that shape, in that size; of Keras 3 all of it. */
const RandomCrop: KerasLayer = (context) => {
  if (!context.keras2) return same(context);
  const x = picture(context);
  const [height, width] = [length(context, 'height'), length(context, 'width')];
  return resized(context, cropped(context, x, fitting(x, height, width)), [height, width], 'bilinear');
};

/** A length in pixels. */
function length(context: LayerContext, key: string): number {
  return pair(context, key, 0)[0];
}

/** The largest height and width in a picture that are to each other as those. */
function fitting({ dims }: Value, height: number, width: number): readonly [number, number] {
  const [, , h, w] = dims as [number, number, number, number];
  return [
    Math.max(Math.min(h, Math.floor((w * height) / width)), 1),
    Math.max(Math.min(w, Math.floor((h * width) / height)), 1),
  ];
}

/** The middle of a picture. */
function cropped({ b }: LayerContext, x: Value, [height, width]: readonly [number, number], name?: string): Value {
  const [, , h, w] = x.dims as [number, number, number, number];
  const [top, left] = [Math.floor((h - height) / 2), Math.floor((w - width) / 2)];
  return b.pad(x, [0, 0, -top, -left, 0, 0, top + height - h, left + width - w], 0, name);
}

/** Zeros where a sequence is masked: all its numbers are that value. */
const Masking: KerasLayer = (context) => {
  const { b, name } = context;
  const x = only(context);
  const masked = b.cast(b.equal(x, number(context, 'mask_value', 0)), 'float32');
  const kept = b.sub(1, b.one('ReduceMin', [masked, b.ints([x.dims.length - 1])], { keepdims: 1 }));
  return b.one('Mul', [x, kept], {}, name);
};

/** Layers that do nothing when the network is not trained. */
const idle = [
  'ActivityRegularization',
  'AlphaDropout',
  'Dropout',
  'GaussianDropout',
  'GaussianNoise',
  'Identity',
  'SpatialDropout2D',
  'StochasticDepth',
  // Augmentation.
  'AugMix',
  'CutMix',
  'MixUp',
  'RandAugment',
  'RandomBrightness',
  'RandomColorDegeneration',
  'RandomColorJitter',
  'RandomContrast',
  'RandomElasticTransform',
  'RandomErasing',
  'RandomFlip',
  'RandomGaussianBlur',
  'RandomGrayscale',
  'RandomHeight',
  'RandomHue',
  'RandomInvert',
  'RandomPerspective',
  'RandomPosterization',
  'RandomRotation',
  'RandomSaturation',
  'RandomSharpness',
  'RandomShear',
  'RandomTranslation',
  'RandomWidth',
  'RandomZoom',
] as const;

export const movements: Readonly<Record<string, KerasLayer>> = {
  ...Object.fromEntries(idle.map((type) => [type, same])),
  ZeroPadding2D,
  Cropping2D,
  UpSampling2D,
  Resizing,
  CenterCrop,
  RandomCrop,
  Masking,
};
