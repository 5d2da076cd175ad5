/** @file What the pool and its workers say to each other. */
import type { Diagnosis } from '../render/ascend.ts';
import type { Settings } from '../render/presets.ts';

/** Given to a worker once. */
export interface WorkerTask {
  /** The step graph as ONNX, in shared memory: encoding it takes several times its size. */
  readonly model: Uint8Array<SharedArrayBuffer>;
  readonly layer: string;
  readonly seed: number;
  readonly settings: Settings;
}

/** What a worker is started with: a shared word that asks it to stop when it is not zero. */
export type StopFlag = Int32Array<SharedArrayBuffer>;

/** First the task, then one channel after another, then the end of work. */
export type ToWorker = WorkerTask | { readonly channel: number } | 'end';

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'steps'; readonly channel: number; readonly done: number }
  | {
      readonly type: 'done';
      readonly channel: number;
      readonly image: Float32Array;
      readonly losses: readonly number[];
      readonly diagnosis?: Diagnosis;
    }
  | { readonly type: 'error'; readonly message: string; readonly stack: string };
