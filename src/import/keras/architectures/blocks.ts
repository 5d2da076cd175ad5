/** @file The layers that the architectures of keras.applications are written in, with the settings that occur there. */
import type { TopologyBuilder } from '../topology.ts';

/** What an architecture takes. */
export interface Top {
  /** Whether its classifier is part of it. */
  readonly top: boolean;
}

/** Settings of a convolution; without bias, stride 1 and `same` unless given. */
export interface Convolution {
  readonly stride?: number;
  readonly bias?: boolean;
  readonly valid?: boolean;
  readonly activation?: string;
  readonly groups?: number;
}

type Kernel = number | readonly [rows: number, columns: number];

/** A layer's name, or undefined for the one that Keras makes up. */
export type Name = string | undefined;

function settings({ stride = 1, bias = false, valid = false, activation }: Convolution, kernel: Kernel) {
  return {
    kernel_size: kernel,
    strides: stride,
    padding: valid ? 'valid' : 'same',
    use_bias: bias,
    ...(activation === undefined ? {} : { activation }),
  };
}

export function conv(
  t: TopologyBuilder,
  name: Name,
  x: string,
  filters: number,
  kernel: Kernel,
  options: Convolution = {},
): string {
  const { groups } = options;
  return t.add('Conv2D', name, x, {
    filters,
    ...settings(options, kernel),
    ...(groups === undefined ? {} : { groups }),
  });
}

export function depthwise(
  t: TopologyBuilder,
  name: Name,
  x: string,
  kernel: Kernel,
  options: Convolution = {},
): string {
  return t.add('DepthwiseConv2D', name, x, settings(options, kernel));
}

export function separable(
  t: TopologyBuilder,
  name: Name,
  x: string,
  filters: number,
  kernel: Kernel,
  options: Convolution = {},
): string {
  return t.add('SeparableConv2D', name, x, { filters, ...settings(options, kernel) });
}

export function norm(t: TopologyBuilder, name: Name, x: string, epsilon = 1e-3, scale = true): string {
  return t.add('BatchNormalization', name, x, { epsilon, ...(scale ? {} : { scale }) });
}

export function act(t: TopologyBuilder, name: Name, x: string, activation = 'relu'): string {
  return t.add('Activation', name, x, { activation });
}

export function relu6(t: TopologyBuilder, name: Name, x: string): string {
  return t.add('ReLU', name, x, { max_value: 6 });
}

/** Zeros around a picture: as many on each side, or [[top, bottom], [left, right]]. */
export function pad(
  t: TopologyBuilder,
  name: Name,
  x: string,
  padding: number | readonly (readonly [number, number])[],
): string {
  return t.add('ZeroPadding2D', name, x, { padding });
}

/** The zeros that `same` would add before a convolution of stride 2, as PyTorch adds them: Keras' `correct_pad`. */
export function stridePad(t: TopologyBuilder, name: Name, x: string, kernel: number): string {
  return t.add('ZeroPadding2D', name, x, { before_stride: kernel });
}

export function add(t: TopologyBuilder, name: Name, ...inputs: readonly string[]): string {
  return t.add('Add', name, inputs);
}

export function concat(t: TopologyBuilder, name: Name, ...inputs: readonly string[]): string {
  return t.add('Concatenate', name, inputs, { axis: -1 });
}

export function maxPool(t: TopologyBuilder, name: Name, x: string, size: number, stride: number, same = false): string {
  return t.add('MaxPooling2D', name, x, { pool_size: size, strides: stride, ...(same ? { padding: 'same' } : {}) });
}

export function averagePool(
  t: TopologyBuilder,
  name: Name,
  x: string,
  size: number,
  stride: number,
  same = false,
): string {
  return t.add('AveragePooling2D', name, x, { pool_size: size, strides: stride, ...(same ? { padding: 'same' } : {}) });
}

export function globalPool(t: TopologyBuilder, name: Name, x: string, keepdims = false): string {
  return t.add('GlobalAveragePooling2D', name, x, keepdims ? { keepdims } : {});
}

/** ImageNet's classes. */
export const CLASSES = 1000;

export function dense(t: TopologyBuilder, name: Name, x: string, units: number, activation?: string): string {
  return t.add('Dense', name, x, { units, ...(activation === undefined ? {} : { activation }) });
}

/** The classifier that most have: the mean of each channel, then a layer `predictions`. */
export function classifier(t: TopologyBuilder, x: string): string {
  return predictions(t, globalPool(t, 'avg_pool', x));
}

export function predictions(t: TopologyBuilder, x: string): string {
  return dense(t, 'predictions', x, CLASSES, 'softmax');
}

/** A width as MobileNets and EfficientNets round it: to a multiple of 8, and not down by more than a tenth. */
export function divisible(width: number): number {
  const rounded = Math.max(8, Math.floor((width + 4) / 8) * 8);
  return rounded < 0.9 * width ? rounded + 8 : rounded;
}
