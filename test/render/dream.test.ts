/** @file DeepDream: sizes and tiles as they are said to be, and small photos dreamt by the built-in model. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openModel } from '../../src/hub/open.ts';
import type { Network } from '../../src/import/network.ts';
import { float32, type Tensor } from '../../src/ir/tensor.ts';
import type { Dream, DreamEvent } from '../../src/jobs/dream.ts';
import { createPool, type Pool } from '../../src/jobs/pool.ts';
import { dream, type DreamOptions, dreamToFile } from '../../src/node.ts';
import { decodePng } from '../../src/output/png.ts';
import { raster, type Raster } from '../../src/output/raster.ts';
import { photoDigest, photoRaster, photoTensor } from '../../src/photo/photo.ts';
import { Random } from '../../src/random.ts';
import { cutTile, dreamDigest, moved, octaveSizes, tilePlaces, tileSize } from '../../src/render/dream.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { temporary } from '../cli/command.ts';
import { inlineHost } from '../jobs/hosts.ts';

describe('octaveSizes', () => {
  it('grow by the scale up to the photo', () => {
    expect(octaveSizes({ height: 300, width: 401 }, { octaves: 3, scale: 2 })).toEqual([
      { height: 75, width: 100 },
      { height: 150, width: 201 },
      { height: 300, width: 401 },
    ]);
  });

  it('leave out what is too small, but never the photo itself', () => {
    expect(octaveSizes({ height: 130, width: 400 }, { octaves: 4, scale: 2 }).map((s) => s.height)).toEqual([65, 130]);
    expect(octaveSizes({ height: 128, width: 400 }, { octaves: 2, scale: 2 }).map((s) => s.height)).toEqual([64, 128]);
    expect(octaveSizes({ height: 20, width: 30 }, { octaves: 4, scale: 2 })).toEqual([{ height: 20, width: 30 }]);
    const least = { height: 32, width: 60 };
    expect(octaveSizes({ height: 100, width: 119 }, { octaves: 2, scale: 2 }, least).length).toBe(2);
    expect(octaveSizes({ height: 100, width: 118 }, { octaves: 2, scale: 2 }, least).length).toBe(1);
  });
});

describe('tileSize', () => {
  it('is the tile, or the picture if that is smaller', () => {
    expect(tileSize({ height: 500, width: 100 }, 256)).toEqual({ height: 256, width: 100 });
    expect(tileSize({ height: 500, width: 400 }, 256, { height: 224, width: 224 })).toEqual({
      height: 224,
      width: 224,
    });
    expect(tileSize({ height: 500, width: 400 }, 256, { width: 300 })).toEqual({ height: 256, width: 300 });
  });

  it.each([
    { height: 223, width: 224 },
    { height: 224, width: 223 },
  ])('refuses a photo that a network of one size cannot see', (photo) => {
    expect(tileSize({ height: 224, width: 224 }, 256, { height: 224, width: 224 }).height).toBe(224);
    expect(() => tileSize(photo, 256, { height: 224, width: 224 })).toThrow(
      expect.objectContaining({
        code: 'shape',
        message: expect.stringMatching(/the network sees 224×224 pixels.*larger photo/),
        details: { option: 'size', picture: photo, tile: { height: 224, width: 224 } },
      }),
    );
  });
});

describe('tilePlaces', () => {
  it('cover all of a picture, however they fall, and are as few as can be', () => {
    for (let seed = 0; seed < 40; seed++) {
      const picture = { height: 23, width: 10 };
      const tile = { height: 8, width: 10 };
      const places = tilePlaces(picture, tile, new Random(`${seed}`));
      expect(places.length).toBe(3);
      const seen = new Set<string>();
      for (const { top, left } of places) {
        expect(top).toBeLessThan(23);
        expect(left).toBeLessThan(10);
        for (let y = 0; y < 8; y++) for (let x = 0; x < 10; x++) seen.add(`${(top + y) % 23},${(left + x) % 10}`);
      }
      expect(seen.size).toBe(230);
    }
  });

  it('lie elsewhere each time', () => {
    const at = (key: string): string =>
      JSON.stringify(tilePlaces({ height: 100, width: 100 }, { height: 50, width: 50 }, new Random(key)));
    expect(at('a')).toBe(at('a'));
    expect(new Set(['a', 'b', 'c', 'd'].map(at)).size).toBe(4);
  });
});

describe('cutTile and moved', () => {
  const picture = float32(
    Array.from({ length: 2 * 3 * 4 }, (_, i) => i / 100),
    [1, 2, 3, 4],
  );

  it('go around the border', () => {
    const tile = cutTile(picture, { top: 2, left: 3 }, { height: 2, width: 2 });
    expect(tile.dims).toEqual([1, 2, 2, 2]);
    expect([...tile.data].map((v) => Math.round(100 * v))).toEqual([11, 8, 3, 0, 23, 20, 15, 12]);
  });

  it('bring a tile back to where it was', () => {
    const size = { height: 3, width: 4 };
    const place = { top: 1, left: 2 };
    const before = cutTile(picture, place, size);
    const after = float32(
      before.data.map((v) => v + 0.5),
      before.dims,
    );
    const result = moved(picture, [{ ...place, before, after }]);
    for (const [i, value] of result.data.entries()) expect(value).toBeCloseTo(picture.data[i]! + 0.5, 6);
    expect(picture.data[0]).toBe(0);
  });

  it('blend tiles where they overlap, each most where it saw most', () => {
    const row = float32(new Float32Array(6), [1, 1, 1, 6]);
    const tile = (left: number, value: number) => ({
      top: 0,
      left,
      before: float32(new Float32Array(4), [1, 1, 1, 4]),
      after: float32(new Float32Array(4).fill(value), [1, 1, 1, 4]),
    });
    const { data } = moved(row, [tile(0, 0.3), tile(3, 0.9)]);
    // Positions 0 and 3 are seen by both: with weights 1 and 1, and 1 and 1.
    expect([...data].map((v) => Number(v.toFixed(4)))).toEqual([0.6, 0.3, 0.3, 0.6, 0.9, 0.9]);
    const closer = moved(row, [tile(0, 0.3), tile(2, 0.9)]).data;
    // Position 2 has weight 2 in the first and 1 in the second.
    expect(closer[2]).toBeCloseTo((2 * 0.3 + 0.9) / 3, 6);
    expect(closer[3]).toBeCloseTo((0.3 + 2 * 0.9) / 3, 6);
  });

  it('keep to what can be shown', () => {
    const one = float32([0.9, -0.9], [1, 1, 1, 2]);
    const after = float32([2, -2], [1, 1, 1, 2]);
    expect([...moved(one, [{ top: 0, left: 0, before: one, after }]).data]).toEqual([1, -1]);
  });
});

/** Blurred noise, so that there is something to see. */
function photo(width: number, height: number): Raster {
  const coarse = float32(new Random('photo').uniform(3 * 6 * 8, -1, 1), [1, 3, 6, 8]);
  return photoRaster(photoTensor(photoRaster(coarse), { size: { height, width } }));
}

describe('a dream', () => {
  let network: Network;
  let pool: Pool;
  const open = createPool;
  beforeAll(async () => {
    network = await openModel('resnet50v2-mini');
    pool = open(inlineHost(nodeRuntime, 2));
  });
  afterAll(async () => {
    await pool.close();
    await network.close();
  });
  const options: DreamOptions = { layer: 'conv2_block1_out', octaves: 2, steps: 2, tile: 48 };

  async function dreamt(
    changes: DreamOptions = {},
    of = photo(100, 72),
    by = pool,
  ): Promise<{ dream: Dream; events: DreamEvent[] }> {
    const events: DreamEvent[] = [];
    for await (const event of dream(network, of, { ...options, ...changes }, { pool: by })) events.push(event);
    const last = events.at(-1)!;
    if (last.type !== 'dream') throw new Error('no dream');
    return { dream: last.dream, events };
  }
  const distance = (a: Tensor<'float32'>, b: Tensor<'float32'>): number =>
    Math.sqrt(a.data.reduce((sum, v, i) => sum + (v - b.data[i]!) ** 2, 0) / a.data.length);

  it('keeps the size of the photo and moves it by what its steps are long', async () => {
    const { dream: done, events } = await dreamt();
    const start = photoTensor(photo(100, 72));
    expect(done.image.dims).toEqual([1, 3, 72, 100]);
    const far = distance(done.image, start);
    expect(far).toBeGreaterThan(0.02);
    // Two sizes of two steps of 0.02 each.
    expect(far).toBeLessThan(0.08);
    const octaves = events.flatMap((e) => (e.type === 'octave' ? [[e.octave, e.of, e.size, e.loss]] : []));
    // 51 rows would be too few.
    expect(octaves).toEqual([[1, 1, { height: 72, width: 100 }, done.losses[0]![1]]]);
    const tiles = events.flatMap((e) => (e.type === 'tiles' ? [e] : []));
    expect(tiles.map(({ done: n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(tiles[0]!.total).toBe(12);
    expect(events[0]).toEqual({ type: 'ready', workers: 2 });
    expect(done.recipe).toEqual({
      model: { name: 'resnet50v2-mini', digest: await network.digest() },
      preprocess: network.input.preprocess,
      size: { height: 72, width: 100 },
      start: { photo: photoDigest(start) },
      layer: 'conv2_block1_out',
      octaves: 2,
      scale: 1.4,
      steps: 2,
      rate: 0.02,
      tile: 48,
      seed: 0,
    });
  });

  it('raises what the layer finds, from step to step and from size to size', async () => {
    const { dream: done } = await dreamt({ steps: 4, octaves: 3, tile: 96 }, photo(160, 128));
    expect(done.losses.length).toBe(3);
    for (const own of done.losses) {
      expect(own.length).toBe(4);
      expect(own[3]).toBeGreaterThan(own[0]!);
    }
    // What was found at one size is carried to the next.
    const alone = await dreamt({ steps: 4, octaves: 1, tile: 96 }, photo(160, 128));
    expect(done.losses[2]![0]).toBeGreaterThan(alone.dream.losses[0]![0]!);
  });

  it('has the same bytes whatever the workers, and others for another seed', async () => {
    const [one, more, seeded] = [
      await dreamt(),
      await dreamt({}, undefined, open(inlineHost(nodeRuntime, 1))),
      await dreamt({ seed: 1 }),
    ];
    expect(more.dream.image).toEqual(one.dream.image);
    expect(distance(seeded.dream.image, one.dream.image)).toBeGreaterThan(1e-4);
    expect(dreamDigest(more.dream.recipe)).toBe(dreamDigest(one.dream.recipe));
    expect(dreamDigest(seeded.dream.recipe)).not.toBe(dreamDigest(one.dream.recipe));
    const renamed = { ...one.dream.recipe, model: { ...one.dream.recipe.model, name: 'other' } };
    expect(dreamDigest(renamed)).toBe(dreamDigest(one.dream.recipe));
  });

  it('raises chosen channels alone', async () => {
    const whole = await dreamt({ steps: 1 });
    const one = await dreamt({ steps: 1, channels: [3, 3] });
    expect(one.dream.recipe.channels).toEqual([3]);
    expect(distance(one.dream.image, whole.dream.image)).toBeGreaterThan(1e-3);
    await expect(dreamt({ channels: [100_000] })).rejects.toThrow('filter 100000 is out of range');
  });

  it('is as large as it is told', async () => {
    const { dream: small } = await dreamt({ size: 50, steps: 1 });
    expect(small.recipe.size).toEqual({ height: 36, width: 50 });
    await expect(dreamt({ size: 8 })).rejects.toThrow('size: a whole number from 16');
    await expect(dreamt({ octaves: 0 })).rejects.toThrow('octaves: a whole number from 1 to 16');
    await expect(dreamt({ layer: 'conv2' })).rejects.toMatchObject({ code: 'unknown-layer' });
  });

  it('stands in its file with all that made it', async () => {
    const out = temporary();
    const file = join(out, 'new/dream.png');
    const files = [];
    let image: Tensor<'float32'> | undefined;
    for await (const event of dreamToFile(network, photo(64, 64), { ...options, steps: 1 }, { out: file, pool })) {
      if (event.type === 'file') files.push(event);
      if (event.type === 'dream') ({ image } = event.dream);
    }
    expect(files).toEqual([{ type: 'file', file, width: 64, height: 64 }]);
    const { raster: picture, text } = decodePng(readFileSync(file));
    expect(picture).toEqual(photoRaster(image!));
    const record = JSON.parse(text['phosphene']!) as Record<string, unknown>;
    expect(record).toMatchObject({ format: 'phosphene-dream/1', recipe: { layer: 'conv2_block1_out', steps: 1 } });
    expect(record['digest']).toBe(dreamDigest(record['recipe'] as Parameters<typeof dreamDigest>[0]));
    rmSync(out, { recursive: true });
    const nowhere = dreamToFile(network, raster(64, 64), options, { out: '', pool });
    await expect(nowhere.next()).rejects.toMatchObject({ code: 'bad-option' });
  });
});
