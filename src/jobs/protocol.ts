/** @file What pools and workers say to each other, and what a host gives a pool: plain data, the same on every platform. */
import type { ErrorData } from '../errors.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { Ascent } from '../render/ascend.ts';
import type { Job, StepData } from '../step/step.ts';

/** What a worker is told. It does one thing after another, but hears `cancel` and `end` between two steps. */
export type ToWorker =
  /** Compile this program and keep it. */
  | { readonly type: 'program'; readonly step: StepData }
  /** Free the program of this id. */
  | { readonly type: 'forget'; readonly id: string }
  /** Make a picture with a program that was sent before; answered by `done` or `failed`. */
  | {
      readonly type: 'job';
      readonly id: number;
      readonly program: string;
      readonly job: Job;
      /** Steps after which the picture is wanted, from 1. */
      readonly snapshots: readonly number[];
    }
  /** Stop this job; answered by `failed` with the code `aborted`, unless it is over already. */
  | { readonly type: 'cancel'; readonly id: number }
  /** Stop everything, free everything, and leave. */
  | { readonly type: 'end' };

/** What a worker tells. */
export type FromWorker =
  /** The program is compiled and the job's first step begins. */
  | { readonly type: 'started'; readonly id: number }
  /** The first step, and then now and then. */
  | { readonly type: 'step'; readonly id: number; readonly done: number; readonly loss: number }
  | { readonly type: 'snapshot'; readonly id: number; readonly step: number; readonly image: Tensor<'float32'> }
  | { readonly type: 'done'; readonly id: number; readonly ascent: Ascent }
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorData };

/**
 * The memory of a message that goes with it, where a host would else copy it: a picture that is sent is not used again by who sent it.
 *
 * @example
 * port.postMessage(message, transfersOf(message));
 */
export function transfersOf(message: FromWorker): ArrayBuffer[] {
  const image =
    message.type === 'done' ? message.ascent.image : message.type === 'snapshot' ? message.image : undefined;
  return image?.data.buffer instanceof ArrayBuffer ? [image.data.buffer] : [];
}

/** A worker's side of the line. */
export interface Port {
  post(message: FromWorker): void;
  /** Calls `listener` for every message from now on. */
  receive(listener: (message: ToWorker) => void): void;
  /** Whether the worker was asked to leave by other means than a message, which it might be too busy to read. */
  stopped(): boolean;
  /** Called last: nothing is received any more, and the worker ends. */
  close(): void;
}

/** A pool's side of the line. */
export interface WorkerHandle {
  post(message: ToWorker): void;
  /** Calls `listener` for every message from now on. */
  onMessage(listener: (message: FromWorker) => void): void;
  /** Calls `listener` once if the worker ends without having been asked to. */
  onDeath(listener: (cause: unknown) => void): void;
  /** Asks the worker to leave as soon as it can. Resolves once it has, at once if it has already; never rejects. */
  stop(): Promise<void>;
}

/** Where workers come from: threads in Node, web workers in a browser. */
export interface Host {
  /** Starts a worker, which loads its engine at once. */
  spawn(): WorkerHandle;
  /** How many workers this machine can keep busy. */
  readonly parallelism: number;
  /** Bytes that every worker can read without a copy of its own, if the platform has such. */
  share?(bytes: Uint8Array): Uint8Array;
}
