/** @file What an objective is: a scalar to be raised, made of activations. */
import type { Builder, Value } from '../ir/builder.ts';
import type { Tensor } from '../ir/tensor.ts';

/** The output of a layer, and which of its axes counts the channels. */
export interface Activation {
  readonly value: Value;
  /** 1 for [n, c, h, w] and [n, c]. */
  readonly channelAxis: number;
  /** The layer's name. */
  readonly layer: string;
}

/** What an objective is built from. */
export interface ObjectiveContext {
  readonly b: Builder;
  /** The picture [n, c, h, w] as it is stored, about [-1, 1], before transforms. */
  readonly image: Value;
  /** The activation of one of the objective's `layers`. */
  readonly activation: (layer: string) => Activation;
  /** One of the objective's `values`, as an input of the graph. */
  readonly value: (name: string) => Value;
}

/** An objective with its settings. */
export interface Objective {
  /** As a person would write it: `conv3_block4_out:7`. */
  readonly text: string;
  /** Objectives of equal shape share a program: they differ in `values` only. */
  readonly shape: string;
  /** The layers that it reads. */
  readonly layers: readonly string[];
  /** What is given once a picture: `{ channel: int64(7) }`. */
  readonly values: Readonly<Record<string, Tensor>>;
  /** Adds the scalar. Throws `shape` or `bad-option` if the layers do not suit it. */
  build(c: ObjectiveContext): Value;
}
