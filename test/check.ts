/** @file Gradient checks: what src/grad says against central differences through ONNX Runtime, and in every spelling. */
import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { gradient, type GradientOptions, lowerings, type Rule } from '../src/grad/index.ts';
import { Builder, type Value } from '../src/ir/builder.ts';
import type { Graph } from '../src/ir/graph.ts';
import { type Dims, float32, sizeOf, type Tensor } from '../src/ir/tensor.ts';
import { Random } from '../src/random.ts';
import type { Program } from '../src/runtime/index.ts';
import { nodeRuntime, webgpuRuntime } from '../src/runtime/node.ts';

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

/** Σ u·build(x) and its gradients, as a graph, and a point to take them at. u is fixed and random, so that no mistake cancels in a sum. */
function problem(
  build: (b: Builder, xs: Value[]) => Value,
  inputs: readonly CheckInput[],
  options: CheckOptions,
): { graph: Graph; y: Value; u: Float32Array; at: Float32Array[]; random: Random } {
  const { seed = 'check', op, tolerance: _, step: __, directions: ___, ...rest } = options;
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
  return { graph, y, u, at: inputs.map((input) => values(input, random)), random };
}

/** What a graph of a {@link problem} gives at `points`. */
async function evaluate(program: Program, graph: Graph, points: readonly Float32Array[]): Promise<Outputs> {
  return program.run(
    Object.fromEntries(graph.inputs.map(({ name, dims }) => [name, float32(points[Number(name.slice(1))]!, dims)])),
  );
}

type Outputs = Readonly<Record<string, Tensor>>;

/**
 * Checks the gradient of Σ u·build(x) for all inputs at once along random directions, and that it is the same in every spelling.
 *
 * @example
 * await checkGradient((b, [x]) => b.relu(x!), [{ dims: [1, 2, 3, 3], low: 0.1 }]);
 */
export async function checkGradient(
  build: (b: Builder, xs: Value[]) => Value,
  inputs: readonly CheckInput[],
  options: CheckOptions = {},
): Promise<void> {
  const { tolerance = 1e-4, step = 5e-3, directions = 2 } = options;
  const { graph, y, u, at, random } = problem(build, inputs, options);
  const program = await nodeRuntime.compile(graph);
  try {
    const run = (points: readonly Float32Array[]): Promise<Outputs> => evaluate(program, graph, points);
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
    if (options.lowering) return;
    const other = problem(build, inputs, { ...options, lowering: lowerings.webgpu });
    if (isDeepStrictEqual(other.graph.nodes, graph.nodes)) return;
    const spelled = await nodeRuntime.compile(other.graph);
    try {
      expectSame(await evaluate(spelled, other.graph, at), here);
    } finally {
      await spelled.dispose();
    }
  } finally {
    await program.dispose();
  }
}

/**
 * Checks that WebGPU computes the gradient of Σ u·build(x), spelled for it, as the CPU does.
 *
 * @example
 * await checkOnWebgpu((b, [x]) => b.relu(x!), [{ dims: [1, 2, 3, 3], low: 0.1 }]);
 */
export async function checkOnWebgpu({ build, inputs, options = {} }: Case): Promise<void> {
  const outputs = [];
  for (const runtime of [nodeRuntime, webgpuRuntime]) {
    const { graph, at } = problem(build, inputs, { ...options, lowering: lowerings[runtime.lowering] });
    const program = await runtime.compile(graph);
    outputs.push(await evaluate(program, graph, at));
    await program.dispose();
  }
  const [native, gpu] = outputs;
  // A GPU may be less exact by its own standard, which lets a sine be off by 2^-11. What is spelled wrong is off by tenths.
  expectSame(gpu!, native!, 1e-3);
}

/** Length of `found` − `wanted`, in lengths of `wanted`. */
export function apart(found: Float32Array, wanted: Float32Array): number {
  expect(found.length).toBe(wanted.length);
  return norm([found.map((v, i) => v - wanted[i]!)]) / (norm([wanted]) || 1);
}

/** Fails if outputs differ by more than `tolerance` of their length, each by itself. */
function expectSame(found: Outputs, wanted: Outputs, tolerance = 3e-6): void {
  for (const [name, { data, dims }] of Object.entries(wanted)) {
    expect(found[name]!.dims).toEqual(dims);
    expect(apart(found[name]!.data as Float32Array, data as Float32Array), name).toBeLessThan(tolerance);
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
  describe.skipIf(!hasVulkan)(`on WebGPU${withoutVulkan}`, () => {
    it.each(
      Object.entries(cases).flatMap(([op, list]) =>
        sampled(list).map((c, i) => [op, c.title ?? `case ${i}`, c] as const),
      ),
    )('%s, %s', (_, __, c) => checkOnWebgpu(c));
  });
}

/** A driver that this process was started with: a real one, or that of test/vulkan.ts. */
export const hasVulkan = process.env['VK_ICD_FILENAMES'] !== undefined;

/** Why a test is skipped that needs one, for its title. */
export const withoutVulkan = hasVulkan ? '' : ' (skipped: no Vulkan driver; Chromium brings one of software)';

/** Cases for an engine that takes a second for each: the first and some of the others, or all if `PHOSPHENE_WEBGPU=all` asks for them. */
function sampled(list: readonly Case[]): readonly Case[] {
  const apart = process.env['PHOSPHENE_WEBGPU'] === 'all' ? 1 : Math.ceil(list.length / 2);
  return list.filter((_, i) => i % apart === 0);
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
