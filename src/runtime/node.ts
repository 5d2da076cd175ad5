/** @file ONNX Runtime in Node: the only file that names onnxruntime-node. */
import { createRequire } from 'node:module';
import type * as Ort from 'onnxruntime-node';
import { PhospheneError } from '../errors.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { LoweringName, Runtime } from './index.ts';
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

const NO_GPU = /Failed to get a WebGPU (adapter|device)/;
const WITHOUT_GPU =
  'device: ONNX Runtime finds no GPU on this machine (it asks Vulkan, Direct3D 12 or Metal); render on the device `cpu`, or install ' +
  "the GPU's driver (docs/devices.md says which)";

/** What differs between ONNX Runtime's providers. */
interface Provider {
  readonly name: string;
  readonly lowering: LoweringName;
  readonly provider: Ort.InferenceSession.ExecutionProviderConfig;
}

function runtimeOf({ name, lowering, provider }: Provider): Runtime {
  return {
    name,
    get version() {
      return (require('onnxruntime-node/package.json') as { version: string }).version;
    },
    lowering,
    async load() {
      library();
    },
    async compile(model, { threads = 1 } = {}) {
      const ort = library();
      const { bytes, options } = await sessionModel(model);
      const session = await explaining('cannot compile the graph', () =>
        ort.InferenceSession.create(bytes, {
          ...options,
          executionProviders: [provider],
          intraOpNumThreads: threads,
          interOpNumThreads: 1,
          // Errors reach us as exceptions; a model's faults are not printed from native code.
          logSeverityLevel: 4,
        }),
      ).catch((error: unknown) => {
        // No cause: where in ONNX Runtime it was noticed says nothing more.
        throw NO_GPU.test(String(error)) ? new PhospheneError('runtime', WITHOUT_GPU, { option: 'device' }) : error;
      });
      return programOf(
        {
          wrap: (t: Tensor) => new ort.Tensor(t.dtype as 'float32', t.data as Float32Array, t.dims),
          writesInto: true,
        },
        session,
      );
    },
  };
}

/**
 * ONNX Runtime's CPU provider. An evaluation blocks its thread: use one program a worker for parallelism.
 *
 * @example
 * const program = await nodeRuntime.compile(graph);
 */
export const nodeRuntime: Runtime = runtimeOf({ name: 'onnxruntime-node cpu', lowering: 'cpu', provider: 'cpu' });

/**
 * ONNX Runtime's WebGPU provider: the machine's GPU through Vulkan, Direct3D 12 or Metal, with the CPU for what the GPU cannot do. Compiling
 * throws `runtime` if there is no GPU that it can use. One worker is enough: a GPU does one thing at a time. Graphs must be spelled by the
 * lowering `webgpu`, or gradients are wrong without a word (docs/devices.md).
 *
 * @example
 * const program = await webgpuRuntime.compile(graph);
 */
export const webgpuRuntime: Runtime = runtimeOf({
  name: 'onnxruntime-node webgpu',
  lowering: 'webgpu',
  // In the other layout, which is the default, grouped convolutions and some with padding are wrong.
  provider: { name: 'webgpu', preferredLayout: 'NCHW' },
});
