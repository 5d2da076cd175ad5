/** @file Keras topologies with weights as models. */
import { PhospheneError } from '../errors.ts';
import { Builder, type Value } from '../ir/builder.ts';
import type { Graph } from '../ir/graph.ts';
import { type Layer, LayerBuilder } from './layers.ts';
import {
  checkSize,
  IMAGE,
  type Model,
  type Preprocess,
  preprocessed,
  remembered,
  type Size,
  unknownLayer,
} from './model.ts';
import type { WeightSource } from './weights.ts';

/** A network as calls on a layer builder: what is built after the target is reached is never reached. */
export type Topology = (l: LayerBuilder, image: Value) => void;

export interface KerasModelOptions {
  readonly name: string;
  readonly hash: string;
  readonly preprocess: Preprocess;
  readonly defaultLayer: string;
  readonly topology: Topology;
  /** Absent: the model can be listed but not cut. */
  readonly weights?: WeightSource | undefined;
}

/** A model from a topology and its weights; only the weights that a target needs are read. */
export function kerasModel(options: KerasModelOptions): Model {
  const { name, hash, preprocess, defaultLayer, topology, weights } = options;
  const build = (b: Builder, size: Size, source: WeightSource | undefined, until?: string): LayerBuilder => {
    checkSize(size);
    const layers = new LayerBuilder(b, source, until);
    const image = b.input(IMAGE, 'float32', [1, 3, size.height, size.width]);
    layers.run(() => topology(layers, preprocessed(b, image, preprocess)));
    return layers;
  };
  const layers = remembered((size): readonly Layer[] => build(new Builder(), size, undefined).layers);
  return {
    name,
    hash,
    preprocess,
    defaultLayer,
    layers,
    outline(size): Graph {
      const b = new Builder();
      return b.graph(build(b, size, undefined).layers.map((l) => b.value(l.name)));
    },
    cut(layer, size): Graph {
      const known = layers(size);
      // Asked before any weight is read: a misspelt name should not cost a second.
      if (!known.some((l) => l.name === layer)) throw unknownLayer(name, layer, known);
      if (!weights) throw new PhospheneError('missing-weights', `${name}: no weights were given`);
      const b = new Builder();
      build(b, size, weights, layer);
      return b.graph([b.value(layer)]);
    },
  };
}
