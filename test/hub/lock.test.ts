/** @file The lock: taken once, never waited for in vain, never spinning. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lock } from '../../src/hub/lock.ts';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'phosphene-lock-'));
  path = join(folder, 'l');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const date = (seconds: number): void => utimesSync(path, Date.now() / 1000 + seconds, Date.now() / 1000 + seconds);
const mine = { pid: process.pid, host: hostname(), token: 'x' };

describe('the lock', () => {
  it('is taken, and given to the next one when it is released', async () => {
    const release = await lock(path);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ pid: process.pid, host: hostname() });
    const order: string[] = [];
    let looks = 0;
    const second = lock(path, { pollMs: 5, waiting: async () => void looks++ }).then(async (releaseSecond) => {
      order.push('taken');
      await releaseSecond();
    });
    await expect.poll(() => looks).toBeGreaterThan(2);
    order.push('released');
    await release();
    await second;
    expect(order).toEqual(['released', 'taken']);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['of a process that has ended', { ...mine, pid: 2 ** 30 }, 0],
    ['of a process that has ended, dated in the future', { ...mine, pid: 2 ** 30 }, 1e6],
    ['of a living process that was silent for two minutes', mine, -121],
    ['of another machine that was silent for a minute', { pid: 1, host: 'elsewhere' }, -61],
    ['that holds no process', { pid: -1, host: hostname() }, -61],
    ['that holds null', null, -61],
  ])('is taken over at once: one %s', async (_, holder, age) => {
    writeFileSync(path, JSON.stringify(holder));
    date(age);
    await (
      await lock(path, { signal: AbortSignal.timeout(2_000) })
    )();
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['of a living process', mine, -110],
    ['of another machine', { pid: 1, host: 'elsewhere' }, -50],
    ['that is half written', undefined, -50],
    ['dated in the future', mine, 1e6],
  ])('is waited for: one %s', async (_, holder, age) => {
    writeFileSync(path, holder === undefined ? '{"pid"' : JSON.stringify(holder));
    date(age);
    const reason = new Error('stop');
    const stop = new AbortController();
    setTimeout(() => stop.abort(reason), 60);
    await expect(lock(path, { signal: stop.signal, pollMs: 10 })).rejects.toThrow();
    expect(existsSync(path)).toBe(true);
  });

  it('dated in the future is taken over when it shows no life', async () => {
    writeFileSync(path, JSON.stringify(mine));
    date(1e6);
    const started = performance.now();
    await (
      await lock(path, { pollMs: 10, staleMs: 200 })
    )();
    expect(performance.now() - started).toBeGreaterThan(190);
  });

  it('dated in the future is waited for while it shows life', async () => {
    writeFileSync(path, JSON.stringify(mine));
    let beat = 1e6;
    const heart = setInterval(() => date(beat++), 20);
    try {
      await expect(lock(path, { pollMs: 10, staleMs: 200, signal: AbortSignal.timeout(600) })).rejects.toMatchObject({
        name: 'AbortError',
      });
    } finally {
      clearInterval(heart);
    }
  });

  it('keeps the lock of whoever took it over', async () => {
    const release = await lock(path);
    writeFileSync(path, JSON.stringify({ pid: 1, host: 'elsewhere' }));
    await release();
    expect(readFileSync(path, 'utf8')).toContain('elsewhere');
  });

  it('does not follow a link that took its place', async () => {
    const release = await lock(path);
    const target = join(folder, 'target');
    writeFileSync(target, readFileSync(path));
    rmSync(path);
    symlinkSync(target, path);
    await release();
    expect(existsSync(target)).toBe(true);
  });
});

describe('what stands in the place of the lock', () => {
  it.each([
    ['a folder', () => mkdirSync(path)],
    ['a link', () => symlinkSync('/nonexistent', path)],
  ])('is named at once: %s', async (kind, make) => {
    make();
    await expect(lock(path, { signal: AbortSignal.timeout(2_000) })).rejects.toMatchObject({
      code: 'filesystem',
      message: expect.stringContaining(`${path} should be a lock file and is ${kind}; remove it`),
      details: { path },
    });
  });

  // The administrator reads everything, so the test becomes someone else for a moment.
  it.skipIf(process.getuid?.() !== 0)(
    'is slept for, and then named: a file that nobody may read or remove',
    async () => {
      writeFileSync(path, 'x');
      chmodSync(path, 0o600);
      chmodSync(folder, 0o1777);
      process.seteuid!(65534);
      try {
        const cpu = process.cpuUsage();
        await expect(lock(path, { pollMs: 20, signal: AbortSignal.timeout(300) })).rejects.toMatchObject({
          name: 'AbortError',
        });
        const { user, system } = process.cpuUsage(cpu);
        expect((user + system) / 1e6).toBeLessThan(0.25);
        await expect(lock(path, { pollMs: 20, staleMs: 100 })).rejects.toMatchObject({
          code: 'filesystem',
          message: expect.stringMatching(/shows no life and cannot be removed: not permitted .*PHOSPHENE_CACHE/),
        });
      } finally {
        process.seteuid!(0);
      }
      expect(statSync(path).size).toBe(1);
    },
  );

  it('is not read to its end: a lock of a terabyte', async () => {
    writeFileSync(path, '');
    truncateSync(path, 2 ** 40);
    date(-61);
    await (
      await lock(path)
    )();
    expect(existsSync(path)).toBe(false);
  });
});
