/** @file What a thread of {@link nodeHost} runs. */
import { parentPort, workerData } from 'node:worker_threads';
import { nodeRuntime, webgpuRuntime } from '../runtime/node.ts';
import type { ThreadData } from './node-host.ts';
import { type ToWorker, transfersOf } from './protocol.ts';
import { serve } from './serve.ts';

const port = parentPort!;
const { stop, device } = workerData as ThreadData;

serve(
  {
    post: (message) => port.postMessage(message, transfersOf(message)),
    receive: (listener) => void port.on('message', (message: ToWorker) => listener(message)),
    stopped: () => Atomics.load(stop, 0) !== 0,
    close: () => port.close(),
  },
  device === 'webgpu' ? webgpuRuntime : nodeRuntime,
);
