/** @file A network from what a user has: a published name, with or without weights, or a file. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PhospheneError } from '../errors.ts';
import { openNetwork } from '../import/formats.ts';
import { type Hdf5Object, openHdf5 } from '../import/hdf5.ts';
import { kerasNetwork, weighted, type WeightSource } from '../import/keras/index.ts';
import type { Topology } from '../import/keras/topology.ts';
import { type Architecture, openWeights as openHdf5Weights } from '../import/keras/weights.ts';
import { readWeights } from '../import/keras-weights.ts';
import type { Input, Network } from '../import/network.ts';
import { knownPreprocess, preprocessOf, type PreprocessSpec } from '../import/preprocess.ts';
import { isHdf5, JSON_TEXT, looksLike } from '../import/sniff.ts';
import { byteSource, headOf, type Source } from '../import/source.ts';
import { fileSource } from './file-source.ts';
import { BUILT_IN, findModel, isBuiltIn, isPublished, modelNames, models, type PublishedModel } from './models.ts';
import { publishedModels } from './published.ts';
import { isUrl, urlSource } from './url-source.ts';

/** The file of the built-in model. */
export const builtInFile: string = fileURLToPath(new URL('../../models/resnet50v2-mini.onnx', import.meta.url));

/** What {@link openModel} takes. */
export interface OpenModelOptions {
  /** A Keras HDF5 weights file in place of the published one. */
  readonly weights?: string | undefined;
  /** The published model that the file is of, if it is a file of weights and its layers are not in it. */
  readonly architecture?: string | undefined;
  /** How published weights are had if no file is given: asked once, when the first layer is cut. */
  readonly fetchWeights?: ((name: string) => Promise<string>) | undefined;
  /** What the network expects of a picture, if that is not known or known wrongly. */
  readonly preprocess?: PreprocessSpec | undefined;
}

/**
 * Opens a network by name (`resnet50v2`), the built-in one (`resnet50v2-mini`), or from a file by path or by address (`https://…/model.json`). What needs no weights, the
 * list of layers for example, works before any are there. Throws `unknown-model`, `bad-file`, `bad-option`, `filesystem`, for an address also `offline`, `download`; a cut and
 * a digest also `missing-weights` and what `fetchWeights` throws.
 */
export async function openModel(name: string, options: OpenModelOptions = {}): Promise<Network> {
  const { preprocess, architecture } = options;
  if (architecture !== undefined) return openAs(name, architecture, options);
  if (isBuiltIn(name)) {
    refuseWeights(name, options);
    return openNetwork(await fileSource(builtInFile), { name: BUILT_IN, defaultLayer: 'conv3_block4_out', preprocess });
  }
  if (isPublished(name)) return openPublished(findModel(name), options);
  if (!/[/\\.]/.test(name) && !(await isThere(name))) findModel(name);
  const source = isUrl(name)
    ? await urlSource(name)
    : await fileSource(
        await fileOf(name),
        `\`phosphene models\` lists those that are known by name, such as ${modelNames.slice(0, 3).join(', ')}`,
      );
  const head = await headOf(source);
  if (isHdf5(head) && !(await hasLayers(source))) {
    refuseWeights(name, options);
    const { found, error } = await weightsAlone(source);
    if (!found) throw error;
    return openPublished(found, { ...options, weights: name }, { name: basename(name), from: 'inferred' });
  }
  if (looksLike(head) !== JSON_TEXT) {
    refuseWeights(name, options);
    return openNetwork(source, { preprocess });
  }
  const { weights } = options;
  const remedy = 'give the path of a Keras `.h5` weight file';
  return openNetwork(source, {
    preprocess,
    weights: weights === undefined ? undefined : await fileSource(weights, remedy),
  });
}

/**
 * The file at a path: in a folder, the description of a TensorFlow.js model, or the configuration that a `.keras` archive unfolds to. If
 * neither has its usual name, it is the one JSON file.
 */
async function fileOf(path: string): Promise<string> {
  const members = await readdir(path).catch(() => []);
  const texts = members.filter((member) => /\.json$/i.test(member));
  const found =
    ['model.json', 'config.json'].find((name) => texts.includes(name)) ?? (texts.length === 1 ? texts[0] : undefined);
  return found === undefined ? path : join(path, found);
}

/** Whether an HDF5 file holds a model and not weights alone. A damaged one is not asked here. */
async function hasLayers(source: Source): Promise<boolean> {
  try {
    return openHdf5(await byteSource(source)).strings('model_config') !== undefined;
  } catch (error) {
    if (error instanceof PhospheneError) return false;
    throw error;
  }
}

/** A file of weights, opened as a published architecture. */
function openAs(path: string, architecture: string, options: OpenModelOptions): Promise<Network> {
  const fault = (what: string): PhospheneError =>
    new PhospheneError('bad-option', `${path}: ${what}`, { option: 'architecture', name: path, architecture });
  if (isBuiltIn(path) || isPublished(path))
    throw fault('is the name of a model, whose architecture is known; give the path of a file of weights');
  if (isBuiltIn(architecture)) throw fault(`the architecture of ${BUILT_IN} cannot be given other weights`);
  if (options.weights !== undefined) throw fault('with an architecture this file is the weights; give no others');
  return openPublished(findModel(architecture), { ...options, weights: path }, { name: basename(path) });
}

/** `as` is what a network is called whose file is the user's, and how its preprocessing is known. */
async function openPublished(
  model: PublishedModel,
  options: OpenModelOptions,
  as: { readonly name?: string; readonly from?: Input['from'] } = {},
): Promise<Network> {
  const { name, preprocess, defaultLayer, size } = model;
  const { weights, fetchWeights } = options;
  const input: Input = options.preprocess
    ? { channels: 3, preprocess: preprocessOf(options.preprocess, 3), from: 'given' }
    : { channels: 3, preprocess: knownPreprocess[preprocess], from: as.from ?? 'known' };
  const topology = await model.topology();
  // Asked for when there is a file to compare it with.
  const architecture = (): Architecture => {
    const layers = weighted(topology, { channels: 3, height: size, width: size });
    const head = classifierOf(topology);
    return { name, layers, classifier: layers.filter(({ owner }) => head.has(owner.name)).length };
  };
  let opened: Promise<WeightFileSource> | undefined;
  // A file that the user names is looked at now, one that must be fetched when it is needed.
  if (weights !== undefined) await (opened = openWeights(weights, architecture));
  const file = (): Promise<WeightFileSource> => {
    if (!opened && !fetchWeights)
      throw new PhospheneError(
        'missing-weights',
        `${name}: no weights; give a file of them, or use the built-in model ${BUILT_IN}`,
        { name, option: 'weights' },
      );
    return (opened ??= fetchWeights!(name).then((path) => openWeights(path, architecture)));
  };
  return kerasNetwork({
    name: as.name ?? name,
    input,
    defaultLayer,
    topology,
    weights: async () => file(),
    digest: async () => (await file()).digest(),
    close: async () =>
      opened?.then(
        (f) => f.close(),
        () => {},
      ),
  });
}

/** The layers that make classes of a picture's features: those after the last that takes the whole picture together. */
function classifierOf(topology: Topology): ReadonlySet<string> {
  if (!topology.at(-1)?.name.match(/predictions|head_dense/)) return new Set();
  const pooled = topology.findLastIndex((l) => l.type === 'GlobalAveragePooling2D');
  const at = pooled < 0 ? topology.findLastIndex((l) => l.type === 'Flatten') : pooled;
  return new Set(topology.slice(at).map((l) => l.owner?.name ?? l.name));
}

interface WeightFileSource extends WeightSource {
  digest(): Promise<string>;
  close(): Promise<void>;
}

/** A Keras weights file of this machine. Throws `filesystem`, `bad-file`. */
async function openWeights(path: string, architecture: () => Architecture): Promise<WeightFileSource> {
  const source = await fileSource(path, 'give the path of a Keras `.h5` weight file');
  try {
    const file = openHdf5Weights(await byteSource(source), architecture());
    return {
      source: path,
      read: (layer, weight, dims, index) => file.read(layer, weight, dims, index),
      digest: () => source.digest(),
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** What the last layer of a published file is called, if it has its classifier. */
const CLASSIFIERS = ['probs', 'predictions', 'fc1000'];

/** The published model that a file of weights without layers belongs to, if as many numbers are in no other; else what is said of it. */
async function weightsAlone(
  source: Source,
): Promise<
  | { readonly found: PublishedModel; readonly error?: never }
  | { readonly found?: never; readonly error: PhospheneError }
> {
  const path = source.name;
  try {
    const root = openHdf5(await byteSource(source));
    const numbers = countOf(root);
    const same = publishedModels.flatMap((p) =>
      p.full.parameters === numbers ? [p.name] : p.noTop.parameters === numbers ? [`${p.name}-notop`] : [],
    );
    if (same.length === 1) return { found: findModel(same[0]!) };
    // A file may hold a part of a model: the first of which it holds nothing else.
    const { layers } = readWeights(await byteSource(source));
    let fits: string | undefined;
    for (const { name, topology } of layers.length > 0 ? models : []) {
      const names = new Set([...(await topology()).map((l) => l.name), ...CLASSIFIERS]);
      if (layers.every((layer) => names.has(layer))) {
        fits = name;
        break;
      }
    }
    const what = fits
      ? `it has those of \`${fits}\`, so give that as its architecture`
      : "name the architecture that it is of, if `phosphene models` lists it; else open the model's configuration (the text that `model.to_json()` gives) with this file as its weights, or convert the model to ONNX";
    const error = new PhospheneError(
      'bad-file',
      `${path}: holds the weights of a Keras model and not its layers; ${what}`,
      { path, option: 'architecture', ...(fits === undefined ? {} : { model: fits }) },
    );
    return { error };
  } catch (error) {
    if (error instanceof PhospheneError) return { error };
    throw error;
  } finally {
    await source.close();
  }
}

/** How many numbers a file of weights has, without what an optimizer keeps. */
function countOf(group: Hdf5Object, level = 0): number {
  if (group.kind === 'dataset') return group.dims.reduce((a, b) => a * b, 1);
  if (level > MOST_LEVELS) return 0;
  return group.members
    .filter((name) => level > 0 || !name.startsWith('optimizer'))
    .reduce((sum, name) => sum + countOf(group.get(name)!, level + 1), 0);
}
const MOST_LEVELS = 16;

/** Not passed by: whoever gives weights expects to see them. */
function refuseWeights(name: string, { weights }: OpenModelOptions): void {
  if (weights !== undefined)
    throw new PhospheneError('bad-option', `${name}: holds its own weights; ${weights} cannot take their place`, {
      option: 'weights',
      name,
      weights,
    });
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
