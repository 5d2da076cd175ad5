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
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { PhospheneError } from './errors.ts';
import { BUILT_IN, modelNames } from './hub/models.ts';
import { openModel } from './hub/open.ts';
import { ensureWeights, type EnsureOptions } from './hub/weights.ts';
import type { Network } from './import/network.ts';
import type { PreprocessSpec } from './import/preprocess.ts';
import { animateAscent, animateMorph, framesAt } from './jobs/animate.ts';
import { chooseDevice, type DeviceChoice } from './jobs/device.ts';
import { type DreamEvent, dreamPhoto } from './jobs/dream.ts';
import { nodeHost } from './jobs/node-host.ts';
import { createPool, type Pool } from './jobs/pool.ts';
import { type Plan, planOf, type RenderOptions } from './jobs/plan.ts';
import { type Engine, factsOf, memoryOf, type RenderEvent, targetOf } from './jobs/render.ts';
import { dreamDigest, dreamSettings, type DreamSettings, tileSize } from './render/dream.ts';
import { channelRecipe, recipeOf, type RecipeOptions, settle, type Shown, sizeShown } from './render/recipe.ts';
import type { PresetName } from './render/presets.ts';
import { targets } from './render/targets.ts';
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
import { checked, choice, flag, normalised, whole } from './settings.ts';
import { VERSION } from './version.ts';
import type { Device } from './runtime/index.ts';
import type { Optional } from './noun.ts';
import { contactSheet, sideBySide, type SheetRow, type SidePicture } from './output/contact.ts';
import { tileOf } from './output/tile.ts';
import { encodeApng } from './output/apng.ts';
import { encodeGif } from './output/gif.ts';
import { defaultColumns } from './output/grid.ts';
import { asciiJson, decodePng, encodePng } from './output/png.ts';
import { ensureFolder } from './folder.ts';

export * from './index.ts';
export type { DownloadOptions } from './hub/download.ts';
export { readLabels } from './hub/labels.ts';
export { openPhoto } from './hub/photo.ts';
export { openPhotos } from './hub/photos.ts';
export type { EnsureOptions } from './hub/weights.ts';
export { choiceInWords, type DeviceChoice } from './jobs/device.ts';
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
export { nodeRuntime, webgpuRuntime } from './runtime/node.ts';

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

/** What it is rendered on. */
export interface OnDevice {
  /**
   * The CPU unless given. `webgpu` is the machine's GPU, with one worker. `auto` lets both compute a few steps first, compares their
   * gradients, and takes the faster one. The same recipe gives another picture on each, and the picture says which it was
   * (docs/devices.md). A `pool` that is given must be of this device.
   */
  readonly device?: Device | 'auto' | undefined;
}

/** Which device was taken, if `auto` was asked for. */
export interface DeviceEvent {
  readonly type: 'device';
  readonly choice: DeviceChoice;
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

/** The pool that is given, else one for so many jobs; and how it is left. */
function givenOrOwn(
  { pool, workers }: Running,
  device: Device,
  jobs: number,
  warm?: number,
): { pool: Pool; leave: () => Promise<void> } {
  if (workers !== undefined) checked(threads, 'workers', workers);
  if (pool) return { pool, leave: async () => {} };
  const host = nodeHost({ parallelism: device === 'cpu' ? workers : 1, device });
  const own = createPool(host, { workers: Math.max(1, Math.min(host.parallelism, jobs)), warm });
  return { pool: own, leave: () => own.close() };
}

/** A pool for so many jobs of what is raised, and how it is left. Throws `too-large` if this machine has not the memory for it. */
function poolFor(
  network: Network,
  raised: Parameters<typeof memoryOf>[1],
  shown: Shown,
  jobs: number,
  running: Running,
  device: Device = 'cpu',
): { pool: Pool; leave: () => Promise<void> } {
  const found = givenOrOwn(running, device, jobs);
  checkMemory(memoryOf(network, raised, shown), freemem() / found.pool.workers);
  // They load their engines while weights are read and the program is built.
  if (!running.pool) found.pool.start();
  return found;
}

/** The setting {@link OnDevice.device}. */
const devices = choice({ help: 'What it is computed on', of: ['cpu', 'webgpu', 'auto'], default: 'cpu' });

/** Renders on the device that is asked for; if it is to be measured, when the first picture is wanted. */
async function* renderOn(
  network: Network,
  plan: Plan,
  running: Running & OnDevice,
  render: (engine: Engine) => AsyncGenerator<RenderEvent, void>,
): AsyncGenerator<RenderEvent | DeviceEvent, void> {
  const { device = 'cpu', pool, signal } = running;
  const begin = (on: Device): Engine & { readonly leave: () => Promise<void> } => ({
    ...poolFor(network, plan, plan.settled, plan.jobs, running, on),
    lowering: on,
    signal,
  });
  if (device !== 'auto') {
    const engine = begin(device);
    try {
      return yield* render(engine);
    } finally {
      await engine.leave();
    }
  }
  if (pool)
    throw new PhospheneError(
      'bad-option',
      'device: `auto` needs workers of its own; say which device the `pool` is of',
      {
        option: ['device', 'pool'],
      },
    );
  const engines = { cpu: begin('cpu'), webgpu: begin('webgpu') };
  try {
    const made = await chooseDevice(network, plan, engines);
    yield { type: 'device', choice: made };
    await engines[made.device === 'cpu' ? 'webgpu' : 'cpu'].leave();
    yield* render(engines[made.device]);
  } finally {
    await Promise.all([engines.cpu.leave(), engines.webgpu.leave()]);
  }
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
  running: Running & OnDevice = {},
): AsyncGenerator<RenderEvent | DeviceEvent, void> {
  checked(devices, 'device', running.device ?? 'cpu');
  const plan = await planOf(network, options);
  yield* renderOn(network, plan, running, (engine) => plan.render(engine));
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
  running: RunningToFolder & OnDevice,
): AsyncGenerator<RenderEvent | RunEvent | DeviceEvent, void> {
  const { out, columns, margin, captions, device = 'cpu' }: Partial<RunningToFolder & OnDevice> = running ?? {};
  checked(devices, 'device', device);
  if (typeof out !== 'string' || out === '')
    throw new PhospheneError('bad-option', 'out: the path of a folder is needed', { option: 'out' });
  const plan = await planOf(network, options);
  const { settled, layer, channels, raised } = plan;
  const facts = await factsOf(network);
  yield* run<RenderEvent | DeviceEvent>({
    out,
    columns,
    margin,
    captions,
    channels,
    series: raised ? seriesOfObjective(settled, facts, raised) : seriesOf(settled, facts, layer, plan.targets[0]),
    render: (wanted) => renderOn(network, plan, running, (engine) => plan.render(engine, wanted)),
  });
}

/** One pool for several runs in turn. Each worker keeps one program: most runs have their own, and each takes the memory of a step. */
function sharedPool(running: Running & OnDevice, jobs: number): { pool: Pool; leave: () => Promise<void> } {
  const { device = 'cpu' } = running;
  checked(devices, 'device', device);
  if (device === 'auto')
    throw new PhospheneError(
      'bad-option',
      'device: `auto` is measured for one set of pictures, and there are several; choose `cpu` or `webgpu`',
      { option: 'device' },
    );
  return givenOrOwn(running, device, jobs, 1);
}

/** What is rendered by several presets. */
export interface SideBySideWanted extends Omit<RenderOptions, 'preset'> {
  /** From left to right; repeated ones count once. */
  readonly presets: readonly PresetName[];
}

/** The pictures of a preset begin, or all grids stand side by side in a file. */
export type SideBySideEvent =
  | {
      readonly type: 'preset';
      readonly preset: PresetName;
      readonly index: number;
      readonly of: number;
      /** Steps of each of its pictures. */
      readonly steps: number;
    }
  | { readonly type: 'side-by-side'; readonly file: string; readonly width: number; readonly height: number };

/** The file of grids that stand side by side, in its folder of results. */
const SIDE_BY_SIDE = 'side_by_side.png';

/**
 * The same pictures by several presets, and their grids side by side. Each preset is rendered as {@link renderToFolder} does, so pictures
 * that are there are kept. Yields what that does, a `preset` before each, and last `side-by-side`.
 *
 * Throws what {@link renderToFolder} throws, `bad-option` if there is no preset, and `too-large` if the grids are.
 *
 * @example
 * const wanted = { channels: [0, 1, 2, 3], presets: ['keras', 'natural'] } as const;
 * for await (const event of renderSideBySide(network, wanted, { out: 'out' }))
 *   if (event.type === 'side-by-side') console.log(event.file);
 */
export async function* renderSideBySide(
  network: Network,
  { presets: chosen, ...options }: SideBySideWanted,
  running: RunningToFolder & OnDevice,
): AsyncGenerator<RenderEvent | RunEvent | DeviceEvent | SideBySideEvent, void> {
  const names = [...new Set(chosen)];
  // A mistake in the last of them is found before the first is rendered.
  const plans = await Promise.all(names.map((preset) => planOf(network, { ...options, preset })));
  const pictures: SidePicture[] = [];
  const { pool, leave } = sharedPool(running, plans[0]?.jobs ?? 1);
  try {
    for (const [index, preset] of names.entries()) {
      yield { type: 'preset', preset, index, of: names.length, steps: plans[index]!.settled.steps };
      for await (const event of renderToFolder(network, { ...options, preset }, { ...running, pool })) {
        yield event;
        if (event.type === 'grid')
          pictures.push({ title: preset, picture: decodePng(await readFile(event.file)).raster });
      }
    }
  } finally {
    await leave();
  }
  const picture = sideBySide(pictures);
  const { layer, channels } = plans[0]!;
  const record = {
    format: 'phosphene-side-by-side/1',
    version: VERSION,
    model: network.name,
    layer,
    channels,
    presets: names,
  };
  const file = join(running.out, SIDE_BY_SIDE);
  await writeWhole(file, encodePng(picture, { Software: `phosphene ${VERSION}`, phosphene: asciiJson(record) }));
  yield { type: 'side-by-side', file, width: picture.width, height: picture.height };
}

/** What stands on a contact sheet: a row for each layer, preset and seed. */
export interface SheetWanted extends Omit<
  RenderOptions,
  'layer' | 'preset' | 'seed' | 'class' | 'objective' | 'labels'
> {
  /** Some layers, spread over the network, unless given. */
  readonly layers?: readonly string[] | undefined;
  /** The default preset unless given. */
  readonly presets?: readonly PresetName[] | undefined;
  /** 0 unless given. */
  readonly seeds?: readonly number[] | undefined;
  /** Those that a layer has not are left out. */
  readonly channels: readonly number[];
}

/** A row of a sheet begins or has ended, or the sheet is there. */
export type SheetEvent =
  | {
      readonly type: 'row';
      readonly row: number;
      readonly of: number;
      readonly title: string;
      readonly pictures: number;
    }
  | { readonly type: 'sheet'; readonly file: string; readonly width: number; readonly height: number };

/** The file of a sheet in its folder of results. */
const SHEET = 'contact_sheet.png';

/** Rows of a sheet if nobody says which layers. */
const ROWS = 8;

/**
 * A contact sheet in a folder of results: the same channels of several layers, presets or seeds, a row each. Each row is rendered as
 * {@link renderToFolder} does, so pictures that are there are kept. Yields what that does, a `row` before each, and last the `sheet`.
 *
 * @example
 * for await (const event of contact(network, { layers: ['conv2_block1_out', 'conv3_block4_out'], channels: [0, 1, 2, 3] }, { out: 'out' }))
 *   if (event.type === 'sheet') console.log(event.file);
 */
export async function* contact(
  network: Network,
  { layers, presets: chosen, seeds = [0], channels, start, ...options }: SheetWanted,
  { out, margin, captions = false, ...running }: Omit<RunningToFolder, 'columns'>,
): AsyncGenerator<RenderEvent | RunEvent | DeviceEvent | SheetEvent, void> {
  const rows = (chosen ?? [undefined]).flatMap((preset) => {
    const { preset: name, ...settled } = settle({ ...options, preset }, network.input.size);
    const possible = targets(network, sizeShown(settled));
    const outputs = possible.filter(({ type }) => /^(Add|Concat)/.test(type));
    const of = outputs.length >= ROWS / 2 ? outputs : possible;
    const some = layers ?? evenly(of, ROWS).map((target) => target.name);
    return some.flatMap((layer) => seeds.map((seed) => ({ layer, preset: name, seed })));
  });
  // By layer, so that what is to be compared stands together.
  const order = [...new Set(rows.map(({ layer }) => layer))];
  rows.sort((a, b) => order.indexOf(a.layer) - order.indexOf(b.layer));
  const titled = (key: 'layer' | 'preset' | 'seed'): boolean => new Set(rows.map((row) => row[key])).size > 1;
  const sheet: SheetRow[] = [];
  const { pool, leave } = sharedPool(running, channels.length);
  try {
    for (const [i, { layer, preset, seed }] of rows.entries()) {
      const recipe = { ...options, preset, seed } as RecipeOptions;
      const { name, channels: has } = await targetOf(network, layer, settle(recipe, network.input.size));
      const own = channels.filter((channel) => channel < has.count);
      const differs = [
        ...(titled('layer') || !(titled('preset') || titled('seed')) ? [name] : []),
        ...(titled('preset') ? [preset] : []),
        ...(titled('seed') ? [`seed ${seed}`] : []),
      ];
      const title = differs.join('  ');
      yield { type: 'row', row: i, of: rows.length, title, pictures: own.length };
      let folder: string | undefined;
      const wanted = { ...recipe, start, layer: name, channels: own };
      for await (const event of renderToFolder(network, wanted, { out, ...running, pool })) {
        yield event;
        if (event.type === 'grid') ({ folder } = event);
      }
      const tiles = await Promise.all(
        own.map(async (channel) => {
          const { raster, text } = decodePng(await readFile(join(folder!, `${channel}.png`)));
          const { status } = JSON.parse(text['phosphene']!) as { readonly status: string };
          return tileOf(raster, { label: captions ? String(channel) : undefined, status });
        }),
      );
      sheet.push({ title, tiles });
    }
  } finally {
    await leave();
  }
  const picture = contactSheet(sheet, margin === undefined ? {} : { margin });
  const record = { format: 'phosphene-sheet/1', version: VERSION, model: network.name, rows, channels };
  const file = join(out, SHEET);
  await writeWhole(file, encodePng(picture, { Software: `phosphene ${VERSION}`, phosphene: asciiJson(record) }));
  yield { type: 'sheet', file, width: picture.width, height: picture.height };
}

/** At most so many, evenly spread, the last among them. */
function evenly<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  return Array.from({ length: most }, (_, i) => items[Math.ceil(((i + 1) * items.length) / most) - 1]!);
}

/** How an animation is made and shown. */
export interface AnimateOptions {
  /** Pictures of an ascent, or from one channel to the next; 24 unless given. */
  readonly frames?: number | undefined;
  /** Whether channels turn into one another, and the last into the first, in place of being ascended side by side. */
  readonly morph?: boolean | undefined;
  /** Milliseconds that each picture is seen; 80 unless given. */
  readonly delay?: number | undefined;
}

/** The settings of animations. */
export const animateSettings = {
  frames: whole({
    help: 'Pictures of the ascent; with --morph, from one filter to the next',
    default: 24,
    from: 1,
    to: 1000,
  }),
  delay: whole({ help: 'Milliseconds that each picture is seen', default: 80, from: 10, to: 60_000 }),
  morph: flag({ help: 'Filters turn into one another, in place of being ascended side by side', default: false }),
};

/**
 * An animation as a file: ascents side by side, as they go on; or channels that turn into one another. The file's ending says its format: `.gif`,
 * or `.png` and `.apng` for an animated PNG, which has all colours. How it was made stands in it. Yields what {@link render} does, and a `file`.
 * Throws what that throws, and `filesystem`.
 *
 * @example
 * for await (const event of animate(network, { channels: [0, 1, 2, 3] }, { frames: 20 }, { out: 'ascent.gif' }))
 *   if (event.type === 'file') console.log(event.file, event.frames);
 */
export async function* animate(
  network: Network,
  options: RenderOptions,
  animation: AnimateOptions,
  { out, columns, margin, captions = false, ...running }: RunningToFolder,
): AsyncGenerator<RenderEvent | AnimationFile, void> {
  const { frames: count, morph, delay } = normalised(animateSettings, animation, 'animation');
  const format = /\.(gif|png|apng)$/i.exec(out)?.[1]?.toLowerCase();
  if (!format)
    throw new PhospheneError('bad-option', `out: ${out} is to end in .gif, .png or .apng, which says its format`, {
      option: 'out',
    });
  const plan = await planOf(network, options);
  const steps = morph ? undefined : framesAt(plan.settled.steps, count);
  const { pool, leave } = poolFor(network, plan, plan.settled, morph ? Infinity : plan.jobs, running);
  await ensureFolder(dirname(out));
  try {
    const engine = { pool, lowering: 'cpu', signal: running.signal } as const;
    const layout = {
      columns: columns ?? defaultColumns(plan.channels.length),
      ...(margin === undefined ? {} : { margin }),
    };
    const events = steps
      ? animateAscent(plan, engine, { steps, captions, ...layout })
      : animateMorph(network, plan, engine, { between: count });
    for await (const event of events) {
      if (event.type !== 'frames') {
        yield event;
        continue;
      }
      const { frames } = event;
      const { settled, layer, channels, raised } = plan;
      const facts = await factsOf(network);
      const recipe = raised
        ? recipeOf({ ...settled, pictures: plan.pictures }, facts, { ...raised.recorded, picture: 0 })
        : channelRecipe(settled, facts, layer, channels[0]!);
      const record = {
        format: 'phosphene-animation/1',
        version: VERSION,
        kind: morph ? 'morph' : 'ascent',
        preset: settled.preset,
        layer,
        channels,
        recipe,
        ...(steps ? { steps } : { between: count }),
      };
      // Round and round: what turns into itself does not rest.
      const timing = { delay, ...(morph ? { hold: delay } : {}) };
      const phosphene = asciiJson(record);
      const bytes =
        format === 'gif'
          ? await encodeGif(frames, { ...timing, comment: phosphene })
          : encodeApng(frames, timing, { Software: `phosphene ${VERSION}`, phosphene });
      await writeWhole(out, bytes);
      const { width, height } = frames[0]!;
      yield { type: 'file', file: out, width, height, frames: frames.length };
    }
  } finally {
    await leave();
  }
}

/** An animation is in its file. */
export interface AnimationFile {
  readonly type: 'file';
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly frames: number;
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
