/** @file Keras' activations: as layers of their own, and inside of others. */
import type { Builder, Value } from '../../../ir/builder.ts';
import { transpose } from '../../../ir/fold.ts';
import { type KerasLayer, type LayerContext, number, only, ourAxis, text, unsupported } from '../layer.ts';

/** An activation; the name, if there is one, is that of its result. Some go over an axis. */
type Activate = (b: Builder, x: Value, name?: string, axis?: number) => Value;

const unary =
  (op: string, attributes: Record<string, number> = {}): Activate =>
  (b, x, name) =>
    b.one(op, [x], attributes, name);

/** x · f(x) */
const gated =
  (gate: Activate): Activate =>
  (b, x, name) =>
    b.one('Mul', [x, gate(b, x)], {}, name);

const between =
  (low: number, high: number): Activate =>
  (b, x, name) =>
    b.one('Clip', [x, b.float(low), b.float(high)], {}, name);

/** relu6(x + 3) / 6, as Keras 3 has it. */
const hardSigmoid = unary('HardSigmoid', { alpha: 1 / 6, beta: 0.5 });

/** Over one axis: that of the channels, unless the caller knows another. */
const overAxis =
  (op: string): Activate =>
  (b, x, name, axis = x.dims.length === 3 ? 2 : 1) =>
    b.one(op, [x], { axis }, name);

/** By the names that Keras saves. */
const activations: Readonly<Record<string, Activate>> = {
  relu: unary('Relu'),
  relu6: between(0, 6),
  sigmoid: unary('Sigmoid'),
  tanh: unary('Tanh'),
  elu: unary('Elu', { alpha: 1 }),
  selu: unary('Selu'),
  softplus: unary('Softplus'),
  softsign: unary('Softsign'),
  exponential: unary('Exp'),
  leaky_relu: unary('LeakyRelu', { alpha: 0.2 }),
  softmax: overAxis('Softmax'),
  log_softmax: overAxis('LogSoftmax'),
  hard_sigmoid: hardSigmoid,
  silu: gated(unary('Sigmoid')),
  swish: gated(unary('Sigmoid')),
  hard_silu: gated(hardSigmoid),
  hard_swish: gated(hardSigmoid),
  mish: unary('Mish'),
  relu_squared: (b, x, name) => {
    const y = b.relu(x);
    return b.one('Mul', [y, y], {}, name);
  },
  celu: unary('Celu', { alpha: 1 }),
  log_sigmoid: (b, x, name) => b.one('Neg', [b.one('Softplus', [b.neg(x)])], {}, name),
  hard_tanh: between(-1, 1),
  gelu: (b, x, name) => b.one('Mul', [b.mul(x, 0.5), b.add(b.one('Erf', [b.mul(x, Math.SQRT1_2)]), 1)], {}, name),
};

/** Those that were others in Keras 2: clip(0.2 x + 0.5, 0, 1). */
const keras2Activations: Readonly<Record<string, Activate>> = {
  hard_sigmoid: unary('HardSigmoid', { alpha: 0.2, beta: 0.5 }),
};

/**
 * The output of a layer that may end with an activation. `build` adds what comes before it, and is given the layer's name if
 * nothing follows.
 */
export function activated(context: LayerContext, build: (name?: string) => Value): Value {
  const activation = text(context, 'activation', 'linear');
  return activation === 'linear' ? build(context.name) : apply(context, activation, build());
}

function apply(context: LayerContext, activation: string, x: Value): Value {
  const known = context.keras2 ? { ...activations, ...keras2Activations } : activations;
  const activate = Object.hasOwn(known, activation) ? known[activation] : undefined;
  if (!activate) throw unsupported(context, `its activation is \`${activation}\``);
  return activate(context.b, x, context.name, ourAxis(context, context.config['axis'] ?? -1, x.dims.length));
}

const Activation: KerasLayer = (context) => {
  const activation = text(context, 'activation', 'linear');
  const x = only(context);
  return activation === 'linear' ? context.b.one('Identity', [x], {}, context.name) : apply(context, activation, x);
};

/** x > threshold ? min(x, max_value) : negative_slope · (x − threshold) */
const ReLU: KerasLayer = (context) => {
  const { b, config, name } = context;
  const x = only(context);
  const [slope, threshold] = [number(context, 'negative_slope', 0), number(context, 'threshold', 0)];
  const most =
    config['max_value'] === undefined || config['max_value'] === null ? undefined : number(context, 'max_value', 0);
  if (threshold !== 0) {
    const kept = most === undefined ? x : b.min(x, most);
    return b.one('Where', [b.greater(x, threshold), kept, b.mul(b.sub(x, threshold), slope)], {}, name);
  }
  if (most === undefined) return slope === 0 ? b.relu(x, name) : b.one('LeakyRelu', [x], { alpha: slope }, name);
  if (slope !== 0) return b.one('Min', [b.one('LeakyRelu', [x], { alpha: slope }), b.float(most)], {}, name);
  return between(0, most)(b, x, name);
};

/** x > theta ? x : 0; of Keras 2. */
const ThresholdedReLU: KerasLayer = (context) =>
  context.b.one('ThresholdedRelu', [only(context)], { alpha: number(context, 'theta', 1) }, context.name);

const LeakyReLU: KerasLayer = (context) => {
  const key = 'negative_slope' in context.config ? 'negative_slope' : 'alpha';
  return context.b.one('LeakyRelu', [only(context)], { alpha: number(context, key, 0.3) }, context.name);
};

const ELU: KerasLayer = (context) =>
  context.b.one('Elu', [only(context)], { alpha: number(context, 'alpha', 1) }, context.name);

/** One slope for each value, or for each channel if the axes of the picture share them. */
const PReLU: KerasLayer = (context) => {
  const { b, name, weight } = context;
  const x = only(context);
  const shared = context.config['shared_axes'];
  const axes = Array.isArray(shared) ? (shared as number[]) : [];
  const picture = x.dims.length === 4 && !context.channelsFirst;
  // Keras' axes, the channels last.
  const dims = (picture ? [x.dims[2]!, x.dims[3]!, x.dims[1]!] : x.dims.slice(1)).map((d, i) =>
    axes.includes(i + 1) ? 1 : d,
  );
  const ours = picture ? [dims[2]!, dims[0]!, dims[1]!] : dims;
  const alpha = weight('alpha', dims, {
    dims: ours,
    apply: (t) => (picture ? transpose(t, [2, 0, 1]) : t),
  });
  return b.one('PRelu', [x, alpha], {}, name);
};

const Softmax: KerasLayer = (context) => apply(context, 'softmax', only(context));

/** The operations of Keras 3 that a model may be built of, by class, as activations. */
const operations: Readonly<Record<string, string>> = {
  Relu: 'relu',
  Relu6: 'relu6',
  Sigmoid: 'sigmoid',
  Tanh: 'tanh',
  Silu: 'silu',
  HardSilu: 'hard_silu',
  HardSigmoid: 'hard_sigmoid',
  Softplus: 'softplus',
  Softsign: 'softsign',
  Exp: 'exponential',
  LogSoftmax: 'log_softmax',
  Mish: 'mish',
};

/** One of them; its settings are not saved, so that it must have none. */
const operation =
  (activation: string): KerasLayer =>
  (context) =>
    apply(context, activation, only(context));

/** Others of one input, which ONNX has as they are. */
const plain =
  (op: string): KerasLayer =>
  (context) =>
    context.b.one(op, [only(context)], {}, context.name);

/** What TensorFlow's functions are called in a Keras 2 model that was built of them. */
const functions: Readonly<Record<string, string>> = {
  'nn.relu': 'relu',
  'nn.relu6': 'relu6',
  'nn.silu': 'silu',
  'nn.swish': 'silu',
  'nn.elu': 'elu',
  'nn.softmax': 'softmax',
  'math.sigmoid': 'sigmoid',
  'math.tanh': 'tanh',
  'math.exp': 'exponential',
};
const arithmetic: Readonly<Record<string, string>> = {
  '__operators__.add': 'Add',
  'math.add': 'Add',
  '__operators__.sub': 'Sub',
  'math.subtract': 'Sub',
  '__operators__.mul': 'Mul',
  'math.multiply': 'Mul',
  '__operators__.truediv': 'Div',
  'math.truediv': 'Div',
  'math.divide': 'Div',
  'math.maximum': 'Max',
  'math.minimum': 'Min',
  'math.pow': 'Pow',
  'nn.bias_add': 'Add',
};

const TFOpLambda: KerasLayer = (context) => {
  const called = text(context, 'function', '');
  const op = arithmetic[called];
  if (op && context.inputs.length === 2) return context.b.one(op, context.inputs, {}, context.name);
  const activation = functions[called];
  if (!activation) throw unsupported(context, `it is TensorFlow's function \`${called}\``);
  return apply(context, activation, only(context));
};

export const activationLayers: Readonly<Record<string, KerasLayer>> = {
  Activation,
  ReLU,
  LeakyReLU,
  ELU,
  PReLU,
  Softmax,
  ThresholdedReLU,
  TFOpLambda,
  Negative: plain('Neg'),
  Sqrt: plain('Sqrt'),
  Absolute: plain('Abs'),
  ...Object.fromEntries(Object.entries(operations).map(([type, activation]) => [type, operation(activation)])),
};
