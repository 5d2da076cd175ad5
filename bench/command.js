/** @file Processes that are measured from outside, as a user lives them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { layer, nameOf } from './seed.js';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

/** Runs a program to its end. `onOutput` gets what it writes, as it comes; a second pipe, descriptor 3, is returned whole. */
export async function runToEnd(program, args, onOutput = () => {}) {
  const begun = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
  child.stdout.setEncoding('utf8').on('data', (data) => onOutput(data, (performance.now() - begun) / 1000));
  const [[code], complaint, aside] = await Promise.all([
    once(child, 'close'),
    text(child.stderr),
    text(child.stdio[3]),
  ]);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${complaint.slice(-2000)}`);
  return { seconds: (performance.now() - begun) / 1000, aside };
}

/** Calls `use` with a folder that is gone afterwards. */
export async function withFolder(use) {
  const folder = mkdtempSync(join(tmpdir(), 'phosphene-bench-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * Our command on the first `filters` filters, one of the seed's unless `args` say otherwise: seconds in all and from its start to
 * the first picture, and its peak of memory in bytes.
 */
export function command({ weights, model = nameOf(weights), filters, workers, args = [] }) {
  return withFolder(async (out) => {
    const files = [`--out=${out}`, ...(weights ? [`--weights=${weights}`] : [])];
    const what = [model, `--layer=${layer}`, `--filters=0-${filters - 1}`, `--workers=${workers}`, ...args];
    let first;
    const { seconds, aside } = await runToEnd(
      process.execPath,
      [
        `--import=${new URL('peak.js', import.meta.url)}`,
        path('../dist/bundle/main.js'),
        'render',
        ...what,
        ...files,
        '--json',
      ],
      (data, at) => {
        if (data.includes('"picture"')) first ??= at;
      },
    );
    return { seconds, first, peak: Number(aside) };
  });
}

/** Peaks of the command's memory in MB with one worker and with many: what each needs, and what is there besides. */
export async function memory({ workers, ...options }) {
  // Two filters each: ONNX Runtime plans its memory in the first step, and a second filter comes on top of what the first left.
  const peak = async (count) => (await command({ ...options, filters: 2 * count, workers: count })).peak / 1e6;
  const alone = await peak(1);
  const worker = ((await peak(workers)) - alone) / (workers - 1);
  return { worker, base: alone - worker };
}

/** Milliseconds of reading, building and compiling in a process that has done nothing yet. */
export async function build(weights) {
  let line = '';
  await runToEnd(process.execPath, [path('build.js'), ...(weights ? [weights] : [])], (data) => (line += data));
  return JSON.parse(line);
}
