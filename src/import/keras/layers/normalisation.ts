/** @file Keras' normalisations, as they are when the network is not trained. */
import { float32 } from '../../../ir/tensor.ts';
import { flag, type KerasLayer, number, only } from '../layer.ts';

const BatchNormalization: KerasLayer = (context) => {
  const { b, name, weight } = context;
  const x = only(context);
  const channels = x.dims[1]!;
  const all = (value: number, as: string) =>
    b.constant(float32(new Float32Array(channels).fill(value)), `${name}/${as}`);
  const gamma = flag(context, 'scale', true) ? weight('gamma', [channels]) : all(1, 'gamma');
  const beta = flag(context, 'center', true) ? weight('beta', [channels]) : all(0, 'beta');
  const [mean, variance] = [weight('moving_mean', [channels]), weight('moving_variance', [channels])];
  const epsilon = number(context, 'epsilon', 1e-3);
  return b.one('BatchNormalization', [x, gamma, beta, mean, variance], { epsilon }, name);
};

export const normalisations: Readonly<Record<string, KerasLayer>> = { BatchNormalization };
