/** @file ONNX Runtime in Node: the only file that names onnxruntime-node. */
import { createRequire } from 'node:module';
import type * as Ort from 'onnxruntime-node';
import { PhospheneError } from '../errors.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { Runtime } from './index.ts';
import { explaining, programOf, sessionModel } from './session.ts';

const require = createRequire(import.meta.url);

// Loading the native library takes a tenth of a second: only when something is compiled.
function library(): typeof Ort {
  try {
    return require('onnxruntime-node') as typeof Ort;
  } catch (error) {
    // An optional dependency: npm leaves it out if its install script fails, which it does behind a firewall.
    throw new PhospheneError('runtime', MISSING, {}, error);
  }
}

const MISSING =
  'ONNX Runtime (the package onnxruntime-node) is not installed, or does not fit this machine; install it with ' +
  '`ONNXRUNTIME_NODE_INSTALL=skip npm install phosphene` (docs/installing.md says why)';

/**
 * ONNX Runtime's CPU provider. An evaluation blocks its thread: use one program a worker for parallelism.
 *
 * @example
 * const program = await nodeRuntime.compile(graph);
 */
export const nodeRuntime: Runtime = {
  name: 'onnxruntime-node cpu',
  get version() {
    return (require('onnxruntime-node/package.json') as { version: string }).version;
  },
  lowering: 'cpu',
  async load() {
    library();
  },
  async compile(model, { threads = 1 } = {}) {
    const ort = library();
    const { bytes, options, session: entries } = await sessionModel(model);
    const session = await explaining('cannot compile the graph', () =>
      ort.InferenceSession.create(bytes, {
        ...options,
        executionProviders: ['cpu'],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        // It would plan one block for all activations at the first run, and hold it beside what that run had allocated: a quarter
        // more memory, and no faster.
        enableMemPattern: false,
        graphOptimizationLevel: 'all',
        // Errors reach us as exceptions; a model's faults are not printed from native code.
        logSeverityLevel: 4,
        extra: {
          session: entries,
          // ONNX Runtime folds a Pad of zeros into the MaxPool after it, which pads with -inf: wrong below zero (ResNet V2's pool1_pad).
          optimization: { disable_specified_optimizers: 'Pad_Fusion' },
        },
      }),
    );
    return programOf(
      {
        wrap: (t: Tensor) => new ort.Tensor(t.dtype as 'float32', t.data as Float32Array, t.dims),
        writesInto: true,
      },
      session,
    );
  },
};
