/** @file Animations of the built-in model: which steps are shown, what turns into what, and what the files say. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeApng } from 'fast-png';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../src/hub/open.ts';
import type { Network } from '../../src/import/network.ts';
import { framesAt } from '../../src/jobs/animate.ts';
import { createPool, type Pool } from '../../src/jobs/pool.ts';
import { animate, type AnimateOptions, render, type RenderOptions, type RunningToFolder } from '../../src/node.ts';
import { grid } from '../../src/output/grid.ts';
import { decodePng } from '../../src/output/png.ts';
import type { Raster } from '../../src/output/raster.ts';
import { labelHeight } from '../../src/output/tile.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { temporary } from '../cli/command.ts';
import { inlineHost } from './hosts.ts';

describe('framesAt', () => {
  it('shows steps as evenly as can be, the last among them', () => {
    expect(framesAt(30, 4)).toEqual([8, 15, 23, 30]);
    expect(framesAt(30, 30)).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(framesAt(3, 24)).toEqual([1, 2, 3]);
    expect(framesAt(30, 1)).toEqual([30]);
    expect(framesAt(0, 4)).toEqual([]);
  });
});

describe('animate', () => {
  let network: Network;
  let pool: Pool;
  beforeAll(async () => {
    network = await openModel('resnet50v2-mini');
    pool = createPool(inlineHost(nodeRuntime, 2));
  });
  afterAll(async () => {
    await pool.close();
    await network.close();
  });
  const options = {
    preset: 'keras',
    layer: 'conv1_conv',
    channels: [3, 5, 9],
    size: 24,
    steps: 4,
    finish: { crop: 2 },
  } as const;

  async function animated(
    animation: AnimateOptions,
    changes: Partial<RenderOptions> = {},
    running: Partial<RunningToFolder> = {},
  ): Promise<{ bytes: Uint8Array; events: { readonly type: string }[]; file: string }> {
    const file = join(temporary(), running.out ?? 'a.png');
    const events: { readonly type: string }[] = [];
    for await (const event of animate(network, { ...options, ...changes }, animation, { pool, ...running, out: file }))
      events.push(event);
    return { bytes: readFileSync(file), events, file };
  }

  async function pictures(steps: number): Promise<Raster[]> {
    const found = new Map<number, Raster>();
    for await (const event of render(network, { ...options, steps }, { pool }))
      if (event.type === 'picture') found.set(event.picture.channel, event.picture.raster);
    return options.channels.map((channel) => found.get(channel)!);
  }

  it('shows ascents side by side, as they would be after fewer steps', async () => {
    const { bytes, events, file } = await animated({ frames: 2, delay: 50 });
    expect(events.at(-1)).toEqual({ type: 'file', file, width: 45, height: 45, frames: 2 });
    expect(events.filter((e) => e.type === 'picture').length).toBe(3);
    const { frames } = decodeApng(bytes);
    // The last comes first.
    expect([...frames[0]!.data]).toEqual([...grid(await pictures(4), { columns: 2 }).data]);
    expect([...frames[1]!.data]).toEqual([...grid(await pictures(2), { columns: 2 }).data]);
    expect(frames.map((f) => f.delayNumber)).toEqual([1500, 50]);
    expect(JSON.parse(decodePng(bytes).text['phosphene']!)).toMatchObject({
      format: 'phosphene-animation/1',
      kind: 'ascent',
      preset: 'keras',
      layer: 'conv1_conv',
      channels: [3, 5, 9],
      steps: [2, 4],
      recipe: { objective: { kind: 'channel', channel: 3 }, steps: 4 },
    });
  });

  it('stitches as it is told', async () => {
    const { bytes } = await animated({ frames: 1 }, {}, { columns: 3, margin: 1, captions: true });
    const { raster } = decodePng(bytes);
    expect([raster.width, raster.height]).toEqual([3 * 20 + 2, 20 + labelHeight(20)]);
  });

  it('turns channels into one another, and the last into the first', async () => {
    const { bytes, events } = await animated({ frames: 2, morph: true, delay: 60 });
    expect(events.at(-1)).toMatchObject({ type: 'file', width: 20, height: 20, frames: 6 });
    expect(events.filter((e) => e.type === 'ready').length).toBe(1);
    expect(events.filter((e) => e.type === 'steps').length).toBe(6);
    const { frames } = decodeApng(bytes);
    expect(frames.map((f) => f.delayNumber)).toEqual(Array.from({ length: 6 }, () => 60));
    const inOrder = [...frames.slice(1), frames[0]!].map((f) => [...f.data]);
    const distance = (a: number, b: number): number => Math.hypot(...inOrder[a]!.map((v, i) => v - inOrder[b]![i]!));
    // Half-way is nearer to both ends than they are to each other.
    for (const [from, half, to] of [
      [0, 1, 2],
      [2, 3, 4],
      [4, 5, 0],
    ] as const) {
      expect(distance(from, half)).toBeLessThan(distance(from, to));
      expect(distance(half, to)).toBeLessThan(distance(from, to));
    }
    expect(JSON.parse(decodePng(bytes).text['phosphene']!)).toMatchObject({ kind: 'morph', between: 2 });
    // Again, with the workers in another order.
    expect((await animated({ frames: 2, morph: true, delay: 60 })).bytes).toEqual(bytes);
  });

  it('writes what the ending says', async () => {
    const { bytes } = await animated({ frames: 2 }, {}, { out: 'deep/A.GIF' });
    expect(Buffer.from(bytes.subarray(0, 6)).toString()).toBe('GIF89a');
    expect(Buffer.from(bytes).toString('latin1')).toContain('"format":"phosphene-animation/1"');
    expect(Buffer.from((await animated({ frames: 2 }, {}, { out: 'a.apng' })).bytes.subarray(1, 4)).toString()).toBe(
      'PNG',
    );
  });

  it.each<[AnimateOptions, Partial<RenderOptions>, string, RegExp]>([
    [{}, {}, 'a.jpg', /^out: .*a\.jpg is to end in \.gif, \.png or \.apng/],
    [{}, { steps: 0 }, 'a.gif', /^steps: an ascent of no steps does not move/],
    [{ frames: 0 }, {}, 'a.gif', /^frames: a whole number from 1 to 1000/],
    [{ delay: 1 }, {}, 'a.gif', /^delay: /],
    [{ morph: true }, { channels: [1] }, 'a.gif', /^morph: two channels/],
    [
      { morph: true },
      { channels: undefined, layer: undefined, objective: 'conv1_conv:1 + conv1_conv:2' },
      'a.gif',
      /^morph: /,
    ],
  ])('refuses %j of %j into %s', async (animation, changes, out, message) => {
    await expect(animated(animation, changes, { out })).rejects.toMatchObject({
      code: 'bad-option',
      message: expect.stringMatching(message) as string,
    });
  });
});
