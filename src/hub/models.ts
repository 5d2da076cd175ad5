/** @file The models known by name: the built-in one, and those that Keras publishes with ImageNet weights. */
import { didYouMean, nearest, PhospheneError } from '../errors.ts';
import type { Topology } from '../import/keras/topology.ts';
import { type Published, publishedModels } from './published.ts';

/** The model that comes with the package. */
export const BUILT_IN = 'resnet50v2-mini';

/** What a name ends with that means a model without its classifier. */
const NO_TOP = '-notop';

/** A published model: an architecture with one of the files of its weights. */
export interface PublishedModel extends Pick<Published, 'name' | 'year' | 'size' | 'preprocess' | 'defaultLayer'> {
  /** Address of the weights. */
  readonly url: string;
  /** MD5 or SHA-256 of that file, in hex, if Keras' source lists one. */
  readonly hash?: string;
  /** How many numbers the file has. */
  readonly parameters: number;
  /** Length of that file, if it is known. */
  readonly bytes?: number;
  /** Whether its classifier is part of it. */
  readonly top: boolean;
  readonly topology: () => Promise<Topology>;
}

function model(published: Published, top: boolean): PublishedModel {
  const { name, year, size, preprocess, defaultLayer, full, noTop, topology } = published;
  const suffix = top ? '' : NO_TOP;
  return {
    name: `${name}${suffix}`,
    year,
    size,
    preprocess,
    defaultLayer,
    ...(top ? full : noTop),
    top,
    topology: () => topology(top),
  };
}

/** The published models, each with its classifier. Each is also known without it, as `NAME-notop`, which is a smaller download. */
export const models: readonly PublishedModel[] = publishedModels.map((p) => model(p, true));

/** All names that a model can be opened by, but for those that end with `-notop`. */
export const modelNames: readonly string[] = [BUILT_IN, ...models.map((m) => m.name)];

const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_\s]/g, '');

/** By its plain name. */
const known: ReadonlyMap<string, () => PublishedModel> = new Map(
  publishedModels.flatMap((p) =>
    [true, false].map((top) => [plain(`${p.name}${top ? '' : NO_TOP}`), () => model(p, top)] as const),
  ),
);

/** Whether this is a name of the built-in model; letter case, `-` and `_` do not count. */
export function isBuiltIn(name: string): boolean {
  return plain(name) === plain(BUILT_IN);
}

/** Whether this is a name of a published model; letter case, `-` and `_` do not count. */
export function isPublished(name: string): boolean {
  return known.has(plain(name));
}

/**
 * The published model of that name; letter case, `-` and `_` do not count. `NAME-notop` is the model without its classifier. Throws
 * `unknown-model` with the names that are nearest, all of them in its details.
 *
 * @example
 * findModel('ResNet50V2').url;
 * findModel('vgg16-notop').parameters; // 14714688
 */
export function findModel(name: string): PublishedModel {
  const found = known.get(plain(name));
  if (found) return found();
  const names = [...new Set([...nearest(plain(name), modelNames, modelNames.length), ...modelNames])];
  throw new PhospheneError(
    'unknown-model',
    `\`${name}\`: no model has this name${didYouMean(name, modelNames)}; \`phosphene models\` lists all ${names.length} (${names.slice(0, 6).join(', ')}, …), and model files are opened by path`,
    { name, known: names },
  );
}
