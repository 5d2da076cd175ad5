/**
 * @file Quantised networks, computed in float32. What a file holds as whole numbers of 8 or 16 bits is held here as the same numbers in
 * float32, so that gradients flow through them. A quantiser rounds, and its gradient takes no notice of that. Outside of its range
 * it clips, and the gradient is zero: the range often stands for a ReLU that was taken away.
 */
import { PhospheneError } from '../../errors.ts';
import type { Builder, Value } from '../builder.ts';
import { readable } from '../fold.ts';
import { normalAxis } from '../shape.ts';
import { type DType, sizeOf, toNumbers } from '../tensor.ts';
import { windowOf, type WindowOptions } from '../window.ts';
import { convAttributes } from './linear.ts';
import {
  type AttributesOf,
  type Declarations,
  flag,
  float,
  foreign,
  type ForeignCall,
  int,
  operator,
  statedInt,
} from './operator.ts';
import { averageAttributes } from './pool.ts';

/** Least and largest of the numbers that a quantiser gives. */
const ranges: Partial<Readonly<Record<DType, readonly [least: number, most: number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};
/** ONNX's numbers of these types, which `output_dtype` states. */
const types: Readonly<Record<number, DType>> = { 0: 'uint8', 2: 'uint8', 3: 'int8', 4: 'uint16', 5: 'int16' };

/**
 * Numbers of float32 lie 1 apart here. A sum with it is rounded to a whole number, halves to the even one, and gradients flow
 * through sums.
 */
const ONE_APART = 1.5 * 2 ** 23;

/** How a tensor is quantised: by one scale and zero point, or by one for each position of an axis. A zero point that is absent is 0. */
interface Scaling {
  readonly scale: Value;
  readonly zero: Value | undefined;
  readonly axis: number;
}

const scaling = (scale: Value | undefined, zero: Value | undefined, axis = 1): Scaling => ({
  scale: scale!,
  zero,
  axis,
});

/** One number for all, or one for each position of an axis, in float32 and ready to be broadcast over `x`. */
function along(b: Builder, parameter: Value, x: Value, axis: number): Value {
  const values = b.cast(parameter, 'float32');
  const count = sizeOf(parameter.dims);
  if (count === 1) return b.reshape(values, []);
  const at = normalAxis(axis, x.dims.length);
  if (parameter.dims.length !== 1 || count !== x.dims[at])
    throw new PhospheneError(
      'shape',
      `scales or zero points of [${parameter.dims.join(', ')}] do not fit axis ${at} of [${x.dims.join(', ')}]`,
    );
  return b.reshape(
    values,
    x.dims.slice(at).map((_, i) => (i === 0 ? count : 1)),
  );
}

/** Whether a zero point is known to be 0 everywhere, as symmetric quantisers have it. */
const isZero = (zero: Value): boolean => zero.constant !== undefined && toNumbers(zero.constant).every((z) => z === 0);

/** x - zero, in float32. */
function centred(b: Builder, x: Value, zero: Value | undefined, axis = 1): Value {
  const codes = b.cast(x, 'float32');
  return zero && !isZero(zero) ? b.sub(codes, along(b, zero, x, axis)) : codes;
}

/** (x - zero) · scale. Weights are left to the operator that does it, since it is computed when they are read. */
function dequantise(b: Builder, x: Value, { scale, zero, axis }: Scaling, name?: string): Value {
  return x.dtype === 'float32'
    ? b.one('Mul', [centred(b, x, zero, axis), along(b, scale, x, axis)], {}, name)
    : b.one('DequantizeLinear', [x, scale, zero], { axis }, name);
}

/** x / scale + zero, rounded, and clipped to what the type holds. */
function quantise(b: Builder, x: Value, { scale, zero, axis }: Scaling, dtype?: DType, name?: string): Value {
  // A zero point that was computed is a uint8, as a dynamic quantiser gives it.
  const range = ranges[dtype ?? (zero && zero.dtype !== 'float32' ? zero.dtype : 'uint8')];
  if (!range)
    throw new PhospheneError('unsupported-op', `it quantises to ${dtype ?? zero?.dtype}, which is not supported`);
  const scaled = b.div(b.cast(x, 'float32'), along(b, scale, x, axis));
  const shift = zero && !isZero(zero) ? along(b, zero, x, axis) : undefined;
  // Clipped before it is rounded: ONE_APART is for numbers that are not too large.
  const [least, most] = range.map((limit) => (shift ? b.sub(limit, shift) : b.float(limit))) as [Value, Value];
  const clipped = least.dims.length === 0 ? b.one('Clip', [scaled, least, most]) : b.min(b.max(scaled, least), most);
  const [sum, back] = [b.add(clipped, ONE_APART), b.float(ONE_APART)];
  return shift ? b.one('Add', [b.sub(sum, back), shift], {}, name) : b.one('Sub', [sum, back], {}, name);
}

/** Opset 21 gave quantisers blocks: several scales along an axis. */
function withoutBlocks(size: unknown): void {
  if (size !== undefined && size !== 0)
    throw new PhospheneError(
      'unsupported-op',
      `its scales are one for each block of ${Number(size)}; export the network with one for each channel`,
    );
}

/** What quantised weights are read through. What was quantised on the way is float32, and other operators spell it. */
export const quantised = {
  DequantizeLinear: operator({
    limits: 'no blocks, no types of 4 bits, no 8-bit floats',
    inputs: ['number', 'float', 'number?'],
    attributes: { axis: int(1) },
    infer({ inputs: [x, scale, zero], attributes: { axis } }) {
      const { dims } = scale!;
      const wanted =
        dims.length === 0 || sizeOf(dims) === 1 ? sizeOf(dims) : x!.dims[normalAxis(axis, x!.dims.length)]!;
      if (dims.length > 1 || sizeOf(dims) !== wanted || (zero && sizeOf(zero.dims) !== wanted))
        throw new PhospheneError(
          'shape',
          `scales of [${dims.join(', ')}] do not fit axis ${axis} of [${x!.dims.join(', ')}]`,
        );
      return [{ dtype: scale!.dtype, dims: x!.dims }];
    },
    fold({ inputs: [x, scale, zero], attributes: { axis }, out }) {
      const [q, s, z] = [readable(x!), readable(scale!), zero && readable(zero)];
      const values = new Float32Array(q.length);
      const run = s.length === 1 ? q.length : sizeOf(out.dims.slice(normalAxis(axis, out.dims.length) + 1));
      // Plain loops: all weights of a quantised model go through here while a user waits.
      for (let start = 0, channel = 0; start < q.length; start += run, channel = (channel + 1) % s.length) {
        const [factor, shift] = [s[channel]!, z?.[channel] ?? 0];
        for (let i = start; i < start + run; i++) values[i] = (q[i]! - shift) * factor;
      }
      return out.dtype === 'float32' ? { ...out, data: values } : undefined;
    },
    upgrade({ b, inputs, attributes, without, as, name }) {
      withoutBlocks(attributes['block_size']);
      const [x, scale, zero] = inputs;
      if (x?.dtype !== 'float32' || !scale) return as(inputs, without('block_size', 'output_dtype'));
      const axis = (attributes['axis'] as number | undefined) ?? 1;
      return [dequantise(b, x, scaling(scale, zero, axis), name)];
    },
  }),
};

const QuantizeLinear = foreign({
  limits: 'no blocks, no types of 4 bits, no 8-bit floats',
  inputs: ['number', 'float', 'number?'],
  attributes: { axis: int(1), saturate: int(1), block_size: int(0), output_dtype: int(0), precision: int(0) },
  upgrade({ b, inputs: [x, scale, zero], attributes: { axis, block_size, output_dtype }, name }) {
    withoutBlocks(block_size);
    const stated = types[output_dtype];
    if (!stated)
      throw new PhospheneError(
        'unsupported-op',
        `it quantises to ONNX's element type ${output_dtype}, which is not supported`,
      );
    return [quantise(b, x!, scaling(scale, zero, axis), zero ? undefined : stated, name)];
  },
});

const DequantizeLinear = foreign({
  inputs: ['number', 'float', 'number?'],
  attributes: { axis: int(1) },
  upgrade: ({ b, inputs: [x, scale, zero], attributes: { axis }, name }) => [
    dequantise(b, x!, scaling(scale, zero, axis), name),
  ],
});

/** An operator on one tensor whose input and output are quantised: x, its scale and zero point, those of the result. */
const around = <const D extends Declarations>(
  attributes: D,
  between: (b: Builder, x: Value, attributes: AttributesOf<D>) => Value,
) =>
  foreign({
    inputs: ['number', 'float', 'number?', 'float', 'number?'],
    attributes,
    upgrade: ({ b, inputs: [x, xs, xz, ys, yz], attributes: given, name }) => [
      quantise(b, between(b, dequantise(b, x!, scaling(xs, xz)), given), scaling(ys, yz), undefined, name),
    ],
  });

/** An operator on two tensors: each with its scale and zero point, and those of the result. */
const ofTwo = (op: 'Add' | 'Mul' | 'MatMul', axisOfSecond = 1) =>
  foreign({
    inputs: ['number', 'float', 'number?', 'number', 'float', 'number?', 'float', 'number?'],
    attributes: {},
    upgrade({ b, inputs: [x, xs, xz, y, ys, yz, zs, zz], name }) {
      const second = dequantise(b, y!, scaling(ys, yz, axisOfSecond));
      // A matrix on the left has its scales by row.
      const first = dequantise(b, x!, scaling(xs, xz, op === 'MatMul' ? -2 : 1));
      return [quantise(b, b.one(op, [first, second]), scaling(zs, zz), undefined, name)];
    },
  });

/** A convolution with the attributes of a node; pads as numbers. */
function convolution(
  b: Builder,
  inputs: readonly (Value | undefined)[],
  attributes: WindowOptions & { readonly group: number },
  name?: string,
): Value {
  const [x, w] = inputs as [Value, Value];
  const kernel = w.dims.slice(2);
  const { strides, dilations, pads } = windowOf(attributes, kernel, x.dims.slice(2));
  return b.one('Conv', inputs, { kernel_shape: kernel, group: attributes.group, strides, dilations, pads }, name);
}

/** Products of whole numbers, as files of dynamic quantisers have them: sums of int32, here in float32. */
const integerInputs = ['number', 'number', 'number?', 'number?'] as const;

/** Quantised networks as files spell them. */
export const foreignQuantised = {
  QuantizeLinear,
  'com.microsoft.QuantizeLinear': QuantizeLinear,
  'com.microsoft.DequantizeLinear': DequantizeLinear,
  QLinearConv: foreign({
    inputs: ['number', 'float', 'number?', 'number', 'float', 'number?', 'float', 'number?', 'number?'],
    attributes: convAttributes,
    upgrade({ b, inputs: [x, xs, xz, w, ws, wz, ys, yz, bias], attributes, name }) {
      // Its bias has the scale of a product.
      const shift = bias && b.mul(b.cast(bias, 'float32'), b.mul(b.reshape(xs!, []), along(b, ws!, bias, 0)));
      const inputs = [dequantise(b, x!, scaling(xs, xz)), dequantise(b, w!, scaling(ws, wz, 0)), shift];
      return [quantise(b, convolution(b, inputs, attributes), scaling(ys, yz), undefined, name)];
    },
  }),
  QLinearMatMul: ofTwo('MatMul', -1),
  'com.microsoft.QLinearAdd': ofTwo('Add'),
  'com.microsoft.QLinearMul': ofTwo('Mul'),
  'com.microsoft.QGemm': foreign({
    inputs: ['number', 'float', 'number?', 'number', 'float', 'number?', 'number?', 'float?', 'number?'],
    attributes: { alpha: float(1), transA: flag(), transB: flag() },
    upgrade({ b, inputs: [x, xs, xz, w, ws, wz, bias, ys, yz], attributes, name }) {
      const weights = dequantise(b, w!, scaling(ws, wz, attributes.transB === 1 ? 0 : 1));
      const factors = b.mul(along(b, ws!, weights, attributes.transB === 1 ? 0 : 1), b.reshape(xs!, []));
      const shift =
        bias &&
        b.mul(
          b.mul(b.cast(bias, 'float32'), b.reshape(factors, sizeOf(factors.dims) === 1 ? [] : [sizeOf(factors.dims)])),
          attributes.alpha,
        );
      const inputs = [dequantise(b, x!, scaling(xs, xz)), weights, shift];
      if (!ys) return [b.one('Gemm', inputs, attributes, name)];
      return [quantise(b, b.one('Gemm', inputs, attributes), scaling(ys, yz), undefined, name)];
    },
  }),
  'com.microsoft.QLinearGlobalAveragePool': around({ channels_last: flag() }, (b, x, { channels_last }) => {
    if (channels_last === 1) throw new PhospheneError('unsupported-op', 'channels in its last axis are not supported');
    return b.one('GlobalAveragePool', [x]);
  }),
  'com.microsoft.QLinearAveragePool': around(
    { ...averageAttributes, channels_last: flag() },
    (b, x, { channels_last, kernel_shape, count_include_pad, ...window }) => {
      if (channels_last === 1 || window.ceil_mode === 1)
        throw new PhospheneError('unsupported-op', 'channels in its last axis and its ceil mode are not supported');
      const { strides, pads } = windowOf(window, kernel_shape, x.dims.slice(2));
      return b.one('AveragePool', [x], { kernel_shape, count_include_pad, strides, pads });
    },
  ),
  'com.microsoft.QLinearSigmoid': around({}, (b, x) => b.sigmoid(x)),
  'com.microsoft.QLinearLeakyRelu': around({ alpha: float(0.01) }, (b, x, attributes) =>
    b.one('LeakyRelu', [x], attributes),
  ),
  'com.microsoft.QLinearSoftmax': around({ axis: int(-1), opset: int(13) }, (b, x, { axis }) =>
    b.one('Softmax', [x], { axis }),
  ),
  'com.microsoft.QLinearConcat': foreign({
    inputs: ['float', 'number', 'number*'],
    attributes: { axis: statedInt() },
    upgrade({ b, inputs: [ys, yz, ...parts], attributes, name }) {
      const values = parts.flatMap((x, i) =>
        i % 3 === 0 ? [dequantise(b, x!, scaling(parts[i + 1], parts[i + 2]))] : [],
      );
      return [quantise(b, b.one('Concat', values, attributes), scaling(ys, yz), undefined, name)];
    },
  }),
  ConvInteger: foreign({
    inputs: integerInputs,
    attributes: convAttributes,
    upgrade: ({ b, inputs: [x, w, xz, wz], attributes, name }) => [
      convolution(b, [centred(b, x!, xz), centred(b, w!, wz, 0)], attributes, name),
    ],
  }),
  MatMulInteger: foreign({
    inputs: integerInputs,
    attributes: {},
    upgrade: ({ b, inputs: [x, y, xz, yz], name }) => [
      b.one('MatMul', [centred(b, x!, xz, -2), centred(b, y!, yz, -1)], {}, name),
    ],
  }),
  DynamicQuantizeLinear: foreign({
    inputs: ['T'],
    attributes: {},
    upgrade({ b, inputs: [x], name }: ForeignCall) {
      // The range of its values and of zero is that of a uint8.
      const [least, most] = [b.one('ReduceMin', [x], { keepdims: 0 }), b.one('ReduceMax', [x], { keepdims: 0 })];
      const [low, high] = [b.min(least, 0), b.max(most, 0)];
      const scale = b.div(b.sub(high, low), 255);
      const zero = b.one('Clip', [b.one('Round', [b.div(b.neg(low), scale)]), b.float(0), b.float(255)]);
      return [quantise(b, x!, scaling(scale, zero), 'uint8', name), scale, zero];
    },
  }),
};
