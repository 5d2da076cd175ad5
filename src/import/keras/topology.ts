/** @file A Keras network as data: its layers in order, each with its class, its config and the names of its inputs. */
import type { Config } from './layer.ts';

/** One layer. `inputs` names earlier layers; the picture, as the network takes it, is {@link PICTURE}. */
export interface LayerSpec {
  readonly name: string;
  /** Keras' `class_name`. */
  readonly type: string;
  readonly config: Config;
  readonly inputs: readonly string[];
}

/** Layers in Keras' order of creation: inputs come first. */
export type Topology = readonly LayerSpec[];

/** The name of the network's input. */
export const PICTURE = 'input';

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
