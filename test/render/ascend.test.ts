/** @file The loop of an ascent, on a program of a few lines: what it feeds, yields and returns, and how it ends. */
import { describe, expect, it } from 'vitest';
import { float32, type Tensor } from '../../src/ir/tensor.ts';
import { ascend, type Ascent, type CompiledStep, type Progress } from '../../src/render/ascend.ts';
import { Random } from '../../src/random.ts';
import type { Program } from '../../src/runtime/index.ts';
import { feedsAt, type Job, startStates, type StepPlan, type Tensors, unshaken } from '../../src/step/step.ts';
import { rejected } from '../thrown.ts';

const plan: StepPlan = {
  states: [
    { name: 'z', dtype: 'float32', dims: [1, 1, 1, 4], start: { kind: 'uniform', low: -1, high: 1 } },
    { name: 'm', dtype: 'float32', dims: [2], start: { kind: 'normal', mean: 0, deviation: 1 } },
  ],
  feeds: [{ name: 'jitter', dtype: 'int64', dims: [4], draw: { kind: 'roll', length: 4, by: 3 } }],
  values: [{ name: 'rate', dtype: 'float32', dims: [] }],
};
const job: Job = { values: { rate: float32(0.5) }, key: '0/layer/7', steps: 3 };

/** z + rate for each step; the loss is the sum of z. */
function adding(log: Tensors[] = []): Program & { closed: number } {
  const program = {
    closed: 0,
    run: () => Promise.reject(new Error('not asked for')),
    dispose: () => Promise.resolve(),
    open(states: Tensors) {
      let z = states['z']!.data as Float32Array;
      return Promise.resolve({
        step(feeds: Tensors): Promise<Tensors> {
          log.push(feeds);
          const loss = z.reduce((a, b) => a + b, 0);
          z = z.map((v) => v + (feeds['rate']!.data[0] as number));
          return Promise.resolve({ loss: float32(loss) });
        },
        read: (name: string): Promise<Tensor> =>
          Promise.resolve(name === 'z' ? float32(z, [1, 1, 1, 4]) : states[name]!),
        close: () => {
          program.closed++;
          return Promise.resolve();
        },
      });
    },
  };
  return program;
}

async function run(step: CompiledStep, work: Job, signal?: AbortSignal): Promise<{ seen: Progress[]; ascent: Ascent }> {
  const seen: Progress[] = [];
  const going = ascend(step, work, signal);
  for (;;) {
    const next = await going.next();
    if (next.done) return { seen, ascent: next.value };
    seen.push(next.value);
  }
}

describe('startStates', () => {
  it("draws z from the job's own stream and each other state from one of its name", () => {
    const states = startStates(plan, job);
    expect(states['z']!.data).toEqual(new Random('0/layer/7').uniform(4, -1, 1));
    expect(states['m']!.data).toEqual(new Random('0/layer/7/m').normal(2, 0, 1));
  });
  it('begins with what the job says', () => {
    const photo = float32([1, 2, 3, 4], [1, 1, 1, 4]);
    expect(startStates(plan, { ...job, start: { z: photo } })['z']).toBe(photo);
  });
});

describe('feedsAt', () => {
  it('gives the values, and draws each feed anew for each step', () => {
    const [first, again, second] = [1, 1, 2].map((step) => feedsAt(plan, job, step));
    expect(Object.keys(first!).sort()).toEqual(['jitter', 'rate']);
    expect(first!['rate']).toBe(job.values['rate']);
    expect(first).toEqual(again);
    const many = new Set(Array.from({ length: 20 }, (_, i) => String(feedsAt(plan, job, i + 1)['jitter']!.data)));
    expect(many.size).toBeGreaterThan(1);
    expect(second!['jitter']!.dims).toEqual([4]);
  });
  it('misses a value', () => {
    expect(() => feedsAt(plan, { ...job, values: {} }, 1)).toThrow('internal: the step needs the value `rate`');
  });
});

describe('ascend', () => {
  it('steps, yields and returns', async () => {
    const log: Tensors[] = [];
    const program = adding(log);
    const { seen, ascent } = await run({ ...plan, program, image: { state: 'z' } }, job);
    const start = startStates(plan, job)['z']!.data as Float32Array;
    const sum = start.reduce((a, b) => a + b, 0);
    expect(seen.map((p) => p.done)).toEqual([1, 2, 3]);
    // The last time, it looks at the picture itself.
    expect(log).toHaveLength(4);
    expect(log[3]).toEqual(feedsAt(unshaken(plan), job, 3));
    expect(log[3]!['jitter']!.data).toEqual(BigInt64Array.of(0n, 1n, 2n, 3n));
    expect(log[1]).toEqual(feedsAt(plan, job, 2));
    [0, 2, 4].forEach((more, i) => expect(ascent.losses[i]).toBeCloseTo(sum + more, 5));
    expect(seen.map((p) => p.loss)).toEqual(ascent.losses);
    expect(ascent.image.dims).toEqual([1, 1, 1, 4]);
    ascent.image.data.forEach((v, i) => expect(v).toBeCloseTo(start[i]! + 1.5, 5));
    expect(ascent.diagnosis).toMatchObject({ before: ascent.losses[0], after: ascent.losses[2] });
    expect(ascent.diagnosis.plain).toBeCloseTo(sum + 6, 5);
    expect(program.closed).toBe(1);
  });
  it('shows the picture after each step, if someone looks', async () => {
    const going = ascend({ ...plan, program: adding(), image: { state: 'z' } }, job);
    const start = startStates(plan, job)['z']!.data as Float32Array;
    const first = await going.next();
    const image = await (first.value as Progress).image();
    expect(image.data[0]).toBeCloseTo(start[0]! + 0.5, 5);
    await going.return(undefined as never);
  });
  it('makes the picture by a program of its own', async () => {
    const doubling: Program = {
      run: ({ z, m }) => {
        expect(m).toBeDefined();
        return Promise.resolve({
          image: float32(
            (z!.data as Float32Array).map((v) => 2 * v),
            z!.dims,
          ),
        });
      },
      open: () => Promise.reject(new Error('not asked for')),
      dispose: () => Promise.resolve(),
    };
    const { ascent } = await run({ ...plan, program: adding(), image: doubling }, job);
    const start = startStates(plan, job)['z']!.data as Float32Array;
    expect(ascent.image.data[2]).toBeCloseTo(2 * (start[2]! + 1.5), 5);
  });
  it('returns the start after no steps', async () => {
    const { ascent, seen } = await run({ ...plan, program: adding(), image: { state: 'z' } }, { ...job, steps: 0 });
    expect(seen).toEqual([]);
    expect(ascent).toMatchObject({ image: startStates(plan, job)['z'], losses: [], diagnosis: { status: 'ok' } });
  });
  it('ends between two steps when the signal fires, and closes its run', async () => {
    const program = adding();
    const controller = new AbortController();
    const going = ascend({ ...plan, program, image: { state: 'z' } }, job, controller.signal);
    await going.next();
    controller.abort('enough');
    const error = await rejected(going.next());
    expect(error.code).toBe('aborted');
    expect(error.cause).toBe('enough');
    expect(program.closed).toBe(1);
  });
  it('closes its run when it is left', async () => {
    const program = adding();
    for await (const _ of ascend({ ...plan, program, image: { state: 'z' } }, job)) break;
    expect(program.closed).toBe(1);
  });
  it('carries the diagnosis', async () => {
    const still = { ...job, values: { rate: float32(0) } };
    const { ascent } = await run({ ...plan, program: adding(), image: { state: 'z' } }, still);
    expect(ascent.diagnosis).toMatchObject({ status: 'dead' });
    expect(ascent.diagnosis.remedy).toContain('redirecting the gradient');
    const feeds = [{ name: 'redirect', dtype: 'float32', dims: [], draw: { kind: 'first', steps: 2 } }] as const;
    const tried = await run({ ...plan, feeds, program: adding(), image: { state: 'z' } }, still);
    expect(tried.ascent.diagnosis.remedy).toContain('redirect was tried');
  });
  it('looks no further if nothing is left to chance', async () => {
    const log: Tensors[] = [];
    const { ascent } = await run({ ...plan, feeds: [], program: adding(log), image: { state: 'z' } }, job);
    expect(log).toHaveLength(3);
    expect(ascent.diagnosis.plain).toBe(ascent.losses[2]);
  });
});
