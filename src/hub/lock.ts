/** @file One process at a time: a lock file that outlives no crash. */
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { explained, systemCode } from '../filesystem.ts';
import { ANOTHER_CACHE } from './cache.ts';

export interface LockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called at each look while another process holds the lock. */
  readonly waiting?: (() => Promise<void>) | undefined;
  /** How long between looks. */
  readonly pollMs?: number | undefined;
}

const HEARTBEAT_MS = 5_000;
/** A holder that can be seen alive may be busy (a long synchronous run); one on another machine shows only its heartbeat. */
const STALE_MS = { alive: 120_000, elsewhere: 60_000 };

/**
 * Takes the lock at `path` and returns the function that releases it. The lock of a process that has ended is
 * taken over.
 *
 * @example
 * const release = await lock('weights.h5.lock');
 * try { … } finally { await release(); }
 */
export async function lock(path: string, options: LockOptions = {}): Promise<() => Promise<void>> {
  const mine = JSON.stringify({ pid: process.pid, host: hostname(), token: randomUUID() });
  for (;;) {
    try {
      await writeFile(path, mine, { flag: 'wx' });
      break;
    } catch (cause) {
      if (systemCode(cause) !== 'EEXIST') throw explained(cause, path, 'cannot be written', ANOTHER_CACHE);
    }
    if (await takeAwayStale(path)) continue;
    await options.waiting?.();
    await sleep(options.pollMs ?? 200, undefined, { signal: options.signal });
  }
  const heartbeat = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, HEARTBEAT_MS);
  heartbeat.unref();
  return async () => {
    clearInterval(heartbeat);
    // Whoever thought us dead holds the lock now; theirs stays.
    if ((await contentOf(path)) === mine) await rm(path, { force: true });
  };
}

async function takeAwayStale(path: string): Promise<boolean> {
  const content = await contentOf(path);
  const age = await stat(path).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => undefined,
  );
  if (content === undefined || age === undefined) return true;
  if (age < limitFor(content)) return false;
  // A rename takes the lock from everyone at once; if it was no longer the stale one, it goes back.
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
    if ((await contentOf(aside)) !== content) await link(aside, path).catch(() => {});
    await rm(aside, { force: true });
  } catch (cause) {
    if (systemCode(cause) !== 'ENOENT') throw explained(cause, path, 'cannot be written', ANOTHER_CACHE);
  }
  return true;
}

function limitFor(content: string): number {
  let holder: { pid?: unknown; host?: unknown } = {};
  try {
    holder = JSON.parse(content) as typeof holder;
  } catch {
    // Not written to the end yet, or written by a process that died just then.
  }
  if (holder.host !== hostname() || typeof holder.pid !== 'number') return STALE_MS.elsewhere;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (systemCode(error) === 'ESRCH') return 0;
  }
  return STALE_MS.alive;
}

async function contentOf(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(() => undefined);
}
