/** @file A graph is plain data: nodes in order, constants, and the dtype and dims of every value. Everything is static. */
import { bytesOf, type Constant, type Dims, type DType, isLazy, type Tensor } from './tensor.ts';

/** An ONNX attribute. Whether a number is INT or FLOAT is what the operator's record declares. */
export type Attribute = number | string | readonly number[] | Tensor;
/** A node's attributes by name. */
export type Attributes = Readonly<Record<string, Attribute>>;

/** One application of an ONNX operator (domain ai.onnx, opset {@link OPSET}). An absent optional input is the empty string. */
export interface Node {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
}

/** A value of a graph: its name and what it holds. */
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
  /** Weights may be lazy: {@link load} reads them. */
  readonly constants: ReadonlyMap<string, Constant>;
}

/** The one operator set in which graphs are held and written; importers bring older files up to it. */
export const OPSET = 18;

/**
 * The part of a graph that `outputs` need, and only that.
 *
 * @example
 * const cut = prune(graph, [graph.outputs[0]!]);
 */
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

/**
 * The part of a graph that its outputs need, with all its constants read but those to be left for `later`. What has become known is not
 * folded: inline it for that.
 *
 * @example
 * const bytes = encodeOnnx(await load(outline));
 */
export async function load(graph: Graph, later: ReadonlySet<string> = new Set()): Promise<Graph> {
  const needed = prune(graph);
  const constants = new Map<string, Constant>();
  // One after another: weights come from one file, and memory for two large ones at once may be missing.
  for (const [name, constant] of needed.constants)
    constants.set(name, later.has(name) ? constant : await read(name, constant));
  return { ...needed, constants };
}

/** Constants of fewer bytes are not worth leaving for later. */
const LARGE = 1 << 16;
/** The input at which an operator takes weights, of which nobody needs to know the numbers while a graph is built. */
const multiplied: Readonly<Record<string, number>> = { Conv: 1, ConvTranspose: 1, Gemm: 1, MatMul: 1 };

/**
 * Names of the large constants that are only multiplied with what a graph computes: {@link load} may leave them for later, since nothing
 * depends on their numbers but results. None if something can be computed of constants alone.
 */
export function largeWeights({ nodes, constants }: Graph): ReadonlySet<string> {
  if (nodes.some(({ inputs }) => inputs.every((i) => i === '' || constants.has(i)))) return new Set();
  const otherwise = new Set(nodes.flatMap(({ op, inputs }) => inputs.filter((_, i) => multiplied[op] !== i)));
  return new Set(
    [...constants].flatMap(([name, c]) => (isLazy(c) && bytesOf(c) > LARGE && !otherwise.has(name) ? [name] : [])),
  );
}

/** A constant's numbers, read if they were not. */
export async function read(name: string, constant: Constant): Promise<Tensor> {
  if (!isLazy(constant)) return constant;
  const found = await constant.load();
  const { dtype, dims } = constant;
  // Shapes were inferred from what was promised.
  if (found.dtype !== dtype || found.dims.length !== dims.length || found.dims.some((d, i) => d !== dims[i]))
    throw new Error(
      `internal: constant \`${name}\` is ${found.dtype} [${found.dims.join(', ')}], promised was ${dtype} [${dims.join(', ')}]`,
    );
  return found;
}
