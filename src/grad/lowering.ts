/**
 * @file How gradients of the expensive operators are spelled in ONNX. The mathematics is in the rules; what is fast depends on
 * the provider, so each spelling stands here, in one visible place.
 */
import type { Builder, Value, WindowAttributes } from '../ir/builder.ts';
import { reverse, transpose } from '../ir/fold.ts';
import type { Attributes } from '../ir/graph.ts';
import { float32, sizeOf, type Dims, type Tensor } from '../ir/tensor.ts';
import type { Window } from '../ir/window.ts';

export interface Lowering {
  /** g where y > 0, else 0. */
  gate(b: Builder, g: Value, y: Value): Value;
  /** Gradient of a Conv with constant weights for its input of dims `x`. */
  convInput(b: Builder, g: Value, weights: Value, window: Window, group: number, x: Dims): Value;
  /** The values of `g` at every `strides`-th position of a tensor of dims `x`, zero elsewhere. */
  insertZeros(b: Builder, g: Value, strides: readonly number[], x: Dims): Value;
  /** Gradient of a MaxPool with output y for its input x: each window's goes to the first element that equals the maximum. */
  maxPoolInput(b: Builder, g: Value, x: Value, y: Value, attributes: Attributes, window: Window): Value;
  /** `g` times a constant of one number a channel. */
  scaleChannels(b: Builder, g: Value, scale: Tensor<'float32'>): Value;
}

/**
 * For ONNX Runtime's CPU provider, which keeps tensors in a blocked layout (NCHWc) through Conv, pooling, Add, Mul and
 * HardSigmoid, and reorders them around everything else. Measured in `bench/`.
 */
export const cpuLowering: Lowering = {
  // A step function that stays blocked: min(1, max(0, 1e30 y)). Where(Greater(y, 0), g, 0) leaves the layout twice.
  gate: (b, g, y) => b.mul(g, b.one('HardSigmoid', [y], { alpha: 1e30, beta: 0 })),

  convInput(b, g, weights, window, group, x) {
    const unit = (list: readonly number[]): boolean => list.every((v) => v === 1);
    const w = weights.constant as Tensor<'float32'> | undefined;
    if (w && group === 1 && w.dims.length === 4 && unit(window.dilations) && !unit(window.strides)) {
      return phases(b, g, w, window, x);
    }
    if (!w || w.dims.length !== 4 || !unit(window.strides)) return transposed(b, g, weights, window, group, x);
    // Stride 1: a Conv with the kernel flipped and its channels exchanged within each group, as fast as the forward one.
    const [out, inGroup, ...kernel] = w.dims as [number, number, number, number];
    const split: Tensor = { ...w, dims: [group, out / group, inGroup, ...kernel] };
    const exchanged = reverse(transpose(split, [0, 2, 1, 3, 4]), [3, 4]);
    const flipped = { ...exchanged, dims: [group * inGroup, out / group, ...kernel] } as Tensor;
    const full = window.pads.map((p, i) => (window.kernel[i % 2]! - 1) * window.dilations[i % 2]! - p);
    const pads = full.map((p) => Math.max(p, 0));
    const attributes: WindowAttributes = {
      pads,
      ...(unit(window.dilations) ? {} : { dilations: window.dilations }),
      ...(group > 1 ? { group } : {}),
    };
    const grown = b.conv(g, b.constant(flipped), undefined, attributes);
    // Padding wider than the kernel reaches: what fell on it is cropped away.
    const crop = full.map((p) => Math.min(p, 0));
    return crop.some((p) => p < 0) ? b.pad(grown, [0, 0, crop[0]!, crop[1]!, 0, 0, crop[2]!, crop[3]!]) : grown;
  },

  // Two products with 0/1 matrices: cheaper than any Pad, Resize or Scatter here.
  insertZeros(b, g, strides, x) {
    const place = (to: number, from: number, stride: number): Tensor<'float32'> => {
      const data = new Float32Array(to * from);
      for (let i = 0; i < from; i++) data[i * stride * from + i] = 1;
      return float32(data, [to, from]);
    };
    const [h, w] = [x[2]!, x[3]!];
    const columns = transpose(place(w, g.dims[3]!, strides[1]!), [1, 0]);
    return b.matmul(b.constant(place(h, g.dims[2]!, strides[0]!)), b.matmul(g, b.constant(columns)));
  },

  maxPoolInput(b, g, x, y, attributes, window) {
    const [kernel, stride] = [window.kernel[0]!, window.strides[0]!];
    const square = x.dims.length === 4 && window.kernel[1] === kernel && window.strides[1] === stride;
    const plain = !window.ceil && window.pads.every((p) => p === 0) && window.dilations.every((d) => d === 1);
    // The comparison by taps costs kernel² passes over the output, the general way one slow pass over everything.
    return square && plain && stride > 1 && kernel <= 3
      ? byTaps(b, g, x, y, kernel, stride)
      : byIndices(b, g, x, attributes);
  },

  // A 1×1 depthwise convolution in disguise: BatchNormalization stays blocked, Mul with a [c, 1, 1] constant does not.
  scaleChannels(b, g, scale) {
    const channels = scale.data.length;
    const zero = b.constant(float32(new Float32Array(channels)));
    const one = b.constant(float32(new Float32Array(channels).fill(1)));
    return b.one('BatchNormalization', [g, b.constant(scale), zero, zero, one], { epsilon: 0 });
  },
};

/** The general spelling: any stride, dilation, group and rank. */
function transposed(b: Builder, g: Value, weights: Value, window: Window, group: number, x: Dims): Value {
  const size = x.slice(2);
  const output_padding = size.map((d, i) => {
    const extent = (window.kernel[i]! - 1) * window.dilations[i]! + 1;
    return d - ((g.dims[i + 2]! - 1) * window.strides[i]! + extent - window.pads[i]! - window.pads[i + size.length]!);
  });
  return b.convTranspose(g, weights, {
    strides: window.strides,
    pads: window.pads,
    dilations: window.dilations,
    group,
    output_padding,
  });
}

/**
 * Strided Conv, gradient for the input, as one stride-1 Conv: the input positions of equal remainder modulo the stride form a
 * phase, and each phase is a small convolution of g. All phases are computed at once as extra channels and interleaved by
 * DepthToSpace. With J = j + pad = s q + r:  dx[J] = Σ_t w[r + s t] g[q − t].
 */
function phases(b: Builder, g: Value, w: Tensor<'float32'>, window: Window, x: Dims): Value {
  const [out, channels, kh, kw] = w.dims as [number, number, number, number];
  const [sh, sw] = window.strides as [number, number];
  const [th, tw] = [Math.ceil(kh / sh), Math.ceil(kw / sw)];
  if (sh !== sw) return transposed(b, g, b.constant(w), window, 1, x);
  const kernel = new Float32Array(channels * sh * sw * out * th * tw);
  for (let c = 0; c < channels; c++)
    for (let o = 0; o < out; o++)
      for (let y = 0; y < kh; y++)
        for (let z = 0; z < kw; z++) {
          const phase = (c * sh + (y % sh)) * sw + (z % sw);
          const tap = (th - 1 - Math.floor(y / sh)) * tw + (tw - 1 - Math.floor(z / sw));
          kernel[(phase * out + o) * th * tw + tap] = w.data[((o * channels + c) * kh + y) * kw + z]!;
        }
  const [q, r] = [0, 1].map((i) =>
    Math.ceil((x[2 + i]! + window.pads[i]! + window.pads[i + 2]!) / window.strides[i]!),
  ) as [number, number];
  const pads = [th - 1, tw - 1, q - g.dims[2]!, r - g.dims[3]!];
  const packed = b.conv(g, b.constant(float32(kernel, [channels * sh * sw, out, th, tw])), undefined, { pads });
  const padded = b.one('DepthToSpace', [packed], { blocksize: sh, mode: 'CRD' });
  const [top, left] = window.pads as [number, number];
  if (top === 0 && left === 0 && padded.dims[2] === x[2] && padded.dims[3] === x[3]) return padded;
  return b.slice(padded, [top, left], [top + x[2]!, left + x[3]!], [2, 3]);
}

/** The general spelling, for every window: MaxPool's own indices, and a scatter that adds up the wins of overlapping windows. */
function byIndices(b: Builder, g: Value, x: Value, attributes: Attributes): Value {
  const [, indices] = b.op('MaxPool', [x], { ...attributes, storage_order: 0 }, { outputs: 2 });
  const flat = (v: Value): Value => b.reshape(v, [sizeOf(v.dims)]);
  const zeros = b.one('ConstantOfShape', [b.ints([sizeOf(x.dims)])]);
  return b.reshape(b.one('ScatterElements', [zeros, flat(indices!), flat(g)], { axis: 0, reduction: 'add' }), x.dims);
}

/**
 * For each tap of the window, in order: the elements under it (a one-hot depthwise convolution), a 0/1 mask of those that equal
 * the maximum and that no earlier tap has taken, and the gradient through it. Taps of equal remainder modulo the stride land on the
 * same phase of the input, each shifted by whole strides; DepthToSpace interleaves the phases. All but that stays blocked.
 */
function byTaps(b: Builder, g: Value, x: Value, y: Value, kernel: number, stride: number): Value {
  const [, channels, height, width] = x.dims as [number, number, number, number];
  const oneHot = (side: number, row: number, column: number): Value => {
    const data = new Float32Array(channels * side * side);
    for (let c = 0; c < channels; c++) data[(c * side + row) * side + column] = 1;
    return b.constant(float32(data, [channels, 1, side, side]));
  };
  const negative = b.conv(y, b.constant(float32(new Float32Array(channels).fill(-1), [channels, 1, 1, 1])), undefined, {
    group: channels,
  });
  const [rows, columns] = [Math.ceil(height / stride), Math.ceil(width / stride)];
  const reach = Math.ceil(kernel / stride);
  const phases: (Value | undefined)[] = Array.from({ length: stride * stride }, () => undefined);
  let taken: Value | undefined;
  for (let row = 0; row < kernel; row++) {
    for (let column = 0; column < kernel; column++) {
      const under = b.conv(x, oneHot(kernel, row, column), undefined, { strides: [stride, stride], group: channels });
      // Zero for the maximum, and less for all else.
      const behind = b.add(under, negative);
      let hit = b.one('HardSigmoid', [behind], { alpha: 1e30, beta: 1 });
      if (taken) hit = b.mul(hit, b.one('HardSigmoid', [taken], { alpha: -1, beta: 1 }));
      taken = taken ? b.add(taken, hit) : hit;
      const [down, across] = [Math.floor(row / stride), Math.floor(column / stride)];
      const pads = [reach - 1, reach - 1, rows - g.dims[2]!, columns - g.dims[3]!];
      const moved = b.conv(b.mul(g, hit), oneHot(reach, reach - 1 - down, reach - 1 - across), undefined, {
        pads,
        group: channels,
      });
      const phase = (row % stride) * stride + (column % stride);
      const earlier = phases[phase];
      phases[phase] = earlier ? b.add(earlier, moved) : moved;
    }
  }
  const zero = b.expand(b.float(0), [1, channels, rows, columns]);
  const joined = b.concat(
    phases.map((p) => p ?? zero),
    1,
  );
  const full = b.one('DepthToSpace', [joined], { blocksize: stride, mode: 'DCR' });
  return b.slice(full, [0, 0], [height, width], [2, 3]);
}
