/** @file A run: the pictures of some channels of a layer in a folder, resumable, with a record of how each was made. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { freemem } from 'node:os';
import { join } from 'node:path';
import { PhospheneError } from '../errors.ts';
import { ensureFolder } from '../folder.ts';
import type { Graph } from '../ir/graph.ts';
import { indexOf, type Network, unknownLayer } from '../import/network.ts';
import { channelMean } from '../objective/index.ts';
import { deprocess, rescaleLikeKeras } from '../output/deprocess.ts';
import { defaultColumns, grid, gridSize } from '../output/grid.ts';
import { asciiJson, decodePng, encodePng } from '../output/png.ts';
import type { Raster } from '../output/raster.ts';
import { diagnoses, type Diagnosis } from '../render/ascend.ts';
import type { Settings } from '../render/presets.ts';
import { checkMemory, stepGraph, workerMemory } from '../render/step.ts';
import { reaching } from '../render/targets.ts';
import { VERSION } from '../version.ts';
import { sweepTemporaries, writeWhole } from '../runs/files.ts';
import { folderName } from '../runs/names.ts';
import { pool, type PoolOptions, workersFor } from './pool.ts';

const GRID = 'stitched_filters.png';
const MANIFEST = 'manifest.json';

/** What decides the bytes of a picture. */
export interface Making {
  readonly version: string;
  readonly model: string;
  /** SHA-256 of the weights file. */
  readonly weights: string;
  readonly layer: string;
  readonly preset: string;
  readonly settings: Settings;
  readonly seed: number;
  /** Pictures stretched to 0…255 once more, as Keras' `save_img` does. */
  readonly stretched: boolean;
}

/** The text chunk `phosphene` of a picture. */
export interface PictureRecord extends Making {
  readonly channel: number;
  /** Loss of the picture that entered the last step: what the Keras example returns. */
  readonly activation: number | null;
  readonly losses: readonly number[];
  readonly diagnosis?: Diagnosis;
}

/** One picture of a run. */
export interface Picture {
  readonly channel: number;
  readonly raster: Raster;
  readonly losses: readonly number[];
  readonly diagnosis?: Diagnosis;
}

export interface RenderOptions {
  readonly layer: string;
  readonly channels: readonly number[];
  readonly preset: string;
  readonly settings: Settings;
  readonly seed: number;
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type RenderEvent =
  | { readonly type: 'ready'; readonly workers: number }
  | { readonly type: 'steps'; readonly channel: number; readonly done: number }
  | { readonly type: 'picture'; readonly picture: Picture };

/** A layer that can be rendered. */
export interface Target {
  readonly channels: number;
  /** About the bytes that each worker needs for it. */
  readonly memory: number;
}

/** What the list of layers says about a layer at this size. Throws `unknown-layer`, or what bars the way to it. */
export async function targetOf(model: Network, layer: string, settings: Settings): Promise<Target> {
  const { layers } = model.layers(settings);
  const at = indexOf(layers, layer);
  if (at < 0) {
    // Cutting says why, if the layer exists but lies beyond an operator that is not supported.
    await reaching(model, settings, () => model.cut([layer], settings));
    throw unknownLayer(model.name, layer, layers);
  }
  const { channels } = layers[at]!;
  if (channels?.axis !== 1)
    throw new PhospheneError(
      'bad-option',
      `layer \`${layer}\` has no axis of channels that is known; choose another (\`phosphene layers\` lists those that can be rendered)`,
      { option: 'layer', layer },
    );
  return { channels: channels.count, memory: workerMemory(layers.slice(0, at + 1)) };
}

/** Refuses a run that this machine has not the memory for. Throws `too-large`. */
export function checkFits({ memory }: Target, channels: number, workers?: number): void {
  checkMemory(memory, freemem() / workersFor(channels, workers));
}

/**
 * Renders channels of a layer and yields pictures as they are finished, in no fixed order; each depends only on model, layer,
 * channel, settings and seed.
 */
export async function* renderChannels(model: Network, options: RenderOptions): AsyncGenerator<RenderEvent, void> {
  await check(model, options);
  yield* stream(() => build(model, options), options);
}

/** All that the list of layers says about a run's options. Throws `unknown-layer`, `too-large`, `bad-option`. */
async function check(model: Network, { layer, channels, settings, workers }: RenderOptions): Promise<void> {
  if (workers !== undefined && !(Number.isInteger(workers) && workers > 0))
    throw new PhospheneError('bad-option', `workers: ${workers} found; a whole number from 1 would do`, { workers });
  const target = await targetOf(model, layer, settings);
  const outside = channels.find((c) => !Number.isInteger(c) || c < 0 || c >= target.channels);
  if (outside !== undefined) throw outOfRange(layer, outside, target.channels);
  checkFits(target, channels.length, workers);
}

/** The step graph of a run: whatever else can be wrong with its options shows here. */
function build(model: Network, { layer, settings }: RenderOptions): Promise<Graph> {
  return reaching(model, settings, async () =>
    stepGraph(await model.cut([layer], settings), { objective: channelMean(settings.border) }),
  );
}

async function* stream(
  prepare: PoolOptions['prepare'],
  { layer, channels, settings, seed, workers, signal }: RenderOptions,
): AsyncGenerator<RenderEvent, void> {
  for await (const event of pool({ prepare, layer, seed, settings, channels, workers, signal })) {
    if (event.type !== 'done') yield event;
    else {
      const { channel, image, losses, diagnosis } = event;
      yield {
        type: 'picture',
        picture: {
          channel,
          losses,
          raster: deprocess(image, { ...settings, deviation: settings.contrast }),
          ...(diagnosis ? { diagnosis } : {}),
        },
      };
    }
  }
}

export function outOfRange(layer: string, channel: number, count: number): PhospheneError {
  return new PhospheneError(
    'bad-option',
    `filter ${channel} is out of range: \`${layer}\` has ${count} channels (0-${count - 1})`,
    { layer, channel, count },
  );
}

export interface RunOptions extends RenderOptions {
  readonly out: string;
  readonly columns?: number | undefined;
  readonly margin?: number | undefined;
  readonly stretched?: boolean;
}

export type RunEvent =
  | RenderEvent
  | { readonly type: 'resumed'; readonly channels: readonly number[] }
  | {
      readonly type: 'grid';
      readonly file: string;
      readonly width: number;
      readonly height: number;
      readonly manifest: string;
    };

/** The record of a run. Documented in docs/manifest.md. */
export interface Manifest extends Making {
  readonly format: 'phosphene-manifest/1';
  readonly grid: { readonly file: string; readonly columns: number | null; readonly margin: number };
  readonly filters: readonly {
    readonly channel: number;
    readonly status: 'done' | 'pending';
    readonly file: string;
    readonly activation: number | null;
    readonly losses: readonly number[];
    readonly diagnosis?: Diagnosis;
    readonly hint?: string;
  }[];
}

/**
 * Renders into a folder: `LAYER/CHANNEL.png`, `stitched_filters.png`, `manifest.json`. Pictures that are there already and were
 * made in exactly this way are kept; so a run that was killed goes on where it was, and ends with the same bytes.
 */
export async function* run(model: Network, options: RunOptions): AsyncGenerator<RunEvent, void> {
  const { layer, preset, settings, seed, out, columns, margin = 5, stretched = false } = options;
  const channels = [...new Set(options.channels)];
  const sheetOptions = { columns: columns ?? defaultColumns(channels.length), margin };
  if (channels.length === 0)
    throw new PhospheneError('bad-option', 'channels: none found; one at least is needed for a grid');
  const side = (length: number): number => length - 2 * settings.crop;
  const tile = { width: side(settings.width), height: side(settings.height) };
  // Asked before anything is rendered for it.
  gridSize(channels.length, tile, sheetOptions);
  await check(model, { ...options, channels });
  const making: Making = {
    version: VERSION,
    model: model.name,
    weights: await model.digest(),
    layer,
    preset,
    settings,
    seed,
    stretched,
  };
  const key = keyOf(making);
  const folder = folderName(layer, [GRID, MANIFEST]);
  const file = (channel: number): string => `${folder}/${channel}.png`;
  const pictures = new Map<number, Picture>();
  for (const channel of channels) {
    const found = await finished(join(out, file(channel)), key, channel);
    if (found) pictures.set(channel, found);
  }
  const missing = channels.filter((c) => !pictures.has(c));
  if (pictures.size > 0) yield { type: 'resumed', channels: [...pictures.keys()] };

  const writeManifest = (): Promise<void> => {
    const manifest: Manifest = {
      format: 'phosphene-manifest/1',
      ...making,
      grid: { file: GRID, columns: columns ?? null, margin },
      filters: channels.map((channel) => {
        const picture = pictures.get(channel);
        const { losses = [], diagnosis } = picture ?? {};
        return {
          channel,
          status: picture ? 'done' : 'pending',
          file: file(channel),
          activation: losses.at(-1) ?? null,
          losses,
          ...(diagnosis ? { diagnosis, hint: diagnoses[diagnosis] } : {}),
        };
      }),
    };
    return writeWhole(join(out, MANIFEST), `${JSON.stringify(manifest, undefined, 1)}\n`);
  };
  const begin = async (): Promise<void> => {
    await ensureFolder(join(out, folder));
    await Promise.all([sweepTemporaries(out), sweepTemporaries(join(out, folder))]);
    await writeManifest();
  };
  const prepare = async (): Promise<Graph> => {
    // The last thing that can be wrong with options, and nothing is written yet: those that cannot work leave no trace.
    const graph = await build(model, options);
    await begin();
    return graph;
  };
  if (missing.length === 0) await begin();
  for await (const event of stream(prepare, { ...options, channels: missing })) {
    if (event.type !== 'picture') {
      yield event;
      continue;
    }
    const { channel, losses, diagnosis } = event.picture;
    const raster = stretched ? rescaleLikeKeras(event.picture.raster) : event.picture.raster;
    const record: PictureRecord = {
      ...making,
      channel,
      activation: losses.at(-1) ?? null,
      losses,
      ...(diagnosis ? { diagnosis } : {}),
    };
    await writeWhole(
      join(out, file(channel)),
      encodePng(raster, { Software: `phosphene ${VERSION}`, phosphene: asciiJson(record) }),
    );
    pictures.set(channel, { ...event.picture, raster });
    await writeManifest();
    yield { type: 'picture', picture: pictures.get(channel)! };
  }

  const sheet = grid(
    channels.map((c) => pictures.get(c)?.raster),
    sheetOptions,
  );
  const name = join(out, GRID);
  await writeWhole(
    name,
    encodePng(sheet, { Software: `phosphene ${VERSION}`, phosphene: asciiJson({ ...making, channels }) }),
  );
  await writeManifest();
  yield { type: 'grid', file: name, width: sheet.width, height: sheet.height, manifest: join(out, MANIFEST) };
}

/** A digest of everything that decides a picture of the run. */
function keyOf({ version, model, weights, layer, preset, settings, seed, stretched }: Making): string {
  const ordered = Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([version, model, weights, layer, preset, ordered, seed, stretched]))
    .digest('hex');
}

/** The picture in a file where it is whole and was made in this way. */
async function finished(path: string, key: string, channel: number): Promise<Picture | undefined> {
  try {
    const { raster, text } = decodePng(await readFile(path));
    const record = JSON.parse(text['phosphene'] ?? 'null') as PictureRecord | null;
    if (!record || record.channel !== channel || keyOf(record) !== key) return undefined;
    return { channel, raster, losses: record.losses, ...(record.diagnosis ? { diagnosis: record.diagnosis } : {}) };
  } catch {
    // Absent, cut short, or something else: made anew.
    return undefined;
  }
}
