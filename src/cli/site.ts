/** @file phosphene site: the explorer as files for any host. The words; what is done is in core/site.ts. */
import { PhospheneError } from '../errors.ts';
import { BUILT_IN } from '../hub/models.ts';
import { flag, text } from '../settings.ts';
import { type Command, command, type Context } from './command.ts';
import {
  modelOptions,
  outputOptions,
  preprocessOf,
  type PreprocessSpec,
  weightsOptions,
  workersOption,
} from './model.ts';
import { optional, section } from './options.ts';
import { type FilterRange, filters } from './parse.ts';
import { jsonLine } from './report.ts';
import { counted, duration, megabytes, printable } from './text.ts';

/** What the core is asked for. */
export interface SiteRequest {
  readonly out: string;
  readonly models: readonly string[];
  readonly preprocess: PreprocessSpec | undefined;
  readonly weights: string | undefined;
  readonly cache: string | undefined;
  /** Names; default: the last layer of each block. */
  readonly layers: readonly string[] | 'all' | undefined;
  /** Default: the first 64 of each layer. */
  readonly filters: readonly FilterRange[] | 'all' | undefined;
  readonly workers: number | undefined;
  /** Only say how large it would be. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** What the core tells of a run. */
export type SiteNews =
  /** Before anything is made. */
  | { readonly type: 'plan'; readonly layers: number; readonly pictures: number; readonly bytes: number }
  | { readonly type: 'picture'; readonly model: string; readonly layer: string; readonly done: number }
  | { readonly type: 'site'; readonly file: string };

export type SiteCore = (request: SiteRequest, tell: (news: SiteNews) => Promise<void>) => Promise<void>;

const { size: _, ...input } = modelOptions;
const options = {
  ...section('Pictures', {
    layers: {
      setting: optional(text({ help: 'Layers: names with commas between them, or all' })),
      short: 'l',
      value: 'NAMES',
      otherwise: 'the last layer of each block',
    },
    filters: {
      setting: filters('Filters of each layer: 0-63, or 1,7,200, or all'),
      short: 'f',
      value: 'LIST',
      otherwise: 'the first 64',
    },
    dryRun: { setting: flag({ help: 'Only say how large the site would be', default: false }) },
    ...workersOption,
  }),
  ...input,
  ...weightsOptions,
  ...outputOptions,
};

/** The command on a core, which is loaded when work begins. */
export function siteCommand(load: () => Promise<SiteCore>): Command<typeof options> {
  return command({
    options,
    positional: {
      name: 'OUT MODEL...',
      help: `The folder of the site, then the models that it shows; ${BUILT_IN} if none is named`,
      most: 16,
    },
    examples: [
      ['phosphene site public', 'the built-in model, 64 pictures of each block'],
      ['phosphene site public model.onnx --filters all --dry-run', 'how large all its pictures would be'],
      ['phosphene site public resnet50v2 --layers conv4_block6_out --filters 0-255', 'one layer of the real network'],
    ],
    async run(given, context) {
      const [out, ...models] = context.positionals;
      if (out === undefined)
        throw new PhospheneError('bad-option', 'a folder for the site is needed, such as `phosphene site public`');
      const { layers, workers, weights, cache, dryRun } = given;
      const core = await load();
      await core(
        {
          out,
          models: models.length > 0 ? models : [BUILT_IN],
          preprocess: preprocessOf({ ...given }),
          weights,
          cache,
          layers: layers === undefined || layers === 'all' ? layers : layers.split(',').filter((l) => l !== ''),
          filters: given.filters,
          workers,
          dryRun,
          signal: context.signal,
        },
        teller(given, context),
      );
    },
  });
}

function teller(
  { json, quiet }: { readonly json: boolean; readonly quiet: boolean },
  { print, note, progress }: Context,
): (news: SiteNews) => Promise<void> {
  const begun = performance.now();
  let total = 0;
  return async (news) => {
    if (json) return print(jsonLine({ event: news.type, ...news, type: undefined }));
    switch (news.type) {
      case 'plan':
        total = news.pictures;
        return note(
          `${counted(news.pictures, 'picture')} of ${counted(news.layers, 'layer')}; the site will have about ${megabytes(news.bytes)}`,
        );
      case 'picture':
        return progress.show({
          key: 'site',
          label: printable(news.layer),
          done: news.done,
          total,
          detail: `${news.done} of ${counted(total, 'picture')}`,
        });
      case 'site':
        progress.clear();
        if (!quiet)
          await print(`${news.file} (${counted(total, 'picture')}, ${duration(performance.now() - begun)})\n`);
    }
  };
}

export default siteCommand(() => import('./core/site.ts').then((m) => m.site));
