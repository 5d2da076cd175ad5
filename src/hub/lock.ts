/**
 * @file One process at a time: a lock file that outlives no crash, and that nobody waits for in vain.
 *
 * The package proper-lockfile was considered. It heeds no signal, never takes over a lock dated in the future, and sees that a holder
 * is dead only by the clock.
 */
import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { link, lstat, lutimes, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { PhospheneError } from '../errors.ts';
import { explained, systemCode } from '../filesystem.ts';
import { ANOTHER_CACHE } from './cache.ts';
import { readStart } from './guarded.ts';

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called at each look while another process holds the lock. */
  readonly waiting?: (() => Promise<void>) | undefined;
  /** How long between looks, in milliseconds. Default 200. */
  readonly pollMs?: number | undefined;
  /** A lock that shows no life for this long is taken away. Default: two minutes if its process lives, one if that cannot be seen. */
  readonly staleMs?: number | undefined;
}

const HEARTBEAT_MS = 5_000;
/** A holder that can be seen alive may be busy (a long synchronous run); one on another machine shows only its heartbeat. */
const STALE_MS = { alive: 120_000, elsewhere: 60_000 };

/**
 * Takes the lock at `path` and returns the function that releases it. While its holder shows life, this waits; the lock of a
 * process that has ended or fallen silent is taken over. Silence is measured by our own watch as well: the holder's clock may be
 * wrong by years.
 *
 * Throws `filesystem` if the lock cannot be written or taken away, or something else has its name, and the signal's reason.
 *
 * @example
 * const release = await lock('weights.h5.lock');
 * try { … } finally { await release(); }
 */
export async function lock(path: string, options: LockOptions = {}): Promise<() => Promise<void>> {
  const { signal, waiting, pollMs = 200, staleMs } = options;
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), token: randomUUID() });
  /** The sign of life that was seen last, and when it was new to us. */
  let sign = '';
  let since = 0;
  for (;;) {
    signal?.throwIfAborted();
    try {
      await writeFile(path, mine, { flag: 'wx' });
      break;
    } catch (cause) {
      if (systemCode(cause) !== 'EEXIST') throw explained(cause, path, 'cannot be written', ANOTHER_CACHE);
    }
    const found = await look(path);
    // Released just now.
    if (found === undefined) continue;
    if (found.sign !== sign) [sign, since] = [found.sign, performance.now()];
    const silence = Math.max(performance.now() - since, Date.now() - found.stats.mtimeMs);
    const limit = limitFor(found.content);
    if (limit === 0 || silence >= (staleMs ?? limit)) await takeAway(path, found.content);
    else {
      await waiting?.();
      await sleep(pollMs, undefined, { signal });
    }
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    lutimes(path, now, now).catch(() => {});
  }, HEARTBEAT_MS);
  heartbeat.unref();
  return async () => {
    clearInterval(heartbeat);
    // Whoever thought us dead holds the lock now; theirs stays.
    if ((await readStart(path)) === mine) await rm(path, { force: true });
  };
}

interface Found {
  readonly stats: Stats;
  /** Undefined if it cannot be read: another user's. */
  readonly content: string | undefined;
  /** Changes with every sign of life. */
  readonly sign: string;
}

/** The lock as it is; undefined if there is none any more. */
async function look(path: string): Promise<Found | undefined> {
  let stats: Stats;
  try {
    stats = await lstat(path);
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return undefined;
    throw explained(cause, path, 'cannot be read', ANOTHER_CACHE);
  }
  if (!stats.isFile()) {
    const kind = stats.isDirectory() ? 'a folder' : stats.isSymbolicLink() ? 'a link' : 'something else';
    throw new PhospheneError(
      'filesystem',
      `${path} should be a lock file and is ${kind}; remove it, or ${ANOTHER_CACHE}`,
      { path },
    );
  }
  const content = await readStart(path);
  return { stats, content, sign: `${stats.dev}/${stats.ino}/${stats.mtimeMs}/${content}` };
}

/** A rename takes the lock from everyone at once; if it was no longer the silent one, it goes back. */
async function takeAway(path: string, content: string | undefined): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
    if ((await readStart(aside)) !== content) await link(aside, path).catch(() => {});
    await rm(aside, { force: true });
  } catch (cause) {
    if (systemCode(cause) === 'ENOENT') return;
    throw explained(cause, path, 'is a lock that shows no life and cannot be removed', ANOTHER_CACHE);
  }
}

/** How long its holder may be silent; 0 if it has ended. */
function limitFor(content: string | undefined): number {
  const holder = holderOf(content);
  if (holder?.host !== hostname() || typeof holder.pid !== 'number' || !(holder.pid > 0)) return STALE_MS.elsewhere;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return 0;
  }
  return STALE_MS.alive;
}

function holderOf(content: string | undefined): { readonly pid?: unknown; readonly host?: unknown } | undefined {
  try {
    return (JSON.parse(content ?? 'null') as object | null) ?? undefined;
  } catch {
    // Not written to the end yet, or written by a process that died just then.
    return undefined;
  }
}
