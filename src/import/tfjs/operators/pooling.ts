/** @file Poolings, reductions, softmax, and pictures made larger or smaller. */
import { PhospheneError } from '../../../errors.ts';
import { flag, ints } from '../graph.ts';
import { axisOf, dimsOf, type Held, last, plain } from '../layout.ts';
import { keepsAxes } from './elementwise.ts';
import { type Call, input, sides, spatial, type TfOperator, unsupported, windowPads, wholes } from './operator.ts';

/** What TensorFlow pads counts for nothing, as in ONNX. */
const pooling =
  (op: 'MaxPool' | 'AveragePool'): TfOperator =>
  (call) => {
    const { b, node, name } = call;
    const space = spatial(call);
    // The second version takes them as inputs.
    const stated = (key: string, at: number): readonly number[] =>
      call.inputs.length > at ? wholes(call, at, key) : ints(node, key);
    const kernel = sides(space, stated('ksize', 1), 'ksize');
    const strides = sides(space, stated('strides', 2), 'strides');
    const pads = windowPads(call, space, ints(node, 'explicit_paddings'), kernel, strides);
    const attributes = { kernel_shape: kernel, strides, ...(pads.some((p) => p > 0) ? { pads } : {}) };
    return space.as(b.one(op, [space.x], attributes, name));
  };

const reduction =
  (op: string): TfOperator =>
  (call) => {
    const { b, name } = call;
    const held = input(call, 0);
    const rank = held.value.dims.length;
    const axes = wholes(call, 1, 'axes').map((a) => (a < 0 ? a + rank : a));
    if (axes.some((a) => a < 0 || a >= rank))
      throw new PhospheneError('shape', `its axes [${axes.join(', ')}] are none of ${rank}`);
    if (axes.length === 0) return held;
    const keepdims = keepsAxes(call);
    const by = (of: Held): Held => ({
      value: b.one(op, [of.value, b.ints(axes.map((a) => axisOf(of, a)))], { keepdims: keepdims ? 1 : 0 }, name),
      first: of.first && keepdims,
    });
    if (keepdims || !held.first) return by(held);
    // What is left stands in the same order if the channels, or rows and columns, are gone.
    const left = [0, 1, 2, 3].filter((a) => !axes.includes(a)).map((a) => axisOf(held, a));
    const sorted = left.every((a, i) => i === 0 || a > left[i - 1]!);
    return sorted ? by(held) : by(plain(last(b, held)));
  };

/** Over the last axis as TensorFlow sees it. */
const overChannels =
  (op: string): TfOperator =>
  (call) => {
    const held = input(call, 0);
    const axis = axisOf(held, dimsOf(held).length - 1);
    return { value: call.b.one(op, [held.value], { axis }, call.name), first: held.first };
  };

const resize =
  (mode: 'linear' | 'nearest'): TfOperator =>
  (call) => {
    const { b, node, name } = call;
    // There is no other order.
    const space = spatial({ ...call, node: { ...node, attr: {} } });
    const size = sizeOf(call);
    const [n, c] = space.x.dims;
    const [corners, halves] = [flag(node, 'align_corners'), flag(node, 'half_pixel_centers')];
    const coordinates = corners ? 'align_corners' : halves ? 'half_pixel' : 'asymmetric';
    const attributes = {
      mode,
      coordinate_transformation_mode: coordinates,
      // Of the half pixel the floor is taken before the half is; between corners it is rounded.
      ...(mode === 'nearest' ? { nearest_mode: corners || halves ? 'round_prefer_ceil' : 'floor' } : {}),
    };
    if (space.x.dims[2] === size[0] && space.x.dims[3] === size[1]) return space.as(space.x);
    return space.as(b.one('Resize', [space.x, undefined, undefined, b.ints([n!, c!, ...size])], attributes, name));
  };

function sizeOf(call: Call): readonly [number, number] {
  const [height, width, ...others] = wholes(call, 1, 'size');
  if (!(height! > 0) || !(width! > 0) || others.length > 0)
    throw new PhospheneError('shape', 'its size is not height and width');
  return [height!, width!];
}

export const poolings: Readonly<Record<string, TfOperator>> = {
  MaxPool: pooling('MaxPool'),
  MaxPoolV2: pooling('MaxPool'),
  AvgPool: pooling('AveragePool'),
  Mean: reduction('ReduceMean'),
  Sum: reduction('ReduceSum'),
  Max: reduction('ReduceMax'),
  Min: reduction('ReduceMin'),
  Prod: reduction('ReduceProd'),
  Softmax: overChannels('Softmax'),
  LogSoftmax: overChannels('LogSoftmax'),
  ResizeBilinear: resize('linear'),
  ResizeNearestNeighbor: resize('nearest'),
  ResizeBicubic: () => {
    throw unsupported('it interpolates by cubic curves');
  },
};
