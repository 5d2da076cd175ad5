/** @file Progress for people: one live line on a terminal, nothing in a pipe. */
import type { WriteStream } from 'node:tty';

export interface Progress {
  /** Shows `done` of `total`; `label` says what of. */
  update(label: string, done: number, total: number | undefined, format?: (n: number) => string): void;
  /** Removes the line. */
  clear(): void;
}

/** Shows nothing before this: what is quick needs no bar. */
const PATIENCE = 400;

export function createProgress(
  stream: Pick<WriteStream, 'write' | 'isTTY' | 'columns'>,
  now: () => number = performance.now.bind(performance),
): Progress {
  if (!stream.isTTY) return { update: () => {}, clear: () => {} };
  let label = '';
  let begun = 0;
  let first = 0;
  let painted = 0;
  let shown = false;
  const clear = (): void => {
    if (shown) stream.write('\r\u001b[2K');
    shown = false;
  };
  return {
    clear,
    update(what, done, total, format = String) {
      const time = now();
      if (what !== label) [label, begun, first] = [what, time, done];
      if (time - begun < PATIENCE || time - painted < 100) return;
      painted = time;
      const share = total ? Math.min(done / total, 1) : 0;
      const rate = (done - first) / (time - begun);
      const left = total && rate > 0 ? `, ${duration((total - done) / rate)} left` : '';
      const width = Math.max(8, Math.min(32, (stream.columns || 80) - what.length - 40));
      const bar = total
        ? `${'█'.repeat(Math.round(share * width))}${'░'.repeat(width - Math.round(share * width))} `
        : '';
      const line = `${what} ${bar}${format(done)}${total ? ` of ${format(total)}` : ''}${left}`;
      stream.write(`\r\u001b[2K${line.slice(0, (stream.columns || 80) - 1)}`);
      shown = true;
    },
  };
}

/** Milliseconds as `8 s`, `1 min 5 s` or `2 h 3 min`. */
export function duration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

/** Bytes as MB. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
