/** @file The optimiser `sobolev` by single steps, against its formulas in float64. */
import { describe, expect, it } from 'vitest';
import { root } from '../../src/optimiser/colour.ts';
import { optimisers } from '../../src/optimiser/index.ts';
import { Random } from '../../src/random.ts';
import { fourierBasis, fourierFrequencies } from '../../src/step/fourier.ts';
import { coloured, covariance, deviation, filteredBySums, norm } from './restated.ts';
import { updates } from './updates.ts';

const random = (key: string, count: number): number[] => Array.from(new Random(key).normal(count));
/** Steps that show the direction alone. */
const bare = { kind: 'sobolev', rate: 1, momentum: 0, exponent: 0, mixing: 'none', limit: 0, anneal: 'none' } as const;

function expectClose(found: readonly number[], wanted: readonly number[], digits = 5): void {
  expect(found.length).toBe(wanted.length);
  found.forEach((v, i) => expect(v).toBeCloseTo(wanted[i]!, digits));
}

describe('the Fourier basis', () => {
  it.each([1, 2, 3, 8, 9])('of %i samples is orthonormal', (n) => {
    const { data, dims } = fourierBasis(n);
    expect(dims).toEqual([n, n]);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        let dot = 0;
        for (let x = 0; x < n; x++) dot += data[i * n + x]! * data[j * n + x]!;
        expect(dot).toBeCloseTo(i === j ? 1 : 0, 6);
      }
  });
  it('has each frequency twice, but for none and the highest', () => {
    expect(fourierFrequencies(5)).toEqual([0, 1 / 5, 1 / 5, 2 / 5, 2 / 5]);
    expect(fourierFrequencies(6)).toEqual([0, 1 / 6, 1 / 6, 2 / 6, 2 / 6, 1 / 2]);
  });
});

describe('the root of the colour covariance', () => {
  it('is symmetric, and its square is the covariance', () => {
    const r = root(covariance);
    for (const i of [0, 1, 2])
      for (const j of [0, 1, 2]) {
        expect(r[i]![j]).toBeCloseTo(r[j]![i]!, 12);
        expect([0, 1, 2].reduce((sum, k) => sum + r[i]![k]! * r[k]![j]!, 0)).toBeCloseTo(covariance[i]![j]!, 12);
      }
  });
});

describe('a step of `sobolev`', () => {
  // Odd, even, and not square.
  it.each([
    [6, 6, 1],
    [5, 8, 1.25],
    [7, 3, 0.5],
  ])('filters the spectrum of %i×%i pixels by f^-%f', async (h, w, exponent) => {
    const g = random(`${h}×${w}`, 3 * h * w);
    const [[found]] = (await updates(optimisers.make({ ...bare, exponent }), [[1, 3, h, w]], [[g]])) as [[number[]]];
    const lowest = 1 / Math.max(h, w);
    const p = filteredBySums({ c: 3, h, w, data: g }, (f) => Math.max(f, lowest) ** -exponent);
    const size = norm(p);
    expectClose(
      found,
      p.map((v) => v / size),
    );
  });

  it.each(['root', 'full'] as const)('mixes colours by the covariance, with `%s`', async (mixing) => {
    const [h, w] = [4, 5];
    const g = random(mixing, 3 * h * w);
    const [[found]] = (await updates(optimisers.make({ ...bare, mixing }), [[1, 3, h, w]], [[g]])) as [[number[]]];
    const p = coloured({ c: 3, h, w, data: g }, mixing === 'full' ? covariance : root(covariance));
    const size = norm(p);
    expectClose(
      found,
      p.map((v) => v / size),
    );
  });

  it('leaves the colours of a picture that is not RGB', async () => {
    const g = random('grey', 16);
    const size = norm(g);
    for (const mixing of ['none', 'root'] as const) {
      const [[found]] = (await updates(optimisers.make({ ...bare, mixing }), [[1, 1, 4, 4]], [[g]])) as [[number[]]];
      expectClose(
        found,
        g.map((v) => v / size),
      );
    }
  });

  it('takes parameters that are no picture as they are, all of them at one length', async () => {
    const [after] = (await updates(
      optimisers.make({ ...bare, rate: 10, exponent: 1, mixing: 'root' }),
      [
        [1, 2],
        [1, 2],
      ],
      [
        [
          [3, 0],
          [0, 4],
        ],
      ],
    )) as [number[][]];
    expectClose(after.flat(), [6, 0, 0, 8]);
  });

  it('has momentum', async () => {
    const found = await updates(
      optimisers.make({ ...bare, rate: 2, momentum: 0.5 }),
      [[1, 2]],
      [[[1, 0]], [[0, 3]], [[0, 0]]],
    );
    expectClose(found[0]![0]!, [2, 0]);
    expectClose(found[1]![0]!, [3, 2]);
    expectClose(found[2]![0]!, [3.5, 3]);
  });

  it('falls in rate, along a line or a cosine', async () => {
    const four = Array.from({ length: 4 }, () => [[1]]);
    const rates = async (anneal: 'none' | 'linear' | 'cosine'): Promise<number[]> =>
      (await updates(optimisers.make({ ...bare, rate: 4, anneal }), [[1]], four)).map(
        (now, i, all) => now[0]![0]! - (all[i - 1]?.[0]![0] ?? 0),
      );
    expectClose(await rates('none'), [4, 4, 4, 4]);
    const [high, low] = [4, 0.2];
    expectClose(
      await rates('linear'),
      [0, 1 / 3, 2 / 3, 1].map((t) => high + (low - high) * t),
    );
    expectClose(
      await rates('cosine'),
      [0, 1 / 4, 3 / 4, 1].map((t) => high + (low - high) * t),
    );
  });

  it('keeps the deviation of the picture within its limit', async () => {
    const start = random('start', 48);
    const g = random('g', 48);
    const [[free]] = (await updates(optimisers.make({ ...bare, rate: 3 }), [[1, 3, 4, 4]], [[g]], [start])) as [
      [number[]],
    ];
    const size = norm(g);
    const moved = start.map((v, i) => v + (3 * g[i]!) / size);
    expectClose(free, moved);
    for (const limit of [0.2, 100]) {
      const [[held]] = (await updates(
        optimisers.make({ ...bare, rate: 3, limit }),
        [[1, 3, 4, 4]],
        [[g]],
        [start],
      )) as [[number[]]];
      const factor = Math.min(1, limit / deviation(moved));
      expectClose(
        held,
        moved.map((v) => v * factor),
      );
    }
  });

  it('stays if there is no gradient', async () => {
    const start = random('start', 48);
    const zeros = Array.from({ length: 48 }, () => 0);
    const made = optimisers.make({ kind: 'sobolev', limit: 0 });
    const found = await updates(made, [[1, 3, 4, 4]], [[zeros], [zeros]], [start]);
    expect(found.at(-1)![0]).toEqual(Array.from(Float32Array.from(start)));
    // Nor does a flat picture make its deviation a divisor.
    const [[flat]] = (await updates(optimisers.make({ kind: 'sobolev' }), [[1, 3, 4, 4]], [[zeros]])) as [[number[]]];
    expect(flat).toEqual(zeros);
  });
});
