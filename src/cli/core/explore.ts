/** @file What `phosphene explore` asks of the core. */
import { spawn } from 'node:child_process';
import { availableParallelism, freemem } from 'node:os';
import { join } from 'node:path';
import { cacheFolder } from '../../hub/cache.ts';
import { BUILT_IN } from '../../hub/models.ts';
import { createPool } from '../../jobs/pool.ts';
import { nodeHost } from '../../jobs/node-host.ts';
import { createStudio } from '../../live/studio.ts';
import { open } from '../../node.ts';
import { pageFiles } from '../../serve/page.ts';
import { serveExplorer } from '../../serve/server.ts';
import { pictureStore } from '../../serve/store.ts';
import type { ExploreCore } from '../explore.ts';

export const explore: ExploreCore = async (request, ready) => {
  const { model, preprocess, weights, cache, port, workers = availableParallelism(), signal } = request;
  const files = await pageFiles();
  // What cannot be opened is said here, and not first on the page.
  const network = await open(model, { preprocess, weights, cacheDir: cache, signal });
  const name = network.name;
  await network.close();
  const pool = createPool(nodeHost({ parallelism: workers }));
  const eyes = createPool(nodeHost({ parallelism: 1 }));
  const studio = createStudio({
    models: [name, ...(name === BUILT_IN ? [] : [BUILT_IN])],
    open: (asked, changed) =>
      asked === name
        ? open(model, { preprocess: changed ?? preprocess, weights, cacheDir: cache, signal })
        : open(BUILT_IN, { preprocess: changed }),
    pool,
    eyes,
    lowering: 'cpu',
    engine: 'onnxruntime-node',
    memory: () => freemem() / workers,
    store: pictureStore(join(cacheFolder(cache), 'pictures')),
  });
  const server = await serveExplorer({ studio, files, port });
  try {
    await ready(server.url);
    if (request.open) openBrowser(server.url);
    if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  } finally {
    await server.close();
    await Promise.all([pool.close(), eyes.close()]);
    await studio.close();
  }
};

/** Asks the system to open an address. Whoever has no browser has the address. */
function openBrowser(url: string): void {
  const [program, ...words] = {
    darwin: ['open', url],
    // `start` is a word of its shell, and its first word in quotes is a title.
    win32: ['cmd', '/c', 'start', '""', url],
  }[process.platform as string] ?? ['xdg-open', url];
  const child = spawn(program!, words, { stdio: 'ignore', detached: true });
  child.on('error', () => {});
  child.unref();
}
