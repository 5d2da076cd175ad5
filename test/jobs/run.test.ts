/** @file A run as a library sees it: what it asks of the model, and what it refuses before it writes. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../src/hub/open.ts';
import type { Network } from '../../src/import/network.ts';
import { render, renderToFolder, type RenderOptions, type RunningToFolder } from '../../src/node.ts';
import { phosphene, temporary } from '../cli/command.ts';

const options: RenderOptions = {
  layer: 'conv2_block1_out',
  channels: [0, 1],
  preset: 'keras',
  size: 64,
  steps: 2,
  finish: { crop: 8 },
};
type Changes = Partial<RenderOptions & RunningToFolder>;
let model: Network;
beforeAll(async () => {
  model = await openModel('resnet50v2-mini');
});

async function events(changes: Changes & { readonly out: string }, of = model): Promise<{ readonly type: string }[]> {
  const all: { readonly type: string }[] = [];
  const { out, columns, margin, workers, ...rest } = changes;
  for await (const event of renderToFolder(of, { ...options, ...rest }, { out, columns, margin, workers }))
    all.push(event);
  return all;
}

describe('run', () => {
  it.each([{}, { out: '' }, { out: 3 }, undefined])('needs a folder, and says so of %j', async (running) => {
    const run = renderToFolder(model, options, running as unknown as RunningToFolder);
    await expect(run.next()).rejects.toMatchObject({
      code: 'bad-option',
      message: 'out: the path of a folder is needed',
      details: { option: 'out' },
    });
  });

  it('builds nothing where every picture is there', async () => {
    const out = temporary();
    const args = [
      '--preset',
      'keras',
      '--layer',
      'conv2_block1_out',
      '--size',
      '64',
      '--crop',
      '8',
      '--steps',
      '2',
      '--filters',
      '0,1',
    ];
    expect((await phosphene(['render', ...args, '--out', out])).code).toBe(0);
    const sheet = await readFile(join(out, 'stitched_filters.png'));
    const uncut: Network = {
      ...model,
      cut: () => {
        throw new Error('cut');
      },
    };
    expect((await events({ out }, uncut)).map((e) => e.type)).toEqual(['resumed', 'grid']);
    expect((await readFile(join(out, 'stitched_filters.png'))).equals(sheet)).toBe(true);
    // One that is missing is built, and one that cannot be is refused as ever.
    await expect(events({ out, channels: [0, 2] }, uncut)).rejects.toThrow('cut');
    await expect(events({ out, channels: [0, 10_000] }, uncut)).rejects.toThrow('filter 10000 is out of range');
  });

  it('asks for what a caller in JavaScript leaves out', async () => {
    type Loose = (network: Network, options?: unknown, running?: unknown) => AsyncGenerator;
    const [picture, folder] = [render as Loose, renderToFolder as Loose];
    const channels = { code: 'bad-option', details: { option: 'channels' } };
    await expect(picture(model).next()).rejects.toMatchObject(channels);
    await expect(picture(model, { layer: 'conv2_block1_out' }).next()).rejects.toMatchObject(channels);
    const out = { code: 'bad-option', details: { option: 'out' } };
    await expect(folder(model, options).next()).rejects.toMatchObject(out);
    await expect(folder(model, options, { out: '' }).next()).rejects.toMatchObject(out);
  });

  it.each<[string, Changes, string]>([
    ['a layer', { layer: 'conv2_block1' }, 'unknown-layer'],
    ['a channel', { channels: [0, -1] }, 'bad-option'],
    ['no channels', { channels: [] }, 'bad-option'],
    ['columns', { columns: 0 }, 'bad-option'],
    ['a margin', { margin: 0.5 }, 'bad-option'],
    ['a grid of too many pixels', { margin: 1e8 }, 'too-large'],
    ['workers', { workers: 0 }, 'bad-option'],
    ['a border', { border: 40 }, 'shape'],
  ])('leaves no trace of %s that cannot be', async (_, changes, code) => {
    const out = join(temporary(), 'out');
    await expect(events({ ...changes, out })).rejects.toMatchObject({ code });
    expect(existsSync(out)).toBe(false);
  });
});
