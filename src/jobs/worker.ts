/** @file A worker: one program with one thread, one channel after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { PhospheneError } from '../errors.ts';
import { ascend, startNoise } from '../render/ascend.ts';
import type { Program } from '../runtime/index.ts';
import { nodeRuntime } from '../runtime/node.ts';
import type { FromWorker, ToWorker, WorkerStart } from './messages.ts';

const port = parentPort!;
const { graph, layer, seed, settings, stop } = workerData as WorkerStart;
const stopped = (): boolean => Atomics.load(stop, 0) !== 0;
const send = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
const fail = (error: unknown): void => {
  const { message, stack } = error as Error;
  send({ type: 'error', message, stack: stack ?? '' });
};

try {
  const program = await nodeRuntime.compile(graph);
  send({ type: 'ready' });
  const leave = async (): Promise<void> => {
    // The pool may say goodbye twice: when the channels run out and when it closes.
    port.removeAllListeners('message');
    port.close();
    await program.dispose();
  };
  port.on('message', async (message: ToWorker) => {
    if (message === 'end') return leave();
    try {
      await work(program, message.channel);
    } catch (error) {
      if (!stopped()) fail(error);
    }
  });
  if (stopped()) await leave();
} catch (error) {
  fail(error);
}

async function work(program: Program, channel: number): Promise<void> {
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
  const copy = image.slice();
  send({ type: 'done', channel, image: copy, losses, ...(diagnosis ? { diagnosis } : {}) }, [copy.buffer]);
}
