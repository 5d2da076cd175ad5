/** @file phosphene render: pictures of what filters see. */
import { defineCommand } from 'citty';
import { resolve } from 'node:path';
import { PhospheneError } from '../errors.ts';
import { openModel } from '../hub/open.ts';
import { defaultSize } from '../import/network.ts';
import { ensureWeights } from '../hub/weights.ts';
import { checkFits, run, targetOf } from '../jobs/run.ts';
import { diagnoses } from '../render/ascend.ts';
import { type PresetName, presets, type Settings, settingsOf } from '../render/presets.ts';
import { parseFilters, parseNumber, parseSize } from './parse.ts';
import { print, printable } from './print.ts';
import { createProgress, duration, megabytes } from './progress.ts';
import { modelArgs } from './shared.ts';
import { interruptible } from './signal.ts';

export default defineCommand({
  meta: { name: 'render', description: 'Pictures of what the filters of a layer respond to, and a grid of them all' },
  args: {
    ...modelArgs,
    layer: {
      type: 'string',
      alias: 'l',
      description: "Layer (see `phosphene layers`); default: the model's own choice",
    },
    filters: { type: 'string', alias: 'f', description: 'Filters: 0-63, 1,7,200 or all; default: the first 64' },
    out: {
      type: 'string',
      alias: 'o',
      description: 'Folder for LAYER/FILTER.png, stitched_filters.png and manifest.json',
      default: 'out',
    },
    weights: { type: 'string', description: 'A Keras HDF5 weights file, in place of downloading the published one' },
    cache: { type: 'string', description: 'Folder for downloads; default $PHOSPHENE_CACHE or the system cache' },
    seed: { type: 'string', description: 'Seed of the start noise; same seed, same bytes', default: '0' },
    preset: { type: 'string', description: 'Settings to start from: keras', default: 'keras' },
    steps: { type: 'string', description: 'Steps of ascent; default 30' },
    rate: { type: 'string', description: 'Learning rate: the length of a step; default 10' },
    noise: { type: 'string', description: 'Start noise is uniform in [-noise, noise); default 0.125' },
    border: { type: 'string', description: 'Positions of the activation left out on each side; default 2' },
    crop: { type: 'string', description: 'Pixels cut from each side of the finished picture; default 25' },
    contrast: { type: 'string', description: 'Standard deviation of the finished picture, from 0 to 1; default 0.15' },
    columns: { type: 'string', description: 'Pictures in a row of the grid; default: a square' },
    margin: { type: 'string', description: 'Pixels between the pictures of the grid', default: '5' },
    workers: { type: 'string', alias: 'w', description: 'Worker threads; default: one a core' },
    'keras-save': {
      type: 'boolean',
      description: "Stretch each picture to full contrast once more, as Keras' save_img does",
    },
    quiet: { type: 'boolean', alias: 'q', description: 'Say nothing but errors' },
  },
  async run({ args }) {
    const begun = performance.now();
    const { signal, release } = interruptible();
    const progress = createProgress(
      args.quiet || args.json ? { isTTY: false, columns: 0, write: () => true } : process.stderr,
    );
    const say = async (event: Record<string, unknown>): Promise<void> => {
      if (args.json) await print(`${JSON.stringify(event)}\n`);
    };
    try {
      const number = (name: 'steps' | 'border' | 'crop' | 'rate' | 'noise' | 'contrast'): Partial<Settings> => {
        const value = parseNumber(name, args[name], name === 'steps' || name === 'border' || name === 'crop');
        return value === undefined ? {} : { [name]: value };
      };
      const changes = {
        ...number('steps'),
        ...number('rate'),
        ...number('noise'),
        ...number('border'),
        ...number('crop'),
        ...number('contrast'),
      };
      settingsOf(args.preset, { ...parseSize(args.size), ...changes });
      const workers = positive('workers', args.workers);
      const seed = parseNumber('seed', args.seed, true)!;
      const columns = positive('columns', args.columns);
      const margin = parseNumber('margin', args.margin, true)!;
      const weights = args.weights;
      // Names and numbers are checked against the list of layers, before any weights are read or downloaded.
      const model = await openModel(args.model, {
        weights,
        fetchWeights: (name) =>
          ensureWeights(name, {
            cacheDir: args.cache,
            signal,
            onProgress: ({ received, total }) =>
              progress.update(`Downloading the weights of ${name}`, received, total, megabytes),
          }),
      });
      const settings = settingsOf(args.preset, {
        ...(parseSize(args.size) ?? defaultSize(model.input, presets[args.preset as PresetName] ?? presets.keras)),
        ...changes,
      });
      const layer = args.layer ?? model.defaultLayer;
      const target = await targetOf(model, layer, settings);
      const channels = parseFilters(args.filters ?? (target.channels > 64 ? '0-63' : 'all'), layer, target.channels);
      checkFits(target, channels.length, workers);

      const out = resolve(args.out);
      let done = 0;
      const steps = new Map<number, number>();
      const total = channels.length * settings.steps;
      const paint = (): void => {
        const under = [...steps.values()].reduce((a, b) => a + b, 0);
        progress.update(
          `${printable(layer)}: ${done} of ${channels.length} filters`,
          done * settings.steps + under,
          total,
          (n) => `${Math.round((100 * n) / total)} %`,
        );
      };
      for await (const event of run(model, {
        layer,
        channels,
        preset: args.preset,
        settings,
        seed,
        workers,
        signal,
        out,
        columns,
        margin,
        stretched: args['keras-save'] ?? false,
      })) {
        if (event.type === 'ready') await say({ event: 'ready', workers: event.workers, seconds: seconds(begun) });
        else if (event.type === 'steps') steps.set(event.channel, event.done);
        else if (event.type === 'resumed') {
          done += event.channels.length;
          await say({ event: 'resumed', filters: event.channels });
        } else if (event.type === 'picture') {
          const { channel, losses, diagnosis } = event.picture;
          done++;
          steps.delete(channel);
          await say({
            event: 'picture',
            filter: channel,
            activation: losses.at(-1),
            seconds: seconds(begun),
            ...(diagnosis ? { diagnosis } : {}),
          });
          if (diagnosis && !args.json && !args.quiet) {
            progress.clear();
            process.stderr.write(`filter ${channel}: ${diagnoses[diagnosis]}\n`);
          }
        } else {
          progress.clear();
          await say({
            event: 'grid',
            file: event.file,
            width: event.width,
            height: event.height,
            manifest: event.manifest,
            seconds: seconds(begun),
          });
          if (!args.json && !args.quiet)
            await print(
              `${event.file} (${event.width}×${event.height}, ${channels.length} filters of ${printable(layer)}, ${duration(performance.now() - begun)})\n`,
            );
        }
        paint();
      }
      await model.close();
    } finally {
      progress.clear();
      release();
    }
  },
});

function positive(name: string, text: string | undefined): number | undefined {
  const value = parseNumber(name, text, true);
  if (value !== undefined && value < 1)
    throw new PhospheneError('bad-option', `--${name}: a whole number from 1 is needed, not \`${text}\``);
  return value;
}

const seconds = (since: number): number => Math.round(performance.now() - since) / 1000;
