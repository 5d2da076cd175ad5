/**
 * @file Keras' own description of a model, `model_config` or `config.json`, as a topology. Keras 2 and 3 spell calls differently;
 * nested models become part of one list, in which a shared layer stands once for each call.
 */
import { PhospheneError } from '../../errors.ts';
import { type Input, MOST_CHANNELS } from '../network.ts';
import {
  type LayerInput,
  type Numbers,
  PICTURE,
  type LayerSpec,
  snakeCase,
  type Stored,
  type Topology,
} from './topology.ts';

type Json = Readonly<Record<string, unknown>>;

/** What a configuration says of a model. */
export interface ModelConfig {
  readonly topology: Topology;
  readonly input: Pick<Input, 'channels' | 'size'>;
}

/** Real models have some thousand layers in three levels. */
const MOST_LAYERS = 20_000;
const MOST_LEVELS = 32;

const MODELS: ReadonlySet<string> = new Set(['Functional', 'Model', 'Sequential']);

/** Whether a configuration is that of a model, and not of something else in JSON. */
export function isModelConfig(config: unknown): config is Json {
  return isRecord(config) && typeof config['class_name'] === 'string' && 'config' in config;
}

/**
 * The topology that a configuration describes. Throws `bad-file` for what is none, `unsupported-op` for a subclassed model, whose
 * layers Keras does not save.
 *
 * @example
 * readConfig('toy.keras', JSON.parse(text)).topology.map((l) => l.name);
 */
export function readConfig(file: string, config: unknown): ModelConfig {
  return new Reader(file).read(config);
}

/** A tensor: what the call of a layer gives. Or a number in place of one, or numbers. */
interface Reference {
  readonly layer: string;
  readonly call: number;
}
type Operand = Reference | number | Numbers;

const isReference = (operand: Operand): operand is Reference => typeof operand === 'object' && 'layer' in operand;

interface Call {
  readonly layer: Json;
  readonly name: string;
  readonly index: number;
  readonly operands: readonly Operand[];
  /** What a call says beside its operands, which Keras saves with the call and not with the layer. */
  readonly settings: Json;
}

/** Where a model stands in those around it. */
interface Place {
  /** Names of the models around, outermost first, with the number of the call if it is not the first: `resnet`, `resnet:1`. */
  readonly names: readonly string[];
  /** The same without these numbers. */
  readonly owners: readonly string[];
  readonly stored: readonly Stored[];
}

class Reader {
  readonly #file: string;
  readonly #layers: LayerSpec[] = [];
  readonly #taken = new Set<string>([PICTURE]);
  #picture: readonly unknown[] | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  read(config: unknown): ModelConfig {
    if (!isModelConfig(config)) throw this.#fault('its configuration is not that of a Keras model');
    const model = config;
    for (const layer of this.#layersOf(model)) this.#taken.add(nameOf(layer));
    this.#model(model, [PICTURE], { names: [], owners: [], stored: [] });
    const shape = (this.#picture ?? []) as (number | null | undefined)[];
    const channelsFirst = this.#layers.some((layer) => layer.config['data_format'] === 'channels_first');
    const [height, width, channels] = channelsFirst ? [shape[2], shape[3], shape[1]] : shape.slice(1);
    if (typeof channels === 'number' && channels > MOST_CHANNELS)
      throw this.#fault(`its input has ${channels} channels; a picture has at most ${MOST_CHANNELS}`);
    const whole = (v: unknown): v is number => Number.isInteger(v) && (v as number) > 0;
    const size = { ...(whole(height) ? { height } : {}), ...(whole(width) ? { width } : {}) };
    return {
      topology: withoutMasks(this.#layers),
      input: { channels: whole(channels) ? channels : 3, ...(whole(height) || whole(width) ? { size } : {}) },
    };
  }

  /** Adds the layers of a model that is called with these values, and gives its outputs. */
  #model(model: Json, inputs: readonly LayerInput[], place: Place): readonly LayerInput[] {
    if (place.names.length > MOST_LEVELS) throw this.#fault(`it has more than ${MOST_LEVELS} models in each other`);
    return model['class_name'] === 'Sequential'
      ? this.#sequential(model, inputs, place)
      : this.#functional(model, inputs, place);
  }

  #sequential(model: Json, inputs: readonly LayerInput[], place: Place): readonly LayerInput[] {
    const config = model['config'];
    const layers = this.#layersOf(model);
    const stored = storedNames(layers);
    if (isRecord(config)) this.#shape(config['build_input_shape'], inputs);
    let values = inputs;
    layers.forEach((layer, i) => {
      this.#shape(shapeOf(layer), values);
      if (layer['class_name'] !== 'InputLayer') values = this.#call(layer, values, place, stored[i]!, 0);
    });
    return values;
  }

  #functional(model: Json, inputs: readonly LayerInput[], place: Place): readonly LayerInput[] {
    const config = isRecord(model['config']) ? model['config'] : {};
    const layers = this.#layersOf(model);
    const stored = new Map(storedNames(layers).map((s, i) => [layers[i]!, s]));
    const ends = (key: string): Reference[] => references(config[key]).filter(isReference);
    const values = new Map<string, readonly LayerInput[]>();
    const counts = new Map<string, number>();
    const calls: Call[] = [];
    const starts = ends('input_layers');
    for (const layer of layers) {
      const name = nameOf(layer);
      const nodes = Array.isArray(layer['inbound_nodes']) ? (layer['inbound_nodes'] as unknown[]) : [];
      if (layer['class_name'] === 'InputLayer' || nodes.length === 0) {
        const at = Math.max(
          0,
          starts.findIndex((r) => r.layer === name),
        );
        values.set(key(name, 0), this.#input(layer, inputs, at, place));
        counts.set(name, 1);
        continue;
      }
      counts.set(name, nodes.length);
      nodes.forEach((node, index) => calls.push({ layer, name, index, ...calledWith(layer, node) }));
    }
    if (calls.length > MOST_LAYERS) throw this.#fault(`it has more than ${MOST_LAYERS} layers`);
    // Keras counts the calls of a nested model from 0 or from 1: the largest number in use tells.
    const offsets = (all: readonly Operand[]): Map<string, number> => {
      const most = new Map<string, number>();
      for (const r of all) if (isReference(r)) most.set(r.layer, Math.max(most.get(r.layer) ?? 0, r.call));
      return new Map([...most].map(([name, call]) => [name, Math.max(0, call - ((counts.get(name) ?? 1) - 1))]));
    };
    const find = (r: Reference, offset: ReadonlyMap<string, number>): readonly LayerInput[] | undefined =>
      values.get(key(r.layer, Math.max(0, r.call - (offset.get(r.layer) ?? 0))));
    const inside = offsets(calls.flatMap((c) => c.operands));
    let waiting: readonly Call[] = calls;
    while (waiting.length > 0) {
      const later: Call[] = [];
      for (const call of waiting) {
        const found = call.operands.map((o) => (isReference(o) ? find(o, inside) : [o]));
        if (found.some((f) => f === undefined)) {
          later.push(call);
          continue;
        }
        const given = found.flatMap((f) => f!.slice(0, 1));
        values.set(
          key(call.name, call.index),
          this.#call(call.layer, given, place, stored.get(call.layer)!, call.index, call.settings),
        );
      }
      if (later.length === waiting.length)
        throw this.#fault(`its layer \`${later[0]!.name}\` needs what no layer gives, or itself`);
      waiting = later;
    }
    const last = ends('output_layers');
    const offset = offsets(last);
    const outputs = last.flatMap((r) => find(r, offset)?.slice(0, 1) ?? []);
    const [final] = calls.slice(-1);
    return outputs.length > 0 ? outputs : final ? values.get(key(final.name, final.index))! : inputs;
  }

  /** What an input of a model is: in a nested one what it is called with; in the outermost the picture, if it can be that. */
  #input(layer: Json, inputs: readonly LayerInput[], at: number, place: Place): readonly LayerInput[] {
    const outermost = place.names.length === 0;
    const shape = shapeOf(layer);
    if (!outermost) {
      // A model that begins with another may leave its picture's shape to that.
      this.#shape(shape, inputs.slice(at, at + 1));
      return inputs[at] === undefined ? [] : [inputs[at]];
    }
    if (this.#picture === undefined && (!Array.isArray(shape) || shape.length === 4)) {
      this.#shape(shape ?? [null, null, null, null], inputs);
      return inputs;
    }
    this.#layers.push({ name: nameOf(layer), type: 'InputLayer', config: {}, inputs: [] });
    return [nameOf(layer)];
  }

  /** Adds one call of a layer or of a nested model. */
  #call(
    layer: Json,
    inputs: readonly LayerInput[],
    place: Place,
    stored: Stored,
    index: number,
    settings: Json = {},
  ): readonly LayerInput[] {
    const own = nameOf(layer);
    const type = String(layer['class_name']);
    const again = index === 0 ? own : `${own}:${index}`;
    const inner: Place = {
      names: [...place.names, again],
      owners: [...place.owners, own],
      stored: [...place.stored, stored],
    };
    const path = inner.names.join('/');
    const name = this.#unique(again, path, place.names.length === 0 && index === 0);
    const nested = MODELS.has(type) || isNested(layer);
    const values = nested ? this.#model(layer, inputs, inner) : inputs;
    if (this.#layers.length >= MOST_LAYERS) throw this.#fault(`it has more than ${MOST_LAYERS} layers`);
    const config = { ...(isRecord(layer['config']) ? layer['config'] : {}), ...settings };
    this.#layers.push({
      name,
      ...(path === name ? {} : { path }),
      // A nested model gives what its last layer gives.
      type: nested ? 'Model' : type,
      config: nested ? { class_name: type } : config,
      inputs: nested ? values.slice(0, 1) : values,
      owner: { name: inner.owners.join('/'), stored: inner.stored },
    });
    return [name];
  }

  /** The name by which a layer is shown: its own, or its path if another has that. Those of the outermost model come first. */
  #unique(name: string, path: string, outermost: boolean): string {
    if (outermost) return name;
    for (let i = 0; ; i++) {
      const wanted = i === 0 ? name : i === 1 ? path : `${path}_${i}`;
      if (this.#taken.has(wanted)) continue;
      this.#taken.add(wanted);
      return wanted;
    }
  }

  #layersOf(model: Json): readonly Json[] {
    const { config } = model;
    const layers = Array.isArray(config) ? (config as unknown[]) : isRecord(config) ? config['layers'] : undefined;
    if (!Array.isArray(layers) || layers.length === 0)
      throw new PhospheneError(
        'unsupported-op',
        `${this.#file}: its model of class ${String(model['class_name'])} does not say which layers it has, as Keras leaves out for subclassed models; export it as ONNX, or build it with the functional API`,
        { path: this.#file, class: model['class_name'] },
      );
    for (const layer of layers as unknown[])
      if (!isRecord(layer) || typeof layer['class_name'] !== 'string')
        throw this.#fault('one of its layers has no class; the configuration is damaged');
    return layers as Json[];
  }

  /**
   * The first picture's shape. In the middle of a model a shape may be a relic of another model: there it counts only if a picture
   * can have it.
   */
  #shape(shape: unknown, inputs: readonly LayerInput[]): void {
    if (this.#picture !== undefined || !Array.isArray(shape) || shape.length !== 4) return;
    const channels = [shape[1], shape[3]] as readonly unknown[];
    if (inputs.includes(PICTURE) || channels.some((c) => c === 1 || c === 3 || c === 4)) this.#picture = shape;
  }

  #fault(what: string): PhospheneError {
    return new PhospheneError('bad-file', `${this.#file}: ${what}`, { path: this.#file });
  }
}

/** Leaves out the operations that make a mask of a value, which nothing takes up. */
function withoutMasks(layers: readonly LayerSpec[]): Topology {
  const isMask = ({ type }: LayerSpec): boolean => type === 'NotEqual' || type === 'Any';
  const used = new Set(layers.flatMap((l) => (isMask(l) ? [] : l.inputs)));
  return layers.filter((l) => !isMask(l) || used.has(l.name));
}

/** The classes that take parts of a value: of Keras 3, and of Keras 2. */
const TAKING: ReadonlySet<string> = new Set(['GetItem', 'SlicingOpLambda']);

/** What a layer is called with. Which parts one takes is no operand, though it stands among them. */
function calledWith(layer: Json, node: unknown): Pick<Call, 'operands' | 'settings'> {
  if (!TAKING.has(String(layer['class_name']))) return { operands: references(node), settings: {} };
  // Keras 3 has { args: [x, parts] }, Keras 2 ["x", 0, 0, { slice_spec: parts }].
  const [x, parts] =
    isRecord(node) && Array.isArray(node['args']) ? (node['args'] as unknown[]) : [undefined, undefined];
  if (x !== undefined) return { operands: references(x, 1), settings: { parts: parts ?? null } };
  const [name, call, , options] = (Array.isArray(node) && Array.isArray(node[0]) ? node[0] : node) as unknown[];
  return {
    operands: references([name, call], 1),
    settings: { parts: isRecord(options) ? options['slice_spec'] : null },
  };
}

/** A list of numbers, or a list of such lists, all of a length; undefined for anything else. */
function numbersOf(list: unknown): Numbers | undefined {
  const dims: number[] = [];
  for (let at = list; Array.isArray(at) && dims.length < 8; at = (at as unknown[])[0]) dims.push(at.length);
  const values = Array.isArray(list) ? (list as unknown[]).flat(8) : [];
  const fits = values.length > 0 && values.length === dims.reduce((n, d) => n * d, 1);
  return fits && values.every((v): v is number => typeof v === 'number') ? { dims, values } : undefined;
}

function key(layer: string, call: number): string {
  return `${call}/${layer}`;
}

function isRecord(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether a layer of a class that is not known is a model with layers of its own. */
function isNested({ config }: Json): boolean {
  return isRecord(config) && Array.isArray(config['layers']);
}

function nameOf(layer: Json): string {
  const { config, name } = layer;
  if (typeof name === 'string') return name;
  return isRecord(config) && typeof config['name'] === 'string'
    ? config['name']
    : snakeCase(String(layer['class_name']));
}

function shapeOf({ config }: Json): unknown {
  return isRecord(config) ? (config['batch_shape'] ?? config['batch_input_shape']) : undefined;
}

/** How `.keras` files call each layer of a model: its class, and how many of that class come before it. Operations have no name. */
function storedNames(layers: readonly Json[]): Stored[] {
  const counts = new Map<string, number>();
  return layers.map((layer) => {
    const base = snakeCase(String(layer['class_name']));
    const operation = typeof layer['module'] === 'string' && layer['module'].startsWith('keras.src.ops');
    const index = counts.get(base) ?? 0;
    if (!operation) counts.set(base, index + 1);
    return { class: base, index, name: nameOf(layer) };
  });
}

/**
 * The operands of a call, in order, whichever way they are written: Keras 2 has `["conv1", 0, 0, {…}]`, in lists of lists, and
 * `["_CONSTANT_VALUE", -1, 2.5, {…}]`; Keras 3 has `{ args, kwargs }` with `__keras_tensor__` objects.
 */
function references(node: unknown, level = 0): Operand[] {
  if (level > 8) return [];
  if (typeof node === 'number') return [node];
  if (Array.isArray(node)) {
    const numbers = numbersOf(node);
    if (numbers) return level > 0 ? [numbers] : [];
    const [first, second, third, options] = node as unknown[];
    if (first === '_CONSTANT_VALUE') return references(third, level + 1);
    if (typeof first === 'string' && typeof second === 'number')
      return [{ layer: first, call: second }, ...(isRecord(options) ? keywords(options, level) : [])];
    return (node as unknown[]).flatMap((n) => references(n, level + 1));
  }
  if (!isRecord(node)) return [];
  const { class_name: type, config, args, kwargs } = node;
  if (type === '__keras_tensor__' && isRecord(config) && Array.isArray(config['keras_history']))
    return references(config['keras_history'].slice(0, 2), level + 1);
  if (type === '__tensor__' || type === '__numpy__')
    return isRecord(config) ? references(config['value'], level + 1) : [];
  if (args === undefined && kwargs === undefined) return level === 0 ? [] : keywords(node, level);
  return [...references(args, level + 1), ...(isRecord(kwargs) ? keywords(kwargs, level) : [])];
}

/** The keywords that may be numbers in place of a tensor. */
const OPERANDS: ReadonlySet<string> = new Set(['x', 'y', 'x1', 'x2', 'a', 'b', 'bias']);

/** The operands among the keywords of a call: `{ "y": 3.0, "name": null }`. */
function keywords(options: Json, level: number): Operand[] {
  return Object.entries(options).flatMap(([name, value]) => {
    // Of what is not there no numbers are computed: what a mask leaves out, only losses and recurrent layers do.
    if (name === 'mask') return [];
    if (typeof value === 'number' || numbersOf(value)) return OPERANDS.has(name) ? references(value, level + 1) : [];
    return typeof value === 'object' ? references(value, level + 1) : [];
  });
}
