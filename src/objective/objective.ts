/** @file What an objective is: a scalar to be raised, made of activations and of the picture itself. */
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
  /** The pictures [n, c, h, w] as they are stored, about [-1, 1], before transforms. */
  readonly image: Value;
  /** How many pictures are ascended together: n. What is raised is the sum over them, unless an objective compares them. */
  readonly pictures: number;
  /** The activation of one of the objective's `layers`; its first axis counts the pictures. */
  readonly activation: (layer: string) => Activation;
  /** One of the objective's `values` or `needs`, as an input of the graph. */
  readonly value: (name: string) => Value;
  /** The same context with one of the pictures alone, counted from 0. */
  readonly picture: (index: number) => ObjectiveContext;
  /** The same numbers, taken for a constant: no gradient flows back through them. */
  readonly stop: (value: Value) => Value;
}

/** A tensor that is given by name, or the activation of a layer for a photo that is given by name. */
export type Need = { readonly tensor: string } | { readonly photo: string; readonly layer: string };

/** An objective with its settings. */
export interface Objective {
  /** As a person would write it: `conv3_block4_out:7`. */
  readonly text: string;
  /** Objectives of equal shape share a program: they differ in `values` and `needs` only. */
  readonly shape: string;
  /** The layers that it reads. */
  readonly layers: readonly string[];
  /** What is given once a picture: `{ channel: int64(7) }`. */
  readonly values: Readonly<Record<string, Tensor>>;
  /** Further values, that are not known before the network and what is given are. */
  readonly needs?: Readonly<Record<string, Need>>;
  /** If it compares pictures: how many it needs at least, and how many are made unless another number is asked for. */
  readonly pictures?: { readonly least: number; readonly usual: number };
  /** Adds the scalar. Throws `shape` or `bad-option` if the layers do not suit it. */
  build(c: ObjectiveContext): Value;
}

/** What a kind makes: an objective without its text, which is printed from its spec. */
export type Untitled = Omit<Objective, 'text'>;

/**
 * The context of an objective in a step. Values that it stops are added to `stopped`, for whoever differentiates.
 *
 * @example
 * const stopped: Value[] = [];
 * const loss = objective.build(contextOf({ b, image, activation, value, stopped }));
 * gradient(b, loss, z, { stop: stopped });
 */
export function contextOf(
  parts: Pick<ObjectiveContext, 'b' | 'image' | 'activation' | 'value'> & { readonly stopped: Value[] },
): ObjectiveContext {
  const { b, image, activation, value, stopped } = parts;
  const only = (x: Value, index: number): Value => (x.dims[0] === 1 ? x : b.slice(x, [index], [index + 1], [0]));
  return {
    b,
    image,
    pictures: image.dims[0]!,
    activation,
    value,
    stop(x) {
      // A value of its own: what stands for the same numbers elsewhere keeps its gradient.
      const copy = b.one('Identity', [x], {}, 'stopped');
      stopped.push(copy);
      return copy;
    },
    picture: (index) =>
      contextOf({
        ...parts,
        image: only(image, index),
        activation(layer) {
          const found = activation(layer);
          return { ...found, value: only(found.value, index) };
        },
      }),
  };
}
