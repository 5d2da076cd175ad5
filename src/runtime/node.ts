/** @file ONNX Runtime in Node: the only file that names an onnxruntime package. */
import { createRequire } from 'node:module';
import type * as Ort from 'onnxruntime-node';
import { PhospheneError } from '../errors.ts';
import type { Graph } from '../ir/graph.ts';
import { encodeOnnx } from '../ir/onnx.ts';
import { arrayTypes, type DType, sizeOf, type Tensor } from '../ir/tensor.ts';
import type { Program, Runtime } from './index.ts';

/** Loading the native library takes a tenth of a second: only when something is compiled. */
function library(): typeof Ort {
  try {
    return createRequire(import.meta.url)('onnxruntime-node') as typeof Ort;
  } catch (error) {
    // An optional dependency: npm leaves it out if its install script fails, which it does behind a firewall.
    throw new PhospheneError('runtime', MISSING, {}, error);
  }
}
const MISSING =
  'ONNX Runtime (the package onnxruntime-node) is not installed, or does not fit this machine; install it with ' +
  '`ONNXRUNTIME_NODE_INSTALL=skip npm install phosphene` (docs/installing.md says why)';

/** ONNX Runtime's CPU provider. `run` blocks its thread: use one program a worker for parallelism. */
export const nodeRuntime: Runtime = {
  name: 'onnxruntime-node cpu',
  async load() {
    library();
  },
  async compile(model, { threads = 1 } = {}) {
    const ort = library();
    let session: Ort.InferenceSession;
    try {
      session = await ort.InferenceSession.create(ownBytes(model), {
        executionProviders: ['cpu'],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        // It would plan one block for all activations at the first run, and hold it beside what that run had allocated: a quarter
        // more memory, and no faster.
        enableMemPattern: false,
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
        // Denormal numbers slow convolutions a hundredfold and change no picture.
        extra: {
          session: { set_denormal_as_zero: '1' },
          // ONNX Runtime folds a Pad of zeros into the MaxPool after it, which pads with -inf: wrong below zero (ResNet V2's pool1_pad).
          optimization: { disable_specified_optimizers: 'Pad_Fusion' },
        },
      });
    } catch (error) {
      throw new PhospheneError(
        'runtime',
        `ONNX Runtime cannot compile the graph: ${(error as Error).message}`,
        {},
        error,
      );
    }
    return new NodeProgram(ort, session);
  },
};

/** ONNX bytes in memory that is not shared, which ONNX Runtime refuses. */
function ownBytes(model: Graph | Uint8Array): Uint8Array {
  if (!(model instanceof Uint8Array)) return encodeOnnx(model);
  return model.buffer instanceof SharedArrayBuffer ? model.slice() : model;
}

class NodeProgram implements Program {
  readonly #ort: typeof Ort;
  readonly #session: Ort.InferenceSession;

  constructor(ort: typeof Ort, session: Ort.InferenceSession) {
    this.#ort = ort;
    this.#session = session;
  }

  async run(
    feeds: Readonly<Record<string, Tensor>>,
    into: Readonly<Record<string, Tensor>> = {},
  ): Promise<Record<string, Tensor>> {
    const toOrt = (t: Tensor): Ort.Tensor => new this.#ort.Tensor(t.dtype as 'float32', t.data as Float32Array, t.dims);
    const inputs = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toOrt(t)]));
    const outputs = Object.fromEntries(
      this.#session.outputNames.map((name) => [name, into[name] ? toOrt(into[name]) : null]),
    );
    try {
      const results = await this.#session.run(inputs, outputs);
      return Object.fromEntries(Object.entries(results).map(([name, t]) => [name, into[name] ?? fromOrt(t)]));
    } catch (error) {
      throw new PhospheneError('runtime', `ONNX Runtime failed: ${(error as Error).message}`, {}, error);
    }
  }

  async dispose(): Promise<void> {
    await this.#session.release();
  }
}

function fromOrt(t: Ort.Tensor): Tensor {
  const dtype = t.type as DType;
  if (!(dtype in arrayTypes)) throw new PhospheneError('runtime', `ONNX Runtime returned a tensor of type ${t.type}`);
  return { dtype, dims: t.dims, data: (t.data as Float32Array).subarray(0, sizeOf(t.dims)) };
}
