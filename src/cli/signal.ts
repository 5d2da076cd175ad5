/** @file Ctrl-C as an AbortSignal: the first asks, and the run keeps what is finished; a second ends the process at once. */
import type { Io } from './io.ts';

/** What a run that was stopped says. */
export const STOPPED = 'stopped; what is finished is kept, and the same command goes on from there\n';

/** How long a run may take to end by itself: a worker inside a long step, or compiling a large network, cannot be asked to stop. */
export const PATIENCE = 500;

/** Listens for Ctrl-C and for SIGTERM until it is released. */
export function interruptible({ signals, stderr }: Pick<Io, 'signals' | 'stderr'>): {
  readonly signal: AbortSignal;
  readonly release: () => void;
} {
  const controller = new AbortController();
  let deadline: NodeJS.Timeout | undefined;
  const release = (): void => {
    clearTimeout(deadline);
    signals.off('SIGINT', onSignal);
    signals.off('SIGTERM', onSignal);
  };
  // By the signal itself: `process.exit` would wait for the workers, and cuts them off inside ONNX Runtime, which aborts.
  const end = (signal: NodeJS.Signals): void => {
    release();
    stderr.write(STOPPED, () => signals.end(signal));
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) return end(signal);
    deadline = setTimeout(end, PATIENCE, signal).unref();
    controller.abort();
  };
  signals.on('SIGINT', onSignal);
  signals.on('SIGTERM', onSignal);
  return { signal: controller.signal, release };
}
