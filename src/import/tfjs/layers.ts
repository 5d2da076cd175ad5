/** @file Layers models of TensorFlow.js: Keras' own description of the layers, with weights by name in shards. */
import { PhospheneError } from '../../errors.ts';
import type { Dims, Tensor } from '../../ir/tensor.ts';
import type { OpenOptions } from '../formats.ts';
import { isRecord, type Json } from '../json.ts';
import type { WeightSource } from '../keras/index.ts';
import { isModelConfig } from '../keras/config.ts';
import { configured } from '../keras/open.ts';
import { pythonic } from '../keras/spelling.ts';
import type { Owner } from '../keras/topology.ts';
import type { Network } from '../network.ts';
import type { Opened } from './index.ts';
import type { ManifestWeights } from './manifest.ts';

/** The description of a layers model: as the converter writes it, or as TensorFlow.js does; undefined if there is none. */
export function layersConfig(file: string, topology: Json): Json | undefined {
  const config = pythonic(file, topology);
  if (isModelConfig(config)) return config;
  const inner = isRecord(config) ? config['model_config'] : undefined;
  return isModelConfig(inner) ? inner : undefined;
}

/** The network of a layers model, `labels` beside it. Its shards are opened when the first layer is cut. Throws `bad-file`, `unsupported-op`. */
export function openLayersModel(
  { file, weights, digest, close }: Opened,
  config: Json,
  labels: readonly string[] | undefined,
  options: OpenOptions,
): Promise<Network> {
  let indexed: Promise<WeightSource> | undefined;
  return configured(file, config, options, {
    // Whatever version wrote it, TensorFlow.js computes it as Keras 2 does.
    keras2: true,
    labels,
    weights: () => (indexed ??= weights().then((found) => byLayer(file, found))),
    digest,
    close,
  });
}

/** Weights by layer. Their names are those of Keras, with more or fewer of the models and scopes around them. */
async function byLayer(file: string, weights: ManifestWeights): Promise<WeightSource> {
  /** Full names by what stands before the last slash, in order. */
  const owners = new Map<string, string[]>();
  for (const name of weights.names) {
    const owner = name.split('/').slice(0, -1).join('/');
    const list = owners.get(owner);
    if (list) list.push(name);
    else owners.set(owner, [name]);
  }
  const find = ({ name, stored }: Owner, weight: string, index: number): string | undefined => {
    const own = name.split('/').at(-1)!;
    // Keras 3 counts a layer's weights, and calls layers by class and number.
    const classes = stored.map(({ class: type, index: at }) => `layers/${at === 0 ? type : `${type}_${at}`}`).join('/');
    const counted = owners.get(`${classes}/vars`)?.find((n) => n.endsWith(`/${index}`));
    if (counted !== undefined) return counted;
    const owner =
      [name, name.split('/').slice(-2).join('/'), own, `${own}/${own}`].find((o) => owners.has(o)) ??
      [...owners.keys()].find((o) => o.startsWith(`${own}/`) || o.endsWith(`/${own}`) || o.includes(`/${own}/`));
    if (owner === undefined) return undefined;
    const names = owners.get(owner)!;
    return names.find((n) => n.split('/').at(-1)!.replace(/:\d+$/, '') === weight) ?? names[index];
  };
  return {
    source: file,
    read(owner, weight, dims, index) {
      const name = find(owner, weight, index);
      return name === undefined ? undefined : checked(file, name, owner, dims, weights);
    },
  };
}

async function checked(
  file: string,
  name: string,
  owner: Owner,
  expected: Dims,
  weights: ManifestWeights,
): Promise<Tensor<'float32'>> {
  const fault = (what: string, details: Json = {}): PhospheneError =>
    new PhospheneError('bad-weights', `${file}: weight \`${name}\` of layer \`${owner.name}\` ${what}`, {
      path: file,
      layer: owner.name,
      weight: name,
      ...details,
    });
  const found = weights.dims(name)!;
  if (found.length !== expected.length || found.some((d, i) => d !== expected[i]))
    throw fault(`is [${found.join(', ')}], the layer takes [${expected.join(', ')}]`, { found, expected });
  const t = (await weights.read(name))!;
  const numbers = Float32Array.from(t.data as ArrayLike<number | bigint>, Number);
  if (!numbers.every(Number.isFinite))
    throw fault('has values that are infinite; the training diverged or the file is damaged');
  return { dtype: 'float32', dims: t.dims, data: t.dtype === 'float32' ? (t.data as Float32Array) : numbers };
}
