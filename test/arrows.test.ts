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
/** What npm installs with ours, and what is part of the bundle: the table names each. */
const packages = [
  ...Object.keys({ ...manifest['optionalDependencies'], ...manifest['peerDependencies'] }),
  ...new Set([...table.values()].flatMap((row) => row.packages).filter((name) => name !== 'node:*')),
];
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
    ...folders.map((other) => probe(`${stem}.ts`, `src/${other}/any.ts`, other === folder || may.includes(other))),
    ...['errors', 'random', 'settings', 'noun', 'inflate'].map((name) => probe(`${stem}.ts`, `src/${name}.ts`, true)),
    ...ofNode.flatMap((target) => {
      const into = folders.find((f) => target.startsWith(`src/${f}/`));
      // What is beside it is its own affair, but no core file may need Node.
      const allowed =
        isOfNode && (into === undefined ? target !== 'src/node.ts' || folder === 'cli' : may.includes(into));
      return into === folder ? [] : [probe(`${stem}.ts`, target, allowed)];
    }),
    probe(`${stem}.ts`, 'src/index.ts', false),
    { file: `${stem}.ts`, from: 'node:fs', allowed: isOfNode },
    ...packages.map((name) => ({ file: `${stem}.ts`, from: name, allowed: own.includes(name) })),
  ]);
});

/** The files beside the folders: what is for all stands on nothing, and each entry of the package imports for its platform only. */
const beside: readonly Probe[] = [
  ...['src/errors.ts', 'src/settings.ts', 'src/random.ts'].flatMap((file) => [
    ...[...folders.map((f) => `src/${f}/any.ts`), 'src/node.ts', 'src/web.ts', 'src/index.ts', 'src/folder.ts'].map(
      (to) => probe(file, to, false),
    ),
    { file, from: 'node:fs', allowed: false },
    { file, from: 'fflate', allowed: false },
  ]),
  probe('src/inflate.ts', 'src/ir/any.ts', false),
  { file: 'src/inflate.ts', from: 'fflate', allowed: true },
  probe('src/folder.ts', 'src/runs/any.ts', false),
  { file: 'src/folder.ts', from: 'node:fs', allowed: true },
  ...['src/index.ts', 'src/web.ts'].flatMap((file) => [
    ...['hub', 'runs', 'cli'].map((f) => probe(file, `src/${f}/any.ts`, false)),
    ...ofNode.map((to) => probe(file, to, false)),
    ...['ir', 'jobs', 'render', 'output'].map((f) => probe(file, `src/${f}/any.ts`, true)),
  ]),
  probe('src/index.ts', 'src/runtime/web.ts', false),
  probe('src/web.ts', 'src/runtime/web.ts', true),
  probe('src/node.ts', 'src/cli/any.ts', false),
  ...['hub', 'runs', 'jobs'].map((f) => probe('src/node.ts', `src/${f}/any.ts`, true)),
  { file: 'src/runtime/node.ts', from: 'onnxruntime-node', allowed: true },
  { file: 'src/runtime/node.ts', from: 'onnxruntime-web', allowed: false },
  { file: 'src/runtime/web.ts', from: 'onnxruntime-web/wasm', allowed: true },
  { file: 'src/runtime/web.ts', from: 'onnxruntime-node', allowed: false },
  { file: 'src/runtime/web.ts', from: 'node:fs', allowed: false },
  { file: 'src/jobs/node-host.ts', from: 'node:worker_threads', allowed: true },
  { file: 'src/jobs/web-host.ts', from: 'node:worker_threads', allowed: false },
  probe('src/jobs/node-worker.ts', 'src/runtime/node.ts', true),
  probe('src/jobs/serve.ts', 'src/runtime/node.ts', false),
  probe('src/jobs/serve.ts', 'src/jobs/node-host.ts', false),
  probe('src/jobs/web-worker.ts', 'src/runtime/node.ts', false),
];

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
  // An import is a line of its file, and is found by both.
  const lines = new Map<string, Probe[]>();
  for (const p of [...probes, ...beside]) lines.set(p.file, [...(lines.get(p.file) ?? []), p]);
  for (const [file, imports] of lines) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), imports.map(({ from }) => `export * from '${from}';\n`).join(''));
  }
  const oxlint = join(root, 'node_modules/oxlint/bin/oxlint');
  const { stdout } = spawnSync(process.execPath, [oxlint, '-f', 'json', 'src'], { cwd: folder, encoding: 'utf8' });
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { code: string; filename: string; labels: { span: { line: number } }[] }[];
  };
  const noticed = new Set(
    diagnostics
      .filter((d) => d.code.includes('no-restricted-imports'))
      .map((d) => lines.get(d.filename.replaceAll('\\', '/'))![d.labels[0]!.span.line - 1]),
  );
  const say = ({ file, from }: Probe): string => `${file}: ${from}`;
  const all = [...lines.values()].flat();
  expect(all.filter((p) => !p.allowed && !noticed.has(p)).map(say)).toEqual([]);
  expect(all.filter((p) => p.allowed && noticed.has(p)).map(say)).toEqual([]);
});
