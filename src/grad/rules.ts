/** @file The table of rules, and how one node is differentiated by it. */
import type { Builder, Value } from '../ir/builder.ts';
import type { Node } from '../ir/graph.ts';
import { jumps } from '../ir/infer.ts';
import { elementwise } from './elementwise.ts';
import { linear } from './linear.ts';
import { cpuLowering, type Lowering } from './lowering.ts';
import { movement } from './movement.ts';
import { pool } from './pool.ts';
import { type Rule, unsupported } from './rule.ts';

/** One rule an operator, one file a family. */
export const rules: Readonly<Record<string, Rule>> = { ...elementwise, ...linear, ...pool, ...movement };

/** How a graph is differentiated. */
export interface GradientOptions {
  /** Alternative rules by operator (redirected ReLU, guided back-propagation …); they come before the table. */
  readonly overrides?: Readonly<Record<string, Rule>>;
  readonly lowering?: Lowering;
}

/** Names of the values of the builder that depend on `xs` by a path on which gradients flow, whether or not it has all rules. */
export function pathFrom(b: Builder, xs: readonly Value[]): Set<string> {
  const names = new Set(xs.map((x) => x.name));
  for (const node of b.nodes) {
    if (jumps(node.op) || !node.inputs.some((i) => names.has(i))) continue;
    // No gradient flows through comparisons, indices and shapes either, whatever gives them.
    for (const o of node.outputs) if (b.value(o).dtype.startsWith('float')) names.add(o);
  }
  return names;
}

/**
 * Gradients of a node's inputs, from those of its outputs (undefined if nothing flows back); undefined for inputs that are
 * not on the `path`. Throws `unsupported-op` naming the operator and the node if there is no rule for it.
 */
export function differentiate(
  b: Builder,
  node: Node,
  gradients: readonly (Value | undefined)[],
  path: ReadonlySet<string>,
  { overrides = {}, lowering = cpuLowering }: GradientOptions,
): (Value | undefined)[] {
  const rule = overrides[node.op] ?? rules[node.op];
  if (!rule) throw unsupported(node, 'there is no gradient rule for this operator');
  const wants = (k: number): boolean => path.has(node.inputs[k] ?? '');
  const outputs = node.outputs.map((o) => b.value(o));
  const results = rule({
    b,
    node,
    inputs: node.inputs.map((name) => (name === '' ? undefined : b.value(name))),
    outputs,
    g: gradients[0] ?? b.expand(b.float(0), outputs[0]!.dims),
    gradients,
    wants,
    lower: lowering,
  });
  return results.map((result, k) => (wants(k) ? result : undefined));
}
