/** @file Gradients of elementwise operators, with broadcasting on each side. */
import { expect, it } from 'vitest';
import { elementwise } from '../../src/grad/elementwise.ts';
import { gradient } from '../../src/grad/index.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import type { Attributes } from '../../src/ir/graph.ts';
import { float32, toNumbers } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { type Case, checkRules, type CheckInput, combinations, noise, titled } from '../check.ts';

const dims = [1, 3, 4, 5];
// Kinks lie at zero (and ±3 for HardSwish): each side is checked by itself.
const positive: CheckInput = { dims, low: 0.1, high: 1 };
const negative: CheckInput = { dims, low: -1, high: -0.1 };

const unary =
  (op: string, ...inputs: CheckInput[]) =>
  (attributes: Attributes = {}): Case[] =>
    inputs.map((input) => ({
      title: `${titled(attributes)} on [${input.low ?? -1}, ${input.high ?? 1}]`,
      build: (b, [x]) => b.one(op, [x], attributes),
      inputs: [input],
    }));
const smooth = (op: string, low = -1, high = 1): Case[] => unary(op, { dims, low, high })();
const kinked = (op: string, ...attributes: Attributes[]): Case[] =>
  [{}, ...attributes].flatMap(unary(op, positive, negative));

const shapes: readonly (readonly [readonly number[], readonly number[]])[] = [
  [dims, dims],
  [dims, []],
  [[], dims],
  [dims, [1]],
  [dims, [5]],
  [dims, [3, 1, 1]],
  [[3, 1, 1], dims],
  [dims, [1, 3, 1, 1]],
  [
    [1, 1, 4, 5],
    [1, 3, 1, 1],
  ],
  [
    [1, 1, 4, 5],
    [3, 1, 1],
  ],
  [
    [2, 3, 1, 5],
    [3, 4, 1],
  ],
  [
    [4, 1],
    [1, 5],
  ],
  [[1], [3, 1, 1]],
];

/** Both operands differentiated, and each alone with the other a constant. */
const binary = (op: string, range: Omit<CheckInput, 'dims'> = {}): Case[] =>
  shapes.flatMap(([left, right]) => {
    const a = { ...range, dims: left };
    const c = { ...range, dims: right };
    const fixed = (b: Builder, d: readonly number[]): Value => noise(b, d, range.low ?? -1, range.high ?? 1);
    const name = `[${left.join()}] and [${right.join()}]`;
    return [
      { title: name, build: (b, [x, y]) => b.one(op, [x, y]), inputs: [a, c] },
      { title: `${name}, left`, build: (b, [x]) => b.one(op, [x, fixed(b, right)]), inputs: [a] },
      { title: `${name}, right`, build: (b, [y]) => b.one(op, [fixed(b, left), y]), inputs: [c] },
    ] satisfies Case[];
  });

const extremum = (op: string): Case[] => [
  ...shapes.map(([left, right]): Case => ({
    title: `[${left.join()}] and [${right.join()}]`,
    // Interleaved grids: equal neither within an operand nor between them.
    build: (b, [x, y]) => b.one(op, [x, b.add(y!, 0.023)]),
    inputs: [
      { dims: left, distinct: true },
      { dims: right, distinct: true },
    ],
  })),
  {
    title: 'three operands',
    build: (b, [x, y, z]) => b.one(op, [x, b.add(y!, 0.017), b.add(z!, 0.034)]),
    inputs: [dims, dims, [3, 1, 1]].map((d) => ({ dims: d, distinct: true })),
  },
];

const variadic = (op: string): Case[] => [
  ...binary(op),
  { title: 'one', build: (b, [x]) => b.one(op, [x]), inputs: [{ dims }] },
  {
    title: 'three',
    build: (b, xs) => b.one(op, xs),
    inputs: [{ dims }, { dims: [5] }, { dims: [3, 1, 1] }],
  },
  { title: 'the same twice', build: (b, [x]) => b.one(op, [x, x]), inputs: [{ dims }] },
];

checkRules(elementwise, {
  Identity: smooth('Identity'),
  Dropout: smooth('Dropout'),
  Relu: kinked('Relu'),
  LeakyRelu: kinked('LeakyRelu', { alpha: 0.2 }),
  PRelu: [positive, negative].flatMap((input) =>
    [[3, 1, 1], [1], dims].map((slope): Case => ({
      title: `slope [${slope.join()}], from ${input.low}`,
      build: (b, [x]) => b.one('PRelu', [x, noise(b, slope)]),
      inputs: [input],
    })),
  ),
  Elu: kinked('Elu', { alpha: 0.5 }),
  Celu: kinked('Celu', { alpha: 0.5 }, { alpha: 2 }),
  Mish: smooth('Mish', -3, 3),
  ThresholdedRelu: [
    ...unary('ThresholdedRelu', { dims, low: 0.6, high: 1 }, { dims, low: -1, high: 0.4 })({ alpha: 0.5 }),
    ...unary('ThresholdedRelu', { dims, low: 1.1, high: 2 }, { dims, low: -1, high: 0.9 })(),
  ],
  Selu: kinked('Selu', { alpha: 1.2, gamma: 0.7 }),
  Sigmoid: smooth('Sigmoid', -3, 3),
  Tanh: smooth('Tanh', -2, 2),
  HardSigmoid: [
    [-4, -3],
    [-2, 2],
    [3, 4],
  ]
    .flatMap(([low, high]) => unary('HardSigmoid', { dims, low: low!, high: high! })())
    .concat(unary('HardSigmoid', { dims, low: -0.7, high: 0.7 })({ alpha: 0.5, beta: 0.4 })),
  HardSwish: [
    [-5, -3.1],
    [-2.9, 2.9],
    [3.1, 5],
  ].flatMap(([low, high]) => smooth('HardSwish', low, high)),
  Softplus: smooth('Softplus', -3, 3),
  Softsign: [...kinked('Softsign')],
  Erf: smooth('Erf', -1.5, 1.5),
  Exp: smooth('Exp'),
  Log: smooth('Log', 0.5, 2),
  Sqrt: smooth('Sqrt', 0.5, 2),
  Abs: kinked('Abs'),
  Neg: smooth('Neg'),
  Reciprocal: [...smooth('Reciprocal', 0.5, 2), ...smooth('Reciprocal', -2, -0.5)],
  Atan: smooth('Atan', -3, 3),
  Sin: smooth('Sin', -3, 3),
  Cos: smooth('Cos', -3, 3),
  Clip: combinations({
    bounds: [[], [-0.5], [-0.5, 0.5], [undefined, 0.5]] as (number | undefined)[][],
    range: [
      [-1, -0.52],
      [-0.48, 0.48],
      [0.52, 1],
    ],
  }).map(({ bounds, range: [low, high] }): Case => ({
    title: `${titled(bounds)} on [${low}, ${high}]`,
    build: (b, [x]) => b.one('Clip', [x, ...bounds.map((v) => (v === undefined ? undefined : b.float(v)))]),
    inputs: [{ dims, low: low!, high: high! }],
  })),
  Cast: [
    { title: 'float64 and back', build: (b, [x]) => b.cast(b.cast(x!, 'float64'), 'float32'), inputs: [{ dims }] },
    {
      title: 'to int64 and back passes nothing',
      build: (b, [x]) => b.add(b.cast(b.cast(x!, 'int64'), 'float32'), x!),
      inputs: [positive].map((p) => ({ ...p, high: 0.9 })),
    },
  ],
  Add: [...binary('Add'), { title: 'x + x', build: (b, [x]) => b.add(x!, x!), inputs: [{ dims }] }],
  Sum: variadic('Sum'),
  Mean: variadic('Mean'),
  Sub: [...binary('Sub'), { title: 'number − x', build: (b, [x]) => b.sub(1, x!), inputs: [{ dims }] }],
  Mul: [...binary('Mul'), { title: 'x · x', build: (b, [x]) => b.mul(x!, x!), inputs: [{ dims }] }],
  Div: binary('Div', { low: 0.5, high: 1.5 }),
  Pow: [
    ...binary('Pow', { low: 0.5, high: 1.5 }),
    ...[2, 3].map((p): Case => ({
      title: `negative base, power ${p}`,
      build: (b, [x]) => b.pow(x!, p),
      inputs: [negative],
    })),
    { title: 'a whole number as power', build: (b, [x]) => b.pow(x!, b.ints([3])), inputs: [{ dims }] },
  ],
  Max: extremum('Max'),
  Min: extremum('Min'),
  Where: shapes.flatMap(([left, right]) =>
    [dims, [3, 1, 1]].flatMap((on): Case[] => {
      const title = `[${on.join()}] ? [${left.join()}] : [${right.join()}]`;
      const build: Case['build'] = (b, [x, y]) => b.where(b.greater(b.tanh(noise(b, on)), 0), x!, y!);
      const fits = !left.includes(2);
      return fits ? [{ title, build, inputs: [{ dims: left }, { dims: right }] }] : [];
    }),
  ),
});

it.each(['Sqrt', 'Pow'])('keeps zeros behind a ReLU out of the infinite slope of %s', async (op) => {
  const b = new Builder();
  const x = b.input('x', 'float32', [2]);
  const root = b.one(op, [b.relu(x), ...(op === 'Pow' ? [b.float(0.5)] : [])]);
  const [g] = gradient(b, b.sum(root, undefined, false), [x]);
  const program = await nodeRuntime.compile(b.graph({ g: g! }));
  const result = await program.run({ x: float32([-1, 0.25]) });
  await program.dispose();
  expect(toNumbers(result['g']!)).toEqual([0, 1]);
});
