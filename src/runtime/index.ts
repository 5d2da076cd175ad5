/** @file The whole contract between us and an engine: a graph is compiled to a program, a program maps feeds to results. */
import type { Graph } from '../ir/graph.ts';
import type { Tensor } from '../ir/tensor.ts';

/** A compiled graph. */
export interface Program {
  /**
   * One evaluation: a tensor for every graph input, by name; returns every graph output, by name. Those of `into` are written
   * into the tensors given, which must have the right dtype and dims and be no feed. Throws `runtime`.
   */
  run(
    feeds: Readonly<Record<string, Tensor>>,
    into?: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>>;
  /** Frees what the engine holds. */
  dispose(): Promise<void>;
}

export interface CompileOptions {
  /** Threads inside one evaluation; 1 (default) where several programs run side by side. */
  readonly threads?: number;
}

export interface Runtime {
  /** Engine, version and device, for the record of a run. */
  readonly name: string;
  /** Loads the engine, which {@link compile} does too: for those who know early that they will need it. */
  load(): Promise<void>;
  /**
   * From a graph, or from what `encodeOnnx` made of one: many programs of one graph need encode it only once, and the bytes
   * may lie in shared memory. Throws `runtime`.
   */
  compile(model: Graph | Uint8Array, options?: CompileOptions): Promise<Program>;
}
