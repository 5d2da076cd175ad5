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
import { openModel, type OpenModel } from './hub/open.ts';
import { ensureWeights, type EnsureOptions } from './hub/weights.ts';
import type { Model } from './import/model.ts';
import { renderChannels, type RenderEvent, type RenderOptions, run, type RunEvent } from './jobs/run.ts';
import { type Settings, settingsOf } from './render/presets.ts';

export * from './index.ts';
export { type OpenModel } from './hub/open.ts';
export type { Manifest, Picture, PictureRecord, RenderEvent, RunEvent } from './jobs/run.ts';
export { nodeRuntime } from './runtime/node.ts';

export interface Open extends EnsureOptions {
  /** A weights file to use in place of the published one. */
  readonly weights?: string | undefined;
}

/**
 * Opens a model: a name (`resnet50v2-mini`, built in; `resnet50v2` and its family, fetched once into a cache unless `weights`
 * is given) or the path of an ONNX file. Close it when its layers have been cut.
 */
export function open(model: string = BUILT_IN, { weights, ...ensure }: Open = {}): Promise<OpenModel> {
  return openModel(model, { weights, fetchWeights: (name) => ensureWeights(name, ensure) });
}

/** Names that {@link open} knows. */
export const models: readonly string[] = modelNames;

export interface Render {
  readonly layer?: string;
  readonly channels: readonly number[];
  /** Settings start from a preset (`keras`) … */
  readonly preset?: string;
  /** … with these replaced. */
  readonly settings?: Partial<Settings>;
  readonly seed?: number;
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The options with everything filled in that may be left out; what else is among them is handed on. */
function filled<T extends Render>(model: Model, options: T): T & RenderOptions {
  const { layer = model.defaultLayer, preset = 'keras', settings, seed = 0 } = options;
  return { ...options, layer, preset, seed, settings: settingsOf(preset, settings) };
}

/** Renders channels and yields events; pictures come as they are finished. Stops with `break` or the signal. */
export function render(model: Model, options: Render): AsyncGenerator<RenderEvent, void> {
  return renderChannels(model, filled(model, options));
}

export interface RenderToFolder extends Render {
  readonly out: string;
  readonly columns?: number | undefined;
  readonly margin?: number | undefined;
  readonly stretched?: boolean;
}

/** Renders into a folder: pictures, grid and manifest; what is there already is kept, so a killed run goes on. */
export function renderToFolder(model: Model, options: RenderToFolder): AsyncGenerator<RunEvent, void> {
  return run(model, filled(model, options));
}
