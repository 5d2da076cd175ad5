/** @file The worker that holds the networks: it opens, cuts and differentiates them, and hands what is to be computed to engines. */
import {
  blobSource,
  createPool,
  createStudio,
  type ErrorData,
  type FromStudio,
  openNetwork,
  type OpenOptions,
  type Pool,
  PhospheneError,
  serveStudio,
  type ToStudio,
  webHost,
} from 'phosphene/web';
import mini from '../../../models/resnet50v2-mini.onnx?url';
import { keptModel, keepModel } from './kept-models.ts';

/** What the page asks besides what any studio is asked. */
export type ToDesk =
  | ToStudio
  | { readonly type: 'offer'; readonly id: number; readonly files: readonly File[] }
  /** Where model files are that the page has, by name. */
  | { readonly type: 'files'; readonly files: Readonly<Record<string, string>> };
/** What it answers. */
export type FromDesk =
  | FromStudio
  | { readonly type: 'offered'; readonly id: number; readonly name: string }
  | { readonly type: 'refused'; readonly id: number; readonly error: ErrorData };

const BUILT_IN = 'resnet50v2-mini';
const { hardwareConcurrency, deviceMemory = 4 } = navigator as Navigator & { readonly deviceMemory?: number };
/** One is left for the page; on small devices memory is what there is too little of. */
const parallelism = Math.max(1, Math.min((hardwareConcurrency || 2) - 1, deviceMemory <= 2 ? 1 : 16));
const engines = (count: number): Pool =>
  createPool(
    webHost(() => new Worker(new URL('./engine.ts', import.meta.url), { type: 'module', name: 'phosphene engine' }), {
      parallelism: count,
    }),
  );
const models = new Map<string, readonly File[]>();
/** Model files that the page has. */
const addresses = new Map<string, string>();

const studio = createStudio({
  models: [BUILT_IN],
  async open(name, preprocess) {
    if (name === BUILT_IN || addresses.has(name)) {
      const response = await fetch(addresses.get(name) ?? new URL(mini, import.meta.url));
      if (!response.ok) throw new PhospheneError('offline', `${name}: could not be loaded (${response.status})`);
      const own = name === BUILT_IN ? { defaultLayer: 'conv3_block4_out' } : {};
      return openNetwork(blobSource(name, await response.blob()), { name, preprocess, ...own });
    }
    const files = models.get(name) ?? (await keptModel(name));
    if (!files)
      throw new PhospheneError('unknown-model', `\`${name}\` is a model file of yours; choose it again to see it`, {
        name,
        missing: true,
      });
    return openFiles(files, { preprocess });
  },
  pool: engines(parallelism),
  // One more, which is not loaded before a photo is there.
  eyes: engines(1),
  lowering: 'wasm',
  engine: 'onnxruntime-web, WebAssembly',
  // WebAssembly ends at 4 GiB, and a phone long before.
  memory: () => Math.min(3.5, (deviceMemory * 0.75) / parallelism) * 2 ** 30,
});

const scope = self as unknown as {
  postMessage(message: FromDesk): void;
  addEventListener(type: 'message', listener: (event: { readonly data: ToDesk }) => void): void;
};
const { ask } = serveStudio({ post: (answer) => scope.postMessage(answer) }, studio);
scope.addEventListener('message', ({ data }) => {
  if (data.type === 'offer') void offer(data.id, data.files);
  else if (data.type === 'files')
    for (const [name, address] of Object.entries(data.files)) addresses.set(name, address);
  else ask(data);
});

/** Opens files to see whether they are a model, and remembers them under a name that says which. */
async function offer(id: number, files: readonly File[]): Promise<void> {
  try {
    const network = await openFiles(files, {});
    const name = `${network.name}@${(await network.digest()).slice(0, 12)}`;
    await network.close();
    models.set(name, files);
    await keepModel(name, files);
    scope.postMessage({ type: 'offered', id, name });
  } catch (error) {
    const known = error instanceof PhospheneError ? error : new PhospheneError('runtime', String(error), {}, error);
    scope.postMessage({ type: 'refused', id, error: known.toJSON() });
  }
}

/** What a network begins with, the surest sign first. */
const BEGINNINGS = [/\.onnx$/i, /\.keras$/i, /(^|[/\\])model\.json$/i, /\.json$/i, /\.(h5|hdf5)$/i];

/** The network in files that were chosen together: one of them begins it, and the others are what it refers to. */
function openFiles(files: readonly File[], options: OpenOptions): ReturnType<typeof openNetwork> {
  const main = BEGINNINGS.map((pattern) => files.find((f) => pattern.test(f.name))).find(Boolean) ?? files[0];
  if (!main) throw new PhospheneError('bad-file', 'no file was chosen');
  const others = files.filter((f) => f !== main);
  const weights = /\.json$/i.test(main.name) ? others.find((f) => /\.(h5|hdf5)$/i.test(f.name)) : undefined;
  return openNetwork(blobSource(main.name, main, Object.fromEntries(others.map((f) => [f.name, f]))), {
    ...options,
    weights: weights && blobSource(weights.name, weights),
  });
}
