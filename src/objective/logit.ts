/** @file The logit of a class: what a classifier knows of it before all classes are weighed against each other. */
import type { Value } from '../ir/builder.ts';
import type { Node } from '../ir/graph.ts';
import { int64 } from '../ir/tensor.ts';
import { kind } from '../noun.ts';
import { outOfRange } from './channel.ts';
import type { Untitled } from './objective.ts';
import { channel, layer, oneHot, summedMean } from './parts.ts';

/**
 * The logit of one class, its mean over positions if there are any. A probability can be raised by lowering all others, and its gradient vanishes if it
 * is near 0 or 1; so what makes a probability of logits at the end of the layer is taken away: Softmax, LogSoftmax or Sigmoid,
 * as a layer, as an activation, or spelled in parts. Source: Simonyan et al. 2013, arXiv:1312.6034, section 2; Lucid's `class_logit`.
 */
export const logit = kind({
  kind: 'logit',
  help: 'Logit of a class: the activation of an output unit before softmax or sigmoid',
  settings: { layer, channel },
  make: ({ layer, channel: index }): Untitled => ({
    shape: `logit(${JSON.stringify(layer)})`,
    layers: [layer],
    values: { channel: int64(index) },
    build({ b, activation, value }) {
      const { value: x, channelAxis } = activation(layer);
      const count = x.dims[channelAxis]!;
      if (index >= count) throw outOfRange(layer, index, count);
      const name = beforeProbability(b.nodes, x.name);
      const logits = name === undefined ? x : b.value(name);
      const axis = axisOf(logits, count, channelAxis, x);
      const selected = b.mul(b.cast(logits, 'float32'), oneHot(b, value('channel'), count, axis, logits.dims.length));
      // The mean is over positions, not over channels, of which one is left.
      return b.mul(summedMean(b, selected), count);
    },
  }),
});

function axisOf(logits: Value, count: number, axis: number, x: Value): number {
  if (logits.name === x.name || logits.dims[axis] === count) return axis;
  return logits.dims.findIndex((d, i) => i > 0 && d === count);
}

/** What leaves numbers as they are, or gives them another shape only. */
const passing = new Set([
  'Identity',
  'Cast',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Dropout',
  'QuantizeLinear',
  'DequantizeLinear',
]);
const squashing = new Set(['Softmax', 'LogSoftmax', 'Sigmoid']);

/**
 * The name of the logits, if a value is a probability of them: the outcome of Softmax, LogSoftmax or Sigmoid, or of Exp and a division
 * by its sum, with nothing after it but changes of shape. Undefined for any other value.
 */
export function beforeProbability(nodes: readonly Node[], name: string): string | undefined {
  const producer = new Map(nodes.flatMap((node) => node.outputs.map((output) => [output, node] as const)));
  let node = producer.get(name);
  while (node && passing.has(node.op)) node = producer.get(node.inputs[0]!);
  if (!node) return undefined;
  if (squashing.has(node.op)) return node.inputs[0];
  // exp(x − max x) / Σ exp(x − max x).
  if (node.op !== 'Div') return undefined;
  const [exponential, sum] = node.inputs.map((input) => producer.get(input));
  if (exponential?.op !== 'Exp' || sum?.op !== 'ReduceSum' || sum.inputs[0] !== exponential.outputs[0])
    return undefined;
  const shifted = producer.get(exponential.inputs[0]!);
  const isShift = shifted?.op === 'Sub' && producer.get(shifted.inputs[1]!)?.op === 'ReduceMax';
  return isShift ? shifted.inputs[0] : exponential.inputs[0];
}

/** Whether nothing but changes of shape is done with a value: it is an end of the network. */
export function isEnd(nodes: readonly Node[], name: string): boolean {
  const readers = nodes.filter((node) => node.inputs.includes(name));
  return readers.every((node) => passing.has(node.op) && node.outputs.every((output) => isEnd(nodes, output)));
}
