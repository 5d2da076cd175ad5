/** @file What a command talks to: two streams and the signals of its process. Tests pass their own. */
import type { PhospheneError } from '../errors.ts';
import { explained, systemCode } from '../filesystem.ts';

/** A standard stream, as far as it is used. */
export interface Stream {
  write(text: string, done?: (error?: Error | null) => void): boolean;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

/** The signals of a process, as far as they are used. */
export interface Signals {
  on(signal: 'SIGINT' | 'SIGTERM', listener: (signal: NodeJS.Signals) => void): unknown;
  off(signal: 'SIGINT' | 'SIGTERM', listener: (signal: NodeJS.Signals) => void): unknown;
  /** Ends the process as the signal does if nobody listens. */
  end(signal: NodeJS.Signals): void;
}

/** All that a command talks to besides the core. */
export interface Io {
  readonly stdout: Stream;
  readonly stderr: Stream;
  readonly signals: Signals;
}

/** The process that we are. */
export function nodeIo(): Io {
  // A failed write is also an event, which ends the process with a stack trace unless someone listens. What cannot be written to
  // standard error is lost.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  return {
    stdout: process.stdout,
    stderr: process.stderr,
    signals: {
      on: (signal, listener) => process.on(signal, listener),
      off: (signal, listener) => process.off(signal, listener),
      end: (signal) => process.kill(process.pid, signal),
    },
  };
}

/** Whoever read our standard output has gone, as `head` does when it has seen enough. */
export class ReaderGone extends Error {}

/** Writes text to the end, or says why not. Throws `ReaderGone`, or `filesystem`, for example if the disk is full. */
export function print(stdout: Stream, text: string): Promise<void> {
  return new Promise((resolve, reject: (reason: ReaderGone | PhospheneError) => void) => {
    stdout.write(text, (error) => {
      if (!error) resolve();
      else if (systemCode(error) === 'EPIPE') reject(new ReaderGone());
      else reject(explained(error, 'standard output', 'cannot be written'));
    });
  });
}
