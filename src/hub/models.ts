/** @file The models known by name: the built-in one, and those that Keras publishes with ImageNet weights. Data only. */
import { didYouMean, nearest, PhospheneError } from '../errors.ts';

/** The model that comes with the package. */
export const BUILT_IN = 'resnet50v2-mini';

/** A published model, as its publisher describes it. */
export interface PublishedModel {
  /** What users type: `resnet50v2`. */
  readonly name: string;
  readonly title: string;
  readonly family: 'resnet' | 'resnetv2';
  /** Address of the weights without the classification top. */
  readonly url: string;
  /** MD5 of that file, in hex, as Keras' source lists it. */
  readonly md5: string;
  /** Length of that file where it is known. */
  readonly bytes?: number;
  /** Keras' preprocessing. `tf`: x / 127.5 - 1. `caffe`: BGR, ImageNet's channel means subtracted. From RGB in 0..255. */
  readonly preprocess: 'tf' | 'caffe';
  /** What the network then sees, lowest and highest value over all channels. */
  readonly inputRange: readonly [number, number];
  /** The layer shown when none is asked for. */
  readonly defaultLayer: string;
  readonly licence: string;
}

const KERAS = 'https://storage.googleapis.com/tensorflow/keras-applications/resnet/';

function resnet(version: 1 | 2, depth: number, md5: string, bytes?: number): PublishedModel {
  const name = `resnet${depth}${version === 2 ? 'v2' : ''}`;
  return {
    name,
    title: `ResNet${depth}${version === 2 ? 'V2' : ''}, ImageNet`,
    family: version === 2 ? 'resnetv2' : 'resnet',
    url: `${KERAS}${name}_weights_tf_dim_ordering_tf_kernels_notop.h5`,
    md5,
    ...(bytes === undefined ? {} : { bytes }),
    preprocess: version === 2 ? 'tf' : 'caffe',
    // caffe: 0 - 123.68 (red, darkest) to 255 - 103.939 (blue, brightest).
    inputRange: version === 2 ? [-1, 1] : [-123.68, 151.061],
    defaultLayer: 'conv3_block4_out',
    // ResNet V1 was ported from Kaiming He's release, V2 from TensorFlow's.
    licence: version === 2 ? 'Apache-2.0' : 'MIT',
  };
}

/** The published models. */
export const models: readonly PublishedModel[] = [
  resnet(2, 50, 'fac2f116257151a9d068a22e544a4917', 94_668_760),
  resnet(2, 101, 'c0ed64b8031c3730f411d2eb4eea35b5'),
  resnet(2, 152, 'ed17cf2e0169df9d443503ef94b23b33'),
  resnet(1, 50, '4d473c1dd8becc155b73f8504c6f6626'),
  resnet(1, 101, '88cf7a10940856eca736dc7b7e228a21'),
  resnet(1, 152, 'ee4c566cf9a93f14d82f913c2dc6dd0c'),
];

/** All names that a model can be opened by. */
export const modelNames: readonly string[] = [BUILT_IN, ...models.map((m) => m.name)];

const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_\s]/g, '');

/** Whether this is a name of the built-in model; letter case, `-` and `_` do not count. */
export function isBuiltIn(name: string): boolean {
  return plain(name) === plain(BUILT_IN);
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
    `\`${name}\`: no model has this name${didYouMean(name, modelNames)} (known: ${known.join(', ')}, and ONNX files by path)`,
    { name, known },
  );
}
