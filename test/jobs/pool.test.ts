/** @file The pool, with workers that do what the test says. */
import { describe, expect, it, vi } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { createPool } from '../../src/jobs/pool.ts';
import type { StepData } from '../../src/step/step.ts';
import { all, ascentOf, fakeHost, jobOf, programOf, settled } from './hosts.ts';

const p = programOf('p');
const error = (code: string, text: string) =>
  expect.objectContaining({ name: 'PhospheneError', code, message: expect.stringContaining(text) as string });

describe('order', () => {
  it('gives jobs to workers by priority, and among equals in the order of submission', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    for (const [key, priority] of [['a'], ['b'], ['c', 1], ['d', -1], ['e', 1], ['f']] as const)
      pool.submit(p, jobOf(key), { priority });
    const [worker] = host.spawned;
    expect(worker!.keys).toEqual(['a']);
    for (let i = 0; i < 5; i++) worker!.finish();
    expect(worker!.keys).toEqual(['a', 'c', 'e', 'b', 'f', 'd']);
    worker!.finish();
    expect(worker!.keys).toHaveLength(6);
  });

  it('begins before anyone takes events, and gives one worker one job at a time', () => {
    const host = fakeHost(2);
    const pool = createPool(host);
    for (const key of ['a', 'b', 'c']) pool.submit(p, jobOf(key));
    expect(host.spawned.map((w) => w.keys)).toEqual([['a'], ['b']]);
    host.spawned[1]!.finish();
    expect(host.spawned.map((w) => w.keys)).toEqual([['a'], ['b', 'c']]);
  });

  it('does not wait for a program that is still being built', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    let built: (step: StepData) => void;
    pool.submit(new Promise<StepData>((resolve) => (built = resolve)), jobOf('late'));
    // Its engine loads meanwhile.
    expect(host.spawned).toHaveLength(1);
    expect(host.spawned[0]!.told).toEqual([]);
    pool.submit(p, jobOf('early'));
    expect(host.spawned[0]!.keys).toEqual(['early']);
    built!(programOf('q'));
    await settled();
    host.spawned[0]!.finish();
    expect(host.spawned[0]!.keys).toEqual(['early', 'late']);
  });
});

describe('workers', () => {
  it('are started when there is work, as many as can be busy', () => {
    const host = fakeHost(8);
    const pool = createPool(host, { workers: 2 });
    expect(pool.workers).toBe(2);
    expect(createPool(host).workers).toBe(8);
    expect(host.spawned).toHaveLength(0);
    pool.submit(p, jobOf('a'));
    expect(host.spawned).toHaveLength(1);
    pool.submit(p, jobOf('b'));
    pool.submit(p, jobOf('c'));
    expect(host.spawned).toHaveLength(2);
  });

  it('are used again', async () => {
    const host = fakeHost(2);
    const pool = createPool(host);
    for (const key of ['a', 'b', 'c']) {
      const events = all(pool.submit(p, jobOf(key)));
      host.spawned[0]!.finish();
      await events;
    }
    expect(host.spawned).toHaveLength(1);
    expect(host.spawned[0]!.keys).toEqual(['a', 'b', 'c']);
  });

  it('are started ahead of any job if they will be needed, and never too many', () => {
    const host = fakeHost(3);
    const pool = createPool(host);
    pool.start(2);
    pool.start(2);
    expect(host.spawned).toHaveLength(2);
    pool.submit(p, jobOf('a'));
    expect(host.spawned.map((w) => w.keys)).toEqual([['a'], []]);
    pool.start(9);
    pool.start();
    expect(host.spawned).toHaveLength(3);
    const none = createPool(
      fakeHost(1, {
        spawn() {
          throw new Error('no threads left');
        },
      }),
    );
    expect(() => none.start()).not.toThrow();
  });

  it.each([
    ['workers', 0],
    ['workers', 1.5],
    ['warm', 0],
  ])('refuses %s: %s', (option, value) => {
    const make = (): unknown => createPool(fakeHost(1), { [option]: value });
    expect(make).toThrow(error('bad-option', `${option}: ${value} found`));
    expect(make).toThrow(expect.objectContaining({ details: { option, value } }));
  });

  it('that cannot be started fail the job', async () => {
    const pool = createPool(
      fakeHost(1, {
        spawn() {
          throw new Error('no threads left');
        },
      }),
    );
    await expect(all(pool.submit(p, jobOf('a')))).rejects.toThrow(error('runtime', 'a worker failed: no threads left'));
  });
});

describe('programs', () => {
  it('are sent to a worker once, and the last used are kept', () => {
    const host = fakeHost(1);
    const pool = createPool(host, { warm: 2 });
    const [q, r] = [programOf('q'), programOf('r')];
    // Another object with the same id is the same program.
    for (const program of [p, programOf('p'), q, p, r, p, q]) {
      pool.submit(program, jobOf('k'));
      host.spawned[0]!.finish();
    }
    expect(host.spawned[0]!.programs).toEqual(['+p', '+q', '-q', '+r', '-r', '+q']);
    expect(host.spawned[0]!.jobs.map((j) => j.program)).toEqual(['p', 'p', 'q', 'p', 'r', 'p', 'q']);
  });

  it('are two for each worker unless told otherwise', () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    for (const id of ['p', 'q', 'r']) {
      pool.submit(programOf(id), jobOf('k'));
      host.spawned[0]!.finish();
    }
    expect(host.spawned[0]!.programs).toEqual(['+p', '+q', '-p', '+r']);
  });

  it('lead their jobs to the worker that has them', () => {
    const host = fakeHost(2);
    const pool = createPool(host);
    pool.submit(p, jobOf('a'));
    pool.submit(programOf('q'), jobOf('b'));
    for (const worker of host.spawned) worker.finish();
    pool.submit(programOf('q'), jobOf('c'));
    expect(host.spawned.map((w) => w.keys)).toEqual([['a'], ['b', 'c']]);
  });

  it('are shared once, whatever the number of workers', () => {
    const share = vi.fn((bytes: Uint8Array) => Uint8Array.of(9, ...bytes));
    const host = fakeHost(2, { share });
    const pool = createPool(host);
    const program = { ...p, image: Uint8Array.of(3) };
    pool.submit(program, jobOf('a'));
    pool.submit(program, jobOf('b'));
    const sent = host.spawned.flatMap((w) => w.told.flatMap((m) => (m.type === 'program' ? [m.step] : [])));
    expect(sent[0]).toMatchObject({ graph: Uint8Array.of(9, 1, 2), image: Uint8Array.of(9, 3), states: p.states });
    expect(sent[1]).toBe(sent[0]);
    expect(share).toHaveBeenCalledTimes(2);
  });

  it('that could not be built fail their job with what was thrown, and no other', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    const failure = new PhospheneError('unsupported-op', 'no gradient');
    const failed = all(pool.submit(Promise.reject(failure), jobOf('a')));
    await expect(failed).rejects.toBe(failure);
    const fine = all(pool.submit(p, jobOf('b')));
    host.spawned[0]!.finish();
    expect(await fine).toHaveLength(1);
  });
});

describe('events', () => {
  it('come as they happen', async () => {
    const host = fakeHost(1);
    const events = all(createPool(host).submit(p, jobOf('a'), { snapshots: [1, 4] }));
    const [worker] = host.spawned;
    const { id, snapshots } = worker!.jobs[0]!;
    expect(snapshots).toEqual([1, 4]);
    const { image } = ascentOf(5);
    worker!.say({ type: 'started', id });
    worker!.say({ type: 'step', id, done: 1, loss: 0.5 });
    worker!.say({ type: 'snapshot', id, step: 1, image });
    await settled();
    worker!.say({ type: 'done', id, ascent: ascentOf(7) });
    expect(await events).toEqual([
      { type: 'started' },
      { type: 'step', done: 1, loss: 0.5 },
      { type: 'snapshot', step: 1, image },
      { type: 'done', ascent: ascentOf(7) },
    ]);
  });

  it('do not pile up while nobody takes them: the newest step stands for those before it', async () => {
    const host = fakeHost(1);
    const stream = createPool(host).submit(p, jobOf('a'));
    const [worker] = host.spawned;
    const { id } = worker!.jobs[0]!;
    worker!.say({ type: 'started', id });
    for (let done = 1; done <= 1000; done++) worker!.say({ type: 'step', id, done, loss: done });
    worker!.say({ type: 'snapshot', id, step: 1000, image: ascentOf(1).image });
    worker!.say({ type: 'step', id, done: 1001, loss: 0 });
    worker!.finish();
    expect((await all(stream)).map((e) => ('done' in e ? e.done : e.type))).toEqual([
      'started',
      1000,
      'snapshot',
      1001,
      'done',
    ]);
  });

  it('end in the error of the worker, with its code, details and cause', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    const events = all(pool.submit(p, jobOf('a')));
    const [worker] = host.spawned;
    const failure = new PhospheneError('too-large', 'too large', { bytes: 7 }, new Error('inner'));
    worker!.say({ type: 'failed', id: worker!.jobs[0]!.id, error: failure.toJSON() });
    const caught = await events.catch((e: unknown) => e as PhospheneError);
    expect(caught).toBeInstanceOf(PhospheneError);
    expect(caught).toMatchObject({ code: 'too-large', message: 'too large', details: { bytes: 7 } });
    expect((caught as PhospheneError).cause).toContain('inner');
    // Its program may be what failed: the next one compiles it anew.
    pool.submit(p, jobOf('b'));
    expect(worker!.programs).toEqual(['+p', '-p', '+p']);
    expect(worker!.keys).toEqual(['a', 'b']);
  });

  it('end in an error if the job cannot cross threads', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    pool.submit(p, jobOf('first'));
    const [worker] = host.spawned;
    worker!.finish();
    const post = vi.spyOn(worker!, 'post').mockImplementationOnce(() => {
      throw new Error('could not be cloned');
    });
    await expect(all(pool.submit(p, jobOf('a')))).rejects.toThrow(
      error('runtime', 'the job cannot be sent to a worker: could not be cloned'),
    );
    post.mockRestore();
    pool.submit(p, jobOf('b'));
    expect(worker!.keys).toEqual(['first', 'b']);
  });
});

describe('cancelling', () => {
  it('ends one job at once and leaves the others; its worker is free when it says so', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    const stop = new AbortController();
    const a = all(pool.submit(p, jobOf('a'), { signal: stop.signal }));
    const b = all(pool.submit(p, jobOf('b')));
    const [worker] = host.spawned;
    const { id } = worker!.jobs[0]!;
    stop.abort('enough');
    await expect(a).rejects.toThrow(error('aborted', 'aborted'));
    await expect(a).rejects.toThrow(expect.objectContaining({ cause: 'enough' }));
    expect(worker!.told.at(-1)).toEqual({ type: 'cancel', id });
    expect(worker!.keys).toEqual(['a']);
    worker!.say({ type: 'failed', id, error: new PhospheneError('aborted', 'aborted').toJSON() });
    expect(worker!.keys).toEqual(['a', 'b']);
    // A program that was no reason to fail stays.
    expect(worker!.programs).toEqual(['+p']);
    worker!.finish();
    expect(await b).toHaveLength(1);
  });

  it('takes a job that waits out of the line', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    const stop = new AbortController();
    pool.submit(p, jobOf('a'));
    const b = all(pool.submit(p, jobOf('b'), { signal: stop.signal }));
    pool.submit(p, jobOf('c'));
    stop.abort();
    await expect(b).rejects.toThrow(error('aborted', 'aborted'));
    host.spawned[0]!.finish();
    expect(host.spawned[0]!.keys).toEqual(['a', 'c']);
    expect(host.spawned[0]!.told.some((m) => m.type === 'cancel')).toBe(false);
  });

  it('begins nothing if the signal has fired already', async () => {
    const host = fakeHost(1);
    await expect(all(createPool(host).submit(p, jobOf('a'), { signal: AbortSignal.abort('no') }))).rejects.toThrow(
      expect.objectContaining({ code: 'aborted', cause: 'no' }),
    );
    expect(host.spawned).toHaveLength(0);
  });

  it('is what leaving the loop does', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    const stream = pool.submit(p, jobOf('a'));
    const [worker] = host.spawned;
    const { id } = worker!.jobs[0]!;
    worker!.say({ type: 'started', id });
    for await (const event of stream) {
      expect(event).toEqual({ type: 'started' });
      break;
    }
    expect(worker!.told.at(-1)).toEqual({ type: 'cancel', id });
    expect(await stream.next()).toEqual({ done: true, value: undefined });
  });

  it('leaves no listener at the signal', () => {
    const { signal } = new AbortController();
    const add = vi.spyOn(signal, 'addEventListener');
    const remove = vi.spyOn(signal, 'removeEventListener');
    const host = fakeHost(1);
    createPool(host).submit(p, jobOf('a'), { signal });
    host.spawned[0]!.finish();
    expect(remove.mock.calls.map((c) => c.slice(0, 2))).toEqual(add.mock.calls.map((c) => c.slice(0, 2)));
    expect(add).toHaveBeenCalledTimes(1);
  });
});

describe('a death', () => {
  it('costs a job one more try, before jobs that came later, and no snapshot comes twice', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    const a = all(pool.submit(p, jobOf('a'), { snapshots: [1, 2] }));
    pool.submit(p, jobOf('b'));
    const { id } = host.spawned[0]!.jobs[0]!;
    const { image } = ascentOf(5);
    host.spawned[0]!.say({ type: 'started', id });
    host.spawned[0]!.say({ type: 'snapshot', id, step: 1, image });
    host.spawned[0]!.die(new Error('out of memory'));
    expect(host.spawned).toHaveLength(2);
    const [, second] = host.spawned;
    expect(second!.keys).toEqual(['a']);
    expect(second!.programs).toEqual(['+p']);
    for (const step of [1, 2]) second!.say({ type: 'snapshot', id, step, image });
    second!.say({ type: 'started', id });
    second!.finish();
    expect((await a).map((e) => (e.type === 'snapshot' ? e.step : e.type))).toEqual(['started', 1, 2, 'done']);
    expect(second!.keys).toEqual(['a', 'b']);
  });

  it('is the end of the job the second time, with its cause', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    const a = all(pool.submit(p, jobOf('a')));
    const b = all(pool.submit(p, jobOf('b')));
    const cause = new Error('out of memory');
    host.spawned[0]!.die(new Error('first'));
    host.spawned[1]!.die(cause);
    await expect(a).rejects.toThrow(error('runtime', 'a worker failed: out of memory'));
    await expect(a).rejects.toThrow(expect.objectContaining({ cause }));
    expect(host.spawned[2]!.keys).toEqual(['b']);
    host.spawned[2]!.finish();
    expect(await b).toHaveLength(1);
  });

  it('of an idle worker is made good when there is work', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    pool.submit(p, jobOf('a'));
    host.spawned[0]!.finish();
    host.spawned[0]!.die(new Error('gone'));
    expect(host.spawned).toHaveLength(1);
    const b = all(pool.submit(p, jobOf('b')));
    expect(host.spawned).toHaveLength(2);
    expect(host.spawned[0]!.keys).toEqual(['a']);
    host.spawned[1]!.finish();
    expect(await b).toHaveLength(1);
  });

  it('fails the jobs that wait if no other worker can be started', async () => {
    const host = fakeHost(1);
    let left = 1;
    const pool = createPool({
      ...host,
      spawn() {
        if (left-- > 0) return host.spawn();
        throw new Error('no threads left');
      },
    });
    const jobs = ['a', 'b'].map((key) => all(pool.submit(p, jobOf(key))));
    host.spawned[0]!.die(new Error('gone'));
    for (const job of jobs) await expect(job).rejects.toThrow(error('runtime', 'a worker failed: no threads left'));
  });

  it('of a worker that cannot even begin does not start others for ever', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    let built: (step: StepData) => void;
    const a = all(pool.submit(new Promise<StepData>((resolve) => (built = resolve)), jobOf('a')));
    host.spawned[0]!.die(new Error('no engine'));
    expect(host.spawned).toHaveLength(1);
    built!(p);
    await settled();
    host.spawned[1]!.die(new Error('no engine'));
    host.spawned[2]!.die(new Error('no engine'));
    await expect(a).rejects.toThrow(error('runtime', 'no engine'));
    expect(host.spawned).toHaveLength(3);
  });

  it('after its job was cancelled concerns nobody', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    const stop = new AbortController();
    const a = all(pool.submit(p, jobOf('a'), { signal: stop.signal }));
    stop.abort();
    await expect(a).rejects.toThrow(error('aborted', 'aborted'));
    pool.submit(p, jobOf('b'));
    host.spawned[0]!.die(new Error('gone'));
    expect(host.spawned.map((w) => w.keys)).toEqual([['a'], ['b']]);
  });
});

describe('close', () => {
  it('ends what is unfinished with `aborted`, lets every worker leave, and takes no more', async () => {
    const host = fakeHost(2);
    const pool = createPool(host);
    const jobs = ['a', 'b', 'c'].map((key) => all(pool.submit(p, jobOf(key))));
    const late = all(pool.submit(new Promise<StepData>(() => {}), jobOf('d')));
    const outcome = Promise.allSettled([...jobs, late]);
    const closing = pool.close();
    await closing;
    expect(host.spawned.map((w) => w.stopped)).toEqual([true, true]);
    for (const result of await outcome)
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'aborted' } });
    expect(host.spawned.map((w) => w.keys)).toEqual([['a'], ['b']]);
    await expect(all(pool.submit(p, jobOf('e')))).rejects.toThrow(error('aborted', 'the pool of workers was closed'));
    expect(host.spawned).toHaveLength(2);
    await pool[Symbol.asyncDispose]();
  });

  it('waits for workers, also when it is called twice', async () => {
    const host = fakeHost(1);
    const pool = createPool(host);
    pool.submit(p, jobOf('a'));
    let left: () => void;
    host.spawned[0]!.stop = () => new Promise<void>((resolve) => (left = resolve));
    let closed = 0;
    for (let i = 0; i < 2; i++) void pool.close().then(() => closed++);
    await settled();
    expect(closed).toBe(0);
    left!();
    await settled();
    expect(closed).toBe(2);
  });

  it('is nothing for a pool that did nothing', async () => {
    const host = fakeHost(1);
    await createPool(host).close();
    expect(host.spawned).toHaveLength(0);
  });
});
