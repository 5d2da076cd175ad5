/** @file A graph is plain data: nodes in order, constants, and the dtype and dims of every value. Everything is static. */
import { type Constant, type Dims, type DType, isLazy, type Tensor } from './tensor.ts';

/** An ONNX attribute. Whether a number is INT or FLOAT is decided by the attribute's name when the graph is written. */
export type Attribute = number | string | readonly number[] | Tensor;
export type Attributes = Readonly<Record<string, Attribute>>;

/** One application of an ONNX operator (domain ai.onnx, opset {@link OPSET}). An absent optional input is the empty string. */
export interface Node {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

export interface ValueInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: Dims;
}

/** A whole computation: each node's inputs are graph inputs, constants, or outputs of earlier nodes. */
export interface Graph {
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<string, Constant>;
}

/** The one operator set in which graphs are held and written; importers bring older files up to it. */
export const OPSET = 18;

/** The part of a graph that `outputs` need, and only that. */
export function prune(graph: Graph, outputs: readonly ValueInfo[] = graph.outputs): Graph {
  const needed = new Set(outputs.map((o) => o.name));
  const nodes: Node[] = [];
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i]!;
    if (!node.outputs.some((o) => needed.has(o))) continue;
    for (const input of node.inputs) needed.add(input);
    nodes.push(node);
  }
  return {
    inputs: graph.inputs.filter((i) => needed.has(i.name)),
    outputs,
    nodes: nodes.reverse(),
    constants: new Map([...graph.constants].filter(([name]) => needed.has(name))),
  };
}

/** The graph with all its constants read. */
export async function load(graph: Graph): Promise<Graph> {
  const constants = new Map<string, Constant>();
  for (const [name, c] of graph.constants) constants.set(name, isLazy(c) ? await c.load() : c);
  return { ...graph, constants };
}
