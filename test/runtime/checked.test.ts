/** @file A GPU is believed only if it agrees with the CPU; here both are the CPU, and one of them errs on purpose. */
import { describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { Builder } from '../../src/ir/builder.ts';
import { float32, type Tensor, toNumbers } from '../../src/ir/tensor.ts';
import { checkedRuntime, type Verdict } from '../../src/runtime/checked.ts';
import type { Program, Run, Runtime } from '../../src/runtime/index.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

/** The state z grows by x; the loss is its sum before that. */
function graph(): Parameters<Runtime['compile']>[0] {
  const b = new Builder();
  const [z, x] = [b.input('z', 'float32', [3]), b.input('x', 'float32', [3])];
  return b.graph({ 'next/z': b.add(z, x), loss: b.sum(z, undefined, false) });
}
const x = float32([1, 2, 3]);
const start = { z: float32([100, 0, 0]) };

/** A runtime like that of Node, but for the `parts` of its programs. */
function gpuWith(parts: {
  compile?: () => void;
  step?: (count: number) => void;
  value?: (t: Tensor) => Tensor;
}): Runtime {
  const { value = (t) => t } = parts;
  const changed = (all: Record<string, Tensor>): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(all).map(([name, t]) => [name, value(t)]));
  return {
    ...nodeRuntime,
    name: 'a GPU',
    version: '1',
    lowering: 'webgpu',
    async compile(model, options) {
      parts.compile?.();
      const program = await nodeRuntime.compile(model, options);
      return {
        ...program,
        run: async (feeds) => changed(await program.run(feeds)),
        async open(states) {
          const run = await program.open(states);
          let count = 0;
          return {
            ...run,
            async step(feeds) {
              parts.step?.(++count);
              return run.step(feeds);
            },
            read: async (state) => value(await run.read(state)),
          } satisfies Run;
        },
      } satisfies Program;
    },
  };
}

const times =
  (factor: number) =>
  (t: Tensor): Tensor =>
    float32(
      toNumbers(t).map((v) => v * factor),
      t.dims,
    );
const broken = (): never => {
  throw new PhospheneError('runtime', 'the GPU was lost');
};

/** A checked runtime, what it was told of, and how often each side was asked to compile. */
function checked(gpu: Runtime): { runtime: Runtime; doubts: Verdict[]; compiled: string[] } {
  const doubts: Verdict[] = [];
  const compiled: string[] = [];
  const counted = (name: string, runtime: Runtime): Runtime => ({
    ...runtime,
    compile: (...given) => (compiled.push(name), runtime.compile(...given)),
  });
  const runtime = checkedRuntime(counted('gpu', gpu), counted('cpu', nodeRuntime), (verdict) => doubts.push(verdict));
  return { runtime, doubts, compiled };
}

async function threeSteps(program: Program): Promise<{ losses: number[]; z: number[] }> {
  const run = await program.open(start);
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) losses.push(toNumbers((await run.step({ x }))['loss']!)[0]!);
  const z = toNumbers(await run.read('z'));
  await run.close();
  return { losses, z };
}
const right = { losses: [100, 106, 112], z: [103, 6, 9] };

describe('a GPU that agrees', () => {
  it('computes, after one step on both', async () => {
    const steps: number[] = [];
    const { runtime, doubts } = checked(gpuWith({ step: (count) => steps.push(count) }));
    await runtime.load();
    const program = await runtime.compile(graph());
    expect(await threeSteps(program)).toEqual(right);
    expect(await threeSteps(program)).toEqual(right);
    expect(steps).toEqual([1, 2, 3, 1, 2, 3]);
    expect(doubts).toEqual([
      { reason: 'agrees', message: 'The GPU is used: its first step agrees with the CPU', apart: 0 },
    ]);
    expect(runtime).toMatchObject({ name: 'a GPU', version: '1', lowering: 'webgpu' });
    await program.dispose();
  });

  it('may differ by rounding', async () => {
    const { runtime, doubts } = checked(gpuWith({ value: times(1 + 1e-6) }));
    const program = await runtime.compile(graph());
    expect((await threeSteps(program)).z[0]).toBeCloseTo(103, 2);
    const { loss } = await program.run({ ...start, x });
    expect(toNumbers(loss!)[0]).toBeCloseTo(100, 2);
    expect(doubts).toMatchObject([{ reason: 'agrees' }]);
    await program.dispose();
  });
});

describe('a GPU that is wrong', () => {
  it('is told of once and not used: what it changes counts, not what was there before', async () => {
    // A hundredth part of the state is a quarter of what the step adds to it.
    const { runtime, doubts, compiled } = checked(gpuWith({ value: times(1.01) }));
    const program = await runtime.compile(graph());
    expect(await threeSteps(program)).toEqual(right);
    expect(await threeSteps(program)).toEqual(right);
    expect(doubts).toEqual([
      {
        reason: 'differs',
        message: expect.stringMatching(
          /^The GPU is not used: .* differ from the CPU's by 0\.\d+ of their length$/,
        ) as string,
        apart: expect.closeTo(1.01 / Math.sqrt(14), 1) as number,
      },
    ]);
    expect(runtime.name).toBe('onnxruntime-node cpu');
    const later = await runtime.compile(graph());
    expect(await threeSteps(later)).toEqual(right);
    expect(compiled).toEqual(['cpu', 'gpu', 'cpu']);
    await Promise.all([program.dispose(), later.dispose()]);
  });

  it.each([NaN, Infinity])('is not used if it returns %d', async (number) => {
    const { runtime, doubts } = checked(gpuWith({ value: (t) => times(number)(t) }));
    const program = await runtime.compile(graph());
    const { loss } = await program.run({ ...start, x });
    expect(toNumbers(loss!)).toEqual([100]);
    expect(doubts).toMatchObject([{ reason: 'differs', apart: Infinity }]);
    await program.dispose();
  });
});

describe('a GPU that fails', () => {
  it.each<[string, Parameters<typeof gpuWith>[0]]>([
    ['to compile', { compile: broken }],
    ['in its first step', { step: broken }],
    ['when it is read', { value: broken }],
  ])('%s leaves the work to the CPU', async (_, parts) => {
    const { runtime, doubts } = checked(gpuWith(parts));
    const program = await runtime.compile(graph());
    expect(await threeSteps(program)).toEqual(right);
    expect(doubts).toEqual([{ reason: 'failed', message: 'The GPU is not used: the GPU was lost' }]);
    await program.dispose();
  });

  it('to load leaves the work to the CPU', async () => {
    const gpu = { ...gpuWith({ compile: broken }), load: async () => broken() };
    const { runtime, doubts, compiled } = checked(gpu);
    await runtime.load();
    const program = await runtime.compile(graph());
    expect(await threeSteps(program)).toEqual(right);
    expect(doubts).toMatchObject([{ reason: 'absent' }]);
    expect(compiled).toEqual(['cpu']);
    await program.dispose();
  });

  it('later ends the run with its error, and what is compiled then runs on the CPU', async () => {
    const { runtime, doubts, compiled } = checked(gpuWith({ step: (count) => (count === 2 ? broken() : undefined) }));
    const program = await runtime.compile(graph());
    await expect(threeSteps(program)).rejects.toThrow('the GPU was lost');
    expect(doubts).toMatchObject([{ reason: 'agrees' }, { reason: 'failed' }]);
    await program.dispose();
    const again = await runtime.compile(graph());
    expect(await threeSteps(again)).toEqual(right);
    expect(compiled).toEqual(['cpu', 'gpu', 'cpu']);
    await again.dispose();
  });
});
