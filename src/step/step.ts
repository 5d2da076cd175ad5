/**
 * @file One step of ascent as data: a graph, the states that it carries on, what it is fed anew each step, and what it is given once
 * a picture. Whoever runs it needs to know nothing else: neither the model, nor the objective, nor how a picture is parameterised.
 */
import type { Graph, ValueInfo } from '../ir/graph.ts';
import type { Dims, DType, Tensor, Tensors } from '../ir/tensor.ts';
import { Random } from '../random.ts';
import { type Draw, drawn, middleOf } from './draw.ts';

export type { Tensors } from '../ir/tensor.ts';
export { NEXT } from '../runtime/index.ts';

/** The scalar output of a step's graph: the objective of the picture that entered the step. */
export const LOSS = 'loss';
/** The output of a step's `image` graph: [n, c, h, w], values about [-1, 1]. */
export const IMAGE = 'image';
/** The feed that says whether gradients are redirected in a step, if they ever are: 1 or 0. */
export const REDIRECT = 'redirect';
/** The state that is drawn from the job's own stream: the first of a parameterisation. */
export const Z = 'z';

/** A tensor that a step takes and gives on: the parameters of the picture, the moments of an optimiser. */
export interface State {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: Dims;
  /** How it begins, unless the job says otherwise. */
  readonly start: Draw;
}

/** A tensor that is drawn anew for every step. */
export interface Feed {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: Dims;
  readonly draw: Draw;
}

/** What a step consists of besides its graphs. */
export interface StepPlan {
  readonly states: readonly State[];
  readonly feeds: readonly Feed[];
  /** Given once a picture: the channel, the rate … The graph takes exactly these. */
  readonly values: readonly ValueInfo[];
}

/** One step of ascent. Plain data, but for the constants of its graphs. */
export interface Step extends StepPlan {
  /** States, feeds and values → `loss`, and `next/STATE` for every state. */
  readonly graph: Graph;
  /** States → `image`; or the name of the state that is the picture itself. Run only when someone looks. */
  readonly image: Graph | { readonly state: string };
}

/** A step as it crosses threads: its graphs are ONNX bytes. */
export interface StepData extends StepPlan {
  /** Equal ids are the same program. */
  readonly id: string;
  readonly graph: Uint8Array;
  readonly image: Uint8Array | { readonly state: string };
}

/** One picture to be made by a step. */
export interface Job {
  /** A tensor for every value of the step. */
  readonly values: Tensors;
  /** Of the random streams: jobs of the same key draw the same numbers, whatever the order or the worker. */
  readonly key: string;
  /** How many steps to run, from 0. */
  readonly steps: number;
  /** States that begin otherwise than drawn, such as a photo. */
  readonly start?: Tensors;
  /** Which picture is kept; the last unless given. */
  readonly keep?: 'last' | 'best';
  /** Steps without a better loss after which it ends before its time; 0, and unless given, for none. */
  readonly patience?: number;
}

/** The states that a job begins with. */
export function startStates(plan: StepPlan, job: Pick<Job, 'key' | 'start'>): Record<string, Tensor> {
  return Object.fromEntries(
    plan.states.map(({ name, dtype, dims, start }) => [
      name,
      job.start?.[name] ??
        // The picture's own noise depends on the key alone, so that it is the same with any optimiser or transform.
        drawn(start, dtype, dims, new Random(name === Z ? job.key : `${job.key}/${name}`)),
    ]),
  );
}

/** What step number `step` (from 1) of a job is fed, besides its states. */
export function feedsAt(
  plan: StepPlan,
  job: Pick<Job, 'key' | 'values' | 'steps'>,
  step: number,
): Record<string, Tensor> {
  const feeds: Record<string, Tensor> = {};
  for (const { name } of plan.values) {
    const value = job.values[name];
    if (!value) throw new Error(`internal: the step needs the value \`${name}\``);
    feeds[name] = value;
  }
  const progress = (step - 1) / Math.max(1, job.steps - 1);
  for (const { name, dtype, dims, draw } of plan.feeds)
    feeds[name] = drawn(draw, dtype, dims, new Random(`${job.key}/${name}/${step}`), progress, step);
  return feeds;
}

/** Whether a job is fed anything that chance decides. */
export function isShaken({ feeds }: Pick<StepPlan, 'feeds'>): boolean {
  return feeds.some(({ draw }) => middleOf(draw) !== draw);
}

/** The same plan without chance: each feed in the middle of what could be drawn, so that transforms leave the picture as it is. */
export function unshaken(plan: StepPlan): StepPlan {
  return { ...plan, feeds: plan.feeds.map((feed) => ({ ...feed, draw: middleOf(feed.draw) })) };
}
