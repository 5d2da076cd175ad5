/** @file The table of rules, and how one node is differentiated by it. */
import type { Builder, Value } from '../ir/builder.ts';
import type { Node } from '../ir/graph.ts';
import { about, attributesOf, jumps } from '../ir/infer.ts';
import { elementwise } from './elementwise.ts';
import { linear } from './linear.ts';
import type { Lowering, Spelling } from './lowering.ts';
import { movement } from './movement.ts';
import { pool } from './pool.ts';
import { type Rule, unbroadcast, unsupported } from './rule.ts';

/** One rule an operator, one file a family. */
export const rules: Readonly<Record<string, Rule>> = { ...elementwise, ...linear, ...pool, ...movement };

/** How a graph is differentiated. */
export interface GradientOptions {
  /** Alternative rules by operator (redirected ReLU, guided back-propagation …); they come before the table. */
  readonly overrides?: Readonly<Record<string, Rule>>;
  /** How the expensive parts are spelled: that of the runtime which computes the graph. That of the CPU if it is absent. */
  readonly lowering?: Lowering;
  /** Values that are taken for constants: no gradient flows back through them. */
  readonly stop?: readonly Value[];
}

/** Names of the values of the builder that depend on `xs` by a path on which gradients flow, whether or not it has all rules. */
export function pathFrom(b: Builder, xs: readonly Value[], stop: readonly Value[] = []): Set<string> {
  const stopped = new Set(stop.map((v) => v.name));
  const names = new Set(xs.map((x) => x.name));
  for (const node of b.nodes) {
    if (jumps(node.op) || !node.inputs.some((i) => names.has(i))) continue;
    // No gradient flows through comparisons, indices and shapes either, whatever gives them.
    for (const o of node.outputs) if (b.value(o).dtype.startsWith('float') && !stopped.has(o)) names.add(o);
  }
  return names;
}

/**
 * Gradients of a node's inputs, each with its input's dims, from those of its outputs (undefined where nothing flows back);
 * undefined for inputs that are not on the `path`. Throws `unsupported-op` naming the operator and the node if it has no rule.
 */
export function differentiate(
  b: Builder,
  node: Node,
  gradients: readonly (Value | undefined)[],
  path: ReadonlySet<string>,
  spelling: Spelling,
  overrides: Readonly<Record<string, Rule>> = {},
): (Value | undefined)[] {
  const rule = own(overrides, node.op) ?? own(rules, node.op);
  if (!rule) throw unsupported(node, 'there is no gradient rule for this operator');
  const wants = (k: number): boolean => path.has(node.inputs[k] ?? '');
  const outputs = node.outputs.map((o) => b.value(o));
  const inputs = node.inputs.map((name) => (name === '' ? undefined : b.value(name)));
  const results = about(node.op, node.name, () =>
    rule({
      b,
      node,
      attributes: attributesOf(node),
      inputs,
      outputs,
      g: gradients[0] ?? b.expand(b.float(0), outputs[0]!.dims),
      gradients,
      wants,
      lower: spelling,
    }),
  );
  return results.map((result, k) => {
    if (!result || !wants(k)) return undefined;
    const { dims } = inputs[k]!;
    const extra = result.dims.length - dims.length;
    if (extra < 0 || dims.some((d, i) => d !== 1 && d !== result.dims[i + extra]))
      throw new Error(
        `internal: ${node.op} ${node.name}: gradient of input ${k} is [${result.dims.join(', ')}], the input [${dims.join(', ')}]`,
      );
    return unbroadcast(b, result, dims);
  });
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
