/** @file What a web worker of {@link webHost} runs. */
import type { Runtime } from '../runtime/index.ts';
import { type FromWorker, type ToWorker, transfersOf } from './protocol.ts';
import { serve } from './serve.ts';

/** The part of a worker's global scope that is used. */
export interface WorkerScope {
  postMessage(message: FromWorker, transfer: ArrayBuffer[]): void;
  addEventListener(type: 'message', listener: (event: { readonly data: ToWorker }) => void): void;
  close(): void;
}

/**
 * Makes a web worker serve a page's pool: the only line of its script.
 *
 * @example
 * serveWebWorker(createWebRuntime({ wasmPaths: '/assets/ort/' }));
 */
export function serveWebWorker(runtime: Runtime, scope: WorkerScope = globalThis as unknown as WorkerScope): void {
  serve(
    {
      post: (message) => scope.postMessage(message, transfersOf(message)),
      receive: (listener) => scope.addEventListener('message', ({ data }) => listener(data)),
      // A page terminates its workers.
      stopped: () => false,
      close: () => scope.close(),
    },
    runtime,
  );
}
