/**
 * @file Rewrites that leave a graph's results as they are and its gradient cheaper: zero padding goes into the convolution
 * after it, a batch normalisation into the convolution before it, and a ReLU behind the max pool after it. ONNX Runtime does
 * the first two forward, but the gradient is written before it could.
 */
import type { Builder, Value } from '../ir/builder.ts';
import type { Graph, Node } from '../ir/graph.ts';
import { cpuLowering } from './lowering-cpu.ts';
import type { GradientOptions } from './rules.ts';
import { type Constant, float32, isLazy, type Tensor, toNumbers } from '../ir/tensor.ts';

/**
 * Adds `graph` to the builder, fused, and returns its outputs by name. Values inside a fused pair are gone. What is left of its
 * padding is spelled as the `lowering` says. A pool with a gradient of its own sees what it would see unfused.
 *
 * @example
 * const activation = inlineFused(b, graph, { image: x }).get('conv3_block4_out')!;
 */
export function inlineFused(
  b: Builder,
  graph: Graph,
  inputs: Readonly<Record<string, Value>>,
  { lowering = cpuLowering, overrides = {} }: Pick<GradientOptions, 'lowering' | 'overrides'> = {},
): Map<string, Value> {
  const uses = new Map<string, number>(graph.outputs.map((o) => [o.name, 1]));
  for (const node of graph.nodes) for (const i of node.inputs) uses.set(i, (uses.get(i) ?? 0) + 1);
  const producer = new Map(graph.nodes.map((node) => [node.outputs[0]!, node]));
  const constants = new Map<string, Constant>(graph.constants);
  /** What stands in place of the node behind a value, the last of them giving the value. */
  const replaced = new Map<string, readonly Node[]>();

  /** The node behind a value that nothing else uses. */
  const sole = (name: string, op: string): Node | undefined => {
    const node = replaced.get(name)?.at(-1) ?? producer.get(name);
    return node?.op === op && uses.get(name) === 1 ? node : undefined;
  };
  /** Takes a node away that {@link sole} gave, and leaves what else stands in its place. */
  const remove = (node: Node): void => {
    const name = node.outputs[0]!;
    replaced.set(name, (replaced.get(name) ?? []).slice(0, -1));
  };
  const set = (name: string, t: Tensor): string => {
    constants.set(name, t);
    return name;
  };

  for (const node of graph.nodes) {
    if (node.op === 'Conv') {
      const pad = sole(node.inputs[0]!, 'Pad');
      const pads = pad && convolutionPads(pad, node, constants);
      if (!pad || !pads) continue;
      remove(pad);
      replaced.set(node.outputs[0]!, [
        { ...node, inputs: [pad.inputs[0]!, ...node.inputs.slice(1)], attributes: { ...node.attributes, pads } },
      ]);
    } else if (node.op === 'BatchNormalization') {
      const conv = sole(node.inputs[0]!, 'Conv');
      const folded = conv && foldNormalisation(conv, node, constants);
      if (!conv || !folded) continue;
      const kernel = set(`${node.name}/folded_kernel`, folded.kernel);
      const bias = set(`${node.name}/folded_bias`, folded.bias);
      remove(conv);
      replaced.set(node.outputs[0]!, [
        { ...conv, name: node.name, inputs: [conv.inputs[0]!, kernel, bias], outputs: node.outputs },
      ]);
    } else if (node.op === 'MaxPool' && node.outputs.length === 1 && !Object.hasOwn(overrides, 'MaxPool')) {
      // The largest of what a ReLU lets through is what it lets through of the largest, zeros of a padding included. Behind the
      // pool it masks a quarter of the values, and leaves the pool's gradient to the convolution as it comes.
      const pad = sole(node.inputs[0]!, 'Pad');
      const zeros = pad && convolutionPads(pad, EMPTY_CONV, constants);
      const relu = sole(zeros ? pad.inputs[0]! : node.inputs[0]!, 'Relu');
      if (!relu) continue;
      const before = `${node.name}/before_relu`;
      remove(relu);
      if (zeros) replaced.set(pad.outputs[0]!, [{ ...pad, inputs: [relu.inputs[0]!, ...pad.inputs.slice(1)] }]);
      replaced.set(node.outputs[0]!, [
        {
          ...node,
          name: before,
          inputs: [zeros ? pad.outputs[0]! : relu.inputs[0]!],
          outputs: [before],
        },
        { ...relu, name: node.name, inputs: [before], outputs: node.outputs },
      ]);
    }
  }
  const nodes = graph.nodes.flatMap((node) => replaced.get(node.outputs[0]!) ?? [node]);
  const used = new Set(nodes.flatMap((node) => node.inputs));
  const kept = new Map([...constants].filter(([name]) => used.has(name)));
  const spelling = lowering();
  return b.inline({ ...graph, nodes, constants: kept }, inputs, (node, [x, w, bias]) => {
    if (node.op === 'Conv' && x && w) return spelling.conv(b, x, w, bias, node.attributes, node.name);
    const pads = node.op === 'Pad' ? convolutionPads(node, EMPTY_CONV, kept) : undefined;
    return pads && x ? spelling.pad(b, x, pads, node.name) : undefined;
  });
}

const EMPTY_CONV: Node = { op: 'Conv', name: '', inputs: [], outputs: [], attributes: {} };

/** A constant that is known and read. */
function read(constants: ReadonlyMap<string, Constant>, name: string | undefined): Tensor | undefined {
  const constant = constants.get(name ?? '');
  return constant && !isLazy(constant) ? constant : undefined;
}

/** Pads of the convolution that does its zero padding itself, or undefined if that is something else. */
function convolutionPads(pad: Node, conv: Node, constants: ReadonlyMap<string, Constant>): number[] | undefined {
  const amounts = read(constants, pad.inputs[1]);
  const value = read(constants, pad.inputs[2]);
  const mode = pad.attributes['mode'] ?? 'constant';
  if (
    !amounts ||
    pad.inputs[3] ||
    mode !== 'constant' ||
    (pad.inputs[2] && !value) ||
    (value && toNumbers(value)[0] !== 0)
  )
    return undefined;
  if ((conv.attributes['auto_pad'] ?? 'NOTSET') !== 'NOTSET') return undefined;
  const p = toNumbers(amounts);
  const rank = p.length / 2;
  if (p.some((v, i) => v < 0 || (i % rank < 2 && v !== 0))) return undefined;
  const own =
    (conv.attributes['pads'] as readonly number[] | undefined) ?? Array.from({ length: 2 * (rank - 2) }, () => 0);
  return [...p.slice(2, rank), ...p.slice(rank + 2)].map((v, i) => v + own[i]!);
}

/** Kernel and bias of the convolution that normalises its output itself: w·s and (b − mean)·s + beta, s = gamma / √(var + ε). */
function foldNormalisation(
  conv: Node,
  norm: Node,
  constants: ReadonlyMap<string, Constant>,
): { kernel: Tensor; bias: Tensor } | undefined {
  const [kernel, bias] = conv.inputs.slice(1).map((i) => read(constants, i));
  const [gamma, beta, mean, variance] = norm.inputs.slice(1).map((i) => read(constants, i));
  if (kernel?.dtype !== 'float32' || !gamma || !beta || !mean || !variance || (conv.inputs[2] && !bias))
    return undefined;
  const epsilon = (norm.attributes['epsilon'] as number | undefined) ?? 1e-5;
  const [g, s, m, v] = [gamma, beta, mean, variance].map(toNumbers) as [number[], number[], number[], number[]];
  const scale = g.map((value, i) => value / Math.sqrt(v[i]! + epsilon));
  const run = kernel.data.length / scale.length;
  const weights = (kernel.data as Float32Array).slice();
  scale.forEach((factor, i) => {
    for (let k = i * run; k < (i + 1) * run; k++) weights[k] = weights[k]! * factor;
  });
  const shift = scale.map((a, i) => (((bias?.data[i] as number | undefined) ?? 0) - m[i]!) * a + s[i]!);
  return { kernel: float32(weights, kernel.dims), bias: float32(shift) };
}
