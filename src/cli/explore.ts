/** @file phosphene explore: a page on which to look around. The words; what is done is in core/explore.ts. */
import { flag, text, whole } from '../settings.ts';
import { type Command, command } from './command.ts';
import {
  modelOf,
  modelOptions,
  modelPositional,
  outputOptions,
  preprocessOf,
  type PreprocessSpec,
  weightsOptions,
  workersOption,
} from './model.ts';
import { optional, section } from './options.ts';
import { jsonLine } from './report.ts';

/** What the core is asked for. */
export interface ExploreRequest {
  readonly model: string;
  readonly preprocess: PreprocessSpec | undefined;
  readonly weights: string | undefined;
  readonly cache: string | undefined;
  readonly port: number | undefined;
  readonly workers: number | undefined;
  /** Whether the browser is opened. */
  readonly open: boolean;
  readonly signal: AbortSignal;
}

/** Serves until the signal; tells the address once it can be opened. */
export type ExploreCore = (request: ExploreRequest, ready: (url: string) => Promise<void>) => Promise<void>;

const { size: _, ...input } = modelOptions;
const options = {
  ...input,
  ...section('Model', {
    ...weightsOptions,
    cache: {
      ...weightsOptions.cache,
      setting: optional(text({ help: 'Folder for downloads and finished pictures' })),
    },
  }),
  ...section('Page', {
    port: {
      setting: optional(whole({ help: 'Port on this machine', default: 0, from: 1, to: 65_535 })),
      short: 'p',
      value: 'N',
      otherwise: 'a free one',
    },
    noOpen: { setting: flag({ help: 'Do not open the browser; only print the address', default: false }) },
    ...workersOption,
  }),
  ...outputOptions,
};

/** The command on a core, which is loaded when work begins. */
export function exploreCommand(load: () => Promise<ExploreCore>): Command<typeof options> {
  return command({
    options,
    positional: modelPositional,
    examples: [
      ['phosphene explore', 'the built-in model, in your browser'],
      ['phosphene explore model.onnx --preprocess torch', 'a network of torchvision, exported to ONNX'],
      ['phosphene explore resnet50v2 --no-open --port 4173', 'only print the address'],
    ],
    async run(given, { positionals, print, signal }) {
      const { weights, cache, port, workers, noOpen, json } = given;
      const request = {
        model: modelOf(positionals),
        preprocess: preprocessOf({ ...given }),
        weights,
        cache,
        port,
        workers,
        open: !noOpen,
        signal,
      };
      const core = await load();
      await core(request, (url) => print(json ? jsonLine({ event: 'ready', url }) : `${url}\nCtrl-C ends it.\n`));
    },
  });
}

export default exploreCommand(() => import('./core/explore.ts').then((m) => m.explore));
