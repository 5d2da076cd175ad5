/** @file The one resampling of a step: bilinear, to a fixed size, with an exact gradient for the picture. */
import { PhospheneError } from '../errors.ts';
import type { Builder, Scalar, Value } from '../ir/builder.ts';
import { float32 } from '../ir/tensor.ts';
import { type Outside, plus, still, times, type View } from './view.ts';

/**
 * What a view shows of a picture [n, c, h, w]: [n, c, view.height, view.width]. Each value is the mean of the four pixels about its
 * position, weighted by nearness; a whole-pixel shift is exact. Only standard operators: the four pixels are gathered as rows of
 * all channels, and the gradient scatters rows. It costs the same whatever the motion, and no more if there are several.
 *
 * Throws `shape` if a side of the picture is one pixel.
 */
export function resampled(b: Builder, image: Value, view: View): Value {
  const [n, c, height, width] = image.dims as [number, number, number, number];
  const { from } = view;
  const isStill = (Object.keys(still) as (keyof typeof still)[]).every((entry) => from[entry] === still[entry]);
  if (isStill && height === view.height && width === view.width) return image;
  if (Math.min(height, width) < 2)
    throw new PhospheneError(
      'shape',
      `size: a picture of ${height}×${width} pixels cannot be moved; each side needs two at least`,
      { option: 'size', height, width },
    );
  const [ys, xs] = [centred(b, view.height, [view.height, 1]), centred(b, view.width, [1, view.width])];
  const position = (x: Scalar, y: Scalar, shift: Scalar, length: number): Value =>
    b.reshape(spread(b, plus(b, plus(b, times(b, xs, x), times(b, ys, y)), plus(b, shift, (length - 1) / 2)), view), [
      view.height * view.width,
    ]);
  const row = taps(b, position(from.yx, from.yy, from.y0, height), height, view.outside);
  const column = taps(b, position(from.xx, from.xy, from.x0, width), width, view.outside);
  // In the order of `corners`: the pixel itself, its neighbour to the right, that below, and the one across.
  const count = view.height * view.width;
  const corners = b.constant({
    dtype: 'int64',
    dims: [4, 1],
    data: BigInt64Array.from([0, 1, width, width + 1], BigInt),
  });
  const indices = b.add(b.add(b.mul(row.first, width), column.first), corners);
  const weights = b.reshape(b.mul(b.reshape(row.weights, [2, 1, count]), b.reshape(column.weights, [1, 2, count])), [
    4 * count,
    1,
  ]);
  const pixels = b.reshape(b.transpose(image, [2, 3, 0, 1]), [height * width, n * c]);
  // A product with ones: ONNX Runtime multiplies equal shapes several times faster than it broadcasts along short rows.
  const ones = b.constant(float32(new Float32Array(n * c).fill(1), [1, n * c]));
  const weighted = b.mul(b.gather(pixels, indices, 0), b.reshape(b.matmul(weights, ones), [4, count, n * c]));
  return b.transpose(b.reshape(b.sum(weighted, [0], false), [view.height, view.width, n, c]), [2, 3, 0, 1]);
}

interface Taps {
  /** The lower of the two pixels about each position, int64 [positions]. */
  readonly first: Value;
  /** Of the lower and the upper one, [2, positions]. */
  readonly weights: Value;
}

/** The pixels of one axis about each position. */
function taps(b: Builder, at: Value, length: number, outside: Outside = 'grey'): Taps {
  const last = length - 1;
  const inside = outside === 'grey' ? at : outside === 'edge' ? clipped(b, at, 0, last) : mirrored(b, at, last);
  // Kept within the picture, the weights of a position outside fall to zero by themselves.
  const first = clipped(b, b.one('Floor', [inside]), 0, length - 2);
  const beyond = b.sub(b.reshape(b.sub(inside, first), [1, at.dims[0]!]), b.float([0, 1], [2, 1]));
  return { first: b.cast(first, 'int64'), weights: b.relu(b.sub(1, b.one('Abs', [beyond]))) };
}

/** Positions as a mirror at 0 and at `last` shows them. */
function mirrored(b: Builder, at: Value, last: number): Value {
  const period = b.sub(at, b.mul(b.one('Floor', [b.div(at, 2 * last)]), 2 * last));
  return b.sub(last, b.one('Abs', [b.sub(period, last)]));
}

function clipped(b: Builder, x: Value, low: number, high: number): Value {
  return b.one('Clip', [x, b.float(low), b.float(high)]);
}

/** The positions along an axis, measured from its centre. */
function centred(b: Builder, length: number, dims: readonly number[]): Value {
  return b.constant(
    float32(
      Float32Array.from({ length }, (_, i) => i - (length - 1) / 2),
      dims,
    ),
  );
}

/** One value for each position. */
function spread(b: Builder, value: Scalar, { height, width }: View): Value {
  return b.expand(typeof value === 'number' ? b.float(value) : value, [height, width]);
}
