/** @file A worker: one program with one thread, one channel after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { PhospheneError } from '../errors.ts';
import { ascend, startNoise } from '../render/ascend.ts';
import type { Program } from '../runtime/index.ts';
import { nodeRuntime } from '../runtime/node.ts';
import type { FromWorker, StopFlag, ToWorker, WorkerTask } from './messages.ts';

const port = parentPort!;
const stop = workerData as StopFlag;
const stopped = (): boolean => Atomics.load(stop, 0) !== 0;
const send = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
let task: WorkerTask;
let program: Program | undefined;

port.on('message', async (message: ToWorker) => {
  try {
    if (message === 'end') await leave();
    else if ('channel' in message) await work(program!, task, message.channel);
    else {
      task = message;
      program = await nodeRuntime.compile(task.model);
      if (stopped()) await leave();
      else send({ type: 'ready' });
    }
  } catch (error) {
    const { message: text, stack } = error as Error;
    if (!stopped()) send({ type: 'error', message: text, stack: stack ?? '' });
  }
});
// While the graph is still being built.
await nodeRuntime.load();

async function leave(): Promise<void> {
  // The pool may say goodbye twice: when the channels run out and when it closes.
  port.removeAllListeners('message');
  port.close();
  await program?.dispose();
}

async function work(program: Program, { layer, seed, settings }: WorkerTask, channel: number): Promise<void> {
  let told = 0;
  const { image, losses, diagnosis } = await ascend(program, {
    channel,
    start: startNoise(seed, layer, channel, settings),
    dims: [1, 3, settings.height, settings.width],
    steps: settings.steps,
    rate: settings.rate,
    onStep(done) {
      if (stopped()) throw new PhospheneError('aborted', 'stopped');
      // Often enough for a smooth bar, seldom enough to cost nothing.
      const now = performance.now();
      if (now - told < 100) return;
      told = now;
      send({ type: 'steps', channel, done });
    },
  });
  send({ type: 'done', channel, image, losses, ...(diagnosis ? { diagnosis } : {}) }, [image.buffer]);
}
