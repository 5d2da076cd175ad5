/** @file What `phosphene render` asks of the core. */
import { resolve } from 'node:path';
import {
  choiceInWords,
  type DeviceEvent,
  type Network,
  objectiveOf,
  openPhoto,
  parseObjective,
  planOf,
  readLabels,
  type RenderEvent,
  type RenderOptions,
  renderSideBySide,
  renderToFolder,
} from '../../node.ts';
import { presetOf, settle } from '../../render/recipe.ts';
import type { PresetName } from '../../render/presets.ts';
import { targetOf } from '../../jobs/render.ts';
import { chosenFilters } from '../parse.ts';
import type { RenderCore, RenderNews, RenderRequest } from '../render.ts';
import { recipeOptions } from '../settings.ts';
import { downloads, openModelOf } from './network.ts';

/** A network that was opened for a request, and what is to be rendered of it, checked. It must be closed. */
export interface Opened {
  readonly network: Network;
  readonly options: RenderOptions;
}

/** Opens the model of a request and checks the request against it, before any weights are read or downloaded. */
export async function opened(
  request: RenderRequest,
  tell: (news: RenderNews) => Promise<void>,
  most = 64,
): Promise<Opened> {
  const { size, layer, class: wanted, objective, neuron, pictures } = request;
  presetOf(request.preset);
  const start = request.start === undefined ? undefined : await openPhoto(request.start);
  const network = await openModelOf(request, tell);
  try {
    const labels =
      request.labels &&
      (await readLabels(
        request.labels,
        downloads(request, tell, () => 'the names of the classes'),
      ));
    const settings = {
      ...recipeOptions(request.settings),
      preset: request.preset as PresetName,
      size,
      neuron,
      pictures,
    };
    const recipe = { ...settings, start };
    const filters = async (): Promise<RenderOptions> => {
      const target = await targetOf(network, layer ?? network.defaultLayer, settle(settings, network.input.size));
      const { count } = target.channels;
      const channels = chosenFilters(request.filters ?? [[0, Math.min(most, count) - 1]], target.name, count);
      return { ...recipe, layer: target.name, channels };
    };
    const options: RenderOptions =
      objective !== undefined
        ? { ...recipe, objective, photos: await photosOf(objective) }
        : wanted !== undefined
          ? { ...recipe, layer, class: wanted, ...(labels ? { labels } : {}) }
          : await filters();
    const plan = await planOf(network, options);
    await tell({
      type: 'begin',
      layer: plan.layer,
      ...(plan.raised ? { isObjective: true } : {}),
      filters: plan.channels.length,
      steps: plan.settled.steps,
      input: network.input,
    });
    return { network, options };
  } catch (error) {
    await network.close();
    throw error;
  }
}

/** What rendering itself tells; the rest is the caller's. */
export async function told(event: RenderEvent | DeviceEvent, tell: (news: RenderNews) => Promise<void>): Promise<void> {
  if (event.type === 'steps') await tell({ type: 'step', filter: event.channel, done: event.done });
  else if (event.type === 'picture') {
    const { channel, losses, diagnosis } = event.picture;
    const { status, remedy, plain } = diagnosis;
    const trouble = remedy === undefined ? {} : { diagnosis: status, hint: remedy };
    await tell({ type: 'picture', filter: channel, activation: losses.at(-1), plain, ...trouble });
  } else if (event.type === 'device')
    await tell({ type: 'device', device: event.choice.device, words: choiceInWords(event.choice) });
  else if (event.type === 'ready') await tell(event);
}

export const render: RenderCore = async (request, tell) => {
  const { out, columns, margin, captions, workers, device, signal, beside = [] } = request;
  for (const name of beside) presetOf(name);
  const { network, options } = await opened(request, tell);
  try {
    const running = { out: resolve(out), columns, margin, captions, workers, device, signal };
    const presets = [request.preset, ...beside] as PresetName[];
    const events =
      beside.length > 0
        ? renderSideBySide(network, { ...options, presets }, running)
        : renderToFolder(network, options, running);
    for await (const event of events) {
      if (event.type === 'preset' || event.type === 'side-by-side') await tell(event);
      else if (event.type === 'resumed') await tell({ type: 'resumed', filters: event.channels, webgpu: event.webgpu });
      else if (event.type === 'grid') await tell(event);
      else await told(event, tell);
    }
  } finally {
    await network.close();
  }
};

/** The photos that an objective names: their names are paths. */
async function photosOf(text: string): Promise<NonNullable<RenderOptions['photos']>> {
  const needs = Object.values(objectiveOf(parseObjective(text)).needs ?? {});
  const paths = new Set(needs.flatMap((need) => ('photo' in need ? [need.photo] : [])));
  return Object.fromEntries(await Promise.all([...paths].map(async (path) => [path, await openPhoto(path)] as const)));
}
