/** @file What a network sees in a photo, against what it gives when it is run by itself. */
import { afterAll, describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { toNumbers } from '../../src/ir/tensor.ts';
import { activationMap, strengthsOf } from '../../src/jobs/look.ts';
import { createPool } from '../../src/jobs/pool.ts';
import { raster } from '../../src/output/raster.ts';
import { photoTensor } from '../../src/photo/photo.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { noise } from '../check.ts';
import { openBytes } from '../import/open.ts';
import { rejected } from '../thrown.ts';
import { inlineHost } from './hosts.ts';

const own = createPool(inlineHost(nodeRuntime));
afterAll(() => own.close());
let jobs = 0;
const pool: typeof own = {
  ...own,
  submit(...job) {
    jobs++;
    return own.submit(...job);
  },
};
const engine = { pool, lowering: 'cpu' } as const;

/** Maps of 4 channels, 6 high and 5 wide; tokens of 3 channels; and 5 numbers. */
const b = new Builder();
const x = b.input('data', 'float32', [1, 3, 8, 7]);
const maps = b.conv(x, noise(b, [4, 3, 3, 3]), undefined, {}, 'maps');
const tokens = b.one(
  'Transpose',
  [b.reshape(b.conv(maps, noise(b, [3, 4, 3, 2])), [1, 3, 16])],
  { perm: [0, 2, 1] },
  'tokens',
);
const numbers = b.one('MatMul', [b.reshape(tokens, [1, 48]), noise(b, [48, 5])], {}, 'numbers');
const network = await openBytes(encodeOnnx(b.graph([numbers]), { 'phosphene.preprocess': 'tf' }));
const size = { height: 8, width: 7 };
const photoOf = (key: string) => raster(20, 30, Uint8Array.from(new Random(key).uniform(3 * 600, 0, 256)));
const photo = photoOf('photo');

/** A layer's activation, run alone. */
async function activation(layer: string): Promise<readonly number[]> {
  const program = await nodeRuntime.compile(await network.cut([layer], size));
  const results = await program.run({ image: photoTensor(photo, { channels: 3, size }) });
  await program.dispose();
  return toNumbers(results[layer]!);
}

describe('strengths', () => {
  it('are peak and mean of each channel of each layer that has pictures', async () => {
    jobs = 0;
    const strengths = await strengthsOf(network, photo, engine);
    expect(jobs).toBe(1);
    const names = strengths.map(({ layer }) => layer);
    expect(names).toContain('maps');
    expect(names).toContain('numbers');
    const { peak, mean } = strengths.find(({ layer }) => layer === 'maps')!;
    const values = await activation('maps');
    expect([peak.length, mean.length]).toEqual([4, 4]);
    for (let c = 0; c < 4; c++) {
      const channel = values.slice(30 * c, 30 * (c + 1));
      expect(peak[c]).toBeCloseTo(Math.max(...channel), 5);
      expect(mean[c]).toBeCloseTo(channel.reduce((sum, v) => sum + v, 0) / 30, 5);
    }
    const last = strengths.find(({ layer }) => layer === 'numbers')!;
    const ends = await activation('numbers');
    for (const [i, value] of ends.entries())
      expect([last.peak[i], last.mean[i]]).toEqual([expect.closeTo(value, 4), expect.closeTo(value, 4)]);
  });
});

describe('the map of a layer', () => {
  it('has all activations, channel by channel', async () => {
    const map = await activationMap(network, 'maps', photo, engine);
    expect(map).toMatchObject({ layer: 'maps', channels: 4, height: 6, width: 5 });
    const values = await activation('maps');
    expect(map.data).toHaveLength(120);
    map.data.forEach((v, i) => expect(v).toBeCloseTo(values[i]!, 5));
  });
  it('of numbers is one place each', async () => {
    expect(await activationMap(network, 'numbers', photo, engine)).toMatchObject({ channels: 5, height: 1, width: 1 });
  });
  it('is kept for the last two photos or layers', async () => {
    const first = await activationMap(network, 'maps', photoOf('a'), engine);
    const second = await activationMap(network, 'maps', photoOf('b'), engine);
    expect(second.data).not.toEqual(first.data);
    jobs = 0;
    expect(await activationMap(network, 'maps', photoOf('a'), engine)).toBe(first);
    expect(await activationMap(network, 'maps', photoOf('b'), engine)).toBe(second);
    expect(jobs).toBe(0);
    await activationMap(network, 'numbers', photoOf('a'), engine);
    expect(jobs).toBe(1);
    const again = await activationMap(network, 'maps', photoOf('a'), engine);
    expect(again).not.toBe(first);
    expect(again.data).toEqual(first.data);
  });
  it('is refused for a layer that is not there', async () => {
    expect(await rejected(activationMap(network, 'mapps', photo, engine))).toMatchObject({
      code: 'unknown-layer',
      message: expect.stringContaining('did you mean `maps`') as string,
    });
  });
});
