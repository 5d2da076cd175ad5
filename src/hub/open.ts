/** @file A network from what a user has: a published name, with or without weights, or a file. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PhospheneError } from '../errors.ts';
import { openNetwork } from '../import/formats.ts';
import { openHdf5 } from '../import/hdf5.ts';
import { kerasNetwork, type WeightSource } from '../import/keras/index.ts';
import { openWeights as openHdf5Weights } from '../import/keras/weights.ts';
import { readWeights } from '../import/keras-weights.ts';
import type { Input, Network } from '../import/network.ts';
import { knownPreprocess, preprocessOf, type PreprocessSpec } from '../import/preprocess.ts';
import { isHdf5, JSON_TEXT, looksLike } from '../import/sniff.ts';
import { byteSource, headOf, type Source } from '../import/source.ts';
import { fileSource } from './file-source.ts';
import { BUILT_IN, findModel, isBuiltIn, isPublished, modelNames, models, type PublishedModel } from './models.ts';

const builtInFile: string = fileURLToPath(new URL('../../models/resnet50v2-mini.onnx', import.meta.url));

/** What {@link openModel} takes. */
export interface OpenModelOptions {
  /** A Keras HDF5 weights file in place of the published one. */
  readonly weights?: string | undefined;
  /** How published weights are had if no file is given: asked once, when the first layer is cut. */
  readonly fetchWeights?: ((name: string) => Promise<string>) | undefined;
  /** What the network expects of a picture, if that is not known or known wrongly. */
  readonly preprocess?: PreprocessSpec | undefined;
}

/**
 * Opens a network by name (`resnet50v2`), the built-in one (`resnet50v2-mini`), or from a file by path. What needs no weights, the
 * list of layers for example, works before any are there. Throws `unknown-model`, `bad-file`, `bad-option`, `filesystem`; a cut and
 * a digest also `missing-weights` and what `fetchWeights` throws.
 */
export async function openModel(name: string, options: OpenModelOptions = {}): Promise<Network> {
  const { preprocess } = options;
  if (isBuiltIn(name)) {
    refuseWeights(name, options);
    return openNetwork(await fileSource(builtInFile), { name: BUILT_IN, defaultLayer: 'conv3_block4_out', preprocess });
  }
  if (isPublished(name) && !/[/\\.]/.test(name)) return openPublished(findModel(name), options);
  if (!/[/\\.]/.test(name) && !(await isFile(name))) findModel(name);
  const source = await fileSource(await fileOf(name), `the models known by name are ${modelNames.join(', ')}`);
  const head = await headOf(source);
  if (isHdf5(head) && !(await hasLayers(source))) throw await weightsAlone(source);
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

/** The file at a path: in a folder, the configuration that a `.keras` archive unfolds to. */
async function fileOf(path: string): Promise<string> {
  const config = join(path, 'config.json');
  return (await isFile(config)) ? config : path;
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

function openPublished(model: PublishedModel, options: OpenModelOptions): Promise<Network> | Network {
  const { name, preprocess, defaultLayer, topology } = model;
  const { weights, fetchWeights } = options;
  const input: Input = options.preprocess
    ? { channels: 3, preprocess: preprocessOf(options.preprocess, 3), from: 'given' }
    : { channels: 3, preprocess: knownPreprocess[preprocess], from: 'known' };
  const of = (file: () => Promise<WeightFileSource>): Network =>
    kerasNetwork({
      name,
      input,
      defaultLayer,
      topology: topology(),
      weights: file,
      digest: async () => (await file()).digest(),
      close: async () =>
        opened?.then(
          (f) => f.close(),
          () => {},
        ),
    });
  let opened: Promise<WeightFileSource> | undefined;
  // A file that the user names is looked at now, one that must be fetched when it is needed.
  if (weights !== undefined) return (opened = openWeights(weights)).then((file) => of(async () => file));
  return of(() => {
    if (!fetchWeights)
      throw new PhospheneError(
        'missing-weights',
        `${name}: no weights; give a file of them, or use the built-in model ${BUILT_IN}`,
        { name, option: 'weights' },
      );
    return (opened ??= fetchWeights(name).then(openWeights));
  });
}

interface WeightFileSource extends WeightSource {
  digest(): Promise<string>;
  close(): Promise<void>;
}

/** A Keras weights file of this machine. Throws `filesystem`, `bad-file`. */
async function openWeights(path: string): Promise<WeightFileSource> {
  const source = await fileSource(path, 'give the path of a Keras `.h5` weight file');
  try {
    const file = openHdf5Weights(await byteSource(source));
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

/** What is said of a file that holds weights and no layers: what it is, and to which model it belongs. */
async function weightsAlone(source: Source): Promise<PhospheneError> {
  const path = source.name;
  try {
    const file = readWeights(await byteSource(source));
    // A file may hold a part of a model: the first of which it holds nothing else.
    const fits = models.find(({ topology }) => {
      const names = new Set([...topology().map((l) => l.name), ...CLASSIFIERS]);
      return file.layers.length > 0 && file.layers.every((layer) => names.has(layer));
    });
    const what = fits
      ? `it has those of \`${fits.name}\`, so open \`${fits.name}\` with this file as its weights`
      : `open the model that it belongs to by name (${models.map((m) => m.name).join(', ')}) with this file as its weights, or convert the model to ONNX`;
    return new PhospheneError('bad-file', `${path}: holds the weights of a Keras model and not its layers; ${what}`, {
      path,
      option: 'weights',
      ...(fits ? { model: fits.name } : {}),
    });
  } catch (error) {
    if (error instanceof PhospheneError) return error;
    throw error;
  } finally {
    await source.close();
  }
}

/** Not passed by: whoever gives weights expects to see them. */
function refuseWeights(name: string, { weights }: OpenModelOptions): void {
  if (weights !== undefined)
    throw new PhospheneError('bad-option', `${name}: holds its own weights; ${weights} cannot take their place`, {
      option: 'weights',
      name,
      weights,
    });
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
