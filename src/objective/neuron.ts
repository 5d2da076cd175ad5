/** @file One neuron: the unit of a channel at one position of its map. */
import { PhospheneError } from '../errors.ts';
import { float32, int64 } from '../ir/tensor.ts';
import { kind } from '../noun.ts';
import { unset, whole } from '../settings.ts';
import { outOfRange } from './channel.ts';
import type { Untitled } from './objective.ts';
import { channel, layer, mapAxes, oneHot, total } from './parts.ts';

/**
 * x[channel, row, column]: the activation of one unit. Rows and columns that are not given are those of the centre, ⌊h/2⌋ and ⌊w/2⌋.
 * Source: Lucid's `neuron`, whose centre is the same. A unit of a layer without a map has no position.
 */
export const neuron = kind({
  kind: 'neuron',
  help: 'Activation of one unit: a channel at one position of its map',
  settings: {
    layer,
    channel,
    row: unset(whole({ help: 'Row of the map, from 0; its centre unless given', default: 0 })),
    column: unset(whole({ help: 'Column of the map, from 0; its centre unless given', default: 0 })),
  },
  make: ({ layer, channel: index, row, column }): Untitled => ({
    shape: `neuron(${JSON.stringify(layer)}, ${row === undefined ? 'centre' : 'row'}, ${column === undefined ? 'centre' : 'column'})`,
    layers: [layer],
    values: {
      channel: int64(index),
      ...(row === undefined ? {} : { row: int64(row) }),
      ...(column === undefined ? {} : { column: int64(column) }),
    },
    build({ b, activation, value }) {
      const found = activation(layer);
      const { value: x, channelAxis } = found;
      const count = x.dims[channelAxis]!;
      if (index >= count) throw outOfRange(layer, index, count);
      const axes = mapAxes(found);
      const position = [row, column].slice(0, axes.length);
      const given = [row, column].filter((at) => at !== undefined).length;
      if (
        axes.length > 2 ||
        given > axes.length ||
        position.some((at, i) => at !== undefined && at >= x.dims[axes[i]!]!)
      )
        throw nowhere(
          layer,
          axes.map((axis) => x.dims[axis]!),
          [row, column],
        );
      const selectors = [
        oneHot(b, value('channel'), count, channelAxis, x.dims.length),
        ...axes.map((axis, i) => {
          const length = x.dims[axis]!;
          const at =
            position[i] === undefined ? b.constant(int64(Math.floor(length / 2))) : value(['row', 'column'][i]!);
          return oneHot(b, at, length, axis, x.dims.length);
        }),
      ];
      return total(
        b,
        b.mul(
          b.cast(x, 'float32'),
          selectors.reduce((product, one) => b.mul(product, one), b.constant(float32(1))),
        ),
      );
    },
  }),
});

function nowhere(layer: string, size: readonly number[], asked: readonly (number | undefined)[]): PhospheneError {
  const position = asked.map((at) => at ?? 'centre').join(', ');
  const there =
    size.length === 0
      ? 'it has no map; leave the position out'
      : `its map is ${size.join('×')}; choose ${size.map((d, i) => `${i === 0 ? 'rows' : 'columns'} of 0-${d - 1}`).join(' and ')}`;
  return new PhospheneError('bad-option', `neuron: layer \`${layer}\` has no position [${position}]: ${there}`, {
    option: 'neuron',
    layer,
    size,
  });
}
