/** @file The fuzzer: many hostile inputs, none of which may end in anything but success or a clear error. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { kinds } from './kinds.ts';
import { type Outcome, Worker } from './pool.ts';

const { values: options } = parseArgs({
  options: {
    kind: { type: 'string', multiple: true, default: Object.keys(kinds).filter((kind) => kinds[kind]!.count > 0) },
    count: { type: 'string' },
    from: { type: 'string', default: '0' },
    only: { type: 'string' },
    workers: { type: 'string', default: String(Math.min(4, availableParallelism())) },
    seconds: { type: 'string', default: '10' },
    megabytes: { type: 'string', default: '2048' },
    out: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) {
  console.log(`npm run fuzz -- [OPTIONS]

  --kind KIND      ${Object.keys(kinds).join(', ')} (all of them; may be given several times)
  --count N        cases of each kind (${Object.entries(kinds)
    .map(([name, { count }]) => `${count} ${name}`)
    .join(', ')})
  --from SEED      the first seed (0)
  --only SEED      this one alone, with its stack; \`onnx/123\` names the kind as well
  --workers N      child processes (${options.workers})
  --seconds S      time for one case (10)
  --megabytes M    memory for a child (2048)
  --out FOLDER     where findings are kept (a folder of the system's for temporary files)
  --verbose        one line a case`);
  process.exit(0);
}

/** Findings of one cause: the first of them is kept. */
interface Group {
  readonly kind: string;
  readonly key: string;
  readonly seeds: number[];
  readonly first: Extract<Outcome, { type: 'finding' }>;
  readonly title: string;
}

const scratch = mkdtempSync(join(tmpdir(), 'phosphene-fuzz-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));
process.on('SIGINT', () => process.exit(130));
const limits = { milliseconds: Number(options.seconds) * 1000, bytes: Number(options.megabytes) * 2 ** 20 };
let out = options.out;
const groups = new Map<string, Group>();
const outcomes = new Map<string, number>();
let cases = 0;

/** The same cause gives the same key: numbers and names in a message are those of the file. */
function keyOf(kind: string, { sort, message, stack }: Group['first']): string {
  const place = stack?.split('\n').find((line) => line.includes('/src/'));
  const at = place && /at (?:async )?(.*?) ?\(?(?:file:.*)?\/src\/([^:]+)/.exec(place);
  const text = message
    .split('\n')[0]!
    .replaceAll(/[`'"][^`'"]*[`'"]/g, '…')
    .replaceAll(/-?\d[\d.e+]*/g, '#')
    .slice(0, 200);
  return `${kind} · ${sort} · ${text}${at ? ` · ${at[1] || '?'} in src/${at[2]!.replace(/\.js$/, '.ts')}` : ''}`;
}

async function take(worker: Worker, kind: string, seed: number): Promise<void> {
  const outcome = await worker.run(kind, seed);
  cases++;
  if (options.verbose) console.log(`${kind}/${seed}: ${JSON.stringify(outcome)}`);
  const label = `${kind} ${outcome.type === 'fine' ? outcome.outcome : outcome.sort}`;
  outcomes.set(label, (outcomes.get(label) ?? 0) + 1);
  if (outcome.type === 'fine') return;
  const key = keyOf(kind, outcome);
  const group = groups.get(key);
  group?.seeds.push(seed);
  if (group && group.seeds.length > 10) return;
  const { title, file } = await kinds[kind]!.make(seed);
  out ??= mkdtempSync(join(tmpdir(), 'phosphene-findings-'));
  mkdirSync(out, { recursive: true });
  if (file) writeFileSync(join(out, `${kind}-${seed}.${file.extension}`), file.bytes);
  writeFileSync(join(out, `${kind}-${seed}.txt`), `${title}\n${outcome.sort}\n${outcome.stack ?? outcome.message}\n`);
  if (group) return;
  groups.set(key, { kind, key, seeds: [seed], first: outcome, title });
  console.log(`FOUND ${key}\n      ${title}; npm run fuzz -- --only ${kind}/${seed}`);
}

async function all(): Promise<void> {
  const work = Object.entries(kinds)
    .filter(([kind]) => options.kind.includes(kind))
    .flatMap(([kind, { count }]) =>
      Array.from({ length: Number(options.count ?? count) }, (_, i) => ({ kind, seed: Number(options.from) + i })),
    );
  const started = performance.now();
  let next = 0;
  let told = started;
  await Promise.all(
    Array.from({ length: Number(options.workers) }, async (_, i) => {
      const worker = new Worker(join(scratch, String(i)), limits);
      try {
        for (;;) {
          const item = work[next++];
          if (!item) return;
          await take(worker, item.kind, item.seed);
          if (performance.now() - told > 30_000) {
            told = performance.now();
            console.log(
              `${cases} of ${work.length}, ${groups.size} findings, ${Math.round((told - started) / 1000)} s`,
            );
          }
        }
      } finally {
        worker.close();
      }
    }),
  );
}

async function one(only: string): Promise<void> {
  const [kind, seed] = only.includes('/') ? only.split('/') : [options.kind[0], only];
  const made = await kinds[kind!]!.make(Number(seed));
  console.log(`${kind}/${seed}: ${made.title}`);
  if (made.file) {
    out ??= mkdtempSync(join(tmpdir(), 'phosphene-findings-'));
    const path = join(out, `${kind}-${seed}.${made.file.extension}`);
    mkdirSync(out, { recursive: true });
    writeFileSync(path, made.file.bytes);
    console.log(path);
  }
  const worker = new Worker(join(scratch, 'only'), limits);
  const outcome = await worker.run(kind!, Number(seed));
  worker.close();
  cases++;
  if (outcome.type === 'fine') return console.log(`${outcome.outcome}${outcome.message ? `: ${outcome.message}` : ''}`);
  groups.set('only', { kind: kind!, key: 'only', seeds: [Number(seed)], first: outcome, title: made.title });
  console.log(`${outcome.sort}: ${outcome.stack ?? outcome.message}`);
}

const unknown = options.kind.find((kind) => !kinds[kind]);
if (unknown !== undefined) throw new Error(`no kind \`${unknown}\`; there are ${Object.keys(kinds).join(', ')}`);
await (options.only === undefined ? all() : one(options.only));
if (options.only === undefined) {
  for (const [label, count] of [...outcomes].sort(([a], [b]) => a.localeCompare(b))) console.log(`${label}: ${count}`);
  for (const { key, seeds } of [...groups.values()].sort((a, b) => b.seeds.length - a.seeds.length))
    console.log(`${seeds.length} × ${key}  (${seeds.slice(0, 5).join(', ')})`);
}
if (out && groups.size > 0) console.log(`kept in ${out}`);
console.log(`${cases} cases, ${groups.size} ${groups.size === 1 ? 'finding' : 'findings'}`);
process.exitCode = groups.size === 0 ? 0 : 1;
