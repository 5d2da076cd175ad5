/** @file Rules of operators that only move elements. */
import { normalAxis, sliceRanges } from '../ir/shape.ts';
import { toNumbers } from '../ir/tensor.ts';
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
  Pad: ({ b, g, inputs, node, attributes: { mode }, lower }) => {
    if (mode !== 'constant') throw unsupported(node, `no gradient for its mode \`${mode}\``);
    const rank = g.dims.length;
    const pads = numbers(inputs[1])!;
    const axes = numbers(inputs[3])?.map((a) => normalAxis(a, rank)) ?? g.dims.map((_, i) => i);
    const back = Array.from({ length: 2 * rank }, () => 0);
    axes.forEach((axis, i) => {
      back[axis] = -pads[i]!;
      back[axis + rank] = -pads[i + axes.length]!;
    });
    const spatial = rank === 4 && back.every((p, i) => p <= 0 && (i % 4 >= 2 || p === 0));
    return [spatial ? lower.crop(b, g, [...back.slice(2, 4), ...back.slice(6)]) : b.pad(g, back)];
  },
  Slice: ({ b, g, inputs: [x, starts, ends, axes, steps], node, lower }) => {
    const ranges = sliceRanges(x!.dims, numbers(starts)!, numbers(ends)!, numbers(axes), numbers(steps));
    if (ranges.some((r) => r.step < 0)) throw unsupported(node, 'no gradient for negative steps');
    let spread = g;
    if (ranges.some((r) => r.step > 1)) {
      if (ranges.length !== 4 || ranges[0]!.step > 1 || ranges[1]!.step > 1)
        throw unsupported(node, 'no gradient for steps on these axes');
      const dense = ranges.map((r) => (r.count - 1) * r.step + 1);
      spread = lower.insertZeros(
        b,
        g,
        [ranges[2]!.step, ranges[3]!.step],
        [g.dims[0]!, g.dims[1]!, dense[2]!, dense[3]!],
      );
    }
    return [
      b.pad(spread, [...ranges.map((r) => r.begin), ...ranges.map((r, i) => x!.dims[i]! - r.begin - spread.dims[i]!)]),
    ];
  },
  Gather: ({ b, g, inputs: [x, indices], attributes }) => {
    const axis = normalAxis(attributes.axis, x!.dims.length);
    const zeros = b.expand(b.float(0), x!.dims);
    const shape = g.dims.map((d, i) => (i >= axis && i < axis + indices!.dims.length ? d : 1));
    const flatDims = [...x!.dims.slice(0, axis), indices!.dims.reduce((n, d) => n * d, 1), ...x!.dims.slice(axis + 1)];
    const positions = b.reshape(b.expand(b.reshape(indices!, shape), g.dims), flatDims);
    return [b.one('ScatterElements', [zeros, positions, b.reshape(g, flatDims)], { axis, reduction: 'add' })];
  },
  DepthToSpace: ({ b, g, attributes: { blocksize: s, mode } }) => {
    const [n, c, h, w] = g.dims as [number, number, number, number];
    const split = b.reshape(g, [n, c, h / s, s, w / s, s]);
    const perm = mode === 'CRD' ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4];
    return [b.reshape(b.transpose(split, perm), [n, c * s * s, h / s, w / s])];
  },
});
