/**
 * @file Gradients that stay in phases from one strided window to the one before it, over strides, kernels, pads and numbers of
 * channels: few channels are computed at once, sixteen phase by phase.
 */
import { describe, it } from 'vitest';
import type { Builder, Value } from '../../src/ir/builder.ts';
import { checkGradient, combinations, noise, titled } from '../check.ts';

const pair = (v: number): [number, number] => [v, v];

describe('strided convolution with sixteen channels', () => {
  const cases = combinations({
    stride: [2, 3],
    kernel: [1, 2, 3, 4, 7],
    pads: [
      [0, 0, 0, 0],
      [1, 1, 1, 1],
      [0, 2, 3, 1],
    ],
    size: [
      [7, 9],
      [8, 8],
    ],
  });
  it.each(cases.map((c) => [titled(c), c] as const))('%s', async (_, { stride, kernel, pads, size }) => {
    await checkGradient(
      (b, [x]) => b.conv(x!, noise(b, [3, 16, kernel, kernel]), undefined, { strides: pair(stride), pads }),
      [{ dims: [1, 16, ...size] }],
      { directions: 1 },
    );
  });
});

describe('max pooling after padding after a convolution', () => {
  const cases = combinations({
    window: [
      { kernel: 2, stride: 2 },
      { kernel: 3, stride: 2 },
      { kernel: 3, stride: 3 },
      { kernel: 2, stride: 3 },
    ],
    padding: [
      [0, 0, 0, 0],
      [1, 1, 1, 1],
      [0, 1, 2, 0],
      [2, 0, 0, 3],
    ],
    convolution: [
      { kernel: 7, stride: 2, channels: 2 },
      { kernel: 4, stride: 1, channels: 2 },
      { kernel: 1, stride: 1, channels: 3 },
      { kernel: 3, stride: 2, channels: 16 },
      { kernel: 3, stride: 1, channels: 17 },
    ],
    asConvolution: [false, true],
  }).filter(({ window, convolution }) => window.stride * convolution.stride <= 4 || convolution.channels === 2);
  it.each(cases.map((c) => [titled(c), c] as const))(
    '%s',
    async (_, { window, padding, convolution, asConvolution }) => {
      const { kernel, stride, channels } = convolution;
      const out = Math.min(channels, 16);
      await checkGradient(
        (b, [x]) => {
          const y = b.conv(x!, noise(b, [out, channels, kernel, kernel]), undefined, {
            strides: pair(stride),
            pads: [1, 2, 0, 1].map((p) => Math.min(p, kernel - 1)),
          });
          const [top, left, bottom, right] = padding as [number, number, number, number];
          const ones = b.constant({ dtype: 'float32', dims: [out, 1, 1, 1], data: new Float32Array(out).fill(1) });
          const padded = asConvolution
            ? b.conv(y, ones, undefined, { pads: padding, group: out })
            : b.pad(y, [0, 0, top, left, 0, 0, bottom, right]);
          return b.one('MaxPool', [padded], { kernel_shape: pair(window.kernel), strides: pair(window.stride) });
        },
        [{ dims: [1, channels, 13, 14] }],
        // A short step: no element may overtake another.
        { directions: 1, op: 'MaxPool', step: 1e-4, tolerance: 3e-3 },
      );
    },
  );
});

it('is zero where a window reads nothing but padding', async () => {
  await checkGradient(
    (b, [x]) => {
      const y = b.conv(x!, noise(b, [16, 2, 3, 3]));
      const strided = b.conv(y, noise(b, [2, 16, 1, 1]), undefined, { strides: [4, 4], pads: [1, 1, 1, 1] });
      return b.add(b.sum(strided), b.sum(x!));
    },
    [{ dims: [1, 2, 4, 4] }],
  );
});

describe('a convolution with one row of output before padding and max pooling', () => {
  it.each([4, 16])('into %i channels', async (channels) => {
    await checkGradient(
      (b, [x]) => {
        const y = b.conv(x!, noise(b, [channels, channels, 5, 5]), undefined, { strides: [2, 2] });
        const padded = b.pad(y, [0, 0, 2, 0, 0, 0, 2, 1]);
        return b.one('MaxPool', [padded], { kernel_shape: [2, 2], strides: [2, 2] });
      },
      [{ dims: [1, channels, 6, 16] }],
      { directions: 1, step: 1e-4, tolerance: 3e-3 },
    );
  });
});

describe('several pictures at once', () => {
  it.each<[string, (b: Builder, x: Value) => Value]>([
    ['strided convolution', (b, x) => b.conv(x, noise(b, [3, 16, 3, 3]), undefined, { strides: [2, 2] })],
    ['convolution by groups', (b, x) => b.conv(x, noise(b, [16, 4, 3, 3]), undefined, { group: 4 })],
    ['max pooling', (b, x) => b.one('MaxPool', [x], { kernel_shape: [3, 3], strides: [2, 2] })],
    ['max pooling in general', (b, x) => b.one('MaxPool', [x], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })],
    ['average pooling', (b, x) => b.one('AveragePool', [x], { kernel_shape: [3, 2], pads: [1, 0, 1, 0] })],
    ['a factor for each channel', (b, x) => b.mul(x, noise(b, [16, 1, 1]))],
    ['every second position', (b, x) => b.slice(x, [0, 1], [7, 8], [2, 3], [2, 2])],
    [
      'pooling after padding after a strided convolution',
      (b, x) => {
        const c = b.conv(x, noise(b, [2, 16, 3, 3]), undefined, { strides: [2, 2], pads: [1, 1, 1, 1] });
        return b.one('MaxPool', [b.pad(c, [0, 0, 1, 1, 0, 0, 1, 1])], { kernel_shape: [2, 2], strides: [2, 2] });
      },
    ],
  ])('%s', async (_, build) => {
    await checkGradient((b, [x]) => build(b, x!), [{ dims: [3, 16, 7, 8], distinct: true }], {
      directions: 1,
      tolerance: 3e-4,
      step: 2e-3,
    });
  });
});
