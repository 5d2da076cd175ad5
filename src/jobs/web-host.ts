/** @file Workers as web workers of a page. */
import type { FromWorker, Host, ToWorker } from './protocol.ts';

/** The part of a browser's `Worker` that is used. */
export interface WebWorker {
  postMessage(message: ToWorker): void;
  terminate(): void;
  addEventListener(type: 'message', listener: (event: { readonly data: FromWorker }) => void): void;
  addEventListener(
    type: 'error' | 'messageerror',
    listener: (event: { readonly message?: string; preventDefault?(): void }) => void,
  ): void;
}

/** How many web workers there are. */
export interface WebHostOptions {
  /** Most workers at a time; as many as the browser says there are cores unless told otherwise. */
  readonly parallelism?: number | undefined;
}

/**
 * Web workers, each of which calls {@link serveWebWorker}. They are made by the page, since bundlers want to see the address of the
 * script in the call that makes a worker.
 *
 * @example
 * const host = webHost(() => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }));
 * const pool = createPool(host);
 */
export function webHost(make: () => WebWorker, { parallelism = cores() }: WebHostOptions = {}): Host {
  return {
    parallelism,
    spawn() {
      const worker = make();
      let over = false;
      return {
        post: (message) => worker.postMessage(message),
        onMessage: (listener) => worker.addEventListener('message', ({ data }) => listener(data)),
        onDeath(listener) {
          const die = (what: string): void => {
            if (over) return;
            over = true;
            // It may live on, and nobody would listen.
            worker.terminate();
            listener(new Error(what));
          };
          worker.addEventListener('error', (event) => {
            // The pool sees to it: to whoever started the worker, it would be an error of its own.
            event.preventDefault?.();
            die(event.message || 'its script could not be loaded');
          });
          worker.addEventListener('messageerror', () => die('a message could not be read'));
        },
        async stop() {
          over = true;
          // WebAssembly can be cut off at any point.
          worker.terminate();
        },
      };
    },
  };
}

function cores(): number {
  const { navigator } = globalThis as { readonly navigator?: { readonly hardwareConcurrency?: number } };
  return navigator?.hardwareConcurrency ?? 2;
}
