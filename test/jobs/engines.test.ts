/**
 * @file The seed on each engine, through the same worker. Small differences grow with every step (a start that is moved by 1e-7 ends
 * elsewhere), so that short runs are compared.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { lowerings } from '../../src/grad/index.ts';
import { openModel } from '../../src/hub/open.ts';
import type { Network } from '../../src/import/network.ts';
import { programOf, targetOf } from '../../src/jobs/render.ts';
import { createPool } from '../../src/jobs/pool.ts';
import { objectives } from '../../src/objective/index.ts';
import { optimisers } from '../../src/optimiser/index.ts';
import { params } from '../../src/param/index.ts';
import type { Ascent } from '../../src/render/ascend.ts';
import { settle } from '../../src/render/recipe.ts';
import { raisedUnit } from '../../src/render/raised.ts';
import { GRADIENT, stepOf, valuesOf } from '../../src/render/step.ts';
import type { Runtime } from '../../src/runtime/index.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { createWebRuntime } from '../../src/runtime/web.ts';
import { feedsAt, startStates } from '../../src/step/step.ts';
import { all, inlineHost } from './hosts.ts';

const layer = 'conv3_block4_out';
const size = { height: 96, width: 96 };
const steps = 5;

/** Length of a − b, in lengths of a. */
function apart(a: Float32Array, b: Float32Array): number {
  expect(b.length).toBe(a.length);
  return Math.hypot(...a.map((v, i) => v - b[i]!)) / Math.hypot(...a);
}

describe('WebAssembly and native code', () => {
  let network: Network;
  const parts = {
    objective: objectives.make({ kind: 'channel', layer, channel: 7, border: 2 }),
    optimiser: optimisers.make({ kind: 'normalised', rate: 10 }),
  };
  beforeAll(async () => {
    network = await openModel('resnet50v2-mini');
  });

  it('agree in the first gradient', async () => {
    const cut = await network.cut([layer], size);
    const gradientOn = async (runtime: Runtime): Promise<Float32Array> => {
      const step = stepOf({
        ...parts,
        network: { graph: cut },
        param: params.make({ kind: 'pixel' }),
        lowering: lowerings[runtime.lowering],
        withGradient: true,
      });
      const program = await runtime.compile(step.graph);
      const job = { key: 'k', values: valuesOf(parts) };
      const results = await program.run({ ...startStates(step, job), ...feedsAt(step, { ...job, steps: 1 }, 1) });
      await program.dispose();
      return results[GRADIENT]!.data as Float32Array;
    };
    const native = await gradientOn(nodeRuntime);
    expect(Math.hypot(...native)).toBeGreaterThan(0);
    expect(apart(native, await gradientOn(createWebRuntime()))).toBeLessThan(1e-5);
  });

  it('agree in the losses and the pictures of the first steps', async () => {
    const settled = settle({ size });
    const target = await targetOf(network, layer, settled);
    const ascentOn = async (runtime: Runtime): Promise<{ ascent: Ascent; pictures: Float32Array[] }> => {
      await using pool = createPool(inlineHost(runtime));
      const program = programOf(network, raisedUnit(settled, target, 0), settled, runtime.lowering);
      const job = { key: 'k', values: valuesOf(parts), steps };
      const events = await all(pool.submit(program, job, { snapshots: [1, 2] }));
      const pictures = events.flatMap((e) => (e.type === 'snapshot' ? [e.image.data] : []));
      const last = events.at(-1)!;
      if (last.type !== 'done') return expect.unreachable();
      return { ascent: last.ascent, pictures };
    };
    const native = await ascentOn(nodeRuntime);
    const web = await ascentOn(createWebRuntime());
    expect(native.ascent.losses.at(-1)).toBeGreaterThan(native.ascent.losses[0]!);
    native.ascent.losses.forEach((loss, i) =>
      expect(Math.abs(web.ascent.losses[i]! - loss)).toBeLessThan(1e-3 * Math.abs(loss)),
    );
    const differences = native.pictures.map((picture, i) => apart(picture, web.pictures[i]!));
    expect(differences[0]).toBeLessThan(1e-4);
    expect(differences[1]).toBeLessThan(1e-2);
    expect(differences).toHaveLength(2);
  });
});
