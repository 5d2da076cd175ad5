/** @file Keras layers that move values and change none. */
import {
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
  if (interpolation !== 'nearest') throw unsupported(context, `its interpolation is ${interpolation}`);
  const [n, c, h, w] = x.dims as [number, number, number, number];
  const spread = b.expand(b.reshape(x, [n, c, h, 1, w, 1]), [n, c, h, rows, w, columns]);
  return b.one('Reshape', [spread, b.ints([n, c, h * rows, w * columns])], {}, name);
};

/** Only if there is nothing to do. */
const Resizing: KerasLayer = (context) => {
  const x = picture(context);
  const [height, width] = [number(context, 'height', 0), number(context, 'width', 0)];
  if (x.dims[2] !== height || x.dims[3] !== width)
    throw unsupported(
      context,
      `it makes ${height}×${width} of ${x.dims[2]}×${x.dims[3]}; with pictures of ${height}×${width} it has nothing to do`,
    );
  return same(context);
};

export const movements: Readonly<Record<string, KerasLayer>> = {
  ZeroPadding2D,
  Cropping2D,
  Dropout: same,
  SpatialDropout2D: same,
  GaussianNoise: same,
  GaussianDropout: same,
  AlphaDropout: same,
  ActivityRegularization: same,
  StochasticDepth: same,
  // Augmentation is for training.
  RandomBrightness: same,
  RandomContrast: same,
  RandomFlip: same,
  RandomRotation: same,
  RandomTranslation: same,
  RandomZoom: same,
  UpSampling2D,
  Resizing,
};
