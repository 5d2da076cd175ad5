/** @file What a network sees in a photo: the numbers of its layers, as its own graph gives them. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openNetwork } from '../../src/import/formats.ts';
import { bytesSource } from '../../src/import/source.ts';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { createPool } from '../../src/jobs/pool.ts';
import type { Look, Seen } from '../../src/live/protocol.ts';
import { createStudio } from '../../src/live/studio.ts';
import { raster } from '../../src/output/raster.ts';
import { photoTensor } from '../../src/photo/photo.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { inlineHost } from '../jobs/hosts.ts';

const mini = readFileSync(new URL('../../models/resnet50v2-mini.onnx', import.meta.url));
const pool = createPool(inlineHost(nodeRuntime));
afterAll(() => pool.close());

/** Its one layer is the picture's colours, after which come tokens, and classes without a place. */
function colours(channels = 3, size?: number): Uint8Array {
  const b = new Builder();
  const picture = b.input('image', 'float32', [1, channels, size ?? 8, size ?? 8]);
  const kernel = float32(
    Array.from({ length: 3 * channels }, (_, i) => (i % channels === Math.floor(i / channels) ? 1 : 0)),
    [3, channels, 1, 1],
  );
  const seen = b.conv(picture, b.constant(kernel));
  const first = b.conv(seen, b.constant(float32([1, 0, 0], [1, 3, 1, 1])));
  return encodeOnnx(b.graph({ seen, first }));
}

const models: Readonly<Record<string, () => Uint8Array>> = {
  'mini.onnx': () => mini,
  'colours.onnx': () => colours(),
  'four.onnx': () => colours(4),
};
const studio = createStudio({
  models: Object.keys(models),
  open: (name) => openNetwork(bytesSource(name, models[name]!())),
  pool,
  lowering: 'cpu',
  engine: 'a test',
  memory: () => 2 ** 40,
});
const random = new Random('photo');
const photo = raster(
  64,
  48,
  Uint8Array.from(random.uniform(64 * 48 * 3, 0, 255), (v) => v),
);
async function look<What extends Seen['what']>(
  what: What,
  rest: object = {},
  from: Partial<Look> = {},
): Promise<Extract<Seen, { what: What }>> {
  const ask = { what, ...rest } as unknown as Look['ask'];
  return (await studio.look({ model: { name: 'mini.onnx' }, photo, ask, ...from })) as Extract<Seen, { what: What }>;
}

describe('a photo', () => {
  const layer = 'conv2_block1_out';
  let activation: Float32Array;
  let [channels, height, width] = [0, 0, 0];
  beforeAll(async () => {
    const network = await openNetwork(bytesSource('mini.onnx', mini));
    const program = await nodeRuntime.compile(await network.cut([layer], photo));
    const { [layer]: out } = await program.run({ image: photoTensor(photo) });
    activation = out!.data as Float32Array;
    [, channels, height, width] = out!.dims as [number, number, number, number];
  });
  const of = (channel: number): Float32Array =>
    activation.subarray(channel * height * width, (channel + 1) * height * width);
  const close = (found: Float32Array, wanted: readonly number[]): void => {
    const scale = Math.max(...wanted.map(Math.abs));
    expect(found).toHaveLength(wanted.length);
    for (const [i, value] of wanted.entries()) expect(Math.abs(found[i]! - value)).toBeLessThan(1e-4 * scale);
  };

  it('fires the channels of every layer as the network itself does', async () => {
    const { layers } = await look('strengths');
    expect(layers).toHaveLength(85);
    expect(layers.reduce((sum, { peak }) => sum + peak.length, 0)).toBe(15_907);
    const { peak, mean } = layers.find((l) => l.layer === layer)!;
    const all = Array.from({ length: channels }, (_, c) => of(c));
    close(
      peak,
      all.map((values) => Math.max(...values)),
    );
    close(
      mean,
      all.map((values) => values.reduce((sum, v) => sum + v, 0) / values.length),
    );
  });

  it('fires them at places', async () => {
    const peaks = await look('peaks', { layer });
    expect([peaks.height, peaks.width]).toEqual([height, width]);
    for (const channel of [0, 9, 63]) {
      const heat = await look('heat', { layer, channel });
      close(heat.values, [...of(channel)]);
      expect(heat.values[peaks.place[channel]!]).toBe(Math.max(...heat.values));
      expect(peaks.peak[channel]).toBe(Math.max(...heat.values));
    }
    const { values } = await look('place', { layer, x: 0.99, y: 0 });
    close(
      values,
      Array.from({ length: channels }, (_, c) => of(c)[width - 1]!),
    );
    expect((await look('place', { layer, x: 1, y: 1 })).values[3]).toBeCloseTo(of(3).at(-1)!, 3);
  });

  it('is cut to the shape that the network takes', async () => {
    const wide = raster(24, 8, new Uint8Array(3 * 24 * 8).fill(255));
    const {
      width: w,
      height: h,
      values,
    } = await look(
      'heat',
      { layer: 'seen', channel: 2 },
      {
        model: { name: 'colours.onnx' },
        photo: wide,
      },
    );
    expect([h, w]).toEqual([8, 8]);
    for (const value of values) expect(value).toBeCloseTo(1, 4);
  });

  it('is asked twice for the price of one', async () => {
    let jobs = 0;
    const counting = createStudio({
      models: [],
      open: (name) => openNetwork(bytesSource(name, models[name]!())),
      pool: { ...pool, submit: (...given) => (jobs++, pool.submit(...given)) },
      lowering: 'cpu',
      engine: 'a test',
      memory: () => 2 ** 40,
    });
    const model = { name: 'colours.onnx' };
    await counting.look({ model, photo, ask: { what: 'place', layer: 'seen', x: 0, y: 0 } });
    await counting.look({ model, photo, ask: { what: 'heat', layer: 'seen', channel: 1 } });
    expect(jobs).toBe(1);
    const other = { ...photo, data: photo.data.map((v) => 255 - v) };
    await counting.look({ model, photo: other, ask: { what: 'heat', layer: 'seen', channel: 1 } });
    expect(jobs).toBe(2);
  });

  it.each<[string, object, Partial<Look>, string, RegExp]>([
    ['a layer that is not there', { what: 'peaks', layer: 'conv2_block1' }, {}, 'unknown-layer', /did you mean/],
    ['a channel that is not there', { what: 'heat', layer, channel: 64.5 }, {}, 'bad-option', /no channel 64.5/],
    ['a channel before the first', { what: 'heat', layer, channel: -1 }, {}, 'bad-option', /no channel -1/],
    ['a place outside', { what: 'place', layer, x: 1.01, y: 0 }, {}, 'bad-option', /from 0 to 1/],
    ['a place that is none', { what: 'place', layer, x: 0, y: Number.NaN }, {}, 'bad-option', /from 0 to 1/],
    ['another question', { what: 'colour', layer }, {}, 'bad-option', /colour/],
    ['bytes that do not fill it', { what: 'strengths' }, { photo: { ...photo, width: 63 } }, 'shape', /do not fill/],
    [
      'no bytes',
      { what: 'strengths' },
      { photo: { ...photo, data: [] as unknown as Uint8Array } },
      'bad-option',
      /bytes/,
    ],
    [
      'a larger photo than a page may send',
      { what: 'strengths' },
      { photo: { width: 1025, height: 1, data: new Uint8Array(3075) } },
      'bad-option',
      /1024/,
    ],
    [
      'a network that takes no photos',
      { what: 'strengths' },
      { model: { name: 'four.onnx' } },
      'bad-option',
      /4 channels/,
    ],
  ])('is refused with %s', async (_, ask, from, code, message) => {
    const { what, ...rest } = ask as { what: Seen['what'] };
    await expect(look(what, rest, from)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  it('is refused if it would not fit into the memory that there is', async () => {
    const small = createStudio({
      models: [],
      open: (name) => openNetwork(bytesSource(name, models[name]!())),
      pool,
      lowering: 'cpu',
      engine: 'a test',
      memory: () => 1e5,
    });
    const asked = { model: { name: 'mini.onnx' }, photo, ask: { what: 'strengths' } } as const;
    await expect(small.look(asked)).rejects.toMatchObject({ code: 'too-large' });
  });
});
