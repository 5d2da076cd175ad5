/** @file Operators that work on each element by itself. */
import type { Builder, Value } from '../../../ir/builder.ts';
import { flag, float, int, type } from '../graph.ts';
import { type Held, plain, together } from '../layout.ts';
import { type Call, input, type TfOperator, unsupported } from './operator.ts';

/** A function of one value; the name, if there is one, is that of its result. */
type Unary = (b: Builder, x: Value, name?: string) => Value;

const unary =
  (f: Unary): TfOperator =>
  (call) => {
    const held = input(call, 0);
    return { value: f(call.b, held.value, call.name), first: held.first };
  };

const by =
  (op: string): Unary =>
  (b, x, name) =>
    b.one(op, [x], {}, name);

const functions: Readonly<Record<string, Unary>> = {
  ...Object.fromEntries(
    // prettier-ignore
    ['Abs', 'Ceil', 'Cos', 'Elu', 'Erf', 'Exp', 'Floor', 'Log', 'Neg', 'Relu', 'Round', 'Selu', 'Sigmoid', 'Sign', 'Sin', 'Softplus', 'Softsign', 'Sqrt', 'Tanh'].map((op) => [op, by(op)]),
  ),
  Rint: by('Round'),
  Reciprocal: by('Reciprocal'),
  Inv: by('Reciprocal'),
  LogicalNot: by('Not'),
  Relu6: (b, x, name) => b.one('Clip', [x, b.float(0), b.float(6)], {}, name),
  Rsqrt: (b, x, name) => b.one('Reciprocal', [b.sqrt(x)], {}, name),
  Square: (b, x, name) => b.one('Mul', [x, x], {}, name),
  Log1p: (b, x, name) => b.one('Log', [b.add(x, 1)], {}, name),
  Expm1: (b, x, name) => b.one('Sub', [b.exp(x), b.float(1)], {}, name),
};

/** Two or more values in one order of axes and of one type. */
export function alike({ b }: Call, inputs: readonly Held[]): ReturnType<typeof together> {
  const { values, as } = together(b, inputs);
  // A picture of bytes is held in floats, and may meet whole numbers.
  const floats = values.some((v) => v.dtype === 'float32') && values.some((v) => v.dtype === 'int64');
  return { values: floats ? values.map((v) => b.cast(v, 'float32')) : values, as };
}

const binary =
  (f: (b: Builder, x: Value, y: Value, name: string) => Value): TfOperator =>
  (call) => {
    const { values, as } = alike(call, [input(call, 0), input(call, 1)]);
    return as(f(call.b, values[0]!, values[1]!, call.name));
  };

const pair = (op: string): TfOperator => binary((b, x, y, name) => b.one(op, [x, y], {}, name));

/** The whole part of a quotient, rounded down. */
const floorDiv = binary((b, x, y, name) => {
  if (x.dtype.startsWith('float')) return b.one('Floor', [b.div(x, y)], {}, name);
  const remainder = b.one('Mod', [x, y]);
  return b.one('Div', [b.sub(x, remainder), y], {}, name);
});

const floorMod = binary((b, x, y, name) => {
  if (!x.dtype.startsWith('float')) return b.one('Mod', [x, y], {}, name);
  return b.one('Sub', [x, b.mul(y, b.one('Floor', [b.div(x, y)]))], {}, name);
});

const sum: TfOperator = (call) => {
  const { values, as } = alike(call, call.inputs);
  if (values.length === 1) return input(call, 0);
  return as(call.b.one('Sum', values, {}, call.name));
};

/** `condition ? x : y`; of old, a condition of one axis chooses among the first axis of the others. */
const select: TfOperator = (call) => {
  const [condition, x, y] = [input(call, 0), input(call, 1), input(call, 2)];
  if (condition.value.dtype !== 'bool') throw unsupported('its condition is no truth value');
  if (call.node.op === 'Select' && condition.value.dims.length === 1 && x.value.dims.length > 1)
    throw unsupported('it chooses among whole rows');
  const both = alike(call, [x, y]);
  const { values, as } = together(call.b, [condition, as3(both.values[0]!, both.as), as3(both.values[1]!, both.as)]);
  return as(call.b.one('Where', values, {}, call.name));
};
const as3 = (value: Value, as: (value: Value) => Held): Held => as(value);

/** x or, if it is negative, slope · x. */
export function leaky({ b }: Call, { value, first }: Held, alpha: number, name?: string): Held {
  return { value: b.one('LeakyRelu', [value], { alpha }, name), first };
}

/** x or, if it is negative, one of many slopes · x. */
export function prelu({ b }: Call, x: Held, alpha: Held, name?: string): Held {
  const { values, as } = together(b, [x, alpha]);
  return as(b.one('PRelu', values, {}, name));
}

/** The activations that other operators end with, by name; undefined for one that is not known. */
export function activation(op: string): Unary | undefined {
  return Object.hasOwn(functions, op) ? functions[op] : undefined;
}

const cast: TfOperator = (call) => {
  const { value, first } = input(call, 0);
  const to = type(call.node, 'DstT');
  const held = (dtype: 'float32' | 'int64' | 'bool'): Held => ({
    value: value.dtype === dtype ? value : call.b.one('Cast', [value], { to: dtype }, call.name),
    first,
  });
  if (['DT_FLOAT', 'DT_HALF', 'DT_BFLOAT16', 'DT_DOUBLE'].includes(to)) return held('float32');
  if (to === 'DT_BOOL') return held('bool');
  if (/^DT_U?INT(8|16|32|64)$/.test(to)) return held('int64');
  throw unsupported(`it casts to ${to || 'nothing'}`);
};

const clip: TfOperator = (call) => {
  const { value, first } = input(call, 0);
  const [low, high] = [input(call, 1).value, input(call, 2).value];
  const single = (v: Value): Value => call.b.cast(call.b.reshape(v, []), value.dtype);
  return { value: call.b.one('Clip', [value, single(low), single(high)], {}, call.name), first };
};

const identity: TfOperator = (call) => input(call, 0);

/** The normalisation over neighbouring channels, as AlexNet had it. */
const lrn: TfOperator = (call) => {
  const { b, node, name } = call;
  const radius = int(node, 'depth_radius', 5);
  if (radius < 0 || radius > 1 << 16) throw unsupported(`its radius is ${radius}`);
  const { values, as } = together(b, [input(call, 0)]);
  const [x] = values;
  // Only a picture in our order has its channels where ONNX looks for them.
  const size = 2 * radius + 1;
  const attributes = {
    size,
    alpha: float(node, 'alpha', 1) * size,
    beta: float(node, 'beta', 0.5),
    bias: float(node, 'bias', 1),
  };
  if (input(call, 0).first) return as(b.one('LRN', [x], attributes, name));
  const turned = b.one('LRN', [b.transpose(x!, [0, 3, 1, 2])], attributes, name);
  return { value: turned, first: true };
};

const constant =
  (value: number): TfOperator =>
  (call) => {
    const { b } = call;
    const { dims, dtype } = input(call, 0).value;
    return plain(b.expand(b.cast(b.float(value), dtype), dims));
  };

export const elementwise: Readonly<Record<string, TfOperator>> = {
  ...Object.fromEntries(Object.entries(functions).map(([op, f]) => [op, unary(f)])),
  Add: pair('Add'),
  AddV2: pair('Add'),
  AddN: sum,
  Sub: pair('Sub'),
  Mul: pair('Mul'),
  RealDiv: pair('Div'),
  Div: pair('Div'),
  DivNoNan: pair('Div'),
  FloorDiv: floorDiv,
  FloorMod: floorMod,
  Mod: floorMod,
  Maximum: pair('Max'),
  Minimum: pair('Min'),
  Pow: pair('Pow'),
  SquaredDifference: binary((b, x, y, name) => {
    const difference = b.sub(x, y);
    return b.one('Mul', [difference, difference], {}, name);
  }),
  Greater: pair('Greater'),
  GreaterEqual: pair('GreaterOrEqual'),
  Less: pair('Less'),
  LessEqual: pair('LessOrEqual'),
  Equal: pair('Equal'),
  NotEqual: binary((b, x, y, name) => b.one('Not', [b.equal(x, y)], {}, name)),
  LogicalAnd: pair('And'),
  LogicalOr: pair('Or'),
  Select: select,
  SelectV2: select,
  LeakyRelu: (call) => leaky(call, input(call, 0), float(call.node, 'alpha', 0.2), call.name),
  Prelu: (call) => prelu(call, input(call, 0), input(call, 1), call.name),
  ClipByValue: clip,
  Cast: cast,
  LRN: lrn,
  ZerosLike: constant(0),
  OnesLike: constant(1),
  ...Object.fromEntries(
    // prettier-ignore
    ['Identity', 'StopGradient', 'PreventGradient', 'Snapshot', 'CheckNumerics', 'EnsureShape', 'PlaceholderWithDefault'].map((op) => [op, identity]),
  ),
  IdentityN: (call) => call.inputs,
};

/** Whether a node says that it keeps what it reduces over. */
export function keepsAxes(call: Call): boolean {
  return flag(call.node, 'keep_dims');
}
