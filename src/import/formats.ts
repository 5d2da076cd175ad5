/** @file The file formats that networks are opened from, recognised by their first bytes and not by their names. */
import { PhospheneError } from '../errors.ts';
import type { PreprocessSpec } from './preprocess.ts';
import { isTfjs, jsonOf, textOf } from './json.ts';
import type { Network } from './network.ts';
import { isHdf5, isOnnx, isZip, JSON_TEXT, looksLike, TFJS, UNKNOWN } from './sniff.ts';
import { headOf, type Source } from './source.ts';

/** What the opener of any format takes. */
export interface OpenOptions {
  /** The network's name; that of the file, without its folder, unless given. */
  readonly name?: string | undefined;
  /** What the network expects of a picture, if the file does not say it or says it wrongly. */
  readonly preprocess?: PreprocessSpec | undefined;
  /** Weights in a file of their own, if the network's file has none. Closed with the network. */
  readonly weights?: Source | undefined;
  /** The layer that is shown if none is asked for; the network's own choice unless given. */
  readonly defaultLayer?: string | undefined;
}

/** A file format. */
export interface Format {
  readonly name: string;
  /** Whether a file with these first bytes (512 or all) is of this format. */
  match(head: Uint8Array, name: string): boolean;
  open(source: Source, options: OpenOptions): Promise<Network>;
}

/** The formats that are read, each opened by code that is loaded only then: a reader of a kind of file can be large. */
export const formats: readonly Format[] = [
  {
    name: 'ONNX',
    // A file whose fields stand in another order is known by its name alone.
    match: (head, name) => isOnnx(head) || (/\.onnx$/i.test(name) && looksLike(head) === UNKNOWN),
    open: async (source, options) => (await import('./onnx/index.ts')).openOnnx(source, options),
  },
  {
    name: 'Keras HDF5',
    match: isHdf5,
    open: async (source, options) => (await import('./keras/open.ts')).openKerasHdf5(source, options),
  },
  {
    name: '.keras',
    match: isZip,
    open: async (source, options) => (await import('./keras/open.ts')).openKerasZip(source, options),
  },
  {
    name: 'JSON of Keras or TensorFlow.js',
    match: (head) => [JSON_TEXT, TFJS].includes(looksLike(head)),
    async open(source, options) {
      const json = await jsonOf(source);
      // Not by the first bytes: what tells may stand behind a graph of megabytes.
      return isTfjs(json)
        ? (await import('./tfjs/index.ts')).openTfjs(source, json, options)
        : (await import('./keras/open.ts')).openKerasConfig(source, json, options);
    },
  },
];

/**
 * Opens the network in a file of any known format. Throws `bad-file` if it is of none, saying what it looks like, and what the
 * format's opener throws. The source is closed then.
 *
 * @example
 * const network = await openNetwork(bytesSource('net.onnx', bytes), { preprocess: 'torch' });
 * network.layers({ height: 224, width: 224 }).layers.map((l) => l.name);
 */
export async function openNetwork(source: Source, options: OpenOptions = {}): Promise<Network> {
  try {
    const head = await headOf(source);
    const format = formats.find((f) => f.match(head, source.name));
    if (!format) {
      const model = await modelOfShard(source);
      const kind = model === undefined ? looksLike(head) : 'a TensorFlow.js shard';
      if (model !== undefined)
        throw new PhospheneError(
          'bad-file',
          `${source.name}: is ${kind}, a part of the weights of a model; open its \`${model}\``,
          { path: source.name, looksLike: kind, model },
        );
      throw new PhospheneError(
        'bad-file',
        `${source.name}: holds no network that can be read, but ${kind}; what is read is ${formats.map((f) => f.name).join(', ')}`,
        { path: source.name, looksLike: kind },
      );
    }
    return await format.open(source, options);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** The description of the TensorFlow.js model whose weights a file holds a part of; undefined if it is no such file. */
async function modelOfShard(source: Source): Promise<string | undefined> {
  const own = source.name.replace(/^.*[/\\]/, '');
  for (const name of ['model.json', `${own.replace(/\.[^.]*$/, '')}.json`]) {
    const beside = await source.sibling(name).catch(() => undefined);
    if (!beside) continue;
    const names = beside.size <= MOST_DESCRIPTION && (await textOf(beside)).includes(JSON.stringify(own));
    await beside.close();
    if (names) return name;
  }
  // As the converter calls them.
  return /^group\d+-shard\d+of\d+/.test(own) ? 'model.json' : undefined;
}
const MOST_DESCRIPTION = 1 << 26;
