/** @file Keras layers that begin a network: what stands before its first convolution, and inputs that are no picture. */
import { type Value } from '../../../ir/builder.ts';
import { float32 } from '../../../ir/tensor.ts';
import { flag, type KerasLayer, type LayerContext, only, perChannel, unsupported } from '../layer.ts';

const InputLayer: KerasLayer = (context) => {
  throw unsupported(context, 'it is an input of the model beside the picture');
};

/** What a nested model gives. */
const Model: KerasLayer = (context) => context.b.one('Identity', [only(context)], {}, context.name);

/** x · scale + offset, each one number or one a channel. */
const Rescaling: KerasLayer = (context) => {
  const { b, config, name } = context;
  const x = only(context);
  return b.one(
    'Add',
    [b.mul(x, vector(context, x, config['scale'] ?? 1)), vector(context, x, config['offset'] ?? 0)],
    {},
    name,
  );
};

/** What Keras takes a variance for that is smaller. */
const LEAST_DEVIATION = 1e-7;

/** (x − mean) / √variance by channel, or the other way round; both stand in the config or are weights. */
const Normalization: KerasLayer = (context) => {
  const { b, config, name, weight } = context;
  const x = only(context);
  const channels = x.dims[1]!;
  const known = config['mean'] !== undefined && config['mean'] !== null;
  const shaped = (v: Value): Value => b.reshape(v, [1, channels, ...x.dims.slice(2).map(() => 1)]);
  const mean = known ? vector(context, x, config['mean']) : shaped(weight('mean', [channels]));
  const variance = known ? vector(context, x, config['variance']) : shaped(weight('variance', [channels]));
  const deviation = b.max(b.sqrt(variance), LEAST_DEVIATION);
  return flag(context, 'invert', false)
    ? b.one('Add', [b.mul(x, deviation), mean], {}, name)
    : b.one('Div', [b.sub(x, mean), deviation], {}, name);
};

function vector(context: LayerContext, x: Value, setting: unknown): Value {
  const numbers = perChannel(setting);
  const channels = x.dims[1]!;
  if (!numbers || (numbers.length !== 1 && numbers.length !== channels))
    throw unsupported(
      context,
      `${JSON.stringify(setting)} is neither one number nor one for each of ${channels} channels`,
    );
  return context.b.constant(
    float32(numbers, numbers.length === 1 ? [] : [1, channels, ...x.dims.slice(2).map(() => 1)]),
  );
}

export const inputLayers: Readonly<Record<string, KerasLayer>> = { InputLayer, Model, Rescaling, Normalization };
