/** @file The nouns that a step is made of, each by what it computes: parameterisations, transforms, objectives, optimisers. */
import { describe, expect, it } from 'vitest';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { type Dims, float32, int64, sizeOf, type Tensor, type Tensors, toNumbers } from '../../src/ir/tensor.ts';
import {
  contextOf,
  interpolated,
  negative,
  ofPicture,
  product,
  type Objective,
  objectiveOf,
  objectives,
  weighted,
} from '../../src/objective/index.ts';
import { optimisers, type OptimiserSpec } from '../../src/optimiser/index.ts';
import { params } from '../../src/param/index.ts';
import { Random } from '../../src/random.ts';
import { ascend } from '../../src/render/ascend.ts';
import { stepOf, valuesOf } from '../../src/render/step.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { StepBuilder } from '../../src/step/builder.ts';
import { IMAGE, NEXT, Z } from '../../src/step/step.ts';
import { transforms } from '../../src/transform/index.ts';
import { roll } from '../../src/transform/roll.ts';
import { noise } from '../check.ts';
import { rejected, thrown } from '../thrown.ts';

/** All outputs of a graph of a few lines. */
async function evaluate(
  inputs: Readonly<Record<string, Tensor>>,
  build: (s: StepBuilder, given: Readonly<Record<string, Value>>) => Readonly<Record<string, Value>>,
): Promise<Tensors> {
  const s = new StepBuilder(new Builder());
  const given = Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, dims }]) => [name, s.b.input(name, dtype, dims)]),
  );
  const program = await nodeRuntime.compile(s.b.graph(build(s, given)));
  const out = await program.run(inputs);
  await program.dispose();
  return out;
}

const random = (key: string, dims: Dims): Tensor<'float32'> => float32(new Random(key).normal(sizeOf(dims)), dims);

/** The value of an objective for activations given by layer. */
async function valueOf(
  objective: Objective,
  activations: Readonly<Record<string, Tensor>>,
  channelAxis = 1,
): Promise<number> {
  const out = await evaluate({ ...activations, ...objective.values }, (s, given) => ({
    out: objective.build(
      contextOf({
        b: s.b,
        image: s.b.float(0, [1, 1, 1, 1]),
        activation: (layer) => ({ value: given[layer]!, channelAxis, layer }),
        value: (name) => given[name]!,
        stopped: [],
      }),
    ),
  }));
  expect(out['out']!.dims).toEqual([]);
  return toNumbers(out['out']!)[0]!;
}

/** Mean of one channel, `border` positions left out, written out once more. */
function meanOf({ data, dims }: Tensor, channel: number, border: number): number {
  const [, , h, w] = dims as [number, number, number, number];
  let [sum, count] = [0, 0];
  for (let y = border; y < h - border; y++)
    for (let x = border; x < w - border; x++, count++) sum += data[(channel * h + y) * w + x] as number;
  return sum / count;
}

describe('the objective `channel`', () => {
  const x = random('x', [1, 3, 6, 7]);
  it.each([
    [0, 0],
    [2, 0],
    [1, 2],
  ])('is the mean of channel %i without a border of %i', async (channel, border) => {
    const objective = objectives.make({ kind: 'channel', layer: 'l', channel, border });
    expect(await valueOf(objective, { l: x })).toBeCloseTo(meanOf(x, channel, border), 5);
  });
  it('leaves out a border of 2 unless told otherwise', async () => {
    expect(await valueOf(objectives.make({ kind: 'channel', layer: 'l' }), { l: x })).toBeCloseTo(meanOf(x, 0, 2), 5);
  });
  it('counts channels along the axis that it is told', async () => {
    const [n, c, h, w] = [1, 3, 6, 7];
    const last = float32(
      Float32Array.from({ length: sizeOf([n, h, w, c]) }, (_, i) => x.data[(i % c) * h * w + Math.floor(i / c)]!),
      [n, h, w, c],
    );
    const objective = objectives.make({ kind: 'channel', layer: 'l', channel: 1, border: 1 });
    expect(await valueOf(objective, { l: last }, 3)).toBeCloseTo(meanOf(x, 1, 1), 5);
  });
  it('takes a layer without a map', async () => {
    const objective = objectives.make({ kind: 'channel', layer: 'l', channel: 2, border: 2 });
    expect(await valueOf(objective, { l: float32([1, 2, 4, 8], [1, 4]) })).toBe(4);
  });
  it('shares its shape with other channels, not with other layers or borders', () => {
    const of = (layer: string, channel: number, border: number): Objective =>
      objectives.make({ kind: 'channel', layer, channel, border });
    expect(of('l', 1, 0).shape).toBe(of('l', 2, 0).shape);
    expect(of('l', 1, 0).shape).not.toBe(of('m', 1, 0).shape);
    expect(of('l', 1, 0).shape).not.toBe(of('l', 1, 1).shape);
    expect(of('l', 1, 0)).toMatchObject({
      text: 'channel(l:1, border=0)',
      layers: ['l'],
      values: { channel: int64(1) },
    });
  });
  it('says which channels there are', async () => {
    const error = await rejected(valueOf(objectives.make({ kind: 'channel', layer: 'l', channel: 3 }), { l: x }));
    expect(error.message).toBe('filter 3 is out of range: `l` has 3 channels (0-2)');
    const one = await rejected(
      valueOf(objectives.make({ kind: 'channel', layer: 'l', channel: 1 }), { l: float32([1], [1, 1]) }),
    );
    expect(one.message).toBe('filter 1 is out of range: `l` has 1 channel (0)');
  });
  it('says which border leaves something', async () => {
    const error = await rejected(valueOf(objectives.make({ kind: 'channel', layer: 'l', border: 3 }), { l: x }));
    expect(error.code).toBe('shape');
    expect(error.message).toBe(
      'layer `l` is 6×7 at this size, and a border of 3 on each side leaves nothing; choose a `border` of at most 2 or a larger `size`',
    );
    expect(error.details).toMatchObject({ option: ['border', 'size'], most: 2 });
  });
  it('needs a layer', () =>
    expect(thrown(() => objectives.make({ kind: 'channel', layer: '' })).message).toMatch(/^layer: a text is needed/));
});

describe('arithmetic on objectives', () => {
  const layers = { l: random('l', [1, 3, 5, 5]), m: random('m', [1, 2, 4, 4]) };
  const of = (layer: string, channel: number): Objective =>
    objectives.make({ kind: 'channel', layer, channel, border: 0 });
  const [a, b] = [of('l', 0), of('m', 1)];
  const [one, other] = ['l', 'm'].map((layer, channel) => objectives.make({ kind: 'channel', layer, channel })) as [
    Objective,
    Objective,
  ];

  it('adds, weighs and negates, over several layers', async () => {
    const [x, y] = [await valueOf(a, layers), await valueOf(b, layers)];
    const sum = weighted([
      { weight: 2, objective: a },
      { weight: -0.5, objective: b },
    ]);
    expect(await valueOf(sum, layers)).toBeCloseTo(2 * x - 0.5 * y, 5);
    expect(sum.layers).toEqual(['l', 'm']);
    expect(await valueOf(negative(a), layers)).toBeCloseTo(-x, 5);
    expect(await valueOf(weighted([{ weight: 3, objective: sum }]), layers)).toBeCloseTo(6 * x - 1.5 * y, 4);
  });
  it('is printed as a person would write it', () => {
    const sum = weighted([
      { weight: 1, objective: one },
      { weight: -0.5, objective: other },
    ]);
    expect(sum.text).toBe('l:0 - 0.5*m:1');
    expect(negative(sum).text).toBe('-(l:0 - 0.5*m:1)');
    expect(weighted([{ weight: -2, objective: one }]).text).toBe('-2*l:0');
    expect(weighted([{ weight: 3, objective: negative(one) }]).text).toBe('3*(-l:0)');
    expect(product([one, sum, product([one, other])]).text).toBe('l:0*(l:0 - 0.5*m:1)*(l:0*m:1)');
    expect(interpolated(one, ofPicture(1, other)).text).toBe('interpolate(l:0, picture(1, m:1))');
  });
  it('shares a program between sums that differ in weights and channels only', () => {
    const sum = (weight: number, channel: number): Objective =>
      weighted([
        { weight: 1, objective: of('l', channel) },
        { weight, objective: b },
      ]);
    expect(sum(1, 0).shape).toBe(sum(-3, 2).shape);
    expect(sum(1, 0).shape).not.toBe(negative(sum(1, 0)).shape);
    expect(Object.keys(sum(1, 0).values).sort()).toEqual(['0/channel', '0/weight', '1/channel', '1/weight']);
  });
  it('leaves a single term of weight one as it is', () => {
    expect(weighted([{ weight: 1, objective: a }])).toBe(a);
    expect(weighted([{ weight: 2, objective: a }])).not.toBe(a);
  });
  it('is described by data', async () => {
    const term = { kind: 'channel', layer: 'l', channel: 0, border: 0 } as const;
    const spec = { kind: 'sum', terms: [{ weight: -2, objective: term }] } as const;
    expect(await valueOf(objectiveOf(spec), layers)).toBeCloseTo(-2 * (await valueOf(objectiveOf(term), layers)), 5);
  });
});

describe('the parameterisation `pixel`', () => {
  it('is the picture itself, begun as noise', () => {
    const s = new StepBuilder(new Builder());
    const { z, image } = params.make({ kind: 'pixel', noise: 0.5 })(s, [1, 3, 4, 5]);
    expect(z).toEqual([image]);
    expect(s.states).toEqual([
      { name: Z, dtype: 'float32', dims: [1, 3, 4, 5], start: { kind: 'uniform', low: -0.5, high: 0.5 } },
    ]);
  });
});

describe('the transform `roll`', () => {
  it('moves rows and columns by the indices that it is fed', async () => {
    const image = random('image', [1, 2, 3, 4]);
    const fed = { 't/2': int64([2, 0, 1]), 't/3': int64([1, 2, 3, 0]) };
    const s = new StepBuilder(new Builder());
    const x = s.b.input('x', 'float32', image.dims);
    const y = roll.make({ by: 2 })(s, x, 't');
    expect(s.feeds.map(({ name, dims, draw }) => [name, dims, draw])).toEqual([
      ['t/2', [3], { kind: 'roll', length: 3, by: 2 }],
      ['t/3', [4], { kind: 'roll', length: 4, by: 2 }],
    ]);
    const program = await nodeRuntime.compile(s.b.graph({ y }));
    const { data } = (await program.run({ x: image, ...fed }))['y']!;
    await program.dispose();
    const at = (c: number, row: number, column: number): number => image.data[(c * 3 + row) * 4 + column]!;
    const expected = [0, 1].flatMap((c) =>
      [2, 0, 1].flatMap((row) => [1, 2, 3, 0].map((column) => at(c, row, column))),
    );
    expect(Array.from(data as Float32Array)).toEqual(expected);
  });
});

/** One or more updates of two parameters by an optimiser, its states carried on by hand. */
async function updates(
  spec: { readonly kind: OptimiserSpec['kind'] } & Partial<OptimiserSpec>,
  gradients: readonly (readonly [number[], number[]])[],
): Promise<number[][]> {
  const optimiser = optimisers.make(spec);
  const s = new StepBuilder(new Builder());
  const z = [0, 1].map((i) => s.state(`z${i}`, [1, 2], { kind: 'fill', value: 0 }));
  const g = [0, 1].map((i) => s.b.input(`g${i}`, 'float32', [1, 2]));
  optimiser.build(s, z, g).forEach((next, i) => s.next(z[i]!, next));
  const program = await nodeRuntime.compile(s.b.graph(s.nexts()));
  let states: Tensors = Object.fromEntries(
    s.states.map(({ name, dims, start }) => [
      name,
      float32(new Float32Array(sizeOf(dims)).fill(start.kind === 'fill' ? start.value : Number.NaN), dims),
    ]),
  );
  const seen: number[][] = [];
  for (const [first, second] of gradients) {
    const out = await program.run({
      ...states,
      ...optimiser.values,
      g0: float32(first, [1, 2]),
      g1: float32(second, [1, 2]),
    });
    states = Object.fromEntries(Object.keys(states).map((name) => [name, out[NEXT + name]!]));
    seen.push([...toNumbers(states['z0']!), ...toNumbers(states['z1']!)]);
  }
  await program.dispose();
  return seen;
}

describe('the optimiser', () => {
  it('`normalised` moves by one length, over all parameters', async () => {
    const [[a, b, c, d]] = (await updates({ kind: 'normalised', rate: 10 }, [
      [
        [3, 0],
        [0, 4],
      ],
    ])) as [number[]];
    expect([a, b, c, d].map((v) => Math.round(v! * 1e4) / 1e4)).toEqual([6, 0, 0, 8]);
  });
  it('`normalised` stays where there is no gradient', async () => {
    expect(
      await updates({ kind: 'normalised' }, [
        [
          [0, 0],
          [0, 0],
        ],
      ]),
    ).toEqual([[0, 0, 0, 0]]);
    // Bounded below: g · rsqrt(1e-12) for a gradient much shorter than 1e-6.
    const [[tiny]] = (await updates({ kind: 'normalised', rate: 1 }, [
      [
        [1e-9, 0],
        [0, 0],
      ],
    ])) as [number[]];
    expect(tiny).toBeCloseTo(1e-3, 6);
  });
  it('`adam` is Adam, upwards', async () => {
    const [rate, beta1, beta2, epsilon] = [0.1, 0.8, 0.95, 1e-6];
    const gradients = Array.from(
      { length: 4 },
      (_, t) =>
        [
          [Math.sin(t + 1), -2],
          [t - 1.5, 0.25],
        ] as [number[], number[]],
    );
    const found = await updates({ kind: 'adam', rate, beta1, beta2, epsilon }, gradients);
    // Algorithm 1 of the paper, written out in float64.
    const [m, v, z] = [0, 1, 2].map(() => [0, 0, 0, 0]) as [number[], number[], number[]];
    gradients.forEach((pair, t) => {
      pair.flat().forEach((g, i) => {
        m[i] = beta1 * m[i]! + (1 - beta1) * g;
        v[i] = beta2 * v[i]! + (1 - beta2) * g * g;
        const [mHat, vHat] = [m[i] / (1 - beta1 ** (t + 1)), v[i] / (1 - beta2 ** (t + 1))];
        z[i] = z[i]! + (rate * mHat) / (Math.sqrt(vHat) + epsilon);
      });
      z.forEach((value, i) => expect(found[t]![i]).toBeCloseTo(value, 4));
    });
  });
});

describe('a step of them all', () => {
  /** A network of one convolution and a ReLU. */
  const network = () => {
    const b = new Builder();
    const x = b.input(IMAGE, 'float32', [1, 3, 12, 12]);
    const graph = b.graph([b.relu(b.conv(x, noise(b, [4, 3, 3, 3])), 'layer')]);
    return { graph };
  };

  it.each<[string, OptimiserSpec]>([
    ['normalised', optimisers.complete({ kind: 'normalised', rate: 1 })],
    ['adam', optimisers.complete({ kind: 'adam' })],
    ['sobolev', optimisers.complete({ kind: 'sobolev', rate: 1 })],
  ])('rises within three steps, with %s and a roll', async (_, optimiser) => {
    const parts = {
      network: network(),
      objective: objectives.make({ kind: 'channel', layer: 'layer', channel: 2, border: 1 }),
      param: params.make({ kind: 'pixel' }),
      transforms: [transforms.make({ kind: 'roll', by: 3 }), transforms.make({ kind: 'roll', by: 1 })],
      optimiser: optimisers.make(optimiser),
    };
    const step = stepOf(parts);
    expect(step.feeds.map((f) => f.name).filter((name) => name !== 'anneal')).toEqual([
      'transform/0/2',
      'transform/0/3',
      'transform/1/2',
      'transform/1/3',
    ]);
    expect(step.image).toEqual({ state: Z });
    expect(step.values.map((v) => v.name).sort()).toEqual(['channel', 'rate']);
    const program = await nodeRuntime.compile(step.graph);
    const job = { values: valuesOf(parts), key: 'key', steps: 6 };
    const going = ascend({ ...step, program, image: { state: Z } }, job);
    let next = await going.next();
    while (!next.done) next = await going.next();
    await program.dispose();
    const { losses, diagnosis, image } = next.value;
    expect(losses[2]).toBeGreaterThan(losses[0]!);
    expect(losses[5]).toBeGreaterThan(losses[2]!);
    // Twelve pixels a side of a random network may well be noise.
    expect(['ok', 'noise-like']).toContain(diagnosis.status);
    expect(image.dims).toEqual([1, 3, 12, 12]);
  });

  it('leaves out values that the objective does not read', () => {
    const step = stepOf({
      network: network(),
      objective: {
        text: 'all',
        shape: 'all',
        layers: ['layer'],
        values: { unread: float32(1) },
        build: ({ b, activation }) => b.mean(activation('layer').value, undefined, false),
      },
      param: params.make({ kind: 'pixel' }),
      optimiser: optimisers.make({ kind: 'normalised' }),
    });
    expect(step.values.map((v) => v.name)).toEqual(['rate']);
    expect(step.graph.inputs.map((i) => i.name).sort()).toEqual(['rate', 'z']);
  });

  it('makes a graph of its own for a picture that is not the state', async () => {
    const step = stepOf({
      network: network(),
      objective: objectives.make({ kind: 'channel', layer: 'layer', border: 0 }),
      param: (s, dims) => {
        const z = s.state(Z, dims, { kind: 'fill', value: 0.25 });
        return { z: [z], image: s.b.tanh(z) };
      },
      optimiser: optimisers.make({ kind: 'normalised' }),
    });
    if ('state' in step.image) throw new Error('the state is not the picture');
    const program = await nodeRuntime.compile(step.image);
    const out = await program.run({ z: float32(new Float32Array(3 * 144).fill(0.25), [1, 3, 12, 12]) });
    await program.dispose();
    expect(out[IMAGE]!.data[0]).toBeCloseTo(Math.tanh(0.25), 6);
  });
});

describe('StepBuilder', () => {
  it('refuses equal names and states of which nothing becomes', () => {
    const s = new StepBuilder(new Builder());
    s.state('a', [1], { kind: 'fill', value: 0 });
    expect(() => s.value('a', 'float32', [])).toThrow('internal: the name `a` is taken in this step');
    expect(() => s.nexts()).toThrow('internal: nothing says what becomes of the state `a`');
  });
});
