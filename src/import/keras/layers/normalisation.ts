/** @file Keras' normalisations, as they are when the network is not trained. */
import { float32, sizeOf } from '../../../ir/tensor.ts';
import type { Value } from '../../../ir/builder.ts';
import {
  flag,
  type KerasLayer,
  type LayerContext,
  number,
  only,
  ourAxis,
  perChannel,
  unsupported,
  whole,
} from '../layer.ts';

/** The axes that a setting names, as ours, in the order in which weights have them. */
function axesOf(context: LayerContext, x: Value): readonly number[] {
  const setting = context.config['axis'] ?? -1;
  const rank = x.dims.length;
  const axes = (perChannel(setting) ?? []).map((axis) => (axis < 0 ? axis + rank : axis));
  const fits = axes.every((axis) => Number.isInteger(axis) && axis > 0 && axis < rank);
  if (axes.length === 0 || !fits || new Set(axes).size < axes.length)
    throw unsupported(context, `its axis is ${JSON.stringify(setting)}`);
  return axes.map((axis) => ourAxis(context, axis, rank));
}

/** A weight over some axes, so that it can be multiplied with a value that has them all. */
function along({ b }: LayerContext, x: Value, axes: readonly number[], weight: Value): Value {
  const order = axes.map((_, i) => i).toSorted((i, j) => axes[i]! - axes[j]!);
  return b.reshape(
    b.transpose(weight, order),
    x.dims.map((d, i) => (axes.includes(i) ? d : 1)),
  );
}

const shapeOver = (x: Value, axes: readonly number[]): number[] => axes.map((axis) => x.dims[axis]!);

/** x · γ + β over some axes, as far as the layer has them. */
function scaled(context: LayerContext, x: Value, axes: readonly number[], normal: Value): Value {
  const { b, name, weight } = context;
  const dims = shapeOver(x, axes);
  const gamma = flag(context, 'scale', true) ? along(context, x, axes, weight('gamma', dims)) : undefined;
  const beta = flag(context, 'center', true) ? along(context, x, axes, weight('beta', dims)) : undefined;
  const product = gamma ? b.mul(normal, gamma) : normal;
  return beta ? b.one('Add', [product, beta], {}, name) : b.one('Identity', [product], {}, name);
}

const BatchNormalization: KerasLayer = (context) => {
  const { b, name, weight } = context;
  const x = only(context);
  const axes = axesOf(context, x);
  const [axis] = axes;
  if (axis === undefined || axes.length > 1) throw unsupported(context, 'it normalises over several axes');
  const channels = x.dims[axis]!;
  const all = (value: number, as: string) =>
    b.constant(float32(new Float32Array(channels).fill(value)), `${name}/${as}`);
  const gamma = flag(context, 'scale', true) ? weight('gamma', [channels]) : all(1, 'gamma');
  const beta = flag(context, 'center', true) ? weight('beta', [channels]) : all(0, 'beta');
  const [mean, variance] = [weight('moving_mean', [channels]), weight('moving_variance', [channels])];
  const epsilon = number(context, 'epsilon', 1e-3);
  if (axis === 1) return b.one('BatchNormalization', [x, gamma, beta, mean, variance], { epsilon }, name);
  const over = (v: Value): Value => along(context, x, axes, v);
  const normal = b.div(b.sub(x, over(mean)), b.sqrt(b.add(over(variance), epsilon)));
  return b.one('Add', [b.mul(normal, over(gamma)), over(beta)], {}, name);
};

/** (x − μ) / √(σ² + ε) · γ + β, of the channels of each pixel unless its axes are others. */
const LayerNormalization: KerasLayer = (context) => {
  const { b } = context;
  if (flag(context, 'rms_scaling', false)) throw unsupported(context, 'its rms_scaling is true');
  const x = only(context);
  const axes = axesOf(context, x);
  const centred = b.sub(x, b.mean(x, axes));
  const variance = b.mean(b.mul(centred, centred), axes);
  return scaled(context, x, axes, b.div(centred, b.sqrt(b.add(variance, number(context, 'epsilon', 1e-3)))));
};

/** x / √(mean x² + ε) · γ */
const RMSNormalization: KerasLayer = (context) => {
  const { b, name, weight } = context;
  const x = only(context);
  const axes = axesOf(context, x);
  const root = b.sqrt(b.add(b.mean(b.mul(x, x), axes), number(context, 'epsilon', 1e-6)));
  return b.one('Mul', [b.div(x, root), along(context, x, axes, weight('scale', shapeOver(x, axes)))], {}, name);
};

/** Each group of channels normalised over its pixels, as if it were a channel. */
const GroupNormalization: KerasLayer = (context) => {
  const { b, config } = context;
  const x = only(context);
  const axes = axesOf(context, x);
  if (axes.length !== 1 || axes[0] !== 1 || x.dims.length < 3)
    throw unsupported(context, `its axis is ${JSON.stringify(config['axis'])} and not that of a picture's channels`);
  const channels = x.dims[1]!;
  const groups = config['groups'] === -1 ? channels : whole(context, 'groups', 32);
  if (channels % groups !== 0) throw unsupported(context, `${groups} groups do not divide ${channels} channels`);
  const rows = b.reshape(x, [1, groups, sizeOf(x.dims) / groups]);
  const same = (value: number): Value => b.float(Array.from({ length: groups }, () => value));
  const epsilon = number(context, 'epsilon', 1e-3);
  const normal = b.one('InstanceNormalization', [rows, same(1), same(0)], { epsilon });
  return scaled(context, x, axes, b.reshape(normal, x.dims));
};

/** Values divided by their length over some axes. */
const UnitNormalization: KerasLayer = (context) => {
  const { b, name } = context;
  const x = only(context);
  return b.one('Div', [x, b.sqrt(b.max(b.sum(b.mul(x, x), axesOf(context, x)), LEAST_NORM))], {}, name);
};
/** What a square of a length is taken for that is smaller. */
const LEAST_NORM = 1e-12;

/** x · γ by channel, as in ConvNeXt. */
const LayerScale: KerasLayer = (context) => {
  const { b, name, weight } = context;
  const x = only(context);
  const channels = x.dims[1]!;
  const gamma = b.reshape(weight('gamma', [channels]), [channels, ...x.dims.slice(2).map(() => 1)]);
  return b.one('Mul', [x, gamma], {}, name);
};

export const normalisations: Readonly<Record<string, KerasLayer>> = {
  BatchNormalization,
  // TensorFlow 1.13 called it so.
  BatchNormalizationV1: BatchNormalization,
  LayerNormalization,
  RMSNormalization,
  GroupNormalization,
  UnitNormalization,
  LayerScale,
};
