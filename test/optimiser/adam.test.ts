/** @file Relatives of Adam by their formulas in float64, over several steps, as PyTorch's documentation has them. */
import { expect, describe, it } from 'vitest';
import { optimisers } from '../../src/optimiser/index.ts';
import { updates } from './updates.ts';

const gradients = Array.from({ length: 5 }, (_, t) => [Math.sin(t + 1), -2, t - 1.5]);
const start = [0.5, -1, 2];
const [rate, beta1, beta2, epsilon] = [0.1, 0.8, 0.95, 1e-4];

/** z after each step of `next(t, g, i, z)`, t from 1. */
function restated(next: (t: number, g: number, i: number, z: number) => number, given = gradients): number[][] {
  let z = start;
  return given.map((g, k) => (z = z.map((v, i) => next(k + 1, g[i]!, i, v))));
}

async function found(spec: Parameters<typeof optimisers.make>[0], given = gradients): Promise<number[][]> {
  const after = await updates(
    optimisers.make(spec),
    [[1, 3]],
    given.map((g) => [g]),
    [start],
  );
  return after.map(([z]) => z!);
}

function expectClose(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): void {
  a.forEach((row, t) => row.forEach((v, i) => expect(v).toBeCloseTo(b[t]![i]!, 4)));
}

/** Both moments of the gradient of element `i` at step t, corrected for nothing. */
function moments(t: number, i: number, given = gradients): { m: number; v: number } {
  let [m, v] = [0, 0];
  for (const g of given.slice(0, t)) {
    m = beta1 * m + (1 - beta1) * g[i]!;
    v = beta2 * v + (1 - beta2) * g[i]! ** 2;
  }
  return { m, v };
}

describe('the optimiser', () => {
  it('`adamw` is Adam with parameters that decay', async () => {
    const weightDecay = 0.3;
    expectClose(
      await found({ kind: 'adamw', rate, beta1, beta2, epsilon, weightDecay }),
      restated((t, _, i, z) => {
        const { m, v } = moments(t, i);
        const step = m / (1 - beta1 ** t) / (Math.sqrt(v / (1 - beta2 ** t)) + epsilon);
        return z - rate * weightDecay * z + rate * step;
      }),
    );
  });

  it('`nadam` is that of PyTorch', async () => {
    const mu = (t: number): number => beta1 * (1 - 0.5 * 0.96 ** (t * 0.004));
    const through = (t: number): number => Array.from({ length: t }, (_, k) => mu(k + 1)).reduce((a, b) => a * b, 1);
    expectClose(
      await found({ kind: 'nadam', rate, beta1, beta2, epsilon }),
      restated((t, g, i, z) => {
        const { m, v } = moments(t, i);
        const ahead = (mu(t + 1) * m) / (1 - through(t + 1)) + ((1 - mu(t)) * g) / (1 - through(t));
        return z + (rate * ahead) / (Math.sqrt(v / (1 - beta2 ** t)) + epsilon);
      }),
    );
  });

  it('`rmsprop` divides by the root of the mean square', async () => {
    expectClose(
      await found({ kind: 'rmsprop', rate, beta2, epsilon }),
      restated((t, g, i, z) => z + (rate * g) / (Math.sqrt(moments(t, i).v) + epsilon)),
    );
  });

  it.each(['adamw', 'nadam', 'rmsprop'] as const)('`%s` clips the gradient to a length', async (kind) => {
    const most = 1.5;
    const short = gradients.map((g) => g.map((v) => v * Math.min(1, most / Math.hypot(...g))));
    expectClose(await found({ kind, epsilon, clip: most }), await found({ kind, epsilon }, short));
    // One that no gradient reaches changes nothing.
    expectClose(await found({ kind, epsilon, clip: 100 }), await found({ kind, epsilon }));
  });
});
