/** @file The options that say which model, and how a network's input is put in words. */
import { PhospheneError } from '../errors.ts';
import { BUILT_IN } from '../hub/models.ts';
import { choice, flag, text, whole } from '../settings.ts';
import type { Given } from './options.ts';
import { optional, section } from './options.ts';
import { numbers, size } from './parse.ts';

/** Names of preprocessings, as in keras.applications. */
const NAMES = ['tf', 'torch', 'caffe', 'raw'] as const;

/** How a network wants its pictures, as a user writes it. */
export type PreprocessSpec =
  | (typeof NAMES)[number]
  | {
      readonly range?: readonly [number, number];
      readonly mean?: readonly number[] | number;
      readonly std?: readonly number[] | number;
      readonly bgr?: boolean;
    };

/** What is known of a network's input. */
export interface InputFacts {
  readonly channels: number;
  readonly preprocess: {
    readonly scale: readonly number[];
    readonly shift: readonly number[];
    readonly order: 'rgb' | 'bgr';
  };
  /** Where the preprocessing is known from. */
  readonly from: 'known' | 'file' | 'given' | 'inferred' | 'assumed';
  /** How likely that is, from 0 to 1, if it is no more than likely. */
  readonly sure?: number | undefined;
  /** What the file fixes. */
  readonly size?: { readonly height?: number; readonly width?: number } | undefined;
}

export const modelPositional = {
  name: 'MODEL',
  help: `${BUILT_IN} (built in, the default), a name that \`phosphene models\` lists, or the path or address of a model file`,
  most: 1,
} as const;

/** The model among the words of a command. */
export function modelOf(positionals: readonly string[]): string {
  return positionals[0] ?? BUILT_IN;
}

export const modelOptions = section('Model', {
  architecture: {
    setting: optional(
      text({
        help: 'If MODEL is a file of weights: the model of `phosphene models` that they are of, for example resnet50',
      }),
    ),
    value: 'NAME',
    otherwise: 'found by the number of weights',
  },
  size: {
    setting: size('Picture size in pixels: 180, or 180x240 (height x width)'),
    value: 'SIZE',
    otherwise: 'what the model fixes, else 180',
  },
  preprocess: {
    setting: optional(
      choice({
        help: 'What the network expects: tf (RGB in [-1, 1]), torch (torchvision), caffe (BGR, mean subtracted) or raw (RGB in [0, 255])',
        default: 'tf',
        of: NAMES,
      }),
    ),
    value: 'NAME',
    otherwise: 'what the model or its file says, else tf',
  },
  range: {
    setting: numbers('In place of --preprocess: what black and white are, for example 0,1', 2),
    value: 'BLACK,WHITE',
    otherwise: '0,1 if --mean, --std or --bgr is given',
  },
  mean: { setting: numbers('Subtracted after that; one number, or one a channel'), value: 'N,N,N', otherwise: '0' },
  std: { setting: numbers('Divided by after that; one number, or one a channel'), value: 'N,N,N', otherwise: '1' },
  bgr: { setting: flag({ help: 'The network takes blue first', default: false }) },
});

/** Where weights come from. */
export const weightsOptions = section('Model', {
  weights: {
    setting: optional(text({ help: 'A Keras HDF5 weights file, in place of downloading the published one' })),
    value: 'FILE',
  },
  cache: {
    setting: optional(text({ help: 'Folder for downloads' })),
    value: 'FOLDER',
    otherwise: '$PHOSPHENE_CACHE or the cache of the system',
  },
});

/** The worker threads of a command that computes. */
export const workersOption = section('Result', {
  workers: {
    setting: optional(whole({ help: 'Worker threads', default: 1, from: 1, to: 1024 })),
    short: 'w',
    value: 'N',
    otherwise: 'one a core',
  },
});

/** The options that only say how something is told. */
export const outputOptions = section('What is told', {
  json: {
    setting: flag({ help: 'Results as JSON on standard output; an error is a line of JSON there', default: false }),
  },
  quiet: {
    setting: flag({ help: 'No progress, hints or closing line; errors are still told', default: false }),
    short: 'q',
  },
});

/** The preprocessing that was asked for, undefined if none was. Throws `bad-option` if two ways to say it are mixed. */
export function preprocessOf(given: Omit<Given<typeof modelOptions>, 'size'>): PreprocessSpec | undefined {
  const { preprocess, range, mean, std, bgr } = given;
  const others = { range, mean, std, ...(bgr ? { bgr } : {}) };
  const present = Object.entries(others).filter(([, value]) => value !== undefined);
  if (preprocess !== undefined && present.length > 0)
    throw new PhospheneError(
      'bad-option',
      `preprocess: \`${present[0]![0]}\` says it in another way; give \`preprocess\`, or \`range\`, \`mean\`, \`std\` and \`bgr\``,
      { option: ['preprocess', 'range', 'mean', 'std', 'bgr'] },
    );
  if (preprocess !== undefined) return preprocess;
  const single = (list: readonly number[] | undefined): readonly number[] | number | undefined =>
    list?.length === 1 ? list[0] : list;
  const spec = { range, mean: single(mean), std: single(std), ...(bgr ? { bgr } : {}) };
  return present.length === 0
    ? undefined
    : Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== undefined));
}

const origins: Readonly<Record<InputFacts['from'], string>> = {
  known: 'as the model was published',
  file: 'the file says so',
  given: 'as you say',
  inferred: 'inferred from the weights',
  assumed: 'assumed',
};

/** What to do about a preprocessing that nothing states. */
const REMEDY =
  'if the model was trained otherwise, give --preprocess torch, caffe or raw, or --range, --mean, --std and --bgr';

/**
 * A network's input in words, and what to do if it is no more than likely.
 *
 * @example
 * inputInWords(network.input); // '3 channels, 224×224 px; RGB in [0, 1] (the file says so)'
 */
export function inputInWords(input: InputFacts): string {
  const { channels, size: fixed } = input;
  const side = (length: number | undefined): string => (length === undefined ? 'any' : String(length));
  const pixels =
    fixed?.height === undefined && fixed?.width === undefined
      ? 'any size'
      : `${side(fixed.height)}×${side(fixed.width)} px`;
  return `${channels} channel${channels === 1 ? '' : 's'}, ${pixels}; ${valuesInWords(input)} (${originInWords(input)})${isDoubtful(input) ? `; ${REMEDY}` : ''}`;
}

/** Where a preprocessing is known from, and how surely: `inferred from the weights, 97 % sure but for the order of colours`. */
function originInWords({ from, sure, channels }: InputFacts): string {
  if (sure === undefined) return origins[from];
  const order = channels === 3 ? ' but for the order of colours' : '';
  // Never quite: nobody has looked at a picture.
  return `${origins[from]}, ${Math.min(Math.floor(100 * sure), 99)} % sure${order}`;
}

/** Notes a preprocessing that nothing states, in one line that says what to do. */
export function noteDoubt(input: InputFacts, note: (line: string) => void): void {
  if (!isDoubtful(input)) return;
  const doubt = input.from === 'assumed' ? ', which is doubtful' : '';
  note(
    `phosphene: nothing says how the model wants its pictures; ${valuesInWords(input)} is ${originInWords(input)}${doubt}; ${REMEDY}`,
  );
}

/** Whether a preprocessing is no more than likely. */
function isDoubtful({ from }: InputFacts): boolean {
  return from === 'assumed' || from === 'inferred';
}

/** The values that the network expects: `RGB in [0, 1]`, with one range a channel if they differ. */
function valuesInWords({ preprocess: { scale, shift, order }, channels }: InputFacts): string {
  const round = (value: number): string => String(Number(value.toPrecision(4)));
  const ranges = scale.map((s, i) => `[${round(shift[i]! - s)}, ${round(shift[i]! + s)}]`);
  const colours = channels === 3 ? order.toUpperCase() : channels === 1 ? 'grey' : 'values';
  return `${colours} in ${new Set(ranges).size === 1 ? ranges[0]! : ranges.join(', ')}`;
}
