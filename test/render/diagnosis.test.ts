/** @file Diagnoses: what is said of pictures that failed, and of those that did not. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/random.ts';
import {
  type Course,
  diagnose,
  neighbours,
  type Pixels,
  remedyOf,
  type Status,
  statuses,
} from '../../src/render/diagnosis.ts';

const picture = (data: Float32Array, [h, w]: readonly [number, number]): Pixels => ({
  dims: [1, data.length / (h * w), h, w],
  data,
});
const smooth = (f: (x: number) => number = (x) => Math.sin(x / 3)): Pixels =>
  picture(
    Float32Array.from({ length: 256 }, (_, i) => f(i % 16)),
    [16, 16],
  );
const start = smooth((x) => Math.sin(x / 3) / 10);
const rising = Array.from({ length: 30 }, (_, i) => i);
const many = (count: number, value: number): number[] => Array.from({ length: count }, () => value);

describe('diagnose', () => {
  it.each<[string, Partial<Course>, Status]>([
    ['nothing after no steps', { losses: [], image: start }, 'ok'],
    ['a rise', {}, 'ok'],
    ['no gradient if nothing moved', { losses: [0, 0], image: start }, 'dead'],
    ['no gradient after one step', { losses: [0], image: start }, 'dead'],
    ['no gradient if all losses are one, whatever moved the picture', { losses: [0, 0, 0] }, 'dead'],
    ['a loss that is not finite', { losses: [1, Number.NaN, 2] }, 'not-finite'],
    ['a picture that is not finite', { image: smooth((x) => (x === 3 ? Infinity : 0)) }, 'not-finite'],
    ['a last look that is not finite', { plain: Number.NaN }, 'not-finite'],
    ['what is not finite before what does not move', { losses: [Infinity], image: start }, 'not-finite'],
    ['a fall', { losses: [2, 1] }, 'not-rising'],
    ['two equal losses of a picture that moved', { losses: [2, 2] }, 'not-rising'],
    ['one step, which says nothing of a rise', { losses: [2] }, 'ok'],
    ['noise at the end, which does not count', { losses: [...many(28, 0).map((_, i) => i), 30, -1] }, 'ok'],
    ['a lucky last step, which does not count', { losses: [9, 9, 9, ...many(26, 1), 10] }, 'not-rising'],
    [
      'a level from three to four fifths of the way',
      { losses: [...rising.slice(0, 18), ...many(12, 17)] },
      'saturated',
    ],
    ['a level at the end only', { losses: [...rising.slice(0, 25), ...many(5, 24)] }, 'ok'],
    ['too few steps for a level', { losses: [0, 1, 1, 1, 1] }, 'ok'],
    ['a picture in black and white', { image: smooth((x) => (x < 8 ? -0.99 : 0.99)) }, 'saturated'],
    ['a picture of black and white themselves', { image: smooth((x) => (x < 8 ? -1 : 1)) }, 'saturated'],
    ['a picture of which half is in black and white', { image: smooth((x) => (x < 8 ? -0.99 : 0.5)) }, 'ok'],
    ['values beyond the range, which has no ends then', { image: smooth((x) => (x < 8 ? -1.1 : 1.1)) }, 'ok'],
    ['noise', { image: picture(new Random('noise').normal(768), [16, 16]) }, 'noise-like'],
  ])('of %s', (_, course, expected) => {
    expect(diagnose({ losses: rising, start, image: smooth(), ...course }).status).toBe(expected);
  });

  it('has the activation before and after, and of the picture alone', () => {
    expect(diagnose({ losses: [1, 2, 5], plain: 4, start, image: smooth() })).toEqual({
      status: 'ok',
      before: 1,
      after: 5,
      plain: 4,
    });
    expect(diagnose({ losses: [1, 2, 5], start, image: smooth() }).plain).toBe(5);
    expect(diagnose({ losses: [], start, image: start })).toEqual({
      status: 'ok',
      before: NaN,
      after: NaN,
      plain: NaN,
    });
  });

  it('has a remedy for each failure', () => {
    for (const status of statuses.filter((s) => s !== 'ok'))
      expect(remedyOf(status)).toMatch(/^[a-z].* may (wake it|help)$/);
    expect(remedyOf('ok')).toBeUndefined();
    expect(remedyOf('dead')).toContain('redirecting the gradient (`redirect` 16)');
    expect(remedyOf('dead', 16)).toContain('redirect was tried');
    expect(new Set(statuses.map((s) => remedyOf(s))).size).toBe(6);
    const course = { losses: [0, 0, 0], start, image: start };
    expect(diagnose(course).remedy).toBe(remedyOf('dead'));
    expect(diagnose({ ...course, redirected: 4 }).remedy).toBe(remedyOf('dead', 4));
  });
});

describe('neighbours', () => {
  it('are alike in a flat picture, and opposite in a chequered one', () => {
    expect(neighbours(picture(Float32Array.of(2, 2, 2, 2), [2, 2]))).toBe(1);
    expect(neighbours(picture(Float32Array.of(5), [1, 1]))).toBe(1);
    expect(neighbours(picture(Float32Array.of(1, -1, -1, 1), [2, 2]))).toBe(-1);
    expect(neighbours(picture(Float32Array.of(1, -1, 1, -1), [1, 4]))).toBe(-1);
    expect(neighbours(picture(Float32Array.of(1, -1, 1, -1), [4, 1]))).toBe(-1);
  });
  it('are measured in each channel, around its mean', () => {
    // Two flat channels of different levels, each with the same gentle ramp.
    const ramp = Float32Array.of(0, 1, 2, 3);
    const both = Float32Array.of(0, 1, 2, 3, 100, 101, 102, 103);
    expect(neighbours(picture(both, [1, 4]))).toBeCloseTo(neighbours(picture(ramp, [1, 4])), 6);
    // (-1.5·-.5 + -.5·.5 + .5·1.5) / 3 over (2·1.5² + 2·.5²) / 4.
    expect(neighbours(picture(ramp, [1, 4]))).toBeCloseTo(1.25 / 3 / 1.25, 6);
  });
  it('of white noise have nothing to do with each other', () => {
    expect(neighbours(picture(new Random('white').normal(3 * 64 * 64), [64, 64]))).toBeCloseTo(0, 1);
  });
});
