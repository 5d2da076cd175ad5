/**
 * @file Redirected gradients (Lucid's `redirected_relu_grad`): past units that are all off, a gradient goes on if it would wake them.
 * A filter whose ReLU is off at every position has no gradient, and its picture would stay as it began.
 */
import type { Builder, Value } from '../ir/builder.ts';
import { elementwise } from './elementwise.ts';
import type { Rule, RuleContext } from './rule.ts';

/** The part of `g` that pushes a saturated unit back to where it has a slope. It ascends: up where the unit is too low, down where too high. */
type Waking = (c: RuleContext) => Value;

const up = ({ b, g }: RuleContext): Value => b.relu(g);

/** Up at inputs up to `low`, down at those from `high`; a bound that is absent is never reached. */
const towards =
  (low?: (c: RuleContext) => Value, high?: (c: RuleContext) => Value): Waking =>
  (c) => {
    const { b, g, inputs } = c;
    const x = inputs[0]!;
    const part = (bound: Value, op: string, wanted: Value): Value =>
      b.mul(b.cast(b.one(op, [x, bound]), g.dtype), wanted);
    const parts = [
      ...(low ? [part(low(c), 'LessOrEqual', b.relu(g))] : []),
      ...(high ? [part(high(c), 'GreaterOrEqual', b.min(g, 0))] : []),
    ];
    return parts.length === 0 ? b.mul(g, 0) : parts.reduce((sum, one) => b.add(sum, one));
  };
const at =
  (value: number) =>
  ({ b }: RuleContext): Value =>
    b.float(value);

/** The activations that saturate: what wakes them. Used only where nothing gets through, so that what has a slope has no gradient. */
const waking: Readonly<Record<string, Waking>> = {
  Relu: up,
  ThresholdedRelu: up,
  Clip: (c) => {
    const [, low, high] = c.inputs;
    return towards(low && (() => low), high && (() => high))(c);
  },
  HardSigmoid: (c) => {
    const { alpha, beta } = c.attributes as { readonly alpha: number; readonly beta: number };
    return towards(at(-beta / alpha), at((1 - beta) / alpha))(c);
  },
  HardSwish: towards(at(-3)),
  // Theirs is exactly zero only far out, where float32 ends.
  Sigmoid: towards(at(0), at(0)),
  Tanh: towards(at(0), at(0)),
};

/**
 * Rules that redirect. They hold for the saturating units that `y` meets first: what flows on from there spreads over many channels, and
 * is never all zero. `on` is a scalar of the graph, 1 to redirect and 0 to differentiate as always. Each element of a batch is looked at
 * by itself.
 *
 * @example
 * const [dz] = gradient(b, loss, [z], { overrides: redirected(b, loss, on) });
 */
export function redirected(b: Builder, y: Value, on: Value): Readonly<Record<string, Rule>> {
  const first = firstOf(b, y, (op) => Object.hasOwn(waking, op));
  return Object.fromEntries(
    Object.entries(waking).map(([op, wake]): [string, Rule] => [
      op,
      (c) => {
        const plain = elementwise[op]!(c);
        const [through] = plain;
        if (!through || !first.has(c.outputs[0]!.name)) return plain;
        const axes = through.dims.slice(1).map((_, i) => i + 1);
        const sum = axes.length === 0 ? b.one('Abs', [through]) : b.one('ReduceL1', [through, b.ints(axes)]);
        const blocked = b.mul(b.cast(b.equal(sum, 0), through.dtype), on);
        return [b.add(through, b.mul(wake(c), blocked)), ...plain.slice(1)];
      },
    ]),
  );
}

/** Names of the values of such operators that are met first on the ways back from `y`. */
function firstOf(b: Builder, y: Value, is: (op: string) => boolean): Set<string> {
  const producers = new Map(b.nodes.flatMap((node) => node.outputs.map((o) => [o, node] as const)));
  const [found, seen, next] = [new Set<string>(), new Set<string>(), [y.name]];
  for (let name = next.pop(); name !== undefined; name = next.pop()) {
    const node = producers.get(name);
    if (!node || seen.has(name)) continue;
    seen.add(name);
    if (is(node.op)) found.add(name);
    else next.push(...node.inputs);
  }
  return found;
}
