/** @file Web workers, with a page and a worker's scope that are the test's own. */
import { describe, expect, it, vi } from 'vitest';
import { createPool } from '../../src/jobs/pool.ts';
import type { FromWorker, ToWorker } from '../../src/jobs/protocol.ts';
import { type WebWorker, webHost } from '../../src/jobs/web-host.ts';
import { serveWebWorker, type WorkerScope } from '../../src/jobs/web-worker.ts';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { createWebRuntime } from '../../src/runtime/web.ts';
import { StepBuilder } from '../../src/step/builder.ts';
import type { StepData } from '../../src/step/step.ts';
import { all, jobOf, programOf, settled } from './hosts.ts';

/** A worker of a page, as far as {@link webHost} sees it. */
class FakeWebWorker extends EventTarget {
  readonly told: ToWorker[] = [];
  terminated = 0;
  postMessage(message: ToWorker): void {
    this.told.push(message);
  }
  terminate(): void {
    this.terminated++;
  }
  emit(type: string, more: object): void {
    this.dispatchEvent(Object.assign(new Event(type), more));
  }
}
const asWorker = (worker: FakeWebWorker): WebWorker => worker as unknown as WebWorker;

describe('web workers', () => {
  it('are as many as the browser says there are cores', () => {
    vi.stubGlobal('navigator', { hardwareConcurrency: 5 });
    expect(webHost(() => asWorker(new FakeWebWorker())).parallelism).toBe(5);
    vi.stubGlobal('navigator', undefined);
    expect(webHost(() => asWorker(new FakeWebWorker())).parallelism).toBe(2);
    vi.unstubAllGlobals();
    expect(webHost(() => asWorker(new FakeWebWorker()), { parallelism: 3 }).parallelism).toBe(3);
  });

  it.each([
    ['error', { message: 'out of memory' }, 'out of memory'],
    ['error', { message: '' }, 'its script could not be loaded'],
    ['messageerror', {}, 'a message could not be read'],
  ])('that die of an %s are replaced, and their end is told: %o', async (type, event, cause) => {
    const workers: FakeWebWorker[] = [];
    const pool = createPool(
      webHost(
        () => {
          workers.push(new FakeWebWorker());
          return asWorker(workers.at(-1)!);
        },
        { parallelism: 1 },
      ),
    );
    const events = all(pool.submit(programOf('p'), jobOf('a')));
    workers[0]!.emit(type, event);
    // The second complaint of one worker counts for nothing.
    workers[0]!.emit('error', event);
    expect(workers.map((w) => w.terminated)).toEqual([1, 0]);
    expect(workers[1]!.told.map((m) => m.type)).toEqual(['program', 'job']);
    workers[1]!.emit(type, event);
    await expect(events).rejects.toMatchObject({ code: 'runtime', message: `a worker failed: ${cause}` });
  });

  it('are terminated when the pool is closed, which is no death', async () => {
    const worker = new FakeWebWorker();
    const handle = webHost(() => asWorker(worker)).spawn();
    const died = vi.fn();
    handle.onDeath(died);
    await handle.stop();
    worker.emit('error', { message: 'late' });
    expect(worker.terminated).toBe(1);
    expect(died).not.toHaveBeenCalled();
  });

  it('make pictures with WebAssembly, from the page to the engine and back', async () => {
    const s = new StepBuilder(new Builder());
    const z = s.state('z', [1, 1, 1, 2], { kind: 'fill', value: 1 });
    s.next(z, s.b.mul(z, 3));
    const program: StepData = {
      id: 'p',
      graph: encodeOnnx(s.b.graph({ loss: s.b.sum(z, undefined, false), ...s.nexts() })),
      image: { state: 'z' },
      states: s.states,
      feeds: [],
      values: [],
    };
    const page = new FakeWebWorker();
    const inside = new EventTarget();
    const close = vi.fn();
    page.postMessage = (message) =>
      void inside.dispatchEvent(Object.assign(new Event('message'), { data: structuredClone(message) }));
    const scope = {
      postMessage: (message: FromWorker) => page.emit('message', { data: structuredClone(message) }),
      addEventListener: (type: 'message', listener: (event: { data: ToWorker }) => void) =>
        inside.addEventListener(type, listener as unknown as (event: Event) => void),
      close,
    } satisfies WorkerScope;
    serveWebWorker(createWebRuntime(), scope);
    const pool = createPool(webHost(() => asWorker(page), { parallelism: 1 }));
    const events = await all(pool.submit(program, jobOf('a', 3), { snapshots: [2] }));
    expect(events.map((e) => e.type)).toEqual(['started', 'step', 'snapshot', 'done']);
    expect(events[2]).toMatchObject({ step: 2, image: { dims: [1, 1, 1, 2], data: Float32Array.of(9, 9) } });
    expect(events[3]).toMatchObject({ ascent: { losses: [2, 6, 18], image: { data: Float32Array.of(27, 27) } } });
    page.postMessage({ type: 'end' });
    await settled();
    expect(close).toHaveBeenCalledTimes(1);
  });
});
