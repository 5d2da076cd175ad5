/** @file What is known of a layer's channels without a photo of anyone: how they answer to noise, and which of them are alike. */
import { PhospheneError } from '../errors.ts';
import { defaultSize, findLayer, type Network, type Size } from '../import/network.ts';
import type { Graph, Node } from '../ir/graph.ts';
import { float32, isLazy, toNumbers } from '../ir/tensor.ts';
import type { Raster } from '../output/raster.ts';
import { clamped, photoRaster } from '../photo/photo.ts';
import { resize } from '../photo/resize.ts';
import { Random } from '../random.ts';
import { keeper } from './kept.ts';
import { activationMap } from './look.ts';
import type { Engine } from './render.ts';

/** What the channels of a layer are like: a number for each. */
export interface Portrait {
  /** The greatest activation for noise that has the spectrum of photographs. */
  readonly peak: Float32Array;
  /** The greatest less the least: 0 if the channel answers nothing, whatever it sees. */
  readonly spread: Float32Array;
  /** How much the channel that is most like it is like it, from -1 to 1: the odd ones out have the least. */
  readonly likeness: Float32Array;
}

/** A channel that is like another one. */
export interface Alike {
  readonly channel: number;
  /** From -1 to 1. */
  readonly likeness: number;
}

/** The channels of its layer that a channel is most like, the nearest first. */
export interface Nearest {
  /** Correlation of activations for noise, place by place. */
  readonly byActivation: readonly Alike[];
  /** Cosine of the weights that give them; absent if the layer does not stand right behind weights. */
  readonly byWeights?: readonly Alike[];
}

/** Pictures of noise that a layer is shown. */
const PICTURES = 4;
/** Places at which channels are compared. */
const PLACES = 256;
/** Multiplications that comparing all channels of a layer may take. */
const MOST_WORK = 2 ** 31;
/** Layers of a network that stay known. */
const KEPT = 4;

interface Answers {
  readonly channels: number;
  readonly peak: Float32Array;
  readonly spread: Float32Array;
  /** [channels, places], each row with the mean 0 and the length 1; or 0. */
  readonly rows: Float32Array;
  readonly places: number;
}
const keptAnswers = keeper<Answers>(KEPT);
const keptKernels = keeper<Float32Array | undefined>(KEPT);

/**
 * What the channels of a layer are like. `size` is that of the noise; what the network fixes stands above it. Throws `unknown-layer`,
 * `bad-option` for a network that takes no photos, and what cutting and running throw.
 *
 * @example
 * const { spread } = await portraitOf(network, 'conv3_block4_out', { height: 180, width: 180 }, engine);
 * const dead = [...spread.keys()].filter((channel) => spread[channel] === 0);
 */
export async function portraitOf(network: Network, layer: string, size: Size, engine: Engine): Promise<Portrait> {
  const known = await answersOf(network, layer, size, engine);
  const { channels, peak, spread, rows, places } = known;
  // Of a layer with very many channels, fewer places are compared.
  const used = Math.max(1, Math.min(places, Math.floor(MOST_WORK / channels ** 2)));
  const likeness = new Float32Array(channels).fill(channels > 1 ? -1 : 0);
  for (let a = 0; a < channels; a++)
    for (let b = a + 1; b < channels; b++) {
      const like = dot(rows, a * places, rows, b * places, used);
      if (like > likeness[a]!) likeness[a] = like;
      if (like > likeness[b]!) likeness[b] = like;
    }
  return { peak, spread, likeness };
}

/**
 * The channels of its layer that a channel is most like. Throws what {@link portraitOf} throws, and `bad-option` for a channel that is not
 * there.
 *
 * @example
 * const { byActivation } = await nearestTo(network, 'conv3_block4_out', 7, size, engine);
 */
export async function nearestTo(
  network: Network,
  layer: string,
  channel: number,
  size: Size,
  engine: Engine,
  count = 12,
): Promise<Nearest> {
  const { channels, rows, places } = await answersOf(network, layer, size, engine);
  if (!Number.isInteger(channel) || channel < 0 || channel >= channels)
    throw new PhospheneError('bad-option', `${layer} has no channel ${channel}; they are 0 to ${channels - 1}`, {
      layer,
      channel,
    });
  const nearest = (values: Float32Array, length: number): readonly Alike[] =>
    Array.from({ length: channels }, (_, other) => ({
      channel: other,
      likeness: dot(values, channel * length, values, other * length, length),
    }))
      .filter((other) => other.channel !== channel)
      .toSorted((a, b) => b.likeness - a.likeness)
      .slice(0, count);
  const kernels = await keptKernels(network, layer, () =>
    kernelsOf(network, layer, defaultSize(network.input, size), channels),
  );
  return {
    byActivation: nearest(rows, places),
    ...(kernels ? { byWeights: nearest(kernels, kernels.length / channels) } : {}),
  };
}

function answersOf(network: Network, layer: string, size: Size, engine: Engine): Promise<Answers> {
  const key = JSON.stringify([layer, size]);
  return keptAnswers(network, key, () => answering(network, layer, size, engine));
}

async function answering(network: Network, layer: string, asked: Size, engine: Engine): Promise<Answers> {
  const size = defaultSize(network.input, asked);
  const random = new Random('study/places');
  let found:
    | { channels: number; peak: Float32Array; least: Float32Array; rows: Float32Array; places: number }
    | undefined;
  for (let picture = 0; picture < PICTURES; picture++) {
    const { channels, height, width, data } = await activationMap(network, layer, noise(size, picture), engine);
    const count = height * width;
    const each = Math.min(count, PLACES / PICTURES);
    found ??= {
      channels,
      peak: new Float32Array(channels).fill(-Infinity),
      least: new Float32Array(channels).fill(Infinity),
      rows: new Float32Array(channels * each * PICTURES),
      places: each * PICTURES,
    };
    const { peak, least, rows, places } = found;
    const at = chosen(random, count, each);
    for (let c = 0; c < channels; c++) {
      for (let i = c * count; i < (c + 1) * count; i++) {
        peak[c] = Math.max(peak[c]!, data[i]!);
        least[c] = Math.min(least[c]!, data[i]!);
      }
      for (const [k, place] of at.entries()) rows[c * places + picture * each + k] = data[c * count + place]!;
    }
  }
  const { channels, peak, least, rows, places } = found!;
  standardise(rows, places, true);
  return { channels, peak, spread: peak.map((p, c) => p - least[c]!), rows, places };
}

/** So many different numbers below `count`, in order. */
function chosen(random: Random, count: number, most: number): readonly number[] {
  if (most >= count) return Array.from({ length: count }, (_, i) => i);
  // One of each stretch, so that they are spread over the map.
  const at = random.uniform(most, 0, 1);
  return Array.from({ length: most }, (_, k) => Math.floor(((k + Math.min(at[k]!, 0.999)) * count) / most));
}

/** Gives each row the length 1, and the mean 0 if that is wanted; a row of equal numbers becomes 0. */
function standardise(values: Float32Array, length: number, centre: boolean): void {
  for (let from = 0; from < values.length; from += length) {
    let sum = 0;
    if (centre) for (let i = from; i < from + length; i++) sum += values[i]!;
    const mean = sum / length;
    let square = 0;
    for (let i = from; i < from + length; i++) square += (values[i]! - mean) ** 2;
    const by = square > 0 ? 1 / Math.sqrt(square) : 0;
    for (let i = from; i < from + length; i++) values[i] = (values[i]! - mean) * by;
  }
}

function dot(a: Float32Array, from: number, b: Float32Array, at: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += a[from + i]! * b[at + i]!;
  return sum;
}

/** How much of its range a picture of noise fills. */
const CONTRAST = 0.35;

/** Noise in which each octave is as strong as the next, as in photographs. */
function noise({ height, width }: Size, picture: number): Raster {
  const random = new Random(`study/${picture}`);
  const sum = new Float32Array(3 * height * width);
  for (let side = 1; side <= Math.max(height, width); side *= 2) {
    const [h, w] = [Math.ceil(height / side), Math.ceil(width / side)];
    const octave = resize(float32(random.normal(3 * h * w), [1, 3, h, w]), { height, width });
    for (let i = 0; i < sum.length; i++) sum[i]! += CONTRAST * octave.data[i]!;
  }
  return photoRaster(clamped(float32(sum, [1, 3, height, width])));
}

/** Operators behind which a channel is still that of the weights before them. */
const passing = new Set(
  (
    'Identity Cast Dropout Relu LeakyRelu PRelu Elu Selu Celu Gelu Softplus Softsign Sigmoid HardSigmoid HardSwish Mish Tanh Clip ' +
    'BatchNormalization InstanceNormalization MaxPool AveragePool GlobalAveragePool GlobalMaxPool Pad'
  ).split(' '),
);

/** The weights of each channel, [channels, n], each row of the length 1: of all convolutions that are added up in a layer. */
async function kernelsOf(
  network: Network,
  layer: string,
  size: Size,
  channels: number,
): Promise<Float32Array | undefined> {
  const { name } = findLayer(network.name, network.layers(size).layers, layer);
  const graph = await network.cut([name], size);
  const found = weightsBehind(graph, graph.outputs[0]!.name, true).flatMap(
    (node) => rowsOf(graph, node, channels) ?? [],
  );
  const length = found.reduce((sum, rows) => sum + rows.length / channels, 0);
  if (length === 0) return undefined;
  const kernels = new Float32Array(channels * length);
  let at = 0;
  for (const rows of found) {
    const own = rows.length / channels;
    for (let c = 0; c < channels; c++) kernels.set(rows.subarray(c * own, (c + 1) * own), c * length + at);
    at += own;
  }
  standardise(kernels, length, false);
  return kernels;
}

/** The nodes with weights that stand right behind a value: several if they are added up. */
function weightsBehind(graph: Graph, value: string, sums: boolean): readonly Node[] {
  const node = graph.nodes.find(({ outputs }) => outputs[0] === value);
  if (!node) return [];
  const [first = '', second = ''] = node.inputs;
  if (node.op === 'Conv' || node.op === 'Gemm' || node.op === 'MatMul') return [node];
  if (passing.has(node.op)) return weightsBehind(graph, first, sums);
  if (!['Add', 'Mul', 'Sub', 'Div', 'Sum'].includes(node.op)) return [];
  // A bias, or a scale.
  if (graph.constants.has(second)) return weightsBehind(graph, first, sums);
  if (graph.constants.has(first)) return weightsBehind(graph, second, sums);
  // What a shortcut carries was written by other layers.
  if (!sums || (node.op !== 'Add' && node.op !== 'Sum')) return [];
  return node.inputs.flatMap((input) => weightsBehind(graph, input, false));
}

/** A row of weights for each channel. */
function rowsOf(graph: Graph, { op, inputs, attributes }: Node, channels: number): Float32Array | undefined {
  const weights = graph.constants.get(inputs[1] ?? '');
  if (!weights || isLazy(weights)) return undefined;
  const values = Float32Array.from(toNumbers(weights));
  const [first, second] = weights.dims;
  if (op === 'Conv' || attributes['transB'] === 1) return first === channels ? values : undefined;
  if (weights.dims.length !== 2 || second !== channels) return undefined;
  return Float32Array.from(values, (_, i) => values[(i % first!) * channels + Math.floor(i / first!)]!);
}
