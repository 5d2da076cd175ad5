/** @file The package's two doors: what runs anywhere asks nothing of Node, and what Node's adds works as its examples say. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { decodePng } from '../src/output/png.ts';
import type * as Node from '../src/node.ts';
import { VERSION } from '../src/version.ts';
import { temporary } from './cli/command.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
// As built: workers are files of their own.
const { createPool, finishes, models, nodeHost, open, render, renderToFolder } = (await import(
  join(root, 'dist/bundle/node.js')
)) as typeof Node;

/** Every module that `file` loads when it is loaded, by path, and every package, by name; types are not loaded. */
function loads(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const source = readFileSync(file, 'utf8');
  for (const [, clause, from] of source.matchAll(/^(?:import|export)\s+([^;'"]*?)\s*from\s+['"]([^'"]+)['"]/gm)) {
    if (clause!.startsWith('type ')) continue;
    if (from!.startsWith('.')) loads(resolve(dirname(file), from!), seen);
    else seen.add(from!);
  }
  return seen;
}

describe('the entries for any platform', () => {
  const packages = {
    'ir/index.ts': ['@bufbuild/protobuf', '@bufbuild/protobuf/codegenv2'],
    'grad/index.ts': [],
    'index.ts': ['@noble/hashes/sha2', '@noble/hashes/utils', 'fast-png', 'fflate'],
    // ONNX Runtime is loaded when the first program is compiled.
    'web.ts': ['@noble/hashes/sha2', '@noble/hashes/utils', 'fast-png', 'fflate'],
  };
  it.each(Object.entries(packages))('%s loads nothing of Node and no engine', (file, allowed) => {
    const loaded = [...loads(join(root, 'src', file))].filter((name) => !name.startsWith('/'));
    const language = ['@bufbuild/protobuf', '@bufbuild/protobuf/codegenv2'];
    expect(loaded.filter((name) => ![...language, ...allowed].includes(name))).toEqual([]);
    expect(allowed.filter((name) => !loaded.includes(name))).toEqual([]);
  });
});

describe('phosphene/node', () => {
  it('leaves networks and pools to `await using`, and gives pictures with their raw image', async () => {
    const pictures: Node.Picture[] = [];
    {
      await using network = await open();
      await using pool = createPool(nodeHost({ parallelism: 1 }));
      const what = {
        preset: 'keras',
        layer: 'conv1_conv',
        channels: [5],
        size: 48,
        steps: 2,
        finish: { crop: 4 },
      } as const;
      for await (const event of render(network, what, { pool }))
        if (event.type === 'picture') pictures.push(event.picture);
    }
    const [{ image, raster, losses, channel }] = pictures as [Node.Picture];
    expect([image.dims, image.data.length]).toEqual([[1, 3, 48, 48], 3 * 48 * 48]);
    expect([raster.width, raster.height, losses.length, channel]).toEqual([40, 40, 2, 5]);
    // The picture is made of the image.
    expect(finishes.make({ kind: 'contrast', crop: 4 })(image.data, { height: 48, width: 48 })).toEqual(raster);
  });

  it('names the models that it opens', () => {
    expect(models).toContain('resnet50v2-mini');
    expect(models).toContain('resnet50v2');
  });

  it('renders into a folder with the settings, the grid and the stretching that it is given', async () => {
    const out = temporary();
    const model = await open();
    const events: { readonly type: string }[] = [];
    const what = {
      preset: 'keras',
      layer: 'conv2_block1_out',
      channels: [3, 1],
      size: 64,
      steps: 2,
      finish: { crop: 8, stretch: true },
    } as const;
    for await (const event of renderToFolder(model, what, { columns: 1, margin: 2, out })) events.push(event);
    await model.close();
    expect(events.at(-1)).toMatchObject({ type: 'grid', width: 48, height: 48 + 2 + 48 });
    const grid = events.at(-1) as Node.RunEvent & { readonly folder: string };
    const { raster, text } = decodePng(readFileSync(join(grid.folder, '3.png')));
    expect(JSON.parse(text['phosphene']!)).toMatchObject({
      recipe: { finish: { stretch: true }, steps: 2, optimiser: { rate: 10 } },
    });
    expect([Math.min(...raster.data), Math.max(...raster.data)]).toEqual([0, 255]);
    expect(existsSync(join(grid.folder, 'manifest.json'))).toBe(true);
  });
});

it('says the version of package.json', () => {
  expect(VERSION).toBe((JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version);
});
