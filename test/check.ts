/** @file Gradient checks: what src/grad says against central differences through ONNX Runtime. */
import { describe, expect, it } from 'vitest';
import { gradient, type GradientOptions, type Rule } from '../src/grad/index.ts';
import { Builder, type Value } from '../src/ir/builder.ts';
import { type Dims, float32, sizeOf, type Tensor } from '../src/ir/tensor.ts';
import { Random } from '../src/random.ts';
import { nodeRuntime } from '../src/runtime/node.ts';

/** An input of a check: uniform in [low, high) (default [-1, 1)), or with `distinct` values at least 0.05 apart. */
export interface CheckInput {
  readonly dims: Dims;
  readonly low?: number;
  readonly high?: number;
  /** For extrema: no two elements are closer than a step can move them. */
  readonly distinct?: boolean;
  /** Exact values instead of random ones. */
  readonly values?: readonly number[];
}

export interface CheckOptions extends GradientOptions {
  /** Largest |⟨v, ∇⟩ − difference| / (‖∇‖ ‖v‖). */
  readonly tolerance?: number;
  readonly step?: number;
  readonly directions?: number;
  readonly seed?: string;
  /** An operator that the graph must contain: a check of a rule that was folded away checks nothing. */
  readonly op?: string;
}

/**
 * Checks the gradient of Σ u·build(x) for all inputs at once along random directions. u is fixed and random, so that no
 * mistake cancels in a sum.
 *
 * @example
 * await checkGradient((b, [x]) => b.relu(x!), [{ dims: [1, 2, 3, 3], low: 0.1 }]);
 */
export async function checkGradient(
  build: (b: Builder, xs: Value[]) => Value,
  inputs: readonly CheckInput[],
  options: CheckOptions = {},
): Promise<void> {
  const { tolerance = 1e-4, step = 5e-3, directions = 2, seed = 'check', op, ...rest } = options;
  const random = new Random(seed);
  const b = new Builder();
  const xs = inputs.map(({ dims }, i) => b.input(`x${i}`, 'float32', dims));
  const y = build(b, xs);
  if (op !== undefined) expect(b.nodes.map((n) => n.op)).toContain(op);
  // Not centred: where the gradient is a sum over u, it must not vanish by chance.
  const u = random.uniform(sizeOf(y.dims), -0.5, 1.5);
  const loss = b.sum(b.mul(y, b.constant(float32(u, y.dims))), undefined, false);
  const gradients = gradient(b, loss, xs, rest);
  const graph = b.graph({ y, ...Object.fromEntries(gradients.map((g, i) => [`g${i}`, g])) });
  const program = await nodeRuntime.compile(graph);
  try {
    const at = inputs.map((input) => values(input, random));
    const run = async (points: readonly Float32Array[]): Promise<Record<string, Tensor>> =>
      program.run(
        Object.fromEntries(graph.inputs.map(({ name, dims }) => [name, float32(points[Number(name.slice(1))]!, dims)])),
      );
    const here = await run(at);
    const nabla = inputs.map(({ dims }, i) => {
      const g = here[`g${i}`]!;
      expect(g.dims).toEqual(dims);
      return g.data as Float32Array;
    });
    expect(here['y']!.dims).toEqual(y.dims);
    expect(nabla.every((g) => g.every(Number.isFinite))).toBe(true);
    for (let d = 0; d < directions; d++) {
      const v = inputs.map(({ dims }) => random.uniform(sizeOf(dims), -1, 1).map((d) => d + Math.sign(d) / 4));
      const ahead = at.map((x, i) => x.map((value, k) => value + step * v[i]![k]!));
      const behind = at.map((x, i) => x.map((value, k) => value - step * v[i]![k]!));
      const [above, below] = [await run(ahead), await run(behind)].map((r) => r['y']!.data as Float32Array);
      // The steps as float32 took them: rounding of x is not an error of the gradient.
      const moved = ahead.map((x, i) => Float64Array.from(x, (value, k) => (value - behind[i]![k]!) / (2 * step)));
      const difference = u.reduce((sum, w, k) => sum + w * (above![k]! - below![k]!), 0) / (2 * step);
      const slope = moved.reduce((sum, m, i) => sum + m.reduce((s, value, k) => s + value * nabla[i]![k]!, 0), 0);
      const error = Math.abs(slope - difference) / (norm(nabla) * norm(moved) || 1);
      expect(error, `slope ${slope}, difference ${difference}`).toBeLessThan(tolerance);
    }
  } finally {
    await program.dispose();
  }
}

/** All ways to choose one value for each key. */
export function combinations<T extends Record<string, readonly unknown[]>>(
  choices: T,
): { [K in keyof T]: T[K][number] }[] {
  return Object.entries(choices).reduce<Record<string, unknown>[]>(
    (rows, [key, list]) => rows.flatMap((row) => list.map((value) => ({ ...row, [key]: value }))),
    [{}],
  ) as { [K in keyof T]: T[K][number] }[];
}

export interface Case {
  readonly title?: string;
  readonly build: (b: Builder, xs: Value[]) => Value;
  readonly inputs: readonly CheckInput[];
  readonly options?: CheckOptions;
}

/** Runs the cases of a family of rules, and fails where a rule has none. */
export function checkRules(
  rules: Readonly<Record<string, Rule>>,
  cases: Readonly<Record<string, readonly Case[]>>,
): void {
  it('has a check for every rule', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(rules).sort());
    for (const [op, list] of Object.entries(cases)) expect(list.length, op).toBeGreaterThan(0);
  });
  describe.each(Object.entries(cases))('%s', (op, list) => {
    it.each(list.map((c, i) => [c.title ?? `case ${i}`, c] as const))('%s', async (_, { build, inputs, options }) => {
      await checkGradient(build, inputs, { op, ...options });
    });
  });
}

/** A constant of seeded numbers in [low, high). */
export function noise(b: Builder, dims: Dims, low = -1, high = 1): Value {
  return b.constant(float32(new Random(`noise/${dims.join()}`).uniform(sizeOf(dims), low, high), dims));
}

/** Attributes as the title of a case. */
export function titled(value: unknown): string {
  return JSON.stringify(value).replaceAll('"', '');
}

function values({ dims, low = -1, high = 1, distinct, values: given }: CheckInput, random: Random): Float32Array {
  if (given) return Float32Array.from(given);
  if (!distinct) return random.uniform(sizeOf(dims), low, high);
  const x = Float32Array.from({ length: sizeOf(dims) }, (_, i) => (i - Math.floor(sizeOf(dims) / 2)) * 0.05);
  for (let i = x.length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [x[i], x[j]] = [x[j]!, x[i]!];
  }
  return x;
}

function norm(parts: readonly ArrayLike<number>[]): number {
  return Math.sqrt(parts.reduce((sum, p) => sum + Array.from(p).reduce((s, v) => s + v * v, 0), 0));
}
