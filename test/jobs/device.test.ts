/** @file Which device is taken: engines on the CPU stand for a GPU that is right, slow, wrong or not there. */
import { afterAll, describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { openModel } from '../../src/hub/open.ts';
import { chooseDevice, choiceInWords, MOST_APART } from '../../src/jobs/device.ts';
import { planOf } from '../../src/jobs/plan.ts';
import { createPool } from '../../src/jobs/pool.ts';
import type { Engine } from '../../src/jobs/render.ts';
import type { Program, Runtime } from '../../src/runtime/index.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { all, inlineHost } from './hosts.ts';

const network = await openModel('resnet50v2-mini');
const plan = await planOf(network, {
  preset: 'keras',
  layer: 'conv2_block3_out',
  channels: [3, 4],
  size: 32,
  border: 0,
  steps: 2,
});
const pools: ReturnType<typeof createPool>[] = [];
afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.close()));
  await network.close();
});

function engine(runtime: Runtime, lowering: 'cpu' | 'webgpu'): Engine {
  const pool = createPool(inlineHost(runtime));
  pools.push(pool);
  return { pool, lowering };
}

/** An engine in front of the CPU's: `delay` milliseconds a step, states turned by `turn`. */
function altered(delay: number, turn: (value: number, index: number) => number = (v) => v): Runtime {
  const around = (program: Program): Program => ({
    ...program,
    async open(states) {
      const run = await program.open(states);
      return {
        ...run,
        async step(feeds) {
          await new Promise((resolve) => setTimeout(resolve, delay));
          return run.step(feeds);
        },
        async read(name) {
          const state = await run.read(name);
          return { ...state, data: Float32Array.from(state.data as Float32Array, turn) };
        },
      };
    },
  });
  return { ...nodeRuntime, version: '1.0.0', compile: async (...given) => around(await nodeRuntime.compile(...given)) };
}

const fast = (): Engine => engine(nodeRuntime, 'cpu');

describe('the device', () => {
  it('is the GPU if that is right and faster', async () => {
    const choice = await chooseDevice(network, plan, {
      cpu: engine(altered(200), 'cpu'),
      webgpu: engine(nodeRuntime, 'webgpu'),
    });
    expect(choice).toMatchObject({ device: 'webgpu', why: 'faster' });
    expect(choice.apart).toBeLessThan(1e-5);
    expect(choice.speeds!.webgpu).toBeGreaterThan(choice.speeds!.cpu);
    expect(choiceInWords(choice)).toMatch(/^rendering on the GPU, the faster one here: .* on the CPU, .* on the GPU$/);
  });

  it('is the CPU if that is faster', async () => {
    const choice = await chooseDevice(network, plan, { cpu: fast(), webgpu: engine(altered(400), 'webgpu') });
    expect(choice).toMatchObject({ device: 'cpu', why: 'faster' });
    expect(choice.speeds!.cpu).toBeGreaterThan(choice.speeds!.webgpu);
    expect(choiceInWords(choice)).toContain('rendering on the CPU, the faster one here');
  });

  it.each([
    [0.5, 'webgpu', 'faster'],
    [2, 'cpu', 'wrong'],
    [NaN, 'cpu', 'wrong'],
  ])('is decided by a gradient that is %f of the most that is allowed away', async (share, device, why) => {
    const webgpu = engine(
      altered(0, (v) => v * (1 + share * MOST_APART)),
      'webgpu',
    );
    const choice = await chooseDevice(network, plan, { cpu: engine(altered(200), 'cpu'), webgpu });
    expect(choice).toMatchObject({ device, why });
    if (share > 1) expect(choice.apart).toBeCloseTo(2 * MOST_APART, 5);
    if (why === 'wrong') expect(choiceInWords(choice)).toContain('the GPU computes another gradient');
  });

  it('is the CPU if there is no GPU, and says what was found', async () => {
    const none: Runtime = {
      ...nodeRuntime,
      version: '1.0.0',
      compile: () => Promise.reject(new PhospheneError('runtime', 'no GPU')),
    };
    const choice = await chooseDevice(network, plan, { cpu: fast(), webgpu: engine(none, 'webgpu') });
    expect(choice).toMatchObject({ device: 'cpu', why: 'failed', error: { code: 'runtime', message: 'no GPU' } });
    expect(choiceInWords(choice)).toBe('rendering on the CPU; the GPU cannot be used: no GPU');
  });

  it('is not chosen if the choice is stopped', async () => {
    const signal = AbortSignal.abort();
    await expect(
      chooseDevice(network, plan, { cpu: { ...fast(), signal }, webgpu: { ...fast(), signal } }),
    ).rejects.toMatchObject({ code: 'aborted' });
  });

  it('stands in each picture, unless it is the CPU', async () => {
    for (const lowering of ['cpu', 'webgpu'] as const) {
      const events = await all(plan.render(engine(nodeRuntime, lowering), [3]));
      const pictures = events.flatMap((event) => (event.type === 'picture' ? [event.picture] : []));
      expect(pictures.map(({ device }) => device)).toEqual([lowering === 'cpu' ? undefined : 'webgpu']);
    }
  });
});
