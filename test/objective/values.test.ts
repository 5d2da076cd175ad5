/** @file What each objective computes, against its formula written out in float64, and its gradient against central differences. */
import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/grad/index.ts';
import { Builder } from '../../src/ir/builder.ts';
import { type Dims, float32, sizeOf, type Tensor, type Tensors, toNumbers } from '../../src/ir/tensor.ts';
import { contextOf, type Objective, objectiveOf, objectives, parseObjective } from '../../src/objective/index.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { rejected, thrown } from '../thrown.ts';

interface Given {
  /** Activations by layer. */
  readonly layers?: Readonly<Record<string, Tensor<'float32'>>>;
  /** The pictures. */
  readonly image?: Tensor<'float32'>;
  /** The objective's needs, by the names of its values. */
  readonly needs?: Tensors;
  readonly channelAxis?: number;
}

const random = (key: string, dims: Dims): Tensor<'float32'> => float32(new Random(key).normal(sizeOf(dims)), dims);

/** An objective with the gradients for all that it is made of. */
async function differentiated(
  objective: Objective,
  { layers = {}, image = random('image', [1, 3, 6, 7]), needs = {}, channelAxis = 1 }: Given,
): Promise<{ value: number; gradients: Record<string, number[]>; at: (moved: Tensors) => Promise<number> }> {
  const b = new Builder();
  const inputs: Tensors = { picture: image, ...layers, ...objective.values, ...needs };
  const given = Object.fromEntries(
    Object.entries(inputs).map(([name, { dtype, dims }]) => [name, b.input(name, dtype, dims)]),
  );
  const stopped: ReturnType<Builder['float']>[] = [];
  const loss = objective.build(
    contextOf({
      b,
      image: given['picture']!,
      activation: (layer) => ({ value: given[layer]!, channelAxis, layer }),
      value: (name) => given[name]!,
      stopped,
    }),
  );
  expect(loss.dims).toEqual([]);
  const names = ['picture', ...Object.keys(layers)];
  const slopes = gradient(
    b,
    loss,
    names.map((name) => given[name]!),
    { stop: stopped },
  );
  const graph = b.graph({ loss, ...Object.fromEntries(slopes.map((g, i) => [`d ${names[i]!}`, g])) });
  const program = await nodeRuntime.compile(graph);
  const run = (moved: Tensors): Promise<Tensors> =>
    program.run(Object.fromEntries(graph.inputs.map(({ name }) => [name, moved[name] ?? inputs[name]!])));
  const out = await run({});
  return {
    value: toNumbers(out['loss']!)[0]!,
    gradients: Object.fromEntries(names.map((name) => [name, toNumbers(out[`d ${name}`]!)])),
    at: async (moved) => toNumbers((await run(moved))['loss']!)[0]!,
  };
}

const valueOf = async (objective: Objective, given: Given): Promise<number> =>
  (await differentiated(objective, given)).value;

/** Holds the gradient for an input against differences along two random directions. */
async function checkSlope(objective: Objective, given: Given, name: string, x: Tensor<'float32'>): Promise<void> {
  const { gradients, at } = await differentiated(objective, given);
  const slope = gradients[name]!;
  const step = 2e-3;
  const length = Math.hypot(...slope);
  expect(length).toBeGreaterThan(0);
  for (const key of ['u', 'v']) {
    const u = new Random(`${name}/${key}`).normal(x.data.length);
    const moved = (by: number): Tensor =>
      float32(
        x.data.map((value, i) => value + by * u[i]!),
        x.dims,
      );
    const difference = ((await at({ [name]: moved(step) })) - (await at({ [name]: moved(-step) }))) / (2 * step);
    const along = slope.reduce((sum, g, i) => sum + g * u[i]!, 0);
    expect(Math.abs(along - difference) / (length * Math.hypot(...u))).toBeLessThan(5e-4);
  }
}

/** An element of a tensor [n, c, h, w]. */
const at = ({ data, dims }: Tensor<'float32'>, ...index: readonly number[]): number =>
  data[index.reduce((flat, i, axis) => flat * dims[axis]! + i, 0)]!;
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;
/** All positions of a map. */
const positions = ({ dims }: Tensor): (readonly [number, number])[] =>
  range(dims[2]!).flatMap((y) => range(dims[3]!).map((x) => [y, x] as const));

const of = (text: string): Objective => objectiveOf(parseObjective(text));
const l = random('l', [1, 3, 4, 5]);
const batch = random('batch', [3, 2, 4, 5]);
const pictures = random('pictures', [3, 3, 6, 7]);

describe('neuron', () => {
  it('is the unit of a channel at a position', async () => {
    expect(await valueOf(of('l:2[3,1]'), { layers: { l } })).toBeCloseTo(at(l, 0, 2, 3, 1), 6);
    expect(await valueOf(of('l:0[0,4]'), { layers: { l } })).toBeCloseTo(at(l, 0, 0, 0, 4), 6);
  });
  it('is at the centre unless told otherwise, row and column each', async () => {
    expect(await valueOf(of('neuron(l:1)'), { layers: { l } })).toBeCloseTo(at(l, 0, 1, 2, 2), 6);
    expect(await valueOf(of('neuron(l:1, column=4)'), { layers: { l } })).toBeCloseTo(at(l, 0, 1, 2, 4), 6);
    expect(await valueOf(of('neuron(l:1, row=3)'), { layers: { l } })).toBeCloseTo(at(l, 0, 1, 3, 2), 6);
  });
  it('counts channels along the axis that it is told', async () => {
    const last = random('nhwc', [1, 4, 5, 3]);
    expect(await valueOf(of('l:2[3,1]'), { layers: { l: last }, channelAxis: 3 })).toBeCloseTo(at(last, 0, 3, 1, 2), 6);
  });
  it('is the unit itself in a layer without a map, and has rows alone among tokens', async () => {
    expect(await valueOf(of('neuron(l:2)'), { layers: { l: float32([1, 2, 4], [1, 3]) } })).toBe(4);
    const tokens = random('tokens', [1, 5, 3]);
    expect(await valueOf(of('neuron(l:2, row=4)'), { layers: { l: tokens }, channelAxis: 2 })).toBeCloseTo(
      at(tokens, 0, 4, 2),
      6,
    );
  });
  it('adds those of all pictures', async () => {
    const value = await valueOf(of('l:1[3,1]'), { layers: { l: batch }, image: pictures });
    expect(value).toBeCloseTo(sum(range(3).map((i) => at(batch, i, 1, 3, 1))), 5);
  });
  it('shares its shape with other positions and channels', () => {
    expect(of('l:1[2,3]').shape).toBe(of('l:2[0,0]').shape);
    expect(of('l:1[2,3]').shape).not.toBe(of('neuron(l:1)').shape);
    expect(of('neuron(l:1, row=2)').shape).not.toBe(of('neuron(l:1, column=2)').shape);
    expect(of('l:1[2,3]').shape).not.toBe(of('m:1[2,3]').shape);
  });
  it.each([
    [
      'l:1[4,0]',
      [1, 3, 4, 5],
      'neuron: layer `l` has no position [4, 0]: its map is 4×5; choose rows of 0-3 and columns of 0-4',
    ],
    ['l:1[0,5]', [1, 3, 4, 5], 'has no position [0, 5]'],
    ['neuron(l:1, row=4)', [1, 3, 4, 5], 'has no position [4, centre]'],
    ['l:1[0,0]', [1, 3], 'neuron: layer `l` has no position [0, 0]: it has no map; leave the position out'],
    ['l:1[0,0]', [1, 3, 4], 'its map is 4; choose rows of 0-3'],
    ['l:3[0,0]', [1, 3, 4, 5], 'filter 3 is out of range: `l` has 3 channels (0-2)'],
  ])('%s of %j: %s', async (text, dims, why) => {
    const error = await rejected(valueOf(of(text), { layers: { l: random('l', dims) } }));
    expect(error).toMatchObject({ code: 'bad-option' });
    expect(error.message).toContain(why);
  });
});

describe('layer', () => {
  it('is the mean of squares, added over pictures', async () => {
    expect(await valueOf(of('layer(l)'), { layers: { l } })).toBeCloseTo(mean(Array.from(l.data, (v) => v * v)), 5);
    expect(await valueOf(of('layer(l)'), { layers: { l: batch }, image: pictures })).toBeCloseTo(
      sum(Array.from(batch.data, (v) => v * v)) / 40,
      4,
    );
  });
});

/** Lucid's dot × max(0.1, cos)^power at the positions of the first picture, their mean. */
function dotCosine(x: Tensor<'float32'>, v: (c: number, y: number, x: number) => number, power: number): number {
  const channels = range(x.dims[1]!);
  return mean(
    positions(x).map(([row, column]) => {
      const own = channels.map((c) => at(x, 0, c, row, column));
      const other = channels.map((c) => v(c, row, column));
      const dot = sum(own.map((value, c) => value * other[c]!));
      const cosine =
        dot / (Math.sqrt(sum(own.map((a) => a * a)) + 1e-8) * Math.sqrt(sum(other.map((a) => a * a)) + 1e-8));
      return dot * Math.max(0.1, cosine) ** power;
    }),
  );
}

describe('direction', () => {
  const v = float32([0.5, -1, 2], [3]);
  it.each([0, 1, 2.5])('is the dot product times the cosine to the power of %d', async (power) => {
    const expected = dotCosine(l, (c) => v.data[c]!, power);
    const given = of(`direction(l, vector=v, power=${power})`);
    expect(given.needs).toEqual({ vector: { tensor: 'v' } });
    expect(await valueOf(given, { layers: { l }, needs: { vector: v } })).toBeCloseTo(expected, 5);
    const sparse = of(`direction(l, [2, 0, 1], [2, 0.5, -1], power=${power})`);
    expect(await valueOf(sparse, { layers: { l } })).toBeCloseTo(expected, 5);
  });
  it('has weights of one, and no power, unless told otherwise', async () => {
    const one = of('direction(l, [0, 2])');
    expect(await valueOf(one, { layers: { l } })).toBeCloseTo(
      dotCosine(l, (c) => [1, 0, 1][c]!, 0),
      5,
    );
  });
  it('adds the weights of a channel that is named twice', async () => {
    const twice = of('direction(l, [1, 1], [1, 2])');
    expect(await valueOf(twice, { layers: { l } })).toBeCloseTo(
      dotCosine(l, (c) => [0, 3, 0][c]!, 0),
      5,
    );
  });
  it('has a gradient, also at a position at which every unit is off', async () => {
    await checkSlope(of('direction(l, [0, 2], [1, -2], power=2)'), { layers: { l } }, 'l', l);
    const silent = float32(new Float32Array(60), l.dims);
    const { gradients } = await differentiated(of('direction(l, [0], power=2)'), { layers: { l: silent } });
    expect(gradients['l']!.every(Number.isFinite)).toBe(true);
    expect(Math.max(...gradients['l']!)).toBeGreaterThan(0);
  });
  it('shares its shape with directions of as many channels', () => {
    expect(of('direction(l, [0, 2], [1, -2], power=2)').shape).toBe(of('direction(l, [1, 0])').shape);
    expect(of('direction(l, [0])').shape).not.toBe(of('direction(l, [1, 0])').shape);
    expect(of('direction(l, vector=v)').shape).toBe(of('direction(l, vector=w)').shape);
  });
  it.each<[Record<string, unknown>, string]>([
    [{}, 'direction: channels: give the channels of the direction or the name of a vector, one of the two'],
    [{ channels: [1], vector: 'v' }, 'one of the two'],
    [{ channels: [1, 2], weights: [1] }, 'direction: weights: 1 weights for 2 channels; give one for each'],
    [{ channels: [1.5] }, 'direction: channels: whole numbers from 0 are needed, not 1.5'],
    [{ channels: [-1] }, 'not -1'],
  ])('%j: %s', (given, why) =>
    expect(thrown(() => objectives.make({ kind: 'direction', layer: 'l', ...given })).message).toContain(why),
  );
  it('says which channels there are, and what a vector should be', async () => {
    const error = await rejected(valueOf(of('direction(l, [0, 3])'), { layers: { l } }));
    expect(error.message).toContain('filter 3 is out of range');
    const short = await rejected(
      valueOf(of('direction(l, vector=v)'), { layers: { l }, needs: { vector: float32([1, 2], [2]) } }),
    );
    expect(short).toMatchObject({ code: 'shape' });
    expect(short.message).toBe('the vector `v` is [2], and [3] is needed for layer `l` at this size');
  });
});

describe('tensor and caricature', () => {
  const t = random('t', [3, 4, 5]);
  it.each([0, 2])('are the dot product position by position, with power %d', async (power) => {
    const expected = dotCosine(l, (c, y, x) => at(t, c, y, x), power);
    const tensor = of(`tensor(l, t, power=${power})`);
    expect(tensor.needs).toEqual({ tensor: { tensor: 't' } });
    expect(await valueOf(tensor, { layers: { l }, needs: { tensor: t } })).toBeCloseTo(expected, 5);
    const caricature = of(`caricature(l, 'a.png', power=${power})`);
    expect(caricature.needs).toEqual({ tensor: { photo: 'a.png', layer: 'l' } });
    const activation = float32(t.data, [1, 3, 4, 5]);
    expect(await valueOf(caricature, { layers: { l }, needs: { tensor: activation } })).toBeCloseTo(expected, 5);
  });
  it('say what a tensor should be', async () => {
    for (const dims of [
      [3, 4, 4],
      [3, 20],
      [2, 3, 4, 5],
    ]) {
      const error = await rejected(
        valueOf(of('tensor(l, t)'), { layers: { l }, needs: { tensor: random('t', dims) } }),
      );
      expect(error.message).toBe(
        `the tensor \`t\` is [${dims.join(', ')}], and [3, 4, 5] is needed for layer \`l\` at this size`,
      );
    }
  });
  it('has a gradient', () => checkSlope(of('tensor(l, t, power=2)'), { layers: { l }, needs: { tensor: t } }, 'l', l));
});

describe('near', () => {
  const to = random('to', l.dims);
  const near = of('near(l, photo, 0.5)');
  it('is the squared distance relative to the length', async () => {
    const distance = sum(Array.from(l.data, (v, i) => (v - to.data[i]!) ** 2));
    const length = sum(Array.from(to.data, (v) => v * v));
    expect(near.needs).toEqual({ photo: { photo: 'photo', layer: 'l' } });
    expect(await valueOf(near, { layers: { l }, needs: { photo: to } })).toBeCloseTo((-0.5 * distance) / length, 5);
  });
  it('is nothing at the photo itself, where its gradient is finite', async () => {
    const { value, gradients } = await differentiated(near, { layers: { l }, needs: { photo: l } });
    expect(value).toBeCloseTo(0, 9);
    expect(gradients['l']!.every((g) => Math.abs(g) < 1e-9)).toBe(true);
  });
  it('has a gradient, and adds pictures', async () => {
    await checkSlope(near, { layers: { l }, needs: { photo: to } }, 'l', l);
    const two = float32([...l.data, ...l.data], [2, 3, 4, 5]);
    const once = await valueOf(near, { layers: { l }, needs: { photo: to } });
    const twice = await valueOf(near, { layers: { l: two }, image: random('i', [2, 3, 6, 7]), needs: { photo: to } });
    expect(twice).toBeCloseTo(2 * once, 5);
  });
  it('says which dims are needed', async () => {
    const error = await rejected(valueOf(near, { layers: { l }, needs: { photo: random('t', [1, 3, 4, 4]) } }));
    expect(error.message).toContain('the activation of the photo `photo` is [3, 4, 4]');
  });
});

describe('logit', () => {
  const x = random('x', [1, 4]);
  /** The logit's value and gradient for what stands before `end`. */
  const through = async (
    end: (b: Builder, x: ReturnType<Builder['float']>) => ReturnType<Builder['float']>,
    dims: Dims = [1, 4],
  ) => {
    const b = new Builder();
    const before = b.input('x', 'float32', dims);
    const objective = of('logit(l:2)');
    const loss = objective.build(
      contextOf({
        b,
        image: b.float(0, [1, 1, 1, 1]),
        activation: (layer) => ({ value: end(b, before), channelAxis: 1, layer }),
        value: (name) => b.constant(objective.values[name]!),
        stopped: [],
      }),
    );
    const [slope] = gradient(b, loss, [before]);
    const graph = b.graph({ loss, slope: slope! });
    const program = await nodeRuntime.compile(graph);
    const data = float32(new Random('x').normal(sizeOf(dims)), dims);
    const out = await program.run(graph.inputs.length > 0 ? { x: data } : {});
    return {
      ops: graph.nodes.map((n) => n.op),
      value: toNumbers(out['loss']!)[0]!,
      slope: toNumbers(out['slope']!),
      data,
    };
  };
  it.each<[string, Parameters<typeof through>[0]]>([
    ['nothing', (_, y) => y],
    ['Softmax', (b, y) => b.one('Softmax', [y], { axis: 1 })],
    ['LogSoftmax', (b, y) => b.one('LogSoftmax', [y], { axis: -1 })],
    ['Sigmoid', (b, y) => b.sigmoid(y)],
    [
      'Softmax in parts',
      (b, y) => {
        const e = b.exp(b.sub(y, b.one('ReduceMax', [y, b.ints([1])], { keepdims: 1 })));
        return b.div(e, b.sum(e, [1]));
      },
    ],
    [
      'Softmax in parts, unshifted',
      (b, y) => {
        const e = b.exp(y);
        return b.div(e, b.sum(e, [1]));
      },
    ],
    [
      'Softmax, and a change of shape',
      (b, y) => b.one('Identity', [b.reshape(b.one('Softmax', [y]), [1, 4, 1])], {}, 'last'),
    ],
  ])('is taken before %s', async (_, end) => {
    const { value, slope } = await through(end);
    expect(value).toBeCloseTo(x.data[2]!, 5);
    expect(slope).toEqual([0, 0, 1, 0]);
  });
  it('is a mean over positions, found along the classes', async () => {
    const { value, slope } = await through(
      (b, y) => b.reshape(b.one('Softmax', [y], { axis: 1 }), [1, 4, 6]),
      [1, 4, 2, 3],
    );
    expect(slope).toEqual(range(24).map((i) => (Math.floor(i / 6) === 2 ? expect.closeTo(1 / 6, 5) : 0)));
    expect(Number.isFinite(value)).toBe(true);
    const moved = await through((b, y) => b.reshape(b.one('Softmax', [y], { axis: 3 }), [1, 4]), [1, 1, 1, 4]);
    expect(moved.slope).toEqual([0, 0, 1, 0]);
  });
  it('takes any other layer as it is', async () => {
    const { value } = await through((b, y) => b.relu(b.one('Softmax', [y])));
    expect(value).toBeGreaterThan(0);
    expect(value).toBeLessThan(1);
    const part = await through((b, y) => b.div(b.exp(y), b.sum(y, [1])));
    expect(part.ops).toContain('Exp');
    const other = await through((b, y) => b.div(y, b.sum(b.exp(y), [1])));
    expect(other.ops).toContain('Div');
  });
  it('says which classes there are', async () => {
    const error = await rejected(valueOf(of('logit(l:4)'), { layers: { l: x } }));
    expect(error.message).toBe('filter 4 is out of range: `l` has 4 channels (0-3)');
  });
});

describe('diversity', () => {
  /** Gram matrices of [n, c, h, w], and the sum of their cosines over all pairs, over n. */
  const expected = (x: Tensor<'float32'>): number => {
    const [n, c] = x.dims as [number, number];
    const grams = range(n).map((i) =>
      range(c).flatMap((p) =>
        range(c).map((q) =>
          sum(positions(x).map(([row, column]) => at(x, i, p, row, column) * at(x, i, q, row, column))),
        ),
      ),
    );
    const unit = grams.map((g) => g.map((v) => v / Math.hypot(...g)));
    return (
      sum(range(n).flatMap((i) => range(n).map((j) => (i === j ? 0 : sum(unit[i]!.map((v, k) => v * unit[j]![k]!)))))) /
      n
    );
  };
  it('is the negative cosine of Gram matrices, over all pairs', async () => {
    const value = await valueOf(of('diversity(l, 2)'), { layers: { l: batch }, image: pictures });
    expect(value).toBeCloseTo(-2 * expected(batch), 5);
  });
  it('is 1 - n for pictures that are alike, and has no gradient along what they share', async () => {
    const alike = float32([...l.data, ...l.data], [2, 3, 4, 5]);
    expect(await valueOf(of('diversity(l)'), { layers: { l: alike }, image: random('i', [2, 3, 6, 7]) })).toBeCloseTo(
      -1,
      5,
    );
  });
  it('counts channels along the axis that it is told', async () => {
    const last = random('last', [3, 4, 5, 2]);
    const first = float32(
      range(3).flatMap((i) => range(2).flatMap((c) => range(20).map((p) => at(last, i, Math.floor(p / 5), p % 5, c)))),
      [3, 2, 4, 5],
    );
    const value = await valueOf(of('diversity(l)'), { layers: { l: last }, image: pictures, channelAxis: 3 });
    expect(value).toBeCloseTo(-expected(first), 5);
  });
  it('has a gradient', () => checkSlope(of('diversity(l)'), { layers: { l: batch }, image: pictures }, 'l', batch));
  it('needs several pictures, and says so', async () => {
    expect(of('diversity(l)').pictures).toEqual({ least: 2, usual: 4 });
    const error = await rejected(valueOf(of('diversity(l)'), { layers: { l } }));
    expect(error.message).toBe('diversity compares pictures, and there is one; choose `pictures` of at least 2');
    expect(error.details).toMatchObject({ option: 'pictures' });
  });
});

describe('alignment', () => {
  const six = random('six', [6, 2, 3, 2]);
  const expected = (x: Tensor<'float32'>, decay: number): number => {
    const [n] = x.dims as [number];
    const each = x.data.length / n;
    return sum(
      [1, 2, 3, 4].flatMap((d) =>
        range(Math.max(0, n - d)).map(
          (i) => mean(range(each).map((k) => (x.data[i * each + k]! - x.data[(i + d) * each + k]!) ** 2)) / decay ** d,
        ),
      ),
    );
  };
  it.each([
    ['alignment(l)', 1, 2],
    ['alignment(l, 3, decay=1)', 3, 1],
    ['alignment(l, decay=5)', 1, 5],
  ])('is the negative mean square of differences of neighbours: %s', async (text, weight, decay) => {
    const value = await valueOf(of(text), { layers: { l: six }, image: random('i', [6, 3, 2, 2]) });
    expect(value).toBeCloseTo(-weight * expected(six, decay), 4);
  });
  it('does with fewer pictures than it looks ahead', async () => {
    const value = await valueOf(of('alignment(l)'), { layers: { l: batch }, image: pictures });
    expect(value).toBeCloseTo(-expected(batch, 2), 5);
  });
  it('has a gradient, and needs several pictures', async () => {
    await checkSlope(of('alignment(l)'), { layers: { l: batch }, image: pictures }, 'l', batch);
    expect(of('alignment(l)').pictures).toEqual({ least: 2, usual: 6 });
    expect((await rejected(valueOf(of('alignment(l)'), { layers: { l } }))).message).toMatch(
      /^alignment compares pictures/,
    );
  });
});

describe('norms', () => {
  const image = random('picture', [1, 3, 6, 7]);
  const values = Array.from(image.data);
  it.each([
    ['l1()', -mean(values.map(Math.abs))],
    ['l1(2, around=0.5)', -2 * mean(values.map((v) => Math.abs(v - 0.5)))],
    ['l2()', -Math.sqrt(mean(values.map((v) => v * v)) + 1e-6)],
    ['l2(0.5, around=-1)', -0.5 * Math.sqrt(mean(values.map((v) => (v + 1) ** 2)) + 1e-6)],
    ['lp()', -(mean(values.map((v) => Math.abs(v) ** 6)) ** (1 / 6))],
    ['lp(3, p=2.5, around=0.1)', -3 * mean(values.map((v) => Math.abs(v - 0.1) ** 2.5)) ** (1 / 2.5)],
  ])('%s', async (text, expected) => {
    expect(await valueOf(of(text), { image })).toBeCloseTo(expected, 4);
    expect(of(text).layers).toEqual([]);
    // No value within a step of one where the slope jumps.
    const smooth = float32(
      image.data.map((v) => Math.round(10 * v) / 10 + 0.05),
      image.dims,
    );
    await checkSlope(of(text), { image: smooth }, 'picture', smooth);
  });
  it('are of each picture by itself, and added', async () => {
    for (const text of ['l1()', 'l2()', 'lp()']) {
      const each = range(3).map((i) => float32(pictures.data.slice(i * 126, (i + 1) * 126), [1, 3, 6, 7]));
      const alone = await Promise.all(each.map((one) => valueOf(of(text), { image: one })));
      expect(await valueOf(of(text), { image: pictures })).toBeCloseTo(sum(alone), 4);
    }
  });
  it('are of a layer, if one is named', async () => {
    expect(await valueOf(of('l1(layer=l)'), { layers: { l } })).toBeCloseTo(-mean(Array.from(l.data, Math.abs)), 5);
    expect(of('l1(layer=l)').layers).toEqual(['l']);
    expect(of('l1(layer=l)').shape).not.toBe(of('l1()').shape);
    expect(of('l1()').shape).not.toBe(of('l2()').shape);
    expect(of('l1(2)').shape).toBe(of('l1(3, around=1)').shape);
    expect(of('lp(2)').shape).toBe(of('lp(3, p=2)').shape);
  });
  it('have a finite gradient at grey', async () => {
    const grey = float32(new Float32Array(126), [1, 3, 6, 7]);
    for (const text of ['l1()', 'l2()', 'lp()', 'lp(p=1)'])
      expect((await differentiated(of(text), { image: grey })).gradients['picture']!.every(Number.isFinite)).toBe(true);
  });
});

describe('tv', () => {
  const expected = (x: Tensor<'float32'>): number => {
    const [n, c, h, w] = x.dims as [number, number, number, number];
    const all = range(n).flatMap((i) =>
      range(c).flatMap((k) =>
        positions(x).map(
          ([row, column]) =>
            (row + 1 < h ? Math.abs(at(x, i, k, row + 1, column) - at(x, i, k, row, column)) : 0) +
            (column + 1 < w ? Math.abs(at(x, i, k, row, column + 1) - at(x, i, k, row, column)) : 0),
        ),
      ),
    );
    return sum(all) / (c * h * w);
  };
  it('is the negative mean of the differences of neighbours', async () => {
    const image = random('picture', [1, 3, 6, 7]);
    expect(await valueOf(of('tv()'), { image })).toBeCloseTo(-expected(image), 5);
    expect(await valueOf(of('tv(0.5)'), { image: pictures })).toBeCloseTo(-0.5 * expected(pictures), 4);
    expect(await valueOf(of('tv(layer=l)'), { layers: { l } })).toBeCloseTo(-expected(l), 5);
    await checkSlope(of('tv()'), { image }, 'picture', image);
    expect(of('tv(layer=l)').layers).toEqual(['l']);
    expect(of('tv()').shape).not.toBe(of('tv(layer=l)').shape);
  });
  it('has no differences where there is one row', async () => {
    const row = random('row', [1, 3, 1, 7]);
    expect(await valueOf(of('tv()'), { image: row })).toBeCloseTo(-expected(row), 5);
    expect(await valueOf(of('tv()'), { image: random('one', [1, 3, 1, 1]) })).toBeCloseTo(0, 9);
  });
});

/** Lucid's blur: a window with half the weight on its rim, as far as it lies on the picture. */
function blurredAt(x: Tensor<'float32'>, i: number, c: number, row: number, column: number, width: number): number {
  const reach = (width - 1) / 2;
  let [total, weights] = [0, 0];
  for (let dy = -reach; dy <= reach; dy++)
    for (let dx = -reach; dx <= reach; dx++) {
      if (row + dy < 0 || row + dy >= x.dims[2]! || column + dx < 0 || column + dx >= x.dims[3]!) continue;
      const weight = Math.abs(dy) === reach || Math.abs(dx) === reach ? 0.5 : 1;
      total += weight * at(x, i, c, row + dy, column + dx);
      weights += weight;
    }
  return total / weights;
}

describe('blur', () => {
  const image = random('picture', [1, 3, 6, 7]);
  const apart = range(3).flatMap((c) =>
    positions(image).map(([y, x]) => at(image, 0, c, y, x) - blurredAt(image, 0, c, y, x, 3)),
  );
  it('is the negative mean square of what blurring takes away, halved', async () => {
    expect(await valueOf(of('blur(3)'), { image })).toBeCloseTo(-1.5 * mean(apart.map((v) => v * v)), 5);
  });
  it('pulls the picture towards its blurred self, which feels nothing', async () => {
    const { gradients } = await differentiated(of('blur()'), { image });
    gradients['picture']!.forEach((g, i) => expect(g).toBeCloseTo(-apart[i]! / 126, 6));
  });
  it('adds pictures', async () => {
    const three = range(3).flatMap((i) =>
      range(3).flatMap((c) =>
        positions(pictures).map(([y, x]) => at(pictures, i, c, y, x) - blurredAt(pictures, i, c, y, x, 3)),
      ),
    );
    expect(await valueOf(of('blur()'), { image: pictures })).toBeCloseTo(
      -0.5 * (sum(three.map((v) => v * v)) / 126),
      4,
    );
  });
});

describe('boundary', () => {
  const image = random('picture', [1, 3, 9, 8]);
  const expected = (width: number, around: number): number =>
    -sum(
      range(3).flatMap((c) =>
        positions(image)
          .filter(([y, x]) => y < width || x < width || y >= 9 - width || x >= 8 - width)
          .map(
            ([y, x]) =>
              (blurredAt(image, 0, c, y, x, 5) - at(image, 0, c, y, x)) ** 2 +
              0.8 * (at(image, 0, c, y, x) - around) ** 2,
          ),
      ),
    ) / image.data.length;
  it.each([
    ['boundary(width=2)', 2, 0],
    ['boundary(width=1, around=0.5)', 1, 0.5],
    ['boundary()', 20, 0],
  ])('is the roughness and the distance from grey of the outer pixels: %s', async (text, width, around) => {
    expect(await valueOf(of(text), { image })).toBeCloseTo(expected(width, around), 5);
    await checkSlope(of(text), { image }, 'picture', image);
  });
  it('has no gradient within', async () => {
    const { gradients } = await differentiated(of('boundary(width=1)'), { image });
    // Four rows from the side: beyond the window of what the outer pixels are blurred over.
    expect(gradients['picture']![4 * 8 + 4]).toBeCloseTo(0, 9);
    expect(of('boundary(width=1)').shape).not.toBe(of('boundary(width=2)').shape);
  });
});

describe('put together', () => {
  const layers = { l, m: random('m', [1, 2, 5, 5]) };
  const both = { layers: { l: batch }, image: pictures };
  it('a product is the product', async () => {
    const [one, other] = [await valueOf(of('l:1[0,0]'), { layers }), await valueOf(of('m:0[1,2]'), { layers })];
    expect(await valueOf(of('l:1[0,0]*m:0[1,2]'), { layers })).toBeCloseTo(one * other, 5);
    expect(await valueOf(of('2*l:1[0,0]*m:0[1,2] - l:1[0,0]/4'), { layers })).toBeCloseTo(2 * one * other - one / 4, 5);
    await checkSlope(of('l:1[0,0]*m:0[1,2]'), { layers }, 'l', l);
    expect(of('l:1*m:0').shape).not.toBe(of('l:1 + m:0').shape);
  });
  it('an interpolation goes from one to the other', async () => {
    const unit = (i: number, c: number): number => at(batch, i, c, 1, 1);
    const value = await valueOf(of('interpolate(l:0[1,1], 2*l:1[1,1])'), both);
    expect(value).toBeCloseTo(unit(0, 0) + 0.5 * unit(1, 0) + 0.5 * 2 * unit(1, 1) + 2 * unit(2, 1), 5);
    expect(of('interpolate(l:0, l:1)').pictures).toEqual({ least: 2, usual: 6 });
    expect((await rejected(valueOf(of('interpolate(l:0, l:1)'), { layers }))).message).toMatch(
      /^interpolate compares pictures/,
    );
  });
  it('one picture alone feels its objective', async () => {
    const { value, gradients } = await differentiated(of('picture(1, l:0[1,1] + tv())'), both);
    const alone = await valueOf(of('tv()'), { image: float32(pictures.data.slice(126, 252), [1, 3, 6, 7]) });
    expect(value).toBeCloseTo(at(batch, 1, 0, 1, 1) + alone, 5);
    const touched = (name: string, each: number): boolean[] =>
      range(3).map((i) => gradients[name]!.slice(i * each, (i + 1) * each).some((g) => g !== 0));
    expect(touched('l', 40)).toEqual([false, true, false]);
    expect(touched('picture', 126)).toEqual([false, true, false]);
    expect(of('picture(2, l:0)').pictures).toEqual({ least: 3, usual: 3 });
    expect((await rejected(valueOf(of('picture(3, l:0)'), both))).message).toBe(
      'picture 3 is out of range: there are 3 pictures, counted from 0; choose `pictures` of at least 4',
    );
    expect((await rejected(valueOf(of('picture(1, l:0)'), { layers }))).message).toContain(
      'there is 1 picture, counted from 0',
    );
  });
  it('a sum wants as many pictures as its parts do', () => {
    expect(of('l:0 + diversity(l) + picture(6, l:1)').pictures).toEqual({ least: 7, usual: 7 });
    expect(of('l:0 + diversity(l) + alignment(l)').pictures).toEqual({ least: 2, usual: 6 });
    expect(of('l:0 + tv()').pictures).toBeUndefined();
  });
  it('needs keep apart, as values do', () => {
    expect(of("near(l, a) + 2*near(m, 'b c')").needs).toEqual({
      '0/photo': { photo: 'a', layer: 'l' },
      '1/photo': { photo: 'b c', layer: 'm' },
    });
    expect(of('l:0 + tv()').needs).toBeUndefined();
    expect(Object.keys(of('l:0 + 2*(tv() - m:1)').values).sort()).toEqual(
      ['0/channel', '0/weight', '1/0/weight', '1/1/channel', '1/1/weight', '1/weight'].sort(),
    );
  });
  it('nothing is refused', () => {
    expect(thrown(() => objectiveOf({ kind: 'sum', terms: [] })).message).toBe(
      'objective: a sum of nothing raises nothing',
    );
    expect(thrown(() => objectiveOf({ kind: 'product', factors: [] })).message).toContain('a product of nothing');
  });
});
