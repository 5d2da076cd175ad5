/** @file Keras topologies with weights as networks. */
import { didYouMean, PhospheneError } from '../../errors.ts';
import { Builder, type Value } from '../../ir/builder.ts';
import { transpose } from '../../ir/fold.ts';
import { type Dims, float32, type Tensor } from '../../ir/tensor.ts';
import { type Built, type BuiltLayer, type Input, type Network, network, type Size } from '../network.ts';
import { lastConvolution } from '../default-layer.ts';
import type { Change } from './layer.ts';
import { kerasLayers } from './layers/index.ts';
import { type LayerSpec, type Owner, PICTURE, type Topology } from './topology.ts';

/** Weights by Keras layer and weight name (`kernel`, `bias`, `gamma` …), in Keras' layout (kernels HWIO). */
export interface WeightSource {
  /** What the weights come from, for messages. */
  readonly source: string;
  /**
   * The tensor, or undefined if the source has none of that name; `index` counts the weights of the layer, in Keras' order. Only
   * what is asked for is read, and nothing if the shape is not `dims`: then `bad-weights` is thrown.
   */
  read(layer: Owner, weight: string, dims: Dims, index: number): Found | Promise<Found>;
}
type Found = Tensor<'float32'> | undefined;

export interface KerasOptions {
  readonly name: string;
  readonly input: Input;
  /** The layer that is shown if none is asked for; the last convolution that is larger than one position unless given. */
  readonly defaultLayer?: string | undefined;
  readonly keras2?: boolean;
  /** Names of the classes, if something beside the model has them. */
  readonly labels?: readonly string[] | undefined;
  readonly topology: Topology;
  /** The weights, asked for when a layer is cut. Throws `missing-weights` if there are none. */
  readonly weights: () => Promise<WeightSource>;
  readonly digest: () => Promise<string>;
  readonly close?: () => Promise<void>;
}

/** A network from a topology and its weights. The layers need no weights; a cut reads those that its targets need. */
export function kerasNetwork(options: KerasOptions): Network {
  const { name, input, labels, defaultLayer, topology, weights, digest, keras2 = false } = options;
  const { close = async () => {} } = options;
  return network({
    name,
    input,
    ...(labels ? { labels } : {}),
    digest,
    close,
    build: (b, picture) => build(b, picture, topology, { weights, keras2 }),
    defaultLayer: (self) => defaultLayer ?? lastConvolution(self),
  });
}

function build(
  b: Builder,
  picture: Value,
  topology: Topology,
  { weights: source, keras2 }: Required<Pick<KerasOptions, 'weights' | 'keras2'>>,
  seen?: (wanted: Wanted) => void,
): Built {
  const values = new Map<string, Value>([[PICTURE, picture]]);
  const layers: BuiltLayer[] = [];
  const channelsFirst = topology.some(({ config }) => config['data_format'] === 'channels_first');
  const barred = new Map<string, PhospheneError>();
  for (const spec of topology) {
    const bar = (why: PhospheneError): void => {
      barred.set(spec.name, why);
      if (spec.path !== undefined) barred.set(spec.path, why);
    };
    const [inherited] = spec.inputs.flatMap((i) => (typeof i === 'string' ? (barred.get(i) ?? []) : []));
    if (inherited) {
      bar(inherited);
      continue;
    }
    const weights: Value[] = [];
    try {
      const value = layerOf(spec)({
        b,
        name: spec.name,
        config: spec.config,
        keras2,
        channelsFirst,
        inputs: inputsOf(b, spec, values, channelsFirst),
        weight(weight, dims, change) {
          const wanted = { owner: spec.owner ?? { name: spec.name, stored: [] }, weight, dims, index: weights.length };
          seen?.(wanted);
          const constant = lazyWeight(source, wanted, change);
          const added = b.constant(constant, `${spec.name}/${weight}`);
          weights.push(added);
          return added;
        },
      });
      values.set(spec.name, value);
      const { name, path, type } = spec;
      const nested = path === undefined ? {} : { path, within: path.split('/').slice(0, -1) };
      layers.push({ name, ...nested, type, value, weights });
    } catch (error) {
      if (!(error instanceof PhospheneError) || error.code === 'bad-file') throw error;
      bar(error);
    }
  }
  return { layers, barred };
}

/** The values that a layer is called with. Throws `bad-file` for an input that no layer gives. */
function inputsOf(
  b: Builder,
  { name, inputs }: LayerSpec,
  values: ReadonlyMap<string, Value>,
  channelsFirst: boolean,
): readonly Value[] {
  const found = inputs.map((input) => {
    if (typeof input !== 'string') return undefined;
    const value = values.get(input);
    if (value) return value;
    throw new PhospheneError('bad-file', `layer \`${name}\`: its input \`${input}\` is no layer before it`, {
      layer: name,
    });
  });
  const rank = Math.max(0, ...found.map((value) => value?.dims.length ?? 0));
  return inputs.map((input, i): Value => {
    if (typeof input === 'object') {
      const { dims, values: numbers } = input;
      const whole = float32(numbers, dims);
      if (rank !== 4 || dims.length > 4 || channelsFirst) return b.constant(whole);
      // Beside a picture they are combined with its last axes, of which the channels are the last.
      const four = { ...whole, dims: [...Array.from({ length: 4 - dims.length }, () => 1), ...dims] };
      return b.constant(transpose(four, [0, 3, 1, 2]));
    }
    return found[i] ?? b.float(input as number);
  });
}

/** A layer with the weights that it has, in Keras' order. */
export interface Weighted {
  readonly owner: Owner;
  readonly weights: readonly { readonly name: string; readonly dims: Dims }[];
}

/** The layers of a topology that have weights, in its order, for pictures of this size; a shared layer stands there once. */
export function weighted(topology: Topology, { channels, height, width }: Size & { channels: number }): Weighted[] {
  const found = new Map<string, { owner: Owner; weights: { name: string; dims: Dims }[] }>();
  const b = new Builder();
  const unread = async (): Promise<never> => Promise.reject(new Error('internal: no weight is read here'));
  const picture = b.input('picture', 'float32', [1, channels, height, width]);
  build(b, picture, topology, { weights: unread, keras2: false }, ({ owner, weight, dims, index }) => {
    const layer = found.get(owner.name) ?? { owner, weights: [] };
    layer.weights[index] = { name: weight, dims };
    found.set(owner.name, layer);
  });
  return [...found.values()];
}

/** What is said of classes that are known and cannot be built. */
const reasons: Readonly<Record<string, string>> = {
  Lambda: 'it is a Lambda, whose function is Python code that is saved nowhere else',
  MultiHeadAttention: 'it is attention, which is not read from Keras files; export the model as ONNX',
  TimeDistributed: 'it applies another layer to each step of a sequence; export the model as ONNX',
};

function layerOf({ type, name }: LayerSpec): (typeof kerasLayers)[string] {
  const layer = Object.hasOwn(kerasLayers, type) ? kerasLayers[type] : undefined;
  if (!layer)
    throw new PhospheneError(
      'unsupported-op',
      `layer \`${name}\`: ${Object.hasOwn(reasons, type) ? reasons[type] : `its class ${type} is not known${didYouMean(type, Object.keys(kerasLayers))}`}`,
      { layer: name, node: name, class: type },
    );
  return layer;
}

interface Wanted {
  readonly owner: Owner;
  readonly weight: string;
  readonly dims: Dims;
  readonly index: number;
}

function lazyWeight(
  source: () => Promise<WeightSource>,
  wanted: Wanted,
  change: Change | undefined,
): { dtype: 'float32'; dims: Dims; load: () => Promise<Tensor> } {
  const load = async (): Promise<Tensor> => {
    const found = await readWeight(await source(), wanted);
    return change ? change.apply(found) : found;
  };
  return { dtype: 'float32', dims: change?.dims ?? wanted.dims, load };
}

async function readWeight(weights: WeightSource, { owner, weight, dims, index }: Wanted): Promise<Tensor<'float32'>> {
  const { source } = weights;
  const found = await weights.read(owner, weight, dims, index);
  if (!found)
    throw new PhospheneError(
      'missing-weights',
      `${source}: it has no \`${weight}\` for layer \`${owner.name}\`; choose a target before that layer, or a file that has it`,
      { layer: owner.name, weight, source },
    );
  return found;
}
