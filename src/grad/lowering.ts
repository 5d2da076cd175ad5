/**
 * @file How the expensive operators are spelled in ONNX. The mathematics is in the rules; what is right and fast depends on the engine, so
 * there is one spelling for each kind of engine, in a file of its own.
 */
import type { Builder, Value, WindowAttributes } from '../ir/builder.ts';
import type { Attributes } from '../ir/graph.ts';
import type { Dims, Tensor } from '../ir/tensor.ts';
import type { Window } from '../ir/window.ts';

/** How the expensive parts of a gradient are spelled, so that one engine computes them fast. */
export interface Spelling {
  /**
   * `x` [n, c, h, w] between zeros, `pads` [top, left, bottom, right] of them, as a value `name`; undefined if ONNX's own Pad is as
   * good. It is asked when a network is put into the builder, before anything is differentiated.
   */
  pad(b: Builder, x: Value, pads: readonly number[], name: string): Value | undefined;
  /** A Conv, of a network or of a gradient; its output is called `name` if that is given. */
  conv(
    b: Builder,
    x: Value,
    weights: Value,
    bias: Value | undefined,
    attributes: WindowAttributes,
    name?: string,
  ): Value;
  /** g where y > 0, else 0. */
  gate(b: Builder, g: Value, y: Value): Value;
  /** Gradient of a Conv with constant weights for its input of dims `x`. */
  convInput(b: Builder, g: Value, weights: Value, window: Window, group: number, x: Dims): Value;
  /** The values of `g` at every `strides`-th position of a tensor of dims `x`, zero elsewhere. */
  insertZeros(b: Builder, g: Value, strides: readonly number[], x: Dims): Value;
  /** `g` cropped by `pads`, [top, left, bottom, right] of numbers that are zero or negative: the gradient of zero padding. */
  crop(b: Builder, g: Value, pads: readonly number[]): Value;
  /** Gradient of a MaxPool with output y for its input x: each window's goes to the first element that equals the maximum. */
  maxPoolInput(b: Builder, g: Value, x: Value, y: Value, attributes: Attributes, window: Window): Value;
  /** `g` times a constant of one number a channel. */
  scaleChannels(b: Builder, g: Value, scale: Tensor<'float32'>): Value;
}

/** What an engine needs: its spelling, begun anew for each gradient, since a spelling may remember what it wrote. */
export type Lowering = () => Spelling;
