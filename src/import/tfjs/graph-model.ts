/** @file Graph models of TensorFlow.js as networks: nodes of TensorFlow are replayed through the Builder at the size asked for. */
import { PhospheneError } from '../../errors.ts';
import { Builder, type Value } from '../../ir/builder.ts';
import type { Graph } from '../../ir/graph.ts';
import { type Constant, int64, isLazy, sizeOf, tensor } from '../../ir/tensor.ts';
import { lastConvolution } from '../default-layer.ts';
import { type Known, toldPreprocess } from '../first.ts';
import type { OpenOptions } from '../formats.ts';
import { isRecord, type Json } from '../json.ts';
import { type Built, type BuiltLayer, IMAGE, type Network, network } from '../network.ts';
import { preprocessOf } from '../preprocess.ts';
import { fromBase64 } from './base64.ts';
import { type GraphNode, graphNodes, shapeOf } from './graph.ts';
import type { Opened } from './index.ts';
import { type Held, picture, plain } from './layout.ts';
import { operators, reasonAgainst } from './operators/index.ts';
import { type ImageInput, pictureAmong } from './picture.ts';

/** A graph that was read, and what it is computed from. */
interface Model {
  readonly file: string;
  readonly nodes: readonly GraphNode[];
  /** Constants by node; for one that cannot be read, why. */
  readonly constants: ReadonlyMap<string, Constant | PhospheneError>;
  readonly image: ImageInput;
}

/**
 * The network of a graph model. Its shards are opened: shapes and axes among its weights are read. Throws `bad-file`, `bad-weights`,
 * `bad-option`, `missing-weights`, `too-large`, `filesystem`.
 */
export async function openGraphModel(
  { file, weights: manifest, digest, close }: Opened,
  json: Json,
  topology: Json,
  options: OpenOptions,
): Promise<Network> {
  const nodes = graphNodes(file, topology);
  const weights = await manifest();
  const constants = new Map<string, Constant | PhospheneError>();
  for (const node of nodes) {
    if (node.op !== 'Const') continue;
    try {
      const found = (await weights.constant(node.name)) ?? constantWithin(node);
      constants.set(node.name, found ?? absent(file, node.name));
    } catch (error) {
      if (!(error instanceof PhospheneError) || error.code !== 'unsupported-op') throw error;
      constants.set(node.name, error);
    }
  }
  const known = new Map(
    [...constants].flatMap(([name, c]) => (c instanceof PhospheneError ? [] : [[name, c] as const])),
  );
  const image = pictureAmong(file, nodes, known, json['signature'] ?? json['userDefinedMetadata']);
  const model: Model = { file, nodes, constants, image };
  const { channels, size } = image;
  return network({
    name: options.name ?? file.replace(/^.*[/\\]/, ''),
    input: {
      channels,
      ...(size.height === undefined && size.width === undefined ? {} : { size }),
      ...(await preprocessing(model, options)),
    },
    build: (b, input) => build(b, input, model),
    defaultLayer: (self) => options.defaultLayer ?? lastConvolution(self),
    digest,
    close,
  });
}

/** Replays the nodes, the first `most` of those that depend on the picture, as far as they can be built. */
function build(b: Builder, input: Value, { file, nodes, constants, image }: Model, most = Infinity): Built {
  const values = new Map<string, Held>();
  const layers: BuiltLayer[] = [];
  const barred = new Map<string, PhospheneError>();
  /** Why a value cannot be had, by its name. */
  const missing = new Map<string, PhospheneError>();
  /** Of each value that depends on the picture, the last picture on the way to it. */
  const seen = new Map<string, string>();
  const bar = ({ name, outputs }: GraphNode, why: PhospheneError): void => {
    for (const output of outputs) missing.set(output, why);
    barred.set(name, why);
  };
  let spent: PhospheneError | undefined;
  for (const node of nodes) {
    if (layers.length >= most) break;
    const { name, op } = node;
    if (op === 'Const') {
      const constant = constants.get(name)!;
      if (constant instanceof PhospheneError) missing.set(name, constant);
      else values.set(name, { ...plain(b.constant(constant, name)), ...(isLazy(constant) ? { lazy: constant } : {}) });
      continue;
    }
    if (name === image.name) {
      values.set(name, asPlaceholder(b, input, image));
      seen.set(name, '');
      continue;
    }
    if (op === 'Placeholder') {
      missing.set(name, needsInput(file, name, image.name));
      continue;
    }
    // What needs nothing of a node that cannot be built can still be seen. Once a budget is spent, nothing more is tried.
    const inherited = spent ?? missing.get(node.inputs.find((i) => missing.has(i)) ?? '');
    if (inherited) {
      bar(node, inherited);
      continue;
    }
    const before = node.inputs.find((i) => seen.has(i));
    const inputs = node.inputs.map((i) => values.get(i)!);
    let out: readonly [Held, ...Held[]];
    try {
      out = run(b, node, inputs, image);
    } catch (error) {
      const why = explained(node, error, before === undefined ? '' : seen.get(before)!);
      if (why.code === 'too-large') spent = why;
      bar(node, why);
      continue;
    }
    node.outputs.forEach((output, i) => {
      const held = out[i];
      if (held) values.set(output, held);
      else
        missing.set(
          output,
          new PhospheneError('unsupported-op', `${op} ${name}: its output ${i} is not supported`, { op, node: name }),
        );
    });
    const [{ value }] = out;
    if (before === undefined) continue;
    for (const output of node.outputs) seen.set(output, value.dims.length === 4 ? name : seen.get(before)!);
    layers.push({
      // One name is taken: that of the picture.
      name: name === IMAGE ? value.name : name,
      type: op,
      value,
      weights: inputs.flatMap((held, i) => (seen.has(node.inputs[i]!) ? [] : [held.value])),
    });
  }
  return { layers, barred };
}

function run(
  b: Builder,
  node: GraphNode,
  inputs: readonly Held[],
  { pictures }: ImageInput,
): readonly [Held, ...Held[]] {
  const { op, name } = node;
  const operator = Object.hasOwn(operators, op) ? operators[op] : undefined;
  if (operator) {
    const [first, ...others] = [operator({ b, node, name, inputs, pictures })].flat();
    if (first) return [first, ...others];
    throw new PhospheneError('bad-file', 'it gives nothing');
  }
  throw new PhospheneError('unsupported-op', reasonAgainst(op) ?? 'this operator of TensorFlow is not supported');
}

/** What was thrown while a node was built, with the node's name, and the last picture that can be had before it. */
function explained({ op, name }: GraphNode, error: unknown, before: string): PhospheneError {
  const strange = error instanceof TypeError || error instanceof RangeError;
  if (!(error instanceof PhospheneError) && !strange) throw error;
  const { message } = error;
  const code = error instanceof PhospheneError ? error.code : 'bad-file';
  const details: Json = error instanceof PhospheneError ? error.details : {};
  const last = code === 'unsupported-op' && before !== '' ? before : undefined;
  return new PhospheneError(
    code,
    `${details['node'] === name ? '' : `${op} ${name}: `}${strange ? `its inputs or attributes are not what TensorFlow asks for (${message})` : message}${last === undefined ? '' : `; the last layer before it that can be rendered is \`${last}\``}`,
    { ...details, op, node: name, ...(last === undefined ? {} : { last }) },
    error,
  );
}

/** The picture as the graph is given it. */
function asPlaceholder(b: Builder, input: Value, { axis, rank }: ImageInput): Held {
  if (rank === 4) return axis === 3 ? picture(input) : plain(input);
  const turned = axis === 2 ? b.transpose(input, [0, 2, 3, 1]) : input;
  return plain(b.reshape(turned, turned.dims.slice(1)));
}

function needsInput(file: string, other: string, image: string): PhospheneError {
  return new PhospheneError(
    'unsupported-op',
    `${file}: this layer needs the input \`${other}\` beside the picture \`${image}\`, which is not supported; choose one that needs the picture alone`,
    { path: file, input: other },
  );
}

function absent(file: string, name: string): PhospheneError {
  return new PhospheneError(
    'missing-weights',
    `${file}: its weights do not have \`${name}\`, which this layer needs; convert the model again`,
    { path: file, weight: name },
  );
}

/** What the network expects: as the caller says, else as its picture's type or its first nodes tell or make likely, else [-1, 1]. */
async function preprocessing(model: Model, { preprocess }: OpenOptions): Promise<Known> {
  const { channels, bytes } = model.image;
  if (preprocess !== undefined) return { preprocess: preprocessOf(preprocess, channels), from: 'given' };
  if (bytes) return { preprocess: preprocessOf('raw', channels), from: 'file' };
  const told = await toldPreprocess(front(model), { name: IMAGE, channels, axis: 1 });
  return told ?? { preprocess: preprocessOf('tf', channels), from: 'assumed' };
}

/** So many nodes are looked at for what is done to the picture first. */
const MOST_LEADING = 24;
const USUAL = 64;

/** The graph from the picture through its first nodes. */
function front(model: Model): Graph {
  const { channels, size } = model.image;
  const b = new Builder();
  const image = b.input(IMAGE, 'float32', [1, channels, size.height ?? USUAL, size.width ?? USUAL]);
  const { layers } = build(b, image, model, MOST_LEADING);
  return b.graph(layers.map(({ value }) => value));
}

/** The numbers that stand in a Const node itself, or undefined if there are none. */
function constantWithin({ attr }: GraphNode): Constant | undefined {
  const value = attr['value'];
  const proto = isRecord(value) ? value['tensor'] : undefined;
  if (!isRecord(proto)) return undefined;
  const dims = shapeOf(proto['tensorShape'] ?? {}) ?? [];
  const count = sizeOf(dims);
  if (dims.some((d) => d < 0) || count > MOST_WITHIN) return undefined;
  const whole = String(proto['dtype']);
  const lists = ['floatVal', 'intVal', 'int64Val', 'boolVal', 'doubleVal'].map((key) => proto[key]);
  const listed = lists.find((list) => Array.isArray(list)) as unknown[] | undefined;
  const numbers = listed?.map(Number) ?? packed(whole, proto['tensorContent']);
  if (!numbers || numbers.length === 0) return count === 0 ? int64([], dims) : undefined;
  // The last number stands for all that follow.
  const all = Array.from({ length: count }, (_, i) => numbers[Math.min(i, numbers.length - 1)]!);
  if (whole === 'DT_BOOL') return tensor('bool', dims, Uint8Array.from(all));
  if (/INT/.test(whole)) return all.every(Number.isSafeInteger) ? int64(all, dims) : undefined;
  return tensor('float32', dims, Float32Array.from(all));
}
const MOST_WITHIN = 1 << 20;

function packed(dtype: string, content: unknown): readonly number[] | undefined {
  const bytes = typeof content === 'string' ? fromBase64(content) : undefined;
  if (!bytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read: Readonly<Record<string, readonly [number, (at: number) => number]>> = {
    DT_FLOAT: [4, (at) => view.getFloat32(at, true)],
    DT_INT32: [4, (at) => view.getInt32(at, true)],
    DT_INT64: [8, (at) => Number(view.getBigInt64(at, true))],
    DT_BOOL: [1, (at) => view.getUint8(at)],
  };
  const [size, number] = read[dtype] ?? [];
  return size === undefined || number === undefined
    ? undefined
    : Array.from({ length: Math.floor(bytes.length / size) }, (_, i) => number(i * size));
}
