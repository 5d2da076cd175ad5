/** @file Pictures from this browser: a desk in a worker of its own holds the networks, and has engines that compute. */
import type { FromDesk, ToDesk } from '../desk.ts';
import { type Backend, Failure } from './backend.ts';
import { type PageLine, remote } from './remote.ts';

/** The backend of this browser. Nothing of it is loaded before it is first asked. `files` are addresses of models by name. */
export function workerBackend(files: Readonly<Record<string, string>> = {}): Backend {
  let desk: Worker | undefined;
  let hear: Parameters<PageLine['receive']>[0] = () => {};
  let change: Parameters<PageLine['onChange']>[0] = () => {};
  let deaths = 0;
  let offers = 0;
  const offered = new Map<number, { resolve: (name: string) => void; reject: (error: Failure) => void }>();

  const start = (): Worker => {
    const worker = new Worker(new URL('../desk.ts', import.meta.url), { type: 'module', name: 'phosphene desk' });
    worker.addEventListener('message', ({ data }: MessageEvent<FromDesk>) => {
      if (data.type === 'offered') offered.get(data.id)?.resolve(data.name);
      else if (data.type === 'refused') offered.get(data.id)?.reject(failureOf(data.error));
      else hear(data);
    });
    worker.addEventListener('error', ({ message }) => {
      worker.terminate();
      const what = message || 'its script could not be loaded';
      for (const { reject } of offered.values()) reject(new Failure({ code: 'runtime', message: what }));
      offered.clear();
      // Once may be chance; again and again is not.
      if (++deaths > 2)
        return change('gone', `The part of this page that computes has failed: ${what}. Reload the page.`);
      desk = start();
      change('lost', `The part of this page that computes has failed (${what}) and was started anew.`);
      change('back', '');
    });
    worker.postMessage({ type: 'files', files } satisfies ToDesk);
    return worker;
  };
  const post = (message: ToDesk): void => (desk ??= start()).postMessage(message);
  const line: PageLine = {
    post,
    receive: (listener) => (hear = listener),
    onChange: (listener) => (change = listener),
    close: () => desk?.terminate(),
  };
  return remote('worker', line, (chosen) => {
    const id = ++offers;
    return new Promise<string>((resolve, reject) => {
      offered.set(id, { resolve, reject });
      post({ type: 'offer', id, files: chosen });
    }).finally(() => offered.delete(id));
  });
}

function failureOf(error: { readonly code: string; readonly message: string; readonly details: object }): Failure {
  return new Failure({ ...error, details: { ...error.details } });
}
