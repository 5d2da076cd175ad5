/**
 * @file HDF5, as far as h5py and Keras write it, in plain TypeScript: nothing is read that is not asked for.
 *
 * libhdf5 as WebAssembly would read more kinds of file, but one damaged file aborts its instance for the whole process. Here a
 * damaged file can only end in a `bad-file` error: each read is bounded by the file, each walk by what it has seen.
 */
import { bytesAt, type ByteSource, damaged, metered } from './hdf5/bytes.ts';
import { readDataset, shapeOf } from './hdf5/data.ts';
import { MESSAGE, type Message, readHeader, readSuperblock, SIGNATURE } from './hdf5/header.ts';
import { readLinks } from './hdf5/links.ts';
import { type Attribute, readAttributes, stringsOf } from './hdf5/values.ts';
import { type Tensor, tensor } from '../ir/tensor.ts';

export { type ByteSource, bytesSource } from './hdf5/bytes.ts';

/** An object of the file: a group (with members) or a dataset (with numbers); both have attributes. */
export interface Hdf5Object {
  readonly kind: 'group' | 'dataset';
  /** Names of the members, as the file orders them; empty for a dataset. */
  readonly members: readonly string[];
  readonly attributes: readonly string[];
  /** The object at a path of member names below this one, or undefined if there is none. Soft and external links are not followed. */
  get(path: string): Hdf5Object | undefined;
  /** The strings of an attribute; undefined if there is no such attribute, none if it is empty. */
  strings(attribute: string): readonly string[] | undefined;
  /** The shape of a dataset, without reading its numbers; a group has none. Throws `bad-file`. */
  readonly dims: readonly number[];
  /** The numbers of a dataset as float32, whatever float or integer type the file holds. Throws `bad-file`. */
  read(): Tensor<'float32'>;
}

/** Whether these first bytes are those of an HDF5 file. */
export function isHdf5(head: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => head[i] === byte);
}

/**
 * The root group of an HDF5 file. Throws `bad-file` for a file that is truncated, damaged, or of a kind that is not read.
 *
 * @example
 * openHdf5(bytesSource('toy.h5', bytes)).get('conv1/conv1/kernel:0')?.read().dims; // [3, 3, 3, 8]
 */
export function openHdf5(source: ByteSource): Hdf5Object {
  if (!isHdf5(bytesAt(source, 0, Math.min(8, source.size)))) throw damaged(source.name, 'is not an HDF5 file');
  const structure = metered(source);
  return new StoredObject(source, structure, readSuperblock(structure), '/');
}

class StoredObject implements Hdf5Object {
  readonly kind: 'group' | 'dataset';
  readonly #source: ByteSource;
  /** The same bytes, for all that is read of the file but numbers. */
  readonly #structure: ByteSource;
  readonly #path: string;
  readonly #messages: readonly Message[];
  #links: Map<string, number> | undefined;
  #attributes: Map<string, Attribute> | undefined;
  readonly #children = new Map<string, StoredObject>();

  constructor(source: ByteSource, structure: ByteSource, address: number, path: string) {
    this.#source = source;
    this.#structure = structure;
    this.#path = path;
    this.#messages = readHeader(structure, address);
    this.kind = this.#messages.some((m) => m.type === MESSAGE.layout) ? 'dataset' : 'group';
  }

  get members(): readonly string[] {
    return [...this.#linkMap().keys()];
  }

  get attributes(): readonly string[] {
    return [...this.#attributeMap().keys()];
  }

  get(path: string): StoredObject | undefined {
    const [name, ...rest] = path.split('/').filter((part) => part !== '');
    if (name === undefined) return this;
    const child = this.#child(name);
    return rest.length === 0 ? child : child?.get(rest.join('/'));
  }

  strings(attribute: string): readonly string[] | undefined {
    const found = this.#attributeMap().get(attribute);
    return found && stringsOf(this.#structure, found);
  }

  get dims(): readonly number[] {
    return this.kind === 'dataset' ? shapeOf(this.#structure, `\`${this.#path}\``, this.#messages) : [];
  }

  read(): Tensor<'float32'> {
    // A meter for each time: numbers may be read often.
    const { dims, data } = readDataset(metered(this.#source), `\`${this.#path}\``, this.#messages);
    return tensor('float32', dims, data);
  }

  #child(name: string): StoredObject | undefined {
    const known = this.#children.get(name);
    if (known) return known;
    const address = this.#linkMap().get(name);
    if (address === undefined) return undefined;
    const child = new StoredObject(
      this.#source,
      this.#structure,
      address,
      `${this.#path === '/' ? '' : this.#path}/${name}`,
    );
    this.#children.set(name, child);
    return child;
  }

  #linkMap(): Map<string, number> {
    return (this.#links ??= readLinks(this.#structure, this.#messages));
  }

  #attributeMap(): Map<string, Attribute> {
    return (this.#attributes ??= readAttributes(this.#structure, this.#messages));
  }
}
