/** @file Code from docstrings and pages, made into modules that the compiler checks and Node runs, each as a user of the package has it. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { fileURLToPath } from 'node:url';
import { entries } from './declarations.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** A piece of code and where it stands. */
export interface Snippet {
  /** For messages. */
  readonly place: string;
  readonly code: string;
  /** It needs nothing that is only described, whatever its words look like: it is run. */
  readonly alone?: true;
}

/** What came of a snippet. */
export interface Outcome {
  readonly place: string;
  /** What the compiler says; empty if all is well. */
  readonly complaints: readonly string[];
  /** Whether it was run: it needs nothing that is only described. */
  readonly ran: boolean;
  /** How it ended if it was run and failed. */
  readonly failure?: string;
}

/** What docstrings speak of without making it. */
const described: Readonly<Record<string, string>> = {
  network: 'Network',
  graph: 'Graph',
  outline: 'Graph',
  data: 'Uint8Array',
  error: 'PhospheneError',
  weights: 'Tensor',
  bytes: 'Uint8Array<ArrayBuffer>',
  pool: 'Pool',
  engine: 'Engine',
  settled: 'Settled',
  facts: 'TargetFacts',
  program: 'Program & StepData',
  job: 'Job',
  step: 'StepData',
  recipe: 'Recipe',
  compiled: 'CompiledStep',
  parts: 'StepParts',
  s: 'StepBuilder',
  b: 'Builder',
  z: 'Value & Tensor',
  g: 'Value',
  x: 'Value',
  loss: 'Value',
  rows: 'Value',
  h: 'number',
  rate: 'Value',
  seed: 'number',
  size: 'Size',
  values: 'Tensors',
  tiles: 'readonly Raster[]',
  tile: 'Raster',
  image: 'Float32Array',
  start: 'Float32Array',
  photo: 'Photo',
  before: "Tensor<'float32'>",
  after: "Tensor<'float32'>",
  photos: "readonly Tensor<'float32'>[]",
  pixels: "Tensor<'float32'>",
  file: 'File',
  studio: 'Studio',
  makeWorker: '() => WebWorker',
  settings: 'DreamSettings',
  expected: 'Expected',
  losses: 'readonly number[]',
  plan: 'Plan',
  frames: 'readonly Raster[]',
  dreamed: 'DreamRecipe',
  layer: 'string',
  channel: 'number',
  channels: 'readonly number[]',
  show: '(picture: Raster | Tensor) => void',
  post: "Port['post']",
  receive: "Port['receive']",
  close: "Port['close']",
  writeFile: "(typeof import('node:fs/promises'))['writeFile']",
  readFile: "(typeof import('node:fs/promises'))['readFile']",
  Worker: 'new (script: URL, options: { readonly type: string }) => WebWorker',
};
/** Needs a file, a page, or the network. */
const FOREIGN = /\.h5'|'out'|net\.onnx|wasmPaths|webHost|signal|'imagenet'|\.jpg'|'photos'/;

/** Checks and runs snippets. `name` is that of a folder of their own. */
export function tried(name: string, snippets: readonly Snippet[]): readonly Outcome[] {
  const folder = join(root, 'test/docs/.snippets', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const modules = snippets.map(moduleOf);
  modules.forEach(({ text }, i) => writeFileSync(join(folder, `${i}.mts`), text));
  const options = {
    noEmit: false,
    outDir: 'out',
    rootDir: '.',
    noUnusedLocals: false,
    allowImportingTsExtensions: false,
  };
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../../../tsconfig.json', compilerOptions: options, include: ['*.mts'] }),
  );
  const tsc = spawnSync(
    process.execPath,
    [join(root, 'node_modules/typescript/bin/tsc'), '-p', folder, '--pretty', 'false'],
    {
      cwd: folder,
      encoding: 'utf8',
    },
  );
  const complaints = snippets.map((_, i) => tsc.stdout.split('\n').filter((line) => line.startsWith(`${i}.mts(`)));
  if (tsc.status !== 0 && complaints.every((c) => c.length === 0)) throw new Error(`tsc: ${tsc.stdout}${tsc.stderr}`);
  const runnable = modules.flatMap(({ alone }, i) => (alone && complaints[i]!.length === 0 ? [i] : []));
  writeFileSync(join(folder, 'run.mjs'), RUN);
  const node = spawnSync(process.execPath, [join(folder, 'run.mjs'), JSON.stringify(runnable)], {
    cwd: folder,
    encoding: 'utf8',
  });
  const failures = new Map<number, string>(
    node.status === 0
      ? (JSON.parse(node.stdout.split('\n').at(-2)!) as [number, string][])
      : [[runnable[0] ?? 0, node.stderr]],
  );
  return snippets.map(({ place }, i) => ({
    place,
    complaints: complaints[i]!,
    ran: runnable.includes(i),
    ...(failures.has(i) ? { failure: failures.get(i)! } : {}),
  }));
}

const RUN = `
const failures = [];
for (const i of JSON.parse(process.argv[2]))
  try { await (await import('./out/' + i + '.mjs')).snippet(); } catch (error) { failures.push([i, String(error?.stack ?? error)]); }
console.log(JSON.stringify(failures));
process.exit(0);
`;

/** Where each name is exported first. */
const exported = new Map<string, { readonly entry: string; readonly isType: boolean }>();
for (const entry of ['phosphene/node', 'phosphene/web', 'phosphene/ir', 'phosphene/grad'])
  for (const [name, { kind }] of entries().get(entry)!)
    if (!exported.has(name)) exported.set(name, { entry, isType: kind === 'interface' || kind === 'type' });

function moduleOf({ code, alone }: Snippet): { readonly text: string; readonly alone: boolean } {
  const imports: string[] = [];
  const body = code
    .replace(/^import (?:[^;]*?from )?'[^']+';\n?/gm, (line) => {
      imports.push(line.trim());
      return '';
    })
    .replace(/^export (?=const|function|async|class)/gm, '');
  const own = new Set([
    ...[...imports.join('\n').matchAll(/\b(\w+)\b/g)].map(([, name]) => name!),
    ...[...body.matchAll(/\b(?:const|let|function|class) (\w+)/g)].map(([, name]) => name!),
    ...[...body.matchAll(/\b(?:const|let) [{[]([^}\]=]*)[}\]] =/g)].flatMap(([, list]) =>
      list!.split(',').map((entry) => entry.split(':').at(-1)!.trim()),
    ),
  ]);
  const words = (text: string): ReadonlySet<string> =>
    new Set(
      [...text.replace(/'[^'\n]*'|\/\/.*/g, '').matchAll(/(?<!\w|(?<!\.\.)\.)([A-Za-z_]\w*)\b(?!\s*:(?!:))/g)].map(
        ([, w]) => w!,
      ),
    );
  const free = [...words(body)].filter(
    (word) => !own.has(word) && Object.hasOwn(described, word) && !exported.has(word),
  );
  const declared = free.map((word) => `declare const ${word}: ${described[word]};`);
  const needed = [...words(`${body}\n${declared.join('\n').replace(/declare const \w+:/g, '')}`)].filter(
    (word) => !own.has(word) && exported.has(word),
  );
  const lines = needed.map((word) => {
    const { entry, isType } = exported.get(word)!;
    return `import ${isType ? 'type ' : ''}{ ${word} } from '${entry}';`;
  });
  const text = [
    "import { deepStrictEqual, throws } from 'node:assert';",
    ...imports,
    ...lines,
    ...declared,
    'export async function snippet() {',
    body.split('\n').map(asserted).join('\n'),
    '}',
    'void [deepStrictEqual, throws];',
    '',
  ].join('\n');
  return { text, alone: alone ?? (free.length === 0 && !FOREIGN.test(code)) };
}

/** `7 + 1; // 8` becomes an assertion, and so does `f(); // throws: bad`. */
function asserted(line: string): string {
  const [, expression, said] = /^((?!const |let |return |await |for |if )\S.*[^;\s]); \/\/ (.+)$/.exec(line) ?? [];
  if (expression === undefined || said === undefined) return line;
  const message = /^throws: (.+)$/.exec(said)?.[1];
  if (message) return `throws(() => ${expression}, (error: Error) => error.message === ${JSON.stringify(message)});`;
  try {
    // Whether what the comment says is a value.
    runInNewContext(`(${said})`);
  } catch {
    return line;
  }
  return `deepStrictEqual((${expression}) as unknown, ${said});`;
}
