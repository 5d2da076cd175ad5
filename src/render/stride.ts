/** @file How far apart the units of a layer look, in pixels of the picture. */
import type { Graph, Node } from '../ir/graph.ts';

/** Operators whose `strides` take pixels together, and one whose strides set them apart. */
const gathering = new Set(['Conv', 'MaxPool', 'AveragePool', 'LpPool']);

/**
 * Pixels of the picture from one position of a value to the next: the product of the strides on the way, the largest of several ways. 1 for
 * a value that does not depend on the picture.
 *
 * @example
 * strideOf(network.layers(size).graph, 'conv3_block4_out'); // 16
 */
export function strideOf(graph: Graph, value: string): number {
  const strides = new Map<string, number>();
  for (const node of graph.nodes) {
    const before = Math.max(1, ...node.inputs.map((name) => strides.get(name) ?? 1));
    for (const output of node.outputs) strides.set(output, Math.max(1, before * factorOf(node)));
  }
  return strides.get(value) ?? 1;
}

function factorOf({ op, attributes }: Node): number {
  const strides = attributes['strides'];
  const step = Array.isArray(strides) ? Math.max(...(strides as readonly number[])) : 1;
  if (gathering.has(op)) return step;
  if (op === 'ConvTranspose') return 1 / step;
  const block = attributes['blocksize'];
  if (typeof block !== 'number') return 1;
  return op === 'SpaceToDepth' ? block : op === 'DepthToSpace' ? 1 / block : 1;
}
