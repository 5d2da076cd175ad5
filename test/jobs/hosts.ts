/** @file Hosts for tests: workers that do what the test says, and workers that serve in the test's own thread. */
import type { FromWorker, Host, ToWorker, WorkerHandle } from '../../src/jobs/protocol.ts';
import { serve } from '../../src/jobs/serve.ts';
import type { Runtime } from '../../src/runtime/index.ts';
import type { Job, StepData } from '../../src/step/step.ts';

/** A worker of which the test is the inside. */
export class FakeWorker implements WorkerHandle {
  /** What it was told, in order. */
  readonly told: ToWorker[] = [];
  stopped = false;
  #message: (m: FromWorker) => void = () => {};
  #death: (cause: unknown) => void = () => {};

  post(message: ToWorker): void {
    this.told.push(message);
  }
  onMessage(listener: (m: FromWorker) => void): void {
    this.#message = listener;
  }
  onDeath(listener: (cause: unknown) => void): void {
    this.#death = listener;
  }
  async stop(): Promise<void> {
    this.stopped = true;
  }

  say(message: FromWorker): void {
    this.#message(message);
  }
  die(cause: unknown): void {
    this.#death(cause);
  }
  /** The jobs that it was given, by key. */
  get jobs(): { id: number; key: string; program: string; snapshots: readonly number[] }[] {
    return this.told.flatMap((m) =>
      m.type === 'job' ? [{ id: m.id, key: m.job.key, program: m.program, snapshots: m.snapshots }] : [],
    );
  }
  get keys(): string[] {
    return this.jobs.map((j) => j.key);
  }
  /** What it was told of programs: `+id` and `-id`. */
  get programs(): string[] {
    return this.told.flatMap((m) =>
      m.type === 'program' ? [`+${m.step.id}`] : m.type === 'forget' ? [`-${m.id}`] : [],
    );
  }
  /** Finishes its last job. */
  finish(): void {
    this.say({ type: 'done', id: this.jobs.at(-1)!.id, ascent: ascentOf(1) });
  }
}

export interface FakeHost extends Host {
  readonly spawned: FakeWorker[];
}

export function fakeHost(parallelism: number, more: Partial<Host> = {}): FakeHost {
  const spawned: FakeWorker[] = [];
  return {
    spawned,
    parallelism,
    spawn() {
      const worker = new FakeWorker();
      spawned.push(worker);
      return worker;
    },
    ...more,
  };
}

/**
 * Workers in this thread. Messages are copied as they are between threads, and come later. `kill` lets the last one die with a
 * cause; nothing of it is heard after that.
 */
export function inlineHost(
  runtime: Runtime,
  parallelism = 1,
): Host & { readonly spawned: () => number; readonly left: () => number; readonly kill: (cause: unknown) => void } {
  let spawned = 0;
  let left = 0;
  let last: (cause: unknown) => void = () => {};
  return {
    parallelism,
    spawned: () => spawned,
    left: () => left,
    kill: (cause) => last(cause),
    spawn() {
      spawned++;
      let stopped = false;
      let dead = false;
      let toWorker: (m: ToWorker) => void = () => {};
      let fromWorker: (m: FromWorker) => void = () => {};
      let leave: () => void;
      const gone = new Promise<void>((resolve) => (leave = resolve));
      const later = (deliver: () => void): void => void setImmediate(() => dead || deliver());
      serve(
        {
          post(message) {
            const copy = structuredClone(message);
            later(() => fromWorker(copy));
          },
          receive: (listener) => (toWorker = listener),
          stopped: () => stopped || dead,
          close() {
            left++;
            leave();
          },
        },
        runtime,
      );
      return {
        post(message) {
          const copy = structuredClone(message);
          later(() => toWorker(copy));
        },
        onMessage: (listener) => (fromWorker = listener),
        onDeath(listener) {
          last = (cause) => {
            dead = true;
            listener(cause);
          };
        },
        async stop() {
          stopped = true;
          toWorker({ type: 'end' });
          await gone;
        },
      };
    },
  };
}

/** A program of which nothing but the id matters. */
export function programOf(id: string): StepData {
  return {
    id,
    graph: Uint8Array.of(1, 2),
    image: { state: 'z' },
    states: [{ name: 'z', dtype: 'float32', dims: [1], start: { kind: 'fill', value: 0 } }],
    feeds: [],
    values: [],
  };
}

export function jobOf(key: string, steps = 1): Job {
  return { values: {}, key, steps };
}

const okay = { status: 'ok', before: 0, after: 0, plain: 0 } as const;

export function ascentOf(value: number) {
  return {
    image: { dtype: 'float32', dims: [1], data: Float32Array.of(value) },
    losses: [value],
    diagnosis: okay,
  } as const;
}

/** Lets everything happen that is about to. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

export async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const taken: T[] = [];
  for await (const event of stream) taken.push(event);
  return taken;
}
