/** @file Redirected gradients and smoothed pooling, against Lucid's formulas in float64. */
import { describe, expect, it } from 'vitest';
import { gradient, type Rule } from '../../src/grad/index.ts';
import { redirected } from '../../src/grad/redirect.ts';
import { smoothPooling } from '../../src/grad/smooth.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { type Dims, float32, sizeOf, toNumbers } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

/** The gradient for x of Σ u·y, u being what is given, as the overrides of `rules` have it. */
async function flowing(
  build: (b: Builder, x: Value) => Value,
  { x, u, dims }: { readonly x: readonly number[]; readonly u: readonly number[]; readonly dims: Dims },
  rules: (b: Builder, loss: Value) => Readonly<Record<string, Rule>>,
): Promise<number[]> {
  const b = new Builder();
  const given = b.input('x', 'float32', dims);
  const y = build(b, given);
  const loss = b.sum(b.mul(y, b.constant(float32([...u], y.dims))), undefined, false);
  const [g] = gradient(b, loss, [given], { overrides: rules(b, loss) });
  const graph = b.graph({ g: g! });
  const program = await nodeRuntime.compile(graph);
  const fed = graph.inputs.some((i) => i.name === 'x') ? { x: float32([...x], dims) } : {};
  const out = await program.run(fed);
  await program.dispose();
  return toNumbers(out['g']!);
}

const on =
  (value: number) =>
  (b: Builder, loss: Value): Readonly<Record<string, Rule>> =>
    redirected(b, loss, b.float(value));

/**
 * `redirected_relu_grad` and `redirected_relu6_grad` of Lucid, with gradients of an objective that is raised where Lucid has those of a loss
 * that is lowered: `x`, `u` and the result are batches of equal rows.
 */
function lucid(x: readonly number[], u: readonly number[], row: number, low: number, high: number): number[] {
  return x.flatMap((_, start) => {
    if (start % row !== 0) return [];
    const [xs, us] = [x.slice(start, start + row), u.slice(start, start + row)];
    const plain = us.map((g, i) => (xs[i]! < low || xs[i]! > high ? 0 : g));
    const other = us.map((g, i) => ((xs[i]! < low && g < 0) || (xs[i]! > high && g > 0) ? 0 : g));
    return plain.some((g) => g !== 0) ? plain : other;
  });
}

const rounded = (values: readonly number[]): number[] => values.map((v) => Math.round(v * 1e5) / 1e5 + 0);

describe('redirected gradients', () => {
  const dims = [3, 4];
  // All off; one on; one on, of which nothing is wanted.
  const x = [-1, -2, -0.5, -3, -1, 2, -1, -2, -1, -4, 3, -2];
  const u = [1, -1, 2, 0, 1, 1, -1, 3, 5, -1, 0, 2];

  it("are Lucid's of a ReLU, for each picture of a batch by itself", async () => {
    const found = await flowing((b, v) => b.relu(v), { x, u, dims }, on(1));
    expect(found).toEqual([1, 0, 2, 0, 0, 1, 0, 0, 5, 0, 0, 2]);
    expect(found).toEqual(lucid(x, u, 4, 0, Infinity));
  });

  it('are the true ones while they are off', async () => {
    const found = await flowing((b, v) => b.relu(v), { x, u, dims }, on(0));
    expect(found).toEqual([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  });

  it("are Lucid's of a ReLU6", async () => {
    const six = (b: Builder, v: Value): Value => b.one('Clip', [v, b.float(0), b.float(6)]);
    // Off below and above; one on.
    const wide = [-1, 8, -2, 9, 7, -1, 8, -2, -1, 7, 3, 9];
    const wanted = [1, 2, -1, -3, -1, -1, 2, 5, 1, 1, 1, 1];
    const found = await flowing(six, { x: wide, u: wanted, dims }, on(1));
    expect(found).toEqual([1, 0, 0, -3, -1, 0, 0, 5, 0, 0, 1, 0]);
    expect(found).toEqual(lucid(wide, wanted, 4, 0, 6));
  });

  it.each<[string, (b: Builder, v: Value) => Value]>([
    ['one bound below', (b, v) => b.one('Clip', [v, b.float(0)])],
    ['ThresholdedRelu', (b, v) => b.one('ThresholdedRelu', [v], { alpha: 1 })],
    ['HardSwish', (b, v) => b.one('HardSwish', [b.mul(v, 4)])],
    ['HardSigmoid', (b, v) => b.one('HardSigmoid', [b.mul(v, 10)], { alpha: 0.2, beta: 0.5 })],
  ])('of %s wake what is too low', async (_, build) => {
    const [low, wanted] = [
      [-1, -2, -3, -4],
      [1, -1, 2, 0],
    ];
    const found = await flowing(build, { x: low, u: wanted, dims: [1, 4] }, on(1));
    expect(found.map(Math.sign)).toEqual([1, 0, 1, 0]);
    expect((await flowing(build, { x: low, u: wanted, dims: [1, 4] }, on(0))).map((v) => v + 0)).toEqual([0, 0, 0, 0]);
  });

  it.each<[string, (b: Builder, v: Value) => Value]>([
    ['one bound above', (b, v) => b.one('Clip', [v, undefined, b.float(0)])],
    ['HardSigmoid', (b, v) => b.one('HardSigmoid', [b.mul(v, 10)], { alpha: 0.2, beta: 0.5 })],
  ])('of %s lower what is too high', async (_, build) => {
    const found = await flowing(build, { x: [1, 2, 3], u: [-1, 1, -2], dims: [1, 3] }, on(1));
    expect(found.map(Math.sign)).toEqual([-1, 0, -1]);
  });

  it.each(['Sigmoid', 'Tanh'])('of %s reach what float32 has no slope for', async (op) => {
    const given = { x: [-500, 500, -600, 600], u: [1, 1, -1, -1], dims: [1, 4] };
    expect(await flowing((b, v) => b.one(op, [v]), given, on(1))).toEqual([1, 0, 0, -1]);
    expect((await flowing((b, v) => b.one(op, [v]), given, on(0))).map((v) => v + 0)).toEqual([0, 0, 0, 0]);
  });

  it('have the slope of a hard activation where there is one', async () => {
    const given = { x: [0.1, -9, 9], u: [1, 1, 1], dims: [1, 3] };
    const found = await flowing((b, v) => b.one('HardSigmoid', [v], { alpha: 0.25, beta: 0.5 }), given, on(1));
    expect(found).toEqual([0.25, 0, 0]);
  });

  it('leave a Clip without bounds as it is', async () => {
    const given = { x: [1, -1], u: [0, 0], dims: [1, 2] };
    expect(await flowing((b, v) => b.one('Clip', [v]), given, on(1))).toEqual([0, 0]);
  });

  it('hold for the units that are met first, and for no others', async () => {
    // The inner one is off where the outer one is redirected: what flows past the outer one meets it unredirected.
    const found = await flowing(
      (b, v) => b.relu(b.sub(b.relu(v), 10), 'outer'),
      { x: [1, -1], u: [1, 1], dims: [1, 2] },
      on(1),
    );
    expect(found).toEqual([1, 0]);
  });

  it('look at both ways of a sum', async () => {
    const found = await flowing(
      (b, v) => b.add(b.relu(v), b.relu(b.mul(v, 2))),
      { x: [-1, -2], u: [1, -1], dims: [1, 2] },
      on(1),
    );
    expect(found).toEqual([3, 0]);
  });

  it('take a value of one axis', async () => {
    expect(await flowing((b, v) => b.relu(v), { x: [-1, -2], u: [1, -1], dims: [2] }, on(1))).toEqual([1, 0]);
  });
});

describe('smoothed max pooling', () => {
  /** The gradient of Lucid's stand-in, avg_pool(x²) / (0.01 + avg_pool(|x|)), by central differences in float64. */
  function restated(
    x: readonly number[],
    u: readonly number[],
    size: number,
    { kernel, stride, pad }: { readonly kernel: number; readonly stride: number; readonly pad: number },
  ): number[] {
    const out = Math.floor((size + 2 * pad - kernel) / stride) + 1;
    const value = (v: readonly number[]): number => {
      let sum = 0;
      for (let oy = 0; oy < out; oy++)
        for (let ox = 0; ox < out; ox++) {
          let [squares, sizes, count] = [0, 0, 0];
          for (let ky = 0; ky < kernel; ky++)
            for (let kx = 0; kx < kernel; kx++) {
              const [iy, ix] = [oy * stride + ky - pad, ox * stride + kx - pad];
              if (iy < 0 || ix < 0 || iy >= size || ix >= size) continue;
              const at = v[iy * size + ix]!;
              squares += at * at;
              sizes += Math.abs(at);
              count++;
            }
          sum += (u[oy * out + ox]! * (squares / count)) / (0.01 + sizes / count);
        }
      return sum;
    };
    const h = 1e-5;
    return x.map(
      (_, i) =>
        (value(x.map((v, k) => (k === i ? v + h : v))) - value(x.map((v, k) => (k === i ? v - h : v)))) / (2 * h),
    );
  }

  it.each([
    [6, 2, 2, 0],
    [7, 3, 2, 0],
    [6, 3, 2, 1],
    [5, 3, 1, 1],
  ])('of %i pixels by windows of %i every %i with a padding of %i', async (size, kernel, stride, pad) => {
    const out = Math.floor((size + 2 * pad - kernel) / stride) + 1;
    const x = Array.from(new Random('x').normal(size * size));
    const u = Array.from(new Random('u').normal(out * out));
    const attributes = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [pad, pad, pad, pad] };
    const found = await flowing(
      (b, v) => b.one('MaxPool', [v], attributes),
      { x, u, dims: [1, 1, size, size] },
      () => smoothPooling,
    );
    restated(x, u, size, { kernel, stride, pad }).forEach((v, i) => expect(found[i]).toBeCloseTo(v, 3));
  });

  it('gives zeros where all is zero', async () => {
    const dims = [1, 1, 4, 4];
    const x = Array.from({ length: sizeOf(dims) }, () => 0);
    const found = await flowing(
      (b, v) => b.one('MaxPool', [v], { kernel_shape: [2, 2], strides: [2, 2] }),
      { x, u: [1, 1, 1, 1], dims },
      () => smoothPooling,
    );
    expect(rounded(found)).toEqual(x);
  });

  it('leaves dilated windows to the true gradient', async () => {
    const x = [1, 0, 2, 0, 0, 0, 3, 0, 4];
    const found = await flowing(
      (b, v) => b.one('MaxPool', [v], { kernel_shape: [2, 2], dilations: [2, 2] }),
      { x, u: [1], dims: [1, 1, 3, 3] },
      () => smoothPooling,
    );
    expect(found).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 1]);
  });
});
