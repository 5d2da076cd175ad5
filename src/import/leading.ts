/** @file What a network does with its input before anything else: exporters leave the standardisation of pictures in the graph. */
import type { Node } from '../ir/graph.ts';
import { type Constant, type Dims, isLazy, sizeOf, toNumbers } from '../ir/tensor.ts';
import type { Affine } from './standardised.ts';

/** What leaves a picture as it is, or rounds it and takes the rounding's scale back. */
const UNCHANGING = new Set(['Cast', 'Identity', 'QuantizeLinear', 'DequantizeLinear', 'Resize']);

/** No exporter needs more; to look further would take long in a hostile file. */
const MOST_STEPS = 16;

/** The picture of a graph: its input's name, its channels, and the axis that counts them. */
export interface Picture {
  readonly name: string;
  readonly channels: number;
  readonly axis: number;
}

/**
 * The scale and shift of each channel that a graph applies to its input first: Sub, Add, Div and Mul by constants of one number or
 * one a channel, and BatchNormalization. Undefined if it begins with something else.
 */
export function leadingAffine(
  nodes: readonly Node[],
  constants: ReadonlyMap<string, Constant>,
  input: Picture,
): Affine | undefined {
  const { channels } = input;
  let { axis } = input;
  let scale = Array.from({ length: channels }, () => 1);
  let shift = Array.from({ length: channels }, () => 0);
  let found = false;
  const numbers = (name: string | undefined): { values: readonly number[]; dims: Dims } | undefined => {
    const constant = constants.get(name ?? '') ?? constantOf(nodes, name);
    return constant && !isLazy(constant) ? { values: toNumbers(constant), dims: constant.dims } : undefined;
  };
  let turned = false;
  /** One number for each channel of the picture, if the constant has one for all or one for each. */
  const each = (name: string | undefined): readonly number[] | undefined => {
    const c = numbers(name);
    if (c?.values.length === 1) return Array.from({ length: channels }, () => c.values[0]!);
    const along = c && c.dims.length - 4 + axis;
    const fits = c && sizeOf(c.dims) === channels && along! >= 0 && c.dims[along!] === channels;
    return fits ? (turned ? c.values.toReversed() : c.values) : undefined;
  };
  const then = (s: readonly number[], t: readonly number[]): void => {
    scale = scale.map((v, i) => v * s[i]!);
    shift = shift.map((v, i) => v * s[i]! + t[i]!);
    found = true;
  };
  const ones = Array.from({ length: channels }, () => 1);
  const zeros = ones.map(() => 0);
  let value = input.name;
  for (let step = 0; step < MOST_STEPS; step++) {
    // Parts that are taken of it say nothing of the whole.
    const users = nodes.filter((n) => n.op !== 'Slice' && n.inputs.includes(value));
    const [node] = users;
    if (!node || users.length !== 1) break;
    const [left, right] = node.inputs;
    const other = left === value ? right : left;
    if (node.op === 'Transpose') {
      const perm = node.attributes['perm'] as readonly number[] | undefined;
      axis = perm ? perm.indexOf(axis) : 3 - axis;
    } else if (node.op === 'Gather') {
      const order = numbers(right)?.values.join();
      if (node.attributes['axis'] !== axis || order !== Array.from(ones, (_, i) => channels - 1 - i).join()) break;
      turned = !turned;
    } else if (node.op === 'BatchNormalization') {
      const vectors = node.inputs.slice(1).map((name) => numbers(name)?.values);
      const [gamma, beta, mean, variance] = vectors.map((v) =>
        v?.length === channels ? (turned ? v.toReversed() : v) : undefined,
      );
      if (!gamma || !beta || !mean || !variance || axis !== 1) break;
      const epsilon = (node.attributes['epsilon'] as number | undefined) ?? 1e-5;
      const s = gamma.map((g, i) => g / Math.sqrt(variance[i]! + epsilon));
      then(
        s,
        s.map((v, i) => beta[i]! - v * mean[i]!),
      );
    } else if (!UNCHANGING.has(node.op)) {
      const c = each(other);
      if (!c) break;
      if (node.op === 'Add') then(ones, c);
      else if (node.op === 'Mul') then(c, zeros);
      else if (node.op === 'Sub' && left === value)
        then(
          ones,
          c.map((v) => -v),
        );
      else if (node.op === 'Div' && left === value)
        then(
          c.map((v) => 1 / v),
          zeros,
        );
      else break;
    }
    value = node.outputs[0]!;
  }
  return found ? { scale, shift } : undefined;
}

/** The numbers of a Constant node: small ones stay nodes. */
export function constantOf(nodes: readonly Node[], name: string | undefined): Constant | undefined {
  const value = nodes.find((n) => n.op === 'Constant' && n.outputs[0] === name)?.attributes['value'];
  return typeof value === 'object' && 'dtype' in value ? value : undefined;
}
