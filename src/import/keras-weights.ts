/** @file The weights that Keras saved to HDF5, by layer and weight name, read one at a time. */
import { PhospheneError } from '../errors.ts';
import { canHold } from '../inflate.ts';
import type { Tensor } from '../ir/tensor.ts';
import { type ByteSource, type Hdf5Object, isHdf5, openHdf5 } from './hdf5.ts';
import { looksLike } from './sniff.ts';

/** A Keras weight file: which layers have weights, and the weights themselves on demand. */
export interface WeightFile {
  /** Where it was opened: a path, or the name given to `readWeights`. */
  readonly path: string;
  /** The layers that have weights, in file order (Keras' layer order). The layers of a nested model stand here one by one. */
  readonly layers: readonly string[];
  has(layer: string): boolean;
  /** Names of a layer's weights in file order: `kernel`, `bias`, `gamma`, … Empty for an unknown layer. */
  weightsOf(layer: string): readonly string[];
  /** The shape of a weight; its numbers are not read. Undefined if the file has no such layer or weight. */
  dims(layer: string, weight: string): readonly number[] | undefined;
  /**
   * One weight as float32, in Keras' own axis order; undefined if the file has no such layer or weight. `dims` is the shape
   * that it must have: another one is refused before any number is read, which may be gigabytes from a small file.
   *
   * Throws `bad-file` if the file is damaged or says more than it can hold, `bad-weights` if a number is NaN or infinite or the shape is another, and `too-large`
   * if all weights that were read take more than the file's budget.
   */
  read(layer: string, weight: string, dims?: readonly number[]): Tensor<'float32'> | undefined;
  /** Releases the file; reading afterwards throws. */
  close(): void;
}

const FORMATS = 'what is read here is the HDF5 file that Keras writes with `save_weights("x.h5")` or `save("x.h5")`';

/** What all weights of a file may take; `take` throws when it is spent. */
export interface WeightBudget {
  take(bytes: number): void;
}

/** No published network of convolutions has more. */
const MOST_BYTES = 4 * 2 ** 30;

/** The default: 4 GiB as float32, and never more than the file can hold as bytes at their best compression. */
export function budgetOf({ name, size }: ByteSource): WeightBudget {
  let taken = 0;
  return {
    take(bytes) {
      taken += bytes;
      if (!canHold(4 * size, taken)) {
        const what = `${name}: its weights say that they are ${taken} bytes, which the file of ${size} bytes cannot hold; it is damaged`;
        throw new PhospheneError('bad-file', what, { path: name, bytes: taken });
      }
      if (taken > MOST_BYTES) {
        const what = `${name}: its weights take ${taken} bytes and more; ${MOST_BYTES} can be read`;
        throw new PhospheneError('too-large', what, { path: name, bytes: taken, most: MOST_BYTES });
      }
    },
  };
}

/**
 * Opens a Keras weight file: weights only, or a whole model in the older `.h5` format. Only its index is read. Throws `bad-file`
 * (saying what it looks like) if it is of another kind, truncated or damaged.
 *
 * @example
 * const file = readWeights(await byteSource(source), () => source.close());
 * file.read('conv1_conv', 'kernel')?.dims; // [7, 7, 3, 64]
 */
export function readWeights(
  source: ByteSource,
  close: () => void = () => {},
  budget: WeightBudget = budgetOf(source),
  root?: Hdf5Object,
): WeightFile {
  const path = source.name;
  const head = source.read(0, Math.min(512, source.size));
  if (!isHdf5(head)) {
    const kind = looksLike(head);
    throw new PhospheneError('bad-file', `${path}: holds no HDF5 weights but ${kind}; ${FORMATS}`, {
      path,
      looksLike: kind,
    });
  }
  const index = indexOf(source, root ?? openHdf5(source));
  let closed = false;
  const readDataset = datasetReader(path, budget);

  const find = (layer: string): ReadonlyMap<string, Hdf5Object> | undefined =>
    index.layers.get(layer) ?? index.aliases.get(layer);
  return {
    path,
    layers: [...index.layers.keys()],
    has: (layer) => find(layer) !== undefined,
    weightsOf: (layer) => [...(find(layer)?.keys() ?? [])],
    dims: (layer, weight) => find(layer)?.get(weight)?.dims,
    read(layer, weight, dims) {
      const dataset = find(layer)?.get(weight);
      if (dataset === undefined) return undefined;
      if (closed)
        throw new PhospheneError('runtime', `${path}: is closed; read \`${layer}\` before \`close()\``, { path });
      return readDataset(dataset, layer, weight, dims);
    },
    close() {
      if (!closed) close();
      closed = true;
    },
  };
}

/**
 * Reads datasets as weights: the shape is compared before a number is read, all are counted, and none may be NaN or infinite. Throws
 * `bad-weights`, `bad-file`, `too-large`.
 */
export function datasetReader(
  path: string,
  budget: WeightBudget,
): (dataset: Hdf5Object, layer: string, weight: string, dims?: readonly number[]) => Tensor<'float32'> {
  /** What the budget was asked for already: a network that is cut twice reads its weights twice. */
  const paid = new Set<Hdf5Object>();
  return (dataset, layer, weight, dims) => {
    const found = dataset.dims;
    if (dims !== undefined && (found.length !== dims.length || found.some((d, i) => d !== dims[i]))) {
      throw new PhospheneError(
        'bad-weights',
        `${path}: \`${weight}\` of layer \`${layer}\` is [${found.join(', ')}], the layer takes [${dims.join(', ')}]`,
        { path, layer, weight, found, expected: dims },
      );
    }
    if (!paid.has(dataset)) budget.take(4 * found.reduce((a, b) => a * b, 1));
    paid.add(dataset);
    const value = dataset.read();
    checkFinite(path, layer, weight, value);
    return value;
  };
}

type Weights = Map<string, Hdf5Object>;
interface Index {
  readonly layers: ReadonlyMap<string, Weights>;
  /** Other names under which a layer may be asked for. */
  readonly aliases: ReadonlyMap<string, Weights>;
}

function indexOf(source: ByteSource, root: Hdf5Object): Index {
  const path = source.name;
  // The order of Keras' own detection: layer names at the root, else a whole model's weights.
  const group = names(root, 'layer_names') ? root : root.get('model_weights');
  const layerNames = group && names(group, 'layer_names');
  if (group === undefined || layerNames === undefined) {
    const newer = root.get('layers') ?? root.get('_layer_checkpoint_dependencies');
    const found = newer
      ? 'the newer `.weights.h5` layout of Keras 2.12 and later'
      : 'an HDF5 file without the `layer_names` of Keras';
    throw new PhospheneError('bad-file', `${path}: is ${found}; ${FORMATS}`, { path, members: root.members });
  }
  const layers = new Map<string, Weights>();
  const aliases = new Map<string, Weights>();
  let total = 0;
  for (const layer of layerNames) {
    const stored = group.get(layer);
    const weightNames = stored && names(stored, 'weight_names');
    if (stored === undefined || weightNames === undefined) {
      throw new PhospheneError(
        'bad-file',
        `${path}: names the layer \`${layer}\` and does not hold it; the file is damaged`,
        { path, layer },
      );
    }
    // A nested model is one entry whose weights belong to several layers: their prefixes tell.
    const owners = byOwner(weightNames);
    // Each weight takes far more than 64 bytes in the file, unless a hostile file names the same ones again and again.
    total += weightNames.length;
    if (total * 64 > source.size) {
      throw new PhospheneError('bad-file', `${path}: names more weights than the file can hold; it is damaged`, {
        path,
      });
    }
    for (const [owner, members] of owners) {
      const weights: Weights = new Map();
      for (const name of members) {
        const dataset = stored.get(name);
        if (dataset?.kind !== 'dataset') {
          throw new PhospheneError(
            'bad-file',
            `${path}: the weight \`${name}\` of layer \`${layer}\` is missing; the file is damaged`,
            { path, layer, weight: name },
          );
        }
        weights.set(unused(plainName(name), weights), dataset);
      }
      const inner = owner.split('/').at(-1)!;
      const nested =
        owners.size > 1 ? (layers.has(inner) || layerNames.includes(inner) ? `${layer}/${inner}` : inner) : layer;
      layers.set(unused(nested, layers), weights);
      // A nested model with one layer looks like a layer; it answers to the inner layer's name as well.
      if (inner !== '' && !aliases.has(inner)) aliases.set(inner, weights);
    }
  }
  return { layers, aliases };
}

/** Weight names by what stands before their last slash, in order. */
function byOwner(names: readonly string[]): Map<string, string[]> {
  const owners = new Map<string, string[]>();
  for (const name of names) {
    const owner = name.split('/').slice(0, -1).join('/');
    const list = owners.get(owner);
    if (list) list.push(name);
    else owners.set(owner, [name]);
  }
  return owners;
}

/** The strings of an attribute, joined from `name0`, `name1`, … if it was too long for one. */
function names(object: Hdf5Object, attribute: string): readonly string[] | undefined {
  const whole = object.strings(attribute);
  if (whole !== undefined) return whole;
  const parts: string[] = [];
  for (let i = 0; ; i++) {
    const part = object.strings(`${attribute}${i}`);
    if (part === undefined) return i === 0 ? undefined : parts;
    parts.push(...part);
  }
}

/** `conv1_conv/kernel:0` → `kernel`; Keras 1 wrote `block1_conv1_W_1:0`. */
function plainName(name: string): string {
  const last = name.split('/').at(-1)!.replace(/:\d+$/, '');
  const old = /_(W|b|gamma|beta|running_mean|running_std)(_\d+)?$/.exec(last)?.[1];
  if (old === undefined) return last;
  return { W: 'kernel', b: 'bias', running_mean: 'moving_mean', running_std: 'moving_variance' }[old] ?? old;
}

function unused(name: string, taken: ReadonlyMap<string, unknown>): string {
  let free = name;
  for (let i = 1; taken.has(free); i++) free = `${name}_${i}`;
  return free;
}

function checkFinite(path: string, layer: string, weight: string, { data }: Tensor<'float32'>): void {
  let count = 0;
  let first = -1;
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i]!)) continue;
    if (count++ === 0) first = i;
  }
  if (count === 0) return;
  throw new PhospheneError(
    'bad-weights',
    `${path}: weight \`${weight}\` of layer \`${layer}\` has ${count} of ${data.length} numbers that are NaN or infinite, the first at index ${first}; the training diverged or the file is damaged`,
    { path, layer, weight, count, first },
  );
}
