/** @file The command line in the same process: its streams are texts, its signals are ours to give. */
import type { Entry } from '../../src/cli/command.ts';
import type { Io, Stream } from '../../src/cli/io.ts';
import { run } from '../../src/cli/program.ts';
// Loaded with the test, and not while it runs: a mutant of what runs at loading belongs to no test (docs/testing.md).
import '../../src/cli/animate.ts';
import '../../src/cli/dream.ts';
import '../../src/cli/explore.ts';
import '../../src/cli/help.ts';
import '../../src/cli/layers.ts';
import '../../src/cli/measure.ts';
import '../../src/cli/models.ts';
import '../../src/cli/progress.ts';
import '../../src/cli/render.ts';
import '../../src/cli/sheet.ts';
import '../../src/cli/signal.ts';
import '../../src/cli/site.ts';

/** A stream that keeps what it is told; writing fails with `error` if that is given. */
export function fakeStream(
  options: { readonly isTTY?: boolean; readonly columns?: number; readonly error?: Error } = {},
): Stream & { text(): string; readonly writes: string[] } {
  const writes: string[] = [];
  return {
    ...options,
    writes,
    text: () => writes.join(''),
    write(text, done) {
      if (!options.error) writes.push(text);
      done?.(options.error);
      return true;
    },
  };
}

export interface FakeIo extends Io {
  readonly stdout: ReturnType<typeof fakeStream>;
  readonly stderr: ReturnType<typeof fakeStream>;
  /** Gives a signal to whoever listens; how many did. */
  raise(signal: 'SIGINT' | 'SIGTERM'): number;
  /** The signals that ended the process. */
  readonly ended: NodeJS.Signals[];
}

export function fakeIo(stdout = fakeStream(), stderr = fakeStream()): FakeIo {
  const listeners = new Map<string, Set<(signal: NodeJS.Signals) => void>>();
  const of = (signal: string): Set<(signal: NodeJS.Signals) => void> => {
    if (!listeners.has(signal)) listeners.set(signal, new Set());
    return listeners.get(signal)!;
  };
  const ended: NodeJS.Signals[] = [];
  return {
    stdout,
    stderr,
    ended,
    signals: {
      on: (signal, listener) => of(signal).add(listener),
      off: (signal, listener) => of(signal).delete(listener),
      end: (signal) => ended.push(signal),
    },
    raise(signal) {
      const called = [...of(signal)];
      for (const listener of called) listener(signal);
      return called.length;
    },
  };
}

/** What a command line says and ends with. */
export async function said(
  words: readonly string[],
  entries?: Readonly<Record<string, Entry>>,
  io: FakeIo = fakeIo(),
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const code = await run(words, io, entries);
  return { code, stdout: io.stdout.text(), stderr: io.stderr.text() };
}
