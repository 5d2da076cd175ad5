/** @file Window arithmetic: what kernels, strides, dilations and pads make of an axis. Pads are [begin…, end…], as in ONNX. */
import { PhospheneError } from '../errors.ts';
import type { Dims } from './tensor.ts';

/** A window that slides over axes: kernels, strides, dilations one for each; pads two, all begins before all ends. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
  readonly ceil: boolean;
}

/** What a node says of its window; what is absent is ONNX's default. */
export interface WindowOptions {
  readonly strides?: readonly number[] | undefined;
  readonly dilations?: readonly number[] | undefined;
  readonly pads?: readonly number[] | undefined;
  readonly auto_pad?: AutoPad | undefined;
  readonly ceil_mode?: number | undefined;
}
export type AutoPad = 'NOTSET' | 'SAME_UPPER' | 'SAME_LOWER' | 'VALID';

/** The window of a Conv or pooling node over the spatial axes `size`, with `auto_pad` resolved to numbers. Throws `shape`. */
export function windowOf(options: WindowOptions, kernel: readonly number[], size: Dims): Window {
  const rank = kernel.length;
  if (rank === 0 || kernel.some((k) => k < 1))
    throw new PhospheneError('shape', `a window of [${kernel.join(', ')}] is none`);
  const list = (name: 'strides' | 'dilations' | 'pads', length: number, fallback: number): readonly number[] => {
    const given = options[name] ?? Array.from({ length }, () => fallback);
    if (given.length !== length)
      throw new PhospheneError('shape', `${name} [${given.join(', ')}] should be ${length} numbers`);
    return given;
  };
  if (size.length !== rank)
    throw new PhospheneError('shape', `a window of [${kernel.join(', ')}] does not fit ${size.length} spatial axes`);
  const strides = list('strides', rank, 1);
  const dilations = list('dilations', rank, 1);
  const mode = options.auto_pad ?? 'NOTSET';
  let pads = list('pads', 2 * rank, 0);
  if (mode === 'SAME_UPPER' || mode === 'SAME_LOWER') {
    const totals = kernel.map((k, i) =>
      Math.max((Math.ceil(size[i]! / strides[i]!) - 1) * strides[i]! + (k - 1) * dilations[i]! + 1 - size[i]!, 0),
    );
    const small = totals.map((t) => Math.floor(t / 2));
    const large = totals.map((t, i) => t - small[i]!);
    pads = mode === 'SAME_UPPER' ? [...small, ...large] : [...large, ...small];
  } else if (mode === 'VALID') {
    pads = pads.map(() => 0);
  }
  return { kernel, strides, dilations, pads, ceil: options.ceil_mode === 1 };
}

/** Output length of each axis. Throws `shape` if the window does not fit. */
export function windowOutput(window: Window, size: Dims): number[] {
  return size.map((length, i) => {
    const extent = (window.kernel[i]! - 1) * window.dilations[i]! + 1;
    const padded = length + window.pads[i]! + window.pads[i + size.length]!;
    const steps = (padded - extent) / window.strides[i]!;
    // In ceil mode the only window may overhang.
    if (window.ceil ? steps <= -1 : steps < 0) {
      throw new PhospheneError('shape', `a window of ${extent} does not fit an axis of ${padded}`);
    }
    if (!window.ceil) return Math.floor(steps) + 1;
    const count = Math.ceil(steps) + 1;
    // A window that would start in the end padding is dropped: PyTorch, ONNX Runtime, and ONNX since opset 22.
    return (count - 1) * window.strides[i]! >= length + window.pads[i]! ? count - 1 : count;
  });
}

/** The window's pads, longer at the end if that gives it the outputs of ceil mode without it. */
export function flooredPads(window: Window, size: Dims): number[] {
  const rank = size.length;
  const out = windowOutput(window, size);
  return window.pads.map((pad, i) => {
    const axis = i - rank;
    if (axis < 0) return pad;
    const reach = (out[axis]! - 1) * window.strides[axis]! + (window.kernel[axis]! - 1) * window.dilations[axis]! + 1;
    return Math.max(pad, reach - size[axis]! - window.pads[axis]!);
  });
}
