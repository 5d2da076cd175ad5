/** @file The models known by name: the built-in one, and those that Keras publishes with ImageNet weights, as data. */
import { didYouMean, nearest, PhospheneError } from '../errors.ts';
import { resnet } from '../import/keras/resnet.ts';
import type { Topology } from '../import/keras/topology.ts';

/** The model that comes with the package. */
export const BUILT_IN = 'resnet50v2-mini';

/** A published model, as its publisher describes it. */
export interface PublishedModel {
  /** What users type: `resnet50v2`. */
  readonly name: string;
  /** Address of the weights without the classification top. */
  readonly url: string;
  /** MD5 of that file, in hex, as Keras' source lists it. */
  readonly md5: string;
  /** Length of that file, if it is known. */
  readonly bytes?: number;
  /** Keras' preprocessing. `tf`: x / 127.5 - 1. `caffe`: BGR, ImageNet's channel means subtracted. From RGB in 0..255. */
  readonly preprocess: 'tf' | 'caffe';
  /** The layer shown when none is asked for. */
  readonly defaultLayer: string;
  /** Its layers without the classification top. */
  readonly topology: () => Topology;
}

const KERAS = 'https://storage.googleapis.com/tensorflow/keras-applications/resnet/';

/** Blocks of each stage. */
const blocks = { 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3] } as const;

function residual(version: 1 | 2, depth: keyof typeof blocks, md5: string, bytes?: number): PublishedModel {
  const name = `resnet${depth}${version === 2 ? 'v2' : ''}`;
  return {
    name,
    url: `${KERAS}${name}_weights_tf_dim_ordering_tf_kernels_notop.h5`,
    md5,
    ...(bytes === undefined ? {} : { bytes }),
    preprocess: version === 2 ? 'tf' : 'caffe',
    defaultLayer: 'conv3_block4_out',
    topology: () => resnet({ version, blocks: blocks[depth] }),
  };
}

/** The published models. */
export const models: readonly PublishedModel[] = [
  residual(2, 50, 'fac2f116257151a9d068a22e544a4917', 94_668_760),
  residual(2, 101, 'c0ed64b8031c3730f411d2eb4eea35b5'),
  residual(2, 152, 'ed17cf2e0169df9d443503ef94b23b33'),
  residual(1, 50, '4d473c1dd8becc155b73f8504c6f6626'),
  residual(1, 101, '88cf7a10940856eca736dc7b7e228a21'),
  residual(1, 152, 'ee4c566cf9a93f14d82f913c2dc6dd0c'),
];

/** All names that a model can be opened by. */
export const modelNames: readonly string[] = [BUILT_IN, ...models.map((m) => m.name)];

const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_\s]/g, '');

/** Whether this is a name of the built-in model; letter case, `-` and `_` do not count. */
export function isBuiltIn(name: string): boolean {
  return plain(name) === plain(BUILT_IN);
}

/** Whether this is a name of a published model; letter case, `-` and `_` do not count. */
export function isPublished(name: string): boolean {
  return models.some((m) => m.name === plain(name));
}

/**
 * The published model of that name; letter case, `-` and `_` do not count. Throws `unknown-model` with all names, the nearest first.
 *
 * @example
 * findModel('ResNet50V2').url;
 */
export function findModel(name: string): PublishedModel {
  const model = models.find((m) => m.name === plain(name));
  if (model) return model;
  const known = [...new Set([...nearest(name, modelNames, modelNames.length), ...modelNames])];
  throw new PhospheneError(
    'unknown-model',
    `\`${name}\`: no model has this name${didYouMean(name, modelNames)} (known: ${known.join(', ')}, and model files by path)`,
    { name, known },
  );
}
