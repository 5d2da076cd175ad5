/** @file Rules of operators that act on each element. */
import type { Builder, Value } from '../ir/builder.ts';
import { isFloat32 } from '../ir/tensor.ts';
import { family, type Rule, unsupported } from './rule.ts';

/** dx = g · f′, with f′ built from the input x and the output y. */
const times =
  <A>(derivative: (b: Builder, x: Value, y: Value, attributes: A) => Value): Rule<A> =>
  ({ b, g, inputs, outputs, attributes }) => [b.mul(g, derivative(b, inputs[0]!, outputs[0]!, attributes))];

const identity: Rule = ({ g }) => [g];
const toFloat = (b: Builder, condition: Value, like: Value): Value => b.cast(condition, like.dtype);
const both = (b: Builder, x: Value, y: Value): Value => b.one('And', [x, y]);

/** A slope that is infinite at zero, bounded: what lies behind a zero factor, for example a ReLU's mask, is then zero and not NaN. */
const STEEPEST = 1e18;

/** Max and Min: the first operand that attains the extremum takes the gradient. */
const extremum: Rule = ({ b, g, inputs, outputs }) => {
  let rest: Value | undefined;
  return inputs.map((x) => {
    const hit = toFloat(b, b.equal(x!, outputs[0]!), g);
    const share = rest ? b.mul(hit, rest) : hit;
    rest = b.sub(rest ?? 1, share);
    return b.mul(g, share);
  });
};

export const elementwise = family({
  Identity: identity,
  Dropout: identity,
  Relu: ({ b, g, outputs, lower }) => [lower.gate(b, g, outputs[0]!)],
  LeakyRelu: times<{ alpha: number }>((b, x, _, { alpha }) => b.where(b.less(x, 0), b.float(alpha), b.float(1))),
  PRelu: ({ b, g, node, inputs: [x, slope], wants }) => {
    if (wants(1)) throw unsupported(node, 'gradients for its slopes are not supported');
    return [b.mul(g, b.where(b.less(x!, 0), slope!, b.float(1))), undefined];
  },
  ThresholdedRelu: times<{ alpha: number }>((b, x, _, { alpha }) => toFloat(b, b.greater(x, alpha), x)),
  Celu: times<{ alpha: number }>((b, x, y, { alpha }) =>
    b.where(b.less(x, 0), b.add(b.mul(y, 1 / alpha), 1), b.float(1)),
  ),
  Mish: times((b, x) => {
    // x·tanh(s) with s = log(1 + eˣ), whose slope is the sigmoid.
    const t = b.tanh(b.one('Softplus', [x]));
    return b.add(t, b.mul(b.mul(x, b.sub(1, b.mul(t, t))), b.sigmoid(x)));
  }),
  Elu: times<{ alpha: number }>((b, x, y, { alpha }) => b.where(b.less(x, 0), b.add(y, alpha), b.float(1))),
  Selu: times<{ alpha: number; gamma: number }>((b, x, y, { alpha, gamma }) => {
    return b.where(b.less(x, 0), b.add(y, gamma * alpha), b.float(gamma));
  }),
  Sigmoid: times((b, _, y) => b.mul(y, b.sub(1, y))),
  Tanh: times((b, _, y) => b.sub(1, b.mul(y, y))),
  HardSigmoid: times<{ alpha: number }>((b, _, y, { alpha }) =>
    b.mul(toFloat(b, both(b, b.greater(y, 0), b.less(y, 1)), y), alpha),
  ),
  HardSwish: times((b, x) => {
    // x·clip(x/6 + ½, 0, 1) has slope 0 below −3, 1 above 3, x/3 + ½ between.
    const middle = b.add(b.mul(x, 1 / 3), 0.5);
    return b.where(b.less(x, -3), b.float(0), b.where(b.greater(x, 3), b.float(1), middle));
  }),
  Softplus: times((b, x) => b.sigmoid(x)),
  Softsign: times((b, x) => b.pow(b.add(b.one('Abs', [x]), 1), -2)),
  Erf: times((b, x) => b.mul(b.exp(b.neg(b.mul(x, x))), 2 / Math.sqrt(Math.PI))),
  Exp: times((_, __, y) => y),
  Log: times((b, x) => b.one('Reciprocal', [x])),
  Sqrt: times((b, _, y) => b.div(0.5, b.max(y, 0.5 / STEEPEST))),
  Abs: times((b, x) => b.one('Sign', [x])),
  Neg: ({ b, g }) => [b.neg(g)],
  Reciprocal: times((b, _, y) => b.neg(b.mul(y, y))),
  Atan: times((b, x) => b.one('Reciprocal', [b.add(b.mul(x, x), 1)])),
  Sin: times((b, x) => b.one('Cos', [x])),
  Cos: times((b, x) => b.neg(b.one('Sin', [x]))),
  Clip: ({ b, g, inputs: [x, low, high] }) => {
    let inside: Value | undefined;
    for (const [bound, op] of [
      [low, 'GreaterOrEqual'],
      [high, 'LessOrEqual'],
    ] as const) {
      if (!bound) continue;
      const ok = b.one(op, [x!, bound]);
      inside = inside ? both(b, inside, ok) : ok;
    }
    return [inside ? b.mul(g, toFloat(b, inside, g)) : g];
  },
  Cast: ({ b, g, inputs }) => [b.cast(g, inputs[0]!.dtype)],

  Add: ({ g, inputs }) => inputs.map(() => g),
  Sum: ({ g, inputs }) => inputs.map(() => g),
  Mean: ({ b, g, inputs }) => inputs.map(() => b.mul(g, 1 / inputs.length)),
  Sub: ({ b, g, wants }) => [g, wants(1) ? b.neg(g) : undefined],
  Mul: ({ b, g, inputs: [x, y], wants, lower }) => {
    const scaled = (by: Value): Value => {
      const factors = by.constant && isFloat32(by.constant) && isPerChannel(by, g) ? by.constant : undefined;
      return factors ? lower.scaleChannels(b, g, { ...factors, dims: [factors.data.length] }) : b.mul(g, by);
    };
    return [wants(0) ? scaled(y!) : undefined, wants(1) ? scaled(x!) : undefined];
  },
  Div: ({ b, g, inputs: [, y], outputs, wants }) => [
    wants(0) ? b.div(g, y!) : undefined,
    wants(1) ? b.neg(b.div(b.mul(g, outputs[0]!), y!)) : undefined,
  ],
  Pow: ({ b, g, inputs: [x, exponent], outputs, wants }) => {
    // It may be of another type: of whole numbers, for example.
    const p = b.cast(exponent!, x!.dtype);
    return [
      wants(0) ? b.mul(g, b.mul(p, b.min(b.pow(x!, b.sub(p, 1)), STEEPEST))) : undefined,
      wants(1) ? b.mul(g, b.mul(outputs[0]!, b.one('Log', [x!]))) : undefined,
    ];
  },
  Max: extremum,
  Min: extremum,
  Where: ({ b, g, inputs: [condition], wants }) => {
    const zero = b.float(0);
    return [
      undefined,
      wants(1) ? b.where(condition!, g, zero) : undefined,
      wants(2) ? b.where(condition!, zero, g) : undefined,
    ];
  },
});

/** One number a channel of the full-size value g: [c, 1, 1] or [1, c, 1, 1]. */
function isPerChannel(value: Value, g: Value): boolean {
  const dims = value.dims.length === 4 && value.dims[0] === 1 ? value.dims.slice(1) : value.dims;
  return (
    g.dims.length === 4 && dims.length === 3 && dims[0] === g.dims[1] && dims[0] !== 1 && dims[1] === 1 && dims[2] === 1
  );
}
