/** @file Keras' poolings. */
import type { Value } from '../../../ir/builder.ts';
import { flag, type KerasLayer, pair, picture, windowPads } from '../layer.ts';

const pooling =
  (op: string): KerasLayer =>
  (context) => {
    const x = picture(context);
    const kernel = pair(context, 'pool_size', 2);
    const strides = context.config['strides'] ? pair(context, 'strides', 1) : kernel;
    const pads = windowPads(context, x, kernel, strides);
    const padded = pads.some((p) => p > 0) ? { pads } : {};
    return context.b.one(op, [x], { kernel_shape: kernel, strides, ...padded }, context.name);
  };

const globalPooling =
  (op: string): KerasLayer =>
  (context) => {
    const { b, name } = context;
    const x = picture(context);
    if (flag(context, 'keepdims', false)) return b.one(op, [x], {}, name);
    const pooled: Value = b.one(op, [x]);
    return b.one('Flatten', [pooled], { axis: 1 }, name);
  };

export const poolings: Readonly<Record<string, KerasLayer>> = {
  MaxPooling2D: pooling('MaxPool'),
  // Of its padding ONNX counts nothing unless told to, as Keras does.
  AveragePooling2D: pooling('AveragePool'),
  GlobalAveragePooling2D: globalPooling('GlobalAveragePool'),
  GlobalMaxPooling2D: globalPooling('GlobalMaxPool'),
};
