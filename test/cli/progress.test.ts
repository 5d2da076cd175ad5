/** @file The progress line on a fake terminal with a fake clock. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createProgress, estimate, lineOf, type Progress } from '../../src/cli/progress.ts';
import { fakeStream } from './fake.ts';

const CLEAR = '\r\u001b[2K';
let time = 0;
beforeEach(() => {
  time = 0;
  vi.useFakeTimers();
});
afterEach(() => void vi.useRealTimers());
const later = (ms: number): void => {
  time += ms;
  vi.advanceTimersByTime(ms);
};
const on = (stream: ReturnType<typeof fakeStream>): Progress => createProgress(stream, () => time);
const terminal = (columns = 80): ReturnType<typeof fakeStream> => fakeStream({ isTTY: true, columns });

describe('progress', () => {
  it('is silent if no terminal reads', () => {
    const stream = fakeStream();
    const progress = on(stream);
    progress.show({ key: 'a', label: 'a' });
    later(60_000);
    progress.show({ key: 'a', label: 'b' });
    progress.clear();
    expect(stream.writes).toEqual([]);
  });

  it('says nothing of what is quick', () => {
    const stream = terminal();
    const progress = on(stream);
    progress.show({ key: 'a', label: 'a' });
    later(399);
    progress.show({ key: 'a', label: 'a' });
    progress.clear();
    later(10_000);
    expect(stream.writes).toEqual([]);
  });

  it('paints without news, for work that cannot tell how far it is', () => {
    const stream = terminal();
    on(stream).show({ key: 'read', label: 'Reading x' });
    for (let second = 0; second < 3; second++) later(1000);
    expect(stream.writes).toEqual([1, 2, 3].map((s) => `${CLEAR}Reading x  ${s} s`));
  });

  it('paints at most ten times a second', () => {
    const stream = terminal();
    const progress = on(stream);
    for (let i = 0; i <= 100; i++) {
      progress.show({ key: 'a', label: 'a', done: i, total: 100 });
      later(10);
    }
    expect(stream.writes.length).toBeGreaterThanOrEqual(6);
    expect(stream.writes.length).toBeLessThanOrEqual(8);
  });

  it('removes its line once, and brings it back at once', () => {
    const stream = terminal();
    const progress = on(stream);
    progress.show({ key: 'a', label: 'a' });
    later(500);
    progress.show({ key: 'a', label: 'a' });
    progress.clear();
    progress.clear();
    progress.show({ key: 'b', label: 'b' });
    expect(stream.writes).toEqual([`${CLEAR}a  1 s`, CLEAR, `${CLEAR}b  0 s`]);
  });

  it.each([100, 300, 350, 450, 1000])('goes on while filters finish every %i ms, and its time left is right', (per) => {
    const stream = terminal(120);
    const progress = on(stream);
    const [filters, steps] = [64, 30];
    const off: number[] = [];
    for (let done = 0; done < filters; done++)
      for (let step = 1; step <= steps; step++) {
        later(per / steps);
        const before = stream.writes.length;
        progress.show({
          key: 'render',
          label: 'l',
          done: done * steps + step,
          total: filters * steps,
          detail: `${done}`,
        });
        const left = /(?:(\d+) min )?(\d+) s left/.exec(stream.writes[before] ?? '');
        if (left) off.push(Number(left[1] ?? 0) * 60 + Number(left[2]) - (filters * per - time) / 1000);
      }
    expect(stream.writes.length).toBeGreaterThan(time / 1000 / 0.15);
    expect(off.length).toBeGreaterThan(30);
    expect(Math.max(...off.map(Math.abs))).toBeLessThanOrEqual(1.5);
  });
});

describe('an estimate', () => {
  it('is not made before there is something to go by', () => {
    const e = estimate();
    expect(e.left(10, 0)).toBeUndefined();
    e.add(0, 0);
    e.add(1, 1499);
    expect(e.left(10, 1499)).toBeUndefined();
    e.add(2, 3000);
    expect(e.left(10, 3000)).toBeCloseTo(12_000, -3);
  });

  it('does not count what was there before', () => {
    const e = estimate();
    e.add(900, 0);
    e.add(910, 2000);
    expect(e.left(1000, 2000)).toBeCloseTo(18_000, 6);
  });

  it('is steady though work comes in bursts, and falls between them', () => {
    const e = estimate();
    e.add(0, 0);
    for (let i = 1; i <= 20; i++) e.add(50 * i, 2000 * i);
    expect(e.left(2000, 40_000)).toBeCloseTo(40_000, 6);
    expect(e.left(2000, 41_000)).toBeCloseTo(39_000, 6);
    expect(e.left(2000, 900_000)).toBe(0);
  });

  it('follows a rate that changes', () => {
    const e = estimate();
    for (let t = 0; t <= 60; t++) e.add(t, 1000 * t);
    for (let t = 1; t <= 60; t++) e.add(60 + t / 4, 1000 * (60 + t));
    expect(e.left(85, 120_000)).toBeGreaterThan(30_000);
    expect(e.left(85, 120_000)).toBeLessThan(40_001);
  });

  it('takes nothing back if work is done again', () => {
    const e = estimate();
    e.add(0, 0);
    e.add(10, 2000);
    e.add(5, 3000);
    expect(e.left(20, 3000)).toBeCloseTo(1000, 6);
  });
});

describe('the line', () => {
  const activity = { key: 'r', label: 'conv3_block4_out', done: 480, total: 1920, detail: '16 of 64 filters' };
  it.each([
    [119, 'conv3_block4_out  ████████░░░░░░░░░░░░░░░░░░░░░░░░  25 %  16 of 64 filters  12 s left'],
    [79, 'conv3_block4_out  ███████░░░░░░░░░░░░░░░░░░░  25 %  16 of 64 filters  12 s left'],
    [60, 'conv3_block4_out  25 %  16 of 64 filters  12 s left'],
    [39, 'conv3_block4_out  25 %  12 s left'],
    [25, 'conv…out  25 %  12 s left'],
    [14, '25 %  1…s left'],
  ])('within %i characters', (width, line) => {
    const found = lineOf(activity, 11_500, 0, width);
    expect(found).toBe(line);
    expect(Array.from(found).length).toBeLessThanOrEqual(width);
  });

  it('fills its bar with the share', () => {
    const bars = [0, 1, 4, 8, 9, -1].map((done) => lineOf({ key: 'a', label: 'a', done, total: 8 }, undefined, 0, 60));
    expect(bars.map((line) => line.match(/█/g)?.length ?? 0)).toEqual([0, 4, 16, 32, 32, 0]);
    expect(bars.map((line) => line.match(/[█░]/g)!.length)).toEqual([32, 32, 32, 32, 32, 32]);
    expect(bars[1]).toBe(`a  ████${'░'.repeat(28)}  12 %`);
  });

  it('says 100 % when all is done, not before', () => {
    expect(lineOf({ key: 'a', label: 'a', done: 999, total: 1000 }, undefined, 0, 10)).toBe('a  99 %');
    expect(lineOf({ key: 'a', label: 'a', done: 1000, total: 1000 }, undefined, 0, 10)).toBe('a  100 %');
  });

  it('says long times in minutes', () => {
    const left = (ms: number): string => lineOf({ key: 'a', label: 'a', done: 0, total: 9 }, ms, 0, 24);
    expect([59_001, 119_000, 120_000, 149_000, 3_700_000].map(left)).toEqual(
      ['1 min', '1 min 59 s', '2 min', '2 min', '1 h 2 min'].map((t) => `a  0 %  ${t} left`),
    );
  });
});
