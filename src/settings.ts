/** @file Settings: each stands once, with its default, its check and its help. Options, records, `--help` and docs come from there. */
import { didYouMean, PhospheneError } from './errors.ts';

/** One setting of something. */
export interface Setting<T> {
  /** What it is, for `--help` and the docs: a noun phrase with its unit. */
  readonly help: string;
  readonly default: T;
  /** What it takes, as words: `a whole number from 0 to 100`. */
  readonly takes: string;
  /** Its value if it is one that the setting takes, else undefined. */
  readonly accept: (value: unknown) => T | undefined;
  /** The value that a text stands for, which is then checked; texts come from command lines. */
  readonly parse: (text: string) => unknown;
  /** On a command line it stands alone, without a value. */
  readonly alone?: boolean;
  /** The words, if it takes one of a few. */
  readonly of?: readonly string[];
}

/** Settings by name. */
// oxlint-disable-next-line typescript/no-explicit-any -- A schema holds settings of every type; `Values` tells them apart again.
export type Schema = Readonly<Record<string, Setting<any>>>;

/** The values of a schema's settings. */
export type Values<S extends Schema> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** What a setting of numbers is, and which numbers it takes. */
export interface Limits {
  readonly help: string;
  readonly default: number;
  /** The least value, itself included unless `above` is given. */
  readonly from?: number;
  /** All values must be greater than this. */
  readonly above?: number;
  /** The greatest value. */
  readonly to?: number;
}

/**
 * A whole number.
 *
 * @example
 * whole({ help: 'Steps of ascent', default: 30, to: 1000 }).takes; // 'a whole number from 0 to 1000'
 */
export function whole({ help, default: fallback, from = 0, to = Number.MAX_SAFE_INTEGER }: Limits): Setting<number> {
  return {
    help,
    default: fallback,
    takes: to === Number.MAX_SAFE_INTEGER ? `a whole number from ${from}` : `a whole number from ${from} to ${to}`,
    accept: (value) =>
      Number.isSafeInteger(value) && isBetween(value as number, from, to) ? (value as number) : undefined,
    parse: numberOf,
  };
}

/**
 * A number.
 *
 * @example
 * number({ help: 'Learning rate', default: 10, above: 0 }).accept(0); // undefined
 */
export function number({ help, default: fallback, from, above, to }: Limits): Setting<number> {
  const least = from === undefined ? (above === undefined ? '' : ` above ${above}`) : ` from ${from}`;
  return {
    help,
    default: fallback,
    takes: `a number${least}${to === undefined ? '' : ` to ${to}`}`,
    accept: (value) =>
      typeof value === 'number' &&
      Number.isFinite(value) &&
      isBetween(value, from ?? -Infinity, to ?? Infinity) &&
      value > (above ?? -Infinity)
        ? value
        : undefined,
    parse: numberOf,
  };
}

/**
 * Yes or no.
 *
 * @example
 * flag({ help: 'Stretch each picture', default: false }).parse('true'); // true
 */
export function flag({ help, default: fallback }: { help: string; default: boolean }): Setting<boolean> {
  return {
    help,
    default: fallback,
    takes: 'true or false',
    accept: (value) => (typeof value === 'boolean' ? value : undefined),
    parse: (text) => ({ true: true, false: false })[text],
    alone: true,
  };
}

/**
 * Any text that is not empty.
 *
 * @example
 * text({ help: 'Name of the layer' }).accept(''); // undefined
 */
export function text({ help, default: fallback = '' }: { help: string; default?: string }): Setting<string> {
  return {
    help,
    default: fallback,
    takes: 'a text',
    accept: (value) => (typeof value === 'string' && value !== '' ? value : undefined),
    parse: (given) => given,
  };
}

/**
 * Numbers in a list.
 *
 * @example
 * list({ help: 'Weights of the channels' }).accept([1, -0.5]); // [1, -0.5]
 */
export function list({ help }: { readonly help: string }): Setting<readonly number[]> {
  return {
    help,
    default: [],
    takes: 'a list of numbers',
    accept: (value) => (Array.isArray(value) && value.every(Number.isFinite) ? (value as number[]) : undefined),
    parse: (given) => given.split(',').map(numberOf),
  };
}

/**
 * A setting that may be left open.
 *
 * @example
 * unset(whole({ help: 'Row of the map', default: 0 })).default; // undefined
 */
export function unset<T>(setting: Setting<T>): Setting<T | undefined> {
  return { ...setting, default: undefined };
}

/**
 * One of a few words.
 *
 * @example
 * choice({ help: 'What lies outside', default: 'wrap', of: ['wrap', 'grey'] }).takes; // 'one of wrap, grey'
 */
export function choice<const T extends string>({
  help,
  default: fallback,
  of,
}: {
  help: string;
  default: NoInfer<T>;
  of: readonly T[];
}): Setting<T> {
  return {
    help,
    default: fallback,
    takes: `one of ${of.join(', ')}`,
    accept: (value) => of.find((word) => word === value),
    parse: (given) => given,
    of,
  };
}

/**
 * A setting's value, checked. Throws `bad-option` with the option in its details.
 *
 * @example
 * checked(whole({ help: 'Steps of ascent', default: 30 }), 'steps', 1.5); // throws: steps: a whole number from 0 is needed, not 1.5
 */
export function checked<T>(setting: Setting<T>, name: string, value: unknown): T {
  const accepted = setting.accept(value);
  if (accepted === undefined)
    throw new PhospheneError('bad-option', `${name}: ${setting.takes} is needed, not ${shown(value)}`, {
      option: name,
      value,
    });
  return accepted;
}

/** The value that a text stands for, checked. Throws `bad-option`. */
export function parsed<T>(setting: Setting<T>, name: string, given: string): T {
  const accepted = setting.accept(setting.parse(given));
  if (accepted === undefined)
    throw new PhospheneError('bad-option', `${name}: ${setting.takes} is needed, not \`${given}\``, {
      option: name,
      value: given,
    });
  return accepted;
}

/**
 * All values of a schema: those given, checked, and the defaults of the others. Undefined counts as not given. A text whose default is empty must be given. Throws
 * `bad-option`, also for names that the schema does not have. `what` has them, for the message: `preset keras`.
 *
 * @example
 * normalised({ steps: whole({ help: 'Steps', default: 30 }) }, {}, 'recipe'); // { steps: 30 }
 */
export function normalised<S extends Schema>(schema: S, given: object, what: string): Values<S> {
  refuseUnknown(Object.keys(given), Object.keys(schema), what);
  return Object.fromEntries(
    Object.entries(schema).map(([name, setting]) => {
      const value = (given as Readonly<Record<string, unknown>>)[name];
      // A text without a default has to be given.
      const isDefault = value === undefined && setting.default !== '';
      return [name, isDefault ? (setting.default as unknown) : checked<unknown>(setting, name, value ?? '')];
    }),
  ) as Values<S>;
}

/** Throws `bad-option` for the first of `given` that is not among `known`. */
export function refuseUnknown(given: readonly string[], known: readonly string[], what: string): void {
  const odd = given.find((name) => !known.includes(name));
  if (odd !== undefined)
    throw new PhospheneError(
      'bad-option',
      `${what}: there is no setting \`${odd}\`${didYouMean(odd, known) || `; there are ${known.join(', ')}`}`,
      { option: odd, known },
    );
}

function isBetween(value: number, low: number, high: number): boolean {
  return value >= low && value <= high;
}

/** NaN for what is no number: `Number('')` is 0. */
function numberOf(given: string): number {
  return given.trim() === '' ? Number.NaN : Number(given);
}

function shown(value: unknown): string {
  return typeof value === 'string'
    ? `\`${value}\``
    : typeof value === 'object'
      ? JSON.stringify(value)
      : `${value as number}`;
}
