/** @file What `phosphene sheet` asks of the core. */
import { resolve } from 'node:path';
import { targetOf } from '../../jobs/render.ts';
import { contact, openPhoto } from '../../node.ts';
import type { PresetName } from '../../render/presets.ts';
import { presetOf, settle } from '../../render/recipe.ts';
import { chosenFilters } from '../parse.ts';
import { recipeOptions } from '../settings.ts';
import type { SheetCore } from '../sheet.ts';
import { openModelOf } from './network.ts';
import { told } from './render.ts';

/** Filters of each layer if nobody says which. */
const FEW = 8;

export const sheet: SheetCore = async (request, { layers, presets, seeds }, tell) => {
  const { size, neuron, out, margin, captions, workers, signal } = request;
  for (const name of presets ?? []) presetOf(name);
  const start = request.start === undefined ? undefined : await openPhoto(request.start);
  const network = await openModelOf(request, tell);
  try {
    const { preset: _, ...recipe } = { ...recipeOptions(request.settings), size, neuron, start };
    // Lists of filters are for the layer that has most of them.
    const settled = settle({ size }, network.input.size);
    const counts = await Promise.all(
      (layers ?? []).map(async (name) => (await targetOf(network, name, settled)).channels),
    );
    const most = layers ? Math.max(...counts.map(({ count }) => count)) : 1 << 16;
    const few = [[0, Math.min(FEW, most) - 1]] as const;
    // All of layers that nobody has named would be a sheet of thousands.
    const ranges = request.filters === 'all' && !layers ? few : (request.filters ?? few);
    const channels = chosenFilters(ranges, layers?.join(', ') ?? network.name, most);
    const wanted = { ...recipe, layers, presets: presets as readonly PresetName[] | undefined, seeds, channels };
    for await (const event of contact(network, wanted, { out: resolve(out), margin, captions, workers, signal })) {
      if (event.type === 'row') {
        await tell(event);
        const { title: layer, pictures: filters } = event;
        const steps = settle({ ...recipeOptions(request.settings), size }, network.input.size).steps;
        await tell({ type: 'begin', layer, filters, steps, input: network.input });
      } else if (event.type === 'sheet') await tell(event);
      else if (event.type === 'resumed') await tell({ type: 'resumed', filters: event.channels });
      else if (event.type !== 'grid') await told(event, tell);
    }
  } finally {
    await network.close();
  }
};
