/** @file What a layer's channels are like: of networks whose channels were made alike, opposite, odd or dead. */
import { afterAll, describe, expect, it } from 'vitest';
import { openNetwork } from '../../src/import/formats.ts';
import { bytesSource } from '../../src/import/source.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { createPool } from '../../src/jobs/pool.ts';
import type { Studied, Study } from '../../src/live/protocol.ts';
import { createStudio } from '../../src/live/studio.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { inlineHost } from '../jobs/hosts.ts';

const pool = createPool(inlineHost(nodeRuntime));
afterAll(() => pool.close());

const [RED, GREEN, BLUE] = [
  [1, 0, 0],
  [0, 1, 0],
  [0, 0, 1],
] as const;
/** Red twice, one of them half as strong; the opposite of red; nothing; green; and mostly red with some blue. */
const KERNELS = [RED, RED.map((v) => v / 2), RED.map((v) => -v), [0, 0, 0], GREEN, [2, 0, 0.3]];

function network(build: (b: Builder, seen: Value, kernels: Value) => Record<string, Value>): Uint8Array {
  const b = new Builder();
  const picture = b.input('image', 'float32', [1, 3, 16, 16]);
  const kernels = b.constant(float32(KERNELS.flat(), [6, 3, 1, 1]));
  return encodeOnnx(b.graph(build(b, picture, kernels)));
}
const models: Readonly<Record<string, Uint8Array>> = {
  plain: network((b, seen, kernels) => ({ colours: b.conv(seen, kernels) })),
  behind: network((b, seen, kernels) => {
    const bias = b.constant(float32([1, 1, 1, 1, 1, 1], [1, 6, 1, 1]));
    return { colours: b.one('MaxPool', [b.relu(b.add(b.conv(seen, kernels), bias))], { kernel_shape: [2, 2] }) };
  }),
  dense: network((b, seen) => {
    const flat = b.reshape(b.one('GlobalAveragePool', [seen]), [1, 3]);
    return {
      colours: b.matmul(
        flat,
        b.constant(
          float32(
            [0, 1, 2].flatMap((i) => KERNELS.map((k) => k[i]!)),
            [3, 6],
          ),
        ),
      ),
    };
  }),
  summed: network((b, seen, kernels) => {
    const green = b.constant(
      float32(
        KERNELS.flatMap(() => BLUE),
        [6, 3, 1, 1],
      ),
    );
    return { colours: b.add(b.conv(seen, kernels), b.conv(seen, green)) };
  }),
  unweighted: network((b, seen) => ({ colours: b.one('Abs', [seen]) })),
};
const options = {
  models: [],
  open: (name: string) => openNetwork(bytesSource(`${name}.onnx`, models[name]!)),
  pool,
  lowering: 'cpu' as const,
  engine: 'a test',
  memory: () => 2 ** 40,
};
const studio = createStudio(options);
async function study<What extends Studied['what']>(
  model: string,
  ask: Study['ask'] & { readonly what: What },
  layer = 'colours',
): Promise<Extract<Studied, { what: What }>> {
  return (await studio.study({ model: { name: model }, layer, ask })) as Extract<Studied, { what: What }>;
}

describe('the portrait of a layer', () => {
  it('says which channels are strong, and which are dead', async () => {
    const { peak, spread } = await study('plain', { what: 'portrait' });
    expect(peak).toHaveLength(6);
    expect(spread[3]).toBe(0);
    for (const channel of [0, 1, 2, 4, 5]) expect(spread[channel]).toBeGreaterThan(0.3);
    expect(peak[1]).toBeCloseTo(peak[0]! / 2, 4);
    // The least red is the most of its opposite.
    expect(spread[2]).toBeCloseTo(spread[0]!, 4);
    expect(peak[5]).toBeGreaterThan(peak[0]!);
    // The noise is not black, white or grey.
    expect(peak[0]).toBeGreaterThan(0.5);
    expect(peak[0]).toBeLessThanOrEqual(1);
  });

  it('says which are like no other', async () => {
    const { likeness } = await study('plain', { what: 'portrait' });
    expect(likeness[0]).toBeCloseTo(1, 4);
    expect(likeness[1]).toBeCloseTo(1, 4);
    expect(likeness[3]).toBeCloseTo(0, 4);
    expect(likeness[4]).toBeLessThan(0.6);
    expect(likeness[5]).toBeGreaterThan(0.8);
    expect(likeness[5]).toBeLessThan(0.9999);
  });

  it('is the same each time', async () => {
    const again = createStudio(options);
    const asked = { model: { name: 'plain' }, layer: 'colours', ask: { what: 'portrait' } } as const;
    expect(await again.study(asked)).toEqual(await study('plain', { what: 'portrait' }));
  });
});

describe('the channels nearest to one', () => {
  it('are those that fire at the same places', async () => {
    const { byActivation } = await study('plain', { what: 'nearest', channel: 0 });
    expect(byActivation.map(({ channel }) => channel).slice(0, 2)).toEqual([1, 5]);
    expect(byActivation.at(-1)).toEqual({ channel: 2, likeness: expect.closeTo(-1, 4) as number });
    expect(byActivation).toHaveLength(5);
  });

  it.each(['plain', 'behind', 'dense'])('are those of nearly the same weights: %s', async (model) => {
    const { byWeights } = await study(model, { what: 'nearest', channel: 0 });
    expect(byWeights!.map(({ channel }) => channel).slice(0, 2)).toEqual([1, 5]);
    expect(byWeights![0]!.likeness).toBeCloseTo(1, 5);
    expect(byWeights![1]!.likeness).toBeCloseTo(2 / Math.hypot(2, 0.3), 5);
    expect(byWeights!.at(-1)).toEqual({ channel: 2, likeness: expect.closeTo(-1, 5) as number });
    expect(byWeights!.find(({ channel }) => channel === 3)!.likeness).toBe(0);
  });

  it('weigh all convolutions that are added up', async () => {
    const { byWeights } = await study('summed', { what: 'nearest', channel: 0 });
    // Both halves count: [1, 0, 0] with [0, 0, 1], and [-1, 0, 0] with the same.
    expect(byWeights!.find(({ channel }) => channel === 2)!.likeness).toBeCloseTo(0, 5);
    expect(byWeights!.find(({ channel }) => channel === 4)!.likeness).toBeCloseTo(0.5, 5);
  });

  it('are known by their activation alone if no weights stand before them', async () => {
    expect(await study('unweighted', { what: 'nearest', channel: 0 })).not.toHaveProperty('byWeights');
  });

  it.each([6, -1, 0.5, '0' as unknown as number])('are refused for channel %s', async (channel) => {
    await expect(study('plain', { what: 'nearest', channel })).rejects.toMatchObject({ code: 'bad-option' });
  });
});

it('refuses what is no question, and a layer that is not there', async () => {
  await expect(study('plain', { what: 'age' } as unknown as { what: 'portrait' })).rejects.toThrow(/`age` is nothing/);
  await expect(study('plain', { what: 'portrait' }, 'colour')).rejects.toThrow(/did you mean `colours`/);
});
