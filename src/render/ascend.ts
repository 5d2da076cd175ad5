/** @file The ascent of one picture: a job run step by step on a compiled step. */
import { PhospheneError } from '../errors.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { Program, Run } from '../runtime/index.ts';
import {
  feedsAt,
  IMAGE,
  isShaken,
  type Job,
  LOSS,
  REDIRECT,
  startStates,
  type StepPlan,
  type Tensors,
  unshaken,
} from '../step/step.ts';
import { type Diagnosis, diagnose } from './diagnosis.ts';
import { judgeOf } from './iterate.ts';

/** A step, compiled. */
export interface CompiledStep extends StepPlan {
  readonly program: Program;
  /** The program from the states to `image`, or the name of the state that is the picture itself. */
  readonly image: Program | { readonly state: string };
}

/** After a step. */
export interface Progress {
  /** Steps done, from 1. */
  readonly done: number;
  /** The objective of the picture that entered the step. */
  readonly loss: number;
  /** The picture as it is now, [n, c, h, w]. Costs nothing if it is not called. */
  readonly image: () => Promise<Tensor<'float32'>>;
}

/** What came of a job. */
export interface Ascent {
  /** [n, c, h, w], values about [-1, 1], not clipped. */
  readonly image: Tensor<'float32'>;
  /** The objective before each step that was taken: fewer than asked for, if patience ended. */
  readonly losses: readonly number[];
  readonly diagnosis: Diagnosis;
}

/**
 * Runs a job and yields after each step; the picture is returned at the end. It is the last one, or, if the job keeps the best, the one that
 * entered the step of the best loss: under random transforms that of the best mean of some losses, if it is also better than the last one
 * when both are seen plainly. Throws `aborted` if the signal fires between two
 * steps, and `runtime`.
 *
 * @example
 * const run = ascend(compiled, { values: valuesOf(parts), key: '0/conv3_block4_out/7', steps: 30 });
 * let next = await run.next();
 * while (!next.done) next = await run.next();
 * next.value.image; // [1, 3, 180, 180]
 */
export async function* ascend(step: CompiledStep, job: Job, signal?: AbortSignal): AsyncGenerator<Progress, Ascent> {
  const states = startStates(step, job);
  const run = await step.program.open(states);
  try {
    const start = await pictureOf(step, (name) => Promise.resolve(states[name]!));
    const losses: number[] = [];
    const judge = judgeOf(job.patience ?? 0, isShaken(step));
    let best: Tensors | undefined;
    for (let done = 1; done <= job.steps; done++) {
      if (signal?.aborted) throw new PhospheneError('aborted', 'aborted', {}, signal.reason);
      const entering = job.keep === 'best' ? await statesOf(step, run) : undefined;
      const loss = lossOf(await run.step(feedsAt(step, job, done)));
      losses.push(loss);
      yield { done, loss, image: () => pictureOf(step, (name) => run.read(name)) };
      const { isBest, isOver } = judge(loss);
      if (isBest) best = entering;
      if (isOver) break;
    }
    // Without a step, nothing has changed.
    const last = job.steps === 0 ? start : await pictureOf(step, (name) => run.read(name));
    let image = last;
    // What looking does to the states is of no account: they are closed next.
    const look = async (of: Run): Promise<number> => lossOf(await of.step(feedsAt(unshaken(step), job, job.steps)));
    let plain = losses.length > 0 && (isShaken(step) || best) ? await look(run) : undefined;
    if (best) {
      const kept = await step.program.open(best);
      try {
        const theirs = await look(kept);
        // Also if the last one is no number.
        if (!(plain! >= theirs))
          [image, plain] = [await pictureOf(step, (name) => Promise.resolve(best[name]!)), theirs];
      } finally {
        await kept.close();
      }
    }
    const diagnosis = diagnose({
      losses,
      start,
      image,
      last,
      ...(plain === undefined ? {} : { plain }),
      redirected: redirectedIn(step),
    });
    return { image, losses, diagnosis };
  } finally {
    await run.close();
  }
}

function lossOf(results: Tensors): number {
  return (results[LOSS]!.data as Float32Array)[0]!;
}

async function statesOf({ states }: StepPlan, run: Run): Promise<Tensors> {
  return Object.fromEntries(await Promise.all(states.map(async ({ name }) => [name, await run.read(name)] as const)));
}

function redirectedIn({ feeds }: StepPlan): number {
  const draw = feeds.find(({ name }) => name === REDIRECT)?.draw;
  return draw?.kind === 'first' ? draw.steps : 0;
}

async function pictureOf(
  { image, states }: CompiledStep,
  read: (state: string) => ReturnType<Run['read']>,
): Promise<Tensor<'float32'>> {
  if ('state' in image) return (await read(image.state)) as Tensor<'float32'>;
  const now = await Promise.all(states.map(async ({ name }) => [name, await read(name)] as const));
  return (await image.run(Object.fromEntries(now)))[IMAGE] as Tensor<'float32'>;
}
