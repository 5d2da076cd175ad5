/** @file The weights of an ONNX file as constants: small ones at once, the others where they lie, in it or in a file beside it. */
import { PhospheneError } from '../../errors.ts';
import { decodeTensor, dtypeOf } from '../../ir/onnx.ts';
import { type TensorProto, TensorProto_DataLocation as Location } from '../../ir/onnx_pb.ts';
import { arrayTypes, type Constant, type DType, type Dims, sizeOf, tensor, type Tensor } from '../../ir/tensor.ts';
import { checkRange, type Source } from '../source.ts';
import { THIS_FILE } from './outline.ts';
import { held, heldAs } from './precision.ts';

/** Constants of no more bytes are read when the model is opened: the shapes of others may depend on them. */
const SMALL = 1 << 12;
/** What all of these may take together. */
const MOST_AT_ONCE = 1 << 26;

/** The constants of a file. */
export interface Weights {
  /** Those that `tensors` hold or refer to, by name. Throws `bad-file`, `bad-weights`, `filesystem`, `too-large`. */
  constants(tensors: readonly TensorProto[]): Promise<Map<string, Constant>>;
  /** The files that hold weights besides the model itself, in the order in which they were met. */
  readonly files: readonly Source[];
}

/** The weights of the model in `source`. */
export function weightsOf(source: Source): Weights {
  const neighbours = new Map<string, Source>();
  let atOnce = 0;
  let referred = 0;

  const fileOf = async (location: string, what: string): Promise<Source> => {
    if (location === THIS_FILE) return source;
    const known = neighbours.get(location);
    if (known) return known;
    const found = await source.sibling(location);
    if (!found)
      throw new PhospheneError(
        'bad-file',
        `${source.name}: the weights of ${what} lie in \`${location}\`, which is not beside it; put that file into the same folder under that name, or export the model as one file`,
        { path: source.name, missing: location },
      );
    neighbours.set(location, found);
    return found;
  };

  const constantOf = async (proto: TensorProto): Promise<Constant> => {
    const what = `tensor \`${proto.name ?? ''}\``;
    if (proto.dataLocation !== Location.EXTERNAL && proto.externalData.length === 0)
      return checked(source.name, what, held(decodeTensor(proto)));
    const { dtype, dims, count } = declared(source.name, what, proto);
    const place = new Map(proto.externalData.map(({ key, value }) => [key ?? '', value ?? '']));
    const file = await fileOf(place.get('location') ?? THIS_FILE, what);
    const needed = count * arrayTypes[dtype].BYTES_PER_ELEMENT;
    const offset = wholeNumber(source.name, what, place.get('offset'), 0);
    const length = wholeNumber(source.name, what, place.get('length'), needed);
    if (length !== needed)
      throw new PhospheneError(
        'bad-file',
        `${source.name}: ${what} of [${dims.join(', ')}] needs ${needed} bytes, ${length} are given`,
        { path: source.name },
      );
    checkRange(file.name, file.size, offset, length);
    referred += length;
    const load = async (): Promise<Tensor> =>
      checked(source.name, what, held(fromBytes(dtype, dims, await file.read(offset, length))));
    if (length > SMALL) return { dtype: heldAs(dtype), dims, load };
    atOnce += length;
    if (atOnce > MOST_AT_ONCE) throw repeated(source.name);
    return load();
  };

  return {
    get files() {
      return [...neighbours.values()];
    },
    async constants(tensors) {
      const constants = new Map<string, Constant>();
      for (const proto of tensors) {
        const name = proto.name ?? '';
        if (constants.has(name))
          throw new PhospheneError('bad-file', `${source.name}: two of its tensors have the name \`${name}\``, {
            path: source.name,
          });
        constants.set(name, await constantOf(proto));
      }
      // Weights may be shared; more than some times all the bytes there are is a trap.
      const there = [source, ...neighbours.values()].reduce((sum, { size }) => sum + size, 0);
      if (referred > 4 * there) throw repeated(source.name);
      return constants;
    },
  };
}

function declared(file: string, what: string, proto: TensorProto): { dtype: DType; dims: Dims; count: number } {
  const dims = proto.dims.map(Number);
  const count = sizeOf(dims);
  if (dims.some((d) => d < 0) || !Number.isSafeInteger(count * 8))
    throw new PhospheneError('bad-file', `${file}: ${what}: impossible dims [${dims.join(', ')}]`, { path: file });
  return { dtype: dtypeOf(proto.dataType, what), dims, count };
}

function wholeNumber(file: string, what: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new PhospheneError('bad-file', `${file}: ${what}: \`${text}\` is no place in a file`, { path: file });
  return value;
}

/** The numbers in little-endian bytes; not copied if nothing else uses these. */
function fromBytes(dtype: DType, dims: Dims, bytes: Uint8Array): Tensor {
  const own = bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
  return tensor(dtype, dims, new arrayTypes[dtype](own.buffer, own.byteOffset, sizeOf(dims)));
}

/** Refuses what is not a number: every picture would be lost to it. Infinity has its uses, for example as padding of a maximum. */
function checked(file: string, what: string, found: Tensor): Tensor {
  if (found.data instanceof Float32Array && found.data.some(Number.isNaN))
    throw new PhospheneError(
      'bad-weights',
      `${file}: ${what} has values that are NaN; the training diverged or the file is damaged`,
      { file, tensor: what },
    );
  return found;
}

function repeated(file: string): PhospheneError {
  return new PhospheneError('too-large', `${file}: its tensors refer to the same bytes again and again`, {
    path: file,
  });
}
