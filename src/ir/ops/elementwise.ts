/** @file Operators that act on each element. */
import { PhospheneError } from '../../errors.ts';
import { filled, isInteger, fromNumbers, pointwise, readable } from '../fold.ts';
import { broadcast } from '../shape.ts';
import { sizeOf, toNumbers } from '../tensor.ts';
import {
  type Call,
  each,
  elementType,
  float,
  type FoldCall,
  foreign,
  type Inferred,
  int,
  operator,
  word,
} from './operator.ts';

const same = ({ inputs: [x] }: Pick<Call, 'inputs'>): Inferred[] => [{ dtype: x!.dtype, dims: x!.dims }];
const spread = ({ inputs }: Pick<Call, 'inputs'>): Inferred[] => [
  { dtype: inputs[0]!.dtype, dims: broadcast(...inputs.map((i) => i!.dims)) },
];
const truth = ({ inputs }: Pick<Call, 'inputs'>): Inferred[] => [
  { dtype: 'bool', dims: broadcast(...inputs.map((i) => i!.dims)) },
];
type Function = (...values: number[]) => number;
const folding =
  (f: Function) =>
  ({ inputs, out }: Pick<FoldCall, 'inputs' | 'out'>) =>
    pointwise(f, inputs, out);

const unary = (f?: Function) =>
  operator({ inputs: ['T'], attributes: {}, infer: same, ...(f ? { fold: folding(f) } : {}) });
const unaryNumber = (f: Function) => ({ ...unary(f), of: 'number' as const });
const jumping = (f: Function) => ({ ...unary(f), jumps: true });
const binary = (f: Function) =>
  operator({ inputs: ['T', 'T'], of: 'number', attributes: {}, infer: spread, fold: folding(f) });
const several = (f: Function) =>
  operator({ inputs: ['T*'], of: 'number', attributes: {}, infer: spread, fold: folding(f) });
const compared = (f: (a: number, b: number) => boolean) =>
  operator({
    inputs: ['T', 'T'],
    of: 'number',
    attributes: {},
    infer: truth,
    fold: folding((a, b) => Number(f(a, b))),
  });
const logical = (f: Function) =>
  operator({ inputs: ['T', 'T'], of: 'bool', attributes: {}, infer: truth, fold: folding(f) });

/** To the nearest whole number, halves to the even one, as ONNX rounds. */
const roundEven = (x: number): number => {
  const nearest = Math.round(x);
  return nearest - x === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
};
/** The remainder that has the sign of the divisor. */
const modulo = (a: number, n: number): number => a - Math.floor(a / n) * n;

/** A division that is no number ends the process of the runtime if it is of whole numbers. */
function divisible({ inputs: [, divisor], out }: Pick<FoldCall, 'inputs' | 'out'>): void {
  if (isInteger(out.dtype) && toNumbers(divisor!).includes(0))
    throw new PhospheneError('shape', 'a whole number is divided by zero');
}

export const elementwise = {
  ...each(['Atan', 'Cos', 'Erf', 'HardSwish', 'Mish', 'Sigmoid', 'Sin', 'Softplus', 'Softsign', 'Tanh'], unary()),
  Abs: unaryNumber(Math.abs),
  Neg: unaryNumber((x) => -x),
  Relu: unaryNumber((x) => Math.max(x, 0)),
  Sqrt: unary(Math.sqrt),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Reciprocal: unary((x) => 1 / x),
  Ceil: jumping(Math.ceil),
  Floor: jumping(Math.floor),
  Round: jumping(roundEven),
  Sign: { ...unaryNumber(Math.sign), jumps: true },
  Not: operator({ inputs: ['T'], of: 'bool', attributes: {}, infer: same, fold: folding((x) => 1 - x) }),
  ...each(
    ['Celu', 'Elu', 'ThresholdedRelu'],
    operator({ inputs: ['T'], attributes: { alpha: float(1) }, infer: same }),
  ),
  LeakyRelu: operator({ inputs: ['T'], attributes: { alpha: float(0.01) }, infer: same }),
  HardSigmoid: operator({ inputs: ['T'], attributes: { alpha: float(0.2), beta: float(0.5) }, infer: same }),
  Selu: operator({
    inputs: ['T'],
    attributes: { alpha: float(1.6732632423543772), gamma: float(1.0507009873554805) },
    infer: same,
  }),
  PRelu: operator({
    limits: 'no gradient for its slopes',
    inputs: ['T', 'T'],
    attributes: {},
    infer({ inputs: [x, slope] }) {
      const dims = broadcast(x!.dims, slope!.dims);
      if (sizeOf(dims) !== sizeOf(x!.dims))
        throw new PhospheneError('shape', `slopes of [${slope!.dims.join(', ')}] do not fit [${x!.dims.join(', ')}]`);
      return [{ dtype: x!.dtype, dims: x!.dims }];
    },
    // Before opset 7 its slopes were one for each channel.
    upgrade({ b, opset, inputs: [x, slope], as }) {
      if (opset >= 7 || !x || slope?.dims.length !== 1 || slope.dims[0] === 1) return undefined;
      return as([x, b.reshape(slope, [slope.dims[0]!, ...x.dims.slice(2).map(() => 1)])], {});
    },
  }),
  Clip: operator({
    inputs: ['T', 'T?', 'T?'],
    of: 'number',
    attributes: {},
    infer({ inputs }) {
      if (inputs.slice(1).some((bound) => bound && sizeOf(bound.dims) !== 1))
        throw new PhospheneError('shape', 'its bounds must be single numbers');
      return same({ inputs });
    },
    fold({ inputs: [x, low, high], out }) {
      const [least, most] = [low ? toNumbers(low)[0]! : -Infinity, high ? toNumbers(high)[0]! : Infinity];
      return pointwise((v) => Math.min(Math.max(v, least), most), [x], out);
    },
    upgrade: ({ opset, inputs, number, as }) =>
      opset < 11 ? as([inputs[0], number('min'), number('max')], {}) : undefined,
  }),
  Identity: operator({
    inputs: ['T'],
    of: 'any',
    attributes: {},
    infer: same,
    view: true,
    fold: ({ inputs: [x] }) => x,
  }),
  Dropout: operator({
    limits: 'refused in training mode',
    inputs: ['T', 'float?', 'bool?'],
    attributes: { seed: int() },
    infer: same,
    upgrade({ b, inputs, name, outputs }) {
      const training = inputs[2]?.constant;
      if (inputs[2] && (!training || toNumbers(training)[0] !== 0))
        throw new PhospheneError(
          'unsupported-op',
          'it drops values at random, as in training; export the network for inference (in PyTorch: after `model.eval()`)',
        );
      const kept = b.one('Identity', [inputs[0]], {}, name);
      return outputs === 1 ? [kept] : [kept, b.expand(b.constant(filled('bool', [], 1)), kept.dims)];
    },
  }),

  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: operator({
    inputs: ['T', 'T'],
    of: 'number',
    attributes: {},
    infer: spread,
    fold(call) {
      divisible(call);
      const whole = isInteger(call.out.dtype);
      return pointwise(whole ? (a, b) => Math.trunc(a / b) : (a, b) => a / b, call.inputs, call.out);
    },
  }),
  Mod: operator({
    inputs: ['T', 'T'],
    of: 'number',
    attributes: { fmod: int(0, { least: 0, most: 1 }) },
    jumps: true,
    infer({ inputs, attributes: { fmod } }) {
      if (fmod === 0 && inputs[0]!.dtype.startsWith('float'))
        throw new PhospheneError('shape', 'of numbers that are not whole it needs `fmod` 1');
      return spread({ inputs });
    },
    fold(call) {
      divisible(call);
      return pointwise(call.attributes.fmod === 1 ? (a, b) => a % b : (a, b) => modulo(a, b), call.inputs, call.out);
    },
  }),
  Pow: operator({
    inputs: ['T', 'number'],
    of: 'number',
    attributes: {},
    infer: spread,
    fold: folding((a, b) => a ** b),
  }),
  Max: several(Math.max),
  Min: several(Math.min),
  Sum: several((...values) => values.reduce((a, b) => a + b, 0)),
  Mean: { ...several((...values) => values.reduce((a, b) => a + b, 0) / values.length), of: 'float' as const },
  Equal: { ...compared((a, b) => a === b), of: 'any' as const },
  Greater: compared((a, b) => a > b),
  GreaterOrEqual: compared((a, b) => a >= b),
  Less: compared((a, b) => a < b),
  LessOrEqual: compared((a, b) => a <= b),
  And: logical((a, b) => a & b),
  Or: logical((a, b) => a | b),
  Where: operator({
    inputs: ['bool', 'T', 'T'],
    of: 'any',
    attributes: {},
    infer: ({ inputs: [condition, a, b] }) => [{ dtype: a!.dtype, dims: broadcast(condition!.dims, a!.dims, b!.dims) }],
    fold: folding((condition, a, b) => (condition ? a : b)),
  }),
  Cast: operator({
    inputs: ['any'],
    attributes: { to: elementType() },
    infer: ({ inputs: [x], attributes: { to } }) => [{ dtype: to, dims: x!.dims }],
    fold({ inputs: [x], out }) {
      const values = readable(x!);
      return fromNumbers(out.dtype, out.dims, isInteger(out.dtype) ? (i) => Math.trunc(values[i]!) : (i) => values[i]!);
    },
    // What opset 19 says beside the type concerns 8-bit floats, which we do not have.
    upgrade: ({ inputs, without, as }) => as(inputs, without('saturate', 'round_mode')),
  }),
};

/** Activations and casts as files spell them and we do not. */
export const foreignElementwise = {
  CastLike: foreign({
    inputs: ['any', 'any'],
    attributes: { saturate: int(1) },
    since: 15,
    upgrade: ({ b, inputs: [x, like], name }) => [b.one('Cast', [x], { to: like!.dtype }, name)],
  }),
  Shrink: foreign({
    inputs: ['T'],
    attributes: { bias: float(0), lambd: float(0.5) },
    upgrade({ b, inputs: [x], attributes: { bias, lambd }, name }) {
      const zero = b.mul(x!, 0);
      const above = b.where(b.greater(x!, lambd), b.sub(x!, bias), zero);
      return [b.one('Where', [b.less(x!, -lambd), b.add(x!, bias), above], {}, name)];
    },
  }),
  Gelu: foreign({
    inputs: ['T'],
    attributes: { approximate: word('none', ['tanh']) },
    since: 20,
    upgrade({ b, inputs, attributes: { approximate }, name }) {
      const x = inputs[0]!;
      // x Φ(x), with Φ of the normal distribution, or its usual approximation.
      const inner =
        approximate === 'none'
          ? b.one('Erf', [b.mul(x, Math.SQRT1_2)])
          : b.tanh(b.mul(b.add(x, b.mul(b.mul(b.mul(x, x), x), 0.044715)), Math.sqrt(2 / Math.PI)));
      return [b.one('Mul', [b.mul(x, 0.5), b.add(inner, 1)], {}, name)];
    },
  }),
  Swish: foreign({
    inputs: ['T'],
    attributes: { alpha: float(1) },
    since: 24,
    upgrade({ b, inputs, attributes: { alpha }, name }) {
      const x = inputs[0]!;
      return [b.one('Mul', [x, b.sigmoid(alpha === 1 ? x : b.mul(x, alpha))], {}, name)];
    },
  }),
};
