/** @file A Keras network as data: its layers in order, each with its class, its config and the names of its inputs. */
import type { Config } from './layer.ts';

/** One layer, or one call of a layer that is shared. */
export interface LayerSpec {
  readonly name: string;
  /** The names of the models around it and its own, if it stands in another: it is accepted in place of the name. */
  readonly path?: string;
  /** Keras' `class_name`. */
  readonly type: string;
  readonly config: Config;
  /** Names of earlier layers, {@link PICTURE} for the picture as the network takes it, and numbers. */
  readonly inputs: readonly (string | number)[];
  /** Whose weights it has; its own name's unless given. */
  readonly owner?: Owner;
}

/** A layer that has weights, as files call it. */
export interface Owner {
  /** By names: those of the models around it and its own, `resnet50/conv1_conv`. */
  readonly name: string;
  /** By classes, from the outermost model on, as `.keras` files call it. */
  readonly stored: readonly Stored[];
}
export interface Stored {
  /** In snake case. */
  readonly class: string;
  /** How many layers of its class its model has before it. */
  readonly index: number;
  readonly name: string;
}

/** Layers in Keras' order of creation: inputs come first. */
export type Topology = readonly LayerSpec[];

/** The name of the network's input. No layer has it. */
export const PICTURE = '/picture';

/** Collects the layers of a topology that is written as calls; each gives the name of its output. */
export class TopologyBuilder {
  readonly layers: LayerSpec[] = [];
  readonly #automatic = new Map<string, number>();

  /** Adds a layer. Without a name it gets Keras' automatic one: `max_pooling2d`, `max_pooling2d_1`, … */
  add(type: string, name: string | undefined, inputs: string | readonly string[], config: Config = {}): string {
    const layer = { name: name ?? this.#autoName(type), type, config, inputs: [inputs].flat() };
    this.layers.push(layer);
    return layer.name;
  }

  #autoName(type: string): string {
    const base = snakeCase(type);
    const count = this.#automatic.get(base) ?? 0;
    this.#automatic.set(base, count + 1);
    return count === 0 ? base : `${base}_${count}`;
  }
}

/** Keras' name of a class in automatic names and in `.keras` files: `MaxPooling2D` → `max_pooling2d`. */
export function snakeCase(type: string): string {
  return type
    .replaceAll(/\W+/g, '')
    .replaceAll(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
