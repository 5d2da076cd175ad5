/** @file The published architectures, held against what Keras computed in float64: layer by layer, and backwards. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { type Published, publishedModels } from '../../src/hub/published.ts';
import { kerasNetwork, type Weighted, weighted, type WeightSource } from '../../src/import/keras/index.ts';
import type { Topology } from '../../src/import/keras/topology.ts';
import { IMAGE, type Network } from '../../src/import/network.ts';
import { knownPreprocess } from '../../src/import/preprocess.ts';
import { float32, type Dims, sizeOf, type Tensor } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { hash, hashImage, hashOfWeight } from '../import/hash-weights.ts';
import { compileSeed } from '../render/seed.ts';

/** What keras_models.py recorded of a model; its docstring says how arrays are written. */
interface Recorded {
  readonly top: boolean;
  readonly raw: boolean;
  /** An even size, at which all layers are recorded, and an odd one; and which picture was taken at each. */
  readonly sizes: readonly [even: number, odd: number];
  readonly pictures: readonly number[];
  /** SHA-256 of the layers' names. */
  readonly names: string;
  readonly layers: string;
  readonly targets: readonly {
    readonly size: number;
    readonly layer: string;
    readonly channel: number;
    readonly forward: string;
    readonly gradient: string;
  }[];
}

/** Rows of signs of a layer, as the script has them; a target has as many as its record. */
const FEW = 2;

const fileOf = (name: string): URL => new URL(`keras-models/${name}.json`, import.meta.url);

/** The models of which there is a record. */
export const recorded: readonly Published[] = publishedModels.filter(({ name }) => existsSync(fileOf(name)));

/** How far a target is from Keras, relative to the norm of what Keras has. */
export interface TargetError {
  readonly layer: string;
  readonly size: number;
  readonly forward: number;
  readonly gradient: number;
}

export interface ModelErrors {
  /** How many layers were compared, and the largest relative error of them. */
  readonly layers: number;
  readonly worst: { readonly layer: string; readonly error: number };
  readonly targets: readonly TargetError[];
}

/** Compares a model with its record. */
export async function errorsOf(model: Published): Promise<ModelErrors> {
  const record = JSON.parse(readFileSync(fileOf(model.name), 'utf8')) as Recorded;
  const topology = await model.topology(record.top);
  const network = (size: number): Network => made(model.name, topology, size);
  const [even] = record.sizes;
  const image = (size: number): Tensor<'float32'> => {
    const row = record.pictures[record.sizes.indexOf(size)]!;
    return float32(hashImage(size, size, record.raw, -1 - 1000 * row), [1, 3, size, size]);
  };
  // Layers within others have no record of their own.
  const names = topology.filter((l) => l.path === undefined).map((l) => l.name);
  const found = createHash('sha256').update(names.join('\n')).digest('hex');
  if (found !== record.names) throw new Error(`${model.name}: its layers are not those of Keras, or not in that order`);
  const outputs = await outputsOf(network(even), names, image(even));
  const stored = numbers(record.layers);
  const errors = names.map((layer, i) => {
    const { data, dims } = outputs[layer]!;
    return { layer, error: distance(data, dims, stored.subarray(i * (FEW + 1), (i + 1) * (FEW + 1))) };
  });
  const targets: TargetError[] = [];
  for (const { size, layer, channel, forward, gradient } of record.targets) {
    const { data, dims } =
      size === even ? outputs[layer]! : (await outputsOf(network(size), [layer], image(size)))[layer]!;
    const graph = await network(size).cut([layer], { height: size, width: size });
    const seed = await compileSeed(graph, 0);
    const step = await seed.step(image(size), channel);
    await seed.dispose();
    targets.push({
      layer,
      size,
      forward: distance(data, dims, numbers(forward)),
      gradient: distance(step.gradient, [1, 3, size, size], numbers(gradient)),
    });
  }
  return { layers: names.length, worst: errors.reduce((a, b) => (b.error > a.error ? b : a)), targets };
}

/** The network with weights that are made of a hash, fed as it is: without preprocessing. */
function made(name: string, topology: Topology, size: number): Network {
  const layers = weighted(topology, { channels: 3, height: size, width: size });
  return kerasNetwork({
    name,
    input: { channels: 3, preprocess: knownPreprocess.tf, from: 'known' },
    topology,
    weights: async () => hashSource(layers),
    digest: async () => '',
  });
}

/** Weights by the hash for these layers, in their order. */
export function hashSource(layers: readonly Weighted[]): WeightSource {
  const first = new Map<string, number>();
  let count = 0;
  for (const { owner, weights } of layers) {
    first.set(owner.name, count);
    // Keras has a weight of its input normalisation that says how many pictures it has seen.
    count += weights.length + (weights[0]!.name === 'mean' ? 1 : 0);
  }
  return {
    source: 'hash',
    read: ({ name }, weight, dims, index) => hashOfWeight(first.get(name)! + index, weight, dims),
  };
}

async function outputsOf(
  network: Network,
  layers: readonly string[],
  picture: Tensor<'float32'>,
): Promise<Record<string, { readonly data: Float32Array; readonly dims: Dims }>> {
  const [, , height, width] = picture.dims as [number, number, number, number];
  const program = await nodeRuntime.compile(await network.cut(layers, { height, width }));
  const out = await program.run({ [IMAGE]: picture });
  await program.dispose();
  return Object.fromEntries(
    Object.entries(out).map(([name, { data, dims }]) => [name, { data: data as Float32Array, dims }]),
  );
}

const numbers = (text: string): Float32Array => new Float32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer);

/**
 * The relative difference of an array from one of which there are the norm and sums under rows of signs. Of their differences the
 * mean square is that of the arrays, in expectation.
 */
function distance(data: Float32Array, dims: Dims, [norm, ...sums]: Float32Array): number {
  const squares = sums.map((sum, j) => (signedSum(data, dims, j) - sum) ** 2);
  // If nothing comes through its last ReLU, a layer's gradient is zero, and must be here.
  return Math.sqrt(squares.reduce((a, b) => a + b, 0) / squares.length) / (norm === 0 ? 1 : norm!);
}

/** The sum of an array's numbers under a row of signs, which go by the position with the channels last. */
function signedSum(data: Float32Array, dims: Dims, row: number): number {
  const [, channels, ...rest] = dims as readonly [number, number, ...number[]];
  const pixels = sizeOf(rest);
  let sum = 0;
  for (let p = 0; p < pixels; p++)
    for (let c = 0; c < channels; c++) {
      const value = data[c * pixels + p]!;
      sum += hash(-2 - row, p * channels + c) < 0 ? -value : value;
    }
  return sum;
}
