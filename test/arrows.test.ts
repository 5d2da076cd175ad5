/** @file Imports go one way: the table in docs/architecture.md says which, and the linter notices every other. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { temporary } from './cli/command.ts';

const root = fileURLToPath(new URL('../', import.meta.url));

/** The rows of the page's table: each folder, what of `src` it may import, and which packages. */
const table = new Map(
  [
    ...readFileSync(join(root, 'docs/architecture.md'), 'utf8').matchAll(
      /^\| `src\/(\w+)` \|[^|]*\|([^|]*)\|([^|]*)\|$/gm,
    ),
  ].map(([, folder, may, packages]) => [folder!, { may: words(may!), packages: words(packages!) }]),
);

function words(cell: string): readonly string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word!);
}

const folders = readdirSync(join(root, 'src'), { withFileTypes: true }).flatMap((f) =>
  f.isDirectory() ? [f.name] : [],
);
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Record<string, Record<string, string>>;
const packages = Object.keys({
  ...manifest['dependencies'],
  ...manifest['optionalDependencies'],
  ...manifest['peerDependencies'],
});
/** Files that only Node has a use for. */
const ofNode = ['src/node.ts', 'src/folder.ts', 'src/filesystem.ts', 'src/runtime/node.ts', 'src/jobs/node-host.ts'];

/** One import in a file of its own. */
interface Probe {
  readonly file: string;
  readonly from: string;
  readonly allowed: boolean;
}

function probe(file: string, target: string, allowed: boolean): Probe {
  const path = relative(dirname(file), target);
  return { file, from: path.startsWith('.') ? path : `./${path}`, allowed };
}

const probes: readonly Probe[] = folders.flatMap((folder) => {
  const { may, packages: own } = table.get(folder) ?? { may: [], packages: [] };
  const isOfNode = own.includes('node:*');
  return [`src/${folder}/probe`, `src/${folder}/deeper/probe`].flatMap((stem) => [
    ...folders.map((other, i) =>
      probe(`${stem}-${i}.ts`, `src/${other}/any.ts`, other === folder || may.includes(other)),
    ),
    ...['errors', 'random', 'settings', 'noun', 'inflate'].map((name) =>
      probe(`${stem}-${name}.ts`, `src/${name}.ts`, true),
    ),
    ...ofNode.flatMap((target, i) => {
      const into = folders.find((f) => target.startsWith(`src/${f}/`));
      // What is beside it is its own affair, but no core file may need Node.
      const allowed =
        isOfNode && (into === undefined ? target !== 'src/node.ts' || folder === 'cli' : may.includes(into));
      return into === folder ? [] : [probe(`${stem}-node-only-${i}.ts`, target, allowed)];
    }),
    probe(`${stem}-index.ts`, 'src/index.ts', false),
    { file: `${stem}-fs.ts`, from: 'node:fs', allowed: isOfNode },
    ...packages.map((name, i) => ({ file: `${stem}-package-${i}.ts`, from: name, allowed: own.includes(name) })),
  ]);
});

it('has a row for every folder, and no other', () => {
  expect([...table.keys()].sort()).toEqual([...folders].sort());
});

it('goes downwards: no folder may import one that stands below it in the table', () => {
  const order = [...table.keys()];
  const upwards = order.flatMap((folder, i) => table.get(folder)!.may.filter((m) => order.indexOf(m) >= i));
  expect(upwards).toEqual([]);
});

it('is held by the linter, import by import', { timeout: 60_000 }, () => {
  const folder = temporary();
  copyFileSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
  for (const { file, from } of probes) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `export { any } from '${from}';\n`);
  }
  const oxlint = join(root, 'node_modules/oxlint/bin/oxlint');
  const { stdout } = spawnSync(process.execPath, [oxlint, '-f', 'json', 'src'], { cwd: folder, encoding: 'utf8' });
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { code: string; filename: string }[] };
  const noticed = new Set(
    diagnostics.filter((d) => d.code.includes('no-restricted-imports')).map((d) => d.filename.replaceAll('\\', '/')),
  );
  const say = ({ file, from }: Probe): string => `${dirname(file)}: ${from}`;
  expect(probes.filter((p) => !p.allowed && !noticed.has(p.file)).map(say)).toEqual([]);
  expect(probes.filter((p) => p.allowed && noticed.has(p.file)).map(say)).toEqual([]);
});
