/** @file Keras topologies with weights as networks. */
import { didYouMean, PhospheneError } from '../../errors.ts';
import type { Builder, Value } from '../../ir/builder.ts';
import type { Dims, Tensor } from '../../ir/tensor.ts';
import { type Built, type BuiltLayer, type Input, type Network, network } from '../network.ts';
import type { Change } from './layer.ts';
import { kerasLayers } from './layers/index.ts';
import { type LayerSpec, PICTURE, type Topology } from './topology.ts';

/** Weights by Keras layer and weight name (`kernel`, `bias`, `gamma` …), in Keras' layout (kernels HWIO). */
export interface WeightSource {
  /** What the weights come from, for messages. */
  readonly source: string;
  /**
   * The tensor, or undefined if the source has none of that name. Only what is asked for is read, and nothing if the shape is not
   * `dims`: then `bad-weights` is thrown.
   */
  read(layer: string, weight: string, dims: Dims): Tensor<'float32'> | undefined;
}

export interface KerasOptions {
  readonly name: string;
  readonly input: Input;
  readonly defaultLayer: string;
  readonly topology: Topology;
  /** The weights, asked for when a layer is cut. Throws `missing-weights` if there are none. */
  readonly weights: () => Promise<WeightSource>;
  readonly digest: () => Promise<string>;
  readonly close?: () => Promise<void>;
}

/** A network from a topology and its weights. The layers need no weights; a cut reads those that its targets need. */
export function kerasNetwork(options: KerasOptions): Network {
  const { name, input, defaultLayer, topology, weights, digest, close = async () => {} } = options;
  return network({
    name,
    input,
    digest,
    close,
    build: (b, picture) => build(b, picture, topology, weights),
    defaultLayer: () => defaultLayer,
  });
}

function build(b: Builder, picture: Value, topology: Topology, source: () => Promise<WeightSource>): Built {
  const values = new Map<string, Value>([[PICTURE, picture]]);
  const layers: BuiltLayer[] = [];
  const barred = new Map<string, PhospheneError>();
  for (const spec of topology) {
    const inherited = barred.get(spec.inputs.find((i) => barred.has(i)) ?? '');
    if (inherited) {
      barred.set(spec.name, inherited);
      continue;
    }
    const weights: Value[] = [];
    try {
      const value = layerOf(spec)({
        b,
        name: spec.name,
        config: spec.config,
        inputs: spec.inputs.map((input) => {
          const found = values.get(input);
          if (!found)
            throw new PhospheneError(
              'bad-file',
              `layer \`${spec.name}\`: its input \`${input}\` is no layer before it`,
              { layer: spec.name },
            );
          return found;
        }),
        weight(weight, dims, change) {
          const constant = lazyWeight(source, spec.name, weight, dims, change);
          const added = b.constant(constant, `${spec.name}/${weight}`);
          weights.push(added);
          return added;
        },
      });
      values.set(spec.name, value);
      layers.push({ name: spec.name, type: spec.type, value, weights });
    } catch (error) {
      if (!(error instanceof PhospheneError) || error.code === 'bad-file') throw error;
      barred.set(spec.name, error);
    }
  }
  return { layers, barred };
}

function layerOf({ type, name }: LayerSpec): (typeof kerasLayers)[string] {
  const layer = Object.hasOwn(kerasLayers, type) ? kerasLayers[type] : undefined;
  if (!layer)
    throw new PhospheneError(
      'unsupported-op',
      `layer \`${name}\`: its class ${type} is not known${didYouMean(type, Object.keys(kerasLayers))}`,
      { layer: name, node: name, class: type },
    );
  return layer;
}

function lazyWeight(
  source: () => Promise<WeightSource>,
  layer: string,
  weight: string,
  dims: Dims,
  change: Change | undefined,
): { dtype: 'float32'; dims: Dims; load: () => Promise<Tensor> } {
  const load = async (): Promise<Tensor> => {
    const found = readWeight(await source(), layer, weight, dims);
    return change ? change.apply(found) : found;
  };
  return { dtype: 'float32', dims: change?.dims ?? dims, load };
}

function readWeight(weights: WeightSource, layer: string, weight: string, dims: Dims): Tensor<'float32'> {
  const { source } = weights;
  const found = weights.read(layer, weight, dims);
  if (!found)
    throw new PhospheneError(
      'missing-weights',
      `${source}: it has no \`${weight}\` for layer \`${layer}\`; choose a target before that layer, or a file that has it`,
      { layer, weight, source },
    );
  return found;
}
