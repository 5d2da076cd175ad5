/** @file phosphene dream: a photo in which a layer's findings are raised. The words; what is done is in core/dream.ts. */
import { PhospheneError } from '../errors.ts';
import { dreamSettings, type DreamSettings } from '../render/dream.ts';
import { text, whole } from '../settings.ts';
import { type Command, command, type Context } from './command.ts';
import {
  type InputFacts,
  modelOf,
  modelOptions,
  modelPositional,
  noteDoubt,
  outputOptions,
  preprocessOf,
  type PreprocessSpec,
  weightsOptions,
  workersOption,
} from './model.ts';
import { type Option, optional, section } from './options.ts';
import { type FilterRange, filters } from './parse.ts';
import { jsonLine } from './report.ts';
import { counted, duration, megabytes, printable } from './text.ts';

/** What the core is asked for. */
export interface DreamRequest {
  readonly photo: string;
  readonly model: string;
  readonly architecture: string | undefined;
  readonly weights: string | undefined;
  readonly cache: string | undefined;
  readonly preprocess: PreprocessSpec | undefined;
  /** Default: the model's own choice. */
  readonly layer: string | undefined;
  /** Default: all that the layer finds. */
  readonly filters: readonly FilterRange[] | 'all' | undefined;
  /** The longer side; default: the photo's. */
  readonly size: number | undefined;
  readonly settings: DreamSettings;
  /** A file. */
  readonly out: string;
  readonly workers: number | undefined;
  readonly signal: AbortSignal;
}

/** What the core tells of a dream, in this order. */
export type DreamNews =
  | { readonly type: 'download'; readonly what: string; readonly received: number; readonly total: number | undefined }
  /** Options are checked; the model is read. */
  | { readonly type: 'begin'; readonly layer: string; readonly input: InputFacts }
  | { readonly type: 'ready'; readonly workers: number }
  | { readonly type: 'tiles'; readonly done: number; readonly total: number }
  | {
      readonly type: 'octave';
      readonly octave: number;
      readonly of: number;
      readonly width: number;
      readonly height: number;
      readonly loss: number;
    }
  | { readonly type: 'file'; readonly file: string; readonly width: number; readonly height: number };

/** Dreams, and tells of it; waits for what it tells. */
export type DreamCore = (request: DreamRequest, tell: (news: DreamNews) => Promise<void>) => Promise<void>;

const { size: _, ...ofModel } = modelOptions;

const settings = section(
  'Dream',
  Object.fromEntries(Object.entries(dreamSettings).map(([name, setting]) => [name, { setting, value: 'N' }])) as {
    readonly [K in keyof DreamSettings]: Option<DreamSettings[K]>;
  },
);

const options = {
  ...section('Target', {
    layer: {
      setting: optional(text({ help: 'Layer (see `phosphene layers`)' })),
      short: 'l',
      value: 'NAME',
      otherwise: "the model's own choice",
    },
    filters: {
      setting: filters('Filters that are raised: 0-63, or 1,7,200'),
      short: 'f',
      value: 'LIST',
      otherwise: 'whatever the layer finds',
    },
  }),
  ...settings,
  ...ofModel,
  ...weightsOptions,
  ...section('Result', {
    size: {
      setting: optional(whole({ help: 'Longer side in pixels', default: 1024, from: 16, to: 1 << 16 })),
      value: 'N',
      otherwise: "the photo's",
    },
    out: {
      setting: optional(text({ help: 'The file, a PNG' })),
      short: 'o',
      value: 'FILE',
      otherwise: "the photo's name with -dream.png, in this folder",
    },
  }),
  ...workersOption,
  ...outputOptions,
};

/** The name of a dream of a photo, in the current folder. */
function nameFor(photo: string): string {
  const name = photo.replace(/^.*[/\\]/, '').replace(/\.[^.]*$/, '');
  return `${name || 'photo'}-dream.png`;
}

/** The command on a core, which is loaded when work begins. */
export function dreamCommand(load: () => Promise<DreamCore>): Command<typeof options> {
  return command({
    options,
    positional: {
      name: 'PHOTO',
      usage: 'PHOTO [MODEL]',
      help: `a photo: JPEG, PNG or WebP; and after it the model: ${modelPositional.help}`,
      most: 2,
    },
    examples: [
      ['phosphene dream photo.jpg', 'what the built-in model sees in a photo'],
      ['phosphene dream photo.jpg resnet50v2 --layer conv4_block3_out', 'a deeper layer of the real network'],
      ['phosphene dream photo.jpg --filters 10 --octaves 6 --size 800', 'one filter, from coarser to finer'],
    ],
    async run(given, context) {
      const [photo, ...rest] = context.positionals;
      if (photo === undefined)
        throw new PhospheneError('bad-option', 'a photo is needed: phosphene dream PHOTO', { option: 'photo' });
      const { layer, size, out = nameFor(photo), workers, weights, architecture, cache } = given;
      const request: DreamRequest = {
        photo,
        model: modelOf(rest),
        preprocess: preprocessOf(given),
        filters: given.filters,
        settings: Object.fromEntries(
          Object.keys(settings).map((name) => [name, given[name as keyof DreamSettings]]),
        ) as unknown as DreamSettings,
        layer,
        size,
        out,
        workers,
        weights,
        architecture,
        cache,
        signal: context.signal,
      };
      const core = await load();
      context.progress.show({ key: 'read', label: `Reading ${printable(request.model)}` });
      await core(request, teller(given, context));
    },
  });
}

/** News in words, on a progress line, and as lines of JSON. */
function teller(
  { json, quiet }: { readonly json: boolean; readonly quiet: boolean },
  { print, note, progress }: Context,
): (news: DreamNews) => Promise<void> {
  const begun = performance.now();
  const seconds = (): number => Math.round(performance.now() - begun) / 1000;
  const say = async (event: Readonly<Record<string, unknown>>): Promise<void> => {
    if (json) await print(jsonLine(event));
  };
  let [layer, octaves] = ['', ''];
  return async (news) => {
    switch (news.type) {
      case 'download':
        return progress.show({
          key: `download ${news.what}`,
          label: `Downloading ${printable(news.what)}`,
          done: news.received,
          total: news.total,
          detail: megabytes(news.received) + (news.total === undefined ? '' : ` of ${megabytes(news.total)}`),
        });
      case 'begin':
        layer = printable(news.layer);
        noteDoubt(news.input, note);
        return progress.show({ key: 'compile', label: `Compiling the network up to ${layer}` });
      case 'ready':
        return say({ event: 'ready', workers: news.workers, seconds: seconds() });
      case 'tiles': {
        const { done, total } = news;
        return progress.show({ key: 'dream', label: layer, done, total, ...(octaves ? { detail: octaves } : {}) });
      }
      case 'octave': {
        const { type: event, octave, of, width, height, loss } = news;
        octaves = `${octave} of ${counted(of, 'size')}`;
        return say({ event, octave, of, width, height, loss, seconds: seconds() });
      }
      case 'file': {
        const { file, width, height } = news;
        progress.clear();
        await say({ event: 'file', file, width, height, seconds: seconds() });
        if (!json && !quiet)
          await print(`${file} (${width}×${height}, ${layer}, ${duration(performance.now() - begun)})\n`);
      }
    }
  };
}

export default dreamCommand(() => import('./core/dream.ts').then((m) => m.dream));
