/**
 * @file Spelling for ONNX Runtime's WebGPU provider: few and large kernels, nothing that it leaves to the CPU, and none of the spellings
 * that it computes wrong (docs/devices.md). It is right in the layout NCHW, which the runtimes ask for.
 */
import type { Builder, Value } from '../ir/builder.ts';
import { type Dims, float32, type Tensor } from '../ir/tensor.ts';
import type { Window } from '../ir/window.ts';
import { byIndices, flipped, transposed } from './adjoint.ts';
import type { Lowering } from './lowering.ts';

/** For ONNX Runtime's WebGPU provider. It remembers nothing from one gradient to the next. */
export const webgpuLowering: Lowering = () => ({
  // ONNX's own Pad is one kernel, and none where it goes into the convolution after it.
  pad: () => undefined,

  // A convolution by 1×1 is computed as a matrix product, which takes no padding; and whether there is one is asked of the first two pads.
  conv(b, x, w, bias, attributes, name) {
    const { pads, ...rest } = attributes;
    const pointwise = w.dims.slice(2).every((k) => k === 1);
    return pointwise && pads?.some((p) => p !== 0)
      ? b.conv(padded(b, x, pads), w, bias, rest, name)
      : b.conv(x, w, bias, attributes, name);
  },

  // Not as a step of a very steep slope, as on the CPU: shaders need not keep to the rules of infinity.
  gate: (b, g, y) => b.where(b.greater(y, 0), g, b.float(0)),

  convInput(b, g, weights, window, group, x) {
    const w = weights.constant as Tensor<'float32'> | undefined;
    if (!w || w.dims.length !== 4 || window.strides.some((s) => s !== 1))
      return transposed(b, g, weights, window, group, x);
    return cropped(b, ...flipped(b, g, w, window, group));
  },

  // A depthwise transposed convolution by one.
  insertZeros(b, g, strides, x) {
    const channels = g.dims[1]!;
    const ones = b.constant(float32(b.budget.floats(channels).fill(1), [channels, 1, 1, 1]));
    const missing = strides.map((s, i) => x[2 + i]! - ((g.dims[2 + i]! - 1) * s + 1));
    return lengthened(b, missing, strides, (output_padding) =>
      b.convTranspose(g, ones, { strides, group: channels, output_padding }),
    );
  },

  crop: cropped,

  maxPoolInput(b, g, x, y, attributes, window) {
    if (x.dims.length === 4) return byUnfolding(b, g, x, y, window);
    if (x.dims.length !== 3) return byIndices(b, g, x, attributes);
    // One spatial axis: a window of one row over a picture of one.
    const [n, c, length] = x.dims as [number, number, number];
    const flat = (v: Value): Value => b.reshape(v, [n, c, 1, v.dims[2]!]);
    const row: Window = {
      kernel: [1, ...window.kernel],
      strides: [1, ...window.strides],
      dilations: [1, ...window.dilations],
      pads: [0, window.pads[0]!, 0, window.pads[1]!],
      ceil: window.ceil,
    };
    return b.reshape(byUnfolding(b, flat(g), flat(x), flat(y), row), [n, c, length]);
  },

  scaleChannels: (b, g, scale) =>
    b.mul(g, b.constant(float32(scale.data, [scale.data.length, ...g.dims.slice(2).map(() => 1)]))),
});

/** `x` between zeros, `pads` [begin…, end…] of them on its spatial axes; negative ones crop. */
function padded(b: Builder, x: Value, pads: readonly number[]): Value {
  const rank = pads.length / 2;
  return b.pad(x, [0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)]);
}

/** `v` cropped by `pads`, [top, left, bottom, right] of numbers that are zero or negative. */
function cropped(b: Builder, v: Value, pads: readonly number[]): Value {
  if (pads.every((p) => p === 0)) return v;
  const [top, left, bottom, right] = pads as [number, number, number, number];
  return b.slice(v, [-top, -left], [v.dims[2]! + bottom, v.dims[3]! + right], [2, 3]);
}

/**
 * What a transposed convolution makes, `missing` rows and columns longer: by its own output padding, which is less than a stride, and for
 * the rest by zeros.
 */
function lengthened(
  b: Builder,
  missing: readonly number[],
  strides: readonly number[],
  make: (outputPadding: readonly number[]) => Value,
): Value {
  const inside = missing.map((m, i) => Math.min(m, strides[i]! - 1));
  const left = missing.map((m, i) => m - inside[i]!);
  return padded(b, make(inside), [0, 0, ...left]);
}

/**
 * Gradient of a MaxPool over two spatial axes: its windows laid side by side, each compared with its maximum, of equal elements the first
 * kept, and what remains of the gradient put back where it came from. No indices and no scatter.
 */
function byUnfolding(b: Builder, g: Value, x: Value, y: Value, window: Window): Value {
  const [n, c, h, w] = x.dims as [number, number, number, number];
  const [rows, columns] = g.dims.slice(2) as [number, number];
  const { kernel, strides, dilations } = window;
  const [taps, places] = [kernel[0]! * kernel[1]!, rows * columns];
  const size = [h, w];
  // In ceil mode the last window may overhang the padding too.
  const reach = [rows, columns].map((count, i) => (count - 1) * strides[i]! + (kernel[i]! - 1) * dilations[i]! + 1);
  const begin = window.pads.slice(0, 2);
  const end = size.map((d, i) => Math.max(window.pads[i + 2]!, reach[i]! - d - begin[i]!));
  const ones = b.constant(oneHots(b, c, kernel as readonly [number, number]));
  const at = { strides, dilations, pads: [...begin, ...end], group: c };
  const unfolded = b.reshape(b.conv(x, ones, undefined, at), [n, c, taps, places]);
  const equal = b.cast(b.equal(unfolded, b.reshape(y, [n, c, 1, places])), 'float32');
  // What lies on the padding is no element, though it is zero as the maximum may be.
  const hit = at.pads.some((p) => p > 0) ? b.mul(equal, b.constant(elements(b, window, size, [rows, columns]))) : equal;
  // One minus the number of hits before: one for the first of them, and then zero or less.
  const before = b.budget.floats(taps * taps);
  for (let i = 0; i < taps; i++) before.fill(-1, i * taps, i * taps + i);
  const first = b.relu(b.add(b.matmul(b.constant(float32(before, [taps, taps])), hit), 1));
  const shares = b.mul(b.mul(hit, first), b.reshape(g, [n, c, 1, places]));
  const missing = size.map((d, i) => d - (reach[i]! - begin[i]! - end[i]!));
  return lengthened(b, missing, strides, (output_padding) =>
    b.convTranspose(b.reshape(shares, [n, c * taps, rows, columns]), ones, { ...at, output_padding }),
  );
}

/** Depthwise kernels [c · kh · kw, 1, kh, kw]: for each channel, one for each tap. */
function oneHots(b: Builder, channels: number, [kh, kw]: readonly [number, number]): Tensor<'float32'> {
  const taps = kh * kw;
  const data = b.budget.floats(channels * taps * taps);
  for (let i = 0; i < channels * taps; i++) data[i * taps + (i % taps)] = 1;
  return float32(data, [channels * taps, 1, kh, kw]);
}

/** One for each tap of each window that lies inside of `size`, and zero for those on the padding: [taps, places]. */
function elements(b: Builder, window: Window, size: Dims, out: Dims): Tensor<'float32'> {
  const { kernel, strides, dilations, pads } = window;
  const [rows, columns] = out as [number, number];
  const [down, across] = kernel as [number, number];
  const data = b.budget.floats(down * across * rows * columns);
  const inside = (axis: 0 | 1, place: number, tap: number): boolean => {
    const position = place * strides[axis]! + tap * dilations[axis]! - pads[axis]!;
    return position >= 0 && position < size[axis]!;
  };
  let i = 0;
  for (let row = 0; row < down; row++)
    for (let column = 0; column < across; column++)
      for (let q = 0; q < rows; q++)
        for (let r = 0; r < columns; r++) data[i++] = inside(0, q, row) && inside(1, r, column) ? 1 : 0;
  return float32(data, [down * across, rows * columns]);
}
