/** @file Workers as threads of Node. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Device } from '../runtime/index.ts';
import type { FromWorker, Host, ToWorker, WorkerHandle } from './protocol.ts';

/** How many threads there are, and what they run. */
export interface NodeHostOptions {
  /** Most threads at a time; as many as there are cores unless told otherwise. */
  readonly parallelism?: number | undefined;
  /** What the threads compute on; the CPU unless given. One thread is enough for a GPU. */
  readonly device?: Device;
  /** The module that each thread runs: {@link serveThread} and nothing else. By default `node-worker.js` with onnxruntime-node. */
  readonly script?: URL;
}

/**
 * Threads with an ONNX Runtime each. A thread that has no work keeps no process alive.
 *
 * @example
 * const pool = createPool(nodeHost());
 */
export function nodeHost({
  parallelism = availableParallelism(),
  device = 'cpu',
  script = new URL('./node-worker.js', import.meta.url),
}: NodeHostOptions = {}): Host {
  return {
    parallelism,
    spawn: () => thread(script, device),
    share(bytes) {
      if (bytes.buffer instanceof SharedArrayBuffer) return bytes;
      const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
      copy.set(bytes);
      return copy;
    },
  };
}

/** What a thread is begun with. */
export interface ThreadData {
  /** Not zero once the thread shall leave: it may be too busy to read a message. */
  readonly stop: Int32Array<SharedArrayBuffer>;
  readonly device: Device;
}

function thread(script: URL, device: Device): WorkerHandle {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  // It needs none of the process's own options, and some keep it from starting, such as those of `node -e`.
  const worker = new Worker(script, { workerData: { stop, device } satisfies ThreadData, execArgv: [] });
  worker.unref();
  let gone = false;
  let asked = false;
  let mourn: (cause: unknown) => void = () => {};
  const die = (cause: unknown): void => {
    if (!gone && !asked) mourn(cause);
    gone = true;
  };
  const left = new Promise<void>((resolve) => {
    worker.on('exit', (code) => {
      die(new Error(`it exited with ${code}`));
      resolve();
    });
  });
  worker.on('error', die);
  const leave = (): void => {
    asked = true;
    Atomics.store(stop, 0, 1);
    worker.postMessage({ type: 'end' } satisfies ToWorker);
  };
  return {
    post(message) {
      if (message.type === 'job') worker.ref();
      worker.postMessage(message);
    },
    onMessage(listener) {
      worker.on('message', (message: FromWorker) => {
        // Whoever asked it to leave waits for that.
        if (!asked && (message.type === 'done' || message.type === 'failed')) worker.unref();
        listener(message);
      });
      worker.on('messageerror', (error) => {
        die(error);
        leave();
      });
    },
    onDeath(listener) {
      mourn = listener;
    },
    stop() {
      // Never `terminate`: a thread that is cut off inside ONNX Runtime takes the process with it. It leaves after its step.
      leave();
      // Someone waits for it now.
      worker.ref();
      return left;
    },
  };
}
