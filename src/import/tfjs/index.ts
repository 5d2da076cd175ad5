/** @file Models of TensorFlow.js: `model.json` with its shards beside it, or with its weights in base64 within it. */
import { PhospheneError } from '../../errors.ts';
import type { OpenOptions } from '../formats.ts';
import { isRecord, type Json, jsonOf } from '../json.ts';
import type { Network } from '../network.ts';
import { bytesSource, sha256, type Source } from '../source.ts';
import { fromBase64 } from './base64.ts';
import { openGraphModel } from './graph-model.ts';
import { layersConfig, openLayersModel } from './layers.ts';
import { type ManifestWeights, manifestWeights } from './manifest.ts';

/** What both kinds of model are opened from. */
export interface Opened {
  /** What the model is called in messages. */
  readonly file: string;
  /** The weights; asked once, when they are first needed. */
  readonly weights: () => Promise<ManifestWeights>;
  readonly digest: () => Promise<string>;
  readonly close: () => Promise<void>;
}

/**
 * The network of a TensorFlow.js model, `json` of `source`: a layers model or a graph model. Throws `bad-file` if it is neither,
 * `missing-weights` if a graph model lacks its shards, and what the network throws.
 */
export async function openTfjs(source: Source, json: unknown, options: OpenOptions = {}): Promise<Network> {
  const file = source.name;
  const fault = (what: string): PhospheneError => new PhospheneError('bad-file', `${file}: ${what}`, { path: file });
  if (!isRecord(json) || !('modelTopology' in json))
    throw fault(
      'holds the weights of a TensorFlow.js model and not its layers; open the `model.json` that they belong to, or if there is none, as in face-api.js, export the model as ONNX',
    );
  if (options.weights)
    throw new PhospheneError(
      'bad-option',
      `${file}: names its own weights; ${options.weights.name} cannot take their place`,
      {
        option: 'weights',
      },
    );
  const topology = json['modelTopology'];
  let weights: Promise<ManifestWeights> | undefined;
  const opened: Opened = {
    file,
    weights: () => (weights ??= weightsOf(source, json)),
    async digest() {
      const parts = [await source.digest(), await (await opened.weights()).digest()];
      return sha256(new TextEncoder().encode(parts.join('\n')));
    },
    async close() {
      await (await weights?.catch(() => undefined))?.close();
      await source.close();
    },
  };
  if (isRecord(topology)) {
    if (Array.isArray(topology['node'])) return openGraphModel(opened, json, topology, options);
    const config = layersConfig(file, topology);
    if (config) return openLayersModel(opened, config, await labelsBeside(source), options);
  }
  throw fault(
    'its `modelTopology` is neither that of a layers model (`class_name` and `config`) nor that of a graph model (`node`); convert the model again',
  );
}

/** No list of classes is longer. */
const MOST_LABELS = 1 << 20;

/** The names of the classes that Teachable Machine leaves in `metadata.json`, or undefined if there is no such file. */
async function labelsBeside(source: Source): Promise<readonly string[] | undefined> {
  const beside = await source.sibling('metadata.json');
  if (!beside) return undefined;
  try {
    if (beside.size > MOST_LABELS) return undefined;
    const found = await jsonOf(beside);
    const labels = isRecord(found) ? found['labels'] : undefined;
    return Array.isArray(labels) && labels.length > 0 && labels.every((l) => typeof l === 'string')
      ? labels
      : undefined;
  } catch (error) {
    // What is no such list says nothing of the model.
    if (error instanceof PhospheneError && error.code === 'bad-file') return undefined;
    throw error;
  } finally {
    await beside.close();
  }
}

/** The one group of weights that lie in the model itself, as `tf.io` holds them in memory. */
const WITHIN = 'weightData';

function weightsOf(source: Source, json: Json): Promise<ManifestWeights> {
  const file = source.name;
  const packed = json['weightData'] === undefined ? undefined : bytesOf(file, json['weightData']);
  if (packed)
    return manifestWeights([{ paths: [WITHIN], weights: json['weightSpecs'] }], {
      file,
      open: async () => bytesSource(`${file}: its ${WITHIN}`, packed),
    });
  return manifestWeights(json['weightsManifest'], { file, open: (path) => source.sibling(path) });
}

/** Bytes in JSON: base64, or a list of numbers. */
function bytesOf(file: string, data: unknown): Uint8Array {
  if (Array.isArray(data)) return Uint8Array.from(data as unknown[], Number);
  const bytes = typeof data === 'string' ? fromBase64(data) : undefined;
  if (bytes) return bytes;
  throw new PhospheneError('bad-file', `${file}: its \`${WITHIN}\` is neither base64 nor a list of bytes`, {
    path: file,
  });
}
