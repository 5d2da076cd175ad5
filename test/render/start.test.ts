/** @file Ascents that begin with a photo: what they begin with, what their records say of it, and what cannot begin so. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../src/hub/open.ts';
import type { Network } from '../../src/import/network.ts';
import { createPool, type Pool } from '../../src/jobs/pool.ts';
import type { Picture } from '../../src/jobs/render.ts';
import { render, renderToFolder, type RenderOptions } from '../../src/node.ts';
import { raster, type Raster } from '../../src/output/raster.ts';
import { photoDigest, photoTensor } from '../../src/photo/photo.ts';
import { digestOf } from '../../src/render/recipe.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { temporary } from '../cli/command.ts';
import { inlineHost } from '../jobs/hosts.ts';

/** A photo that is wider than high: dark on the left, red on the right. */
function photo(width: number, height: number, red = 200): Raster {
  const picture = raster(width, height);
  for (let i = 0; i < width * height; i++) if (i % width >= width / 2) picture.data[3 * i] = red;
  return picture;
}

const options = {
  preset: 'keras',
  layer: 'conv1_conv',
  channels: [3],
  size: 32,
  steps: 0,
  finish: { crop: 0 },
} as const;

describe('render from a photo', () => {
  let network: Network;
  let pool: Pool;
  beforeAll(async () => {
    network = await openModel('resnet50v2-mini');
    pool = createPool(inlineHost(nodeRuntime));
  });
  afterAll(async () => {
    await pool.close();
    await network.close();
  });

  async function picture(changes: Partial<RenderOptions>): Promise<Picture> {
    for await (const event of render(network, { ...options, ...changes }, { pool }))
      if (event.type === 'picture') return event.picture;
    throw new Error('no picture');
  }

  it('begins with its middle, at the size of the picture', async () => {
    const { image, recipe } = await picture({ start: photo(96, 64) });
    const size = { height: 32, width: 32 };
    const start = photoTensor(photo(96, 64), { size });
    expect(image).toEqual(start);
    expect(recipe.start).toEqual({ photo: photoDigest(start) });
  });

  it('ascends from there', async () => {
    const { image, losses } = await picture({ start: photo(32, 32), steps: 2 });
    const start = photoTensor(photo(32, 32));
    expect(losses[1]).toBeGreaterThan(losses[0]!);
    // Each step is ten long.
    const moved = Math.hypot(...image.data.map((value, i) => value - start.data[i]!));
    expect(moved).toBeGreaterThan(10);
    expect(moved).toBeLessThan(20.01);
  });

  it('begins so whatever the picture is made of', async () => {
    const { image } = await picture({ start: photo(32, 32), param: { kind: 'fourier' } });
    const start = photoTensor(photo(32, 32));
    for (const [i, value] of start.data.entries()) expect(image.data[i]).toBeCloseTo(value, 1);
  });

  it('is another recipe for another photo, and none for noise', async () => {
    const digests = [
      await picture({}),
      await picture({ start: photo(32, 32) }),
      await picture({ start: photo(32, 32, 199) }),
    ].map(({ recipe }) => digestOf(recipe));
    expect(new Set(digests).size).toBe(3);
    expect((await picture({})).recipe.start).toBeUndefined();
    expect(digestOf((await picture({ start: photo(32, 32) })).recipe)).toBe(digests[1]);
  });

  it('has a folder of its own', async () => {
    const out = temporary();
    const folders = [];
    for (const start of [undefined, photo(32, 32), photo(32, 32, 90), photo(32, 32)])
      for await (const event of renderToFolder(network, { ...options, start }, { out, pool }))
        if (event.type === 'grid') folders.push(event.folder);
    expect(new Set(folders).size).toBe(3);
    expect(folders[3]).toBe(folders[1]);
  });
});
