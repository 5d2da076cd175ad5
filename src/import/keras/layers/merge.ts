/** @file Keras layers of several inputs. */
import type { Value } from '../../../ir/builder.ts';
import { flag, type KerasLayer, type LayerContext, number, ourAxis, unsupported } from '../layer.ts';

/** The inputs, of which there must be two or more. */
function several(context: LayerContext): readonly [Value, Value, ...Value[]] {
  const rank = Math.max(...context.inputs.map((x) => x.dims.length));
  // Of two ranks the smaller is that of channels without a picture.
  const [a, b, ...rest] = context.inputs.map((x) =>
    rank === 4 && x.dims.length === 2 ? context.b.reshape(x, [...x.dims, 1, 1]) : x,
  );
  if (!a || !b) throw unsupported(context, `it has ${context.inputs.length} inputs, two or more are needed`);
  return [a, b, ...rest];
}

/** a ∘ b ∘ c …, the last of them under the layer's name. */
const folded =
  (op: string): KerasLayer =>
  (context) => {
    const inputs = several(context);
    return inputs
      .slice(1)
      .reduce(
        (sum, x, i) => context.b.one(op, [sum, x], {}, i === inputs.length - 2 ? context.name : undefined),
        inputs[0],
      );
  };

const Concatenate: KerasLayer = (context) => {
  const inputs = several(context);
  const axis = ourAxis(context, context.config['axis'] ?? -1, inputs[0].dims.length);
  if (axis === 0) throw unsupported(context, `its axis is ${JSON.stringify(context.config['axis'])}`);
  return context.b.one('Concat', inputs, { axis }, context.name);
};

/** The product over an axis of each: of two lists of numbers, or of sequences of such. */
const Dot: KerasLayer = (context) => {
  const { b, name, config } = context;
  const [x, y] = several(context);
  const given = config['axes'];
  const [p, q] = Array.isArray(given) ? (given as unknown[]) : [given, given];
  const rank = x.dims.length;
  if (rank > 3 || y.dims.length > 3) throw unsupported(context, 'its inputs are pictures');
  const last = (v: Value, axis: unknown): Value => {
    const at = ourAxis(context, axis, v.dims.length);
    const normal = flag(context, 'normalize', false)
      ? b.div(v, b.sqrt(b.max(b.sum(b.mul(v, v), [at]), LEAST_NORM)))
      : v;
    return v.dims.length === 3 && at === 1 ? b.transpose(normal, [0, 2, 1]) : normal;
  };
  const [left, right] = [last(x, p), last(y, q)];
  if (rank === 2 && y.dims.length === 2)
    return b.one('ReduceSum', [b.mul(left, right), b.ints([1])], { keepdims: 1 }, name);
  if (rank !== 3 || y.dims.length !== 3)
    throw unsupported(context, `its inputs have ${rank} and ${y.dims.length} axes`);
  return b.one('MatMul', [left, b.transpose(right, [0, 2, 1])], {}, name);
};
/** What a length is divided by at least when it is made 1. */
const LEAST_NORM = 1e-12;

const Average: KerasLayer = (context) => {
  const inputs = several(context);
  const [first, ...others] = inputs;
  const sum = others.reduce((total, x) => context.b.add(total, x), first);
  return context.b.one('Mul', [sum, context.b.float(1 / inputs.length)], {}, context.name);
};

/** first + scale · second, as in Inception-ResNet. */
const CustomScaleLayer: KerasLayer = (context) => {
  const [a, b] = several(context);
  return context.b.one('Add', [a, context.b.mul(b, number(context, 'scale', 1))], {}, context.name);
};

export const merges: Readonly<Record<string, KerasLayer>> = {
  Add: folded('Add'),
  Subtract: folded('Sub'),
  Multiply: folded('Mul'),
  Maximum: folded('Max'),
  Minimum: folded('Min'),
  Divide: folded('Div'),
  TrueDivide: folded('Div'),
  Power: folded('Pow'),
  Average,
  CustomScaleLayer,
  Concatenate,
  Dot,
};
