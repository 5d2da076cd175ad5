/** @file Where the weights of Keras layers lie in HDF5: under layer names, or since Keras 2.12 under classes and numbers. */
import { PhospheneError } from '../../errors.ts';
import type { Dims, Tensor } from '../../ir/tensor.ts';
import type { ByteSource } from '../hdf5/bytes.ts';
import { type Hdf5Object, isHdf5, openHdf5 } from '../hdf5.ts';
import { budgetOf, datasetReader, readWeights, type WeightFile } from '../keras-weights.ts';
import type { Weighted, WeightSource } from './index.ts';
import type { Owner, Stored } from './topology.ts';

/** A known architecture whose weights a file has, under whatever names. */
export interface Architecture {
  readonly name: string;
  /** Its layers with weights, in Keras' order. */
  readonly layers: readonly Weighted[];
  /** How many of the last of them are its classifier, which a file may have another of, or none. */
  readonly classifier: number;
}

/** Weights in a file that can be read at once. */
export interface StoredWeights extends WeightSource {
  read(layer: Owner, weight: string, dims: Dims, index: number): Tensor<'float32'> | undefined;
}

/**
 * The weights in an HDF5 file of either layout. With an architecture its layers may have other names in the file. Throws `bad-file` if
 * the file is of neither layout, `bad-weights` if it is not of that architecture.
 *
 * @example
 * openWeights(await byteSource(source)).read({ name: 'conv1', stored: [] }, 'kernel', [3, 3, 3, 8], 0);
 */
export function openWeights(source: ByteSource, architecture?: Architecture): StoredWeights {
  // Whatever else it is, this says so.
  if (!isHdf5(source.read(0, Math.min(8, source.size)))) return byName(source);
  const root = openHdf5(source);
  if (CONTAINERS.some((name) => root.get(name)))
    return byClass(source, architecture ? modelIn(source, root, architecture) : root);
  return architecture ? byArchitecture(source, root, architecture) : byName(source, root);
}

/** What the layers of a model lie under; the second is of Keras 2.12 to 2.14. */
const CONTAINERS = ['layers', '_layer_checkpoint_dependencies'] as const;

function byName(source: ByteSource, root?: Hdf5Object): StoredWeights {
  return named(readWeights(source, undefined, undefined, root));
}

function named(file: WeightFile): StoredWeights {
  return {
    source: file.path,
    read({ name }, weight, dims, index) {
      // The layers of a nested model stand under their own names, unless two have the same.
      const layer = [name, name.split('/').slice(-2).join('/'), name.split('/').at(-1)!].find((n) => file.has(n));
      if (layer === undefined) return undefined;
      const names = file.weightsOf(layer);
      const found = names.includes(weight) ? weight : names[index];
      return found === undefined ? undefined : file.read(layer, found, dims);
    },
  };
}

/** Names that Keras makes up by counting; they differ from one session to the next. */
const AUTOMATIC =
  /^(conv2d|depthwise_conv2d|separable_conv2d|dense|batch_normalization|layer_normalization|normalization)(_\d+)?$/;
/** The classifier's name in files of other versions of Keras. */
const CLASSIFIERS: ReadonlySet<string> = new Set(['predictions', 'probs', 'fc1000']);

/**
 * As Keras loads such a file: its layers in its order are those of the architecture in theirs, if their shapes agree. If they are
 * not as many, by names; and if the names are others, by order as far as both go, which must be up to the classifier.
 */
function byArchitecture(source: ByteSource, root: Hdf5Object, architecture: Architecture): StoredWeights {
  const { layers, classifier } = architecture;
  const file = readWeights(source, undefined, undefined, root);
  const stored = file.layers.filter((layer) => file.weightsOf(layer).length > 0);
  const body = layers.length - classifier;
  const alike = (order: readonly Weighted[]): number => {
    const most = Math.min(stored.length, order.length);
    for (let i = 0; i < most; i++) if (!agrees(file, stored[i]!, order[i]!)) return i;
    return most;
  };
  // A model in another stands in the file as a list of weights, in which those that are never trained come last.
  const untrained = ({ weights }: Weighted): boolean =>
    weights.every((w) => w.name === 'mean' || w.name === 'variance');
  const inner = layers.slice(0, body);
  const [order, same] = [
    layers,
    [...inner.filter((l) => !untrained(l)), ...inner.filter(untrained), ...layers.slice(body)],
  ]
    .map((o) => [o, alike(o)] as const)
    .reduce((best, next) => (next[1] > best[1] ? next : best));
  const whole = same === stored.length && (same === layers.length || same === body);
  const known = new Set(layers.flatMap(({ owner }) => [owner.name, owner.name.split('/').at(-1)!]));
  const own = stored.filter((layer) => !CLASSIFIERS.has(layer));
  const called = own.length > 0 && own.every((layer) => known.has(layer) && !AUTOMATIC.test(layer));
  if (!whole && called) return named(file);
  if (!whole && same < body) throw unfit(file, stored, architecture, same);
  const found = new Map(stored.slice(0, same).map((layer, i) => [order[i]!.owner.name, layer]));
  return {
    source: source.name,
    read({ name: layer }, _, dims, index) {
      const at = found.get(layer);
      const names = at === undefined ? [] : file.weightsOf(at);
      return names[index] === undefined ? undefined : file.read(at!, names[index], dims);
    },
  };
}

/** Whether a layer of the file has the shapes of one of the architecture. */
function agrees(file: WeightFile, layer: string, { weights }: Weighted): boolean {
  const names = file.weightsOf(layer);
  const shape = (name: string | undefined): string | undefined => name && String(file.dims(layer, name));
  if (!weights.every(({ dims }, i) => shape(names[i]) === String(dims))) return false;
  // A normalisation also counts what it has seen, in a number by itself.
  return names.slice(weights.length).every((name) => shape(name) === '');
}

function unfit(
  file: WeightFile,
  stored: readonly string[],
  { name, layers }: Architecture,
  at: number,
): PhospheneError {
  const shapes = (all: readonly (readonly number[])[]): string => all.map((d) => `[${d.join(', ')}]`).join(', ');
  const layer = stored[at];
  const wanted = layers[at]!;
  const found =
    layer === undefined
      ? 'it ends'
      : `its layer \`${layer}\` has ${shapes(file.weightsOf(layer).map((w) => file.dims(layer, w)!))}`;
  return new PhospheneError(
    'bad-weights',
    `${file.path}: these are not the weights of ${name}: it has ${stored.length} layers with weights, ${layers.length} are needed, and ${found} where \`${wanted.owner.name}\` has ${shapes(wanted.weights.map((w) => w.dims))}; name the architecture that was trained`,
    { path: file.path, architecture: name, option: 'architecture', layer: wanted.owner.name },
  );
}

function byClass(source: ByteSource, root: Hdf5Object): StoredWeights {
  const read = datasetReader(source.name, budgetOf(source));
  return {
    source: source.name,
    read({ name, stored }: Owner, weight, dims, index) {
      const dataset = groupOf(root, stored)?.get(`vars/${index}`);
      if (dataset !== undefined && dataset.kind !== 'dataset')
        throw new PhospheneError('bad-file', `${source.name}: weight ${index} of layer \`${name}\` is no array`, {
          path: source.name,
          layer: name,
        });
      return dataset && read(dataset, name, weight, dims);
    },
  };
}

/** The model in the file whose weights have most of the architecture's shapes: the outermost, or one that stands in it. */
function modelIn(source: ByteSource, root: Hdf5Object, { name, layers }: Architecture): Hdf5Object {
  const nested = (model: Hdf5Object, level: number): Hdf5Object[] => {
    const container = containerOf(model);
    if (!container || level > 3) return [];
    return [model, ...container.members.flatMap((m) => nested(container.get(m)!, level + 1))];
  };
  const score = (model: Hdf5Object): number =>
    layers.filter(({ owner, weights }) => {
      const vars = groupOf(model, owner.stored)?.get('vars');
      return vars !== undefined && weights.every(({ dims }, i) => String(vars.get(String(i))?.dims) === String(dims));
    }).length;
  const [best] = nested(root, 0)
    .map((model) => ({ model, score: score(model) }))
    .toSorted((a, b) => b.score - a.score);
  if (!best || best.score * 2 < layers.length)
    throw new PhospheneError(
      'bad-weights',
      `${source.name}: these are not the weights of ${name}: of its ${layers.length} layers with weights ${best?.score ?? 0} are there with their shapes; name the architecture that was trained`,
      { path: source.name, architecture: name, option: 'architecture' },
    );
  return best.model;
}

const containerOf = (model: Hdf5Object): Hdf5Object | undefined => {
  for (const name of CONTAINERS) {
    const found = model.get(name);
    if (found) return found;
  }
  return undefined;
};

function groupOf(model: Hdf5Object, stored: readonly Stored[]): Hdf5Object | undefined {
  let group: Hdf5Object | undefined = model;
  for (const step of stored) group = group && memberOf(group, step);
  return group;
}

/** The group of one layer among those of its model: by the name that it states, else by its class and number. */
function memberOf(model: Hdf5Object, { class: type, index, name }: Stored): Hdf5Object | undefined {
  const container = containerOf(model);
  if (!container) return undefined;
  const numbered = container.members
    .flatMap((member) => {
      const number = member === type ? '0' : member.startsWith(`${type}_`) ? member.slice(type.length + 1) : '';
      return /^\d+$/.test(number) ? [{ member, number: Number(number) }] : [];
    })
    .toSorted((a, b) => a.number - b.number);
  const named = numbered.find(({ member }) => container.get(`${member}/vars`)?.strings('name')?.[0] === name);
  if (named) return container.get(named.member);
  // Keras 2.12 and 2.13 counted each layer twice.
  const twice = numbered.length > 1 && numbered.every(({ number }) => number % 2 === 0);
  const found = twice ? numbered[index] : numbered.find(({ number }) => number === index);
  return found && container.get(found.member);
}
