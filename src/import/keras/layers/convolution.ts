/** @file Keras' convolutions. Kernels come as HWIO and become OIHW. */
import type { Value } from '../../../ir/builder.ts';
import { transpose } from '../../../ir/fold.ts';
import type { Dims } from '../../../ir/tensor.ts';
import { activated } from './activation.ts';
import {
  type Change,
  flag,
  type KerasLayer,
  type LayerContext,
  pair,
  picture,
  text,
  unsupported,
  whole,
  windowPads,
} from '../layer.ts';

const ofKernel = ([rows, columns, input, output]: readonly [number, number, number, number]): Change => ({
  dims: [output, input, rows, columns],
  apply: (t) => transpose(t, [3, 2, 0, 1]),
});

const Conv2D: KerasLayer = (context) => {
  const { b, weight } = context;
  const x = picture(context);
  const [kernel, strides, dilations] = [
    pair(context, 'kernel_size', 1),
    pair(context, 'strides', 1),
    pair(context, 'dilation_rate', 1),
  ];
  const [filters, groups] = [whole(context, 'filters', 0), whole(context, 'groups', 1)];
  const channels = x.dims[1]!;
  if (!Number.isInteger(channels / groups) || !Number.isInteger(filters / groups))
    throw unsupported(context, `${groups} groups do not divide ${channels} channels and ${filters} filters`);
  const dims = [...kernel, channels / groups, filters] as const;
  const w = weight('kernel', dims, ofKernel(dims));
  const bias = flag(context, 'use_bias', true) ? weight('bias', [filters]) : undefined;
  const pads = windowPads(context, x, kernel, strides, dilations);
  return activated(context, (own) =>
    b.conv(x, w, bias, { strides, pads, ...dilated(dilations), ...(groups === 1 ? {} : { group: groups }) }, own),
  );
};

const DepthwiseConv2D: KerasLayer = (context) => {
  const x = picture(context);
  return activated(context, (own) => depthwise(context, x, 'depthwise_kernel', flag(context, 'use_bias', true), own));
};

const SeparableConv2D: KerasLayer = (context) => {
  const { b, weight } = context;
  const x = picture(context);
  const filters = whole(context, 'filters', 0);
  const inner = depthwise(context, x, 'depthwise_kernel', false);
  const dims = [1, 1, inner.dims[1]!, filters] as const;
  const w = weight('pointwise_kernel', dims, ofKernel(dims));
  const bias = flag(context, 'use_bias', true) ? weight('bias', [filters]) : undefined;
  return activated(context, (own) => b.conv(inner, w, bias, {}, own));
};

/** A convolution of each channel by kernels of its own; [kh, kw, c, m] gives channel c · m + k. */
function depthwise(
  context: Parameters<KerasLayer>[0],
  x: Value,
  kernelName: string,
  biased: boolean,
  own?: string,
): Value {
  const { b, weight } = context;
  const [kernel, strides, dilations] = [
    pair(context, 'kernel_size', 1),
    pair(context, 'strides', 1),
    pair(context, 'dilation_rate', 1),
  ];
  const [channels, multiplier] = [x.dims[1]!, whole(context, 'depth_multiplier', 1)];
  const dims: Dims = [channels * multiplier, 1, ...kernel];
  const w = weight(kernelName, [...kernel, channels, multiplier], {
    dims,
    apply: (t) => ({ ...transpose(t, [2, 3, 0, 1]), dims }),
  });
  const bias = biased ? weight('bias', [channels * multiplier]) : undefined;
  const pads = windowPads(context, x, kernel, strides, dilations);
  return b.conv(x, w, bias, { strides, pads, ...dilated(dilations), group: channels }, own);
}

/** Left out if it says nothing, as everywhere in our graphs. */
function dilated(dilations: readonly number[]): { dilations?: readonly number[] } {
  return dilations.every((d) => d === 1) ? {} : { dilations };
}

/** Kernels come as height, width, output, input. */
const Conv2DTranspose: KerasLayer = (context) => {
  const { b, config, weight } = context;
  const x = picture(context);
  const [kernel, strides, dilations] = [
    pair(context, 'kernel_size', 1),
    pair(context, 'strides', 1),
    pair(context, 'dilation_rate', 1),
  ];
  const padding = text(context, 'padding', 'valid');
  if (padding !== 'valid' && padding !== 'same') throw unsupported(context, `its padding is \`${padding}\``);
  const filters = whole(context, 'filters', 0);
  const dims = [...kernel, filters, x.dims[1]!] as const;
  const w = weight('kernel', dims, ofKernel(dims));
  const extents = kernel.map((k, i) => (k - 1) * dilations[i]! + 1);
  const stated = config['output_padding'] ?? null;
  const more = stated === null ? undefined : outputPadding(context, strides);
  const sides = extents.map((extent, i) => {
    const [stride, length] = [strides[i]!, x.dims[i + 2]!];
    const all = (length - 1) * stride + extent;
    // Without an output padding `same` is strides · input long, and `valid` so and what the kernel is longer than its stride.
    const same = more ? all - 2 * Math.floor(extent / 2) + more[i]! : length * stride;
    const out = padding === 'same' ? same : more ? all + more[i]! : length * stride + Math.max(extent - stride, 0);
    const cut = Math.max(all - out, 0);
    return { begin: Math.floor(cut / 2), end: Math.ceil(cut / 2), more: Math.max(out - all, 0) };
  });
  const output_padding = sides.map((s) => s.more);
  const y = b.convTranspose(x, w, {
    strides,
    pads: [...sides.map((s) => s.begin), ...sides.map((s) => s.end)],
    ...dilated(dilations),
    ...(output_padding.some((p) => p > 0) ? { output_padding } : {}),
  });
  return activated(context, (own) => {
    if (!flag(context, 'use_bias', true)) return b.one('Identity', [y], {}, own);
    return b.one('Add', [y, b.reshape(weight('bias', [filters]), [filters, 1, 1])], {}, own);
  });
};

/** What is added to the end of each axis: less than its stride. */
function outputPadding(context: LayerContext, strides: readonly [number, number]): readonly [number, number] {
  const value = context.config['output_padding'];
  const [rows, columns] = Array.isArray(value) ? (value as unknown[]) : [value, value];
  const fits = (v: unknown, stride: number): v is number =>
    Number.isInteger(v) && (v as number) >= 0 && (v as number) < stride;
  if (!fits(rows, strides[0]) || !fits(columns, strides[1]))
    throw unsupported(context, `its output_padding is ${JSON.stringify(value)} at strides of ${strides.join('×')}`);
  return [rows, columns];
}

export const convolutions: Readonly<Record<string, KerasLayer>> = {
  Conv2D,
  Conv2DTranspose,
  DepthwiseConv2D,
  SeparableConv2D,
};
