/** @file What a command is, and what it gets besides its options. */
import type { Given, Options } from './options.ts';
import type { Progress } from './progress.ts';

/** What a command may do besides calling the core. */
export interface Context {
  /** The words that its options leave over. */
  readonly positionals: readonly string[];
  /** Writes to standard output. */
  readonly print: (text: string) => Promise<void>;
  /** Says a sentence on standard error, between two paintings of the progress line. */
  readonly note: (sentence: string) => void;
  /** Shows what goes on; nothing under `--quiet` or `--json`, or if no terminal reads. */
  readonly progress: Progress;
  /** Ctrl-C. */
  readonly signal: AbortSignal;
}

/** A command as data. */
export interface Command<O extends Options = Options> {
  readonly options: O;
  /** Words that it takes besides options. */
  readonly positional: {
    readonly name: string;
    readonly help: string;
    readonly most: number;
    /** How they are written, if the name in brackets does not say it. */
    readonly usage?: string;
  };
  readonly examples: readonly (readonly [line: string, help: string])[];
  run(given: Given<O>, context: Context): Promise<void>;
}

/** A command with the types of its options forgotten. */
// oxlint-disable-next-line typescript/no-explicit-any -- A table holds commands of all options.
export type AnyCommand = Command<any>;

/** A command that is loaded when it is asked for: start-up is part of the wait for the first picture. */
export interface Entry {
  readonly summary: string;
  readonly load: () => Promise<AnyCommand>;
}

/** A command, with its types inferred. */
export function command<const O extends Options>(definition: Command<O>): Command<O> {
  return definition;
}
