/**
 * @file phosphene for Node: open a network, render its filters.
 *
 * @example
 * import { open, render } from 'phosphene/node';
 * const network = await open('resnet50v2-mini');
 * for await (const event of render(network, { layer: 'conv3_block4_out', channels: [0, 1, 2] })) {
 *   if (event.type === 'picture') console.log(event.picture.channel, event.picture.losses.at(-1));
 * }
 */
import { freemem } from 'node:os';
import { PhospheneError } from './errors.ts';
import { BUILT_IN, modelNames } from './hub/models.ts';
import { openModel } from './hub/open.ts';
import { ensureWeights, type EnsureOptions } from './hub/weights.ts';
import type { Network } from './import/network.ts';
import type { PreprocessSpec } from './import/preprocess.ts';
import { nodeHost } from './jobs/node-host.ts';
import { createPool, type Pool } from './jobs/pool.ts';
import { checkChannel, factsOf, memoryOf, renderChannels, type RenderEvent, targetOf } from './jobs/render.ts';
import { fitted, type RecipeOptions, settle, type Shown } from './render/recipe.ts';
import { checkMemory } from './render/step.ts';
import { params, startFrom } from './param/index.ts';
import { type Photo, photoDigest, photoTensor } from './photo/photo.ts';
import type { Target } from './render/targets.ts';
import { readResults as read, type Results, run, type RunEvent, seriesOf } from './runs/index.ts';
import { checked, whole } from './settings.ts';

export * from './index.ts';
export type { DownloadOptions } from './hub/download.ts';
export { openPhoto } from './hub/photo.ts';
export type { EnsureOptions } from './hub/weights.ts';
export { nodeHost, type NodeHostOptions } from './jobs/node-host.ts';
export type {
  FoundManifest,
  Manifest,
  ManifestFilter,
  PictureRecord,
  ResultPicture,
  Results,
  ResultSet,
  RunEvent,
} from './runs/index.ts';
export { nodeRuntime } from './runtime/node.ts';

/** What {@link open} takes; the rest is about downloads: `cacheDir`, `onProgress`, `signal`, `fetch`, `stallMs`, `retries`. */
export interface Open extends EnsureOptions {
  /** A Keras HDF5 weights file to use in place of the published one. */
  readonly weights?: string | undefined;
  /**
   * The published model that the file is of, if the file holds weights alone: `open('mine.h5', { architecture: 'resnet50' })`. Without it
   * a file that has as many weights as one of the published models is taken for that.
   */
  readonly architecture?: string | undefined;
  /** What the network expects of a picture, if neither model nor file says so: `torch`, or `{ range, mean, std, bgr }`. */
  readonly preprocess?: PreprocessSpec | undefined;
}

/**
 * Opens a network: a name (`resnet50v2-mini`, built in, or a published one of {@link models}, fetched once into a cache unless `weights` is
 * given) or the path of a file. No weights are read yet. Close it when its pictures are made.
 *
 * Throws `unknown-model`, `bad-file`, `bad-option`, `filesystem`. Published weights are fetched when they are first needed, which
 * throws `offline`, `download`, `hash-mismatch`, `aborted`.
 *
 * @example
 * const network = await open('resnet50v2', { weights: 'resnet50v2.h5' });
 * network.layers({ height: 180, width: 180 }).layers.map((l) => l.name);
 */
export function open(
  model: string = BUILT_IN,
  { weights, architecture, preprocess, ...ensure }: Open = {},
): Promise<Network> {
  return openModel(model, { weights, architecture, preprocess, fetchWeights: (name) => ensureWeights(name, ensure) });
}

/** Names that {@link open} knows. `NAME-notop` is a published model without its classifier. */
export const models: readonly string[] = modelNames;

/** What is rendered: all that decides the pictures. */
export interface RenderOptions extends RecipeOptions {
  /** The network's own choice unless given. */
  readonly layer?: string | undefined;
  /** Channels of the layer, from 0; repeated ones count once. */
  readonly channels: readonly number[];
  /** A photo that the ascents begin with in place of noise; its middle is scaled to the size of the pictures. */
  readonly start?: Photo | undefined;
}

/** How it is rendered: nothing here changes a picture. */
export interface Running {
  /** Worker threads; one a core unless given, and never more than channels. */
  readonly workers?: number | undefined;
  /** Workers to use in place of own ones; they stay, with what they have compiled. */
  readonly pool?: Pool | undefined;
  /** Ends the run after the step under way; it then throws `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** How it is rendered into a folder: nothing here changes a picture. */
export interface RunningToFolder extends Running {
  /** The folder, made if it is missing. */
  readonly out: string;
  /** Pictures in a row of the grid; about a square unless given. */
  readonly columns?: number | undefined;
  /** Pixels between the pictures of the grid; 5 unless given. */
  readonly margin?: number | undefined;
}

/** Worker threads. */
const threads = whole({ help: 'Worker threads', default: 1, from: 1, to: 1024 });

/** Options, checked against the network before anything is read, written or started. */
async function prepared(network: Network, given: RenderOptions | undefined, { workers }: Running) {
  // Callers in JavaScript may give nothing.
  const { layer = network.defaultLayer, channels, start: photo, ...options }: Partial<RenderOptions> = given ?? {};
  if (!Array.isArray(channels))
    throw new PhospheneError('bad-option', 'channels: a list of channels is needed, such as [0, 1, 2]', {
      option: 'channels',
    });
  if (workers !== undefined) checked(threads, 'workers', workers);
  const plain = settle(options, network.input.size);
  const start = photo && photoTensor(photo, { channels: network.input.channels, size: plain.size });
  const settled = start ? { ...plain, start: { photo: photoDigest(start) } } : plain;
  if (start) startFrom(params.make(settled.param), start);
  const target = await targetOf(network, layer, settled);
  const wanted = [...new Set(channels as readonly number[])];
  for (const channel of wanted) checkChannel(target, channel);
  return { settled: fitted(settled, options, target), target, channels: wanted, start };
}

/** A pool for so many channels, and how it is left. Throws `too-large` if this machine has not the memory for it. */
function poolFor(
  network: Network,
  target: Target,
  shown: Shown,
  count: number,
  { pool, workers }: Running,
): { pool: Pool; leave: () => Promise<void> } {
  const host = nodeHost({ parallelism: workers });
  const most = pool?.workers ?? Math.max(1, Math.min(host.parallelism, count));
  checkMemory(memoryOf(network, target, shown), freemem() / most);
  if (pool) return { pool, leave: async () => {} };
  const own = createPool(host, { workers: most });
  // They load their engines while weights are read and the program is built.
  own.start();
  return { pool: own, leave: () => own.close() };
}

/**
 * Renders channels and yields events: `ready` when the first program is compiled, `steps` now and then, and a `picture` for each
 * channel as it is finished, in no fixed order. A `break` ends the workers, and so does the signal.
 *
 * When iterated, throws `unknown-preset`, `bad-option`, `unknown-layer`, `too-large`, `bad-weights`, `missing-weights`,
 * `unsupported-op`, `shape`, `runtime`, `aborted`.
 *
 * @example
 * for await (const event of render(network, { layer: 'conv3_block4_out', channels: [0, 1] }))
 *   if (event.type === 'picture') await writeFile(`${event.picture.channel}.png`, encodePng(event.picture.raster));
 */
export async function* render(
  network: Network,
  options: RenderOptions,
  running: Running = {},
): AsyncGenerator<RenderEvent, void> {
  const { settled, target, channels, start } = await prepared(network, options, running);
  const { pool, leave } = poolFor(network, target, settled, channels.length, running);
  try {
    const wanted = { layer: target.name, channels, settled, start };
    yield* renderChannels(network, wanted, { pool, lowering: 'cpu', signal: running.signal });
  } finally {
    await leave();
  }
}

/**
 * Renders into a folder: `LAYER/SET/CHANNEL.png`, with a grid and a manifest beside them (docs/results.md). Pictures that are there
 * already and were made in exactly this way are kept, so a killed run goes on. Yields what {@link render} does, `resumed` with the
 * channels that were there, and `grid` at the end. Throws what {@link render} throws, and `filesystem`.
 *
 * @example
 * for await (const event of renderToFolder(network, { channels: [0, 1, 2, 3] }, { out: 'out' }))
 *   if (event.type === 'grid') console.log(event.file, event.width, event.height);
 */
export async function* renderToFolder(
  network: Network,
  options: RenderOptions,
  running: RunningToFolder,
): AsyncGenerator<RenderEvent | RunEvent, void> {
  const { out, columns, margin, signal }: Partial<RunningToFolder> = running ?? {};
  if (typeof out !== 'string' || out === '')
    throw new PhospheneError('bad-option', 'out: the path of a folder is needed', { option: 'out' });
  const { settled, target, channels, start } = await prepared(network, options, running);
  const { pool, leave } = poolFor(network, target, settled, channels.length, running);
  try {
    yield* run<RenderEvent>({
      out,
      columns,
      margin,
      channels,
      series: seriesOf(settled, await factsOf(network), target.name),
      render: (wanted) =>
        renderChannels(
          network,
          { layer: target.name, channels: wanted, settled, start },
          { pool, lowering: 'cpu', signal },
        ),
    });
  } finally {
    await leave();
  }
}

/**
 * What a folder of results holds: the pictures that are there, with what manifests and index say of them. What is damaged or foreign is
 * left out. Throws `filesystem` if the folder cannot be read.
 *
 * @example
 * const { sets } = await readResults('out');
 * for (const { layer, pictures } of sets) console.log(layer, pictures.length);
 */
export function readResults(out: string): Promise<Results> {
  return read(out);
}
