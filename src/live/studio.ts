/** @file A studio: networks that stay open, and pictures that can be watched while they are made. */
import { PhospheneError } from '../errors.ts';
import { defaultSize, type Network, type Size } from '../import/network.ts';
import type { PreprocessSpec } from '../import/preprocess.ts';
import {
  checkChannel,
  type Engine,
  factsOf,
  memoryOf,
  raisedIn,
  renderChannels,
  type RenderEvent,
  renderObjective,
  targetOf,
} from '../jobs/render.ts';
import { activationMap, strengthsOf } from '../jobs/look.ts';
import type { Pool } from '../jobs/pool.ts';
import { nearestTo, portraitOf } from '../jobs/study.ts';
import { remedyOf } from '../render/diagnosis.ts';
import type { PresetName } from '../render/presets.ts';
import {
  atStride,
  channelRecipe,
  digestOf,
  fitted,
  type Recipe,
  recipeOf,
  type RecipeOptions,
  settle,
  type Settled,
} from '../render/recipe.ts';
import { encodePicture, type Expected, type Finished } from '../render/record.ts';
import { checkMemory } from '../render/step.ts';
import { raster, type Raster } from '../output/raster.ts';
import { strideOfAll, surveyed, type Target } from '../render/targets.ts';
import type { LoweringName } from '../runtime/index.ts';
import { checked, whole } from '../settings.ts';
import { catalogueOf, optionsOf } from './catalogue.ts';
import { heatOf, peaksOf, valuesAt } from './seen.ts';
import type { Catalogue, Look, ModelFacts, ModelRef, News, Seen, Shown, Studied, Study, Wish } from './protocol.ts';

/** Where finished pictures are kept: a picture of the same digest is the same picture. It may forget any of them. */
export interface Store {
  /** The picture, if it is there; anything that is not exactly the expected one is not. */
  get(expected: Expected): Promise<Finished | undefined>;
  /** Keeps a PNG file with its record. Throws nothing. */
  put(digest: string, png: Uint8Array): Promise<void>;
}

/** What a studio is made of. */
export interface StudioOptions {
  /** Names of the networks that can be opened, the one that is shown first in front. */
  readonly models: readonly string[];
  /** Opens one of them. Asked once for each name and preprocessing. */
  readonly open: (name: string, preprocess: PreprocessSpec | undefined) => Promise<Network>;
  readonly pool: Pool;
  /** Where photos are looked at; `pool` unless given. One of its own answers while pictures are being made. */
  readonly eyes?: Pool | undefined;
  /** How gradients are spelled for the pool's runtime. */
  readonly lowering: LoweringName;
  /** The engine in words. */
  readonly engine: string;
  /** Bytes that a worker may take. */
  readonly memory: () => number;
  readonly store?: Store | undefined;
}

/** Networks that stay open, and pictures of them. */
export interface Studio {
  catalogue(): Catalogue;
  /** Throws what opening throws. */
  facts(model: ModelRef): Promise<ModelFacts>;
  /**
   * A picture while it is made. Leaving the loop stops the work, and so does the signal. Throws `unknown-model`, `unknown-layer`,
   * `unknown-preset`, `bad-option`, `too-large`, what opening throws, and what rendering throws.
   *
   * @example
   * for await (const news of studio.watch({ model: { name: 'net.onnx' }, layer: 'conv1', channel: 3, frames: 8 }))
   *   if (news.type !== 'step') console.log(news.type);
   */
  watch(wish: Wish, signal?: AbortSignal): AsyncIterable<News>;
  /**
   * What a network sees in a photo. Throws `unknown-layer`, `bad-option`, `too-large`, what opening throws, and what running throws.
   *
   * @example
   * const seen = await studio.look({ model: { name: 'net.onnx' }, photo, ask: { what: 'heat', layer: 'conv1', channel: 3 } });
   */
  look(look: Look, signal?: AbortSignal): Promise<Seen>;
  /**
   * What a layer's channels are like, judged by how they answer to noise. Throws what {@link look} throws.
   *
   * @example
   * const { byActivation } = await studio.study({ model, layer: 'conv1', ask: { what: 'nearest', channel: 3 } });
   */
  study(study: Study, signal?: AbortSignal): Promise<Studied>;
  /** Closes the networks. The pool is its maker's. */
  close(): Promise<void>;
}

/** What one wish may ask for: wishes come from pages, and those from anywhere. */
const limits = {
  frames: whole({ help: 'Pictures of the way', default: 0, to: 128 }),
  steps: whole({ help: 'Steps of ascent', default: 0, to: 1 << 13 }),
  size: whole({ help: 'Picture size in pixels', default: 0, from: 1, to: 1 << 11 }),
  photo: whole({ help: 'Size of a photo in pixels', default: 0, from: 1, to: 1 << 10 }),
} as const;
/** Someone waits for the answer to a photo with the finger on it. */
const FIRST = Number.MAX_SAFE_INTEGER;
/** Letters of a name or a setting. */
const MOST_LETTERS = 4096;

/**
 * A studio.
 *
 * @example
 * const studio = createStudio({
 *   models: ['net.onnx'],
 *   open: (name, preprocess) => openNetwork(bytesSource(name, bytes), { preprocess }),
 *   pool: createPool(webHost(makeWorker)),
 *   lowering: 'wasm',
 *   engine: 'onnxruntime-web wasm',
 *   memory: () => 2 ** 31,
 * });
 */
export function createStudio(options: StudioOptions): Studio {
  const { models, open, pool, eyes = pool, lowering, engine, memory, store } = options;
  const networks = new Map<string, Promise<Network>>();

  const opened = ({ name, preprocess }: ModelRef): Promise<Network> => {
    const key = JSON.stringify([name, preprocess]);
    const known = networks.get(key);
    if (known) return known;
    const network = Promise.resolve().then(() => open(textOf('model', name), preprocessOf(preprocess)));
    networks.set(key, network);
    // It may be there the next time.
    network.catch(() => networks.delete(key));
    return network;
  };

  const facts = async (ref: ModelRef): Promise<ModelFacts> => {
    const network = await opened(ref);
    const { input, labels, defaultLayer } = network;
    const { size } = settle({ finish: { crop: 0 } }, input.size);
    const { barrier } = network.layers(defaultSize(input, size));
    return {
      ref,
      digest: await network.digest(),
      input,
      size,
      layers: surveyed(network, size).map(({ layer: { name, path, type, dims, parameters, channels }, obstacle }) => ({
        name,
        type,
        dims,
        parameters,
        ...(path === undefined ? {} : { path }),
        ...(channels ? { channels: channels.count } : {}),
        ...(obstacle ? { obstacle } : {}),
      })),
      ...(barrier ? { barrier: barrier.message } : {}),
      defaultLayer,
      ...(labels ? { labels } : {}),
    };
  };

  const watch = async function* (wish: Wish, signal?: AbortSignal): AsyncGenerator<News, void> {
    const { preset, size, settings = {}, frames = 0, kept = true, png = false, priority = 0 } = wish;
    checked(limits.frames, 'frames', frames);
    const network = await opened(wish.model);
    const options: RecipeOptions = { ...optionsOf(settings), preset: preset as PresetName | undefined, size };
    const first = settle(options, network.input.size);
    const { height, width } = first.size;
    checked(limits.size, 'size', Math.max(height, width));
    checked(limits.steps, 'steps', first.steps);
    const { settled, raised, recipe, which, begin } = await (wish.objective === undefined
      ? channelOf(network, wish, options, first)
      : objectiveOf(network, wish, wish.objective, options, first));
    const { steps, finish } = settled;
    const expected: Expected = {
      recipe,
      digest: digestOf(recipe),
      preset: settled.preset,
      width: width - 2 * finish.crop,
      height: height - 2 * finish.crop,
    };
    const shown = (picture: Finished, wasKept: boolean, file?: Uint8Array): News => {
      const { raster, losses, diagnosis } = picture;
      const bytes = png ? (file ?? encodePicture(expected, picture)) : undefined;
      const { status = 'ok' } = diagnosis ?? {};
      const why = status === 'ok' ? {} : { diagnosis: status, hint: remedyOf(status, recipe.gradient?.redirect)! };
      const made: Shown = { raster, recipe, losses, kept: wasKept, ...why, ...(bytes ? { png: bytes } : {}) };
      return { type: 'picture', picture: made };
    };
    const found = await store?.get(expected);
    if (signal?.aborted) throw new PhospheneError('aborted', 'aborted', {}, signal.reason);
    if (found) yield shown(found, true);
    if (found && kept) return;
    checkMemory(memoryOf(network, raised, settled), memory());
    for await (const event of begin({ pool, lowering, signal, priority }, spread(frames, steps))) {
      if (event.type === 'snapshot' && event.channel !== which) continue;
      if (event.type === 'steps') yield { type: 'step', done: event.done, steps, loss: event.loss };
      else if (event.type === 'snapshot') yield { type: 'frame', step: event.step, raster: event.raster };
      else if (event.type === 'picture') {
        const file = store ? encodePicture(expected, event.picture) : undefined;
        if (file) await store!.put(expected.digest, file);
        yield shown(event.picture, false, file);
      }
    }
  };

  /** How a network is looked at with a picture of this size. Throws `too-large`. */
  const seeing = (network: Network, photo: Size, signal: AbortSignal | undefined): Engine => {
    const targets = network.layers(defaultSize(network.input, photo)).layers.slice(-1);
    checkMemory(memoryOf(network, { targets }, { size: defaultSize(network.input, photo) }), memory());
    return { pool: eyes, lowering, signal, priority: FIRST };
  };

  const look = async ({ model, photo: given, ask }: Look, signal?: AbortSignal): Promise<Seen> => {
    const photo = photoOf(given);
    const network = await opened(model);
    const eye = seeing(network, photo, signal);
    if (ask.what === 'strengths') return { what: ask.what, layers: await strengthsOf(network, photo, eye) };
    const map = await activationMap(network, textOf('layer', ask.layer), photo, eye);
    switch (ask.what) {
      case 'peaks':
        return peaksOf(map);
      case 'place':
        return { what: ask.what, values: valuesAt(map, ask) };
      case 'heat':
        return heatOf(map, ask.channel);
      default:
        throw unasked((ask as Look['ask']).what);
    }
  };

  const study = async ({ model, layer: given, ask }: Study, signal?: AbortSignal): Promise<Studied> => {
    const network = await opened(model);
    const layer = textOf('layer', given);
    const { size } = settle({ finish: { crop: 0 } }, network.input.size);
    const eye = seeing(network, size, signal);
    if (ask.what === 'portrait') return { what: ask.what, ...(await portraitOf(network, layer, size, eye)) };
    if (ask.what === 'nearest') return { what: ask.what, ...(await nearestTo(network, layer, ask.channel, size, eye)) };
    throw unasked((ask as Study['ask']).what);
  };

  return {
    look,
    study,
    catalogue: () => catalogueOf({ models, engine, workers: pool.workers }),
    facts,
    watch,
    async close() {
      for (const network of await Promise.allSettled(networks.values()))
        if (network.status === 'fulfilled') await network.value.close();
    },
  };
}

/** What a wish comes to: what is raised, what its picture will be known by, and how it is begun. */
interface Aim {
  readonly settled: Settled;
  readonly raised: { readonly targets: readonly Pick<Target, 'name'>[]; readonly pictures: number };
  readonly recipe: Recipe;
  /** Which of the pictures that are made together. */
  readonly which: number;
  readonly begin: (engine: Engine, snapshots: readonly number[]) => AsyncIterable<RenderEvent>;
}

async function channelOf(network: Network, wish: Wish, options: RecipeOptions, first: Settled): Promise<Aim> {
  const { channel } = wish;
  const target = await targetOf(network, textOf('layer', wish.layer), first);
  checkChannel(target, channel);
  const settled = fitted(first, options, target);
  const { name } = target;
  return {
    settled,
    raised: { targets: [target], pictures: 1 },
    recipe: channelRecipe(settled, await factsOf(network), name, channel),
    which: channel,
    begin: (engine, snapshots) =>
      renderChannels(network, { layer: name, channels: [channel], settled, snapshots }, engine),
  };
}

async function objectiveOf(
  network: Network,
  { picture = 0 }: Wish,
  text: string,
  options: RecipeOptions,
  first: Settled,
): Promise<Aim> {
  const raised = await raisedIn(network, textOf('objective', text), first);
  const settled = atStride(first, options, strideOfAll(raised.targets));
  const { pictures, recorded } = raised;
  checked(whole({ help: 'Which of the pictures', default: 0, to: pictures - 1 }), 'picture', picture);
  return {
    settled,
    raised,
    recipe: recipeOf({ ...settled, pictures }, await factsOf(network), { ...recorded, picture }),
    which: picture,
    begin: (engine, snapshots) => renderObjective(network, { raised, pictures: [picture], settled, snapshots }, engine),
  };
}

/**
 * So many steps before the last one, dense at first, since a picture changes most in its first steps; all there are if those are fewer.
 *
 * @example
 * spread(4, 30); // [1, 5, 12, 21]
 */
export function spread(count: number, steps: number): readonly number[] {
  if (count >= steps) return Array.from({ length: Math.max(0, steps - 1) }, (_, i) => i + 1);
  const at = Array.from({ length: count }, (_, i) => Math.max(i + 1, Math.round(steps * ((i + 0.5) / count) ** 1.5)));
  return [...new Set(at)].filter((step) => step >= 1 && step < steps);
}

const unasked = (what: unknown): PhospheneError =>
  new PhospheneError('bad-option', `\`${String(what)}\` is nothing that can be asked`, { what });

/** A page's photo, if it is one. */
function photoOf({ width, height, data }: Look['photo']): Raster {
  checked(limits.photo, 'photo', Math.max(width, height));
  if (!(data instanceof Uint8Array))
    throw new PhospheneError('bad-option', 'photo: its bytes are missing', { option: 'photo' });
  return raster(width, height, data);
}

/** A text of a page that is not absurdly long. */
function textOf(option: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= MOST_LETTERS) return value;
  throw new PhospheneError('bad-option', `${option}: a name is needed`, { option });
}

function preprocessOf(text: string | undefined): PreprocessSpec | undefined {
  if (text === undefined) return undefined;
  const given = textOf('preprocess', text);
  if (!given.startsWith('{')) return given as PreprocessSpec;
  try {
    return JSON.parse(given) as PreprocessSpec;
  } catch (error) {
    throw new PhospheneError(
      'bad-option',
      'preprocess: this is no JSON; write for example {"range":[0,255]}',
      { option: 'preprocess' },
      error,
    );
  }
}
