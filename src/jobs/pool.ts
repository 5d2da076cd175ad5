/** @file Many channels at once: worker threads, each with its own single-threaded program, fed one channel at a time. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { PhospheneError } from '../errors.ts';
import type { Graph } from '../ir/graph.ts';
import { encodeOnnx } from '../ir/onnx.ts';
import type { Diagnosis } from '../render/ascend.ts';
import type { FromWorker, StopFlag, ToWorker, WorkerTask } from './messages.ts';

/** One channel's ascent, finished. */
export interface Finished {
  readonly type: 'done';
  readonly channel: number;
  /** [1, 3, h, w]. */
  readonly image: Float32Array;
  readonly losses: readonly number[];
  readonly diagnosis?: Diagnosis;
}

export type PoolEvent =
  | Finished
  | { readonly type: 'ready'; readonly workers: number }
  | { readonly type: 'steps'; readonly channel: number; readonly done: number };

export interface PoolOptions extends Omit<WorkerTask, 'model'> {
  /** Builds the graph, and whatever else must go well before work begins, while the threads start. */
  readonly prepare: () => Graph | Promise<Graph>;
  readonly channels: readonly number[];
  /** Worker threads; as many as there are cores unless told otherwise, and never more than channels. */
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How many workers a run has. */
export function workersFor(channels: number, wanted: number = availableParallelism()): number {
  return Math.min(wanted, channels);
}

/**
 * Ascends every channel and yields what happens, as it happens. Ends its workers however it is left: by its end, an error, the
 * signal, or a `break` in the caller's loop. Throws `runtime` with a worker's own message, `aborted` on the signal, and what
 * `prepare` throws.
 */
export async function* pool({
  prepare,
  channels,
  workers,
  signal,
  ...task
}: PoolOptions): AsyncGenerator<PoolEvent, void> {
  if (channels.length === 0) return;
  const count = workersFor(channels.length, workers);
  const events: (PoolEvent | { readonly type: 'failed'; readonly error: PhospheneError })[] = [];
  let wake = (): void => {};
  const push = (event: (typeof events)[number]): void => {
    events.push(event);
    wake();
  };
  const waiting = channels[Symbol.iterator]();
  let ready = 0;
  const stop: StopFlag = new Int32Array(new SharedArrayBuffer(4));
  const threads = Array.from({ length: count }, () => {
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: stop });
    const next = (): void => {
      const channel = waiting.next();
      worker.postMessage((channel.done ? 'end' : { channel: channel.value }) satisfies ToWorker);
    };
    const failed = (message: string, cause: unknown): void =>
      push({ type: 'failed', error: new PhospheneError('runtime', `a worker failed: ${message}`, {}, cause) });
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'error') return failed(message.message, message.stack);
      if (message.type === 'ready') {
        if (++ready === count) push({ type: 'ready', workers: count });
        return next();
      }
      if (message.type === 'done') next();
      push(message);
    });
    worker.on('error', (error) => failed(error.message, error));
    worker.on('exit', (code) => code !== 0 && failed(`it exited with ${code}`, undefined));
    return worker;
  });
  const aborted = (): PhospheneError => new PhospheneError('aborted', 'aborted', {}, signal?.reason);
  const abort = (): void => push({ type: 'failed', error: aborted() });
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const message: ToWorker = { ...task, model: shared(encodeOnnx(await prepare())) };
    // Compiling cannot be interrupted; a run that was stopped meanwhile does not begin it.
    if (signal?.aborted) throw aborted();
    for (const worker of threads) worker.postMessage(message);
    let left = channels.length;
    while (left > 0) {
      const event = events.shift();
      if (!event) {
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      if (event.type === 'failed') throw event.error;
      if (event.type === 'done') left--;
      yield event;
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    // Never `terminate`: a thread that is cut off inside ONNX Runtime takes the process with it. Each leaves after its step.
    Atomics.store(stop, 0, 1);
    await Promise.all(
      threads
        .filter((worker) => worker.threadId !== -1)
        .map((worker) => {
          worker.postMessage('end' satisfies ToWorker);
          // Not events.once, which rejects when the worker fails on its way out.
          return new Promise((resolve) => worker.once('exit', resolve));
        }),
    );
  }
}

function shared(bytes: Uint8Array): Uint8Array<SharedArrayBuffer> {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
