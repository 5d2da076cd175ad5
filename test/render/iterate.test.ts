/** @file Which iterate of an ascent is kept and when it ends: the judge of losses by itself, and ascents that rise and fall. */
import { describe, expect, it } from 'vitest';
import { float32, type Tensor } from '../../src/ir/tensor.ts';
import { ascend, type Ascent, type CompiledStep, type Progress } from '../../src/render/ascend.ts';
import { judgeOf } from '../../src/render/iterate.ts';
import type { Program } from '../../src/runtime/index.ts';
import type { Feed, Job, StepPlan, Tensors } from '../../src/step/step.ts';

describe('the judge', () => {
  const told = (losses: readonly number[], patience = 0, shaken = false) => {
    const judge = judgeOf(patience, shaken);
    return losses.map((loss) => judge(loss));
  };
  const best = (...args: Parameters<typeof told>) => told(...args).map(({ isBest }) => isBest);
  const over = (...args: Parameters<typeof told>) => told(...args).map(({ isOver }) => isOver);

  it('knows the best loss so far', () => {
    expect(best([1, 3, 3, 2, 4])).toEqual([true, true, false, false, true]);
    expect(best([-5, -4])).toEqual([true, true]);
  });
  it('takes no loss for the best that is no number', () => {
    expect(best([Number.NaN, Infinity, 1, Number.NaN, 2])).toEqual([false, false, true, false, true]);
  });
  it('compares means if chance decides what is seen', () => {
    // The second is lucky: what comes after it is worse than it alone, and better than both before it.
    expect(best([0, 10, 8, 7, 1], 0, true)).toEqual([true, true, true, true, false]);
    // Only eight of them count.
    expect(best([9, 0, 0, 0, 0, 0, 0, 0, 9.5], 0, true).at(-1)).toBe(false);
    expect(best([1, ...Array.from({ length: 8 }, () => 2)], 0, true).at(-1)).toBe(true);
  });
  it('is over after so many steps without a better one', () => {
    expect(over([1, 2, 2, 1, 3, 3, 3], 2)).toEqual([false, false, false, true, false, false, true]);
    expect(over([1, 1, 1], 1)).toEqual([false, true, true]);
    expect(over([Number.NaN, Number.NaN], 2)).toEqual([false, true]);
  });
  it('is never over without patience', () => expect(over([1, 0, 0, 0, 0, 0])).not.toContain(true));
});

/** z is counted up by one each step from 0; the loss is `height(z)`, and under a shake, more by what is fed. */
function hill(height: (z: number) => number, shakes: readonly number[] = []) {
  const feeds: readonly Feed[] =
    shakes.length === 0
      ? []
      : [{ name: 'shake', dtype: 'float32', dims: [], draw: { kind: 'normal', mean: 0, deviation: 1 } }];
  const plan: StepPlan = {
    states: [{ name: 'z', dtype: 'float32', dims: [1, 1, 1, 1], start: { kind: 'fill', value: 0 } }],
    feeds,
    values: [],
  };
  const log = { steps: 0, closed: 0, opened: 0 };
  const program: Program = {
    run: () => Promise.reject(new Error('not asked for')),
    dispose: () => Promise.resolve(),
    open(states: Tensors) {
      log.opened++;
      let z = states['z']!.data[0] as number;
      return Promise.resolve({
        step(fed: Tensors): Promise<Tensors> {
          // Chance is what the test says; nothing is fed but the middle when it looks plainly.
          const shake = fed['shake']?.data[0] === 0 ? 0 : (shakes[log.steps] ?? 0);
          log.steps++;
          const loss = height(z) + shake;
          z++;
          return Promise.resolve({ loss: float32(loss) });
        },
        read: (): Promise<Tensor> => Promise.resolve(float32([z], [1, 1, 1, 1])),
        close: () => {
          log.closed++;
          return Promise.resolve();
        },
      });
    },
  };
  const step: CompiledStep = { ...plan, program, image: { state: 'z' } };
  return { step, log };
}

async function run(step: CompiledStep, job: Partial<Job>): Promise<{ seen: Progress[]; ascent: Ascent }> {
  const seen: Progress[] = [];
  const going = ascend(step, { values: {}, key: '0', steps: 6, ...job });
  for (;;) {
    const next = await going.next();
    if (next.done) return { seen, ascent: next.value };
    seen.push(next.value);
  }
}

describe('an ascent', () => {
  const top = (z: number): number => -Math.abs(z - 3);

  it('keeps the last picture unless asked for the best', async () => {
    const { step, log } = hill(top);
    expect((await run(step, {})).ascent.image.data[0]).toBe(6);
    expect(log.steps).toBe(6);
  });
  it('keeps the best one, as it was when it entered its step', async () => {
    const { step, log } = hill(top);
    const { ascent } = await run(step, { keep: 'best' });
    expect(ascent.image.data[0]).toBe(3);
    expect(ascent.diagnosis.plain).toBe(0);
    expect(ascent.losses).toEqual([-3, -2, -1, 0, -1, -2].map((v) => v || expect.closeTo(0)));
    expect(log).toMatchObject({ opened: 2, closed: 2 });
  });
  it('keeps the last one if it is the best, which no step has seen', async () => {
    const { ascent } = await run(hill((z) => z).step, { keep: 'best' });
    expect(ascent.image.data[0]).toBe(6);
    expect(ascent.diagnosis.plain).toBe(6);
  });
  it('does not keep one that was only lucky', async () => {
    // The third draw makes a bad picture look best, and the last is better when both are seen plainly.
    const lucky = hill((z) => z, [0, 0, 100, 0, 0, 0]);
    const { ascent } = await run(lucky.step, { keep: 'best' });
    expect(ascent.image.data[0]).toBe(6);
    expect(ascent.diagnosis.plain).toBe(6);
  });
  it('keeps a picture of numbers if the last one has none', async () => {
    const { ascent } = await run(hill((z) => (z > 4 ? Number.NaN : z)).step, { keep: 'best' });
    expect(ascent.image.data[0]).toBe(4);
    expect(ascent.diagnosis).toMatchObject({ status: 'not-finite', plain: 4 });
  });
  it('that only fell is not dead, though the start is kept', async () => {
    const { ascent } = await run(hill((z) => -z).step, { keep: 'best' });
    expect(ascent.image.data[0]).toBe(0);
    expect(ascent.diagnosis.status).toBe('not-rising');
  });
  it('ends when its patience does', async () => {
    const { step, log } = hill(top);
    const { ascent, seen } = await run(step, { patience: 1 });
    expect(ascent.losses).toHaveLength(5);
    expect(seen.map(({ done }) => done)).toEqual([1, 2, 3, 4, 5]);
    expect(ascent.image.data[0]).toBe(5);
    expect(log.steps).toBe(5);
  });
  it('keeps the best of those before its patience ended', async () => {
    const { ascent } = await run(hill(top).step, { patience: 2, keep: 'best' });
    expect(ascent.image.data[0]).toBe(3);
  });
  it('of no steps is the start', async () => {
    const { step, log } = hill(top);
    const { ascent } = await run(step, { steps: 0, keep: 'best', patience: 1 });
    expect(ascent.image.data[0]).toBe(0);
    expect(log.steps).toBe(0);
  });
});
