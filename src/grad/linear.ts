/** @file Rules of the bilinear maps and of normalisation with known statistics. Weights are constants here: pictures are what we differentiate for. */
import { float32 } from '../ir/tensor.ts';
import { windowOf } from '../ir/window.ts';
import { type Rule, type RuleContext, unbroadcast, unsupported } from './rule.ts';

function weightsStay({ node, wants }: RuleContext, ...inputs: number[]): void {
  if (inputs.some(wants)) throw unsupported(node, 'gradients for its weights are not supported');
}

export const linear: Readonly<Record<string, Rule>> = {
  Conv: (c) => {
    weightsStay(c, 1, 2);
    const [x, w] = c.inputs;
    const window = windowOf(c.node.attributes, w!.dims.slice(2), x!.dims.slice(2));
    const group = (c.node.attributes['group'] as number | undefined) ?? 1;
    return [c.lower.convInput(c.b, c.g, w!, window, group, x!.dims)];
  },
  ConvTranspose: (c) => {
    weightsStay(c, 1, 2);
    const { b, g, node } = c;
    const [x, w] = c.inputs;
    const { output_padding: _, ...attributes } = node.attributes;
    // The adjoint of a transposed convolution is the convolution with the same weights; output padding only lengthens g at its end.
    const rank = x!.dims.length - 2;
    const full = b.one('Conv', [g, w!], { kernel_shape: w!.dims.slice(2), ...attributes });
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
      wants(0) ? unbroadcast(b, b.matmul(g, b.transpose(y!, swap(y!.dims.length))), x!.dims) : undefined,
      wants(1) ? unbroadcast(b, b.matmul(b.transpose(x!, swap(x!.dims.length)), g), y!.dims) : undefined,
    ];
  },
  Gemm: (c) => {
    weightsStay(c, 1);
    const { b, g, node } = c;
    const [x, w, bias] = c.inputs;
    const { alpha = 1, beta = 1, transA, transB } = node.attributes;
    const scaled = alpha === 1 ? g : b.mul(g, alpha as number);
    const weights = transB === 1 ? w! : b.transpose(w!, [1, 0]);
    const dx = b.matmul(scaled, weights);
    const db = bias && c.wants(2) ? unbroadcast(b, beta === 1 ? g : b.mul(g, beta as number), bias.dims) : undefined;
    return [b.reshape(transA === 1 ? b.transpose(dx, [1, 0]) : dx, x!.dims), undefined, db];
  },
  BatchNormalization: (c) => {
    weightsStay(c, 1, 2, 3, 4);
    const { b, g, node, lower } = c;
    const [, gamma, , , variance] = c.inputs;
    const epsilon = (node.attributes['epsilon'] as number | undefined) ?? 1e-5;
    if (gamma?.constant && variance?.constant) {
      const v = variance.constant.data as Float32Array;
      const scale = float32((gamma.constant.data as Float32Array).map((s, i) => s / Math.sqrt(v[i]! + epsilon)));
      return [lower.scaleChannels(b, g, scale)];
    }
    const scale = b.div(gamma!, b.sqrt(b.add(variance!, epsilon)));
    return [b.mul(g, b.reshape(scale, [scale.dims[0]!, ...g.dims.slice(2).map(() => 1)]))];
  },
};
