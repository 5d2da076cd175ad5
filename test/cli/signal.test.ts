/** @file Ctrl-C, given to a process that is not ours. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { interruptible, PATIENCE, STOPPED } from '../../src/cli/signal.ts';
import { fakeIo } from './fake.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('Ctrl-C', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('%s asks first, and ends nothing before its deadline', (name) => {
    const io = fakeIo();
    const { signal } = interruptible(io);
    expect(signal.aborted).toBe(false);
    io.raise(name);
    expect(signal.aborted).toBe(true);
    vi.advanceTimersByTime(PATIENCE - 1);
    expect([io.ended, io.stderr.text()]).toEqual([[], '']);
    vi.advanceTimersByTime(1);
    expect([io.ended, io.stderr.text()]).toEqual([[name], STOPPED]);
    expect(io.raise(name)).toBe(0);
  });

  it('ends at once the second time, and once only', () => {
    const io = fakeIo();
    interruptible(io);
    io.raise('SIGINT');
    io.raise('SIGTERM');
    expect([io.ended, io.stderr.text()]).toEqual([['SIGTERM'], STOPPED]);
    vi.advanceTimersByTime(10 * PATIENCE);
    expect(io.ended).toEqual(['SIGTERM']);
  });

  it('ends nothing once it is released', () => {
    const io = fakeIo();
    const { release } = interruptible(io);
    io.raise('SIGINT');
    release();
    vi.advanceTimersByTime(10 * PATIENCE);
    expect([io.raise('SIGINT'), io.raise('SIGTERM'), io.ended]).toEqual([0, 0, []]);
  });
});
