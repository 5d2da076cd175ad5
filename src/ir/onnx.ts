/** @file Graph ⇄ ONNX bytes, both ways in one place. Values keep their names. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { PhospheneError } from '../errors.ts';
import { type Attribute, type Graph, type Node, OPSET, read, type ValueInfo } from './graph.ts';
import {
  type AttributeProto,
  AttributeProto_AttributeType as Kind,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  type TensorProto,
  TensorProto_DataLocation as Location,
  TensorProto_DataType as Type,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
} from './onnx_pb.ts';
import { operators } from './ops/index.ts';
import {
  arrayTypes,
  bytesOf,
  type Constant,
  type DataArrays,
  type DType,
  isDType,
  isLazy,
  sizeOf,
  type Tensor,
  toInt64,
} from './tensor.ts';

const dtypes: Readonly<Record<DType, Type>> = {
  float32: Type.FLOAT,
  float64: Type.DOUBLE,
  float16: Type.FLOAT16,
  int8: Type.INT8,
  uint8: Type.UINT8,
  int16: Type.INT16,
  uint16: Type.UINT16,
  int32: Type.INT32,
  int64: Type.INT64,
  bool: Type.BOOL,
};
const names = new Map(Object.entries(dtypes).map(([name, type]) => [type, name as DType]));

/** What stands in a file beside the graph. @internal */
export interface OnnxModel {
  /** The graph as the file has it; input dims may hold names or -1 if the file leaves them open. */
  readonly proto: ModelProto;
  readonly opset: number;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Serialises a graph whose constants are all read (see `load`). Deterministic: the same graph gives the same bytes.
 *
 * @example
 * const b = new Builder();
 * const bytes = encodeOnnx(b.graph({ y: b.relu(b.input('x', 'float32', [1, 8])) }));
 */
export function encodeOnnx(graph: Graph, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const initializers = [...graph.constants].map(([name, t]) => encodeTensor(loaded(t, name), name));
  return toBinary(ModelProtoSchema, encodeModel(graph, initializers, metadata));
}

/** A graph as engines take it: a model, and beside it the numbers of its large constants, which an engine reads where they lie. */
export interface Packed {
  /** An ONNX model that refers to {@link PACKED_WEIGHTS} as external data. */
  readonly model: Uint8Array;
  readonly weights: Uint8Array;
}

/** The `location` by which a packed model refers to its weights. */
export const PACKED_WEIGHTS = 'weights';
/** Constants of no more bytes stand in the model. */
const INLINE = 1 << 12;
/** Engines read numbers fastest if they begin at a line of the processor's cache. */
const ALIGNMENT = 64;

/**
 * Packs a graph. Constants that were not read yet are read now, one after another, each into its place; so the weights of a network are in
 * memory once. They lie in shared memory if the platform has it, so that workers need no copies. Throws what reading them throws.
 *
 * @example
 * const b = new Builder();
 * const { model, weights } = await packOnnx(b.graph({ y: b.relu(b.input('x', 'float32', [1, 8])) }));
 */
export async function packOnnx(graph: Graph): Promise<Packed> {
  let length = 0;
  const places = new Map<string, number>();
  for (const [name, constant] of graph.constants) {
    if (bytesOf(constant) <= INLINE) continue;
    places.set(name, length);
    length += Math.ceil(bytesOf(constant) / ALIGNMENT) * ALIGNMENT;
  }
  // A page that is not isolated has no such class.
  const weights = new Uint8Array(
    typeof SharedArrayBuffer === 'undefined' ? new ArrayBuffer(length) : new SharedArrayBuffer(length),
  );
  const initializers: TensorProto[] = [];
  for (const [name, constant] of graph.constants) {
    const found = await read(name, constant);
    const offset = places.get(name);
    if (offset !== undefined) weights.set(rawBytes(found), offset);
    initializers.push(offset === undefined ? encodeTensor(found, name) : encodePlace(constant, name, offset));
  }
  return { model: toBinary(ModelProtoSchema, encodeModel(graph, initializers, {})), weights };
}

function encodeModel(graph: Graph, initializer: TensorProto[], metadata: Readonly<Record<string, string>>): ModelProto {
  return create(ModelProtoSchema, {
    irVersion: 8n,
    producerName: 'phosphene',
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(OPSET) })],
    metadataProps: Object.entries(metadata).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value })),
    graph: create(GraphProtoSchema, {
      name: 'graph',
      input: graph.inputs.map(encodeInfo),
      output: graph.outputs.map(encodeInfo),
      initializer,
      node: graph.nodes.map((node) =>
        create(NodeProtoSchema, {
          opType: node.op,
          name: node.name,
          input: [...node.inputs],
          output: [...node.outputs],
          attribute: Object.entries(node.attributes).map(([name, value]) => encodeAttribute(node.op, name, value)),
        }),
      ),
    }),
  });
}

/** Parses an ONNX file. Throws `bad-file` when the bytes are not one. @internal */
export function decodeOnnx(bytes: Uint8Array, file = 'model'): OnnxModel {
  let proto: ModelProto;
  try {
    proto = fromBinary(ModelProtoSchema, bytes);
  } catch (error) {
    throw new PhospheneError(
      'bad-file',
      `${file}: not an ONNX model, or cut short (${(error as Error).message})`,
      { file },
      error,
    );
  }
  if (!proto.graph || proto.graph.node.length === 0)
    throw new PhospheneError('bad-file', `${file}: an ONNX model without a graph`, { file });
  const opset = Number(
    proto.opsetImport.find(({ domain }) => (domain ?? '') === '' || domain === 'ai.onnx')?.version ?? 0n,
  );
  return { proto, opset, metadata: Object.fromEntries(proto.metadataProps.map((p) => [p.key ?? '', p.value ?? ''])) };
}

/** The graph of a file that is already at our opset with static dims: what {@link encodeOnnx} wrote. @internal */
export function graphOf({ proto }: OnnxModel): Graph {
  const graph = proto.graph!;
  const constants = new Map(graph.initializer.map((t) => [t.name ?? '', decodeTensor(t)]));
  return {
    inputs: graph.input.filter((i) => !constants.has(i.name ?? '')).map(decodeInfo),
    outputs: graph.output.map(decodeInfo),
    nodes: nodesOf(graph),
    constants,
  };
}

/** The nodes of a parsed graph, attributes as plain data. @internal */
export function nodesOf(graph: GraphProto): Node[] {
  return graph.node.map((n) => ({
    op: n.domain && n.domain !== 'ai.onnx' ? `${n.domain}.${n.opType}` : (n.opType ?? ''),
    name: n.name || (n.output[0] ?? ''),
    inputs: n.input,
    outputs: n.output,
    attributes: Object.fromEntries(
      // A subgraph belongs to an operator that we do not know; it is named when the node is met.
      n.attribute.flatMap((a) => (a.type === Kind.GRAPH ? [] : [[a.name ?? '', decodeAttribute(a, n.opType ?? '')]])),
    ),
  }));
}

function encodeInfo({ name, dtype, dims }: ValueInfo): ValueInfoProto {
  const shape = create(TensorShapeProtoSchema, {
    dim: dims.map((d) => create(TensorShapeProto_DimensionSchema, { value: { case: 'dimValue', value: BigInt(d) } })),
  });
  const tensorType = create(TypeProto_TensorSchema, { elemType: dtypes[dtype], shape });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensorType } }),
  });
}

function decodeInfo(info: ValueInfoProto): ValueInfo {
  const { name, dtype, dims } = openInfo(info);
  if (dims.some((d) => d < 0)) throw new PhospheneError('shape', `input \`${name}\`: its dims are not all given`);
  return { name, dtype, dims };
}

/** Our name of an element type. Throws `bad-file` for one that we have none for: read as another, it would be silently wrong. */
export function dtypeOf(type: number, what: string): DType {
  const dtype = names.get(type);
  if (!dtype) throw new PhospheneError('bad-file', `${what}: element type ${Type[type] ?? type} is not supported`);
  return dtype;
}

/** Name, dtype and dims of a declared value; -1 stands for a dim that the file leaves open. Throws `bad-file`. @internal */
export function openInfo(info: ValueInfoProto): ValueInfo {
  const type = info.type?.value;
  if (type?.case !== 'tensorType') throw new PhospheneError('bad-file', `\`${info.name}\`: only tensors are supported`);
  const dims = (type.value.shape?.dim ?? []).map((d) => (d.value.case === 'dimValue' ? Number(d.value.value) : -1));
  return { name: info.name ?? '', dtype: dtypeOf(type.value.elemType, `\`${info.name}\``), dims };
}

function loaded(constant: Constant, name: string): Tensor {
  if (isLazy(constant)) throw new Error(`internal: constant \`${name}\` was not loaded`);
  return constant;
}

function encodeTensor({ dtype, dims, data }: Tensor, name = ''): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dataType: dtypes[dtype],
    dims: dims.map(BigInt),
    rawData: rawBytes({ data }),
  });
}

/** A tensor whose numbers lie among the packed weights. */
function encodePlace(constant: Constant, name: string, offset: number): TensorProto {
  const { dtype, dims } = constant;
  const place = { location: PACKED_WEIGHTS, offset: String(offset), length: String(bytesOf(constant)) };
  return create(TensorProtoSchema, {
    name,
    dataType: dtypes[dtype],
    dims: dims.map(BigInt),
    dataLocation: Location.EXTERNAL,
    externalData: Object.entries(place).map(([key, value]) => create(StringStringEntryProtoSchema, { key, value })),
  });
}

function rawBytes({ data }: Pick<Tensor, 'data'>): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** A tensor of a file. Throws `bad-file` for external data, unknown types, and too few bytes. @internal */
export function decodeTensor(t: TensorProto): Tensor {
  const what = `tensor \`${t.name ?? ''}\``;
  const dtype = dtypeOf(t.dataType, what);
  if (t.externalData.length > 0)
    throw new PhospheneError('bad-file', `${what}: its data lies in another file, which is not supported yet`);
  const dims = t.dims.map(Number);
  const count = sizeOf(dims);
  if (dims.some((d) => d < 0) || !Number.isSafeInteger(count))
    throw new PhospheneError('bad-file', `${what}: impossible dims [${dims.join(', ')}]`);
  const ArrayOf = arrayTypes[dtype] as (typeof arrayTypes)['float32'];
  const listed: ArrayLike<number | bigint> =
    dtype === 'int64'
      ? t.int64Data
      : dtype === 'float32'
        ? t.floatData
        : dtype === 'float64'
          ? t.doubleData
          : t.int32Data;
  const raw = t.rawData ?? new Uint8Array();
  const found = raw.length > 0 ? raw.length / ArrayOf.BYTES_PER_ELEMENT : listed.length;
  // Checked before anything is allocated: dims come from strangers.
  if (found !== count)
    throw new PhospheneError(
      'bad-file',
      `${what}: [${dims.join(', ')}] needs ${count} elements, the file has ${found}`,
    );
  if (raw.length > 0) {
    // A copy, for alignment. Not `slice`: that of a Buffer is a view.
    const copy = new Uint8Array(raw);
    return { dtype, dims, data: new ArrayOf(copy.buffer, copy.byteOffset, count) };
  }
  const data = new ArrayOf(count) as DataArrays[typeof dtype];
  for (let i = 0; i < count; i++) (data as unknown as (number | bigint)[])[i] = listed[i]!;
  return { dtype, dims, data };
}

/** As the operator's record declares it; one that it does not declare, by what it is. */
function encodeAttribute(op: string, name: string, value: Attribute): AttributeProto {
  const kind = Object.hasOwn(operators, op) ? operators[op]!.attributes[name]?.kind : undefined;
  if (typeof value === 'string') {
    return kind === 'DTYPE' && isDType(value)
      ? create(AttributeProtoSchema, { name, type: Kind.INT, i: BigInt(dtypes[value]) })
      : create(AttributeProtoSchema, { name, type: Kind.STRING, s: new TextEncoder().encode(value) });
  }
  if (typeof value === 'number') {
    return kind === 'FLOAT' || !Number.isInteger(value)
      ? create(AttributeProtoSchema, { name, type: Kind.FLOAT, f: value })
      : create(AttributeProtoSchema, { name, type: Kind.INT, i: toInt64(value) });
  }
  if ('dtype' in value) return create(AttributeProtoSchema, { name, type: Kind.TENSOR, t: encodeTensor(value) });
  return kind === 'FLOATS' || !value.every(Number.isInteger)
    ? create(AttributeProtoSchema, { name, type: Kind.FLOATS, floats: [...value] })
    : create(AttributeProtoSchema, { name, type: Kind.INTS, ints: value.map(toInt64) });
}

function decodeAttribute(a: AttributeProto, op: string): Attribute {
  if (op === 'Cast' && a.name === 'to') return dtypeOf(Number(a.i), 'attribute `to` of Cast');
  switch (a.type) {
    case Kind.FLOAT:
      return a.f ?? 0;
    case Kind.INT:
      return Number(a.i ?? 0n);
    case Kind.STRING:
      return new TextDecoder().decode(a.s);
    case Kind.INTS:
      return a.ints.map(Number);
    case Kind.FLOATS:
      return a.floats;
    case Kind.TENSOR:
      if (!a.t) throw new PhospheneError('bad-file', `attribute \`${a.name}\` of ${op}: its tensor is missing`);
      return decodeTensor(a.t);
    default:
      throw new PhospheneError('bad-file', `attribute \`${a.name}\` of ${op}: its type ${a.type} is not supported`);
  }
}
