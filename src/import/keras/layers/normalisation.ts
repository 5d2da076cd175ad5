/** @file Keras' normalisations, as they are when the network is not trained. */
import { float32 } from '../../../ir/tensor.ts';
import type { Value } from '../../../ir/builder.ts';
import { flag, type KerasLayer, type LayerContext, number, only, perChannel, unsupported } from '../layer.ts';

const BatchNormalization: KerasLayer = (context) => {
  const { b, name, weight } = context;
  const x = only(context);
  overChannels(context, x);
  const channels = x.dims[1]!;
  const all = (value: number, as: string) =>
    b.constant(float32(new Float32Array(channels).fill(value)), `${name}/${as}`);
  const gamma = flag(context, 'scale', true) ? weight('gamma', [channels]) : all(1, 'gamma');
  const beta = flag(context, 'center', true) ? weight('beta', [channels]) : all(0, 'beta');
  const [mean, variance] = [weight('moving_mean', [channels]), weight('moving_variance', [channels])];
  const epsilon = number(context, 'epsilon', 1e-3);
  return b.one('BatchNormalization', [x, gamma, beta, mean, variance], { epsilon }, name);
};

/** Refuses a normalisation over an axis that is not that of the channels, Keras' last. */
function overChannels(context: LayerContext, x: Value): void {
  const axes = perChannel(context.config['axis'] ?? -1);
  const last = x.dims.length - 1;
  if (axes?.length !== 1 || (axes[0] !== -1 && axes[0] !== last))
    throw unsupported(context, `its axis is ${JSON.stringify(context.config['axis'])} and not that of the channels`);
}

/** (x − μ) / √(σ² + ε) · γ + β over the channels of each pixel. */
const LayerNormalization: KerasLayer = (context) => {
  const { b, name, weight } = context;
  const x = only(context);
  overChannels(context, x);
  const axis = x.dims.length === 4 ? 1 : x.dims.length - 1;
  const channels = x.dims[axis]!;
  const shaped = (v: Value): Value => (axis === 1 ? b.reshape(v, [channels, ...x.dims.slice(2).map(() => 1)]) : v);
  const centred = b.sub(x, b.mean(x, [axis]));
  const variance = b.mean(b.mul(centred, centred), [axis]);
  const normal = b.div(centred, b.sqrt(b.add(variance, number(context, 'epsilon', 1e-3))));
  const scaled = flag(context, 'scale', true) ? b.mul(normal, shaped(weight('gamma', [channels]))) : normal;
  if (!flag(context, 'center', true)) return b.one('Identity', [scaled], {}, name);
  return b.one('Add', [scaled, shaped(weight('beta', [channels]))], {}, name);
};

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
  LayerScale,
};
