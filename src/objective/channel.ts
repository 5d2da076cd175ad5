/** @file The mean activation of one channel: the objective of the Keras example. */
import { PhospheneError } from '../errors.ts';
import { float32, int64, sizeOf, type Tensor, tensor } from '../ir/tensor.ts';
import { text, whole } from '../settings.ts';
import { kind } from '../noun.ts';
import type { Untitled } from './objective.ts';

/**
 * Mean activation of one channel, `border` positions left out on every side of its map. Units at the border see the padding around
 * the picture and would draw frames. An activation without a map, such as [n, c], has no border. Source: Keras' example "Visualizing
 * what convnets learn".
 */
export const channel = kind({
  kind: 'channel',
  help: 'Mean activation of one channel of a layer',
  settings: {
    layer: text({ help: 'Name of the layer' }),
    channel: whole({ help: 'Channel of the layer, from 0', default: 0 }),
    border: whole({ help: 'Positions of the activation left out on each side', default: 2, to: 1 << 16 }),
  },
  make: ({ layer, channel: index, border }): Untitled => ({
    shape: `channel(${JSON.stringify(layer)}, border ${border})`,
    layers: [layer],
    values: { channel: int64(index) },
    build({ b, activation, value }) {
      const { value: x, channelAxis } = activation(layer);
      const count = x.dims[channelAxis]!;
      if (index >= count) throw outOfRange(layer, index, count);
      const size = x.dims.filter((_, axis) => axis !== 0 && axis !== channelAxis);
      if (size.some((d) => d <= 2 * border)) throw noneLeft(layer, size, border);
      // Multiplying by a fed one-hot vector keeps one program for all channels; its gradient needs no scatter, and that of zero
      // weights no padding.
      const along = x.dims.map((d, axis) => (axis === channelAxis ? d : 1));
      const numbers = BigInt64Array.from({ length: count }, (_, i) => BigInt(i));
      const selector = b.cast(b.equal(b.constant(tensor('int64', along, numbers)), value('channel')), 'float32');
      const share = b.constant(
        centre(
          size,
          border,
          x.dims.map((d, axis) => (axis === 0 || axis === channelAxis ? 1 : d)),
        ),
      );
      return b.sum(b.mul(b.cast(x, 'float32'), b.mul(selector, share)), undefined, false);
    },
  }),
});

/** One over their number at the positions that are at least `border` away from every side, zero at the others. */
function centre(size: readonly number[], border: number, dims: readonly number[]): Tensor {
  const share = 1 / size.reduce((n, d) => n * (d - 2 * border), 1);
  const inside = (flat: number): boolean =>
    size.reduceRight(
      ({ rest, all }, d) => ({
        rest: Math.floor(rest / d),
        all: all && rest % d >= border && rest % d < d - border,
      }),
      { rest: flat, all: true },
    ).all;
  return float32(
    Float32Array.from({ length: sizeOf(size) }, (_, i) => (inside(i) ? share : 0)),
    dims,
  );
}

/** The error for a channel that the layer does not have. */
export function outOfRange(layer: string, index: number, count: number): PhospheneError {
  return new PhospheneError(
    'bad-option',
    `filter ${index} is out of range: \`${layer}\` has ${count} channel${count === 1 ? '' : 's'} (${count === 1 ? '0' : `0-${count - 1}`})`,
    { option: 'filters', layer, channel: index, count },
  );
}

function noneLeft(layer: string, size: readonly number[], border: number): PhospheneError {
  const most = Math.max(0, Math.ceil(Math.min(...size) / 2) - 1);
  return new PhospheneError(
    'shape',
    `layer \`${layer}\` is ${size.join('×')} at this size, and a border of ${border} on each side leaves nothing; choose a \`border\` of at most ${most} or a larger \`size\``,
    { option: ['border', 'size'], layer, size, border, most },
  );
}
