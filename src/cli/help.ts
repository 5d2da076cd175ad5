/** @file The text of `--help`, made of the tables that the parser reads. */
import type { AnyCommand, Entry } from './command.ts';
import { flagOf, type Option, type Options } from './options.ts';
import { widthOf, wrapped } from './text.ts';

const NAME = 'phosphene';
/** Characters a line if the terminal does not say. */
const WIDTH = 100;

/** The help of the whole: its commands. */
export function rootHelp(entries: Readonly<Record<string, Entry>>, width?: number): string {
  const commands = Object.entries(entries).map(([name, { summary }]) => [name, summary] as const);
  const flags = [
    ['--help, -h', 'This text; after a command, what it takes'],
    ['--version, -v', 'The version'],
  ] as const;
  const examples = [
    [`${NAME} render`, '64 filters of the built-in model, as out/stitched_filters.png'],
    [`${NAME} render resnet50v2 --filters 0-63`, 'the Keras example on the real network (102 MB, downloaded once)'],
    [`${NAME} render model.onnx --layer features.12 --filters all`, 'a layer of a network of your own'],
    [`${NAME} dream photo.jpg`, 'what the built-in model finds in a photo'],
    [`${NAME} layers resnet50v2`, 'what there is to render'],
    [`${NAME} models`, 'the networks that are known by name'],
  ] as const;
  return [
    'See what convolutional networks have learnt',
    '',
    `Usage: ${NAME} COMMAND [OPTIONS]`,
    '',
    'Commands:',
    ...entriesOf(commands, width),
    '',
    'Options:',
    ...entriesOf(flags, width),
    '',
    'Examples:',
    ...entriesOf(examples, width),
    '',
    'Docs: README.md and docs/',
    '',
  ].join('\n');
}

/** The help of one command. */
export function commandHelp(name: string, summary: string, command: AnyCommand, width?: number): string {
  const { positional, options, examples } = command;
  const all = Object.entries(options as Options);
  const headings = [...new Set(all.map(([, o]) => o.section ?? 'Options'))];
  return [
    ...wrapped(summary, width ?? WIDTH),
    '',
    `Usage: ${NAME} ${name} ${positional.usage ?? `[${positional.name}]`} [OPTIONS]`,
    '',
    ...entriesOf([[positional.name, positional.help]], width),
    ...headings.flatMap((heading) => [
      '',
      `${heading}:`,
      ...entriesOf(
        all
          .filter(([, o]) => (o.section ?? 'Options') === heading)
          .map(([key, option]) => [written(key, option), describe(option)] as const),
        width,
      ),
    ]),
    '',
    'Examples:',
    ...entriesOf(examples, width),
    '',
  ].join('\n');
}

/** `--layer, -l NAME`. */
function written(key: string, { short, value, setting }: Option<unknown>): string {
  return [[flagOf(key), ...(short ? [`-${short}`] : [])].join(', '), ...(setting.alone ? [] : [value ?? 'TEXT'])].join(
    ' ',
  );
}

/** What an option is, what it takes if that is a number, and its default. */
function describe({ setting, otherwise }: Option<unknown>): string {
  const fallback = otherwise ?? valueInWords(setting.default);
  // Limits that nobody meets say nothing.
  const takes = /^a (?:whole )?number(?!.*\d{9})/.test(setting.takes) ? ` (${setting.takes})` : '';
  return `${setting.help}${takes}${fallback === undefined ? '' : `; default: ${fallback}`}`;
}

function valueInWords(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

/** Two columns; the right one is wrapped. A left one that is long has a line of its own. */
function entriesOf(entries: readonly (readonly [string, string])[], width = WIDTH): string[] {
  const left = Math.min(28, Math.max(...entries.map(([term]) => widthOf(term))));
  const room = Math.max(24, width - left - 4);
  return entries.flatMap(([term, help]) => {
    const lines = wrapped(help, room).map((line) => ' '.repeat(left + 4) + line);
    if (widthOf(term) > left) return [`  ${term}`, ...lines];
    return [`  ${term.padEnd(left)}  ${lines[0]!.trimStart()}`, ...lines.slice(1)];
  });
}
