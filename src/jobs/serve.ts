/** @file The whole worker, on every host: programs are compiled once, and jobs are run one after another. */
import { PhospheneError } from '../errors.ts';
import { ascend, type CompiledStep } from '../render/ascend.ts';
import type { Runtime } from '../runtime/index.ts';
import type { StepData } from '../step/step.ts';
import type { Port, ToWorker } from './protocol.ts';

/** Milliseconds between two reports of a job: often enough for a smooth bar, seldom enough to cost nothing. */
const REPORT_EVERY = 100;
/** Milliseconds after which a job lets messages in. */
const LISTEN_EVERY = 10;

type JobMessage = Extract<ToWorker, { type: 'job' }>;
type CompiledProgram = CompiledStep & { readonly dispose: () => Promise<void> };

/**
 * Serves a port until it is told to end. The engine is loaded at once. Programs stay compiled until they are forgotten; a program
 * that cannot be compiled fails each job that wants it. Nothing is thrown: errors are posted to the job that they belong to.
 *
 * @example
 * serve({ post, receive, stopped: () => false, close }, nodeRuntime);
 */
export function serve(port: Port, runtime: Runtime): void {
  const programs = new Map<string, Promise<CompiledProgram>>();
  const jobs = new Map<number, AbortController>();
  let ended = false;
  const stopped = (): boolean => ended || port.stopped();

  const free = async (id: string): Promise<void> => {
    const program = programs.get(id);
    programs.delete(id);
    // One that could not be compiled, or cannot be freed, has nothing that could still be done about it.
    await program?.then((p) => p.dispose()).catch(() => {});
  };
  const leave = async (): Promise<void> => {
    for (const id of programs.keys()) await free(id);
    port.close();
  };

  // Tasks are done in the order in which they came, so that a job finds the program that was sent before it.
  let tail: Promise<void> = Promise.resolve();
  const inTurn = (task: () => void | Promise<void>): void => {
    tail = tail.then(task);
  };

  const work = async (message: JobMessage, signal: AbortSignal): Promise<void> => {
    const { id, program, job, snapshots } = message;
    const check = (): void => {
      if (signal.aborted || stopped()) throw new PhospheneError('aborted', 'aborted');
    };
    check();
    const compiling = programs.get(program);
    if (!compiling) throw new Error(`internal: the program ${program} was not sent before its job`);
    const compiled = await compiling;
    await listen();
    check();
    port.post({ type: 'started', id });
    const run = ascend(compiled, job);
    try {
      let reported = -Infinity;
      let listened = performance.now();
      for (;;) {
        const next = await run.next();
        if (next.done) return port.post({ type: 'done', id, ascent: next.value });
        const { done, loss, image } = next.value;
        if (snapshots.includes(done)) port.post({ type: 'snapshot', id, step: done, image: await image() });
        const now = performance.now();
        if (now - reported >= REPORT_EVERY) {
          reported = now;
          port.post({ type: 'step', id, done, loss });
        }
        if (now - listened >= LISTEN_EVERY) {
          await listen();
          listened = performance.now();
        }
        check();
      }
    } finally {
      // Ends the engine's run if the job was left half-way.
      await run.return(undefined as never);
    }
  };

  port.receive((message) => {
    if (ended) return;
    switch (message.type) {
      case 'program':
        return inTurn(async () => {
          if (stopped()) return;
          const compiling = compile(message.step, runtime);
          programs.set(message.step.id, compiling);
          await compiling.catch(() => {});
        });
      case 'forget':
        return inTurn(() => free(message.id));
      case 'cancel':
        return jobs.get(message.id)?.abort();
      case 'job': {
        const abort = new AbortController();
        jobs.set(message.id, abort);
        return inTurn(async () => {
          try {
            await work(message, abort.signal);
          } catch (error) {
            port.post({ type: 'failed', id: message.id, error: explained(error).toJSON() });
          } finally {
            jobs.delete(message.id);
          }
        });
      }
      case 'end':
        ended = true;
        return inTurn(leave);
    }
  });
  // While the program is still being built. If it fails, so will compiling, which has a job to tell.
  inTurn(() => runtime.load().catch(() => {}));
}

async function compile({ graph, image, states, feeds, values }: StepData, runtime: Runtime): Promise<CompiledProgram> {
  const plan = { states, feeds, values };
  const program = await runtime.compile(graph);
  if ('state' in image) return { ...plan, program, image, dispose: () => program.dispose() };
  let picture;
  try {
    picture = await runtime.compile(image);
  } catch (error) {
    await program.dispose();
    throw error;
  }
  const dispose = async (): Promise<void> => {
    await Promise.all([program.dispose(), picture.dispose()]);
  };
  return { ...plan, program, image: picture, dispose };
}

function explained(error: unknown): PhospheneError {
  if (error instanceof PhospheneError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new PhospheneError('runtime', `a worker failed: ${message}`, {}, error);
}

/** Lets a worker hear its messages: an engine may compute without ever giving its thread back. Timers would make it wait. */
async function listen(): Promise<void> {
  const { setImmediate } = globalThis as { readonly setImmediate?: (done: () => void) => void };
  // Node has it. A channel would not do there: Node reads up to a thousand messages of one channel before it looks at another.
  if (setImmediate) return new Promise((resolve) => setImmediate(resolve));
  const { port1, port2 } = new MessageChannel();
  await new Promise<void>((resolve) => {
    // Node's types leave this out.
    (port1 as unknown as { onmessage?: () => void }).onmessage = resolve;
    port2.postMessage(undefined);
  });
  port1.close();
}
