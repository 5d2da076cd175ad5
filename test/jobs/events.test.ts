/** @file A stream of events, taken soon, late, or not at all. */
import { describe, expect, it, vi } from 'vitest';
import { events } from '../../src/jobs/events.ts';
import { all } from './hosts.ts';

/** Numbers, of which a multiple of ten makes the one before it worthless. */
function numbers() {
  const left = vi.fn();
  return { ...events<number>({ replaces: (e, before) => e % 10 === 0 && before < e, left }), left };
}

describe('a stream of events', () => {
  it('gives what was pushed before it was taken, and after', async () => {
    const { push, end, stream, left } = numbers();
    push(1);
    push(2);
    const taken = all(stream);
    await Promise.resolve();
    push(3);
    end();
    push(4);
    expect(await taken).toEqual([1, 2, 3]);
    expect(left).not.toHaveBeenCalled();
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it('replaces only what nobody took, and only the last', async () => {
    const { push, end, stream } = numbers();
    push(10);
    expect(await stream.next()).toEqual({ done: false, value: 10 });
    for (const n of [20, 30, 31, 5, 40]) push(n);
    end();
    expect(await all(stream)).toEqual([30, 31, 40]);
  });

  it('fails once, drops what waits, and is over then', async () => {
    const { push, end, stream, left } = numbers();
    push(1);
    const error = new Error('broken');
    end({ error });
    end();
    await expect(stream.next()).rejects.toBe(error);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    expect(left).not.toHaveBeenCalled();
  });

  it('tells each of several takers, in order', async () => {
    const { push, end, stream } = numbers();
    const taken = Promise.allSettled([stream.next(), stream.next(), stream.next()]);
    push(1);
    end({ error: 'broken' });
    expect(await taken).toEqual([
      { status: 'fulfilled', value: { done: false, value: 1 } },
      { status: 'rejected', reason: 'broken' },
      { status: 'fulfilled', value: { done: true, value: undefined } },
    ]);
  });

  it('tells its maker once if the taker leaves, also one that never took', async () => {
    const { push, stream, left } = numbers();
    push(1);
    const waiting = numbers();
    const next = waiting.stream.next();
    for (const s of [stream, waiting.stream]) {
      expect(await s.return!()).toEqual({ done: true, value: undefined });
      await s.return!();
    }
    expect(await next).toEqual({ done: true, value: undefined });
    expect(left).toHaveBeenCalledTimes(1);
    expect(waiting.left).toHaveBeenCalledTimes(1);
    push(2);
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it('tells nobody if the taker leaves after an error', async () => {
    const { end, stream, left } = numbers();
    end({ error: 'broken' });
    await stream.return!();
    expect(left).not.toHaveBeenCalled();
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });
});
