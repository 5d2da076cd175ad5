/** @file What the pool and its workers say to each other. */
import type { Graph } from '../ir/graph.ts';
import type { Diagnosis } from '../render/ascend.ts';
import type { Settings } from '../render/presets.ts';

/** Given to a worker once. */
export interface WorkerTask {
  readonly graph: Graph;
  readonly layer: string;
  readonly seed: number;
  readonly settings: Settings;
}

/** What a worker is started with: its task, and a shared word that asks it to stop when it is not zero. */
export interface WorkerStart extends WorkerTask {
  readonly stop: Int32Array<SharedArrayBuffer>;
}

/** The next channel, or the end of work. */
export type ToWorker = { readonly channel: number } | 'end';

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
