/** @file What `phosphene render` asks of the core. */
import { resolve } from 'node:path';
import { ensureWeights } from '../../hub/weights.ts';
import { checkFits, run, targetOf } from '../../jobs/run.ts';
import { diagnoses } from '../../render/ascend.ts';
import { settingsOf } from '../../render/presets.ts';
import { chosenFilters } from '../parse.ts';
import type { RenderCore } from '../render.ts';
import { inputOf, opened } from './layers.ts';

export const render: RenderCore = async (request, tell) => {
  const { model: name, preset, size, columns, margin, workers, signal } = request;
  const { seed = 0, stretch = false, ...changes } = request.settings as { seed?: number; stretch?: boolean };
  const settings = settingsOf(preset, { ...size, ...changes });
  // Names and numbers are checked against the list of layers, before any weights are read or downloaded.
  const listed = await opened(name, request.preprocess);
  const layer = request.layer ?? listed.defaultLayer;
  const target = targetOf(listed, layer, settings);
  const first = [[0, Math.min(64, target.channels) - 1]] as const;
  const channels = chosenFilters(request.filters ?? first, layer, target.channels);
  checkFits(target, channels.length, workers);

  const model = await listed.open({
    weights: request.weights,
    fetchWeights: (what) =>
      ensureWeights(what, {
        cacheDir: request.cache,
        signal,
        onProgress: ({ received, total }) =>
          void tell({ type: 'download', what: `the weights of ${what}`, received, total }),
      }),
  });
  await tell({ type: 'begin', layer, filters: channels.length, steps: settings.steps, input: inputOf(name, listed) });
  const out = resolve(request.out);
  const options = {
    layer,
    channels,
    preset,
    settings,
    seed,
    workers,
    signal,
    out,
    columns,
    margin,
    stretched: stretch,
  };
  for await (const event of run(model, options)) {
    if (event.type === 'steps') await tell({ type: 'step', filter: event.channel, done: event.done });
    else if (event.type === 'resumed') await tell({ type: 'resumed', filters: event.channels });
    else if (event.type === 'picture') {
      const { channel, losses, diagnosis } = event.picture;
      const trouble = diagnosis && { diagnosis, hint: diagnoses[diagnosis] };
      await tell({ type: 'picture', filter: channel, activation: losses.at(-1), ...trouble });
    } else await tell(event);
  }
  model.close();
};
