/** @file Models of TensorFlow.js, held against what TensorFlow or TensorFlow.js computes of them. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { gradient } from '../../src/grad/index.ts';
import { IMAGE, type Network } from '../../src/import/network.ts';
import { Builder } from '../../src/ir/builder.ts';
import { float32, sizeOf } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

/** What the scripts in test/oracles wrote of one model. Pictures are [n, h, w, c], numbers are float32 in base64. */
export interface Golden {
  readonly size: readonly [number, number];
  readonly channels: number;
  readonly image: string;
  readonly layers: Readonly<Record<string, GoldenLayer>>;
}
export interface GoldenLayer {
  readonly dims: readonly number[];
  readonly value: string;
  readonly channel: number;
  /** Of the mean of the channel by the picture; absent if the oracle has none. */
  readonly gradient?: string;
}

/** The path of a folder of fixtures beside this file. */
export function fixtures(name: string): string {
  return fileURLToPath(new URL(`${name}/`, import.meta.url));
}

/** What was recorded of the models in a folder. */
export function goldenOf(folder: string): Readonly<Record<string, Golden>> {
  return JSON.parse(readFileSync(`${folder}golden.json`, 'utf8')) as Readonly<Record<string, Golden>>;
}

function floats(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer);
}

/** [n, h, w, c] as [n, c, h, w]; anything else as it is. */
function channelsFirst(values: Float32Array, dims: readonly number[]): Float32Array {
  if (dims.length !== 4) return values;
  const [, h, w, c] = dims as [number, number, number, number];
  const out = new Float32Array(sizeOf(dims));
  values.forEach((value, i) => {
    const pixel = Math.floor(i / c) % (h * w);
    out[(Math.floor(i / (h * w * c)) * c + (i % c)) * h * w + pixel] = value;
  });
  return out;
}

/** The difference of two lists, relative to the second. */
function error(found: Float32Array, wanted: Float32Array): number {
  expect(found.length).toBe(wanted.length);
  const squares = found.reduce((sum, v, i) => sum + (v - wanted[i]!) ** 2, 0);
  const whole = wanted.reduce((sum, v) => sum + v * v, 0);
  // A layer that gives zeros shows nothing.
  expect(whole).toBeGreaterThan(0);
  return Math.sqrt(squares / whole);
}

/** Holds a layer's activation, and the gradient of one channel's mean, against what was recorded. */
export async function expectGolden(
  network: Network,
  name: string,
  { size: [height, width], channels, image }: Golden,
  { dims, value, channel, gradient: slope }: GoldenLayer,
): Promise<void> {
  expect(network.input.channels).toBe(channels);
  const size = { height, width };
  const shape = [1, height, width, channels];
  const picture = float32(channelsFirst(floats(image), shape), [1, channels, height, width]);
  const b = new Builder([name]);
  const input = b.input(IMAGE, 'float32', picture.dims);
  const output = b.inline(await network.cut([name], size), { [IMAGE]: input }).get(name)!;
  // It may be held in our order of axes.
  const { channels: shown } = network.layers(size).layers.find((l) => l.name === name)!;
  const turned = shown?.axis === 1 && shown.count === dims.at(-1);
  const held = output.dims.length === 4 && (output.dims.join() !== dims.join() || turned);
  expect(held ? [0, 2, 3, 1].map((i) => output.dims[i]) : output.dims).toEqual(dims);
  const axis = held ? 1 : dims.length - 1;
  if (shown && held) expect(shown).toEqual({ axis, count: dims.at(-1) });
  const mean = b.mean(b.slice(output, [channel], [channel + 1], [axis]), undefined, false);
  const [back] = gradient(b, mean, [input]);
  const program = await nodeRuntime.compile(b.graph({ output, back: back! }));
  const out = await program.run({ [IMAGE]: picture });
  await program.dispose();
  await network.close();
  const wanted = held ? channelsFirst(floats(value), dims) : floats(value);
  expect(error(out['output']!.data as Float32Array, wanted)).toBeLessThan(1e-5);
  if (slope !== undefined)
    expect(error(out['back']!.data as Float32Array, channelsFirst(floats(slope), shape))).toBeLessThan(1e-4);
}
