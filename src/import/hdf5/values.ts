/** @file What an element is and how many there are: dataspaces, datatypes, attributes, and the strings they hold. */
import { fromHalf } from '../half.ts';
import { type ByteSource, Cursor, cursorAt, damaged, textOf } from './bytes.ts';
import { MESSAGE, type Message, refuseDense } from './header.ts';

/** The kinds of element that weights and their attributes use. `size` is in bytes. */
export type ElementType =
  | { readonly kind: 'float' | 'int' | 'uint'; readonly size: number; readonly littleEndian: boolean }
  | { readonly kind: 'string' | 'vlen-string'; readonly size: number }
  | { readonly kind: 'other'; readonly size: number; readonly what: string };
type NumberType = Extract<ElementType, { littleEndian: boolean }>;

const CLASSES = [
  'integer',
  'float',
  'time',
  'string',
  'bit field',
  'opaque',
  'compound',
  'reference',
  'enum',
  'variable-length',
  'array',
];

/** Axis lengths; a scalar has none. */
export function readDataspace(name: string, body: Uint8Array): number[] {
  const c = new Cursor(name, body);
  const version = c.u8();
  const rank = c.u8();
  c.u8();
  if (version !== 1 && version !== 2)
    throw damaged(name, `an HDF5 dataspace has version ${version}; the file is damaged`);
  if (version === 2 && c.u8() === 2) return [0];
  if (version === 1) c.skip(5);
  if (rank > 32) throw damaged(name, `an HDF5 dataset has ${rank} axes; the file is damaged`);
  return Array.from({ length: rank }, () => c.u64());
}

export function readDatatype(name: string, body: Uint8Array): ElementType {
  const c = new Cursor(name, body);
  const kind = c.u8() & 15;
  const bits = c.u8();
  c.skip(2);
  const size = c.u32();
  if (size === 0) throw damaged(name, 'an HDF5 element has no size; the file is damaged');
  if (kind === 0 && [1, 2, 4, 8].includes(size)) {
    return { kind: bits & 8 ? 'int' : 'uint', size, littleEndian: (bits & 1) === 0 };
  }
  if (kind === 1) {
    const layout = [c.u16(), c.u16(), c.u8(), c.u8(), c.u8(), c.u8(), c.u32()].join(' ');
    // Bit offset, precision, exponent at, exponent bits, mantissa at, mantissa bits, bias: IEEE 754 and nothing else.
    const ieee = { 2: '0 16 10 5 0 10 15', 4: '0 32 23 8 0 23 127', 8: '0 64 52 11 0 52 1023' }[size];
    if (layout === ieee && !(bits & 0x40)) return { kind: 'float', size, littleEndian: (bits & 1) === 0 };
  }
  if (kind === 3) return { kind: 'string', size };
  if (kind === 9 && (bits & 15) === 1 && size === 16) return { kind: 'vlen-string', size };
  return { kind: 'other', size, what: `${CLASSES[kind] ?? `class ${kind}`} of ${size} bytes` };
}

/** An attribute as it stands in the file; its value is decoded when asked for. */
export interface Attribute {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly bytes: Uint8Array;
}

export function readAttributes(source: ByteSource, messages: readonly Message[]): Map<string, Attribute> {
  const attributes = new Map<string, Attribute>();
  for (const { type, body } of messages) {
    if (type === MESSAGE.attributeInfo) refuseDense(source, body, 2, 'attributes are');
    if (type !== MESSAGE.attribute) continue;
    const c = new Cursor(source.name, body);
    const version = c.u8();
    const flags = c.u8();
    if (version < 1 || version > 3)
      throw damaged(source.name, `an HDF5 attribute has version ${version}; the file is damaged`);
    if (version > 1 && flags & 3)
      throw damaged(source.name, 'an attribute has a committed HDF5 type, which is not read');
    const sizes = [c.u16(), c.u16(), c.u16()];
    if (version === 3) c.u8();
    const [name, datatype, dataspace] = sizes.map((size) => {
      const bytes = c.take(size);
      // Version 1 pads each part to 8 bytes.
      if (version === 1) c.skip(-size & 7);
      return bytes;
    });
    const attribute = {
      name: textOf(name!),
      type: readDatatype(source.name, datatype!),
      dims: readDataspace(source.name, dataspace!),
      bytes: c.take(c.left),
    };
    attributes.set(attribute.name, attribute);
  }
  return attributes;
}

/** The strings of an attribute, in row-major order; none for an empty one, whatever its type (Keras stores empty lists as float64). */
export function stringsOf(source: ByteSource, { name, type, dims, bytes }: Attribute): string[] {
  const count = dims.reduce((a, b) => a * b, 1);
  if (count === 0) return [];
  if (type.kind !== 'string' && type.kind !== 'vlen-string')
    throw damaged(source.name, `attribute \`${name}\` should hold text and does not`);
  if (count * type.size > bytes.length)
    throw damaged(source.name, `attribute \`${name}\` is cut short; the file is damaged`);
  const c = new Cursor(source.name, bytes);
  if (type.kind === 'string') return Array.from({ length: count }, () => textOf(c.take(type.size)));
  const heaps = new Map<number, Map<number, Uint8Array>>();
  // Many pointers to one long string would multiply a small file into gigabytes; honest files point to each string once.
  let budget = source.size;
  return Array.from({ length: count }, () => {
    const length = c.u32();
    const heapAt = c.address();
    const index = c.u32();
    if (length === 0) return '';
    if (heapAt === undefined) throw damaged(source.name, `attribute \`${name}\` points nowhere; the file is damaged`);
    if (!heaps.has(heapAt)) heaps.set(heapAt, readGlobalHeap(source, heapAt));
    const text = heaps.get(heapAt)!.get(index);
    budget -= length;
    if (text === undefined || text.length < length || budget < 0)
      throw damaged(source.name, `the text of attribute \`${name}\` is missing; the file is damaged`);
    return textOf(text.subarray(0, length));
  });
}

function readGlobalHeap(source: ByteSource, address: number): Map<number, Uint8Array> {
  const head = cursorAt(source, address, 16).expect('GCOL').skip(4);
  const c = cursorAt(source, address, head.u64()).skip(16);
  const objects = new Map<number, Uint8Array>();
  while (c.left >= 16) {
    const index = c.u16();
    c.skip(6);
    const size = c.u64();
    // Index 0 is the free space at the end.
    if (index === 0) break;
    objects.set(index, c.take(size));
    c.skip(Math.min(-size & 7, c.left));
  }
  return objects;
}

/** `count` elements as float32. Throws `bad-file` for elements that are not numbers. */
export function toFloat32(
  name: string,
  what: string,
  type: ElementType,
  bytes: Uint8Array,
  count: number,
): Float32Array {
  if (!isNumber(type)) throw damaged(name, `${what} holds ${type.kind === 'other' ? type.what : 'text'}, not numbers`);
  const { kind, size, littleEndian } = type;
  const asStored = kind === 'float' && size === 4 && littleEndian && isLittleEndian;
  // Bytes that were read for this alone need no copy, which for large files is memory that is missed.
  if (asStored && bytes.buffer.byteLength === bytes.length && bytes.length === count * 4)
    return new Float32Array(bytes.buffer as ArrayBuffer);
  const values = new Float32Array(count);
  if (asStored) {
    new Uint8Array(values.buffer).set(bytes.subarray(0, count * 4));
    return values;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const get = getter(view, kind, size, littleEndian);
  for (let i = 0; i < count; i++) values[i] = get(i * size);
  return values;
}

function isNumber(type: ElementType): type is NumberType {
  return type.kind === 'float' || type.kind === 'int' || type.kind === 'uint';
}

function getter(view: DataView, kind: NumberType['kind'], size: number, littleEndian: boolean): (at: number) => number {
  switch (`${kind}${size * 8}`) {
    case 'float16':
      return (at) => fromHalf(view.getUint16(at, littleEndian));
    case 'float32':
      return (at) => view.getFloat32(at, littleEndian);
    case 'float64':
      return (at) => view.getFloat64(at, littleEndian);
    case 'int8':
      return (at) => view.getInt8(at);
    case 'int16':
      return (at) => view.getInt16(at, littleEndian);
    case 'int32':
      return (at) => view.getInt32(at, littleEndian);
    case 'int64':
      return (at) => Number(view.getBigInt64(at, littleEndian));
    case 'uint8':
      return (at) => view.getUint8(at);
    case 'uint16':
      return (at) => view.getUint16(at, littleEndian);
    case 'uint32':
      return (at) => view.getUint32(at, littleEndian);
    default:
      return (at) => Number(view.getBigUint64(at, littleEndian));
  }
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
