/** @file Files that Keras saves as networks: `.keras`, `.h5` with a whole model, and a configuration with weights beside it. */
import { PhospheneError } from '../../errors.ts';
import type { OpenOptions } from '../formats.ts';
import { openHdf5 } from '../hdf5.ts';
import { type Known, toldPreprocess } from '../first.ts';
import { defaultSize, IMAGE, type Input, type Network } from '../network.ts';
import { preprocessOf } from '../preprocess.ts';
import { parseJson, textOf } from '../json.ts';
import { byteSource, sha256, type Source } from '../source.ts';
import { openZip } from '../zip.ts';
import { isModelConfig, readConfig } from './config.ts';
import { kerasNetwork, type KerasOptions, type WeightSource } from './index.ts';
import { pythonic } from './spelling.ts';
import type { Topology } from './topology.ts';
import { openWeights } from './weights.ts';

/**
 * The network in an HDF5 file with a `model_config`, as Keras 2 and 3 save to `.h5`. Throws `bad-file` if the file has none: then
 * it holds weights alone.
 */
export async function openKerasHdf5(source: Source, options: OpenOptions = {}): Promise<Network> {
  const root = openHdf5(await byteSource(source));
  const [text] = root.strings('model_config') ?? [];
  if (text === undefined)
    throw new PhospheneError(
      'bad-file',
      `${source.name}: holds the weights of a Keras model and not its layers; open the model's configuration (the text that \`model.to_json()\` gives) with this file as its weights`,
      { path: source.name, option: 'weights', looksLike: 'an HDF5 file of weights' },
    );
  const version = root.strings('keras_version')?.[0];
  return built(
    { file: source, config: parseJson(source.name, text), version, weights: source, files: [source] },
    options,
  );
}

/** The network in a `.keras` archive. Throws `bad-file`, `too-large`. */
export async function openKerasZip(source: Source, options: OpenOptions = {}): Promise<Network> {
  const members = await openZip(source);
  const member = async (name: string): Promise<Source> => {
    const open = members.get(name);
    if (!open)
      throw new PhospheneError(
        'bad-file',
        `${source.name}: is a zip archive without \`${name}\`, and no \`.keras\` file; it has ${members.size} members`,
        { path: source.name, missing: name },
      );
    return open();
  };
  const config = parseJson(source.name, await textOf(await member('config.json')));
  const version = members.has('metadata.json') ? versionOf(await textOf(await member('metadata.json'))) : undefined;
  const weights = await member('model.weights.h5');
  return built({ file: source, config, version, weights, files: [source] }, options);
}

/**
 * The network that a configuration in JSON describes, `json` of `source`, with the weights in `options.weights`, or those in `model.weights.h5` beside it:
 * the folder that a `.keras` archive unfolds to. Without any, its layers can be listed.
 */
export async function openKerasConfig(source: Source, json: unknown, options: OpenOptions = {}): Promise<Network> {
  const config = pythonic(source.name, json);
  if (!isModelConfig(config))
    throw new PhospheneError(
      'bad-file',
      `${source.name}: is no configuration of a Keras model, and no TensorFlow.js model, but a JSON text`,
      { path: source.name, looksLike: 'a JSON text' },
    );
  const weights = options.weights ?? (await source.sibling('model.weights.h5'));
  const metadata = await source.sibling('metadata.json');
  const stated = typeof config['keras_version'] === 'string' ? config['keras_version'] : undefined;
  const version = stated ?? (metadata && versionOf(await textOf(metadata)));
  await metadata?.close();
  return built({ file: source, config, version, weights, files: weights ? [source, weights] : [source] }, options);
}

interface Parts {
  readonly file: Source;
  readonly config: unknown;
  readonly version: string | undefined;
  readonly weights: Source | undefined;
  readonly files: readonly Source[];
}

function built({ file, config, version, weights, files }: Parts, options: OpenOptions): Promise<Network> {
  // Each weight asks for the file of weights, whose index takes long to read.
  let opened: Promise<WeightSource> | undefined;
  return configured(file.name, config, options, {
    keras2: version === undefined ? false : Number(version.split('.')[0]) < 3,
    async weights() {
      if (weights) return (opened ??= byteSource(weights).then(openWeights));
      throw new PhospheneError(
        'missing-weights',
        `${file.name}: no weights; give a file of them, such as \`model.save_weights()\` writes`,
        { path: file.name, option: 'weights' },
      );
    },
    async digest() {
      const digests = await Promise.all(files.map((f) => f.digest()));
      return digests.length === 1 ? digests[0]! : sha256(new TextEncoder().encode(digests.join('\n')));
    },
    close: async () => void (await Promise.all(files.map((f) => f.close()))),
  });
}

/** The network that a configuration describes, with weights from wherever they are. Throws `bad-file`, `unsupported-op`. */
export async function configured(
  file: string,
  config: unknown,
  options: OpenOptions,
  parts: Pick<KerasOptions, 'keras2' | 'labels' | 'weights' | 'digest' | 'close'>,
): Promise<Network> {
  const { topology, input } = readConfig(file, config);
  const network = (about: Input, layers: Topology): Network =>
    kerasNetwork({
      ...parts,
      name: options.name ?? file.replace(/^.*[/\\]/, ''),
      input: about,
      defaultLayer: options.defaultLayer,
      topology: layers,
    });
  const front = (): Network =>
    network({ ...input, preprocess: preprocessOf('tf', input.channels), from: 'assumed' }, topology.slice(0, FRONT));
  return network({ ...input, ...(await preprocessing(input.channels, options, front)) }, topology);
}

/** So many layers are looked at for the first convolution. */
const FRONT = 16;
/** The size at which they are, if the file states none. */
const USUAL = { height: 64, width: 64 };

/** What the network expects: as the caller says, else as its first layers tell or make likely, else [-1, 1]. */
async function preprocessing(channels: number, { preprocess }: OpenOptions, front: () => Network): Promise<Known> {
  if (preprocess !== undefined) return { preprocess: preprocessOf(preprocess, channels), from: 'given' };
  const network = front();
  const { graph } = network.layers(defaultSize(network.input, USUAL));
  const told = await toldPreprocess(graph, { name: IMAGE, channels, axis: 1 });
  return told ?? { preprocess: preprocessOf('tf', channels), from: 'assumed' };
}

function versionOf(text: string): string | undefined {
  const found = /"keras_version"\s*:\s*"([^"]*)"/.exec(text);
  return found?.[1];
}
