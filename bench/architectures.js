/**
 * @file Ten architectures as PyTorch exports them: what it takes to open and compile each, and a step, as a ratio to PyTorch's forward and
 * backward in the same run.
 *
 *     npm run build && node bench/architectures.js --python PYTHON [--steps 8] [--rounds 5] [--only WORD] [--json]
 */
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ascend, objectives, optimisers, params, stepOf, valuesOf } from '../dist/index.js';
import { openModel } from '../dist/hub/open.js';
import { nodeRuntime } from '../dist/runtime/node.js';
import { withFolder } from './command.js';
import { machine, warnUnlessQuiet } from './machine.js';

const { values: given } = parseArgs({
  options: {
    python: { type: 'string', default: process.env['PHOSPHENE_PYTHON'] ?? 'python3' },
    steps: { type: 'string', default: '8' },
    rounds: { type: 'string', default: '5' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});
const [steps, rounds] = [Number(given.steps), Number(given.rounds)];
const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
const seconds = async (f) => {
  const begun = performance.now();
  const result = await f();
  return [result, (performance.now() - begun) / 1000];
};

/** PyTorch, warm in a process of its own. */
async function startTorch(folder) {
  const script = fileURLToPath(new URL('peers/architectures.py', import.meta.url));
  const child = spawn(given.python, [script, folder], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value } = await lines.next();
    if (value === undefined) throw new Error('PyTorch ended');
    return JSON.parse(value);
  };
  return {
    ready: await next(),
    async step(name, count) {
      child.stdin.write(`${JSON.stringify({ name, steps: count })}\n`);
      return (await next()).seconds / count;
    },
    end: () => child.stdin.end(),
  };
}

/** A network of ours, opened, differentiated and compiled, each timed. */
async function start(file, { size, border }) {
  const picture = { height: size, width: size };
  const [network, open] = await seconds(() => openModel(file, { preprocess: 'tf' }));
  const [parts, gradient] = await seconds(async () => {
    const graph = await network.cut(['target'], picture);
    const made = {
      network: { graph },
      objective: objectives.make({ kind: 'channel', layer: 'target', border }),
      param: params.make({ kind: 'pixel' }),
      optimiser: optimisers.make({ kind: 'normalised' }),
    };
    return { made, step: stepOf(made) };
  });
  const { made, step } = parts;
  const [program, compile] = await seconds(() => nodeRuntime.compile(step.graph));
  const image = 'state' in step.image ? step.image : await nodeRuntime.compile(step.image);
  await network.close();
  return {
    times: { open, gradient, compile },
    async step(count) {
      // What begins and ends an ascent is not a step.
      const going = ascend({ ...step, program, image }, { values: valuesOf(made), key: 'bench', steps: count });
      const [, taken] = await seconds(async () => {
        for (let next = await going.next(); !next.done; next = await going.next());
      });
      return taken / count;
    },
    dispose: () => program.dispose(),
  };
}

const here = machine();
warnUnlessQuiet(here);
await withFolder(async (folder) => {
  const torch = await startTorch(folder);
  const rows = [];
  for (const [name, layer] of Object.entries(torch.ready.layers).filter(([name]) => name.includes(given.only))) {
    const file = join(folder, `${name}.onnx`);
    const ours = await start(file, torch.ready);
    await ours.step(2);
    await torch.step(name, 2);
    // One after the other, so that both meet the same machine.
    const pairs = [];
    for (let round = 0; round < rounds; round++) pairs.push([await ours.step(steps), await torch.step(name, steps)]);
    await ours.dispose();
    const row = {
      name,
      layer,
      megabytes: statSync(file).size / 1e6,
      ...ours.times,
      step: median(pairs.map(([mine]) => mine)),
      torch: median(pairs.map(([, theirs]) => theirs)),
      ratio: median(pairs.map(([mine, theirs]) => mine / theirs)),
    };
    rows.push(row);
    if (!given.json) {
      const ms = (value) => `${(1000 * value).toFixed(0)} ms`;
      console.log(
        `${name} to ${layer}: open ${ms(row.open)}, gradient ${ms(row.gradient)}, compile ${ms(row.compile)}; a step ${ms(row.step)}, PyTorch's ${ms(row.torch)}, ratio ${row.ratio.toFixed(2)}`,
      );
    }
  }
  torch.end();
  if (given.json)
    console.log(JSON.stringify({ machine: here, torch: torch.ready.torch, steps, rounds, rows }, null, 2));
});
