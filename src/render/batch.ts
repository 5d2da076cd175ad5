/** @file A network for several pictures at once, although it was cut for one. */
import { PhospheneError } from '../errors.ts';
import { type GradientOptions, inlineFused } from '../grad/index.ts';
import { Builder, type Value } from '../ir/builder.ts';
import type { Graph, Node } from '../ir/graph.ts';
import { type Constant, int64, isLazy, toNumbers } from '../ir/tensor.ts';
import { IMAGE } from '../step/step.ts';

type Options = Pick<GradientOptions, 'lowering' | 'overrides'>;

/**
 * Adds a network that was cut for one picture to the builder, and gives it pictures [n, c, h, w]; returns its outputs by name, the first axis of each
 * counting the pictures. If every operator treats the pictures apart, as nearly all do, the network stands there once; else
 * once for each picture.
 *
 * @example
 * const activation = inlineBatch(b, cut, pictures, { lowering })('mixed4a');
 */
export function inlineBatch(
  b: Builder,
  graph: Graph,
  pictures: Value,
  options: Options = {},
): (output: string) => Value {
  const n = pictures.dims[0]!;
  if (n === 1) {
    const values = inlineFused(b, graph, { [IMAGE]: pictures }, options);
    return (output) => values.get(output)!;
  }
  const together = inlineTogether(b, graph, pictures, options);
  if (together) return (output) => together.get(output)!;
  const apart = Array.from({ length: n }, (_, i) =>
    inlineFused(b, graph, { [IMAGE]: b.slice(pictures, [i], [i + 1], [0]) }, options),
  );
  return (output) =>
    b.concat(
      apart.map((values) => values.get(output)!),
      0,
    );
}

/** What mixes values along an axis without changing its length. */
const mixing = new Set(['Softmax', 'LogSoftmax', 'Hardmax', 'CumSum', 'LayerNormalization']);

/** Whether an operator mixes the pictures, which the first axis counts. `rank` is that of its input, if it is known. */
function mixes({ op, inputs, attributes }: Node, { constants }: Graph, rank: number | undefined): boolean {
  if (!mixing.has(op)) return false;
  const given = op === 'CumSum' ? constants.get(inputs[1]!) : undefined;
  // Nobody can tell along which axis a sum runs that is computed, or read later.
  if (op === 'CumSum' && (given === undefined || isLazy(given))) return true;
  const axis = given && !isLazy(given) ? toNumbers(given)[0]! : ((attributes['axis'] as number | undefined) ?? -1);
  return axis === 0 || axis + (rank ?? 0) === 0;
}

/**
 * The network on all pictures at once; undefined if that might not be the network on each of them. It is if every value that
 * depends on the picture began with one picture, and begins with n now.
 */
function inlineTogether(
  b: Builder,
  graph: Graph,
  pictures: Value,
  options: Options,
): ReadonlyMap<string, Value> | undefined {
  const n = pictures.dims[0]!;
  const scratch = new Builder();
  const one = inlineFused(
    scratch,
    graph,
    { [IMAGE]: scratch.input(IMAGE, 'float32', [1, ...pictures.dims.slice(1)]) },
    options,
  );
  if (graph.nodes.some((node) => mixes(node, graph, one.get(node.inputs[0]!)?.dims.length))) return undefined;
  try {
    const many = inlineFused(b, loosened(graph, one), { [IMAGE]: pictures }, options);
    const depends = dependents(graph);
    // Values within a fused pair are gone from both.
    const isApart = [...depends].every((name) => {
      const [alone, all] = [one.get(name)?.dims, many.get(name)?.dims];
      if (!alone || !all) return true;
      return alone[0] === 1 && all.length === alone.length && all.every((d, i) => d === (i === 0 ? n : alone[i]));
    });
    return isApart ? many : undefined;
  } catch (error) {
    // A shape that was for one picture does not fit several.
    if (error instanceof PhospheneError && error.code === 'shape') return undefined;
    throw error;
  }
}

/** Names of the values that depend on the picture. */
function dependents(graph: Graph): ReadonlySet<string> {
  const names = new Set([IMAGE]);
  for (const node of graph.nodes)
    if (node.inputs.some((i) => names.has(i))) for (const output of node.outputs) names.add(output);
  return names;
}

/** The graph with shapes that state one picture made to keep however many there are. */
function loosened(graph: Graph, values: ReadonlyMap<string, Value>): Graph {
  const constants = new Map<string, Constant>(graph.constants);
  const nodes = graph.nodes.map((node): Node => {
    if (node.op !== 'Reshape' || node.attributes['allowzero'] === 1) return node;
    const shape = constants.get(node.inputs[1]!);
    const from = values.get(node.inputs[0]!)?.dims;
    if (!shape || isLazy(shape) || from?.[0] !== 1) return node;
    const [first, ...rest] = toNumbers(shape);
    if (first !== 1) return node;
    // Zero: as many as there were.
    const name = `${node.name}/of_pictures`;
    constants.set(name, int64([0, ...rest]));
    return { ...node, inputs: [node.inputs[0]!, name] };
  });
  return { ...graph, nodes, constants };
}
