/** @file What `phosphene dream` asks of the core. */
import { resolve } from 'node:path';
import { dreamToFile, openPhoto } from '../../node.ts';
import { targetOf } from '../../jobs/render.ts';
import { tileSize } from '../../render/dream.ts';
import type { DreamCore } from '../dream.ts';
import { chosenFilters } from '../parse.ts';
import { openModelOf } from './network.ts';

export const dream: DreamCore = async (request, tell) => {
  const { photo: path, layer, filters, size, settings, out, workers, signal } = request;
  const photo = await openPhoto(path);
  const network = await openModelOf(request, tell);
  try {
    const name = layer ?? network.defaultLayer;
    const { input } = network;
    // Names and numbers are checked against the list of layers, before any weights are read or downloaded.
    const seen = tileSize({ height: settings.tile, width: settings.tile }, settings.tile, input.size);
    const target = await targetOf(network, name, { size: seen });
    const channels = filters && chosenFilters(filters, target.name, target.channels.count);
    await tell({ type: 'begin', layer: target.name, input });
    const options = { layer: target.name, channels, size, ...settings };
    for await (const event of dreamToFile(network, photo, options, { out: resolve(out), workers, signal })) {
      if (event.type === 'tiles') await tell({ type: 'tiles', done: event.done, total: event.total });
      else if (event.type === 'octave') {
        const { octave, of, size: dreamt, loss } = event;
        await tell({ type: 'octave', octave, of, width: dreamt.width, height: dreamt.height, loss });
      } else if (event.type === 'ready' || event.type === 'file') await tell(event);
    }
  } finally {
    await network.close();
  }
};
