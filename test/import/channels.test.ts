/** @file The axis of channels, followed through networks as converters leave them. */
import { describe, expect, it } from 'vitest';
import { channelAxes } from '../../src/import/channels.ts';
import { IMAGE } from '../../src/import/network.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { toNumbers } from '../../src/ir/tensor.ts';
import { noise } from '../check.ts';

/** The axis of channels of what is built from a picture [1, 3, 8, 8], whose own is 1; `none` for what does not depend on it. */
function axisOf(build: (b: Builder, x: Value) => Value): number | 'unknown' | 'none' {
  const b = new Builder();
  const value = build(b, b.input(IMAGE, 'float32', [1, 3, 8, 8]));
  const axes = channelAxes(
    {
      nodes: b.nodes,
      dims: (name) => b.value(name).dims,
      constant: (name) => {
        const { constant } = b.value(name);
        return constant && toNumbers(constant);
      },
    },
    IMAGE,
  );
  return axes.has(value.name) ? (axes.get(value.name) ?? 'unknown') : 'none';
}

const nhwc = (b: Builder, x: Value): Value => b.transpose(x, [0, 2, 3, 1]);
const conv = (b: Builder, x: Value): Value => b.conv(x, noise(b, [4, 3, 1, 1]));
/** As many channels as rows and columns. */
const eight = (b: Builder, x: Value): Value => b.conv(x, noise(b, [8, 3, 1, 1]));
/** [1, 64, 4]: tokens, and their channels last. */
const tokens = (b: Builder, x: Value): Value => b.transpose(b.reshape(conv(b, x), [1, 4, 64]), [0, 2, 1]);

describe('the axis of channels', () => {
  it.each<[string, (b: Builder, x: Value) => Value, number | 'unknown' | 'none']>([
    ['the picture', (_, x) => x, 1],
    ['a convolution', conv, 1],
    ['a transpose to NHWC', nhwc, 3],
    ['what follows it element by element', (b, x) => b.relu(b.add(nhwc(b, x), noise(b, [3]))), 3],
    ['a transpose and back', (b, x) => b.transpose(nhwc(b, x), [0, 3, 1, 2]), 1],
    ['a transpose without perm', (b, x) => b.one('Transpose', [x]), 2],
    ['a sum of both orders', (b, x) => b.add(eight(b, x), b.transpose(eight(b, x), [0, 2, 1, 3])), 'unknown'],
    ['a gate of one number a channel', (b, x) => b.mul(x, b.sigmoid(b.one('GlobalAveragePool', [x]))), 1],
    ['a factor of fewer axes', (b, x) => b.mul(x, b.reshape(b.mean(x), [1])), 1],
    ['a choice', (b, x) => b.where(b.greater(x, 0), x, b.float(0)), 1],
    ['a reshape that keeps the axis', (b, x) => b.reshape(x, [1, 3, 64]), 1],
    ['a reshape that drops axes of one', (b, x) => b.reshape(b.one('GlobalAveragePool', [x]), [1, 3]), 1],
    ['a reshape of NHWC', (b, x) => b.reshape(nhwc(b, x), [1, 64, 3]), 2],
    ['a reshape of everything', (b, x) => b.reshape(x, [1, 192]), 'unknown'],
    ['a flattening of one position', (b, x) => b.one('Flatten', [b.one('GlobalMaxPool', [x])]), 1],
    ['a flattening of many', (b, x) => b.one('Flatten', [x]), 'unknown'],
    ['the first half of a channel shuffle', (b, x) => b.reshape(conv(b, x), [1, 2, 2, 8, 8]), 'unknown'],
    ['a mean over positions', (b, x) => b.mean(x, [2, 3], false), 1],
    ['a mean over positions of NHWC', (b, x) => b.mean(nhwc(b, x), [1, 2], false), 1],
    ['a mean over positions, axes kept', (b, x) => b.mean(nhwc(b, x), [-3, -2]), 3],
    ['a mean over channels', (b, x) => b.mean(x, [1]), 'unknown'],
    ['a mean over everything', (b, x) => b.mean(x, undefined, false), 'unknown'],
    ['a squeeze', (b, x) => b.one('Squeeze', [b.one('GlobalAveragePool', [nhwcBack(b, x)]), b.ints([2, 3])]), 1],
    [
      'a squeeze before it',
      (b, x) => b.one('Squeeze', [b.one('Unsqueeze', [nhwc(b, x), b.ints([1])]), b.ints([1])]),
      3,
    ],
    ['an unsqueeze', (b, x) => b.one('Unsqueeze', [x, b.ints([1])]), 2],
    ['an unsqueeze behind it', (b, x) => b.one('Unsqueeze', [x, b.ints([-1])]), 1],
    ['channels side by side', (b, x) => b.concat([x, conv(b, x)], 1), 1],
    [
      'unlike values side by side',
      (b, x) => b.concat([eight(b, x), b.transpose(eight(b, x), [0, 2, 1, 3])], 3),
      'unknown',
    ],
    ['a slice', (b, x) => b.slice(nhwc(b, x), [0], [4], [1]), 3],
    ['some of the channels', (b, x) => b.gather(x, b.ints([2, 0]), 1), 1],
    ['one of the channels', (b, x) => b.one('Gather', [x, b.one('Squeeze', [b.ints([1])])], { axis: 1 }), 'unknown'],
    [
      'one of the rows of NHWC',
      (b, x) => b.one('Gather', [nhwc(b, x), b.one('Squeeze', [b.ints([1])])], { axis: 1 }),
      2,
    ],
    ['tokens', tokens, 2],
    ['tokens times weights', (b, x) => b.matmul(tokens(b, x), noise(b, [4, 5])), 2],
    ['unknown values times weights', (b, x) => b.matmul(b.one('Flatten', [x]), noise(b, [192, 5])), 1],
    [
      'attention of tokens to tokens',
      (b, x) => b.matmul(tokens(b, x), b.transpose(tokens(b, x), [0, 2, 1])),
      'unknown',
    ],
    ['tokens by attention', (b, x) => b.matmul(b.one('Softmax', [noise(b, [1, 64, 64])]), tokens(b, x)), 2],
    ['weights times columns', (b, x) => b.matmul(noise(b, [7, 8]), x), 1],
    ['rows times weights', (b, x) => b.matmul(x, noise(b, [8, 5])), 1],
    ['a dense layer', (b, x) => b.one('Gemm', [b.one('Flatten', [x]), noise(b, [192, 5])]), 1],
    [
      'a layer norm of tokens',
      (b, x) =>
        b.one('LayerNormalization', [b.reshape(b.one('Flatten', [x]), [1, 48, 4]), noise(b, [4])], { axis: -1 }),
      2,
    ],
    ['weights', (b) => b.relu(noise(b, [1, 3])), 'none'],
    ['its shape', (b, x) => b.one('Shape', [x]), 'none'],
  ])('%s', (_, build, axis) => {
    expect(axisOf(build)).toBe(axis);
  });
});

/** There and back again: the order of axes is as it was. */
function nhwcBack(b: Builder, x: Value): Value {
  return b.transpose(b.relu(nhwc(b, x)), [0, 3, 1, 2]);
}
