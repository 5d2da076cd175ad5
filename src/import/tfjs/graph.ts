/** @file TensorFlow's graphs in JSON: nodes with named inputs, and attributes as protobuf writes them, words in base64. */
import { PhospheneError } from '../../errors.ts';
import type { Node } from '../../ir/graph.ts';
import { isRecord, type Json } from '../json.ts';
import { inOrder } from '../onnx/order.ts';

/** One node of a graph. */
export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** Names of values: `conv1`, or `split:1` for the second output of a node. */
  readonly inputs: readonly string[];
  /** Those of its outputs that something uses, the first always. */
  readonly outputs: readonly string[];
  readonly attr: Json;
}

/** Real graphs have some thousand. */
const MOST_NODES = 1 << 16;
/** Of one node. */
const MOST_INPUTS = 1 << 12;
const MOST_OUTPUTS = 1 << 12;

/** What ends a turn of a loop: its result is used by a node before it, which is no cycle in TensorFlow. */
const BACKWARD = 'NextIteration';

/** What only says that something has happened. No value comes from it. */
const NOTHING = 'NoOp';

/**
 * The nodes of a graph, each after those that it uses. Throws `bad-file` for what is no graph: a node without name or operator, two
 * of one name, an input that nothing gives, a cycle.
 */
export function graphNodes(file: string, topology: Json): readonly GraphNode[] {
  const fault = (what: string): PhospheneError => new PhospheneError('bad-file', `${file}: ${what}`, { path: file });
  const list = topology['node'] as unknown[];
  if (list.length > MOST_NODES) throw fault(`its graph has ${list.length} nodes; ${MOST_NODES} can be read`);
  const all = list.map((one, i) => {
    if (!isRecord(one) || typeof one['name'] !== 'string' || one['name'] === '' || typeof one['op'] !== 'string')
      throw fault(`node ${i} of its graph has no name or no operator`);
    const { name, op, input = [], attr } = one;
    if (!Array.isArray(input) || input.length > MOST_INPUTS || !input.every((i) => typeof i === 'string'))
      throw fault(`the inputs of its node \`${name}\` are no list of names`);
    // `^name` only says that something happens first.
    const inputs = input.filter((i) => !i.startsWith('^')).map((i) => i.replace(/:0$/, ''));
    return { name, op, inputs, attr: isRecord(attr) ? attr : {} };
  });
  const nodes = all.filter(({ op }) => op !== NOTHING);
  const used = new Map<string, number>();
  for (const { inputs } of nodes)
    for (const input of inputs) {
      const [, name, index] = /^(.*):(\d+)$/.exec(input) ?? [];
      if (name !== undefined) used.set(name, Math.max(used.get(name) ?? 0, Number(index)));
    }
  const known = new Map<string, GraphNode>();
  const plain: Node[] = nodes.map((node) => {
    const last = used.get(node.name) ?? 0;
    if (last > MOST_OUTPUTS) throw fault(`its node \`${node.name}\` has output ${last}`);
    if (known.has(node.name)) throw fault(`two nodes of its graph have the name \`${node.name}\``);
    const outputs = [node.name, ...Array.from({ length: last }, (_, i) => `${node.name}:${i + 1}`)];
    known.set(node.name, { ...node, outputs });
    const inputs = node.op === BACKWARD ? [] : node.inputs;
    return { op: node.op, name: node.name, inputs, outputs, attributes: {} };
  });
  return inOrder(file, plain, new Set()).map(({ name }) => known.get(name)!);
}

/** A word. `s` is base64, or a list of character codes. */
export function word({ attr }: GraphNode, key: string, otherwise = ''): string {
  const value = attr[key];
  return (isRecord(value) ? decoded(value['s']) : undefined) ?? otherwise;
}

/** A list of words. */
export function words({ attr }: GraphNode, key: string): readonly string[] {
  return listOf(attr[key], 's').map((s) => decoded(s) ?? '');
}

/** Whole numbers come as texts. */
export function int(node: GraphNode, key: string, otherwise: number): number {
  const value = node.attr[key];
  const found = isRecord(value) ? whole(value['i']) : undefined;
  return found ?? otherwise;
}

/** A list of whole numbers; empty if there is none. Throws `bad-file` for another list. */
export function ints(node: GraphNode, key: string): readonly number[] {
  return listOf(node.attr[key], 'i').map((i) => {
    const value = whole(i);
    if (value === undefined)
      throw new PhospheneError('bad-file', `its attribute \`${key}\` is no list of whole numbers`);
    return value;
  });
}

/** A number. */
export function float({ attr }: GraphNode, key: string, otherwise: number): number {
  const value = attr[key];
  const found = isRecord(value) ? value['f'] : undefined;
  return typeof found === 'number' && Number.isFinite(found) ? found : otherwise;
}

/** Whether something is so. */
export function flag({ attr }: GraphNode, key: string): boolean {
  const value = attr[key];
  return isRecord(value) && value['b'] === true;
}

/** TensorFlow's name of an element type: `DT_FLOAT`. */
export function type({ attr }: GraphNode, key: string): string {
  const value = attr[key];
  return isRecord(value) && typeof value['type'] === 'string' ? value['type'] : '';
}

/** The lengths that a shape states, -1 for those that it leaves open; undefined if not even their number is known. */
export function shapeOf(shape: unknown): readonly number[] | undefined {
  if (!isRecord(shape) || shape['unknownRank'] === true) return undefined;
  const dims = shape['dim'] ?? [];
  if (!Array.isArray(dims) || dims.length > 8) return undefined;
  return (dims as unknown[]).map((d) => (isRecord(d) ? (whole(d['size']) ?? -1) : -1));
}

function listOf(value: unknown, key: string): readonly unknown[] {
  const list = isRecord(value) ? value['list'] : undefined;
  const found = isRecord(list) ? list[key] : undefined;
  return Array.isArray(found) ? found : [];
}

function whole(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) ? (number as number) : undefined;
}

function decoded(s: unknown): string | undefined {
  if (Array.isArray(s)) return String.fromCharCode(...(s as unknown[]).slice(0, 1000).map(Number));
  if (typeof s !== 'string') return undefined;
  try {
    return atob(s);
  } catch {
    return undefined;
  }
}
