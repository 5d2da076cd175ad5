/** @file How far back gradients go: what can be differentiated, asked of a whole network at once. */
import { Builder } from '../ir/builder.ts';
import type { Graph, Node } from '../ir/graph.ts';
import { type Constant, type Lazy, sizeOf } from '../ir/tensor.ts';
import { cpuLowering } from './lowering-cpu.ts';
import { differentiate, type GradientOptions, pathFrom } from './rules.ts';

const FEW = 16;

/**
 * Names of the values of `graph` that have a gradient for its input `x`: those that depend on it, and by operators with rules
 * only. Each rule is tried once, which costs far less than a gradient does.
 *
 * @example
 * const b = new Builder();
 * const x = b.input('x', 'float32', [1, 8]);
 * const graph = b.graph({ smooth: b.sigmoid(x), steps: b.one('Floor', [x]) });
 * [...differentiable(graph, 'x')].filter((name) => graph.outputs.some((o) => o.name === name)); // ['smooth']
 */
export function differentiable(graph: Graph, x: string, options: GradientOptions = {}): Set<string> {
  const b = new Builder();
  // Weights as if they were not read: rules decide by shapes and attributes, and most of their work is with the weights. A few numbers
  // may be scales or bounds, which shapes depend on.
  const constants = new Map(
    [...graph.constants].map(([name, t]) => [name, t.dtype === 'float32' && sizeOf(t.dims) > FEW ? unread(t) : t]),
  );
  const values = b.inline(
    { ...graph, constants },
    Object.fromEntries(graph.inputs.map(({ name, dtype, dims }) => [name, b.input(name, dtype, dims)])),
  );
  const nodes = [...b.nodes];
  const start = values.get(x);
  // A graph of which nothing depends on the picture has no such input.
  if (!start) return new Set();
  const { lowering = cpuLowering, overrides, stop } = options;
  const spelling = lowering();
  const path = pathFrom(b, [start], stop);
  const barred = new Set<string>();
  const hasRule = (node: Node): boolean => {
    const gradients = node.outputs.map((o) => {
      const { dtype, dims } = b.value(o);
      return path.has(o) ? b.input('g', dtype, dims) : undefined;
    });
    try {
      differentiate(b, node, gradients, path, spelling, overrides);
      return true;
    } catch {
      // No rule, or a node that lacks what its rule needs: files come from strangers. Whoever differentiates it hears why.
      return false;
    }
  };
  for (const node of nodes) {
    const outputs = node.outputs.filter((o) => path.has(o));
    if (outputs.length === 0) continue;
    if (node.inputs.some((i) => barred.has(i)) || !hasRule(node)) for (const o of outputs) barred.add(o);
  }
  return new Set([...values].flatMap(([name, v]) => (path.has(v.name) && !barred.has(v.name) ? [name] : [])));
}

function unread({ dtype, dims }: Constant): Lazy {
  return {
    dtype,
    dims,
    load: () => Promise.reject(new Error('internal: a weight was read to see what can be differentiated')),
  };
}
