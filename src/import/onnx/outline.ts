/**
 * @file The outline of an ONNX file: the protobuf message without the weights, which stay where they are. Weights take nearly all
 * of a file's bytes, and neither the list of layers nor their shapes need them. So the wire format is walked over the source;
 * what is long and holds numbers is passed by, and replaced by ONNX's own reference to external data, here into the file itself.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { PhospheneError } from '../../errors.ts';
import { StringStringEntryProtoSchema } from '../../ir/onnx_pb.ts';
import type { Source } from '../source.ts';

/** The `location` of numbers that lie in the file itself. No file has this name. */
export const THIS_FILE = '';

/** Numbers of no more bytes are read with the outline: shapes, axes, small biases. */
const SMALL = 4096;
/** Bytes of the source that are held at a time. */
const WINDOW = 1 << 14;
/** Limits of the outline: real ones have some megabytes and some ten thousand messages. */
const MOST_BYTES = 1 << 26;
const MOST_MESSAGES = 1 << 18;
/** Messages within messages: a side of an If in a side of an If is four deeper. */
const DEEPEST = 64;

/** What becomes of a field: kept as it is, kept as numbers (by reference if long), or walked. All others are left out. */
type Fields = { readonly [field: number]: 'keep' | 'numbers' | Fields };

// The field numbers of onnx.proto.
const tensor: Fields = {
  1: 'keep', // dims
  2: 'keep', // data_type
  3: 'keep', // segment
  4: 'numbers', // float_data
  5: 'keep', // int32_data
  6: 'keep', // string_data
  7: 'keep', // int64_data
  8: 'keep', // name
  9: 'numbers', // raw_data
  10: 'numbers', // double_data
  11: 'keep', // uint64_data
  13: 'keep', // external_data
  14: 'keep', // data_location
};
const attribute: Fields = {
  1: 'keep', // name
  2: 'keep', // f
  3: 'keep', // i
  4: 'keep', // s
  5: tensor, // t
  get 6() {
    return graph; // g: a side of an If, or the body of a Loop
  },
  7: 'keep', // floats
  8: 'keep', // ints
  9: 'keep', // strings
  20: 'keep', // type
};
const node: Fields = {
  1: 'keep', // input
  2: 'keep', // output
  3: 'keep', // name
  4: 'keep', // op_type
  5: attribute,
  7: 'keep', // domain
  9: { 1: 'keep', 2: 'keep' }, // metadata_props
};
const graph: Fields = {
  1: node,
  2: 'keep', // name
  5: tensor, // initializer
  11: 'keep', // input
  12: 'keep', // output
};
const model: Fields = {
  1: 'keep', // ir_version
  2: 'keep', // producer_name
  3: 'keep', // producer_version
  7: graph,
  8: 'keep', // opset_import
  14: 'keep', // metadata_props
};

/** ONNX's field numbers of TensorProto: where its numbers lie instead. */
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;
const EXTERNAL = 1;

/**
 * The bytes of a ModelProto without long numbers. Throws `bad-file` if the source is no protobuf message or cut short, and
 * `too-large` if its outline is.
 */
export async function outlineOf(source: Source): Promise<Uint8Array> {
  const window = openWindow(source);
  let kept = 0;
  let messages = 0;

  const walk = async (fields: Fields, start: number, end: number, depth = 0): Promise<Uint8Array[]> => {
    if (++messages > MOST_MESSAGES) throw tooLarge(source.name);
    if (depth > DEEPEST)
      throw new PhospheneError(
        'too-large',
        `${source.name}: its graphs lie within graphs, deeper than any network needs`,
        {
          path: source.name,
        },
      );
    const out: Uint8Array[] = [];
    const keep = (bytes: Uint8Array): void => {
      kept += bytes.length;
      if (kept > MOST_BYTES) throw tooLarge(source.name);
      out.push(bytes.slice());
    };
    for (let at = start; at < end;) {
      let tag = window.varint(at, end);
      // Awaited only if it must be: there are ten thousands of fields, and a turn of the event loop for each is most of the time.
      if (tag instanceof Promise) tag = await tag;
      const [field, wire] = [Math.floor(tag.value / 8), tag.value % 8];
      const rule = fields[field];
      if (wire !== 2) {
        const length = wire === 0 ? (await window.varint(tag.end, end)).end - tag.end : wire === 1 ? 8 : 4;
        if (wire === 3 || wire === 4 || wire > 5 || tag.end + length > end || field === 0) throw malformed(source.name);
        if (rule) keep(await window.bytes(at, tag.end + length - at));
        at = tag.end + length;
        continue;
      }
      let length = window.varint(tag.end, end);
      if (length instanceof Promise) length = await length;
      const next = length.end + length.value;
      if (!(next <= end) || field === 0) throw malformed(source.name);
      if (rule === 'numbers' && length.value > SMALL) {
        for (const bytes of reference(length.end, length.value)) keep(bytes);
      } else if (typeof rule === 'object') {
        const inner = await walk(rule, length.end, next, depth + 1);
        const size = inner.reduce((sum, bytes) => sum + bytes.length, 0);
        out.push(varint(tag.value), varint(size), ...inner);
      } else if (rule) {
        const bytes = window.bytes(at, next - at);
        keep(bytes instanceof Promise ? await bytes : bytes);
      }
      at = next;
    }
    return out;
  };

  return joined(await walk(model, 0, source.size));
}

/** Fields of a TensorProto that say where in this file its numbers are. */
function reference(offset: number, length: number): Uint8Array[] {
  const entries = { location: THIS_FILE, offset: String(offset), length: String(length) };
  return [
    ...Object.entries(entries).flatMap(([key, value]) => {
      const entry = toBinary(StringStringEntryProtoSchema, create(StringStringEntryProtoSchema, { key, value }));
      return [varint(EXTERNAL_DATA * 8 + 2), varint(entry.length), entry];
    }),
    varint(DATA_LOCATION * 8),
    varint(EXTERNAL),
  ];
}

interface Window {
  bytes(at: number, length: number): Uint8Array | Promise<Uint8Array>;
  varint(at: number, end: number): Varint | Promise<Varint>;
}
interface Varint {
  readonly value: number;
  readonly end: number;
}

/** Reads of a few bytes each, one after the other, as few reads of the source. What is held is given at once. */
function openWindow(source: Source): Window {
  let held = new Uint8Array(0);
  let from = 0;
  const refill = async (at: number, length: number): Promise<Uint8Array> => {
    // Never more than is asked for and there: a length may be a lie.
    if (length > MOST_BYTES) throw tooLarge(source.name);
    held = new Uint8Array(await source.read(at, Math.max(length, Math.min(WINDOW, source.size - at))));
    from = at;
    return held.subarray(0, length);
  };
  const bytes = (at: number, length: number): Uint8Array | Promise<Uint8Array> =>
    at >= from && at + length <= from + held.length ? held.subarray(at - from, at - from + length) : refill(at, length);
  const decode = (some: Uint8Array, at: number): Varint => {
    let value = 0;
    for (let i = 0; i < some.length; i++) {
      value += (some[i]! & 0x7f) * 2 ** (7 * i);
      if (some[i]! < 0x80) return { value, end: at + i + 1 };
    }
    throw malformed(source.name);
  };
  return {
    bytes,
    varint(at, end) {
      const some = bytes(at, Math.max(0, Math.min(10, end - at)));
      return some instanceof Promise ? some.then((s) => decode(s, at)) : decode(some, at);
    },
  };
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  return Uint8Array.from([...bytes, rest]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function malformed(name: string): PhospheneError {
  return new PhospheneError(
    'bad-file',
    `${name}: not an ONNX model, or damaged or cut short; fetch or export it again`,
    { path: name },
  );
}

function tooLarge(name: string): PhospheneError {
  return new PhospheneError(
    'too-large',
    `${name}: even without its weights it has more than ${MOST_BYTES >> 20} MiB or ${MOST_MESSAGES} parts; no network of this size can be opened`,
    { path: name },
  );
}
