/** @file The whole contract between us and an engine: a graph is compiled to a program, a program maps feeds to results. */
import type { Graph } from '../ir/graph.ts';
import type { Packed } from '../ir/onnx.ts';
import type { Tensor, Tensors } from '../ir/tensor.ts';

/** The output `next/NAME` of a program takes the place of its input NAME from one step of a {@link Run} to the next. */
export const NEXT = 'next/';

/** A compiled graph. */
export interface Program {
  /**
   * One evaluation: feeds by name; returns every output of the graph, by name, in memory of its own. Feeds that the graph does not
   * have are left out. Throws `runtime` if one is missing or has other dims.
   *
   * @example
   * const { image } = await program.run({ z });
   */
  run(feeds: Tensors): Promise<Record<string, Tensor>>;
  /**
   * Begins a run from these states, which are copied. They stay on the program's side, so that a GPU can keep them. Throws
   * `runtime` if a state is missing for an output `next/NAME`.
   *
   * @example
   * const run = await program.open({ z });
   * const { loss } = await run.step({ channel: int64(7) });
   * const now = await run.read('z');
   * await run.close();
   */
  open(states: Tensors): Promise<Run>;
  /** Frees what the engine holds. Runs must be closed before. */
  dispose(): Promise<void>;
}

/** Evaluations in a row, each beginning with the states in which the one before ended. */
export interface Run {
  /**
   * One evaluation with the states as they are and these feeds; the states become the outputs `next/NAME`, and the other outputs
   * are returned. Feeds that the graph does not have are left out. Throws `runtime`, and then the states are as they were.
   */
  step(feeds: Tensors): Promise<Record<string, Tensor>>;
  /** A state as it is now, in memory of its own. Throws `runtime` if the run has no such state. */
  read(state: string): Promise<Tensor>;
  /** Frees the states. */
  close(): Promise<void>;
}

/** How a graph is compiled. */
export interface CompileOptions {
  /** Threads inside one evaluation; 1 (default) if several programs run side by side. */
  readonly threads?: number;
}

/** How the gradients of a graph must be spelled to be right and fast on an engine. */
export type LoweringName = 'cpu' | 'wasm' | 'webgpu';

/** What a picture is computed on: the processor, or a GPU through WebGPU. */
export type Device = 'cpu' | 'webgpu';

/** An engine: it compiles graphs to programs. */
export interface Runtime {
  /** Engine and device, for the record of a run: `onnxruntime-node cpu`. */
  readonly name: string;
  /** The engine's version: `1.30.0`. Empty if it is not known before the engine is loaded. */
  readonly version: string;
  /** Which lowering the graphs that it compiles need. */
  readonly lowering: LoweringName;
  /** Loads the engine, which {@link compile} does too: for those who know early that they will need it. Throws `runtime`. */
  load(): Promise<void>;
  /**
   * From a graph, or from what `encodeOnnx` or `packOnnx` made of one: many programs of one graph need encode it only once, and the
   * bytes may lie in shared memory. Throws `runtime`.
   */
  compile(model: Graph | Packed | Uint8Array, options?: CompileOptions): Promise<Program>;
}
