/** @file The finish `plain`: values between black and white, and the crop. */
import { describe, expect, it } from 'vitest';
import { finishes } from '../../src/output/finish.ts';

describe('the finish `plain`', () => {
  // Three rows of three: every channel has its own values.
  const image = Float32Array.from({ length: 27 }, (_, i) => [-2, -1, -0.5, 0, 0.25, 0.5, 1, 3, Number.NaN][i % 9]!);
  it('shows -1 as black and 1 as white', () => {
    const { width, height, data } = finishes.make({ kind: 'plain' })(image, { height: 3, width: 3 });
    expect([width, height]).toEqual([3, 3]);
    const bytes = [0, 0, 64, 128, 159, 191, 255, 255, 0];
    expect(Array.from(data)).toEqual(bytes.flatMap((v) => [v, v, v]));
  });
  it('cuts off its sides', () => {
    const { width, height, data } = finishes.make({ kind: 'plain', crop: 1 })(image, { height: 3, width: 3 });
    expect([width, height, Array.from(data)]).toEqual([1, 1, [159, 159, 159]]);
  });
});
