/** @file The whole worker, on an engine that does what the test says. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { createPool } from '../../src/jobs/pool.ts';
import type { FromWorker, ToWorker } from '../../src/jobs/protocol.ts';
import { serve } from '../../src/jobs/serve.ts';
import { float32, type Tensor } from '../../src/ir/tensor.ts';
import type { Runtime } from '../../src/runtime/index.ts';
import type { StepData } from '../../src/step/step.ts';
import { all, inlineHost, jobOf, programOf, settled } from './hosts.ts';

/** An engine whose programs add one to z. A program of the bytes [0] cannot be compiled. */
class Engine {
  readonly log: string[] = [];
  /** Before each step: the test may wait, or throw. */
  before: (step: number) => unknown = () => undefined;

  readonly runtime: Runtime = {
    name: 'test',
    version: '1',
    lowering: 'cpu',
    load: async () => void this.log.push('load'),
    compile: async (model) => {
      const [name] = model as Uint8Array;
      this.log.push(`compile ${name}`);
      if (name === 0) throw new PhospheneError('runtime', 'no such graph', { name }, new Error('deep'));
      return {
        run: async ({ z }) => ({ image: float32([10 * (z!.data as Float32Array)[0]!]) }),
        open: async (states) => {
          let z = (states['z']!.data as Float32Array)[0]!;
          let steps = 0;
          this.log.push(`open ${z}`);
          return {
            step: async () => {
              await this.before(++steps);
              return { loss: float32(z++) };
            },
            read: async () => float32([z]),
            close: async () => void this.log.push('close'),
          };
        },
        dispose: async () => void this.log.push(`dispose ${name}`),
      };
    },
  };
}

/** A program of that byte. */
const program = (byte: number, more: Partial<StepData> = {}): StepData => ({
  ...programOf(`p${byte}`),
  graph: Uint8Array.of(byte),
  ...more,
});

let engine: Engine;
beforeEach(() => {
  engine = new Engine();
});

describe('serve', () => {
  let said: FromWorker[];
  let tell: (m: ToWorker) => void;
  let stop: boolean;
  let closed: number;
  beforeEach(() => {
    said = [];
    stop = false;
    closed = 0;
    serve(
      {
        post: (m) => void said.push(m),
        receive: (listener) => (tell = listener),
        stopped: () => stop,
        close: () => void closed++,
      },
      engine.runtime,
    );
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    tell({ type: 'end' });
  });
  const job = (id: number, steps: number, snapshots: number[] = [], of = 'p1'): ToWorker => ({
    type: 'job',
    id,
    program: of,
    job: jobOf('k', steps),
    snapshots,
  });
  const until = async (type: FromWorker['type'], id: number): Promise<FromWorker> => {
    for (;;) {
      const found = said.find((m) => m.type === type && m.id === id);
      if (found) return found;
      await settled();
    }
  };

  it('loads the engine before it is asked for anything', async () => {
    await settled();
    expect(engine.log).toEqual(['load']);
  });

  it('compiles a program once and runs its jobs one after another', async () => {
    tell({ type: 'program', step: program(1) });
    tell(job(1, 2));
    tell(job(2, 1));
    await until('done', 2);
    expect(engine.log).toEqual(['load', 'compile 1', 'open 0', 'close', 'open 0', 'close']);
    expect(said.map((m) => `${m.type} ${m.id}`)).toEqual([
      'started 1',
      'step 1',
      'done 1',
      'started 2',
      'step 2',
      'done 2',
    ]);
    expect(said[1]).toEqual({ type: 'step', id: 1, done: 1, loss: 0 });
    expect(said[2]).toMatchObject({ ascent: { losses: [0, 1], image: { data: Float32Array.of(2) } } });
  });

  it('gives the picture after the steps that were asked for, and reports only now and then', async () => {
    tell({ type: 'program', step: program(1) });
    tell(job(1, 50, [1, 3, 50]));
    await until('done', 1);
    const shown = said.flatMap((m) => (m.type === 'snapshot' ? [[m.step, m.image.data[0]]] : []));
    expect(shown).toEqual([
      [1, 1],
      [3, 3],
      [50, 50],
    ]);
    expect(said.filter((m) => m.type === 'step').length).toBeLessThan(25);
  });

  it('reports again after a tenth of a second', async () => {
    tell({ type: 'program', step: program(1) });
    engine.before = (step) => step === 3 && new Promise((resolve) => setTimeout(resolve, 120));
    tell(job(1, 4));
    await until('done', 1);
    expect(said.flatMap((m) => (m.type === 'step' ? [m.done] : []))).toEqual([1, 3]);
  });

  it('compiles the graph of the picture too, and frees both', async () => {
    tell({ type: 'program', step: program(1, { image: Uint8Array.of(2) }) });
    tell(job(1, 1, [1]));
    expect(await until('done', 1)).toMatchObject({ ascent: { image: { data: Float32Array.of(10) } } });
    expect(said.find((m) => m.type === 'snapshot')).toMatchObject({ image: { data: Float32Array.of(10) } });
    tell({ type: 'forget', id: 'p1' });
    await settled();
    expect(engine.log.slice(1)).toEqual(['compile 1', 'compile 2', 'open 0', 'close', 'dispose 1', 'dispose 2']);
    // Half of a program is none.
    tell({ type: 'program', step: program(3, { image: Uint8Array.of(0) }) });
    tell(job(2, 1, [], 'p3'));
    expect(await until('failed', 2)).toMatchObject({ error: { message: 'no such graph' } });
    expect(engine.log.slice(-3)).toEqual(['compile 3', 'compile 0', 'dispose 3']);
  });

  it('fails each job of a program that cannot be compiled, and goes on', async () => {
    tell({ type: 'program', step: program(0) });
    tell(job(1, 1, [], 'p0'));
    tell(job(2, 1, [], 'p0'));
    tell({ type: 'forget', id: 'p0' });
    tell({ type: 'program', step: program(1) });
    tell(job(3, 1));
    await until('done', 3);
    const failed = said.filter((m) => m.type === 'failed');
    expect(failed.map((m) => m.id)).toEqual([1, 2]);
    expect(failed[0]!.error).toMatchObject({ code: 'runtime', message: 'no such graph', details: { name: 0 } });
    expect(failed[0]!.error.cause).toContain('Error: deep');
  });

  it('fails a job in its own words if something else is thrown, and closes its run', async () => {
    tell({ type: 'program', step: program(1) });
    engine.before = (step) => {
      if (step === 2) throw new TypeError('a bug');
    };
    tell(job(1, 3));
    const { error } = (await until('failed', 1)) as Extract<FromWorker, { type: 'failed' }>;
    expect(error).toMatchObject({ code: 'runtime', message: 'a worker failed: a bug' });
    expect(error.cause).toContain('TypeError: a bug');
    await settled();
    expect(engine.log.at(-1)).toBe('close');
    tell(job(2, 1, [], 'unknown'));
    expect(await until('failed', 2)).toMatchObject({
      error: { message: expect.stringContaining('internal') as string },
    });
  });

  it('stops one job between two steps, before it begins, or not at all if it is over', async () => {
    tell({ type: 'program', step: program(1) });
    engine.before = (step) => step === 2 && tell({ type: 'cancel', id: 1 });
    tell(job(1, 100));
    tell(job(2, 1));
    tell(job(3, 1));
    tell({ type: 'cancel', id: 2 });
    await until('done', 3);
    tell({ type: 'cancel', id: 3 });
    await settled();
    expect(said.filter((m) => m.type === 'failed')).toMatchObject([
      { id: 1, error: { code: 'aborted' } },
      { id: 2, error: { code: 'aborted' } },
    ]);
    expect(engine.log.slice(2)).toEqual(['open 0', 'close', 'open 0', 'close']);
    expect(said.some((m) => m.type === 'step' && m.done > 1)).toBe(false);
  });

  it.each(['Node', 'a browser'])(
    'hears messages in %s although the engine never gives its thread back',
    async (where) => {
      if (where === 'a browser') vi.stubGlobal('setImmediate', undefined);
      tell({ type: 'program', step: program(1) });
      // Busy for a while, as a session in WebAssembly is.
      engine.before = () => {
        const end = performance.now() + 2;
        while (performance.now() < end);
      };
      tell(job(1, 5000));
      await until('started', 1);
      const begun = performance.now();
      setTimeout(() => tell({ type: 'cancel', id: 1 }), 30);
      expect(await until('failed', 1)).toMatchObject({ error: { code: 'aborted' } });
      expect(performance.now() - begun).toBeLessThan(2000);
    },
  );

  it('frees everything at the end, stops what runs, and closes', async () => {
    tell({ type: 'program', step: program(1) });
    tell({ type: 'program', step: program(2) });
    engine.before = (step) => step === 2 && tell({ type: 'end' });
    tell(job(1, 100));
    tell(job(2, 100));
    for (let i = 0; i < 10; i++) await settled();
    expect(engine.log.slice(3)).toEqual(['open 0', 'close', 'dispose 1', 'dispose 2']);
    expect(closed).toBe(1);
    tell(job(3, 1));
    tell({ type: 'end' });
    await settled();
    expect(closed).toBe(1);
    expect(said.filter((m) => m.type === 'done')).toEqual([]);
  });

  it('stops on the flag as well, and compiles no more then', async () => {
    tell({ type: 'program', step: program(1) });
    engine.before = (step) => {
      if (step === 2) stop = true;
    };
    tell(job(1, 100));
    tell({ type: 'program', step: program(2) });
    expect(await until('failed', 1)).toMatchObject({ error: { code: 'aborted' } });
    await settled();
    expect(engine.log.slice(1)).toEqual(['compile 1', 'open 0', 'close']);
  });
});

describe('a pool on workers that serve', () => {
  it('makes pictures from the streams of each job alone, with programs that stay compiled', async () => {
    const host = inlineHost(engine.runtime, 2);
    const pool = createPool(host);
    const noisy = program(1, {
      states: [{ name: 'z', dtype: 'float32', dims: [1], start: { kind: 'uniform', low: -1, high: 1 } }],
    });
    const picture = async (key: string): Promise<Tensor> => {
      const events = await all(pool.submit(noisy, jobOf(key, 3), { snapshots: [2] }));
      expect(events.map((e) => e.type)).toEqual(['started', 'step', 'snapshot', 'done']);
      const last = events.at(-1)!;
      return last.type === 'done' ? last.ascent.image : expect.unreachable();
    };
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(picture));
    expect(await picture('a')).toEqual(a);
    expect(await picture('c')).toEqual(c);
    expect(a).not.toEqual(b);
    expect(engine.log.filter((l) => l === 'compile 1')).toHaveLength(2);
    await pool.close();
    expect(engine.log.filter((l) => l === 'dispose 1')).toHaveLength(2);
    expect([host.spawned(), host.left()]).toEqual([2, 2]);
  });

  it('cancels one job and goes on with the same worker; close cancels the rest', async () => {
    const host = inlineHost(engine.runtime);
    const pool = createPool(host);
    for await (const event of pool.submit(program(1), jobOf('a', 1e9))) if (event.type === 'step') break;
    expect(await all(pool.submit(program(1), jobOf('b', 1)))).toHaveLength(3);
    const endless = all(pool.submit(program(1), jobOf('c', 1e9)));
    const never = all(pool.submit(program(1), jobOf('d', 1)));
    const outcome = Promise.allSettled([endless, never]);
    await settled();
    await pool.close();
    expect(await outcome).toMatchObject([{ reason: { code: 'aborted' } }, { reason: { code: 'aborted' } }]);
    expect([host.spawned(), host.left()]).toEqual([1, 1]);
    expect(engine.log.filter((l) => l === 'compile 1')).toHaveLength(1);
  });

  it('runs a job again that its worker did not outlive', async () => {
    const host = inlineHost(engine.runtime);
    const pool = createPool(host);
    let deaths = 0;
    engine.before = (step) => {
      if (step === 2 && deaths++ === 0) host.kill(new Error('killed'));
      return settled();
    };
    const events = await all(pool.submit(program(1), jobOf('a', 3)));
    expect(events.at(-1)).toMatchObject({ type: 'done', ascent: { losses: [0, 1, 2] } });
    expect(host.spawned()).toBe(2);
    await pool.close();
  });
});
