/** @file A Keras network as data: its layers in order, each with its class, its config and the names of its inputs. */
import type { Dims } from '../../ir/tensor.ts';
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
  readonly inputs: readonly LayerInput[];
  /** Whose weights it has; its own name's unless given. */
  readonly owner?: Owner;
}

/** What a layer is called with: a layer before it by name, a number, or numbers. */
export type LayerInput = string | number | Numbers;

/** Numbers that stand in a model's description, their axes in Keras' order. */
export interface Numbers {
  readonly dims: Dims;
  readonly values: readonly number[];
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

/** Layers in an order in which inputs come first; that of Keras if it is a published architecture's. */
export type Topology = readonly LayerSpec[];

/** The name of the network's input. No layer has it. */
export const PICTURE = '/picture';

/** Collects the layers of a topology that is written as calls; each gives the name of its output. */
export class TopologyBuilder {
  readonly #layers: Draft[] = [];
  readonly #automatic = new Map<string, number>();
  #around: string | undefined;

  /** Adds a layer. Without a name it gets Keras' automatic one: `max_pooling2d`, `max_pooling2d_1`, … */
  add(type: string, name: string | undefined, inputs: string | readonly LayerInput[], config: Config = {}): string {
    const own = name ?? this.#autoName(type);
    this.#layers.push({ name: own, type, config, inputs: [inputs].flat(), around: this.#around });
    return own;
  }

  /** Adds a Sequential model: its layers keep their names, and its own name stands for what the last of them gives. */
  nested(name: string, x: string, layers: (x: string) => string): string {
    this.#around = name;
    const last = layers(x);
    this.#around = undefined;
    return this.add('Model', name, last, { class_name: 'Sequential' });
  }

  /** The layers in Keras' order, in which weights are stored, from the picture to this output. */
  finish(output: string): Topology {
    return located(kerasOrder(this.#layers, output));
  }

  /** The layers so far, as they were added. */
  get layers(): Topology {
    return this.#layers.map(({ name, type, config, inputs }) => ({ name, type, config, inputs }));
  }

  #autoName(type: string): string {
    const base = snakeCase(type);
    const count = this.#automatic.get(base) ?? 0;
    this.#automatic.set(base, count + 1);
    return count === 0 ? base : `${base}_${count}`;
  }
}

/** A layer before its place is known; `around` is the name of the model that it is in. */
interface Draft extends Pick<LayerSpec, 'name' | 'type' | 'config' | 'inputs'> {
  readonly around: string | undefined;
}

/**
 * Sorts layers as Keras does: those that are farthest from the output first, and at the same distance those that a walk from the
 * output meets first. A nested model is met as one, and its layers stay together.
 */
function kerasOrder(layers: readonly Draft[], output: string): Draft[] {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  const inner = new Map<string, Draft[]>();
  for (const layer of layers)
    if (layer.around !== undefined) inner.set(layer.around, [...(inner.get(layer.around) ?? []), layer]);
  const unitOf = (name: string): Draft | undefined => {
    const layer = byName.get(name);
    return layer?.around === undefined ? layer : byName.get(layer.around);
  };
  const inputsOf = (unit: Draft): Draft[] =>
    [...(inner.get(unit.name) ?? []), unit].flatMap((l) =>
      l.inputs.flatMap((i) => {
        const from = typeof i === 'string' ? unitOf(i) : undefined;
        return from && from !== unit ? [from] : [];
      }),
    );
  const met = new Map<Draft, number>();
  const done: Draft[] = [];
  const visit = (unit: Draft): void => {
    if (met.has(unit)) return;
    met.set(unit, met.size);
    for (const from of inputsOf(unit)) visit(from);
    done.push(unit);
  };
  visit(unitOf(output)!);
  const depth = new Map<Draft, number>();
  for (const unit of done.toReversed()) {
    const own = depth.get(unit) ?? 0;
    depth.set(unit, own);
    for (const from of inputsOf(unit)) depth.set(from, Math.max(depth.get(from) ?? 0, own + 1));
  }
  return done
    .toSorted((a, b) => depth.get(b)! - depth.get(a)! || met.get(a)! - met.get(b)!)
    .flatMap((unit) => [...(inner.get(unit.name) ?? []), unit]);
}

/** Gives each layer the path by which files call it. */
function located(drafts: readonly Draft[]): Topology {
  const counts = new Map<string, number>();
  const stored = (name: string, type: string, config: Config, around: string | undefined): Stored => {
    const base = snakeCase(type === 'Model' ? String(config['class_name']) : type);
    const key = `${around ?? ''}/${base}`;
    const index = counts.get(key) ?? 0;
    counts.set(key, index + 1);
    return { class: base, index, name };
  };
  // Models first: their layers stand before them.
  const models = new Map(
    drafts.flatMap((l) => (l.type === 'Model' ? [[l.name, stored(l.name, l.type, l.config, undefined)]] : [])),
  );
  return drafts.map(({ name, type, config, inputs, around }): LayerSpec => {
    const own = models.get(name) ?? stored(name, type, config, around);
    if (around === undefined) return { name, type, config, inputs, owner: { name, stored: [own] } };
    const path = `${around}/${name}`;
    return { name, path, type, config, inputs, owner: { name: path, stored: [models.get(around)!, own] } };
  });
}

/** Keras' name of a class in automatic names and in `.keras` files: `MaxPooling2D` → `max_pooling2d`. */
export function snakeCase(type: string): string {
  return type
    .replaceAll(/\W+/g, '')
    .replaceAll(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
