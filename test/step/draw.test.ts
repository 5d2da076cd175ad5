/** @file Draws: the streams of random numbers, and what is drawn from them. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/random.ts';
import { type Draw, drawn, middleOf } from '../../src/step/draw.ts';
import { feedsAt } from '../../src/step/step.ts';
import { thrown } from '../thrown.ts';

const draw = (what: Draw, count = 1000, key = 'key'): number[] =>
  Array.from(drawn(what, 'float32', [count], new Random(key)).data as Float32Array);

describe('Random', () => {
  it('gives the published stream of sfc32 for its key', () => {
    // The state after FNV-like mixing is ours; from there on it is sfc32 of PractRand, written out here a second time.
    const again = (key: string, count: number): number[] => {
      const s = [0x9e3779b9, 0x243f6a88, 0xb7e15162];
      for (const character of key)
        for (let lane = 0; lane < 3; lane++) {
          s[lane] = Math.imul(s[lane]! ^ (character.charCodeAt(0) + lane * 0x51ed27), 0x01000193 + 2 * lane);
          s[lane] = s[lane]! ^ (s[lane]! >>> 15);
        }
      let [a, b, c, counter] = [s[0]! | 0, s[1]! | 0, s[2]! | 0, 1];
      const next = (): number => {
        const sum = (a + b + counter) | 0;
        counter = (counter + 1) | 0;
        a = b ^ (b >>> 9);
        b = (c + (c << 3)) | 0;
        c = ((c << 21) | (c >>> 11)) + sum;
        c |= 0;
        return sum >>> 0;
      };
      for (let i = 0; i < 15; i++) next();
      return Array.from({ length: count }, next);
    };
    for (const key of ['', '0/conv3_block4_out/7', 'é']) {
      const random = new Random(key);
      expect(Array.from({ length: 20 }, () => random.next32())).toEqual(again(key, 20));
    }
  });
  it('gives other numbers for another key', () => {
    const [a, b] = ['0/a/1', '0/a/2'].map((key) => new Random(key));
    expect(Array.from({ length: 8 }, () => a!.next32())).not.toEqual(Array.from({ length: 8 }, () => b!.next32()));
  });
});

describe('drawn', () => {
  it('fills', () => expect(draw({ kind: 'fill', value: 0.5 }, 3)).toEqual([0.5, 0.5, 0.5]));
  it('follows a schedule from the first step to the last', () => {
    const at = (shape: 'linear' | 'cosine', progress: number): number =>
      drawn({ kind: 'schedule', from: 2, to: 4, shape }, 'float32', [2], new Random(''), progress).data[1] as number;
    expect([0, 0.25, 1].map((progress) => at('linear', progress))).toEqual([2, 2.5, 4]);
    expect([0, 0.5, 1].map((progress) => at('cosine', progress))).toEqual([2, 3, 4]);
    expect(at('cosine', 0.25)).toBeCloseTo(2 + 2 * 0.14644660940672624, 6);
    const plan = {
      states: [],
      values: [],
      feeds: [
        { name: 'rate', dtype: 'float32', dims: [], draw: { kind: 'schedule', from: 1, to: 0, shape: 'linear' } },
      ],
    } as const;
    const fed = (step: number, steps: number): unknown =>
      feedsAt(plan, { key: '', values: {}, steps }, step)['rate']!.data[0];
    expect([1, 2, 5].map((step) => fed(step, 5))).toEqual([1, 0.75, 0]);
    expect(fed(1, 1)).toBe(1);
  });
  it('draws uniformly', () => {
    const values = draw({ kind: 'uniform', low: -2, high: 4 }, 20_000);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-2);
    expect(Math.max(...values)).toBeLessThan(4);
    expect(values.reduce((a, b) => a + b) / values.length).toBeCloseTo(1, 1);
    for (let bin = 0; bin < 6; bin++) {
      const share = values.filter((v) => Math.floor(v + 2) === bin).length / values.length;
      expect(share).toBeCloseTo(1 / 6, 1);
    }
  });
  it('draws normally', () => {
    const values = draw({ kind: 'normal', mean: 3, deviation: 2 }, 20_000);
    const mean = values.reduce((a, b) => a + b) / values.length;
    expect(mean).toBeCloseTo(3, 1);
    expect(Math.sqrt(values.reduce((s, v) => s + (v - mean) ** 2, 0) / values.length)).toBeCloseTo(2, 1);
    expect(values.filter((v) => Math.abs(v - 3) < 2).length / values.length).toBeCloseTo(0.683, 1);
  });
  it('draws whole numbers, both ends included', () => {
    const { data } = drawn({ kind: 'whole', low: -1, high: 2 }, 'int64', [200], new Random('w'));
    expect([...new Set(Array.from(data as BigInt64Array, Number))].sort((a, b) => a - b)).toEqual([-1, 0, 1, 2]);
  });
  it('draws rolls: all indices once, moved by at most `by` either way', () => {
    const moves = new Set<number>();
    for (let key = 0; key < 100; key++) {
      const t = drawn({ kind: 'roll', length: 10, by: 2 }, 'int64', [10], new Random(String(key)));
      const indices = Array.from(t.data as BigInt64Array, Number);
      const by = indices.indexOf(0);
      expect(indices).toEqual(Array.from({ length: 10 }, (_, i) => (i - by + 10) % 10));
      moves.add(by > 5 ? by - 10 : by);
    }
    expect([...moves].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
  });
  it('rolls by more than the length', () => {
    const t = drawn({ kind: 'roll', length: 3, by: 50 }, 'int64', [3], new Random('x'));
    expect(Array.from(t.data as BigInt64Array, Number).sort((a, b) => a - b)).toEqual([0, 1, 2]);
  });
  it('is one for the first steps', () => {
    const at = (step: number, steps: number): unknown =>
      drawn({ kind: 'first', steps }, 'float32', [1], new Random(''), 0, step).data[0];
    expect([1, 2, 3, 4].map((step) => at(step, 2))).toEqual([1, 1, 0, 0]);
    expect(at(1, 0)).toBe(0);
  });
  it('has a middle, in which nothing is left to chance', () => {
    expect(middleOf({ kind: 'uniform', low: 0.9, high: 1.3 })).toEqual({ kind: 'fill', value: 1.1 });
    expect(middleOf({ kind: 'whole', low: -8, high: 8 })).toEqual({ kind: 'fill', value: 0 });
    expect(middleOf({ kind: 'normal', mean: 3, deviation: 2 })).toEqual({ kind: 'fill', value: 3 });
    expect(middleOf({ kind: 'roll', length: 5, by: 3 })).toEqual({ kind: 'roll', length: 5, by: 0 });
    const fixed: Draw[] = [
      { kind: 'fill', value: 1 },
      { kind: 'first', steps: 2 },
      { kind: 'schedule', from: 0, to: 1, shape: 'linear' },
    ];
    for (const draw of fixed) expect(middleOf(draw)).toBe(draw);
  });
  it('draws int32, and says what it cannot draw', () => {
    expect(drawn({ kind: 'fill', value: 2 }, 'int32', [2], new Random('')).data).toEqual(Int32Array.of(2, 2));
    const error = thrown(() => drawn({ kind: 'fill', value: 2 }, 'bool', [2], new Random('')));
    expect(error.message).toMatch(/a tensor of bool cannot be drawn/);
  });
});
