/** @file What a user sees: pictures of the built-in model against references, and which other ascents do not give them. */
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../src/hub/open.ts';
import { deprocess } from '../../src/output/deprocess.ts';
import { decodePng } from '../../src/output/png.ts';
import type { Raster } from '../../src/output/raster.ts';
import { Random } from '../../src/random.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { presets } from '../../src/render/presets.ts';
import { phosphene, temporary } from '../cli/command.ts';
import { differences } from '../difference.ts';
import { expectPicture, referencePicture } from '../pictures.ts';
import { type CompiledSeed, compileSeed } from './seed.ts';

const LAYER = 'conv3_block4_out';

// Seconds on a quiet machine; the command shares its cores with other tests.
describe('the command shows', { timeout: 60_000 }, () => {
  const out = temporary();
  afterAll(() => rmSync(out, { recursive: true }));
  const render = async (...args: string[]): Promise<void> =>
    expect(await phosphene(['render', '--preset', 'keras', '--out', out, ...args])).toMatchObject({
      code: 0,
      stderr: '',
    });
  const picture = (file: string): Raster => decodePng(readFileSync(join(out, file))).raster;

  it('four filters of conv3_block4_out', async () => {
    await render('--filters', '0,10,38,51');
    for (const channel of [0, 10, 38, 51])
      expectPicture(picture(`${LAYER}/keras/${channel}.png`), `${LAYER}-${channel}`);
  });

  it('a filter of conv2_block3_out', async () => {
    await render('--layer', 'conv2_block3_out', '--filters', '6');
    expectPicture(picture('conv2_block3_out/keras/6.png'), 'conv2_block3_out-6');
  });

  it('a grid of eight, its last row not full', async () => {
    await render('--layer', 'conv2_block1_out', '--filters', '0-7', '--size', '64', '--crop', '8');
    expectPicture(picture('stitched_filters.png'), 'grid');
  });
});

describe('beside the reference of filter 10,', () => {
  const { keras } = presets;
  const size = { height: keras.size, width: keras.size };
  const noise = (seed: number): Float32Array => new Random(`${seed}/${LAYER}/10`).uniform(3 * 180 * 180, -0.125, 0.125);
  let program: CompiledSeed;

  beforeAll(async () => {
    const model = await openModel('resnet50v2-mini');
    program = await compileSeed(await model.cut([LAYER], size), keras.border, { threads: 2 });
    await model.close();
  });
  afterAll(() => program?.dispose());

  async function found({ start = noise(0), steps = 30, rate = 10 }): Promise<string> {
    const { image } = await program.ascend(float32(start, [1, 3, 180, 180]), 10, { steps, rate });
    return differences(deprocess(image.data, size), referencePicture(`${LAYER}-10`)).join();
  }

  it('a start changed by a millionth is the same', async () => {
    const random = new Random('rounding');
    expect(await found({ start: noise(0).map((v) => v * (1 + random.next(-1e-6, 1e-6))) })).toBe('');
  });
  it('another seed shows', async () => expect(await found({ start: noise(1) })).toMatch(/form/));
  it('half of the ascent shows', async () => expect(await found({ steps: 15 })).toMatch(/grain/));
  it('half of the rate shows', async () => expect(await found({ rate: 5 })).toMatch(/grain/));
});
