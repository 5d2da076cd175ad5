/** @file The nodes and constants of a graph in an ONNX file, and of the graphs within it: the two sides of an If. */
import { PhospheneError } from '../../errors.ts';
import type { Node } from '../../ir/graph.ts';
import { nodesOf } from '../../ir/onnx.ts';
import { AttributeProto_AttributeType as AttributeType, type GraphProto, type TensorProto } from '../../ir/onnx_pb.ts';
import type { Constant } from '../../ir/tensor.ts';
import { inOrder } from './order.ts';
import { heldNode } from './precision.ts';
import type { Weights } from './weights.ts';

/** A graph as plain data. What it uses and neither has nor makes is of the graph around it. */
export interface Body {
  /** In an order in which each comes after what it uses. */
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Constant>;
  readonly outputs: readonly string[];
  /** The sides of each If among the nodes. */
  readonly sides: ReadonlyMap<Node, Sides>;
}

/** What an If computes if its condition is true, and if it is false. */
export interface Sides {
  readonly yes: Body;
  readonly no: Body;
}

/** Reads a graph and those within it. Throws `bad-file`, and what reading its weights throws. */
export async function bodyOf(
  file: string,
  graph: GraphProto,
  weights: Weights,
  outer: readonly string[] = [],
): Promise<Body> {
  const constants = await weights.constants([...graph.initializer, ...constantNodes(graph)]);
  const read = readNodes(file, graph).map(heldNode);
  const given = new Set([...graph.input.map((i) => i.name ?? ''), ...constants.keys()]);
  const around = [...outer, ...given, ...read.flatMap((node) => node.outputs)];
  const sides = new Map<Node, Sides>();
  for (const [i, node] of read.entries()) {
    if (node.op !== 'If') continue;
    const [yes, no] = ['then_branch', 'else_branch'].map(
      (name) => graph.node[i]!.attribute.find((a) => a.name === name)?.g,
    );
    if (!yes || !no)
      throw new PhospheneError('bad-file', `${file}: If ${node.name}: one of its two sides is missing`, { path: file });
    sides.set(node, {
      yes: await bodyOf(file, yes, weights, around),
      no: await bodyOf(file, no, weights, around),
    });
  }
  const uses = (node: Node): readonly string[] => [...node.inputs, ...captured(sides.get(node))];
  // A name of its own hides the same name around it.
  const own = new Set(read.flatMap((node) => node.outputs));
  return {
    nodes: inOrder(file, read, new Set([...outer.filter((name) => !own.has(name)), ...given]), uses),
    constants,
    outputs: graph.output.map((o) => o.name ?? ''),
    sides,
  };
}

/** Names that a node uses: its inputs, and what the graphs within it take from around them. */
export function usedBy(body: Body, node: Node): readonly string[] {
  return [...node.inputs, ...captured(body.sides.get(node))];
}

/** What the sides of an If take from the graph around it. */
function captured(sides: Sides | undefined): readonly string[] {
  if (!sides) return [];
  return [sides.yes, sides.no].flatMap((body) => {
    const own = new Set([...body.constants.keys(), ...body.nodes.flatMap((node) => node.outputs)]);
    return [...body.nodes.flatMap((node) => usedBy(body, node)), ...body.outputs].filter(
      (name) => name !== '' && !own.has(name),
    );
  });
}

/** The nodes as plain data. Throws `bad-file` for what is no node. */
function readNodes(file: string, graph: GraphProto): Node[] {
  for (const node of graph.node)
    for (const attribute of node.attribute)
      if (attribute.type === AttributeType.TENSOR && !attribute.t)
        throw new PhospheneError(
          'bad-file',
          `${file}: ${node.opType} ${node.name || (node.output[0] ?? '')}: its attribute \`${attribute.name}\` is said to be a tensor and has none; export the model again`,
          { path: file },
        );
  return wellFormed(file, () => nodesOf(graph));
}

/** Large tensors of Constant nodes as initializers, which is what they are. Their nodes are taken away. */
function constantNodes(graph: GraphProto): TensorProto[] {
  const tensors: TensorProto[] = [];
  graph.node = graph.node.filter((node) => {
    const t =
      node.opType === 'Constant' && (node.domain ?? '') === ''
        ? node.attribute.find((a) => a.name === 'value')?.t
        : undefined;
    if (!t || t.externalData.length === 0 || !node.output[0]) return true;
    tensors.push({ ...t, name: node.output[0] });
    return false;
  });
  return tensors;
}

/**
 * The result of `read`. If a file lacks an input or attribute that an operator must have, or has it in another type, reading it is
 * some other error within; one place says `bad-file` for all of them.
 */
function wellFormed<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof PhospheneError) throw error;
    throw new PhospheneError(
      'bad-file',
      `${what}: an input or attribute that ONNX asks for is missing, or of another type; export the file again`,
      {},
      error,
    );
  }
}
