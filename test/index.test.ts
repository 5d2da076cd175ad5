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
const { models, open, renderToFolder } = (await import(join(root, 'dist/node.js'))) as typeof Node;

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

describe('phosphene', () => {
  it('loads nothing of Node and no engine', () => {
    const packages = [...loads(join(root, 'src/index.ts'))].filter((name) => !name.startsWith('/'));
    expect(packages.sort()).toEqual([
      '@bufbuild/protobuf',
      '@bufbuild/protobuf/codegenv2',
      '@noble/hashes/sha2',
      '@noble/hashes/utils',
      'fast-png',
      'fflate',
    ]);
  });
});

describe('phosphene/node', () => {
  it('names the models that it opens', () => {
    expect(models).toContain('resnet50v2-mini');
    expect(models).toContain('resnet50v2');
  });

  it('renders into a folder with the settings, the grid and the stretching that it is given', async () => {
    const out = temporary();
    const model = await open();
    const events: { readonly type: string }[] = [];
    const what = {
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
