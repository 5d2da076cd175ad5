/** @file Updates of parameters by an optimiser as a job runs them: its states carried on, its feeds drawn for each step. */
import { Builder } from '../../src/ir/builder.ts';
import { type Dims, float32, type Tensors, toNumbers } from '../../src/ir/tensor.ts';
import type { Optimiser } from '../../src/optimiser/index.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { StepBuilder } from '../../src/step/builder.ts';
import { feedsAt, NEXT, startStates } from '../../src/step/step.ts';

/**
 * The parameters after each step. `dims` are those of the parameters, which begin at zero unless `start` says otherwise; `gradients` holds
 * for each step the gradient of each parameter.
 */
export async function updates(
  optimiser: Optimiser,
  dims: readonly Dims[],
  gradients: readonly (readonly (readonly number[])[])[],
  start: readonly (readonly number[])[] = [],
): Promise<number[][][]> {
  const s = new StepBuilder(new Builder());
  const z = dims.map((shape, i) => s.state(`z${i}`, shape, { kind: 'fill', value: 0 }));
  const g = dims.map((shape, i) => s.b.input(`g${i}`, 'float32', shape));
  optimiser.build(s, z, g).forEach((next, i) => s.next(z[i]!, next));
  const program = await nodeRuntime.compile(s.b.graph(s.nexts()));
  const job = {
    values: optimiser.values,
    key: 'key',
    steps: gradients.length,
    start: Object.fromEntries(start.map((values, i) => [`z${i}`, float32([...values], dims[i])])),
  };
  let states: Tensors = startStates(s, job);
  const seen: number[][][] = [];
  for (const [step, given] of gradients.entries()) {
    const fed = Object.fromEntries(given.map((values, i) => [`g${i}`, float32([...values], dims[i])]));
    const out = await program.run({ ...states, ...feedsAt(s, job, step + 1), ...fed });
    states = Object.fromEntries(Object.keys(states).map((name) => [name, out[NEXT + name]!]));
    seen.push(dims.map((_, i) => toNumbers(states[`z${i}`]!)));
  }
  await program.dispose();
  return seen;
}
