/** @file Errors as a sentence, as a line of JSON, and as an exit code. */
import { PhospheneError } from '../errors.ts';
import { flagOf, type Options } from './options.ts';
import { printable } from './text.ts';

/** What the process ends with. Documented in docs/command.md. */
export const exitCodes = {
  /** All went well. */
  done: 0,
  /** A bug of ours, or ONNX Runtime failed. */
  fault: 1,
  /** Something that the user can mend: an option, a file, the network. */
  mendable: 2,
  /** Ctrl-C or SIGTERM. */
  stopped: 130,
  /** The reader of the output has gone, as by SIGPIPE. */
  readerGone: 141,
} as const;

/** Names that the core has for what an option of the command says. */
const aliases: Readonly<Record<string, string>> = {
  height: 'size',
  width: 'size',
  channel: 'filters',
  channels: 'filters',
  cacheDir: 'cache',
};

/**
 * The core's sentence with options as they are written on a command line. The core names them in `details.option` (one, or several),
 * and in its sentence before a colon (`crop: …`) or in backticks. `details.suggestion` holds values that work: `{ crop: 0 }`.
 *
 * @example
 * spelled(new PhospheneError('bad-option', 'crop: too much', { option: 'crop', suggestion: { crop: 0 } }), options);
 * // '--crop: too much; try --crop 0'
 */
export function spelled({ message, details }: PhospheneError, options: Options): string {
  const name = (option: string): string => aliases[option] ?? option;
  const known = (option: unknown): option is string =>
    typeof option === 'string' && Object.hasOwn(options, name(option));
  const suggestion = Object.entries(details['suggestion'] ?? {}).filter(([option]) => known(option));
  const named = [details['option']].flat().filter(known);
  let sentence = message;
  for (const option of new Set([...named, ...suggestion.map(([o]) => o)])) {
    const flag = flagOf(name(option));
    if (sentence.startsWith(`${option}:`)) sentence = flag + sentence.slice(option.length);
    sentence = sentence.replaceAll(`\`${option}\``, `\`${flag}\``);
  }
  if (suggestion.length === 0) return sentence;
  return `${sentence}; try ${suggestion.map(([option, value]) => `${flagOf(name(option))} ${value}`).join(' ')}`;
}

/** What is said of an error: a sentence for people, an object for programs, and a code for the shell. */
export interface Report {
  readonly code: number;
  /** For standard error. */
  readonly text: string;
  /** For standard output under `--json`. */
  readonly event: {
    readonly event: 'error';
    readonly code: string;
    readonly message: string;
    readonly details: Readonly<Record<string, unknown>>;
  };
}

/** The report of anything thrown; `options` are those of the command that threw it. */
export function report(error: unknown, options: Options): Report {
  if (!(error instanceof PhospheneError)) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return {
      code: exitCodes.fault,
      text: `phosphene: this is a bug of ours: ${lines(message)}\n`,
      event: {
        event: 'error',
        code: 'internal',
        message: error instanceof Error ? error.message : message,
        details: {},
      },
    };
  }
  const message = spelled(error, options);
  const event = { event: 'error', code: error.code, message, details: error.details } as const;
  if (error.code === 'runtime') {
    const { cause } = error;
    const why =
      cause === undefined
        ? ''
        : `${lines(cause instanceof Error ? (cause.stack ?? cause.message) : jsonLine(cause).trimEnd())}\n`;
    return { code: exitCodes.fault, text: `phosphene: ${printable(message)}\n${why}`, event };
  }
  return { code: exitCodes.mendable, text: `phosphene: ${printable(message)}\n`, event };
}

/** One line of JSON for any value: what JSON cannot hold becomes text. */
export function jsonLine(value: unknown): string {
  const seen: unknown[] = [];
  return `${JSON.stringify(value, function (this: unknown, _, held: unknown) {
    if (typeof held === 'bigint') return held.toString();
    if (held instanceof Error) return held.message;
    if (typeof held !== 'object' || held === null) return held;
    // The ancestors of `held` end with the object that holds it.
    seen.splice(seen.indexOf(this) + 1);
    if (seen.includes(held)) return '[circular]';
    seen.push(held);
    return held;
  })}\n`;
}

function lines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}
