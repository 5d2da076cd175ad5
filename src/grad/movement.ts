/** @file Rules of operators that only move elements. */
import type { Builder, Value } from '../ir/builder.ts';
import { type AxisMap, resizeMaps } from '../ir/ops/resize.ts';
import { normalAxis, sliceRanges } from '../ir/shape.ts';
import { float32, toNumbers } from '../ir/tensor.ts';
import { family, type Rule, unsupported } from './rule.ts';

const reshaped: Rule = ({ b, g, inputs }) => [b.reshape(g, inputs[0]!.dims)];
const numbers = (value: { constant?: Parameters<typeof toNumbers>[0] | undefined } | undefined): number[] | undefined =>
  value?.constant && toNumbers(value.constant);

export const movement = family({
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: ({ b, g, attributes, inputs }) => {
    const perm = attributes.perm ?? inputs[0]!.dims.map((_, i) => inputs[0]!.dims.length - 1 - i);
    const inverse = perm.map((_, i) => perm.indexOf(i));
    return [b.transpose(g, inverse)];
  },
  Expand: ({ g }) => [g],
  Concat: ({ b, g, inputs, attributes, wants }) => {
    const axis = normalAxis(attributes.axis, g.dims.length);
    let start = 0;
    return inputs.map((x, i) => {
      const begin = start;
      start += x!.dims[axis]!;
      return wants(i) ? b.slice(g, [begin], [start], [axis]) : undefined;
    });
  },
  Split: ({ b, gradients, outputs, attributes }) => {
    const axis = normalAxis(attributes.axis, outputs[0]!.dims.length);
    return [
      b.concat(
        gradients.map((g, i) => g ?? b.expand(b.float(0), outputs[i]!.dims)),
        axis,
      ),
    ];
  },
  Pad: ({ b, g, inputs, attributes: { mode }, lower }) => {
    const rank = g.dims.length;
    const pads = numbers(inputs[1])!;
    const axes = numbers(inputs[3])?.map((a) => normalAxis(a, rank)) ?? g.dims.map((_, i) => i);
    const back = Array.from({ length: 2 * rank }, () => 0);
    axes.forEach((axis, i) => {
      back[axis] = -pads[i]!;
      back[axis + rank] = -pads[i + axes.length]!;
    });
    if (mode !== 'constant') {
      const maps = inputs[0]!.dims.map((d, axis) => borderMap(mode, d, -back[axis]!, -back[axis + rank]!));
      return [throughMaps(b, g, maps)];
    }
    const spatial = rank === 4 && back.every((p, i) => p <= 0 && (i % 4 >= 2 || p === 0));
    return [spatial ? lower.crop(b, g, [...back.slice(2, 4), ...back.slice(6)]) : b.pad(g, back)];
  },
  Slice: ({ b, g, inputs: [x, starts, ends, axes, steps], lower }) => {
    const { dims } = x!;
    const ranges = sliceRanges(dims, numbers(starts)!, numbers(ends)!, numbers(axes), numbers(steps));
    const onImage = ranges.length === 4 && ranges[0]!.step === 1 && ranges[1]!.step === 1;
    if (ranges.some((r) => r.step < 0) || (!onImage && ranges.some((r) => r.step > 1))) {
      const maps = ranges.map(({ begin, step, count }, axis): AxisMap | undefined =>
        step === 1 && count === dims[axis]
          ? undefined
          : { length: dims[axis]!, count, taps: (i) => [[begin + i * step, 1]] },
      );
      return [throughMaps(b, g, maps)];
    }
    let spread = g;
    if (ranges.some((r) => r.step > 1)) {
      const dense = ranges.map((r) => (r.count - 1) * r.step + 1);
      spread = lower.insertZeros(
        b,
        g,
        [ranges[2]!.step, ranges[3]!.step],
        [g.dims[0]!, g.dims[1]!, dense[2]!, dense[3]!],
      );
    }
    return [
      b.pad(spread, [...ranges.map((r) => r.begin), ...ranges.map((r, i) => dims[i]! - r.begin - spread.dims[i]!)]),
    ];
  },
  Gather: ({ b, g, inputs: [x, indices], attributes }) => {
    const axis = normalAxis(attributes.axis, x!.dims.length);
    const zeros = b.expand(b.float(0), x!.dims);
    // Whole rows at once are faster than element by element.
    if (axis === 0 && x!.dims.length > 1) {
      const rows = b.cast(b.reshape(indices!, [...indices!.dims, 1]), 'int64');
      return [b.one('ScatterND', [zeros, rows, g], { reduction: 'add' })];
    }
    const shape = g.dims.map((d, i) => (i >= axis && i < axis + indices!.dims.length ? d : 1));
    const flatDims = [...x!.dims.slice(0, axis), indices!.dims.reduce((n, d) => n * d, 1), ...x!.dims.slice(axis + 1)];
    const positions = b.reshape(b.expand(b.reshape(indices!, shape), g.dims), flatDims);
    return [b.one('ScatterElements', [zeros, positions, b.reshape(g, flatDims)], { axis, reduction: 'add' })];
  },
  GatherElements: ({ b, g, inputs: [x, indices], attributes: { axis } }) => [
    b.one('ScatterElements', [b.expand(b.float(0), x!.dims), indices, g], { axis, reduction: 'add' }),
  ],
  ScatterElements: ({ b, g, inputs: [, indices], attributes: { axis, reduction }, node, wants }) => {
    if (reduction !== 'none' && reduction !== 'add') throw unsupported(node, `no gradient for \`${reduction}\``);
    const zeros = b.expand(b.float(0), indices!.dims);
    return [
      // What was written over has no part in the result.
      wants(0) && reduction === 'none' ? b.one('ScatterElements', [g, indices, zeros], { axis, reduction }) : g,
      undefined,
      wants(2) ? b.one('GatherElements', [g, indices], { axis }) : undefined,
    ];
  },
  CumSum: ({ b, g, inputs: [, axis], attributes: { exclusive, reverse } }) => [
    b.one('CumSum', [g, axis], { exclusive, reverse: 1 - reverse }),
  ],
  Tile: ({ b, g, inputs: [x] }) => {
    const { dims } = x!;
    // Each axis as two: which copy, and where in it.
    const pairs = dims.flatMap((d, i) => [g.dims[i]! / d, d]);
    const copies = dims.map((_, i) => 2 * i);
    return [b.reshape(b.sum(b.reshape(g, pairs), copies), dims)];
  },
  SpaceToDepth: ({ b, g, attributes: { blocksize } }) => [b.one('DepthToSpace', [g], { blocksize, mode: 'DCR' })],
  Resize: ({ b, g, inputs, attributes, node }) => {
    const maps = resizeMaps(inputs, attributes);
    if (!maps) throw unsupported(node, `no gradient for its mode \`${attributes.mode}\``);
    return [throughMaps(b, g, maps)];
  },
  DepthToSpace: ({ b, g, attributes: { blocksize: s, mode } }) => {
    const [n, c, h, w] = g.dims as [number, number, number, number];
    const split = b.reshape(g, [n, c, h / s, s, w / s, s]);
    const perm = mode === 'CRD' ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4];
    return [b.reshape(b.transpose(split, perm), [n, c * s * s, h / s, w / s])];
  },
});

/** The positions from which a Pad that reflects or repeats takes each of its own, on one axis; undefined if it leaves the axis alone. */
function borderMap(mode: string, length: number, begin: number, end: number): AxisMap | undefined {
  if (begin === 0 && end === 0) return undefined;
  const inside = (at: number): number =>
    mode === 'edge' ? Math.min(Math.max(at, 0), length - 1) : at < 0 ? -at : at >= length ? 2 * (length - 1) - at : at;
  return { length, count: begin + length + end, taps: (i) => [[inside(i - begin), 1]] };
}

/** The adjoint of linear maps along the axes: a product with each map's matrix. */
function throughMaps(b: Builder, g: Value, maps: readonly (AxisMap | undefined)[]): Value {
  return maps.reduce<Value>((flowing, map, axis) => (map ? throughMap(b, flowing, map, axis) : flowing), g);
}

function throughMap(b: Builder, g: Value, { length, count, taps }: AxisMap, axis: number): Value {
  const rank = g.dims.length;
  const last = axis === rank - 1;
  const data = b.budget.floats(count * length);
  for (let i = 0; i < count; i++)
    for (const [at, weight] of taps(i)) data[last ? i * length + at : at * count + i] = weight;
  const matrix = b.constant(float32(data, last ? [count, length] : [length, count]));
  // A product needs two axes.
  if (rank === 1) return b.reshape(b.matmul(b.reshape(g, [1, count]), matrix), [length]);
  if (last) return b.matmul(g, matrix);
  if (axis === rank - 2) return b.matmul(matrix, g);
  // The axis stands second to last while it is multiplied.
  const order = [...g.dims.keys()].filter((i) => i !== axis);
  const perm = [...order.slice(0, -1), axis, order.at(-1)!];
  return b.transpose(
    b.matmul(matrix, b.transpose(g, perm)),
    perm.map((_, i) => perm.indexOf(i)),
  );
}
