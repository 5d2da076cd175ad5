/** @file The peers: other engines on the same weights, each held warm in a process that answers one JSON line for each it is sent. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runToEnd, withFolder } from './command.js';
import { filters as sheet } from './seed.js';

const path = (script) => fileURLToPath(new URL(`peers/${script}`, import.meta.url));

export const peers = [
  { key: 'keras', name: 'Keras', command: ['keras_seed.py'] },
  { key: 'torchFirst', name: 'PyTorch, channels first', command: ['torch_seed.py', '--layout', 'channels_first'] },
  { key: 'torchLast', name: 'PyTorch, channels last', command: ['torch_seed.py', '--layout', 'channels_last'] },
];

/** Starts a peer and warms it up. */
export async function startPeer(python, { key, name, command }, weights) {
  const [script, ...args] = command;
  const child = spawn(python, [path(script), 'serve', '--weights', weights, ...args]);
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (data) => (complaint = (complaint + data).slice(-2000)));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value } = await lines.next();
    const reply = value === undefined ? { error: `it ended: ${complaint}` } : JSON.parse(value);
    if (reply.error) throw new Error(`${name}: ${reply.error}`);
    return reply;
  };
  /** Milliseconds an image-step of one filter's ascent, built and warm. */
  const ascend = async (steps) => {
    child.stdin.write(`${JSON.stringify({ cmd: 'steps', filter: 7, steps })}\n`);
    const { seconds, traces } = await next();
    return traces === 0 ? (1000 * seconds) / steps : ascend(steps);
  };
  const ready = await next();
  await ascend(5);
  return { key, name, ready, ascend, end: () => child.stdin.end() };
}

/** Seconds of the example's whole script, from the start of its process to its end. */
export const kerasScript = (python, weights, filters = sheet) =>
  withFolder(async (out) => {
    const args = ['script', '--weights', weights, '--filters', String(filters), '--out', join(out, 'sheet.png')];
    return (await runToEnd(python, [path('keras_seed.py'), ...args])).seconds;
  });
