/** @file Spelling for ONNX Runtime's CPU kernels, native and compiled to WebAssembly. */
import type { Builder, Value } from '../ir/builder.ts';
import { type Constant, derived, type Dims, float32, isFloat32, isLazy, sizeOf, type Tensor } from '../ir/tensor.ts';
import type { Window } from '../ir/window.ts';
import { byIndices, flipped, transposed } from './adjoint.ts';
import type { Lowering } from './lowering.ts';
import {
  type Pair,
  type Part,
  phase,
  phasePositions,
  sample,
  shift,
  type Spread,
  Spreads,
  total,
  weave,
} from './spread.ts';

/**
 * For ONNX Runtime's CPU provider, which keeps tensors in a blocked layout (NCHWc) through Conv, pooling, Add, Mul and
 * HardSigmoid, and reorders them around everything else. Measured in `bench/`.
 */
export const cpuLowering: Lowering = () => {
  const spreads = new Spreads();
  return {
    // A 1×1 depthwise convolution by one: the blocked layout stays through that, not through Pad.
    pad(b, x, pads, name) {
      const channels = x.dims[1];
      if (x.dims.length !== 4 || x.dtype !== 'float32' || channels === undefined) return undefined;
      const ones = b.constant(float32(b.budget.floats(channels).fill(1), [channels, 1, 1, 1]));
      return b.conv(x, ones, undefined, { pads, group: channels }, name);
    },

    conv: (b, ...conv) => b.conv(...conv),

    // A step function that stays blocked: min(1, max(0, 1e30 y)). Where(Greater(y, 0), g, 0) leaves the layout twice.
    gate: (b, g, y) => b.mul(g, b.one('HardSigmoid', [y], { alpha: 1e30, beta: 0 })),

    convInput(b, g, weights, window, group, x) {
      const unit = (list: readonly number[]): boolean => list.every((v) => v === 1);
      const w = b.stored(weights);
      if (!w || !isFloat32(w) || w.dims.length !== 4) return transposed(b, g, weights, window, group, x);
      const [out, inGroup, ...kernel] = w.dims as [number, number, number, number];
      const strided = !unit(window.strides);
      // What `pad` spelled.
      if (!strided && group === out && inGroup === 1 && unit(kernel) && isOnes(w))
        return spreads.crop(
          b,
          g,
          window.pads.map((p) => -p),
        );
      const [stride, same] = [window.strides[0]!, window.strides[0] === window.strides[1]];
      if (group === 1 && same && unit(window.dilations)) {
        const spread = spreads.of(g);
        // Interleaving afterwards pays where there are fewer channels then.
        const fewer = spread && inGroup <= out && stride * spread.stride <= 4 ? spread : undefined;
        if (strided || fewer) return phased(spreads, b, g, w, window, x, fewer);
      }
      if (strided) return transposed(b, g, weights, window, group, x);
      return spreads.crop(b, ...flipped(b, g, weights, window, group));
    },

    // One product with a 0/1 matrix, which places a row's values and the zero rows after it: cheaper than any Pad, Resize or Scatter.
    insertZeros(b, g, strides, x) {
      const [n, c, rows, columns] = g.dims as [number, number, number, number];
      // A stride beyond the axis takes its first value, as does one of its length; its zeros would take what memory they like.
      const [down, across] = strides.map((stride, i) => Math.min(stride, x[2 + i]!)) as unknown as Pair;
      const width = x[3]!;
      const place = b.budget.floats(columns * down * width);
      for (let i = 0; i < columns; i++) place[i * down * width + i * across] = 1;
      const placed = b.matmul(g, b.constant(float32(place, [columns, down * width])));
      // Blocked, for the sum with what is blocked that nearly always follows.
      return shift(b, b.reshape(placed, [n, c, rows * down, width]), 0, 0, [x[2]!, width], true);
    },

    crop: (b, g, pads) => spreads.crop(b, g, pads),

    maxPoolInput(b, g, x, y, attributes, window) {
      const [kernel, stride] = [window.kernel[0]!, window.strides[0]!];
      const square = x.dims.length === 4 && window.kernel[1] === kernel && window.strides[1] === stride;
      const plain = !window.ceil && window.pads.every((p) => p === 0) && window.dilations.every((d) => d === 1);
      // The comparison by taps costs kernel² passes over the output, the general way one slow pass over everything.
      return square && plain && stride > 1 && kernel <= 3
        ? byTaps(spreads, b, g, x, y, kernel, stride)
        : byIndices(b, g, x, attributes);
    },

    scaleChannels,
  };
};

/**
 * A 1×1 depthwise convolution in disguise: BatchNormalization stays blocked, Mul with a [c, 1, 1] constant does not.
 */
function scaleChannels(b: Builder, g: Value, scale: Tensor<'float32'>): Value {
  const channels = scale.data.length;
  const zero = b.constant(float32(new Float32Array(channels)));
  const one = b.constant(float32(new Float32Array(channels).fill(1)));
  return b.one('BatchNormalization', [g, b.constant(scale), zero, zero, one], { epsilon: 0 });
}

function isOnes(w: Constant<'float32'>): boolean {
  return !isLazy(w) && w.data.every((v) => v === 1);
}

/**
 * Strided Conv, gradient for the input, as stride-1 Convs: the input positions of equal remainder modulo the stride S form a phase,
 * and each phase is a small convolution of g; {@link weave} interleaves them. Where g is itself known by its phases modulo s
 * (row f = s q + a), so is the result, modulo M = S s: with J = j + pad = M (q + d) + m,  dx[J] = Σ w[M d + m − S a] g[s q + a].
 */
function phased(
  spreads: Spreads,
  b: Builder,
  g: Value,
  w: Constant<'float32'>,
  window: Window,
  x: Dims,
  spread?: Spread,
): Value {
  const channels = w.dims[1]!;
  const stride = window.strides[0]! * (spread?.stride ?? 1);
  const given = phasePositions(b, spread?.stride ?? 1).flatMap((at) => {
    const value = spread ? phase(b, spread, ...at) : g;
    return value ? [{ value, at }] : [];
  });
  // All of it may lie in a padding that was cropped.
  if (given.length === 0) return b.expand(b.float(0), x);
  // As many rows as dx has; or, where g reaches further, as many as the padding allows.
  const size = [0, 1].map((i) => {
    const begin = x[2 + i]! + window.pads[i]!;
    const needed = Math.ceil(begin / stride);
    return given.every(({ value }) => value.dims[2 + i]! < needed)
      ? needed
      : Math.ceil((begin + window.pads[i + 2]!) / stride);
  }) as [number, number];
  /** Some phases of dx, side by side as channels. */
  const compute = (wanted: readonly Pair[]): Value | undefined =>
    total(
      b,
      given.flatMap(({ value, at }) => {
        const part = phaseKernel(b, w, window.strides[0]!, stride, at, wanted);
        if (!part) return [];
        const { kernel, first, last } = part;
        const pads = [...last, ...size.map((s, i) => s - value.dims[2 + i]! - first[i]!)];
        return [b.conv(value, b.constant(kernel), undefined, { pads })];
      }),
    );
  const positions = phasePositions(b, stride);
  const [top, left] = window.pads as [number, number];
  // Each phase has its own reach. Alone it costs no multiplication by zero, but the kernels compute sixteen channels at a time.
  if (channels % 16 !== 0) return weave(b, compute(positions)!, stride, [top, left], x);
  const parts = positions.flatMap(([row, column]) => {
    const value = compute([[row, column]]);
    return value ? [{ value, top: row - top, left: column - left }] : [];
  });
  return spreads.interleave(b, { stride, dims: x, parts });
}

/**
 * Kernel from phase `at` of g to the `wanted` phases of dx, flipped for a Conv, and the first and last distance d that it spans on
 * each axis. Undefined where it is empty.
 */
function phaseKernel(
  b: Builder,
  w: Constant<'float32'>,
  stride: number,
  modulus: number,
  at: Pair,
  wanted: readonly Pair[],
): { kernel: Constant<'float32'>; first: Pair; last: Pair } | undefined {
  const [out, channels, ...size] = w.dims as [number, number, number, number];
  const spans = size.map((k, axis) => {
    const from = stride * at[axis]!;
    const phases = wanted.map((p) => p[axis]!);
    return [
      Math.min(...phases.map((m) => Math.ceil((from - m) / modulus))),
      Math.max(...phases.map((m) => Math.floor((from + k - 1 - m) / modulus))),
    ] as const;
  });
  const [[top, bottom], [left, right]] = spans as [Pair, Pair];
  const [height, width] = [bottom - top + 1, right - left + 1];
  if (height <= 0 || width <= 0) return undefined;
  const dims = [wanted.length * channels, out, height, width];
  b.budget.take(4 * sizeOf(dims));
  const kernel = derived(w, dims, ({ data }) => {
    const taps = new Float32Array(sizeOf(dims));
    wanted.forEach(([row, column], i) => {
      for (let d = top; d <= bottom; d++) {
        for (let e = left; e <= right; e++) {
          const [y, x] = [modulus * d + row - stride * at[0], modulus * e + column - stride * at[1]];
          if (y < 0 || y >= size[0] || x < 0 || x >= size[1]) continue;
          const tap = (bottom - d) * width + (right - e);
          for (let c = 0; c < channels; c++)
            for (let o = 0; o < out; o++)
              taps[((i * channels + c) * out + o) * height * width + tap] =
                data[((o * channels + c) * size[0] + y) * size[1] + x]!;
        }
      }
    });
    return float32(taps, dims);
  });
  return { kernel, first: [top, left], last: [bottom, right] };
}

/**
 * For each tap of the window, in order: the elements under it, whether they equal the maximum, and the gradient where they do; it
 * is passed on to later taps where they do not, so that of equal elements the first takes it. Taps that fall on the same phase of x
 * share its samples. All of it stays blocked.
 */
function byTaps(spreads: Spreads, b: Builder, g: Value, x: Value, y: Value, kernel: number, stride: number): Value {
  const negative = scaleChannels(b, y, float32(new Float32Array(x.dims[1]!).fill(-1)));
  const reached = Math.min(kernel, stride);
  const samples = phasePositions(b, reached).map(([row, column]) => sample(b, x, stride, row, column));
  const parts: Part[] = [];
  let left = g;
  for (const [row, column] of phasePositions(b, kernel)) {
    const [down, right] = [Math.floor(row / stride), Math.floor(column / stride)];
    const sampled = samples[(row % stride) * reached + (column % stride)]!;
    const under = shift(b, sampled, -down, -right, [g.dims[2]!, g.dims[3]!]);
    // Zero for the maximum, and less for all else.
    const behind = b.add(under, negative);
    const hit = b.one('HardSigmoid', [behind], { alpha: 1e30, beta: 1 });
    parts.push({ value: b.mul(left, hit), top: row, left: column });
    left = b.mul(left, b.one('HardSigmoid', [behind], { alpha: -1e30, beta: 0 }));
  }
  return spreads.interleave(b, { stride, dims: x.dims, parts });
}
