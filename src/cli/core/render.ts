/** @file What `phosphene render` asks of the core. */
import { resolve } from 'node:path';
import { open, openPhoto, renderToFolder } from '../../node.ts';
import { presetOf, type RecipeOptions, settle } from '../../render/recipe.ts';
import type { PresetName } from '../../render/presets.ts';
import { targetOf } from '../../jobs/render.ts';
import { chosenFilters } from '../parse.ts';
import type { RenderCore } from '../render.ts';
import { recipeOptions } from '../settings.ts';

export const render: RenderCore = async (request, tell) => {
  const { model, architecture, preprocess, weights, cache, size, out, columns, margin, workers, signal } = request;
  presetOf(request.preset);
  const start = request.start === undefined ? undefined : await openPhoto(request.start);
  const network = await open(model, {
    architecture,
    preprocess,
    weights,
    cacheDir: cache,
    signal,
    onProgress: ({ received, total }) =>
      void tell({ type: 'download', what: `the weights of ${network.name}`, received, total }),
  });
  try {
    const recipe: RecipeOptions = { ...recipeOptions(request.settings), preset: request.preset as PresetName, size };
    // Names and numbers are checked against the list of layers, before any weights are read or downloaded.
    const settled = settle(recipe, network.input.size);
    const target = await targetOf(network, request.layer ?? network.defaultLayer, settled);
    const { count } = target.channels;
    const channels = chosenFilters(request.filters ?? [[0, Math.min(64, count) - 1]], target.name, count);
    const { steps } = settled;
    await tell({ type: 'begin', layer: target.name, filters: channels.length, steps, input: network.input });
    const wanted = { ...recipe, layer: target.name, channels, start };
    const running = { out: resolve(out), columns, margin, workers, signal };
    for await (const event of renderToFolder(network, wanted, running)) {
      if (event.type === 'steps') await tell({ type: 'step', filter: event.channel, done: event.done });
      else if (event.type === 'resumed') await tell({ type: 'resumed', filters: event.channels });
      else if (event.type === 'picture') {
        const { channel, losses, diagnosis } = event.picture;
        const { status, remedy, plain } = diagnosis;
        const trouble = remedy === undefined ? {} : { diagnosis: status, hint: remedy };
        await tell({ type: 'picture', filter: channel, activation: losses.at(-1), plain, ...trouble });
      } else if (event.type !== 'snapshot') await tell(event);
    }
  } finally {
    await network.close();
  }
};
