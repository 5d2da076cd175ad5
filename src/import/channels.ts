/**
 * @file Which axis of each value holds channels: the axis along which one filter's numbers lie apart from another's. It is not
 * always axis 1. A converter may have left a network in NHWC between transposes, and a transformer's values are [n, tokens, dim].
 * A wrong axis would show a row of the picture as if it were a filter.
 */
import type { Node } from '../ir/graph.ts';
import { type Dims, sizeOf } from '../ir/tensor.ts';

/** What the rules see of a node: its inputs' and output's dims, and the channel axes of its inputs, as far as they are known. */
interface Context {
  readonly node: Node;
  readonly dims: readonly (Dims | undefined)[];
  readonly axes: readonly (number | undefined)[];
  /** Which inputs depend on the picture; the others are weights. */
  readonly depends: readonly boolean[];
  readonly out: Dims;
  /** The numbers of a constant input. */
  readonly constant: (index: number) => readonly number[] | undefined;
}

/** The channel axis of a node's output, or undefined if it has none or it is not known. */
type Rule = (context: Context) => number | undefined;

const first: Rule = () => 1;
/** Of an operator that leaves its first input's axes in place. */
const kept: Rule = ({ axes }) => axes[0];

/**
 * Of an operator that broadcasts: the axis that its inputs agree on, counted from the last. If none of them tells, for example behind a
 * Reshape into groups, it is the one along which weights are one for each channel.
 */
const broadcast: Rule = ({ dims, axes, depends, out }) => {
  if (axes.every((axis) => axis === undefined)) {
    const weights = dims.filter((_, i) => !depends[i]).map((d) => d ?? []);
    const long = weights.flatMap((d) =>
      d.flatMap((length, axis) => (length > 1 ? [axis + out.length - d.length] : [])),
    );
    return long.length === 1 && out[0] === 1 && sizeOf(weights.flat()) === out[long[0]!] ? long[0] : undefined;
  }
  const found = new Set(axes.flatMap((axis, i) => (axis === undefined ? [] : [axis + out.length - dims[i]!.length])));
  return found.size === 1 ? [...found][0] : undefined;
};

/** Of an operator that takes axes away or adds some, if they are known. */
function without(axis: number, removed: readonly number[]): number | undefined {
  return removed.includes(axis) ? undefined : axis - removed.filter((r) => r < axis).length;
}

const normal = (axes: readonly number[], rank: number): number[] => axes.map((a) => (a < 0 ? a + rank : a));

const reduce: Rule = ({ node, dims: [x], axes: [axis], constant }) => {
  if (axis === undefined || !x) return undefined;
  const given = (node.attributes['axes'] as readonly number[] | undefined) ?? constant(1);
  const removed = given ? normal(given, x.length) : x.map((_, i) => i);
  if (removed.includes(axis)) return undefined;
  return node.attributes['keepdims'] === 0 ? without(axis, removed) : axis;
};

/** The axis of the same length with as many elements before it: [n, c, h, w] → [n, c, h · w], and [n, c, 1, 1] → [n, c]. */
const reshape: Rule = ({ dims: [x], axes: [axis], out }) => {
  if (axis === undefined || !x) return undefined;
  const before = sizeOf(x.slice(0, axis));
  const at = out.findIndex((d, i) => d === x[axis] && sizeOf(out.slice(0, i)) === before);
  return at < 0 ? undefined : at;
};

const rules: Readonly<Record<string, Rule>> = {
  ...Object.fromEntries(
    // prettier-ignore
    ['Conv', 'ConvTranspose', 'MaxPool', 'AveragePool', 'LpPool', 'GlobalAveragePool', 'GlobalMaxPool', 'GlobalLpPool', 'BatchNormalization', 'InstanceNormalization', 'LRN', 'PRelu', 'DepthToSpace', 'SpaceToDepth'].map((op) => [op, first]),
  ),
  ...Object.fromEntries(
    // prettier-ignore
    ['Add', 'Div', 'Max', 'Mean', 'Min', 'Mul', 'Pow', 'Sub', 'Sum', 'And', 'Or', 'Equal', 'Greater', 'GreaterOrEqual', 'Less', 'LessOrEqual'].map((op) => [op, broadcast]),
  ),
  ...Object.fromEntries(['Pad', 'Slice', 'Split', 'Expand', 'Tile', 'Resize', 'Upsample'].map((op) => [op, kept])),
  ...Object.fromEntries(
    // prettier-ignore
    ['ReduceL1', 'ReduceL2', 'ReduceMax', 'ReduceMean', 'ReduceMin', 'ReduceProd', 'ReduceSum', 'ReduceSumSquare', 'ReduceLogSumExp'].map((op) => [op, reduce]),
  ),
  Reshape: reshape,
  Flatten: reshape,
  Concat: ({ axes }) => (axes.every((a) => a === axes[0]) ? axes[0] : undefined),
  Transpose({ node, dims: [x], axes: [axis] }) {
    if (axis === undefined || !x) return undefined;
    const perm = (node.attributes['perm'] as readonly number[] | undefined) ?? x.map((_, i) => x.length - 1 - i);
    return perm.indexOf(axis);
  },
  Squeeze({ node, dims: [x], axes: [axis], constant }) {
    if (axis === undefined || !x) return undefined;
    const given = (node.attributes['axes'] as readonly number[] | undefined) ?? constant(1);
    return without(axis, given ? normal(given, x.length) : x.flatMap((d, i) => (d === 1 ? [i] : [])));
  },
  Unsqueeze({ node, axes: [axis], out, constant }) {
    const given = (node.attributes['axes'] as readonly number[] | undefined) ?? constant(1);
    if (axis === undefined || !given) return undefined;
    const added = normal(given, out.length);
    return out.map((_, i) => i).filter((i) => !added.includes(i))[axis];
  },
  Gather({ node, dims: [x, indices], axes: [axis] }) {
    if (axis === undefined || !x || !indices) return undefined;
    const [at] = normal([(node.attributes['axis'] as number | undefined) ?? 0], x.length);
    if (axis === at) return indices.length === 1 ? axis : undefined;
    return axis < at! ? axis : axis + indices.length - 1;
  },
  // A product with weights makes channels of its last axis, unless those of a picture are known to be before both axes of the product:
  // then rows or columns are mixed. A product of two values that depend on the picture keeps the second's.
  MatMul({ dims: [v, w], axes: [before, axis], depends: [x, y], out }) {
    if (x && !y) return before !== undefined && before < v!.length - 2 ? before : out.length - 1;
    const fromEnd = axis === undefined ? 0 : w!.length - axis;
    return fromEnd === 1 || (fromEnd >= 2 && !x) ? out.length - fromEnd : undefined;
  },
  Gemm: first,
  // Over the last axis alone it is over channels, whatever was known before.
  LayerNormalization: ({ node, axes, out }) => {
    const [axis] = normal([(node.attributes['axis'] as number | undefined) ?? -1], out.length);
    return axis === out.length - 1 ? axis : axes[0];
  },
  Where: (c) => broadcast({ ...c, dims: c.dims.slice(1), axes: c.axes.slice(1) }),
};

/** Operators without a rule that leave the shape as it is: activations, casts and the like. */
const sameShape = (dims: Dims | undefined, out: Dims): boolean =>
  dims !== undefined && dims.length === out.length && dims.every((d, i) => d === out[i]);

export interface Values {
  readonly nodes: readonly Node[];
  dims(name: string): Dims | undefined;
  constant(name: string): readonly number[] | undefined;
}

/**
 * The channel axis of every value that depends on `image`, whose own is `axis`; undefined if it is not known. Values that do not
 * depend on it are not in the map.
 */
export function channelAxes(values: Values, image: string, axis = 1): Map<string, number | undefined> {
  const found = new Map<string, number | undefined>([[image, axis]]);
  for (const node of values.nodes) {
    if (!node.inputs.some((i) => found.has(i))) continue;
    const dims = node.inputs.map((i) => (i === '' ? undefined : values.dims(i)));
    for (const output of node.outputs) {
      const out = values.dims(output);
      if (!out) continue;
      const context: Context = {
        node,
        dims,
        axes: node.inputs.map((i) => found.get(i)),
        depends: node.inputs.map((i) => found.has(i)),
        out,
        constant: (i) => (node.inputs[i] ? values.constant(node.inputs[i]) : undefined),
      };
      const rule = rules[node.op] ?? (sameShape(dims[0], out) ? kept : undefined);
      const at = rule?.(context);
      found.set(output, at !== undefined && at > 0 && at < out.length ? at : undefined);
    }
  }
  return found;
}
