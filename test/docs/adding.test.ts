/**
 * @file The examples of docs/adding.md, taken from the page and put where their first lines say, into a copy of the source, with the
 * lines in its tables that the page speaks of; then compiled and used.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type * as Check from '../check.ts';
import type * as Fake from '../cli/fake.ts';
import type * as Formats from '../../src/import/formats.ts';
import type * as Sources from '../../src/import/source.ts';
import type * as Pools from '../../src/jobs/pool.ts';
import type { Host } from '../../src/jobs/protocol.ts';
import type * as Language from '../../src/ir/index.ts';
import type * as Recipes from '../../src/render/recipe.ts';
import type * as Steps from '../../src/render/step.ts';
import type * as Params from '../../src/param/index.ts';
import type * as Optimisers from '../../src/optimiser/index.ts';
import type * as Objectives from '../../src/objective/index.ts';
import type { Runtime } from '../../src/runtime/index.ts';
import type * as Node from '../../src/runtime/node.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folder = join(root, 'test/docs/.snippets/adding');
const page = readFileSync(join(root, 'docs/adding.md'), 'utf8');
const blocks = new Map(
  [...page.matchAll(/```ts\n\/\/ (\S+)\n([^]*?)```/g)].map(([, file, code]) => [file!, code!] as const),
);

/** The table that each new file gets a line in: what the line says, and before what it stands. */
const tables: Readonly<Record<string, readonly [table: string, before: RegExp, name: string, line?: string]>> = {
  'src/objective/energy.ts': ['src/objective/index.ts', /(?<=const kinds = \[)/, 'energy'],
  'src/param/bounded.ts': ['src/param/index.ts', /(?<=const kinds = \[)/, 'bounded'],
  'src/transform/grain.ts': ['src/transform/index.ts', /(?<=const kinds = \[)/, 'grain'],
  'src/optimiser/momentum.ts': ['src/optimiser/index.ts', /(?<=const kinds = \[)/, 'momentum'],
  'src/render/soft.ts': ['src/render/presets.ts', /(?<=const table = \{)/, 'soft'],
  'src/ir/ops/asinh.ts': ['src/ir/ops/index.ts', /(?<=const table = \{)/, 'Asinh'],
  'src/grad/asinh.ts': ['src/grad/rules.ts', /(?<=export const rules[^{]*\{)/, 'Asinh'],
  'src/import/stack.ts': ['src/import/formats.ts', /(?<=export const formats[^=]*= \[)/, 'stack'],
  'src/cli/names.ts': [
    'src/cli/program.ts',
    /(?<=export const commands[^{]*\{)/,
    '',
    "names: { summary: 'The names', load: () => import('./names.ts').then((m) => m.default) }",
  ],
};

rmSync(folder, { recursive: true, force: true });
cpSync(join(root, 'src'), join(folder, 'src'), { recursive: true });
cpSync(join(root, 'test/check.ts'), join(folder, 'test/check.ts'));
cpSync(join(root, 'test/cli/fake.ts'), join(folder, 'test/cli/fake.ts'));
for (const [file, code] of blocks) {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), code);
  const entry = tables[file];
  if (!entry) continue;
  const [table, before, name, line = name] = entry;
  const text = readFileSync(join(folder, table), 'utf8');
  const path = relative(dirname(table), file).replaceAll('\\', '/');
  const imported = name ? `import { ${name} } from '${path.startsWith('.') ? path : `./${path}`}';\n` : '';
  const next = text.replace(before, `${line}, `).replace(/^(?=import )/m, imported);
  if (next === text) throw new Error(`${table} has no place for a line of ${file}`);
  writeFileSync(join(folder, table), next);
}

/** A module of the copy. */
const from = async <T>(file: string): Promise<T> => (await import(join(folder, file))) as T;

describe('the examples of the page', () => {
  it('compile, each in its place and with its line in a table', { timeout: 60_000 }, () => {
    expect(Object.keys(tables).filter((file) => !blocks.has(file))).toEqual([]);
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ extends: '../../../../tsconfig.json', include: ['src', 'test'] }),
    );
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder, '--pretty', 'false'], { encoding: 'utf8' });
    expect(stdout).toBe('');
  });

  it('four new nouns: three steps raise the loss', async () => {
    const { losses } = await from<{ losses: () => Promise<readonly number[]> }>('test/four.ts');
    const [first, second, third] = await losses();
    expect(second!).toBeGreaterThan(first!);
    expect(third!).toBeGreaterThan(second!);
  });

  it('a new kind is known by its name, with its defaults and its limits', async () => {
    const { objectives } = await from<typeof Objectives>('src/objective/index.ts');
    const { params } = await from<typeof Params>('src/param/index.ts');
    const { optimisers } = await from<typeof Optimisers>('src/optimiser/index.ts');
    expect(params.complete({ kind: 'bounded' } as never)).toEqual({ kind: 'bounded', noise: 0.1 });
    expect(optimisers.complete({ kind: 'momentum', rate: 2 } as never)).toEqual({
      kind: 'momentum',
      rate: 2,
      decay: 0.9,
    });
    expect(objectives.make({ kind: 'energy', layer: 'a' } as never)).toMatchObject({
      text: 'energy(a)',
      layers: ['a'],
    });
    expect(() => params.complete({ kind: 'bounded', noise: 11 } as never)).toThrow(/noise: a number from 0 to 10/);
  });

  it('the preset expands to its own settings', async () => {
    const { settle } = await from<typeof Recipes>('src/render/recipe.ts');
    expect(settle({ preset: 'soft' as never })).toMatchObject({
      size: { height: 128, width: 128 },
      steps: 64,
      transforms: [{ kind: 'roll', by: 4 }],
      optimiser: { kind: 'adam', rate: 0.05 },
    });
  });

  it('the operator has a value, and a gradient that central differences confirm', async () => {
    const { Builder, float32 } = await from<typeof Language>('src/ir/index.ts');
    const { checkGradient } = await from<typeof Check>('test/check.ts');
    const b = new Builder();
    const folded = b.one('Asinh', [b.constant(float32([0, 1, -2]))]).constant!;
    expect(folded.data).toEqual(Float32Array.from([0, 1, -2], Math.asinh));
    await checkGradient((builder, [x]) => builder.one('Asinh', [x]), [{ dims: [2, 3], low: -2, high: 2 }], {
      op: 'Asinh',
    });
  });

  it('the format opens its files, and says what is wrong with others', async () => {
    const { openNetwork } = await from<typeof Formats>('src/import/formats.ts');
    const { bytesSource } = await from<typeof Sources>('src/import/source.ts');
    const open = (text: string) => openNetwork(bytesSource('net.stack', new TextEncoder().encode(text)));
    const kernel = Array.from({ length: 2 * 3 * 3 * 3 }, (_, i) => i / 100);
    await using network = await open(JSON.stringify({ stack: [{ name: 'a', dims: [2, 3, 3, 3], kernel }] }));
    expect(network.layers({ height: 8, width: 8 }).layers).toMatchObject([
      { name: 'a', dims: [1, 2, 6, 6], channels: { axis: 1, count: 2 }, parameters: 54 },
    ]);
    const graph = await network.cut(['a'], { height: 8, width: 8 });
    expect(graph.outputs.map((o) => o.name)).toEqual(['a']);
    expect(network.layers({ height: 2, width: 2 })).toMatchObject({ layers: [], barrier: { code: 'shape' } });
    await expect(open('{"stack":[{"name":"a"')).rejects.toMatchObject({ code: 'bad-file' });
    await expect(open('{"stack":[{"name":"a","dims":[9,9,9,9],"kernel":[1]}]}')).rejects.toMatchObject({
      code: 'bad-file',
      message: 'net.stack: convolution 0 needs a name, four dims, and a number for each element of its kernel',
    });
  });

  it('the command prints its lines, and JSON', async () => {
    const { said } = await from<typeof Fake>('test/cli/fake.ts');
    expect(await said(['names', 'v2-mini'])).toEqual({ code: 0, stdout: 'resnet50v2-mini\n', stderr: '' });
    expect(JSON.parse((await said(['names', 'v2-mini', '--json'])).stdout)).toEqual({ models: ['resnet50v2-mini'] });
    expect((await said(['help'])).stdout).toMatch(/names +The names/);
  });

  it('the host runs jobs, on the runtime that counts', async () => {
    const { inlineHost } = await from<{ inlineHost: (runtime: Runtime) => Host }>('src/jobs/inline-host.ts');
    const { counted } = await from<{ counted: (r: Runtime, count: () => void) => Runtime }>('src/runtime/counted.ts');
    const { createPool } = await from<typeof Pools>('src/jobs/pool.ts');
    const { nodeRuntime } = await from<typeof Node>('src/runtime/node.ts');
    const { stepOf, valuesOf } = await from<typeof Steps>('src/render/step.ts');
    const { Builder, encodeOnnx, float32 } = await from<typeof Language>('src/ir/index.ts');
    const { objectives } = await from<typeof Objectives>('src/objective/index.ts');
    const { params } = await from<typeof Params>('src/param/index.ts');
    const { optimisers } = await from<typeof Optimisers>('src/optimiser/index.ts');
    const b = new Builder();
    const kernel = b.constant(
      float32(
        Array.from({ length: 27 }, (_, i) => Math.sin(i)),
        [1, 3, 3, 3],
      ),
    );
    const parts = {
      network: { graph: b.graph({ a: b.conv(b.input('image', 'float32', [1, 3, 8, 8]), kernel) }) },
      objective: objectives.make({ kind: 'channel', layer: 'a', border: 0 }),
      param: params.make({ kind: 'pixel' }),
      optimiser: optimisers.make({ kind: 'normalised' }),
    };
    const { graph, image, ...plan } = stepOf(parts);
    if (!('state' in image)) throw new Error('the picture of pixels is a state');
    let evaluations = 0;
    const pool = createPool(inlineHost(counted(nodeRuntime, () => evaluations++)));
    const seen: unknown[] = [];
    for await (const event of pool.submit(
      { ...plan, id: 'a', graph: encodeOnnx(graph), image },
      { values: valuesOf(parts), key: '0', steps: 3 },
    ))
      if (event.type === 'done') seen.push(event.ascent.losses.length);
    await pool.close();
    expect([seen, evaluations]).toEqual([[3], 3]);
  });
});
