/** @file Where the weights of Keras layers lie in HDF5: under layer names, or since Keras 2.12 under classes and numbers. */
import { PhospheneError } from '../../errors.ts';
import type { Dims, Tensor } from '../../ir/tensor.ts';
import type { ByteSource } from '../hdf5/bytes.ts';
import { type Hdf5Object, isHdf5, openHdf5 } from '../hdf5.ts';
import { budgetOf, datasetReader, readWeights } from '../keras-weights.ts';
import type { WeightSource } from './index.ts';
import type { Owner, Stored } from './topology.ts';

/** Weights in a file that can be read at once. */
export interface StoredWeights extends WeightSource {
  read(layer: Owner, weight: string, dims: Dims, index: number): Tensor<'float32'> | undefined;
}

/**
 * The weights in an HDF5 file of either layout. Throws `bad-file` if it is neither.
 *
 * @example
 * openWeights(await byteSource(source)).read({ name: 'conv1', stored: [] }, 'kernel', [3, 3, 3, 8], 0);
 */
export function openWeights(source: ByteSource): StoredWeights {
  // Whatever else it is, this says so.
  if (!isHdf5(source.read(0, Math.min(8, source.size)))) return byName(source);
  const root = openHdf5(source);
  return (CONTAINERS.some((name) => root.get(name)) ? byClass : byName)(source, root);
}

/** What the layers of a model lie under; the second is of Keras 2.12 to 2.14. */
const CONTAINERS = ['layers', '_layer_checkpoint_dependencies'] as const;

function byName(source: ByteSource): StoredWeights {
  const file = readWeights(source);
  return {
    source: source.name,
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

function byClass(source: ByteSource, root: Hdf5Object): StoredWeights {
  const read = datasetReader(source.name, budgetOf(source));
  return {
    source: source.name,
    read({ name, stored }: Owner, weight, dims, index) {
      let group: Hdf5Object | undefined = root;
      for (const step of stored) group = group && memberOf(group, step);
      const dataset = group?.get(`vars/${index}`);
      if (dataset !== undefined && dataset.kind !== 'dataset')
        throw new PhospheneError('bad-file', `${source.name}: weight ${index} of layer \`${name}\` is no array`, {
          path: source.name,
          layer: name,
        });
      return dataset && read(dataset, name, weight, dims);
    },
  };
}

/** The group of one layer among those of its model: by the name that it states, else by its class and number. */
function memberOf(model: Hdf5Object, { class: type, index, name }: Stored): Hdf5Object | undefined {
  const container = CONTAINERS.map((c) => model.get(c)).find((c) => c !== undefined);
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
