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
import { dirname } from 'node:path';
import { PhospheneError } from './errors.ts';
import { BUILT_IN, modelNames } from './hub/models.ts';
import { openModel } from './hub/open.ts';
import { ensureWeights, type EnsureOptions } from './hub/weights.ts';
import type { Network } from './import/network.ts';
import type { PreprocessSpec } from './import/preprocess.ts';
import { type DreamEvent, dreamPhoto } from './jobs/dream.ts';
import { nodeHost } from './jobs/node-host.ts';
import { createPool, type Pool } from './jobs/pool.ts';
import { planOf, type RenderOptions } from './jobs/plan.ts';
import { factsOf, memoryOf, type RenderEvent, targetOf } from './jobs/render.ts';
import { dreamDigest, dreamSettings, type DreamSettings, tileSize } from './render/dream.ts';
import type { Shown } from './render/recipe.ts';
import { checkMemory } from './render/step.ts';
import { type Photo, photoRaster, photoTensor } from './photo/photo.ts';
import {
  readResults as read,
  type Results,
  run,
  type RunEvent,
  seriesOf,
  seriesOfObjective,
  writeWhole,
} from './runs/index.ts';
import { checked, normalised, whole } from './settings.ts';
import { VERSION } from './version.ts';
import type { Optional } from './noun.ts';
import { asciiJson, encodePng } from './output/png.ts';
import { ensureFolder } from './folder.ts';

export * from './index.ts';
export type { DownloadOptions } from './hub/download.ts';
export { readLabels } from './hub/labels.ts';
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
  /** Whether the grid has the number of each channel below its picture; false unless given. */
  readonly captions?: boolean | undefined;
}

/** Worker threads. */
const threads = whole({ help: 'Worker threads', default: 1, from: 1, to: 1024 });

/** A pool for so many jobs of what is raised, and how it is left. Throws `too-large` if this machine has not the memory for it. */
function poolFor(
  network: Network,
  raised: Parameters<typeof memoryOf>[1],
  shown: Shown,
  jobs: number,
  { pool, workers }: Running,
): { pool: Pool; leave: () => Promise<void> } {
  if (workers !== undefined) checked(threads, 'workers', workers);
  const host = nodeHost({ parallelism: workers });
  const most = pool?.workers ?? Math.max(1, Math.min(host.parallelism, jobs));
  checkMemory(memoryOf(network, raised, shown), freemem() / most);
  if (pool) return { pool, leave: async () => {} };
  const own = createPool(host, { workers: most });
  // They load their engines while weights are read and the program is built.
  own.start();
  return { pool: own, leave: () => own.close() };
}

/**
 * Renders channels, a class or an objective and yields events: `ready` when the first program is compiled, `steps` now and then, and a
 * `picture` for each channel as it is finished, in no fixed order. Of an objective, a `channel` is the number of a picture. A `break`
 * ends the workers, and so does the signal.
 *
 * When iterated, throws `unknown-preset`, `bad-option`, `unknown-layer`, `too-large`, `bad-weights`, `missing-weights`,
 * `unsupported-op`, `shape`, `runtime`, `aborted`.
 *
 * @example
 * for await (const event of render(network, { layer: 'conv3_block4_out', channels: [0, 1] }))
 *   if (event.type === 'picture') await writeFile(`${event.picture.channel}.png`, encodePng(event.picture.raster));
 * for await (const event of render(network, { objective: 'conv3_block4_out:7 - 0.5*conv3_block4_out:0 + tv(0.1)' })) console.log(event.type);
 */
export async function* render(
  network: Network,
  options: RenderOptions,
  running: Running = {},
): AsyncGenerator<RenderEvent, void> {
  const plan = await planOf(network, options);
  const { pool, leave } = poolFor(network, plan, plan.settled, plan.jobs, running);
  try {
    yield* plan.render({ pool, lowering: 'cpu', signal: running.signal });
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
  const { out, columns, margin, captions, signal }: Partial<RunningToFolder> = running ?? {};
  if (typeof out !== 'string' || out === '')
    throw new PhospheneError('bad-option', 'out: the path of a folder is needed', { option: 'out' });
  const plan = await planOf(network, options);
  const { settled, layer, channels, raised } = plan;
  const { pool, leave } = poolFor(network, plan, plan.settled, plan.jobs, running);
  try {
    const facts = await factsOf(network);
    yield* run<RenderEvent>({
      out,
      columns,
      margin,
      captions,
      channels,
      series: raised ? seriesOfObjective(settled, facts, raised) : seriesOf(settled, facts, layer, plan.targets[0]),
      render: (wanted) => plan.render({ pool, lowering: 'cpu', signal }, wanted),
    });
  } finally {
    await leave();
  }
}

/** What decides a dream besides network and photo; see {@link dreamSettings}. */
export interface DreamOptions extends Optional<DreamSettings> {
  /** The network's own choice unless given. */
  readonly layer?: string | undefined;
  /** Channels that are raised; all that the layer finds unless given. */
  readonly channels?: readonly number[] | undefined;
  /** The longer side in pixels; that of the photo unless given. */
  readonly size?: number | undefined;
}

/** Bytes of a dream for each value of its photo: the photo, its base, its detail, the picture before and after a step, its tiles. */
const DREAM_BYTES = 4 * 8;

const longest = whole({ help: 'Longer side in pixels', default: 1024, from: 16, to: 1 << 16 });

/**
 * Dreams a photo (DeepDream): raises in it whatever a layer finds, or some of its channels, from coarse to fine. The photo keeps its size. The
 * network sees it in tiles, so that any size will do. Yields `ready`, `tiles` now and then, an `octave` for each size that is finished, and
 * last the `dream`.
 *
 * When iterated, throws `unknown-layer`, `bad-option`, `too-large`, `shape`, `bad-weights`, `missing-weights`, `unsupported-op`, `runtime`,
 * `aborted`.
 *
 * @example
 * for await (const event of dream(network, await openPhoto('photo.jpg'), { layer: 'conv3_block4_out' }))
 *   if (event.type === 'dream') await writeFile('dream.png', encodePng(photoRaster(event.dream.image)));
 */
export async function* dream(
  network: Network,
  photo: Photo,
  options: DreamOptions = {},
  running: Running = {},
): AsyncGenerator<DreamEvent, void> {
  const { layer = network.defaultLayer, channels, size, ...given } = options;
  if (running.workers !== undefined) checked(threads, 'workers', running.workers);
  const settings = normalised(dreamSettings, given, 'dream');
  const by = size === undefined ? 1 : checked(longest, 'size', size) / Math.max(photo.width, photo.height);
  const side = (length: number): number => Math.max(1, Math.round(length * by));
  const full = { height: side(photo.height), width: side(photo.width) };
  checkMemory(DREAM_BYTES * 3 * full.height * full.width, freemem());
  const tensor = photoTensor(photo, { channels: network.input.channels, size: full });
  const shown = { size: tileSize(full, settings.tile, network.input.size) };
  const target = await targetOf(network, layer, shown);
  const { pool, leave } = poolFor(network, { targets: [target] }, shown, Infinity, running);
  try {
    const wanted = { photo: tensor, layer: target.name, channels: channels && [...new Set(channels)], settings };
    yield* dreamPhoto(network, wanted, { pool, lowering: 'cpu', signal: running.signal });
  } finally {
    await leave();
  }
}

/** A dream is in its file. */
export interface DreamFile {
  readonly type: 'file';
  readonly file: string;
  readonly width: number;
  readonly height: number;
}

/**
 * {@link dream} into a PNG file, which holds its recipe. Throws what that throws, and `filesystem`.
 *
 * @example
 * for await (const event of dreamToFile(network, photo, { layer: 'conv3_block4_out' }, { out: 'dream.png' }))
 *   if (event.type === 'file') console.log(event.file);
 */
export async function* dreamToFile(
  network: Network,
  photo: Photo,
  options: DreamOptions,
  { out, ...running }: Running & { readonly out: string },
): AsyncGenerator<DreamEvent | DreamFile, void> {
  if (typeof out !== 'string' || out === '')
    throw new PhospheneError('bad-option', 'out: the path of a file is needed', { option: 'out' });
  // Before an hour of work.
  await ensureFolder(dirname(out));
  for await (const event of dream(network, photo, options, running)) {
    yield event;
    if (event.type !== 'dream') continue;
    const { recipe, image, losses } = event.dream;
    const { width, height } = recipe.size;
    const record = { format: 'phosphene-dream/1', version: VERSION, digest: dreamDigest(recipe), recipe, losses };
    const text = { Software: `phosphene ${VERSION}`, phosphene: asciiJson(record) };
    await writeWhole(out, encodePng(photoRaster(image), text));
    yield { type: 'file', file: out, width, height };
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
