/** @file The first convolution of a graph, with the batch normalisation behind it: what tells how pictures were prepared for it. */
import { PhospheneError } from '../errors.ts';
import type { Graph } from '../ir/graph.ts';
import { type Constant, isLazy, type Tensor, toNumbers } from '../ir/tensor.ts';
import { constantOf, leadingAffine, type Picture } from './leading.ts';
import { type FirstConvolution, inferredPreprocess, SURE } from './inferred.ts';
import type { Input } from './network.ts';
import { standardised } from './standardised.ts';

/** What stands between a picture and the first convolution, and leaves the picture's values alone. */
const PASSING = new Set(['Identity', 'Cast', 'Pad', 'Transpose', 'QuantizeLinear', 'DequantizeLinear', 'Dropout']);
const MOST_STEPS = 8;
/** First convolutions are small: 11×11 of 3 colours and 96 outputs, for example. */
const MOST_WEIGHTS = 1 << 20;

type Part = Pick<Graph, 'nodes' | 'constants'>;

/** A preprocessing, where it is known from, and how surely. */
export type Known = Pick<Input, 'preprocess' | 'from' | 'sure'>;

/**
 * The preprocessing that a graph tells of its picture: what it does first is undone for pictures, or the weights of its first convolution make one
 * likely. Undefined if it tells nothing.
 */
export async function toldPreprocess(graph: Part, picture: Picture): Promise<Known | undefined> {
  const affine = leadingAffine(graph.nodes, graph.constants, picture);
  const own = affine && standardised(affine);
  return own ? { preprocess: own, from: 'file' } : likelyPreprocess(graph, picture.name);
}

/**
 * The preprocessing that the first convolution behind `input` makes likely, and how sure it is; undefined if it says nothing. Weights
 * that cannot be read say nothing here: whoever needs them is told.
 */
async function likelyPreprocess(graph: Part, input: string): Promise<Known | undefined> {
  try {
    const first = await firstConvolution(graph, input);
    const likely = first && inferredPreprocess(first);
    return likely && { ...likely, from: likely.sure >= SURE ? 'inferred' : 'assumed' };
  } catch (error) {
    if (error instanceof PhospheneError) return undefined;
    throw error;
  }
}

/** The first convolution behind the input of that name; undefined if something else comes first or behind it. */
export async function firstConvolution(
  { nodes, constants }: Part,
  input: string,
): Promise<FirstConvolution | undefined> {
  const constant = (name: string | undefined): Constant | undefined =>
    constants.get(name ?? '') ?? constantOf(nodes, name);
  const tensor = async (name: string | undefined): Promise<Tensor | undefined> => {
    const found = constant(name);
    return found && isLazy(found) ? found.load() : found;
  };
  const next = (value: string) => {
    const users = nodes.filter((node) => node.inputs[0] === value);
    return users.length === 1 ? users[0] : undefined;
  };
  let node = next(input);
  for (let step = 0; step < MOST_STEPS && node && PASSING.has(node.op); step++) node = next(node.outputs[0]!);
  if (node?.op !== 'Conv' || (node.attributes['group'] ?? 1) !== 1) return undefined;
  const dims = constant(node.inputs[1])?.dims;
  if (dims?.length !== 4 || dims.reduce((n, d) => n * d, 1) > MOST_WEIGHTS) return undefined;
  const behind = next(node.outputs[0]!);
  const rectified = behind?.op === 'Relu';
  const norm = rectified ? next(behind.outputs[0]!) : behind;
  // Nothing is read in vain.
  if (norm?.op !== 'BatchNormalization') return undefined;
  const kernel = await tensor(node.inputs[1]);
  if (kernel?.dtype !== 'float32') return undefined;
  const bias = node.inputs[2] ? await tensor(node.inputs[2]) : undefined;
  const [mean, variance] = await Promise.all(norm.inputs.slice(3, 5).map(tensor));
  const fits = (t: Tensor | undefined): boolean => t?.data.length === dims[0];
  if (!fits(mean) || !fits(variance)) return undefined;
  return {
    dims: dims as unknown as FirstConvolution['dims'],
    kernel: kernel.data as Float32Array,
    bias: bias && fits(bias) ? toNumbers(bias) : undefined,
    rectified,
    seen: { mean: toNumbers(mean!), variance: toNumbers(variance!) },
  };
}
