/** @file A worker: one program with one thread, one channel after another. */
import { parentPort, workerData } from 'node:worker_threads';
import { ascend, startNoise } from '../render/ascend.ts';
import { nodeRuntime } from '../runtime/node.ts';
import type { FromWorker, ToWorker, WorkerTask } from './messages.ts';

const port = parentPort!;
const { graph, layer, seed, settings } = workerData as WorkerTask;
const send = (message: FromWorker, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
const fail = (error: unknown): void => {
  const { message, stack } = error as Error;
  send({ type: 'error', message, stack: stack ?? '' });
};

try {
  const before = process.memoryUsage().rss;
  const program = await nodeRuntime.compile(graph);
  send({ type: 'ready', bytes: process.memoryUsage().rss - before });
  port.on('message', ({ channel }: ToWorker) => {
    let told = 0;
    ascend(program, {
      channel,
      start: startNoise(seed, layer, channel, settings),
      dims: [1, 3, settings.height, settings.width],
      steps: settings.steps,
      rate: settings.rate,
      onStep(done) {
        // Often enough for a smooth bar, seldom enough to cost nothing.
        const now = performance.now();
        if (now - told < 100) return;
        told = now;
        send({ type: 'steps', channel, done });
      },
    }).then(({ image, losses, diagnosis }) => {
      const copy = image.slice();
      send({ type: 'done', channel, image: copy, losses, ...(diagnosis ? { diagnosis } : {}) }, [copy.buffer]);
    }, fail);
  });
} catch (error) {
  fail(error);
}
