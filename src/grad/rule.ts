/** @file What a gradient rule is: from the gradients of a node's outputs to those of its inputs, in standard operators. */
import { PhospheneError } from '../errors.ts';
import type { Builder, Value } from '../ir/builder.ts';
import type { Node } from '../ir/graph.ts';
import type { OperatorAttributes, OperatorName } from '../ir/ops/index.ts';
import type { Spelling } from './lowering.ts';

/** What a rule sees of the node that it differentiates. */
export interface RuleContext<A = Readonly<Record<string, unknown>>> {
  readonly b: Builder;
  readonly node: Node;
  /** The node's attributes as its operator declares them, defaults filled in. */
  readonly attributes: A;
  /** The node's inputs; undefined where an optional one is absent. */
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
  /** Gradient of the first output, never absent. */
  readonly g: Value;
  /** Gradients of all outputs; undefined where nothing flows back. */
  readonly gradients: readonly (Value | undefined)[];
  /** Whether input `i` lies on a path to what is differentiated for; a rule may return undefined for the others. */
  readonly wants: (i: number) => boolean;
  /** How the expensive maps are spelled for the provider at hand. */
  readonly lower: Spelling;
}

/**
 * Returns the gradient of each input, in order; one that has the dims of what its input was broadcast to is summed up by the walk.
 * A rule is needed for every operator through which a gradient must flow, and for no other.
 */
export type Rule<A = Readonly<Record<string, unknown>>> = (context: RuleContext<A>) => (Value | undefined)[];

/** Rules by operator, each with the attributes of its operator. */
type RuleTable = { readonly [K in OperatorName]?: Rule<OperatorAttributes<K>> };

/** The rules of a family. Whoever looks a rule up by a name gives it the attributes of the operator of that name. */
export function family(table: RuleTable): Readonly<Record<string, Rule>> {
  return table as Readonly<Record<string, Rule>>;
}

/** What a rule throws where it cannot differentiate its node: `why` after the operator and the node, and both as details. */
export function unsupported({ op, name }: Node, why: string): PhospheneError {
  return new PhospheneError('unsupported-op', `${op} ${name}: ${why}`, { op, node: name });
}

/**
 * Sums `g` over the axes along which a value of `dims` was broadcast: the one place where broadcasting is undone.
 *
 * @example
 * const b = new Builder();
 * const g = b.input('g', 'float32', [4, 3]);
 * unbroadcast(b, g, [1, 3]).dims; // [1, 3]
 */
export function unbroadcast(b: Builder, g: Value, dims: readonly number[]): Value {
  const extra = g.dims.length - dims.length;
  const axes = g.dims.flatMap((d, i) => (i < extra || (dims[i - extra] === 1 && d !== 1) ? [i] : []));
  return axes.length === 0 ? b.reshape(g, dims) : b.reshape(b.sum(g, axes), dims);
}
