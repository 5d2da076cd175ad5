/**
 * @file phosphene for Node: open a model, render its filters.
 *
 * @example
 * import { open, render } from 'phosphene/node';
 * const model = await open('resnet50v2-mini');
 * for await (const event of render(model, { layer: 'conv3_block4_out', channels: [0, 1, 2] })) {
 *   if (event.type === 'picture') console.log(event.picture.channel, event.picture.losses.at(-1));
 * }
 */
import { BUILT_IN, modelNames } from './hub/models.ts';
import { openModel } from './hub/open.ts';
import { ensureWeights, type EnsureOptions } from './hub/weights.ts';
import type { Network } from './import/network.ts';
import type { PreprocessSpec } from './import/preprocess.ts';
import { renderChannels, type RenderEvent, type RenderOptions, run, type RunEvent } from './jobs/run.ts';
import { type Settings, settingsOf } from './render/presets.ts';

export * from './index.ts';
export type { Manifest, Picture, PictureRecord, RenderEvent, RunEvent } from './jobs/run.ts';
export { nodeRuntime } from './runtime/node.ts';

/** What {@link open} takes; the rest is about downloads: `cacheDir`, `onProgress`, `signal`, `fetch`, `stallMs`, `retries`. */
export interface Open extends EnsureOptions {
  /** A Keras HDF5 weights file to use in place of the published one. */
  readonly weights?: string | undefined;
  /**
   * What the network expects of a picture: `tf`, `torch`, `caffe`, `raw`, or `{ range, mean, std, bgr }`. Needed if the file does not
   * say it: [-1, 1] is assumed then (`network.input.from` is `assumed`).
   */
  readonly preprocess?: PreprocessSpec | undefined;
}

/**
 * Opens a model: a name (`resnet50v2-mini`, built in; `resnet50v2` and its family, fetched once into a cache unless `weights`
 * is given) or the path of an ONNX file. Close it when its layers have been cut.
 *
 * Throws `unknown-model`, `bad-file`, `filesystem`, and for published weights `offline`, `download`, `hash-mismatch`,
 * `aborted`.
 *
 * @example
 * const model = await open('resnet50v2', { weights: 'resnet50v2.h5' });
 * model.layers({ height: 180, width: 180 }).layers.map((l) => l.name);
 */
export function open(model: string = BUILT_IN, { weights, preprocess, ...ensure }: Open = {}): Promise<Network> {
  return openModel(model, { weights, preprocess, fetchWeights: (name) => ensureWeights(name, ensure) });
}

/** Names that {@link open} knows. */
export const models: readonly string[] = modelNames;

/** What is rendered, and how. */
export interface Render {
  /** Default: the model's own choice. */
  readonly layer?: string;
  /** Channels of the layer, from 0; their pictures come in no fixed order. */
  readonly channels: readonly number[];
  /** Settings start from a preset (`keras`, the default) … */
  readonly preset?: string;
  /** … with these replaced. */
  readonly settings?: Partial<Settings>;
  /** Of the start noise; 0 unless given. The same seed gives the same bytes. */
  readonly seed?: number;
  /** Worker threads; one a core unless given, and never more than channels. */
  readonly workers?: number | undefined;
  /** Ends the run after the step under way; it then throws `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** The options with everything filled in that may be left out; what else is among them is handed on. */
function filled<T extends Render>(model: Network, options: T): T & RenderOptions {
  const { layer = model.defaultLayer, preset = 'keras', settings, seed = 0 } = options;
  return { ...options, layer, preset, seed, settings: settingsOf(preset, settings) };
}

/**
 * Renders channels and yields events: `ready` when all workers have compiled, `steps` now and then, and a `picture` for each
 * channel as it is finished. A `break` ends the workers, and so does the signal.
 *
 * Throws `unknown-preset` and `bad-option` at once; when iterated `unknown-layer`, `bad-option`, `too-large`, `bad-weights`,
 * `missing-weights`, `unsupported-op`, `shape`, `runtime`, `aborted`.
 *
 * @example
 * for await (const event of render(model, { layer: 'conv3_block4_out', channels: [0, 1] }))
 *   if (event.type === 'picture') await writeFile(`${event.picture.channel}.png`, encodePng(event.picture.raster));
 */
export function render(model: Network, options: Render): AsyncGenerator<RenderEvent, void> {
  return renderChannels(model, filled(model, options));
}

/** The same into a folder. */
export interface RenderToFolder extends Render {
  /** The folder, made where it is missing. */
  readonly out: string;
  /** Pictures in a row of the grid; about a square unless given. */
  readonly columns?: number | undefined;
  /** Pixels between the pictures of the grid; 5 unless given. */
  readonly margin?: number | undefined;
  /** Stretches each picture to full contrast once more, as Keras' `save_img` does. */
  readonly stretched?: boolean;
}

/**
 * Renders into a folder: `LAYER/CHANNEL.png`, `stitched_filters.png` and `manifest.json`. Pictures that are there already and were
 * made in exactly this way are kept, so a killed run goes on. Yields what {@link render} does, `resumed` with the channels that
 * were there, and `grid` at the end. Throws what {@link render} throws, and `filesystem`.
 *
 * @example
 * for await (const event of renderToFolder(model, { channels: [0, 1, 2, 3], out: 'out' }))
 *   if (event.type === 'grid') console.log(event.file, event.width, event.height);
 */
export function renderToFolder(model: Network, options: RenderToFolder): AsyncGenerator<RunEvent, void> {
  return run(model, filled(model, options));
}
