/** @file The whole command line as a function: words in, an exit code out. */
import { didYouMean, PhospheneError } from '../errors.ts';
import { VERSION } from '../version.ts';
import type { AnyCommand, Entry } from './command.ts';
import { type Io, print, ReaderGone } from './io.ts';
import type { Options } from './options.ts';
import { exitCodes, jsonLine, report } from './report.ts';

/** The commands by name. */
export const commands: Readonly<Record<string, Entry>> = {
  render: {
    summary: 'Pictures of what the filters of a layer respond to, and a grid of them all',
    load: () => import('./render.ts').then((m) => m.default),
  },
  sheet: {
    summary: 'The same filters of several layers, presets or seeds, a row each',
    load: () => import('./sheet.ts').then((m) => m.default),
  },
  animate: {
    summary: 'Ascents as they go on, or filters that turn into one another, as GIF or animated PNG',
    load: () => import('./animate.ts').then((m) => m.default),
  },
  dream: {
    summary: 'DeepDream: a photo in which all that a layer finds is raised',
    load: () => import('./dream.ts').then((m) => m.default),
  },
  layers: {
    summary: 'The layers of a model in order: type, shape, parameters, and which can be rendered',
    load: () => import('./layers.ts').then((m) => m.default),
  },
  models: {
    summary: 'The models known by name, with the size of their downloads and which are here already',
    load: () => import('./models.ts').then((m) => m.default),
  },
  measure: {
    summary: "Colours and spectrum of one's own photos, as options of render",
    load: () => import('./measure.ts').then((m) => m.default),
  },
  explore: {
    summary: 'A page in your browser on which to look around in a model, picture by picture',
    load: () => import('./explore.ts').then((m) => m.default),
  },
  site: {
    summary: 'The same page as files for any web server, with pictures made beforehand',
    load: () => import('./site.ts').then((m) => m.default),
  },
};

/**
 * Runs a command line and returns its exit code; never throws. What happened is said on the streams: results on standard output,
 * everything else on standard error. Under `--json` an error is also one line of JSON on standard output.
 *
 * @example
 * process.exitCode = await run(['layers', 'resnet50v2'], nodeIo());
 */
export async function run(
  words: readonly string[],
  io: Io,
  entries: Readonly<Record<string, Entry>> = commands,
): Promise<number> {
  // Filled as soon as the command is known: an error's options are spelled by it.
  const known: { options: Options } = { options: {} };
  try {
    await dispatch(words, io, entries, known);
    return exitCodes.done;
  } catch (error) {
    if (error instanceof ReaderGone) return exitCodes.readerGone;
    return await failed(error, words, io, known.options);
  }
}

async function failed(error: unknown, words: readonly string[], io: Io, options: Options): Promise<number> {
  const { code, text, event } = report(error, options);
  const stopped = error instanceof PhospheneError && error.code === 'aborted';
  const { STOPPED } = await import('./signal.ts');
  io.stderr.write(stopped ? STOPPED : text);
  if (asks(words, '--json')) await print(io.stdout, jsonLine(event)).catch(() => {});
  return stopped ? exitCodes.stopped : code;
}

async function dispatch(
  words: readonly string[],
  io: Io,
  entries: Readonly<Record<string, Entry>>,
  known: { options: Options },
): Promise<void> {
  const [name, ...rest] = words;
  if (name === '--version' || name === '-v') return print(io.stdout, `${VERSION}\n`);
  if (name === 'help' && rest[0] !== undefined) return help(rest[0], io, entries);
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    const { rootHelp } = await import('./help.ts');
    return print(io.stdout, rootHelp(entries, io.stdout.columns));
  }
  const entry = found(name, entries);
  if (asks(rest, '--help') || asks(rest, '-h')) return help(name, io, entries);
  const command = await entry.load();
  known.options = command.options as Options;
  await execute(command, rest, io);
}

async function execute(command: AnyCommand, words: readonly string[], io: Io): Promise<void> {
  const [{ readWords }, { createProgress, silent }, { interruptible }] = await Promise.all([
    import('./options.ts'),
    import('./progress.ts'),
    import('./signal.ts'),
  ]);
  const { given, positionals } = readWords(words, command.options as Options);
  const { most, name } = command.positional;
  if (positionals.length > most)
    throw new PhospheneError(
      'bad-option',
      `\`${positionals[most]}\` is one ${name} too many; give one at a time, and quote what holds spaces`,
      { word: positionals[most] },
    );
  const quiet = given['quiet'] === true || given['json'] === true;
  const progress = quiet ? silent : createProgress(io.stderr);
  const { signal, release } = interruptible(io);
  try {
    await command.run(given, {
      positionals,
      print: (text) => print(io.stdout, text),
      note(sentence) {
        if (quiet) return;
        progress.clear();
        io.stderr.write(`${sentence}\n`);
      },
      progress,
      signal,
    });
  } finally {
    progress.clear();
    release();
  }
}

async function help(name: string, io: Io, entries: Readonly<Record<string, Entry>>): Promise<void> {
  const { summary, load } = found(name, entries);
  const [{ commandHelp }, command] = await Promise.all([import('./help.ts'), load()]);
  await print(io.stdout, commandHelp(name, summary, command, io.stdout.columns));
}

function found(name: string, entries: Readonly<Record<string, Entry>>): Entry {
  const names = Object.keys(entries);
  if (Object.hasOwn(entries, name)) return entries[name]!;
  throw new PhospheneError(
    'bad-option',
    `${name.startsWith('-') ? `\`${name}\`: a command comes first` : `command \`${name}\` is not known`}${didYouMean(name, names) || `; there are ${names.slice(0, -1).join(', ')} and ${names.at(-1)}`}`,
    { known: names },
  );
}

/** Whether a flag is among the options, as far as can be told before they are read. */
function asks(words: readonly string[], flag: string): boolean {
  const end = words.indexOf('--');
  return (end < 0 ? words : words.slice(0, end)).includes(flag);
}
