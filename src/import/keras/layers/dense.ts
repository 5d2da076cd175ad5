/** @file Keras' Dense, and the layers that bring values into its shape. */
import { PhospheneError } from '../../../errors.ts';
import type { Value } from '../../../ir/builder.ts';
import { transpose } from '../../../ir/fold.ts';
import { sizeOf } from '../../../ir/tensor.ts';
import { flag, inKerasOrder, inOurOrder, type KerasLayer, only, unsupported, whole } from '../layer.ts';
import { activated } from './activation.ts';

/** Over the last axis: on a picture that is a convolution of one pixel. A published architecture may say how many `inputs` it has. */
const Dense: KerasLayer = (context) => {
  const { b, config, name, weight } = context;
  const x = only(context);
  // If the channels are first, the last axis is an axis like any other.
  const rank = x.dims.length === 4 && context.channelsFirst ? 5 : x.dims.length;
  const units = whole(context, 'units', 0);
  const width = rank === 4 ? x.dims[1]! : x.dims.at(-1)!;
  const fixed = config['inputs'];
  if (typeof fixed === 'number' && fixed !== width)
    throw new PhospheneError(
      'shape',
      `layer \`${name}\`: it takes ${fixed} numbers, and a picture of this size gives it ${width}`,
      { layer: name, node: name },
    );
  const dims = [width, units] as const;
  const biased = flag(context, 'use_bias', true);
  if (rank === 4) {
    const kernel = [units, width, 1, 1];
    const w = weight('kernel', dims, { dims: kernel, apply: (t) => ({ ...transpose(t, [1, 0]), dims: kernel }) });
    const bias = biased ? weight('bias', [units]) : undefined;
    return activated(context, (own) => b.conv(x, w, bias, {}, own));
  }
  const w = weight('kernel', dims);
  const bias = biased ? weight('bias', [units]) : undefined;
  return activated(context, (own) => {
    if (rank === 2) return b.one('Gemm', bias ? [x, w, bias] : [x, w], {}, own);
    const product: Value = b.one('MatMul', [x, w], {}, bias ? undefined : own);
    return bias ? b.one('Add', [product, bias], {}, own) : product;
  });
};

/** Keras' order: the channels of a pixel stand together, also if they were first and the layer says so. */
const Flatten: KerasLayer = (context) => {
  const { b, name, config, channelsFirst } = context;
  const own = only(context);
  const last = !channelsFirst || config['data_format'] === 'channels_first';
  const x = inKerasOrder({ ...context, channelsFirst: !last }, own);
  return b.one('Reshape', [x, b.ints([1, sizeOf(x.dims.slice(1))])], {}, name);
};

const Reshape: KerasLayer = (context) => {
  const { b, config } = context;
  const x = inKerasOrder(context, only(context));
  const shape = config['target_shape'];
  if (!Array.isArray(shape) || !shape.every((d) => Number.isInteger(d)))
    throw unsupported(context, `its target_shape is ${JSON.stringify(shape)}`);
  return inOurOrder(context, b.one('Reshape', [x, b.ints([1, ...(shape as number[])])]));
};

/** Keras counts axes from 1, without the batch. */
const Permute: KerasLayer = (context) => {
  const { b, config } = context;
  const x = inKerasOrder(context, only(context));
  const axes = config['dims'];
  if (!Array.isArray(axes) || axes.length !== x.dims.length - 1)
    throw unsupported(context, `its dims are ${JSON.stringify(axes)}`);
  return inOurOrder(context, b.one('Transpose', [x], { perm: [0, ...(axes as number[])] }));
};

export const denseLayers: Readonly<Record<string, KerasLayer>> = { Dense, Flatten, Reshape, Permute };
