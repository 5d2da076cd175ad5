/** @file Threads of Node with ONNX Runtime in them. They run the built package, as users' threads do. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { nodeHost } from '../../src/jobs/node-host.ts';
import { createPool, type JobEvent, type Pool } from '../../src/jobs/pool.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { StepBuilder } from '../../src/step/builder.ts';
import type { Job, StepData } from '../../src/step/step.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { all, inlineHost } from './hosts.ts';

const built = new URL('../../dist/jobs/node-worker.js', import.meta.url);
const script = (text: string): URL => new URL(`data:text/javascript,${encodeURIComponent(text)}`);

/** z grows by the value `by` and by noise; the loss is its sum. */
function program(size = 4): StepData {
  const s = new StepBuilder(new Builder());
  const z = s.state('z', [1, 1, 1, size], { kind: 'uniform', low: -1, high: 1 });
  const noise = s.feed('noise', 'float32', [size], { kind: 'normal', mean: 0, deviation: 1 });
  s.next(z, s.b.add(s.b.add(z, noise), s.value('by', 'float32', [])));
  const graph = encodeOnnx(s.b.graph({ loss: s.b.sum(z, undefined, false), ...s.nexts() }));
  return { id: `sum ${size}`, graph, image: { state: 'z' }, states: s.states, feeds: s.feeds, values: s.values };
}
const job = (key: string, steps: number): Job => ({ values: { by: float32(0.5) }, key, steps });
const ascentOf = (events: readonly JobEvent[]) => {
  const last = events.at(-1);
  return last?.type === 'done' ? last.ascent : expect.unreachable();
};

let pool: Pool;
afterEach(() => pool.close());

describe('threads', () => {
  it('make the same pictures as this thread does, whoever makes which', async () => {
    pool = createPool(inlineHost(nodeRuntime));
    const keys = ['a', 'b', 'c', 'd'];
    const expected = [];
    for (const key of keys) expected.push(ascentOf(await all(pool.submit(program(), job(key, 5)))));
    await pool.close();
    pool = createPool(nodeHost({ script: built }), { workers: 2 });
    const step = program();
    const found = await Promise.all(keys.map(async (key) => ascentOf(await all(pool.submit(step, job(key, 5))))));
    expect(found).toEqual(expected);
    // The caller's bytes are still there.
    expect((step.graph as Uint8Array).length).toBeGreaterThan(0);
  });

  it('stop one job between two steps and go on with the next', async () => {
    pool = createPool(nodeHost({ script: built, parallelism: 1 }));
    const begun = performance.now();
    for await (const event of pool.submit(program(), job('a', 1e7))) if (event.type === 'step') break;
    expect(await all(pool.submit(program(), job('b', 1)))).toHaveLength(3);
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  it('leave at once in the middle of a job if the pool is closed', async () => {
    pool = createPool(nodeHost({ script: built, parallelism: 1 }));
    const events = all(pool.submit(program(), job('a', 1e7)));
    const outcome = expect(events).rejects.toMatchObject({ code: 'aborted' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await pool.close();
    await outcome;
  });

  it('say what is wrong with a program, with code and cause', async () => {
    pool = createPool(nodeHost({ script: built, parallelism: 1 }));
    const broken = { ...program(), graph: Uint8Array.of(1, 2, 3) };
    await expect(all(pool.submit(broken, job('a', 1)))).rejects.toMatchObject({
      name: 'PhospheneError',
      code: 'runtime',
      message: expect.stringContaining('ONNX Runtime cannot compile the graph: ') as string,
      cause: expect.stringContaining('Error: ') as string,
    });
    expect(await all(pool.submit(program(), job('a', 1)))).toHaveLength(3);
  });

  it.each([
    ['throws', "throw new Error('no luck')", 'a worker failed: no luck'],
    ['leaves', 'process.exit(3)', 'a worker failed: it exited with 3'],
    ['leaves in peace', 'process.exit(0)', 'a worker failed: it exited with 0'],
  ])('that die twice fail their job with the cause: one that %s', async (_, text, message) => {
    pool = createPool(nodeHost({ script: script(text), parallelism: 1 }));
    await expect(all(pool.submit(program(), job('a', 1)))).rejects.toMatchObject({ code: 'runtime', message });
  });

  it('that are not there fail the job', async () => {
    pool = createPool(nodeHost({ script: new URL('nowhere.js', import.meta.url), parallelism: 1 }));
    await expect(all(pool.submit(program(), job('a', 1)))).rejects.toThrow(/a worker failed: .*nowhere\.js/);
  });

  it('share bytes once', () => {
    pool = createPool(nodeHost());
    const host = nodeHost({ script: built });
    const bytes = Uint8Array.of(1, 2, 3).subarray(1);
    const shared = host.share!(bytes);
    expect([...shared]).toEqual([2, 3]);
    expect(shared.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(host.share!(shared)).toBe(shared);
  });
});

it('a pool that was forgotten keeps no process alive', () => {
  pool = createPool(nodeHost());
  const dist = fileURLToPath(new URL('../../dist', import.meta.url));
  const { id: _, graph, ...plan } = program();
  const text = `
    import { createPool } from '${dist}/jobs/pool.js';
    import { nodeHost } from '${dist}/jobs/node-host.js';
    const graph = Uint8Array.from(Buffer.from('${Buffer.from(graph as Uint8Array).toString('base64')}', 'base64'));
    const by = { dtype: 'float32', dims: [], data: Float32Array.of(0.5) };
    const pool = createPool(nodeHost(), { workers: 2 });
    const program = { ...${JSON.stringify(plan)}, id: 'p', graph };
    for await (const event of pool.submit(program, { values: { by }, key: 'a', steps: 3 }))
      if (event.type === 'done') console.log(event.ascent.losses.length);`;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', text], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect({ stdout, stderr, status }).toEqual({ stdout: '3\n', stderr: '', status: 0 });
});
