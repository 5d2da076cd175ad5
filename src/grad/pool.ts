/** @file Rules of pooling and reductions. */
import type { Builder, Value } from '../ir/builder.ts';
import { reducedAxes } from '../ir/ops/pool.ts';
import { normalAxis } from '../ir/shape.ts';
import { float32, sizeOf, toNumbers } from '../ir/tensor.ts';
import { type Window, windowOf } from '../ir/window.ts';
import { family, type Rule, type RuleContext, unsupported } from './rule.ts';

/** What the rules of reductions read of their attributes. */
interface Reduction {
  readonly noop_with_empty_axes: number;
}

/** `g` with the reduced axes put back as ones, ready to be broadcast over the input. */
function unreduced({ b, g, inputs, attributes }: RuleContext<Reduction>): { g: Value; count: number; axes: number[] } {
  const { dims } = inputs[0]!;
  const given = inputs[1]?.constant && toNumbers(inputs[1].constant);
  const axes = reducedAxes(given, dims.length, attributes.noop_with_empty_axes);
  const kept = dims.map((d, i) => (axes.includes(i) ? 1 : d));
  return { g: b.reshape(g, kept), count: axes.reduce((n, a) => n * dims[a]!, 1), axes };
}

/** Max and min: the gradient goes to the elements that attain the extremum, shared equally among ties. */
const reduceExtremum: Rule<Reduction> = (c) => {
  const { b, inputs, outputs } = c;
  const { g, axes } = unreduced(c);
  const hits = b.cast(b.equal(inputs[0]!, b.reshape(outputs[0]!, g.dims)), g.dtype);
  return [b.mul(hits, b.div(g, b.sum(hits, axes)))];
};

const softmaxAxis = ({ g, attributes }: RuleContext<{ readonly axis: number }>): number =>
  normalAxis(attributes.axis, g.dims.length);

export const pool = family({
  MaxPool: ({ b, g, node, attributes, inputs: [x], outputs, lower }) => {
    const window = windowOf(attributes, attributes.kernel_shape, x!.dims.slice(2));
    const plain = window.pads.every((p) => p === 0);
    if (plain && window.kernel.every((k) => k === 1) && x!.dims.length === 4)
      return [lower.insertZeros(b, g, window.strides, x!.dims)];
    return [lower.maxPoolInput(b, g, x!, outputs[0]!, node.attributes, window)];
  },
  AveragePool: ({ b, g, node, attributes, inputs: [x], lower }) => {
    if (x!.dims.length !== 4) throw unsupported(node, 'only two spatial axes are supported');
    const window = windowOf(attributes, attributes.kernel_shape, x!.dims.slice(2));
    const channels = x!.dims[1]!;
    const ones = b.constant(
      float32(b.budget.floats(channels * sizeOf(window.kernel)).fill(1), [channels, 1, ...window.kernel]),
    );
    // Twice: as numbers, and as they are counted.
    b.budget.take(8 * sizeOf(g.dims.slice(2)));
    const shares = averageShares(window, x!.dims.slice(2), g.dims.slice(2), attributes.count_include_pad === 1);
    return [
      sumWindows(
        b,
        b.mul(g, b.constant(float32(shares, [1, 1, g.dims[2]!, g.dims[3]!]))),
        ones,
        window,
        x!.dims,
        lower,
      ),
    ];
  },
  GlobalAveragePool: ({ b, g, inputs: [x] }) => [b.expand(b.mul(g, 1 / sizeOf(x!.dims.slice(2))), x!.dims)],
  GlobalMaxPool: ({ b, g, inputs: [x], outputs }) => {
    const axes = x!.dims.slice(2).map((_, i) => i + 2);
    const hits = b.cast(b.equal(x!, outputs[0]!), g.dtype);
    return [b.mul(hits, b.div(g, b.sum(hits, axes)))];
  },
  ReduceSum: (c) => [c.b.expand(unreduced(c).g, c.inputs[0]!.dims)],
  ReduceMean: (c) => {
    const { g, count } = unreduced(c);
    return [c.b.expand(c.b.mul(g, 1 / count), c.inputs[0]!.dims)];
  },
  ReduceMax: reduceExtremum,
  ReduceMin: reduceExtremum,
  ReduceSumSquare: (c) => [c.b.mul(c.b.mul(unreduced(c).g, 2), c.inputs[0]!)],
  ReduceL2: (c) => {
    const { g } = unreduced(c);
    // Where all elements are zero, as behind a ReLU, the gradient is taken for zero and not for 0 / 0.
    const length = c.b.max(c.b.reshape(c.outputs[0]!, g.dims), 1e-30);
    return [c.b.mul(g, c.b.div(c.inputs[0]!, length))];
  },
  ReduceL1: (c) => [c.b.mul(unreduced(c).g, c.b.one('Sign', [c.inputs[0]!]))],
  // The exponential of each over their sum, as one of a number that is at most 0.
  ReduceLogSumExp: (c) => {
    const { g } = unreduced(c);
    return [c.b.mul(g, c.b.exp(c.b.sub(c.inputs[0]!, c.b.reshape(c.outputs[0]!, g.dims))))];
  },
  Softmax: (c) => {
    const y = c.outputs[0]!;
    const gy = c.b.mul(c.g, y);
    return [c.b.sub(gy, c.b.mul(y, c.b.sum(gy, [softmaxAxis(c)])))];
  },
  LogSoftmax: (c) => [c.b.sub(c.g, c.b.mul(c.b.exp(c.outputs[0]!), c.b.sum(c.g, [softmaxAxis(c)])))],
});

/** One over the number of elements that each window of an AveragePool counts. */
function averageShares(
  window: Window,
  size: readonly number[],
  out: readonly number[],
  includePad: boolean,
): Float32Array {
  const counts = out.map((length, axis) =>
    Array.from({ length }, (_, i) => {
      const begin = i * window.strides[axis]! - window.pads[axis]!;
      let count = 0;
      for (let k = 0; k < window.kernel[axis]!; k++) {
        const at = begin + k * window.dilations[axis]!;
        const inside = at >= 0 && at < size[axis]!;
        // A ceil-mode window may overhang even the padding; what lies there is never counted.
        if (inside || (includePad && at >= -window.pads[axis]! && at < size[axis]! + window.pads[axis + 2]!)) count++;
      }
      return count;
    }),
  );
  return Float32Array.from(
    { length: out[0]! * out[1]! },
    (_, i) => 1 / (counts[0]![Math.floor(i / out[1]!)]! * counts[1]![i % out[1]!]!),
  );
}

/** Adjoint of taking window sums: a depthwise convolution's gradient, with the end padding that ceil mode implies. */
function sumWindows(
  b: Builder,
  g: Value,
  ones: Value,
  window: Window,
  x: readonly number[],
  lower: RuleContext['lower'],
): Value {
  const rank = 2;
  const pads = [...window.pads];
  for (let i = 0; i < rank; i++) {
    const reach = (g.dims[i + 2]! - 1) * window.strides[i]! + (window.kernel[i]! - 1) * window.dilations[i]! + 1;
    pads[i + rank] = Math.max(pads[i + rank]!, reach - x[i + 2]! - pads[i]!);
  }
  return lower.convInput(b, g, ones, { ...window, pads }, x[1]!, x);
}
