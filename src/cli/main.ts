#!/usr/bin/env node
/** @file The command tree; errors become a sentence and an exit code: 2 for what the user can mend, 130 for Ctrl-C, 1 for our bugs, 141 where the reader of the output left. */
import { type ArgsDef, type CommandDef, defineCommand, renderUsage, runCommand } from 'citty';
import { stripVTControlCharacters } from 'node:util';
import { didYouMean, PhospheneError } from '../errors.ts';
import { VERSION } from '../version.ts';
import { print, printable, ReaderGone } from './print.ts';
import { STOPPED } from './signal.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- A command's argument types matter inside it only; citty types its tables so.
type AnyCommand = CommandDef<any>;
/** Loaded when asked for: start-up is part of the wait for the first picture. */
const commands: Record<string, () => Promise<AnyCommand>> = {
  render: () => import('./render.ts').then((m) => m.default),
  layers: () => import('./layers.ts').then((m) => m.default),
};

const root = defineCommand({
  meta: { name: 'phosphene', version: VERSION, description: 'See what convolutional networks have learnt' },
  subCommands: commands,
});

const EXAMPLES = `
Examples:
  phosphene render                                     64 filters of the built-in model, as out/stitched_filters.png
  phosphene render resnet50v2 --filters 0-63           the Keras example on the real network (95 MB, downloaded once)
  phosphene render model.onnx --layer features.12 --filters all --size 224
  phosphene layers resnet50v2                          what there is to render

Docs: README.md and docs/
`;

async function main(argv: string[]): Promise<number> {
  const [name, ...rest] = argv;
  if (name === '--version' || name === '-v') {
    await print(`${VERSION}\n`);
    return 0;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    await print(`${await usage(root)}\n${EXAMPLES}`);
    return 0;
  }
  if (!Object.hasOwn(commands, name)) {
    throw new PhospheneError(
      'bad-option',
      `command \`${name}\` is not known${didYouMean(name, Object.keys(commands)) || `; there are ${Object.keys(commands).join(' and ')}`}`,
    );
  }
  const command = await commands[name]!();
  if (rest.includes('--help') || rest.includes('-h')) {
    await print(`${await usage(command, root)}\n`);
    return 0;
  }
  rejectUnknown(rest, command.args as ArgsDef);
  await runCommand(command, { rawArgs: rest });
  return 0;
}

/** citty colours its text wherever it goes; in a file or a pipe that is noise. */
async function usage(command: AnyCommand, parent?: AnyCommand): Promise<string> {
  const text = await renderUsage(command, parent);
  return process.stdout.hasColors?.() ? text : stripVTControlCharacters(text);
}

/** citty passes unknown options by; a misspelt one should not be silently ignored. */
function rejectUnknown(argv: readonly string[], args: ArgsDef): void {
  const options = Object.entries(args).filter(([, a]) => a.type !== 'positional');
  const known = new Set(options.flatMap(([name, a]) => [name, ...('alias' in a && a.alias ? [a.alias].flat() : [])]));
  const takesValue = new Set(
    options.flatMap(([name, a]) =>
      a.type === 'boolean' ? [] : [name, ...('alias' in a && a.alias ? [a.alias].flat() : [])],
    ),
  );
  let positionals = Object.values(args).filter((a) => a.type === 'positional').length;
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (!word.startsWith('-')) {
      if (positionals-- === 0) throw new PhospheneError('bad-option', `\`${word}\`: one model at a time`);
      continue;
    }
    const [flag, value] = word.replace(/^--?/, '').split('=', 2) as [string, string | undefined];
    // citty reads `-size` as `-s -i -z -e`.
    const dashes = flag.length > 1 ? '--' : '-';
    if (known.has(flag) && !word.startsWith(`${dashes}${flag}`))
      throw new PhospheneError('bad-option', `option \`${word}\`: \`${dashes}${flag}\` would do`);
    if (!known.has(flag)) {
      throw new PhospheneError(
        'bad-option',
        `option \`${word}\` is not known${
          didYouMean(
            flag,
            [...known].filter((k) => k.length > 1).map((k) => k),
          ) || '; see --help'
        }`,
      );
    }
    if (takesValue.has(flag) && !(value ?? argv[++i]))
      throw new PhospheneError('bad-option', `option \`${word}\` needs a value`);
    if (!takesValue.has(flag) && value !== undefined)
      throw new PhospheneError('bad-option', `option \`${word}\` takes no value; without \`=${value}\` it would do`);
  }
}

main(process.argv.slice(2)).then(
  (code) => (process.exitCode = code),
  (error: unknown) => {
    // As if by SIGPIPE, which Node ignores: the reader knows that it left, so nothing is said.
    if (error instanceof ReaderGone) process.exitCode = 141;
    else if (error instanceof PhospheneError) {
      const aborted = error.code === 'aborted';
      process.stderr.write(aborted ? STOPPED : `phosphene: ${printable(error.message)}\n`);
      process.exitCode = aborted ? 130 : error.code === 'runtime' ? 1 : 2;
      if (error.code === 'runtime' && error.cause)
        process.stderr.write(`${error.cause instanceof Error ? error.cause.stack : JSON.stringify(error.cause)}\n`);
    } else {
      process.stderr.write(`phosphene: this is a bug of ours: ${(error as Error).stack ?? String(error)}\n`);
      process.exitCode = 1;
    }
  },
);
