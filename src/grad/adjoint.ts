/** @file Gradients of windows for their input, in the general form, whatever the engine. */
import type { Builder, Value, WindowAttributes } from '../ir/builder.ts';
import { transpose } from '../ir/fold.ts';
import type { Attributes } from '../ir/graph.ts';
import { type Dims, sizeOf, type Tensor } from '../ir/tensor.ts';
import type { Window } from '../ir/window.ts';

/**
 * Gradient of a Conv of stride 1 with constant weights [out, in / group, kh, kw]: a Conv with the kernel flipped and its channels exchanged
 * within each group, as fast as the forward one. With it, what still has to be cropped: [top, left, bottom, right] of numbers that are
 * zero or negative, if the padding was wider than the kernel reaches.
 */
export function flipped(
  b: Builder,
  g: Value,
  w: Tensor<'float32'>,
  window: Window,
  group: number,
): [value: Value, crop: readonly number[]] {
  const [out, inGroup, ...kernel] = w.dims as [number, number, number, number];
  b.budget.take(4 * w.data.length);
  const split: Tensor = { ...w, dims: [group, out / group, inGroup, ...kernel] };
  const exchanged = transpose(split, [0, 2, 1, 3, 4], [3, 4]);
  const weights = { ...exchanged, dims: [group * inGroup, out / group, ...kernel] } as Tensor;
  const full = window.pads.map((p, i) => (window.kernel[i % 2]! - 1) * window.dilations[i % 2]! - p);
  const attributes: WindowAttributes = {
    pads: full.map((p) => Math.max(p, 0)),
    ...(window.dilations.every((d) => d === 1) ? {} : { dilations: window.dilations }),
    ...(group > 1 ? { group } : {}),
  };
  return [b.conv(g, b.constant(weights), undefined, attributes), full.map((p) => Math.min(p, 0))];
}

/** Gradient of a Conv for its input of dims `x`: any stride, dilation, group and rank, and weights that may be computed. */
export function transposed(b: Builder, g: Value, weights: Value, window: Window, group: number, x: Dims): Value {
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

/** Gradient of a MaxPool for its input, for every window: its own indices, and a scatter that adds up the wins of overlapping windows. */
export function byIndices(b: Builder, g: Value, x: Value, attributes: Attributes): Value {
  const [, indices] = b.op('MaxPool', [x], { ...attributes, storage_order: 0 }, { outputs: 2 });
  const flat = (v: Value): Value => b.reshape(v, [sizeOf(v.dims)]);
  const zeros = b.one('ConstantOfShape', [b.ints([sizeOf(x.dims)])]);
  return b.reshape(b.one('ScatterElements', [zeros, flat(indices!), flat(g)], { axis: 0, reduction: 'add' }), x.dims);
}
