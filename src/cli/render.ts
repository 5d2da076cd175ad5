/** @file phosphene render: pictures of what filters see. The words; what is done is in core/render.ts. */
import { PhospheneError } from '../errors.ts';
import { DEFAULT_PRESET } from '../render/presets.ts';
import { choice, flag, text, whole } from '../settings.ts';
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
import { type Given, optional, type Options, optionsOf, section } from './options.ts';
import { type FilterRange, filters, list, position, type Position, word } from './parse.ts';
import { jsonLine } from './report.ts';
import { pictureSettings, presetNames } from './settings.ts';
import { counted, duration, megabytes, printable } from './text.ts';

/** What the core is asked for. */
export interface RenderRequest {
  readonly model: string;
  readonly weights: string | undefined;
  /** The published model that a file of weights is of. */
  readonly architecture: string | undefined;
  readonly cache: string | undefined;
  readonly preprocess: PreprocessSpec | undefined;
  /** Default: the model's own choice. */
  readonly layer: string | undefined;
  /** Default: the first 64. */
  readonly filters: readonly FilterRange[] | 'all' | undefined;
  /** One unit of each filter in place of its whole map. */
  readonly neuron: Position | undefined;
  /** A class in place of filters. */
  readonly class: string | undefined;
  /** A file of labels, or the name of known ones. */
  readonly labels: string | undefined;
  /** What is raised in place of filters. */
  readonly objective: string | undefined;
  /** How many pictures are ascended together. */
  readonly pictures: number | undefined;
  readonly size: { readonly height: number; readonly width: number } | undefined;
  readonly preset: string;
  /** Presets whose grids are to stand beside that of `preset`. */
  readonly beside?: readonly string[];
  /** A photo to begin with, as a path. */
  readonly start: string | undefined;
  /** The settings that were given, by the name that the core has for each. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly out: string;
  readonly columns: number | undefined;
  readonly margin: number;
  readonly captions: boolean;
  readonly workers: number | undefined;
  /** Default: the CPU. */
  readonly device?: 'cpu' | 'webgpu' | 'auto';
  readonly signal: AbortSignal;
}

/** What the core tells of a run, in this order but for the three in the middle. */
export type RenderNews =
  | { readonly type: 'download'; readonly what: string; readonly received: number; readonly total: number | undefined }
  /** Options are checked; the model is read. */
  | {
      readonly type: 'begin';
      readonly layer: string;
      /** Whether it is an objective: its pictures have numbers, and are no filters. */
      readonly isObjective?: boolean;
      readonly filters: number;
      readonly steps: number;
      readonly input: InputFacts;
    }
  | {
      readonly type: 'resumed';
      readonly filters: readonly number[];
      /** Those of them that were made on a GPU. */
      readonly webgpu?: readonly number[] | undefined;
    }
  /** Which device was taken, and why. */
  | { readonly type: 'device'; readonly device: 'cpu' | 'webgpu'; readonly words: string }
  | { readonly type: 'ready'; readonly workers: number }
  | { readonly type: 'step'; readonly filter: number; readonly done: number }
  | {
      readonly type: 'picture';
      readonly filter: number;
      readonly activation: number | undefined;
      /** Of the picture without transforms. */
      readonly plain?: number;
      readonly diagnosis?: string;
      /** What the diagnosis means, and what may help. */
      readonly hint?: string;
    }
  /** The pictures of one of several presets begin. */
  | {
      readonly type: 'preset';
      readonly preset: string;
      readonly index: number;
      readonly of: number;
      readonly steps: number;
    }
  /** The grids of several presets are side by side in a file; the last. */
  | { readonly type: 'side-by-side'; readonly file: string; readonly width: number; readonly height: number }
  | {
      readonly type: 'grid';
      readonly file: string;
      readonly width: number;
      readonly height: number;
      readonly manifest: string;
      /** The filters of each status that occurred; none of them is `ok` if a picture failed. */
      readonly statuses?: Readonly<Partial<Record<string, readonly number[]>>>;
    };

/** Renders, and tells of it; waits for what it tells. */
export type RenderCore = (request: RenderRequest, tell: (news: RenderNews) => Promise<void>) => Promise<void>;

const settings: Options = section('Picture', optionsOf(pictureSettings));

const own = {
  ...section('Target', {
    layer: {
      setting: optional(text({ help: 'Layer (see `phosphene layers`)' })),
      short: 'l',
      value: 'NAME',
      otherwise: "the model's own choice",
    },
    filters: {
      setting: filters('Filters: 0-63, or 1,7,200, or all'),
      short: 'f',
      value: 'LIST',
      otherwise: 'the first 64',
    },
    neuron: {
      setting: position('One unit of each filter: at the centre of its map, or at a row and a column'),
      value: 'centre|ROW,COLUMN',
      otherwise: 'the mean of the map',
    },
    class: {
      setting: optional(text({ help: 'A class, by name or number, in place of filters: its logit' })),
      short: 'c',
      value: 'NAME',
    },
    labels: {
      setting: optional(
        text({ help: 'Names of the classes: a file, one a line or JSON; or `imagenet`, which is fetched once' }),
      ),
      value: 'FILE',
      otherwise: "the model's own",
    },
    objective: {
      setting: optional(
        text({
          help: 'What is raised in place of filters, for example "LAYER:12 - 0.5*LAYER:99 + tv(0.1)"; see docs/objectives.md',
        }),
      ),
      value: 'TEXT',
    },
    pictures: {
      setting: optional(
        whole({
          help: 'Pictures that are made together, for objectives that compare them',
          default: 1,
          from: 1,
          to: 64,
        }),
      ),
      value: 'N',
      otherwise: 'what the objective needs',
    },
  }),
  ...modelOptions,
  ...weightsOptions,
  ...section('Picture', {
    preset: {
      setting: text({ help: `Settings to start from: ${presetNames.join(', ')}`, default: DEFAULT_PRESET }),
      value: 'NAME',
    },
    start: {
      setting: optional(text({ help: 'A photo to begin with in place of noise: JPEG, PNG or WebP' })),
      value: 'FILE',
    },
  }),
};

const rest = {
  ...section('Result', {
    out: {
      setting: text({ help: 'Folder of the pictures and the grid', default: 'out' }),
      short: 'o',
      value: 'FOLDER',
    },
    columns: {
      setting: optional(whole({ help: 'Pictures in a row of the grid', default: 1, from: 1 })),
      value: 'N',
      otherwise: 'a square',
    },
    margin: { setting: whole({ help: 'Pixels between the pictures of the grid', default: 5 }), value: 'N' },
    captions: {
      setting: flag({ help: 'Write the number of each filter below its picture in the grid', default: false }),
    },
  }),
  ...workersOption,
  ...outputOptions,
};

const options = { ...own, ...rest };
/** In the order of the help. */
export const renderOptions = { ...own, ...settings, ...rest } as Options as typeof options & Options;

/** What the core is asked for by a command with these options. Throws `bad-option` for options that contradict each other. */
export function requestOf(
  given: Given<typeof options>,
  { positionals, signal }: Pick<Context, 'positionals' | 'signal'>,
): RenderRequest {
  const { layer, size, preset, start, out, columns, margin, captions, workers, weights, architecture, cache } = given;
  const { filters: chosen, neuron, class: wanted, labels, objective, pictures } = given;
  refuseTogether({ filters: chosen, class: wanted, objective });
  refuseTogether({ layer, objective });
  refuseTogether({ neuron, objective });
  return {
    model: modelOf(positionals),
    preprocess: preprocessOf(given),
    filters: chosen,
    neuron,
    class: wanted,
    labels,
    objective,
    pictures,
    settings: Object.fromEntries(
      Object.keys(settings).flatMap((name) => {
        const value = (given as Readonly<Record<string, unknown>>)[name];
        return value === undefined ? [] : [[name, value] as const];
      }),
    ),
    layer,
    size,
    preset,
    start,
    out,
    columns,
    margin,
    captions,
    workers,
    weights,
    architecture,
    cache,
    signal,
  };
}

const several = {
  ...renderOptions,
  ...section('Result', {
    device: {
      setting: choice({
        help: 'What computes the pictures: cpu, the GPU through webgpu, or auto, the faster one; see docs/devices.md',
        of: ['cpu', 'webgpu', 'auto'],
        default: 'cpu',
      }),
      value: 'NAME',
    },
  }),
  preset: {
    ...renderOptions.preset,
    setting: {
      ...list(
        `${renderOptions.preset.setting.help}; or several, whose grids stand side by side`,
        'names with commas between',
        word,
      ),
      default: [renderOptions.preset.setting.default] as readonly string[],
    },
    value: 'NAME[,NAME…]',
    otherwise: renderOptions.preset.setting.default,
  },
} as const;

/** The command on a core, which is loaded when work begins. */
export function renderCommand(load: () => Promise<RenderCore>): Command<typeof several> {
  return command({
    options: several,
    positional: modelPositional,
    examples: [
      ['phosphene render --filters 0-15', '16 filters of the built-in model'],
      ['phosphene render --preset keras,natural', 'the same filters by two presets, side by side'],
      ['phosphene render resnet50v2 --layer conv4_block6_out --filters 1,7,200', 'three filters of the real network'],
      ['phosphene render model.onnx --preprocess torch --size 224', 'a network of torchvision, exported to ONNX'],
      ["phosphene render model.onnx --class 'great white shark' --labels imagenet", 'a class of a classifier'],
      ['phosphene render --objective "conv3_block4_out:7 + diversity(conv3_block4_out)"', 'a filter, in four ways'],
    ],
    async run(given, context) {
      const [preset, ...beside] = given.preset;
      const request = requestOf({ ...given, preset: preset! }, context);
      const core = await load();
      context.progress.show({ key: 'read', label: `Reading ${printable(request.model)}` });
      const { device } = given;
      await core({ ...request, device, ...(beside.length > 0 ? { beside } : {}) }, teller(given, context));
    },
  });
}

/** Refuses options of which only one can say what is rendered. Throws `bad-option`. */
function refuseTogether(options: Readonly<Record<string, unknown>>): void {
  const given = Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (given.length > 1)
    throw new PhospheneError(
      'bad-option',
      `${given.map((name) => `\`${name}\``).join(' and ')} both say what is rendered; give one of them`,
      {
        option: given,
      },
    );
}

/** News in words, on a progress line, and as lines of JSON. */
export function teller(
  { json, quiet, device }: { readonly json: boolean; readonly quiet: boolean; readonly device?: string },
  { print, note, progress }: Context,
): (news: RenderNews) => Promise<void> {
  let begun = performance.now();
  const seconds = (): number => Math.round(performance.now() - begun) / 1000;
  const say = async (event: Readonly<Record<string, unknown>>): Promise<void> => {
    if (json) await print(jsonLine(event));
  };
  const under = new Map<number, number>();
  let [layer, count, steps, done, preset] = ['', 0, 0, 0, ''];
  let what: 'filter' | 'picture' = 'filter';
  let [finished, compiled] = [false, false];
  const paint = (): void => {
    if (finished || count === 0) return;
    if (!compiled) return progress.show({ key: 'compile', label: `Compiling the network up to ${layer}` });
    const work = [...under.values()].reduce((a, b) => a + b, 0);
    progress.show({
      key: 'render',
      label: preset + layer,
      done: done * steps + work,
      total: count * steps,
      detail: `${done} of ${counted(count, what)}`,
    });
  };
  return async (news) => {
    switch (news.type) {
      case 'download':
        progress.show({
          key: `download ${news.what}`,
          label: `Downloading ${printable(news.what)}`,
          done: news.received,
          total: news.total,
          detail: megabytes(news.received) + (news.total === undefined ? '' : ` of ${megabytes(news.total)}`),
        });
        return;
      case 'preset': {
        const { type: event, index, of } = news;
        preset = of > 1 ? `${news.preset} (${index + 1} of ${of}), ` : '';
        begun = performance.now();
        [finished, compiled, done, steps] = [false, false, 0, Math.max(1, news.steps)];
        under.clear();
        await say({ event, preset: news.preset, index, of });
        break;
      }
      case 'side-by-side': {
        const { type: event, file, width, height } = news;
        await say({ event, file, width, height, seconds: seconds() });
        if (!json && !quiet) await print(`${file} (${width}×${height})\n`);
        break;
      }
      case 'begin':
        [layer, count, steps] = [printable(news.layer), news.filters, Math.max(1, news.steps)];
        if (news.isObjective) what = 'picture';
        noteDoubt(news.input, note);
        break;
      case 'resumed':
        done += news.filters.length;
        await say({
          event: 'resumed',
          filters: news.filters,
          ...(news.webgpu ? { webgpu: news.webgpu } : {}),
        });
        // The same recipe gives another picture there.
        if (device === 'webgpu' ? news.webgpu?.length !== news.filters.length : news.webgpu)
          note(
            `of ${counted(news.filters.length, what)} that were there already, ${news.webgpu?.length ?? 0} were made on a GPU and ` +
              `${news.filters.length - (news.webgpu?.length ?? 0)} on the CPU; they are kept. For all from one device, choose another folder`,
          );
        break;
      case 'device':
        await say({ event: 'device', device: news.device, words: news.words });
        note(news.words);
        break;
      case 'ready':
        compiled = true;
        await say({ event: 'ready', workers: news.workers, seconds: seconds() });
        break;
      case 'step':
        compiled = true;
        under.set(news.filter, news.done);
        break;
      case 'picture': {
        const { filter, activation, plain, diagnosis, hint } = news;
        done++;
        under.delete(filter);
        await say({
          event: 'picture',
          filter,
          activation,
          plain,
          seconds: seconds(),
          ...(diagnosis ? { diagnosis } : {}),
        });
        if (hint) note(`${what} ${filter}: ${hint}`);
        break;
      }
      case 'grid': {
        const { file, width, height, manifest, statuses = {} } = news;
        finished = true;
        progress.clear();
        const counts = Object.fromEntries(Object.entries(statuses).map(([status, all]) => [status, all?.length ?? 0]));
        await say({ event: 'grid', file, width, height, manifest, statuses: counts, seconds: seconds() });
        if (!json && !quiet)
          await print(
            `${file} (${width}×${height}, ${counted(count, what)} of ${layer}, ${duration(performance.now() - begun)})\n${summary(statuses)}`,
          );
      }
    }
    paint();
  };
}

/** What came of the pictures, in a line: `62 ok, 2 dead (7, 12)`. */
function summary(statuses: Readonly<Partial<Record<string, readonly number[]>>>): string {
  const parts = Object.entries(statuses).flatMap(([status, filters = []]) => {
    if (filters.length === 0) return [];
    const named = filters.length > MOST ? [...filters.slice(0, MOST), '…'] : filters;
    return [status === 'ok' ? `${filters.length} ok` : `${filters.length} ${status} (${named.join(', ')})`];
  });
  return parts.length === 0 ? '' : `${parts.join(', ')}\n`;
}

/** Filters that a summary names of each status. */
const MOST = 8;

export default renderCommand(() => import('./core/render.ts').then((m) => m.render));
