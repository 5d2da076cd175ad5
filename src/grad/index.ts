/**
 * @file Reverse-mode differentiation from ONNX to ONNX. Mark the path from the targets to y, walk it backwards, and let each
 * operator's rule spell the chain rule in standard operators, in the same Builder.
 */
import { PhospheneError } from '../errors.ts';
import { type Builder, sameDims, type Value } from '../ir/builder.ts';
import type { Node } from '../ir/graph.ts';
import { elementwise } from './elementwise.ts';
import { linear } from './linear.ts';
import { cpuLowering, type Lowering } from './lowering.ts';
import { movement } from './movement.ts';
import { pool } from './pool.ts';
import type { Rule } from './rule.ts';

export { cpuLowering, type Lowering } from './lowering.ts';
export type { Rule, RuleContext } from './rule.ts';

/** One rule an operator, one file a family. */
export const rules: Readonly<Record<string, Rule>> = { ...elementwise, ...linear, ...pool, ...movement };

/** Outputs through which no gradient flows: comparisons, shapes, steps. Their inputs are constants to the calculus. */
const flat = new Set([
  'And',
  'Ceil',
  'ConstantOfShape',
  'Equal',
  'Floor',
  'Greater',
  'GreaterOrEqual',
  'Less',
  'LessOrEqual',
  'Not',
  'Or',
  'Round',
  'Shape',
  'Sign',
]);

export interface GradientOptions {
  /** Alternative rules by operator (redirected ReLU, guided back-propagation …); they come before the table. */
  readonly overrides?: Readonly<Record<string, Rule>>;
  readonly lowering?: Lowering;
}

/**
 * Gradients of the scalar `y` for each of `xs`, as values in the same builder; zeros where y does not depend on an x.
 * Throws `unsupported-op` naming the operator and node on the path that has no rule.
 *
 * @example
 * const [dz] = gradient(b, loss, [z]);
 */
export function gradient(b: Builder, y: Value, xs: readonly Value[], options: GradientOptions = {}): Value[] {
  const { overrides = {}, lowering = cpuLowering } = options;
  const nodes = [...b.nodes];
  const onPath = reachable(nodes, xs);
  const flowing = new Map<string, Value>([[y.name, b.expand(b.float(1), y.dims)]]);
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    const gradients = node.outputs.map((o) => flowing.get(o));
    if (!node.outputs.some((o, k) => gradients[k] && onPath.has(o)) || flat.has(node.op)) continue;
    const rule = overrides[node.op] ?? rules[node.op];
    if (!rule) {
      throw new PhospheneError(
        'unsupported-op',
        `${node.op} ${node.name}: there is no gradient rule for this operator`,
        { op: node.op, node: node.name },
      );
    }
    const inputs = node.inputs.map((name) => (name === '' ? undefined : b.value(name)));
    const wants = (k: number): boolean => onPath.has(node.inputs[k] ?? '');
    const g = gradients[0] ?? b.expand(b.float(0), b.value(node.outputs[0]!).dims);
    const results = rule({
      b,
      node,
      inputs,
      outputs: node.outputs.map((o) => b.value(o)),
      g,
      gradients,
      wants,
      lower: lowering,
    });
    results.forEach((result, k) => {
      if (!result || !wants(k)) return;
      const input = inputs[k]!;
      if (!sameDims(result.dims, input.dims)) {
        throw new Error(
          `internal: ${node.op} ${node.name}: gradient of input ${k} is [${result.dims.join(', ')}], the input [${input.dims.join(', ')}]`,
        );
      }
      const earlier = flowing.get(input.name);
      flowing.set(input.name, earlier ? b.add(earlier, result) : result);
    });
  }
  return xs.map((x) => flowing.get(x.name) ?? b.expand(b.float(0), x.dims));
}

/** Names of the values that depend on `xs` by a path on which gradients flow. */
function reachable(nodes: readonly Node[], xs: readonly Value[]): Set<string> {
  const names = new Set(xs.map((x) => x.name));
  for (const node of nodes) {
    if (!flat.has(node.op) && node.inputs.some((i) => names.has(i))) for (const o of node.outputs) names.add(o);
  }
  return names;
}
