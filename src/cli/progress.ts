/** @file Progress for people: one live line on a terminal, nothing in a pipe. */
import type { Stream } from './io.ts';
import { duration, shortened, widthOf } from './text.ts';

/** What goes on. */
export interface Activity {
  /** Tells activities apart: a rate is measured within one. The label may change on the way. */
  readonly key: string;
  /** What is done, for people. */
  readonly label: string;
  /** How far it is, in any unit. */
  readonly done?: number;
  /** How far it goes, if that is known. */
  readonly total?: number | undefined;
  /** How far it is, in words: `3 of 64 filters`. */
  readonly detail?: string;
}

export interface Progress {
  /** Shows the line, or brings it up to date. */
  show(activity: Activity): void;
  /** Removes the line; the next activity brings it back. */
  clear(): void;
}

export const silent: Progress = { show: () => {}, clear: () => {} };

/** Shows nothing before this: what is quick needs no line. */
const PATIENCE = 400;
/** Paints no oftener than this. */
const PAUSE = 100;
/** Paints at least this often while a line is there, so that the time left goes on. */
const TICK = 1000;
/** The rate is a mean over about this long, so that it is steady though steps come in bursts. */
const MEMORY = 20_000;
/** No time left is said before a rate has been measured for this long. */
const SURE = 1500;

/** Milliseconds left at the rate measured so far; undefined while it is not known. */
export interface Estimate {
  /** Tells how far it is now. */
  add(done: number, time: number): void;
  left(total: number, time: number): number | undefined;
}

/** Estimates from a rate that forgets what is long past. What is done at the first call took no time: it was there before. */
export function estimate(): Estimate {
  let begun: number | undefined;
  let [last, at, work, span] = [0, 0, 0, 0];
  return {
    add(done, time) {
      if (begun === undefined) [begun, last, at] = [time, done, time];
      // The time between two reports counts for the work that the later one brings.
      if (done <= last) return;
      const kept = Math.exp(-(time - at) / MEMORY);
      [work, span] = [work * kept + (done - last), span * kept + (time - at)];
      [last, at] = [done, time];
    },
    left(total, time) {
      if (begun === undefined || at - begun < SURE || work === 0) return undefined;
      return Math.max(0, ((total - last) * span) / work - (time - at));
    },
  };
}

/**
 * A progress line on a stream.
 *
 * @example
 * const progress = createProgress(process.stderr);
 * progress.show({ key: 'render', label: 'conv1', done: 3, total: 64, detail: '3 of 64 filters' });
 * progress.clear();
 */
export function createProgress(stream: Stream, now: () => number = () => performance.now()): Progress {
  if (!stream.isTTY) return silent;
  let activity: Activity | undefined;
  let rate = estimate();
  let begun: number | undefined;
  let painted = -Infinity;
  let shown = false;
  let since = 0;
  let timer: NodeJS.Timeout | undefined;
  const paint = (time: number): void => {
    if (!activity || time - begun! < PATIENCE || time - painted < PAUSE) return;
    painted = time;
    shown = true;
    const left = activity.total === undefined ? undefined : rate.left(activity.total, time);
    stream.write(`\r\u001b[2K${lineOf(activity, left, time - since, (stream.columns || 80) - 1)}`);
  };
  return {
    show(next) {
      const time = now();
      begun ??= time;
      if (next.key !== activity?.key) [rate, since] = [estimate(), time];
      activity = next;
      if (next.done !== undefined) rate.add(next.done, time);
      timer ??= setInterval(() => paint(now()), TICK).unref();
      paint(time);
    },
    clear() {
      clearInterval(timer);
      timer = undefined;
      painted = -Infinity;
      if (shown) stream.write('\r\u001b[2K');
      shown = false;
    },
  };
}

/**
 * The line within `width` characters. If there is not room for all, the bar goes first, then the detail, then a part of the label;
 * percentage and time left stay.
 */
export function lineOf(activity: Activity, left: number | undefined, elapsed: number, width: number): string {
  const { label, done = 0, total, detail } = activity;
  const share = total ? Math.max(0, Math.min(1, done / total)) : undefined;
  const percent = share === undefined ? undefined : `${Math.floor(100 * share)} %`;
  const time = left === undefined ? (share === undefined ? duration(elapsed) : undefined) : `${rounded(left)} left`;
  const needed = [percent, time].filter((part) => part !== undefined);
  let room = width - needed.reduce((sum, part) => sum + widthOf(part) + 2, 0);
  if (room < Math.min(4, widthOf(label))) return shortened(needed.join('  '), width);
  const name = shortened(label, room);
  room -= widthOf(name);
  const words = detail !== undefined && widthOf(detail) + 2 <= room ? detail : undefined;
  room -= words === undefined ? 0 : widthOf(words) + 2;
  const length = Math.min(32, room - 2);
  const bar = share === undefined || length < 8 ? undefined : barOf(share, length);
  return [name, bar, percent, words, time].filter((part) => part !== undefined).join('  ');
}

function barOf(share: number, length: number): string {
  const full = Math.round(share * length);
  return '█'.repeat(full) + '░'.repeat(length - full);
}

/** A time left as finely as it is known: whole minutes from two of them. */
function rounded(ms: number): string {
  return duration(ms < 120_000 ? Math.ceil(ms / 1000) * 1000 : Math.round(ms / 60_000) * 60_000).replace(
    / min 0 s$/,
    ' min',
  );
}
