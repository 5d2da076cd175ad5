/** @file The weights of a TensorFlow.js model: a manifest of groups, each of which lies in shards one behind the other. */
import { PhospheneError } from '../../errors.ts';
import { type Constant, type Dims, int64, sizeOf, tensor, type Tensor } from '../../ir/tensor.ts';
import { fromHalf } from '../half.ts';
import { sha256, type Source } from '../source.ts';
import { isRecord } from '../json.ts';

/** The weights of a model, by name. Their numbers are read when they are asked for. */
export interface ManifestWeights {
  readonly names: readonly string[];
  /** The shape of a weight, or undefined if there is none of that name. */
  dims(name: string): Dims | undefined;
  /** A weight as a constant: whole numbers as int64, all others as float32. Small ones are read at once. Throws as {@link read}. */
  constant(name: string): Promise<Constant | undefined>;
  /** The numbers of a weight. Throws `bad-file` if its shards are missing or too short, `bad-weights` for NaN, `too-large`. */
  read(name: string): Promise<Tensor | undefined>;
  /** A digest of all bytes of all shards. */
  digest(): Promise<string>;
  close(): Promise<void>;
}

/** Where the shards are: beside the model's file, or within it. */
export interface Shards {
  /** What the model is called in messages. */
  readonly file: string;
  open(path: string): Promise<Source | undefined>;
}

/** How numbers are held in a shard. */
interface Stored {
  readonly bytes: number;
  readonly decode: (view: DataView, at: number) => number;
}

const stored: Readonly<Record<string, Stored>> = {
  float32: { bytes: 4, decode: (view, at) => view.getFloat32(at, true) },
  float16: { bytes: 2, decode: (view, at) => fromHalf(view.getUint16(at, true)) },
  int32: { bytes: 4, decode: (view, at) => view.getInt32(at, true) },
  uint8: { bytes: 1, decode: (view, at) => view.getUint8(at) },
  uint16: { bytes: 2, decode: (view, at) => view.getUint16(at, true) },
  bool: { bytes: 1, decode: (view, at) => view.getUint8(at) },
};

interface Entry {
  readonly name: string;
  readonly dims: Dims;
  readonly dtype: string;
  /** How its numbers lie in the shards; undefined for strings and the like, which are never read. */
  readonly as: Stored | undefined;
  /** What makes numbers of stored whole ones. */
  readonly scale: number;
  readonly shift: number;
  readonly group: number;
  readonly offset: number;
  readonly bytes: number;
}

/** Real manifests have some thousand weights in some hundred shards. */
const MOST_WEIGHTS = 1 << 17;
const MOST_SHARDS = 1 << 13;
/** Weights of no more elements are read at once: shapes and axes depend on them. */
const SMALL = 1 << 10;
/** No published network of convolutions has more, as float32. */
const MOST_BYTES = 4 * 2 ** 30;

/**
 * The weights that a manifest lists. Only the manifest is looked at, and the lengths of texts among the weights. Throws `bad-file`
 * if it is none, `too-large`.
 *
 * @example
 * const weights = await manifestWeights(model.weightsManifest, { file: 'model.json', open: (path) => source.sibling(path) });
 * await weights.read('conv1/kernel'); // { dtype: 'float32', dims: [3, 3, 3, 8], … }
 */
export async function manifestWeights(manifest: unknown, shards: Shards): Promise<ManifestWeights> {
  const { file } = shards;
  const fault = (what: string): PhospheneError => badFile(file, what);
  if (!Array.isArray(manifest)) throw fault('its `weightsManifest` is no list of groups of weights');
  const groups: Group[] = [];
  const entries = new Map<string, Entry>();
  for (const [index, group] of (manifest as unknown[]).entries()) {
    if (!isRecord(group) || !isStrings(group['paths']) || !Array.isArray(group['weights']))
      throw fault(`group ${index} of its \`weightsManifest\` has no paths or no weights`);
    if (groups.reduce((n, g) => n + g.paths.length, group['paths'].length) > MOST_SHARDS)
      throw fault(`its weights lie in more than ${MOST_SHARDS} files`);
    const bytes = new Group(group['paths'], shards);
    groups.push(bytes);
    let offset = 0;
    for (const one of group['weights'] as unknown[]) {
      const entry = entryOf(file, one, index, offset);
      if (entries.has(entry.name)) throw fault(`it has two weights with the name \`${entry.name}\``);
      if (entries.size >= MOST_WEIGHTS) throw fault(`it has more than ${MOST_WEIGHTS} weights`);
      const length = entry.dtype === 'string' ? await textBytes(bytes, entry) : entry.bytes;
      entries.set(entry.name, { ...entry, bytes: length });
      offset += length;
    }
  }
  const total = [...entries.values()].reduce((sum, { dims }) => sum + 4 * sizeOf(dims), 0);
  if (!(total <= MOST_BYTES))
    throw new PhospheneError('too-large', `${file}: its weights take ${total} bytes; ${MOST_BYTES} can be read`, {
      path: file,
      bytes: total,
    });

  const numbersOf = async (entry: Entry): Promise<Tensor> => {
    const { name, dims, as, scale, shift } = entry;
    if (!as)
      throw new PhospheneError(
        'unsupported-op',
        `${file}: the weight \`${name}\` is of ${entry.dtype}, which is not supported`,
        { path: file, weight: name },
      );
    const bytes = await groups[entry.group]!.read(entry.offset, entry.bytes, name);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const count = sizeOf(dims);
    if (entry.dtype === 'bool') return tensor('bool', dims, Uint8Array.from(bytes, Number));
    const at = (i: number): number => as.decode(view, i * as.bytes) * scale + shift;
    if (isWhole(entry)) {
      const whole = Array.from({ length: count }, (_, i) => Math.round(at(i)));
      if (!whole.every(Number.isSafeInteger))
        throw badWeights(file, name, 'has values that are no whole numbers; the file is damaged');
      return int64(whole, dims);
    }
    const data = new Float32Array(count);
    if (as === stored['float32'] && LITTLE) new Uint8Array(data.buffer).set(bytes);
    else for (let i = 0; i < count; i++) data[i] = at(i);
    if (data.some(Number.isNaN))
      throw badWeights(file, name, 'has values that are NaN; the training diverged or the file is damaged');
    return tensor('float32', dims, data);
  };
  return {
    names: [...entries.keys()],
    dims: (name) => entries.get(name)?.dims,
    async constant(name) {
      const entry = entries.get(name);
      if (!entry) return undefined;
      const { dims } = entry;
      if (sizeOf(dims) <= SMALL) return numbersOf(entry);
      const dtype = entry.dtype === 'bool' ? 'bool' : isWhole(entry) ? 'int64' : 'float32';
      return { dtype, dims, load: () => numbersOf(entry) };
    },
    async read(name) {
      const entry = entries.get(name);
      return entry && numbersOf(entry);
    },
    async digest() {
      const all = await Promise.all(groups.map((group) => group.digest()));
      return sha256(new TextEncoder().encode(all.join('\n')));
    },
    close: async () => void (await Promise.all(groups.map((group) => group.close()))),
  };
}

const LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

function isWhole({ dtype }: Entry): boolean {
  return dtype === 'int32' || dtype === 'bool' || dtype === 'uint8' || dtype === 'uint16';
}

/** One weight of the manifest, with what its quantisation says. */
function entryOf(file: string, json: unknown, group: number, offset: number): Entry {
  if (!isRecord(json) || typeof json['name'] !== 'string') throw badFile(file, 'one of its weights has no name');
  const { name, shape, dtype, quantization } = json;
  const fault = (what: string): PhospheneError => badFile(file, `its weight \`${name}\` ${what}`);
  if (!isDims(shape)) throw fault(`has the shape ${JSON.stringify(shape)}`);
  if (typeof dtype !== 'string') throw fault('has no dtype');
  const count = sizeOf(shape);
  if (!Number.isSafeInteger(count * 8)) throw fault(`has the shape [${shape.join(', ')}]; no file can hold it`);
  let [as, scale, shift] = [Object.hasOwn(stored, dtype) ? stored[dtype] : undefined, 1, 0];
  if (quantization !== undefined && quantization !== null) {
    if (!isRecord(quantization)) throw fault('has a quantization that is none');
    const { dtype: packed, scale: by, min } = quantization;
    if (packed !== 'float16' && packed !== 'uint8' && packed !== 'uint16')
      throw fault(`is quantised to ${JSON.stringify(packed)}; what is known is uint8, uint16 and float16`);
    as = stored[packed];
    if (packed !== 'float16') {
      if (!isFinite(by) || !isFinite(min)) throw fault('is quantised without a scale and a min');
      [scale, shift] = [by, min];
    }
  }
  const bytes = dtype === 'complex64' ? 8 : as?.bytes;
  if (bytes === undefined && dtype !== 'string') throw fault(`is of ${JSON.stringify(dtype)}, which is not known`);
  return { name, dims: shape, dtype, as, scale, shift, group, offset, bytes: (bytes ?? 0) * count };
}

/** The bytes that texts take: each has its length before it. */
async function textBytes(group: Group, { name, dims, offset }: Entry): Promise<number> {
  let at = offset;
  const count = sizeOf(dims);
  if (count > MOST_WEIGHTS) throw badFile(group.file, `its weight \`${name}\` has ${count} texts`);
  for (let i = 0; i < count; i++) {
    const bytes = await group.read(at, 4, name);
    at += 4 + new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  }
  return at - offset;
}

/** The bytes of one group: its shards, one behind the other. */
class Group {
  readonly paths: readonly string[];
  readonly #shards: Shards;
  #opened: Promise<readonly Source[]> | undefined;

  constructor(paths: readonly string[], shards: Shards) {
    this.paths = paths;
    this.#shards = shards;
  }

  get file(): string {
    return this.#shards.file;
  }

  /** A part of the group. Throws `bad-file` if its shards do not have so much. */
  async read(offset: number, length: number, weight: string): Promise<Uint8Array> {
    const sources = await this.#all();
    const size = sources.reduce((sum, source) => sum + source.size, 0);
    if (!(offset + length <= size))
      throw badFile(
        this.file,
        `the weight \`${weight}\` ends at byte ${offset + length} of ${this.#names()}, which ${sources.length === 1 ? 'has' : 'have'} ${size}; ${sources.length === 1 ? 'it is' : 'they are'} cut short or of another model, so fetch ${sources.length === 1 ? 'it' : 'them'} again`,
      );
    const parts: Uint8Array[] = [];
    let start = 0;
    for (const source of sources) {
      const from = Math.max(offset, start);
      const to = Math.min(offset + length, start + source.size);
      if (from < to) parts.push(await source.read(from - start, to - from));
      start += source.size;
    }
    if (parts.length === 1) return parts[0]!;
    const all = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  async digest(): Promise<string> {
    const sources = await this.#all();
    return (await Promise.all(sources.map(async (s) => `${s.size} ${await s.digest()}`))).join('\n');
  }

  async close(): Promise<void> {
    const sources = await this.#opened?.catch(() => []);
    await Promise.all((sources ?? []).map((source) => source.close()));
  }

  #names(): string {
    const [first] = this.paths;
    return this.paths.length === 1 ? `\`${first}\`` : `the ${this.paths.length} shards from \`${first}\` on`;
  }

  #all(): Promise<readonly Source[]> {
    return (this.#opened ??= this.#open());
  }

  async #open(): Promise<readonly Source[]> {
    const sources: Source[] = [];
    for (const path of this.paths) {
      const source = await this.#shards.open(path);
      if (!source)
        throw new PhospheneError(
          'missing-weights',
          `${this.file}: its weights lie in \`${path}\`, which is not beside it; put all its shards into the same folder under their names`,
          { path: this.file, missing: path },
        );
      sources.push(source);
    }
    return sources;
  }
}

function badWeights(file: string, name: string, what: string): PhospheneError {
  return new PhospheneError('bad-weights', `${file}: weight \`${name}\` ${what}`, { path: file, weight: name });
}

function badFile(file: string, what: string): PhospheneError {
  return new PhospheneError('bad-file', `${file}: ${what}`, { path: file });
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((v) => typeof v === 'string');
}

function isDims(value: unknown): value is Dims {
  return Array.isArray(value) && value.length <= 8 && value.every((d) => Number.isInteger(d) && (d as number) >= 0);
}

function isFinite(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
