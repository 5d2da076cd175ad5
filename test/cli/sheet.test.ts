/** @file `sheet` in words, on a core made for the test; and a small sheet of the built-in model. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { RenderRequest } from '../../src/cli/render.ts';
import { sheetCommand, type SheetNews, type SheetRequest } from '../../src/cli/sheet.ts';
import { openModel } from '../../src/hub/open.ts';
import { createPool } from '../../src/jobs/pool.ts';
import { contact, renderSideBySide } from '../../src/node.ts';
import { decodePng } from '../../src/output/png.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { inlineHost } from '../jobs/hosts.ts';
import { temporary } from './command.ts';
import { said } from './fake.ts';

function sheeting(news: readonly SheetNews[] = []) {
  const asked: [RenderRequest, SheetRequest][] = [];
  const command = sheetCommand(async () => async (request, sheet, tell) => {
    asked.push([request, sheet]);
    for (const one of news) await tell(one);
  });
  return { asked, entries: { sheet: { summary: 'Sheets', load: async () => command } } };
}

describe('sheet', () => {
  it('asks for its rows', async () => {
    const { asked, entries } = sheeting();
    await said(['sheet'], entries);
    expect(asked[0]![1]).toEqual({ layers: undefined, presets: undefined, seeds: undefined });
    expect(asked[0]![0]).toMatchObject({
      model: 'resnet50v2-mini',
      out: 'out',
      layer: undefined,
      objective: undefined,
    });
    await said(
      ['sheet', 'm', '-l', 'a, b', '--preset', 'keras', '--seed', '0,-3', '-f', '0-3', '--steps', '4'],
      entries,
    );
    expect(asked[1]![1]).toEqual({ layers: ['a', 'b'], presets: ['keras'], seeds: [0, -3] });
    expect(asked[1]![0]).toMatchObject({ model: 'm', filters: [[0, 3]], settings: { steps: 4 } });
  });

  it.each([
    [['--seed', '1,x'], '--seed: whole numbers with commas between is needed'],
    [['--layer', 'a,,b'], '--layer: names with commas between'],
    [['--class', 'a'], 'option `--class` is not known'],
    [['--objective', 'a'], 'option `--objective` is not known'],
  ])('refuses %j', async (words, message) => {
    const { code, stderr } = await said(['sheet', ...words], sheeting().entries);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  it('tells of its rows and where it is', async () => {
    const news: SheetNews[] = [
      { type: 'row', row: 0, of: 1, title: 'conv1' },
      { type: 'picture', filter: 3, activation: 2 },
      { type: 'grid', file: 'g', width: 1, height: 1, manifest: 'm' },
      { type: 'sheet', file: '/o/s.png', width: 7, height: 5 },
    ];
    expect(await said(['sheet'], sheeting(news).entries)).toEqual({ code: 0, stdout: '/o/s.png (7×5)\n', stderr: '' });
    expect((await said(['sheet', '-q'], sheeting(news).entries)).stdout).toBe('');
    const lines = (await said(['sheet', '--json'], sheeting(news).entries)).stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { event: 'row', row: 0, of: 1, title: 'conv1' },
      { event: 'picture', filter: 3, activation: 2, seconds: expect.any(Number) as number },
      { event: 'sheet', file: '/o/s.png', width: 7, height: 5 },
    ]);
  });
});

describe('contact', () => {
  it('renders each row, keeps what is there, and leaves out what a layer has not', async () => {
    await using network = await openModel('resnet50v2-mini');
    await using pool = createPool(inlineHost(nodeRuntime, 2));
    const out = temporary();
    const wanted = { channels: [0, 70], size: 24, steps: 1, finish: { crop: 2 }, seeds: [0, 5] } as const;
    const run = async (layers?: readonly string[]) => {
      const events: { readonly type: string }[] = [];
      for await (const event of contact(network, { ...wanted, layers }, { out, pool, margin: 1 })) events.push(event);
      return events;
    };
    const events = await run(['conv1_conv', 'conv2_block1_out']);
    expect(events.filter((e) => e.type === 'row')).toEqual([
      { type: 'row', row: 0, of: 4, title: 'conv1_conv  seed 0', pictures: 1 },
      { type: 'row', row: 1, of: 4, title: 'conv1_conv  seed 5', pictures: 1 },
      { type: 'row', row: 2, of: 4, title: 'conv2_block1_out  seed 0', pictures: 2 },
      { type: 'row', row: 3, of: 4, title: 'conv2_block1_out  seed 5', pictures: 2 },
    ]);
    const file = join(out, 'contact_sheet.png');
    expect(events.at(-1)).toEqual({ type: 'sheet', file, width: 1 + 2 * 21, height: 1 + 4 * (14 + 20 + 1) });
    const { text } = decodePng(readFileSync(file));
    expect(JSON.parse(text['phosphene']!)).toMatchObject({
      format: 'phosphene-sheet/1',
      model: 'resnet50v2-mini',
      channels: [0, 70],
      rows: [
        { layer: 'conv1_conv', preset: 'natural', seed: 0 },
        { layer: 'conv1_conv', preset: 'natural', seed: 5 },
        { layer: 'conv2_block1_out', preset: 'natural', seed: 0 },
        { layer: 'conv2_block1_out', preset: 'natural', seed: 5 },
      ],
    });
    const again = await run(['conv1_conv', 'conv2_block1_out']);
    expect(again.filter((e) => e.type === 'picture')).toEqual([]);
  });

  it('marks what went wrong', async () => {
    await using network = await openModel('resnet50v2-mini');
    await using pool = createPool(inlineHost(nodeRuntime, 1));
    const out = temporary();
    // A step too short to move anything.
    const wanted = { layers: ['conv1_conv'], channels: [0], size: 24, steps: 2, optimiser: { rate: 1e-30 } } as const;
    const options = { ...wanted, finish: { crop: 2 }, preset: undefined };
    for await (const _ of contact(network, options, { out, pool, margin: 0 }));
    const { raster } = decodePng(readFileSync(join(out, 'contact_sheet.png')));
    const corner = 3 * (14 * raster.width + raster.width - 1);
    expect([...raster.data.subarray(corner, corner + 3)]).toEqual([240, 170, 50]);
  });
});

describe('renderSideBySide', () => {
  it('renders each preset once, and puts their grids side by side', async () => {
    await using network = await openModel('resnet50v2-mini');
    await using pool = createPool(inlineHost(nodeRuntime, 2));
    const out = temporary();
    const wanted = { layer: 'conv1_conv', channels: [0, 3], size: 24, steps: 1, finish: { crop: 2 } } as const;
    const run = async (presets: readonly ('keras' | 'sobolev')[]) => {
      const events: { readonly type: string }[] = [];
      for await (const event of renderSideBySide(network, { ...wanted, presets }, { out, pool, margin: 1 }))
        events.push(event);
      return events;
    };
    const events = await run(['sobolev', 'keras', 'sobolev']);
    expect(events.filter((e) => e.type === 'preset')).toEqual([
      { type: 'preset', preset: 'sobolev', index: 0, of: 2, steps: 1 },
      { type: 'preset', preset: 'keras', index: 1, of: 2, steps: 1 },
    ]);
    expect(events.filter((e) => e.type === 'grid')).toHaveLength(2);
    const file = join(out, 'side_by_side.png');
    // Grids of 41x20, 20 pixels between and around them, titles of 14.
    expect(events.at(-1)).toEqual({ type: 'side-by-side', file, width: 2 * 41 + 3 * 20, height: 14 + 20 + 2 * 20 });
    const { text } = decodePng(readFileSync(file));
    expect(JSON.parse(text['phosphene']!)).toMatchObject({
      format: 'phosphene-side-by-side/1',
      layer: 'conv1_conv',
      channels: [0, 3],
      presets: ['sobolev', 'keras'],
    });
    expect((await run(['keras', 'sobolev'])).filter((e) => e.type === 'picture')).toEqual([]);
    await expect(run([])).rejects.toMatchObject({ code: 'bad-option' });
  });
});
