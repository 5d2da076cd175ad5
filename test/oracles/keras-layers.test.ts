/** @file Single layers of Keras with made-up weights: their output and their gradient, against what Keras computed (keras_layers.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/import/keras/config.ts';
import { kerasNetwork, weighted } from '../../src/import/keras/index.ts';
import { IMAGE } from '../../src/import/network.ts';
import { knownPreprocess, preprocessOf } from '../../src/import/preprocess.ts';
import { type Dims, float32, sizeOf } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { hash } from '../import/hash-weights.ts';
import { compileSeed } from '../render/seed.ts';
import { hashSource } from './keras-models.ts';

interface Case {
  readonly config: unknown;
  /** Of the picture, in Keras' order. */
  readonly shape: readonly [number, number, number];
  /** Whether channels come first. */
  readonly first: boolean;
  readonly dims: Dims;
  readonly output: string;
  readonly gradient: string;
}

const file = new URL('keras-layers.json', import.meta.url);
const cases = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, Case>);
const numbers = (text: string): Float32Array => new Float32Array(new Uint8Array(Buffer.from(text, 'base64')).buffer);

/** Numbers in Keras' order of axes in ours. */
function ours(data: Float32Array, dims: Dims, first: boolean): Float32Array {
  if (dims.length !== 4 || first) return data;
  const [, h, w, c] = dims as [number, number, number, number];
  return data.map((_, i) => data[(i % (h * w)) * c + Math.floor(i / (h * w))]!);
}

function distance(a: ArrayLike<number>, b: Float32Array): number {
  expect(a.length).toBe(b.length);
  return Math.hypot(...b.map((v, i) => a[i]! - v)) / Math.hypot(...b);
}

describe('Keras', () => {
  it.each(cases)('%s', async (name, { config, shape, first, dims, output, gradient }) => {
    const { topology, input } = readConfig(name, config);
    const [channels, height, width] = first ? shape : [shape[2], shape[0], shape[1]];
    expect(input).toEqual({ channels, size: { height, width } });
    const size = { height, width };
    const weights = hashSource(weighted(topology, { channels, ...size }));
    const network = kerasNetwork({
      name,
      input: {
        channels,
        preprocess: channels === 3 ? knownPreprocess.tf : preprocessOf({ range: [-1, 1] }, channels),
        from: 'known',
      },
      topology,
      weights: async () => weights,
      digest: async () => '',
    });
    const { layers, barrier } = network.layers(size);
    expect(barrier).toBeUndefined();
    const last = layers.at(-1)!;
    const picture = Float32Array.from({ length: sizeOf(shape) }, (_, i) => 2 * hash(-1, i));
    const image = float32(ours(picture, [1, ...shape], first), [1, channels, height, width]);
    const graph = await network.cut([last.name], size);
    const program = await nodeRuntime.compile(graph);
    const out = (await program.run({ [IMAGE]: image }))[last.name]!;
    await program.dispose();
    const [, a, b, c] = dims;
    expect(out.dims).toEqual(dims.length === 4 && !first ? [1, c, a, b] : dims);
    expect(distance(out.data as Float32Array, ours(numbers(output), dims, first))).toBeLessThan(2e-6);
    const channelAxis = first && dims.length === 4 ? dims[1]! : dims.at(-1)!;
    if (!last.channels) return;
    const seed = await compileSeed(graph, 0, undefined, last.channels.axis);
    const step = await seed.step(image, channelAxis > 1 ? 1 : 0);
    await seed.dispose();
    const theirs = ours(numbers(gradient), [1, ...shape], first);
    // What is normalised has always the same mean.
    if (Math.hypot(...theirs) < 1e-12) expect(Math.hypot(...step.gradient)).toBeLessThan(1e-6);
    else expect(distance(step.gradient, theirs)).toBeLessThan(5e-6);
  });
});
