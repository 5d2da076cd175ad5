/** @file Keras layers of several inputs. */
import type { Value } from '../../../ir/builder.ts';
import { type KerasLayer, type LayerContext, number, unsupported } from '../layer.ts';

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

/** Keras counts axes with the channels last: 3 and -1 are ours at 1. */
const Concatenate: KerasLayer = (context) => {
  const inputs = several(context);
  const rank = inputs[0].dims.length;
  const axis = context.config['axis'] ?? -1;
  if (typeof axis !== 'number' || !Number.isInteger(axis))
    throw unsupported(context, `its axis is ${JSON.stringify(axis)}`);
  const at = axis < 0 ? axis + rank : axis;
  if (at < 1 || at >= rank) throw unsupported(context, `its axis is ${axis}`);
  return context.b.one('Concat', inputs, { axis: rank !== 4 ? at : at === 3 ? 1 : at + 1 }, context.name);
};

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
  Average,
  CustomScaleLayer,
  Concatenate,
};
