/** @file A direction in the space of a layer's channels: several channels at once, in proportion. */
import { PhospheneError } from '../errors.ts';
import type { Builder, Value } from '../ir/builder.ts';
import { float32, int64 } from '../ir/tensor.ts';
import { kind } from '../noun.ts';
import { list, text, unset } from '../settings.ts';
import { outOfRange } from './channel.ts';
import type { Untitled, ObjectiveContext } from './objective.ts';
import { dotCosine, layer, misfit, power } from './parts.ts';

/**
 * mean over positions of (x·v) max(0.1, cos(x, v))^power, v being a vector over the channels: one that is given by name, or one that
 * has `weights` at some `channels` and is zero elsewhere. With a power, the angle counts more than the length. Source: Lucid's
 * `direction`; Carter et al. 2019, "Activation Atlas".
 */
export const direction = kind({
  kind: 'direction',
  help: 'Activation along a vector over the channels, times a power of the cosine of their angle',
  settings: {
    layer,
    channels: list({ help: 'Channels of the direction' }),
    weights: list({ help: 'Their weights; 1 for each unless given' }),
    vector: unset(text({ help: 'Name of a given vector, one number a channel, in place of channels and weights' })),
    power,
  },
  make({ layer, channels, weights, vector, power: exponent }): Untitled {
    if ((vector === undefined) === (channels.length === 0))
      throw refused('channels', 'give the channels of the direction or the name of a vector, one of the two');
    if (weights.length !== 0 && weights.length !== channels.length)
      throw refused('weights', `${weights.length} weights for ${channels.length} channels; give one for each`);
    const odd = channels.find((channel) => !Number.isSafeInteger(channel) || channel < 0);
    if (odd !== undefined) throw refused('channels', `whole numbers from 0 are needed, not ${odd}`);
    const power = { power: float32(exponent) };
    const build = (c: ObjectiveContext, along: (count: number) => Value): Value => {
      const found = c.activation(layer);
      const { channelAxis, value } = found;
      const count = value.dims[channelAxis]!;
      const vectorDims = value.dims.map((_, axis) => (axis === channelAxis ? count : 1));
      return dotCosine(c.b, found, c.b.reshape(along(count), vectorDims), c.value('power'));
    };
    if (vector !== undefined)
      return {
        shape: `direction(${JSON.stringify(layer)})`,
        layers: [layer],
        values: power,
        needs: { vector: { tensor: vector } },
        build: (c) =>
          build(c, (count) => {
            const given = c.value('vector');
            if (given.dims.length !== 1 || given.dims[0] !== count)
              throw misfit(`the vector \`${vector}\``, given.dims, [count], layer);
            return given;
          }),
      };
    return {
      shape: `direction(${JSON.stringify(layer)}, ${channels.length})`,
      layers: [layer],
      values: {
        ...power,
        channels: int64([...channels], [channels.length, 1]),
        weights: float32(weights.length === 0 ? channels.map(() => 1) : [...weights], [1, channels.length]),
      },
      build: (c) =>
        build(c, (count) => {
          const beyond = channels.find((channel) => channel >= count);
          if (beyond !== undefined) throw outOfRange(layer, beyond, count);
          return sparse(c.b, c.value('channels'), c.value('weights'), count);
        }),
    };
  },
});

/** The vector with `weights` [1, k] at `channels` [k, 1]; those of a channel that is named twice are added. */
function sparse(b: Builder, channels: Value, weights: Value, count: number): Value {
  const numbers = b.constant(
    int64(
      Array.from({ length: count }, (_, i) => i),
      [1, count],
    ),
  );
  return b.reshape(b.matmul(weights, b.cast(b.equal(channels, numbers), 'float32')), [count]);
}

function refused(option: string, why: string): PhospheneError {
  return new PhospheneError('bad-option', `direction: ${option}: ${why}`, { option });
}
