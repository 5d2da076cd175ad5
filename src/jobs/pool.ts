/** @file The pool: jobs in order of priority, on workers that stay, with programs that stay compiled. */
import { PhospheneError } from '../errors.ts';
import type { Packed } from '../ir/onnx.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { Ascent } from '../render/ascend.ts';
import type { Job, StepData } from '../step/step.ts';
import { type Events, events } from './events.ts';
import type { FromWorker, Host, WorkerHandle } from './protocol.ts';

/** What happens to a job. */
export type JobEvent =
  /** Its program is compiled and its first step begins. */
  | { readonly type: 'started' }
  /** The first step, and then about ten times a second; less often if the events are not taken in time. */
  | { readonly type: 'step'; readonly done: number; readonly loss: number }
  /** The picture after a step that was asked for. */
  | { readonly type: 'snapshot'; readonly step: number; readonly image: Tensor<'float32'> }
  /** The end. */
  | { readonly type: 'done'; readonly ascent: Ascent };

export interface SubmitOptions {
  /** Stops this job and no other. */
  readonly signal?: AbortSignal | undefined;
  /** Jobs of a higher number come first; among equals, the one that was submitted first. 0 by default. */
  readonly priority?: number | undefined;
  /** Steps after which the picture is wanted, from 1. None by default. */
  readonly snapshots?: readonly number[] | undefined;
}

/** Workers that stay, and the jobs that wait for them. */
export interface Pool extends AsyncDisposable {
  /** How many workers there can be. */
  readonly workers: number;
  /** Starts up to so many workers now, so that they load their engine while a program is still being built. Throws nothing. */
  start(count?: number): void;
  /**
   * Queues a job at once, whether or not its events are taken, and starts a worker for it if one can be started: so a worker loads
   * its engine while a promised program is still being built. Leaving the loop over the events stops the job.
   *
   * The loop throws `runtime` if a worker failed, `aborted` if the signal fired or the pool was closed, and what the promise of the
   * program threw. A worker that dies costs its job one more try on another worker: steps are then counted anew, but no snapshot
   * comes twice.
   *
   * @example
   * for await (const event of pool.submit(program, { values, key: '0/layer/7', steps: 30 }))
   *   if (event.type === 'done') show(event.ascent.image);
   */
  submit(
    program: StepData | Promise<StepData>,
    job: Job,
    options?: SubmitOptions,
  ): AsyncIterableIterator<JobEvent, void>;
  /** Ends unfinished jobs with `aborted`, and resolves once every worker has left. */
  close(): Promise<void>;
}

/** How large a pool is. */
export interface PoolOptions {
  /** Most workers at a time, from 1; by default as many as the host can keep busy. */
  readonly workers?: number | undefined;
  /**
   * How many programs each worker keeps compiled, from 1; 2 by default. Each takes the memory of a whole step while it is kept, so
   * that who counts memory multiplies by this.
   */
  readonly warm?: number | undefined;
}

/** How often a job is tried on another worker after one died. */
const TRIES = 2;

interface Entry {
  readonly id: number;
  readonly job: Job;
  readonly priority: number;
  readonly snapshots: readonly number[];
  readonly events: Events<JobEvent>;
  /** Detaches it from its signal. */
  readonly release: () => void;
  program?: StepData;
  worker?: Member;
  tries: number;
  started: boolean;
  /** The last snapshot that was given. */
  shown: number;
}

interface Member {
  readonly handle: WorkerHandle;
  /** Ids of the programs that it keeps, the one used longest ago first. */
  readonly warm: Set<string>;
  /** The job that it is at; it may be over for everyone else already. */
  busy?: number | undefined;
}

/**
 * A pool of a host's workers. None is started before the first job.
 *
 * @example
 * await using pool = createPool(nodeHost());
 * for await (const event of pool.submit(program, job)) if (event.type === 'done') console.log(event.ascent.losses);
 */
export function createPool(host: Host, { workers = host.parallelism, warm = 2 }: PoolOptions = {}): Pool {
  for (const [option, value] of Object.entries({ workers, warm }))
    if (!Number.isInteger(value) || value < 1)
      throw new PhospheneError('bad-option', `${option}: ${value} found; it takes a whole number from 1`, {
        option,
        value,
      });

  /** Jobs that are not over. */
  const entries = new Map<number, Entry>();
  const members = new Set<Member>();
  const shared = new WeakMap<StepData, StepData>();
  let ids = 0;
  let closing: Promise<void> | undefined;

  const settle = (entry: Entry, failure?: { readonly error: unknown }): void => {
    entries.delete(entry.id);
    entry.release();
    entry.events.end(failure);
    // Its worker is free when it says so.
    if (entry.worker?.busy === entry.id) entry.worker.handle.post({ type: 'cancel', id: entry.id });
    dispatch();
  };

  const spawn = (): Member => {
    const handle = host.spawn();
    const member: Member = { handle, warm: new Set() };
    members.add(member);
    handle.onMessage((message) => receive(member, message));
    handle.onDeath((cause) => bury(member, cause));
    return member;
  };

  const receive = (member: Member, message: FromWorker): void => {
    const entry = entries.get(message.id);
    const over = message.type === 'done' || message.type === 'failed';
    if (over) member.busy = undefined;
    if (entry?.worker !== member) {
      // It was cancelled, and this is its end.
      if (over) dispatch();
      return;
    }
    switch (message.type) {
      case 'started':
        if (!entry.started) entry.events.push({ type: 'started' });
        entry.started = true;
        return;
      case 'step':
        return entry.events.push({ type: 'step', done: message.done, loss: message.loss });
      case 'snapshot':
        if (message.step > entry.shown)
          entry.events.push({ type: 'snapshot', step: message.step, image: message.image });
        entry.shown = Math.max(entry.shown, message.step);
        return;
      case 'done':
        entry.events.push({ type: 'done', ascent: message.ascent });
        return settle(entry);
      case 'failed':
        // It may be its program that failed; the next job with it finds out anew.
        if (member.warm.delete(entry.program!.id)) member.handle.post({ type: 'forget', id: entry.program!.id });
        return settle(entry, { error: PhospheneError.fromJSON(message.error) });
    }
  };

  const bury = (member: Member, cause: unknown): void => {
    members.delete(member);
    const entry = entries.get(member.busy ?? -1);
    if (entry?.worker === member) {
      delete entry.worker;
      if (entry.tries >= TRIES) return settle(entry, { error: workerFailed(cause) });
    }
    dispatch();
  };

  const dispatch = (): void => {
    if (closing) return;
    for (;;) {
      const entry = first(entries.values());
      if (!entry) return;
      const idle = [...members].filter((m) => m.busy === undefined);
      let member = idle.find((m) => m.warm.has(entry.program!.id)) ?? idle[0];
      if (!member) {
        if (members.size >= workers) return;
        try {
          member = spawn();
        } catch (error) {
          settle(entry, { error: workerFailed(error) });
          continue;
        }
      }
      assign(entry, member);
    }
  };

  const assign = (entry: Entry, member: Member): void => {
    const program = entry.program!;
    member.busy = entry.id;
    entry.worker = member;
    entry.tries++;
    const known = member.warm.delete(program.id);
    // Before the new one, so that there are never more than that.
    if (!known) for (const id of [...member.warm].slice(0, member.warm.size - warm + 1)) forget(member, id);
    const { id, job, snapshots } = entry;
    try {
      if (!known) member.handle.post({ type: 'program', step: share(program) });
      member.warm.add(program.id);
      member.handle.post({ type: 'job', id, program: program.id, job, snapshots });
    } catch (error) {
      // Something in it cannot cross threads: nobody's fault but the job's.
      member.busy = undefined;
      const message = `the job cannot be sent to a worker: ${(error as Error).message}`;
      settle(entry, { error: new PhospheneError('runtime', message, {}, error) });
    }
  };

  const forget = (member: Member, id: string): void => {
    member.warm.delete(id);
    member.handle.post({ type: 'forget', id });
  };

  /** Bytes are copied into shared memory once a program, however many workers get it. */
  const share = (step: StepData): StepData => {
    if (!host.share) return step;
    const to = (bytes: Uint8Array): Uint8Array => host.share!(bytes);
    const found = shared.get(step);
    if (found) return found;
    const { graph, image } = step;
    const made = {
      ...step,
      graph: sharedBytes(graph, to),
      image: 'state' in image ? image : sharedBytes(image, to),
    };
    shared.set(step, made);
    return made;
  };

  const submit: Pool['submit'] = (program, job, { signal, priority = 0, snapshots = [] } = {}) => {
    const aborted = (): PhospheneError => new PhospheneError('aborted', 'aborted', {}, signal?.reason);
    const stop = (): void => settle(entry, { error: aborted() });
    const entry: Entry = {
      id: ++ids,
      job,
      priority,
      snapshots,
      events: events<JobEvent>({
        replaces: (event, before) => event.type === 'step' && before.type === 'step',
        left: () => settle(entry),
      }),
      release: () => signal?.removeEventListener('abort', stop),
      tries: 0,
      started: false,
      shown: 0,
    };
    const { stream } = entry.events;
    if (closing) entry.events.end({ error: closed() });
    else if (signal?.aborted) entry.events.end({ error: aborted() });
    else {
      signal?.addEventListener('abort', stop);
      entries.set(entry.id, entry);
      try {
        // Promised or not, its worker can load the engine meanwhile.
        if (members.size < Math.min(workers, entries.size)) spawn();
      } catch (error) {
        settle(entry, { error: workerFailed(error) });
      }
    }
    if (program instanceof Promise) {
      program.then(
        (step) => {
          entry.program = step;
          dispatch();
        },
        (error: unknown) => entries.has(entry.id) && settle(entry, { error }),
      );
    } else {
      entry.program = program;
      dispatch();
    }
    return stream;
  };

  const start = (count: number = workers): void => {
    try {
      while (!closing && members.size < Math.min(count, workers)) spawn();
    } catch {
      // A job that needs the worker says why it cannot be had.
    }
  };

  const close = (): Promise<void> => {
    if (!closing) {
      const leaving = [...members];
      closing = Promise.resolve();
      for (const entry of entries.values()) settle(entry, { error: closed() });
      closing = Promise.all(leaving.map(({ handle }) => handle.stop())).then(() => members.clear());
    }
    return closing;
  };

  return { workers, start, submit, close, [Symbol.asyncDispose]: close };
}

function sharedBytes(bytes: Packed | Uint8Array, share: (bytes: Uint8Array) => Uint8Array): Packed | Uint8Array {
  if (bytes instanceof Uint8Array) return share(bytes);
  return { model: share(bytes.model), weights: share(bytes.weights) };
}

/** The next job to be given to a worker. */
function first(entries: Iterable<Entry>): Entry | undefined {
  let best: Entry | undefined;
  // They come in the order in which they were submitted.
  for (const entry of entries)
    if (entry.program && !entry.worker && (!best || entry.priority > best.priority)) best = entry;
  return best;
}

function workerFailed(cause: unknown): PhospheneError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new PhospheneError('runtime', `a worker failed: ${message}`, {}, cause);
}

function closed(): PhospheneError {
  return new PhospheneError('aborted', 'aborted: the pool of workers was closed');
}
