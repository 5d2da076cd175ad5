/** @file Rules of the bilinear maps and of normalisation. Weights are constants here: pictures are what we differentiate for. */
import type { Builder, Value } from '../ir/builder.ts';
import { normalAxis } from '../ir/shape.ts';
import { float32, isFloat32, sizeOf } from '../ir/tensor.ts';
import { windowOf } from '../ir/window.ts';
import { family, type RuleContext, unsupported } from './rule.ts';

function weightsStay({ node, wants }: Pick<RuleContext, 'node' | 'wants'>, ...inputs: number[]): void {
  if (inputs.some(wants)) throw unsupported(node, 'gradients for its weights are not supported');
}

export const linear = family({
  Conv: (c) => {
    weightsStay(c, 1, 2);
    const [x, w] = c.inputs;
    const window = windowOf(c.attributes, w!.dims.slice(2), x!.dims.slice(2));
    return [c.lower.convInput(c.b, c.g, w!, window, c.attributes.group, x!.dims)];
  },
  ConvTranspose: (c) => {
    weightsStay(c, 1, 2);
    const { b, g, node, lower } = c;
    const [x, w] = c.inputs;
    const { output_padding: _, ...attributes } = node.attributes;
    // The adjoint of a transposed convolution is the convolution with the same weights; output padding only lengthens g at its end.
    const rank = x!.dims.length - 2;
    const full = lower.conv(b, g, w!, undefined, attributes);
    const same = full.dims.every((d, i) => d === x!.dims[i]);
    const axes = Array.from({ length: rank }, (__, i) => i + 2);
    return [
      same
        ? full
        : b.slice(
            full,
            axes.map(() => 0),
            x!.dims.slice(2),
            axes,
          ),
    ];
  },
  MatMul: ({ b, g, inputs: [x, y], wants }) => {
    const swap = (rank: number): number[] => [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2];
    return [
      wants(0) ? b.matmul(g, b.transpose(y!, swap(y!.dims.length))) : undefined,
      wants(1) ? b.matmul(b.transpose(x!, swap(x!.dims.length)), g) : undefined,
    ];
  },
  Gemm: (c) => {
    weightsStay(c, 1);
    const { b, g } = c;
    const [x, w, bias] = c.inputs;
    const { alpha, beta, transA, transB } = c.attributes;
    const scaled = alpha === 1 ? g : b.mul(g, alpha);
    const weights = transB === 1 ? w! : b.transpose(w!, [1, 0]);
    const dx = b.matmul(scaled, weights);
    const db = bias && c.wants(2) ? (beta === 1 ? g : b.mul(g, beta)) : undefined;
    return [b.reshape(transA === 1 ? b.transpose(dx, [1, 0]) : dx, x!.dims), undefined, db];
  },
  BatchNormalization: (c) => {
    weightsStay(c, 1, 2, 3, 4);
    const { b, g, lower } = c;
    const { epsilon } = c.attributes;
    const [, gamma, , , variance] = c.inputs;
    const [s, v] = [gamma?.constant, variance?.constant];
    if (s && v && isFloat32(s) && isFloat32(v)) {
      const scale = float32(s.data.map((factor, i) => factor / Math.sqrt(v.data[i]! + epsilon)));
      return [lower.scaleChannels(b, g, scale)];
    }
    const scale = b.div(gamma!, b.sqrt(b.add(variance!, epsilon)));
    return [b.mul(g, b.reshape(scale, [scale.dims[0]!, ...g.dims.slice(2).map(() => 1)]))];
  },
  InstanceNormalization: (c) => {
    weightsStay(c, 1, 2);
    const { b, g, attributes } = c;
    const [x, scale] = c.inputs;
    const { dims } = x!;
    const size = dims.slice(2);
    const axes = size.map((_, i) => i + 2);
    const factors = b.reshape(scale!, [dims[1]!, ...size.map(() => 1)]);
    return [throughNormalisation(b, b.mul(g, factors), standardised(b, x!, axes, attributes.epsilon), axes)];
  },
  LayerNormalization: (c) => {
    const { b, g, attributes, gradients, wants } = c;
    const [x, scale] = c.inputs;
    const first = normalAxis(attributes.axis, x!.dims.length);
    const axes = x!.dims.slice(first).map((_, i) => first + i);
    const normal = standardised(b, x!, axes, attributes.epsilon);
    const share = 1 / sizeOf(x!.dims.slice(first));
    const parts: Value[] = [];
    if (wants(0)) {
      parts.push(throughNormalisation(b, b.mul(g, scale!), normal, axes));
      // Its other outputs are the mean and one over the deviation.
      const [, ofMean, ofInverse] = gradients;
      if (ofMean) parts.push(b.mul(ofMean, share));
      if (ofInverse)
        parts.push(b.mul(b.mul(ofInverse, -share), b.mul(b.mul(normal.inverse, normal.inverse), normal.value)));
    }
    return [
      wants(0) ? parts.reduce((sum, part) => b.add(sum, part)) : undefined,
      wants(1) ? b.mul(g, normal.value) : undefined,
      g,
    ];
  },
  LRN: ({ b, g, attributes, inputs }) => {
    const x = inputs[0]!;
    const { size, alpha, beta, bias } = attributes;
    // Each channel is divided by a power of d = bias + α/size · the sum of squares of those around it.
    const around = neighbours(b, x.dims[1]!, size);
    const d = b.add(b.mul(b.conv(b.mul(x, x), around), alpha / size), bias);
    const direct = b.mul(g, b.pow(d, -beta));
    const shared = b.conv(b.div(b.mul(direct, x), d), around);
    return [b.sub(direct, b.mul(b.mul(x, shared), (2 * alpha * beta) / size))];
  },
});

interface Standardised {
  readonly value: Value;
  /** One over the standard deviation. */
  readonly inverse: Value;
}

/** `x` with mean 0 and variance 1 along `axes`. */
function standardised(b: Builder, x: Value, axes: readonly number[], epsilon: number): Standardised {
  const centred = b.sub(x, b.mean(x, axes));
  const inverse = b.one('Reciprocal', [b.sqrt(b.add(b.mean(b.mul(centred, centred), axes), epsilon))]);
  return { value: b.mul(centred, inverse), inverse };
}

/** What of a gradient is left that a normalisation does not take away: its mean, and what it has of the result. */
function throughNormalisation(b: Builder, g: Value, { value, inverse }: Standardised, axes: readonly number[]): Value {
  const along = b.mul(value, b.mean(b.mul(g, value), axes));
  return b.mul(b.sub(b.sub(g, b.mean(g, axes)), along), inverse);
}

/** The kernel that sums the `size` channels around each, an odd number: its own transpose. */
function neighbours(b: Builder, channels: number, size: number): Value {
  const data = b.budget.floats(channels * channels);
  const reach = (size - 1) / 2;
  for (let c = 0; c < channels; c++)
    data.fill(1, c * channels + Math.max(0, c - reach), c * channels + Math.min(channels, c + reach + 1));
  return b.constant(float32(data, [channels, channels, 1, 1]));
}
