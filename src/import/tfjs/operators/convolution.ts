/** @file Convolutions, with what the converter has fused to them, products, and normalisations by channel. */
import { PhospheneError } from '../../../errors.ts';
import type { Value, WindowAttributes } from '../../../ir/builder.ts';
import { sizeOf } from '../../../ir/tensor.ts';
import { flag, float, ints, word, words } from '../graph.ts';
import { changed, dimsOf, type Held, last, plain, together } from '../layout.ts';
import { activation, leaky, prelu } from './elementwise.ts';
import { type Call, input, sides, spatial, type TfOperator, unsupported, windowPads, wholes } from './operator.ts';

/** Something that follows; the last of them gets the name. */
type Step = (x: Held, name?: string) => Held;

/** What is fused to an operator, from its input `from` on: a bias for the operator itself, and what follows it. */
function fusedTo(call: Call, from: number): { bias: Held | undefined; steps: readonly Step[] } {
  const { b, node } = call;
  let next = from;
  let bias: Held | undefined;
  const steps: Step[] = [];
  for (const [i, op] of words(node, 'fused_ops').entries()) {
    const unaryStep = activation(op);
    if (op === 'BiasAdd' && i === 0) bias = input(call, next++);
    else if (op === 'BiasAdd' || op === 'Add') {
      const other = input(call, next++);
      steps.push((x, name) => {
        const { values, as } = together(b, [x, other]);
        return as(b.one('Add', values, {}, name));
      });
    } else if (op === 'FusedBatchNorm') {
      const parameters = [0, 1, 2, 3].map(() => input(call, next++).value);
      const epsilon = float(node, 'epsilon', 1e-3);
      steps.push(({ value, first }, name) => ({
        value: b.one('BatchNormalization', [value, ...parameters], { epsilon }, name),
        first,
      }));
    } else if (op === 'LeakyRelu') steps.push((x, name) => leaky(call, x, float(node, 'leakyrelu_alpha', 0.2), name));
    else if (op === 'Prelu') {
      const alpha = input(call, next++);
      steps.push((x, name) => prelu(call, x, alpha, name));
    } else if (unaryStep) steps.push(({ value, first }, name) => ({ value: unaryStep(b, value, name), first }));
    else if (op !== 'NoOp') throw unsupported(`\`${op}\` is fused to it`);
  }
  return { bias, steps };
}

/** An operator with what is fused to it; `build` is given the name if nothing follows. */
function withFused(call: Call, from: number, build: (bias: Value | undefined, name?: string) => Held): Held {
  const { bias, steps } = fusedTo(call, from);
  const first = build(bias?.value, steps.length === 0 ? call.name : undefined);
  return steps.reduce((x, step, i) => step(x, i === steps.length - 1 ? call.name : undefined), first);
}

/** The filter, which has four axes. */
function filterOf(call: Call, at: number): Held {
  const filter = input(call, at);
  if (filter.value.dims.length !== 4)
    throw new PhospheneError('shape', `its filter is [${filter.value.dims.join(', ')}]; four axes are needed`);
  // A filter is never held as a picture, unless it is computed as one.
  return filter.first ? plain(last(call.b, filter)) : filter;
}

/** Left out if they say nothing, as everywhere in our graphs. */
function dilated(dilations: readonly number[]): { dilations?: readonly number[] } {
  return dilations.every((d) => d === 1) ? {} : { dilations };
}

/** How the window of a convolution moves, as attributes of a Conv. */
function windowOf(
  call: Call,
  space: ReturnType<typeof spatial>,
  kernel: readonly number[],
): Pick<WindowAttributes, 'strides' | 'pads'> & { readonly dilations?: readonly number[] } {
  const { node } = call;
  const strides = sides(space, ints(node, 'strides'), 'strides');
  const dilations = sides(space, ints(node, 'dilations'), 'dilations');
  const pads = windowPads(call, space, ints(node, 'explicit_paddings'), kernel, strides, dilations);
  return { strides, pads, ...dilated(dilations) };
}

const conv: TfOperator = (call) => {
  const { b } = call;
  const space = spatial(call);
  const filter = filterOf(call, 1);
  const [rows, columns, depth, out] = filter.value.dims as [number, number, number, number];
  const window = windowOf(call, space, [rows, columns]);
  const channels = space.x.dims[1]!;
  const group = channels / depth;
  if (!Number.isInteger(group))
    throw new PhospheneError('shape', `its input has ${channels} channels, its filter is for ${depth}`);
  const w = changed(b, filter, { perm: [3, 2, 0, 1], dims: [out, depth, rows, columns] }).value;
  return withFused(call, 2, (bias, name) =>
    space.as(b.conv(space.x, w, bias, { ...window, ...(group === 1 ? {} : { group }) }, name)),
  );
};

/** Each channel by filters of its own: [kh, kw, c, m] gives channel c · m + k. */
const depthwise: TfOperator = (call) => {
  const { b } = call;
  const space = spatial(call);
  const filter = filterOf(call, 1);
  const [rows, columns, channels, multiplier] = filter.value.dims as [number, number, number, number];
  const window = windowOf(call, space, [rows, columns]);
  const w = changed(b, filter, { perm: [2, 3, 0, 1], dims: [channels * multiplier, 1, rows, columns] }).value;
  return withFused(call, 2, (bias, name) => space.as(b.conv(space.x, w, bias, { ...window, group: channels }, name)));
};

/** The gradient of a convolution by its input, which is how TensorFlow spells a transposed one: [kh, kw, out, in]. */
const convTranspose: TfOperator = (call) => {
  const { b, node, name } = call;
  const space = spatial(call, 2);
  const filter = filterOf(call, 1);
  const [rows, columns, out, depth] = filter.value.dims as [number, number, number, number];
  const strides = sides(space, ints(node, 'strides'), 'strides');
  const dilations = sides(space, ints(node, 'dilations'), 'dilations');
  const stated = wholes(call, 0, 'size');
  const size = stated.length === 2 ? stated : sides(space, stated, 'size');
  const given = space.x.dims.slice(2);
  const extent = [rows, columns].map((k, i) => (k - 1) * dilations[i]! + 1);
  // As of the convolution that it is the gradient of.
  const pads = windowPads(
    call,
    { ...space, x: { ...space.x, dims: [...space.x.dims.slice(0, 2), ...size] } },
    ints(node, 'explicit_paddings'),
    [rows, columns],
    strides,
    dilations,
  );
  const output_padding = size.map(
    (length, i) => length - ((given[i]! - 1) * strides[i]! + extent[i]! - pads[i]! - pads[i + 2]!),
  );
  if (output_padding.some((p, i) => p < 0 || (p > 0 && p >= strides[i]!)))
    throw new PhospheneError(
      'shape',
      `its input of ${given.join('×')} does not give the ${size.join('×')} that it states`,
    );
  const w = changed(b, filter, { perm: [3, 2, 0, 1], dims: [depth, out, rows, columns] }).value;
  const attributes = {
    kernel_shape: [rows, columns],
    strides,
    pads,
    ...dilated(dilations),
    ...(output_padding.some((p) => p > 0) ? { output_padding } : {}),
  };
  return space.as(b.one('ConvTranspose', [space.x, w], attributes, name));
};

const batchNorm: TfOperator = (call) => {
  const { b, node, name } = call;
  const space = spatial(call);
  const parameters = [1, 2, 3, 4].map((at) => input(call, at).value);
  if (parameters.some((p) => sizeOf(p.dims) === 0))
    throw unsupported('it takes mean and variance from the batch, as in training');
  return space.as(
    b.one('BatchNormalization', [space.x, ...parameters], { epsilon: float(node, 'epsilon', 1e-3) }, name),
  );
};

const biasAdd: TfOperator = (call) => {
  const { b, node, name } = call;
  const [x, bias] = [input(call, 0), input(call, 1)];
  const rank = x.value.dims.length;
  const nchw = rank > 2 && word(node, 'data_format', 'NHWC').startsWith('NC');
  if (!nchw) {
    const { values, as } = together(b, [x, bias]);
    return as(b.one('Add', values, {}, name));
  }
  const shaped = changed(b, bias, { dims: [sizeOf(bias.value.dims), ...Array.from({ length: rank - 2 }, () => 1)] });
  return plain(b.one('Add', [last(b, x), shaped.value], {}, name));
};

const matMul: TfOperator = (call) => {
  const { b, node } = call;
  const [x, w] = [last(b, input(call, 0)), last(b, input(call, 1))];
  const [transA, transB] = [flag(node, 'transpose_a') ? 1 : 0, flag(node, 'transpose_b') ? 1 : 0];
  return withFused(call, 2, (bias, name) =>
    plain(
      bias || transA || transB
        ? b.one('Gemm', bias ? [x, w, bias] : [x, w], { transA, transB }, name)
        : b.one('MatMul', [x, w], {}, name),
    ),
  );
};

const batchMatMul: TfOperator = (call) => {
  const { b, node, name } = call;
  const turned = (held: Held, adjoint: boolean): Value => {
    const rank = dimsOf(held).length;
    const value = last(b, held);
    return adjoint && rank > 1
      ? b.transpose(value, [...Array.from({ length: rank - 2 }, (_, i) => i), rank - 1, rank - 2])
      : value;
  };
  const [x, y] = [turned(input(call, 0), flag(node, 'adj_x')), turned(input(call, 1), flag(node, 'adj_y'))];
  return plain(b.one('MatMul', [x, y], {}, name));
};

export const convolutions: Readonly<Record<string, TfOperator>> = {
  Conv2D: conv,
  _FusedConv2D: conv,
  DepthwiseConv2dNative: depthwise,
  DepthwiseConv2d: depthwise,
  FusedDepthwiseConv2dNative: depthwise,
  _FusedDepthwiseConv2dNative: depthwise,
  Conv2DBackpropInput: convTranspose,
  FusedBatchNorm: batchNorm,
  FusedBatchNormV2: batchNorm,
  FusedBatchNormV3: batchNorm,
  BiasAdd: biasAdd,
  BiasAddV1: biasAdd,
  MatMul: matMul,
  _FusedMatMul: matMul,
  BatchMatMul: batchMatMul,
  BatchMatMulV2: batchMatMul,
  BatchMatMulV3: batchMatMul,
};
