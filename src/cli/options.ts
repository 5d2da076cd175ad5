/** @file What a command takes, as data; and the words of a command line as values. One table gives parser, checks and help. */
import { parseArgs } from 'node:util';
import { didYouMean, PhospheneError } from '../errors.ts';
import { parsed, type Schema, type Setting } from '../settings.ts';

/** One option: a setting, and how it is written. */
export interface Option<T> {
  readonly setting: Setting<T>;
  /** Its letter. */
  readonly short?: string;
  /** What stands for its value in the help: `FOLDER`. */
  readonly value?: string;
  /** Its default in words, if that is no value. */
  readonly otherwise?: string;
  /** The heading that it has in the help. */
  readonly section?: string;
}

// oxlint-disable-next-line typescript/no-explicit-any -- A table holds options of every type; `Given` tells them apart again.
export type Options = Readonly<Record<string, Option<any>>>;

/** The values of a table of options. Every option has one: what was given, else its default. */
export type Given<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never };

/** A setting without a default. */
export function optional<T>(setting: Setting<T>): Setting<T | undefined> {
  return { ...setting, default: undefined };
}

/** The options under one heading. */
export function section<const O extends Options>(heading: string, options: O): O {
  return Object.fromEntries(Object.entries(options).map(([name, o]) => [name, { ...o, section: heading }])) as O;
}

/** Settings as options. What is not given is undefined, since a preset decides it; the help says the setting's own default. */
export function optionsOf(settings: Schema): Options {
  return Object.fromEntries(
    Object.entries(settings).map(([name, setting]) => [
      name,
      { setting: optional(setting), otherwise: String(setting.default), value: placeholder(setting) },
    ]),
  );
}

function placeholder(setting: Setting<unknown>): string {
  return typeof setting.default === 'number' ? 'N' : 'TEXT';
}

/** How a name is written on a command line: `kerasSave` is `--keras-save`. */
export function flagOf(name: string): string {
  return `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Words read by a table of options. `positionals` are the words that belong to no option. */
export interface Reading<O extends Options> {
  readonly given: Given<O>;
  readonly positionals: readonly string[];
}

/**
 * Reads words. Throws `bad-option` for what is unknown, lacks its value, has one too many, is given twice, or is refused by its
 * setting.
 *
 * @example
 * readWords(['--seed', '-1'], { seed: { setting: whole({ help: 'Seed', default: 0, from: -10 }) } }).given.seed; // -1
 */
export function readWords<O extends Options>(words: readonly string[], options: O): Reading<O> {
  const named = new Map(Object.entries(options).map(([name, option]) => [flagOf(name).slice(2), { name, option }]));
  const letters = new Map([...named.values()].flatMap((o) => (o.option.short ? [[o.option.short, o] as const] : [])));
  const { tokens } = parseArgs({
    args: [...words],
    // Checked below, token by token: our messages say what to do.
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      [...named].map(([flag, { option }]) => [
        flag,
        { type: option.setting.alone ? 'boolean' : 'string', ...(option.short ? { short: option.short } : {}) },
      ]),
    ),
  });
  const texts = new Map<string, { readonly word: string; readonly text: string | undefined }>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const word = words[token.index]!;
    const flag = word.startsWith('--') ? token.name : word.slice(1).split('=', 1)[0]!;
    const short = !word.startsWith('--');
    const found = short && flag.length === 1 ? letters.get(flag) : named.get(flag);
    if (short && flag.length > 1) throw misspelt(word, flag, named, letters);
    if (!found) throw letters.has(flag) && !short ? refused(word, `write \`-${flag}\``) : unknown(word, flag, named);
    texts.set(found.name, textOf(token, word, found.option.setting, texts.get(found.name)));
  }
  const given = Object.fromEntries(
    Object.entries(options).map(([name, { setting }]) => {
      const found = texts.get(name);
      if (!found) return [name, setting.default as unknown];
      return [name, found.text === undefined ? true : (parsed(setting, name, found.text) as unknown)];
    }),
  ) as Given<O>;
  return { given, positionals };
}

type Found = { readonly word: string; readonly text: string | undefined };

/** The text of an option's value, undefined for a flag. `earlier` is what the option was given before. */
function textOf(
  { value, inlineValue }: { readonly value?: string | undefined; readonly inlineValue?: boolean | undefined },
  word: string,
  { alone }: Setting<unknown>,
  earlier: Found | undefined,
): Found {
  const written = word.split('=', 1)[0]!;
  if (alone) {
    if (word.includes('=')) throw refused(word, `it takes no value; write \`${written}\``);
    return { word: written, text: undefined };
  }
  // `-h=3` of parseArgs has the sign of equality in its value.
  const text = word.startsWith('--') ? value : value?.replace(/^=/, '');
  if (text === undefined || text === '') throw refused(written, 'it needs a value');
  // A number may be negative; another word with a dash is the next option.
  if (!inlineValue && /^-(?![\d.])/.test(text))
    throw refused(
      written,
      `it needs a value, and \`${text}\` looks like an option; if it is the value, write \`${written}=${text}\``,
    );
  if (earlier !== undefined && earlier.text !== text)
    throw refused(written, `it is given twice, as \`${earlier.text}\` and as \`${text}\`; give it once`);
  return { word: written, text };
}

function refused(word: string, why: string): PhospheneError {
  return new PhospheneError('bad-option', `option \`${word}\`: ${why}`, { word });
}

function unknown(word: string, flag: string, named: ReadonlyMap<string, unknown>): PhospheneError {
  const known = [...named.keys()];
  const near = didYouMean(flag, known).replaceAll(/`([^`]+)`/g, '`--$1`');
  return new PhospheneError(
    'bad-option',
    `option \`${word.split('=', 1)[0]}\` is not known${near || '; --help lists all'}`,
    {
      word,
    },
  );
}

/** One dash and several letters: `-size` for `--size`, or `-w4` for `-w 4`. */
function misspelt(
  word: string,
  flag: string,
  named: ReadonlyMap<string, unknown>,
  letters: ReadonlyMap<string, { readonly option: Option<unknown> }>,
): PhospheneError {
  if (named.has(flag)) return refused(word, `write \`--${flag}\``);
  const letter = letters.get(flag[0]!);
  if (letter && !letter.option.setting.alone && /^.-?\d/.test(flag))
    return refused(word, `write \`-${flag[0]} ${flag.slice(1)}\``);
  return unknown(word, flag, named);
}
