/** @file Hostile ONNX files: damaged bytes, damaged fields of the wire format, and well-formed files that say impossible things. */
import { clone, create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type AttributeProto,
  AttributeProto_AttributeType as Kind,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProtoSchema,
  type ValueInfoProto,
} from '../../src/ir/onnx_pb.ts';
import { Random } from '../../src/random.ts';
import { cases } from '../ir/cases.ts';
import { damage, type Damaged, HOSTILE, pick, spliced } from './bytes.ts';
import { sound } from './corpus.ts';
import type { Kind as FuzzKind } from './kind.ts';
import { throughOnnx } from './through.ts';

// Damage to the wire format.

/** Where a varint stands that is a length or a value, anywhere in the message. */
interface Field {
  readonly at: number;
  readonly end: number;
  readonly isLength: boolean;
}

function varint(bytes: Uint8Array, at: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: at + i + 1 };
  }
  return undefined;
}

/** All varints of a protobuf message; undefined where the bytes between `from` and `to` are none. */
function fieldsOf(bytes: Uint8Array, from = 0, to = bytes.length, depth = 0): Field[] | undefined {
  const fields: Field[] = [];
  let at = from;
  while (at < to) {
    const key = varint(bytes, at);
    if (!key || key.value < 8) return undefined;
    at = key.end;
    switch (key.value % 8) {
      case 0: {
        const number = varint(bytes, at);
        if (!number) return undefined;
        fields.push({ at, end: number.end, isLength: false });
        at = number.end;
        break;
      }
      case 1:
        at += 8;
        break;
      case 2: {
        const length = varint(bytes, at);
        if (!length || length.end + length.value > to) return undefined;
        fields.push({ at, end: length.end, isLength: true });
        const within =
          depth < 12 && length.value < 20_000 ? fieldsOf(bytes, length.end, length.end + length.value, depth + 1) : [];
        fields.push(...(within ?? []));
        at = length.end + length.value;
        break;
      }
      case 5:
        at += 4;
        break;
      default:
        return undefined;
    }
  }
  return at === to ? fields : undefined;
}

function encoded(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    bytes.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

function wired(random: Random, bytes: Uint8Array): Damaged {
  const fields = fieldsOf(bytes) ?? [];
  if (fields.length === 0) return damage(random, bytes);
  const { at, end, isLength } = pick(random, fields);
  const old = varint(bytes, at)!.value;
  const near = BigInt(Math.max(0, old + random.integer(7) - 3));
  const value = random.integer(2) === 0 ? near : pick(random, HOSTILE);
  const out = Buffer.concat([bytes.subarray(0, at), encoded(value), bytes.subarray(end)]);
  return {
    bytes: new Uint8Array(out),
    how: `the ${isLength ? 'length' : 'number'} at ${at} set from ${old} to ${value}`,
  };
}

// Damage to what the file says.

const FLOATS = [0, -0, 1, -1, NaN, Infinity, -Infinity, 1e-45, 3.4e38, -3.4e38, 0.5, 1e30];
const NAMES = [
  '',
  ' ',
  'image',
  'channel',
  'rate',
  'loss',
  'next',
  'gradient',
  'state/image',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '../../escape',
  'a/b',
  'CON',
  '\u0000',
  '\u001b[31m\u202e\n',
  '🙂',
  'x'.repeat(5000),
];
const OPERATORS: readonly string[] = [
  ...Object.keys(cases),
  ...'If Loop Scan LSTM NonZero Range EyeLike OneHot TopK RandomNormal QLinearConv SequenceEmpty Resize Upsample'.split(
    ' ',
  ),
  ...'Einsum GridSample NonMaxSuppression Nonsense __proto__'.split(' '),
  '',
];
const INTEGER_NAMES = [
  'axis',
  'group',
  'keepdims',
  'to',
  'blocksize',
  'num_outputs',
  'transA',
  'ceil_mode',
  'start',
  'end',
];
const LIST_NAMES = [
  'kernel_shape',
  'strides',
  'pads',
  'dilations',
  'axes',
  'perm',
  'output_padding',
  'output_shape',
  'split',
];

function hostileInt(random: Random): bigint {
  return random.integer(3) === 0 ? pick(random, HOSTILE) : BigInt(random.integer(12) - 3);
}

function hostileInts(random: Random, length: number): bigint[] {
  const count = pick(random, [length, length, length, length + 1, Math.max(0, length - 1), 0, 2 * length, 2000]);
  return Array.from({ length: count }, () => hostileInt(random));
}

function namesOf(graph: GraphProto): string[] {
  return [
    ...graph.input.map((i) => i.name),
    ...graph.initializer.map((t) => t.name),
    ...graph.node.flatMap((n) => n.output),
  ];
}

function attributeOf(random: Random): AttributeProto {
  const type = pick(random, [
    Kind.INT,
    Kind.INT,
    Kind.INTS,
    Kind.INTS,
    Kind.FLOAT,
    Kind.STRING,
    Kind.TENSOR,
    Kind.GRAPH,
  ]);
  const name =
    type === Kind.INTS
      ? pick(random, LIST_NAMES)
      : pick(random, [...INTEGER_NAMES, 'alpha', 'epsilon', 'auto_pad', 'mode', 'value']);
  return create(AttributeProtoSchema, {
    name,
    type,
    i: hostileInt(random),
    ints: hostileInts(random, 2),
    f: pick(random, FLOATS),
    s: new TextEncoder().encode(
      pick(random, ['SAME_UPPER', 'SAME_LOWER', 'VALID', 'NOTSET', 'reflect', 'linear', 'cubic', ...NAMES]),
    ),
    // Sometimes the type says that there is a tensor or a graph, and there is none.
    ...(random.integer(2) === 0 ? { t: tensorOf(random), g: create(GraphProtoSchema) } : {}),
  });
}

function tensorOf(random: Random, name = ''): TensorProto {
  const dims = Array.from({ length: random.integer(5) }, () => BigInt(random.integer(4)));
  const count = Number(dims.reduce((product, d) => product * d, 1n));
  const dataType = pick(random, [1, 1, 1, 6, 7, 9, 10, 11, 16, 8, 0, 99]);
  return create(TensorProtoSchema, {
    name,
    dims,
    dataType,
    ...(dataType === 7
      ? { int64Data: Array.from({ length: count }, () => hostileInt(random)) }
      : dataType === 1
        ? { floatData: Array.from({ length: count }, () => pick(random, FLOATS)) }
        : { int32Data: Array.from({ length: count }, () => random.integer(300) - 20) }),
  });
}

function changeAttribute(random: Random, node: NodeProto): string {
  const a = node.attribute.length > 0 ? pick(random, node.attribute) : undefined;
  if (!a || random.integer(5) === 0) {
    const added = attributeOf(random);
    node.attribute.push(added);
    return `${node.opType} given ${added.name}`;
  }
  const how = random.integer(8);
  if (how === 0) node.attribute = node.attribute.filter((other) => other !== a);
  else if (how === 1)
    a.type = pick(random, [
      Kind.FLOAT,
      Kind.INT,
      Kind.STRING,
      Kind.INTS,
      Kind.FLOATS,
      Kind.TENSOR,
      Kind.GRAPH,
      77 as Kind,
    ]);
  else if (how === 2) a.name = pick(random, [...INTEGER_NAMES, ...LIST_NAMES, ...NAMES]);
  else {
    a.i = hostileInt(random);
    a.f = pick(random, FLOATS);
    if (a.ints.length > 0 && random.integer(2) === 0) a.ints[random.integer(a.ints.length)] = hostileInt(random);
    else a.ints = hostileInts(random, a.ints.length);
    if (a.type === Kind.STRING) a.s = new TextEncoder().encode(pick(random, ['SAME_UPPER', 'VALID', ...NAMES]));
    if (a.t) changeTensor(random, a.t);
  }
  return `${node.opType}.${a.name} changed`;
}

function changeTensor(random: Random, t: TensorProto): string {
  const raw = t.rawData;
  switch (random.integer(9)) {
    case 0: {
      t.dims = hostileInts(random, t.dims.length);
      return `dims of ${t.name} changed`;
    }
    case 1: {
      // Impossible dims whose product fits.
      t.dims = [...t.dims, pick(random, [1n, -1n, 0n])];
      return `an axis added to ${t.name}`;
    }
    case 2:
      t.dataType = random.integer(20);
      return `type of ${t.name} changed`;
    case 3:
      t.rawData = raw.slice(0, random.integer(raw.length + 1));
      return `data of ${t.name} cut`;
    case 4: {
      const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
      for (let i = 0; i + 4 <= raw.length; i += 4)
        if (random.integer(4) === 0) view.setFloat32(i, pick(random, FLOATS), true);
      return `numbers of ${t.name} changed`;
    }
    case 5: {
      const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
      for (let i = 0; i + 8 <= raw.length; i += 8)
        if (random.integer(2) === 0) view.setBigInt64(i, hostileInt(random), true);
      return `whole numbers of ${t.name} changed`;
    }
    case 6: {
      const location = pick(random, [
        'model.onnx',
        '../../../etc/passwd',
        '/etc/passwd',
        '/dev/zero',
        '',
        'nothing.bin',
        '.',
      ]);
      t.dataLocation = 1;
      t.externalData = Object.entries({
        location,
        offset: String(hostileInt(random)),
        length: String(hostileInt(random)),
      }).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value }));
      return `${t.name} laid in another file, ${location}`;
    }
    case 7: {
      const fixed = random.integer(2) === 0 ? raw.slice() : new Uint8Array();
      Object.assign(t, tensorOf(random, t.name), fixed.length > 0 ? { rawData: fixed } : {});
      return `${t.name} replaced`;
    }
    default:
      t.name = pick(random, NAMES);
      return 'a weight renamed';
  }
}

function changeInfo(random: Random, info: ValueInfoProto, names: readonly string[]): string {
  const type = info.type?.value;
  switch (random.integer(5)) {
    case 0:
      info.name = pick(random, [...NAMES, ...names]);
      return 'an input or output renamed';
    case 1:
      if (type?.case === 'tensorType') type.value.elemType = random.integer(20);
      return 'type of an input or output changed';
    case 2:
      delete info.type;
      return 'an input or output without a type';
    default: {
      const dim = type?.case === 'tensorType' ? type.value.shape?.dim : undefined;
      if (!dim || dim.length === 0) return 'nothing changed';
      const how = random.integer(4);
      if (how === 0) dim.pop();
      else if (how === 1) dim.push(dim[0]!);
      else
        pick(random, dim).value =
          how === 2
            ? { case: 'dimValue', value: hostileInt(random) }
            : { case: 'dimParam', value: pick(random, NAMES) };
      return 'dims of an input or output changed';
    }
  }
}

function node(opType: string, input: string[], output: string[], attribute: AttributeProto[] = []): NodeProto {
  return create(NodeProtoSchema, { opType, input, output, attribute });
}

const int = (name: string, i: bigint): AttributeProto => create(AttributeProtoSchema, { name, type: Kind.INT, i });
const ints = (name: string, list: readonly bigint[]): AttributeProto =>
  create(AttributeProtoSchema, { name, type: Kind.INTS, ints: [...list] });

function int64s(name: string, list: readonly bigint[]): TensorProto {
  return create(TensorProtoSchema, { name, dataType: 7, dims: [BigInt(list.length)], int64Data: [...list] });
}

/** A little that asks for a lot: large constants, doubling chains, long chains. */
function bomb(random: Random, graph: GraphProto): string {
  const large = pick(random, [2n ** 20n, 2n ** 24n, 2n ** 28n, 2n ** 31n, 2n ** 40n]);
  const source = pick(random, namesOf(graph));
  const last = graph.node.at(-1);
  const target = last?.output[0] ?? 'out';
  if (last) last.output[0] = 'before';
  const put = (nodes: NodeProto[], constants: TensorProto[] = []): void => {
    graph.node.push(...nodes);
    graph.initializer.push(...constants);
  };
  const join = (from: string): NodeProto => node('Add', ['before', from], [target]);
  const length = pick(random, [8, 16, 24, 40, 64]);
  switch (random.integer(9)) {
    case 0:
      put([node('ConstantOfShape', ['bomb_shape'], ['bomb']), join('bomb')], [int64s('bomb_shape', [large])]);
      return `a constant of ${large}`;
    case 1: {
      // Each below any bound, but many.
      const side = pick(random, [2n ** 18n, 2n ** 22n, 2n ** 24n]);
      const made = Array.from({ length }, (_, i) => node('ConstantOfShape', ['bomb_shape'], [`c${i}`]));
      const bent = made.map((_, i) => node(pick(random, ['Cos', 'Exp', 'Neg', 'Sqrt']), [`c${i}`], [`d${i}`]));
      put(
        [...made, ...bent, node('Sum', ['before', ...bent.map((n) => n.output[0]!)], [target])],
        [int64s('bomb_shape', [side])],
      );
      return `${length} constants of ${side}`;
    }
    case 2:
      put(
        Array.from({ length }, (_, i) =>
          node('Concat', i === 0 ? [source, source] : [`c${i - 1}`, `c${i - 1}`], [`c${i}`], [int('axis', 0n)]),
        ).concat(join(`c${length - 1}`)),
      );
      return `doubled ${length} times`;
    case 3:
      put(
        [node('Expand', [source, 'bomb_shape'], ['bomb']), join('bomb')],
        [int64s('bomb_shape', [large, 1n, 1n, 1n, 1n])],
      );
      return `expanded to ${large}`;
    case 4:
      put(
        [node('Pad', ['before', 'bomb_pads'], [target])],
        [int64s('bomb_pads', [0n, 0n, large, 0n, 0n, 0n, 0n, pick(random, [0n, large, -large])])],
      );
      return `padded by ${large}`;
    case 5:
      put([node('Tile', ['before', 'bomb_repeats'], [target])], [int64s('bomb_repeats', [1n, 1n, large, 1n])]);
      return `tiled ${large} times`;
    case 6: {
      const op = pick(random, ['MaxPool', 'AveragePool']);
      put([
        node(
          op,
          ['before'],
          [target],
          [
            ints('kernel_shape', [pick(random, [1n, 2n, large]), 1n]),
            ints('strides', [pick(random, [1n, large]), 1n]),
            ints('pads', [pick(random, [0n, 1n, large]), 0n, 0n, 0n]),
            int('ceil_mode', BigInt(random.integer(2))),
          ],
        ),
      ]);
      return `${op} with a window of ${large}`;
    }
    case 7: {
      const many = pick(random, [300, 1000]);
      put(
        Array.from({ length: many }, (_, i) =>
          node(pick(random, ['Relu', 'Neg', 'Sigmoid']), [i === 0 ? 'before' : `c${i - 1}`], [`c${i}`]),
        ).concat(node('Identity', [`c${many - 1}`], [target])),
      );
      return `${many} nodes in a chain`;
    }
    default: {
      // A stride, and what puts its zeros back, can be large where nothing else is.
      put(
        [
          node('MaxPool', ['before'], ['strided'], [ints('kernel_shape', [1n, 1n]), ints('strides', [large, large])]),
          node('Slice', ['strided', 'b0', 'b1', 'b2', 'b3'], [target]),
        ],
        [int64s('b0', [0n]), int64s('b1', [2n ** 63n - 1n]), int64s('b2', [2n]), int64s('b3', [large])],
      );
      return `strides of ${large}`;
    }
  }
}

function changeEdges(random: Random, graph: GraphProto): string {
  const n = pick(random, graph.node);
  const names = namesOf(graph);
  switch (random.integer(10)) {
    case 0:
    case 1:
      if (n.input.length > 0) n.input[random.integer(n.input.length)] = pick(random, [...names, ...names, ...NAMES]);
      return `an input of ${n.opType} rewired`;
    case 2:
      n.input = n.input.slice(0, random.integer(n.input.length + 1));
      return `inputs of ${n.opType} left off`;
    case 3:
      n.input.push(pick(random, names));
      return `${n.opType} given one input more`;
    case 4:
      n.output = random.integer(2) === 0 ? [] : [...n.output, pick(random, [...names, 'more', ''])];
      return `outputs of ${n.opType} changed`;
    case 5:
      if (n.output.length > 0) n.output[0] = pick(random, [...names, ...NAMES]);
      return `the output of ${n.opType} renamed`;
    case 6:
      graph.node = graph.node.filter((other) => other !== n);
      return `${n.opType} left out`;
    case 7:
      graph.node.push(n);
      return `${n.opType} there twice`;
    case 8:
      graph.node.reverse();
      return 'nodes in reverse order';
    default: {
      const copy = clone(NodeProtoSchema, n);
      copy.output = copy.output.map((o) => `${o}_copy`);
      graph.node.splice(random.integer(graph.node.length + 1), 0, copy);
      return `a copy of ${n.opType}`;
    }
  }
}

function changeModel(random: Random, proto: ModelProto): string {
  switch (random.integer(4)) {
    case 0: {
      const version = random.integer(2) === 0 ? BigInt(random.integer(30)) : pick(random, HOSTILE);
      proto.opsetImport = [
        create(OperatorSetIdProtoSchema, { domain: pick(random, ['', '', 'ai.onnx', 'x']), version }),
      ];
      return `operator set ${version}`;
    }
    case 1: {
      const value = pick(random, ['torch', 'caffe', 'nonsense', '{"mean":[0]}', '{"scale":"NaN"}', '[', ...NAMES]);
      const key = pick(random, ['phosphene.preprocess', 'phosphene.labels', '__proto__', 'labels']);
      proto.metadataProps.push(create(StringStringEntryProtoSchema, { key, value }));
      return `metadata ${key}`;
    }
    case 2:
      proto.irVersion = pick(random, HOSTILE);
      return 'another IR version';
    default: {
      const { graph } = proto;
      if (graph) graph.initializer.push(tensorOf(random, pick(random, namesOf(graph))));
      return 'one more weight of a name that is taken';
    }
  }
}

/** One more node, in whose attribute stands a graph, in whose node's attribute stands a graph, and so on. */
function nested(random: Random, bytes: Uint8Array): Damaged {
  const depth = pick(random, [10, 99, 101, 1000, 30_000]);
  // Written from the inside out: a field of a message adds a tag and the length of all that is in it.
  const pieces: Uint8Array[] = [];
  let length = 0;
  const within = (...head: readonly number[]): void => {
    const [tag, ...before] = head as [number, ...number[]];
    length += before.length;
    const piece = Uint8Array.from([tag, ...encoded(BigInt(length)), ...before]);
    length += piece.length - before.length;
    pieces.push(piece);
  };
  const If = [0x22, 2, 0x49, 0x66];
  for (let i = 0; i < depth; i++) {
    within(0x32); // AttributeProto.g
    within(0x2a, 0xa0, 0x01, Kind.GRAPH); // NodeProto.attribute, its type first
    within(0x0a, ...If); // GraphProto.node, its op_type first
  }
  within(0x3a); // ModelProto.graph: a second one is merged into the first
  return { bytes: new Uint8Array(Buffer.concat([bytes, ...pieces.reverse()])), how: `subgraphs ${depth} deep` };
}

function structured(random: Random, bytes: Uint8Array): Damaged {
  let proto: ReturnType<typeof create<typeof ModelProtoSchema>>;
  try {
    proto = fromBinary(ModelProtoSchema, bytes);
  } catch {
    // Damaged already, so that it has no structure left to damage.
    return { bytes, how: 'no structure left' };
  }
  const ways: string[] = [];
  const count = 1 + random.integer(3);
  for (let i = 0; i < count; i++) {
    const graph = proto.graph;
    if (!graph || graph.node.length === 0) break;
    const n = pick(random, graph.node);
    switch (random.integer(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
        ways.push(changeAttribute(random, n));
        break;
      case 4:
      case 5:
      case 6:
        ways.push(changeEdges(random, graph));
        break;
      case 7:
      case 8:
        if (graph.initializer.length > 0) ways.push(changeTensor(random, pick(random, graph.initializer)));
        break;
      case 9: {
        const was = n.opType;
        n.opType = pick(random, OPERATORS);
        if (random.integer(8) === 0) n.domain = pick(random, ['com.microsoft', 'ai.onnx.ml', 'ai.onnx']);
        ways.push(`${was} made a ${n.opType}`);
        break;
      }
      case 10:
        ways.push(changeInfo(random, pick(random, [...graph.input, ...graph.input, ...graph.output]), namesOf(graph)));
        break;
      case 11:
        ways.push(changeModel(random, proto));
        break;
      default:
        if (random.integer(2) === 0) ways.push(bomb(random, graph));
        else ways.push(changeAttribute(random, n));
    }
  }
  return { bytes: toBinary(ModelProtoSchema, proto), how: ways.join(', ') || 'nothing changed' };
}

export const onnx: FuzzKind = {
  count: 20_000,
  make(seed) {
    const random = new Random(`fuzz/onnx/${seed}`);
    const base = sound(seed, random);
    const way = random.integer(20);
    const { bytes, how } =
      way < 3
        ? damage(random, base.bytes)
        : way < 6
          ? wired(random, base.bytes)
          : seed % 200 === 3
            ? nested(random, base.bytes)
            : way < 7
              ? spliced(random, base.bytes, sound(seed, random).bytes)
              : structured(random, base.bytes);
    return {
      title: `${base.name}: ${how}`,
      file: { extension: 'onnx', bytes },
      run: (folder) => throughOnnx(bytes, folder, base.size),
    };
  },
};
