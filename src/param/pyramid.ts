/** @file A Laplacian pyramid: the sum of pictures at several resolutions, so that one step moves large shapes and small ones. */
import type { Builder, Value } from '../ir/builder.ts';
import { type Dims, float32 } from '../ir/tensor.ts';
import { number, whole } from '../settings.ts';
import { kind } from '../noun.ts';
import { Z } from '../step/step.ts';
import { colours, pictureOf, valuesOf } from './colour.ts';
import type { Param } from './param.ts';

/**
 * The picture is the sum of `levels` pictures, each half as large as the one before and brought to full size by bilinear
 * interpolation; in decorrelated colours, brought into (-1, 1) by a sigmoid. `z` is the largest, then `z/1`, `z/2` …
 *
 * Source: Lucid's `laplacian_pyramid_image` (`lucid/optvis/param/lowres.py`): 4 levels, each begun as N(0, .01). Ours interpolates
 * between the centres of pixels; TensorFlow 1, between their corners.
 */
export const pyramid = kind({
  kind: 'pyramid',
  help: 'A sum of pixels at several resolutions',
  settings: {
    levels: whole({ help: 'Resolutions, each half of the one before', default: 4, from: 1, to: 16 }),
    deviation: number({ help: 'Standard deviation of the start noise', default: 0.01, from: 0, to: 1000 }),
    colour: colours,
  },
  make:
    ({ levels, deviation, colour }): Param =>
    (s, dims) => {
      const { b } = s;
      const [n, c, height, width] = dims as [number, number, number, number];
      const sizes = Array.from({ length: levels }, (_, level) =>
        [height, width].map((length) => Math.max(1, Math.floor(length / 2 ** level))),
      ) as [number, number][];
      const z = sizes.map(([h, w], level) =>
        s.state(nameOf(level), [n, c, h, w], { kind: 'normal', mean: 0, deviation }),
      );
      const grown = z.map((value, level) => enlarged(b, value, sizes[level]!, [height, width]));
      return {
        z,
        image: pictureOf(
          b,
          grown.reduce((sum, value) => b.add(sum, value)),
          colour,
        ),
        invert(photo) {
          let rest = valuesOf(photo, colour);
          // From the smallest on: what a level cannot show is left to the larger ones, and the largest can show all.
          const found = sizes.toReversed().map((size, i): [string, Dims, Float64Array] => {
            const at = levels - 1 - i;
            const part = at === 0 ? rest : shrunk(rest, [height, width], size);
            const seen = at === 0 ? rest : stretched(part, size, [height, width]);
            rest = rest.map((value, k) => value - seen[k]!);
            return [nameOf(at), [n, c, ...size], part];
          });
          return Object.fromEntries(
            found.toReversed().map(([name, of, values]) => [name, float32(Float32Array.from(values), of)]),
          );
        },
      };
    },
});

type Pair = readonly [height: number, width: number];

function nameOf(level: number): string {
  return level === 0 ? Z : `${Z}/${level}`;
}

/** Bilinear interpolation from one size to a larger one, as two products with matrices. */
function enlarged(b: Builder, x: Value, from: Pair, to: Pair): Value {
  if (from[0] === to[0] && from[1] === to[1]) return x;
  const constant = (values: Float64Array, dims: Dims): Value => b.constant(float32(Float32Array.from(values), dims));
  const rows = constant(bilinear(from[0], to[0]), [to[0], from[0]]);
  const columns = constant(bilinear(from[1], to[1]), [to[1], from[1]]);
  return b.matmul(b.matmul(rows, x), b.transpose(columns, [1, 0]));
}

/** The matrix [to, from] that interpolates between the centres of pixels; the outermost ones go on. */
function bilinear(from: number, to: number): Float64Array {
  const matrix = new Float64Array(to * from);
  for (let i = 0; i < to; i++) {
    const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    const first = Math.min(Math.floor(at), Math.max(0, from - 2));
    matrix[i * from + first]! += 1 - (at - first);
    if (at > first) matrix[i * from + first + 1]! += at - first;
  }
  return matrix;
}

/** Planes of one size at another, along each axis by a matrix of [to, from]. */
function resized(
  planes: Float64Array,
  from: Pair,
  to: Pair,
  by: (from: number, to: number) => Float64Array,
): Float64Array {
  const [rows, columns] = [by(from[0], to[0]), by(from[1], to[1])];
  const count = planes.length / (from[0] * from[1]);
  const out = new Float64Array(count * to[0] * to[1]);
  const half = new Float64Array(to[0] * from[1]);
  for (let k = 0; k < count; k++) {
    const plane = planes.subarray(k * from[0] * from[1], (k + 1) * from[0] * from[1]);
    half.fill(0);
    for (let i = 0; i < to[0]; i++)
      for (let y = 0; y < from[0]; y++) {
        const weight = rows[i * from[0] + y]!;
        if (weight !== 0) for (let x = 0; x < from[1]; x++) half[i * from[1] + x]! += weight * plane[y * from[1] + x]!;
      }
    for (let j = 0; j < to[1]; j++)
      for (let x = 0; x < from[1]; x++) {
        const weight = columns[j * from[1] + x]!;
        if (weight !== 0)
          for (let i = 0; i < to[0]; i++) out[(k * to[0] + i) * to[1] + j]! += weight * half[i * from[1] + x]!;
      }
  }
  return out;
}

const stretched = (planes: Float64Array, from: Pair, to: Pair): Float64Array => resized(planes, from, to, bilinear);

/** Each pixel of the smaller size is the mean of those that it stands for. */
const shrunk = (planes: Float64Array, from: Pair, to: Pair): Float64Array =>
  resized(planes, from, to, (length, count) => {
    const matrix = new Float64Array(count * length);
    for (let i = 0; i < length; i++) {
      const at = Math.floor((i * count) / length);
      const size = Math.ceil(((at + 1) * length) / count) - Math.ceil((at * length) / count);
      matrix[at * length + i] = 1 / size;
    }
    return matrix;
  });
