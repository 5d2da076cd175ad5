/**
 * @file `npm run bench [-- --weights FILE --python PYTHON --rounds N]`: the seed with all cores, as ratios within this one run.
 * Ours, the floor, and (with --python, an interpreter that has bench/peers/requirements.txt) Keras as the example writes it, in
 * alternation. Nothing else should compute meanwhile.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { open, render } from '../dist/node.js';
import { channelMean, nodeRuntime, stepGraph } from '../dist/node.js';

const { values: options } = parseArgs({
  options: { weights: { type: 'string' }, python: { type: 'string' }, rounds: { type: 'string', default: '3' } },
});
const rounds = Number(options.rounds);
const cores = availableParallelism();
const layer = 'conv3_block4_out';
const size = { height: 180, width: 180 };
const name = options.weights ? 'resnet50v2' : 'resnet50v2-mini';
const root = fileURLToPath(new URL('..', import.meta.url));
const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const report = (what, value, unit = '') => console.log(`${what.padEnd(58)}${value}${unit ? ` ${unit}` : ''}`);

const model = await open(name, { weights: options.weights });
const network = model.cut(layer, size);

/** Milliseconds an image-step with `workers` workers, compiling not counted. */
async function ours(workers, channels) {
  let begun = 0;
  const list = Array.from({ length: channels }, (_, i) => i);
  for await (const event of render(model, { layer, channels: list, workers }))
    if (event.type === 'ready') begun = performance.now();
  return (performance.now() - begun) / (channels * 30);
}

/** Convolutions of the network with how often each shape occurs. */
function convolutions() {
  const dims = new Map([
    ['image', [1, 3, size.height, size.width]],
    ...model.layers(size).map((l) => [l.name, l.dims]),
  ]);
  const found = new Map();
  for (const node of network.nodes) {
    if (node.op !== 'Conv') continue;
    const input = dims.get(node.inputs[0]);
    const weights = network.constants.get(node.inputs[1]).dims;
    const out = dims.get(node.outputs[0]);
    const strided = node.attributes.strides.some((s) => s > 1);
    // Padding layers stand before the 3×3 convolutions here; in the step they are part of them.
    const padded = node.attributes.pads ?? [0, 0, 0, 0];
    const key = JSON.stringify({ dims: input, weights, pads: padded, out, strided });
    found.set(key, (found.get(key) ?? 0) + 1);
  }
  return [...found].map(([key, count]) => ({ ...JSON.parse(key), count }));
}

function floor() {
  const list = convolutions();
  return Promise.all(
    Array.from(
      { length: cores },
      () =>
        new Promise((resolve, reject) => {
          const worker = new Worker(new URL('./floor.js', import.meta.url), {
            workerData: { convolutions: list, seconds: 3 },
          });
          worker.on('message', resolve);
          worker.on('error', reject);
        }),
    ),
  ).then((all) => ({ ms: median(all.map((r) => r.ms)) / cores, gflops: all.reduce((sum, r) => sum + r.gflops, 0) }));
}

/** A peer that answers one JSON line for each that it is sent. */
function peer(script) {
  const child = spawn(options.python, [script, 'serve', '--weights', options.weights], {
    cwd: join(root, 'bench', 'peers'),
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await lines.next()).value);
  const ask = (request) => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return next();
  };
  return { ready: next(), ask, end: () => child.stdin.end() };
}

/** Seconds of the whole command, to its first picture, and the peak memory of its process, from outside. */
function command(filters) {
  return new Promise((resolve) => {
    const out = mkdtempSync(join(tmpdir(), 'phosphene-bench-'));
    const begun = performance.now();
    let first = 0;
    const args = [
      'dist/cli/main.js',
      'render',
      name,
      ...(options.weights ? ['--weights', options.weights] : []),
      '--filters',
      filters,
      '--out',
      out,
      '--json',
    ];
    const child = spawn('/usr/bin/env', ['bash', '-c', 'exec "$@"', 'bash', process.execPath, ...args], { cwd: root });
    child.stdout.on('data', (data) => {
      if (first === 0 && String(data).includes('"picture"')) first = performance.now() - begun;
    });
    child.on('close', () => {
      rmSync(out, { recursive: true });
      resolve({ seconds: (performance.now() - begun) / 1000, first: first / 1000 });
    });
  });
}

console.log(`${name} ${layer}, ${size.width} px, ${cores} cores, ${rounds} rounds\n`);
const begun = performance.now();
const graph = stepGraph(network, { objective: channelMean(2) });
const built = performance.now();
const before = process.memoryUsage().rss;
const program = await nodeRuntime.compile(graph);
report('build the step graph', (built - begun).toFixed(0), 'ms');
report('compile it', (performance.now() - built).toFixed(0), 'ms');
report('memory of one compiled program', ((process.memoryUsage().rss - before) / 1e6).toFixed(0), 'MB');
await program.dispose();

const keras = options.python && options.weights ? peer('keras_seed.py') : undefined;
await keras?.ready;
await keras?.ask({ cmd: 'steps', filter: 7, steps: 5 });
const times = { all: [], one: [], floor: [], keras: [] };
let gflops = 0;
for (let round = 0; round < rounds; round++) {
  times.all.push(await ours(cores, 4 * cores));
  const f = await floor();
  times.floor.push(f.ms);
  gflops = f.gflops;
  if (keras) {
    const { seconds, traces } = await keras.ask({ cmd: 'steps', filter: 7, steps: 60 });
    if (traces === 0) times.keras.push((1000 * seconds) / 60);
  }
  times.one.push(await ours(1, 2));
}
keras?.end();
const all = median(times.all);
report('ours, all cores', all.toFixed(2), `ms an image-step (${(1000 / all).toFixed(1)} image-steps/s)`);
report('ours, one worker', median(times.one).toFixed(2), 'ms an image-step');
report('parallel efficiency', (median(times.one) / (cores * all)).toFixed(2));
report('floor, all cores', median(times.floor).toFixed(2), `ms (${gflops.toFixed(0)} GFLOP/s)`);
report('ours / floor', (all / median(times.floor)).toFixed(2));
if (times.keras.length > 0) {
  report('Keras, warm, tracing not counted', median(times.keras).toFixed(2), 'ms an image-step');
  report('Keras / ours', (median(times.keras) / all).toFixed(2));
}
const run = await command('0-63');
report('the whole command, 64 filters', run.seconds.toFixed(1), 's');
report('from its start to the first picture', run.first.toFixed(1), 's');
