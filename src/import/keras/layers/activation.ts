/** @file Keras' activations: as layers of their own, and inside of others. */
import type { Builder, Value } from '../../../ir/builder.ts';
import { type KerasLayer, type LayerContext, number, only, text, unsupported } from '../layer.ts';

/** An activation; the name, if there is one, is that of its result. */
type Activate = (b: Builder, x: Value, name?: string) => Value;

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

/** By the names that Keras saves. Softmax and log_softmax are over the channels. */
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
  softmax: unary('Softmax', { axis: 1 }),
  log_softmax: unary('LogSoftmax', { axis: 1 }),
  hard_sigmoid: hardSigmoid,
  silu: gated(unary('Sigmoid')),
  swish: gated(unary('Sigmoid')),
  hard_silu: gated(hardSigmoid),
  hard_swish: gated(hardSigmoid),
  gelu: (b, x, name) => b.one('Mul', [b.mul(x, 0.5), b.add(b.one('Erf', [b.mul(x, Math.SQRT1_2)]), 1)], {}, name),
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
  const activate = Object.hasOwn(activations, activation) ? activations[activation] : undefined;
  if (!activate) throw unsupported(context, `its activation is \`${activation}\``);
  return activate(context.b, x, context.name);
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
  if (threshold !== 0) throw unsupported(context, `its threshold is ${threshold}`);
  if (most === undefined) return slope === 0 ? b.relu(x, name) : b.one('LeakyRelu', [x], { alpha: slope }, name);
  if (slope !== 0) return b.one('Min', [b.one('LeakyRelu', [x], { alpha: slope }), b.float(most)], {}, name);
  return between(0, most)(b, x, name);
};

const LeakyReLU: KerasLayer = (context) => {
  const key = 'negative_slope' in context.config ? 'negative_slope' : 'alpha';
  return context.b.one('LeakyRelu', [only(context)], { alpha: number(context, key, 0.3) }, context.name);
};

const ELU: KerasLayer = (context) =>
  context.b.one('Elu', [only(context)], { alpha: number(context, 'alpha', 1) }, context.name);

const Softmax: KerasLayer = (context) => apply(context, 'softmax', only(context));

export const activationLayers: Readonly<Record<string, KerasLayer>> = { Activation, ReLU, LeakyReLU, ELU, Softmax };
