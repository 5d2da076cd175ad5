/**
 * @file ONNX Runtime compiled to WebAssembly: the only file that names onnxruntime-web. It runs in browsers and in Node. WebGPU is not
 * here yet: its programs would keep the states of a run in buffers of the device, which `Run` leaves room for.
 */
import type * as Ort from 'onnxruntime-web/wasm';
import { PhospheneError } from '../errors.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { Runtime } from './index.ts';
import { explaining, programOf, sessionModel } from './session.ts';

/** Where the page has the parts of ONNX Runtime. */
export interface WebRuntimeOptions {
  /**
   * The folder, as a URL that ends in `/`, from which the page gets `ort-wasm-simd-threaded.wasm` and its `.mjs`; or the URL of each.
   * By default, beside the script that a bundler made.
   */
  readonly wasmPaths?: string | { readonly wasm?: string; readonly mjs?: string };
  /** The bytes of `ort-wasm-simd-threaded.wasm`, if the page has them already; then nothing is fetched. */
  readonly wasmBinary?: Uint8Array<ArrayBuffer>;
}

/**
 * ONNX Runtime's WebAssembly provider with one thread, so that no page needs to be cross-origin isolated: use one worker a core
 * for parallelism. The package onnxruntime-web must be installed. What it is configured with holds for its whole thread: later
 * runtimes with other options change nothing once the first has loaded.
 *
 * @example
 * const runtime = createWebRuntime({ wasmPaths: '/assets/ort/' });
 * const program = await runtime.compile(graph);
 */
export function createWebRuntime({ wasmPaths, wasmBinary }: WebRuntimeOptions = {}): Runtime {
  let version = '';
  let loading: Promise<typeof Ort> | undefined;
  const load = async (): Promise<typeof Ort> => {
    const ort = await import('onnxruntime-web/wasm').catch((error: unknown) => {
      throw new PhospheneError(
        'runtime',
        `ONNX Runtime for the web cannot be loaded: ${(error as Error).message}; is the package onnxruntime-web installed?`,
        {},
        error,
      );
    });
    ort.env.wasm.numThreads = 1;
    ort.env.wasm.proxy = false;
    ort.env.logLevel = 'error';
    if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths;
    if (wasmBinary !== undefined) ort.env.wasm.wasmBinary = wasmBinary;
    version = ort.env.versions.common;
    return ort;
  };
  const library = (): Promise<typeof Ort> => (loading ??= load());
  return {
    name: 'onnxruntime-web wasm',
    get version() {
      return version;
    },
    lowering: 'wasm',
    async load() {
      await library();
    },
    async compile(model) {
      const ort = await library();
      const { bytes, options, session: entries } = await sessionModel(model);
      const session = await explaining('cannot compile the graph', () =>
        ort.InferenceSession.create(bytes, {
          ...options,
          executionProviders: ['wasm'],
          executionMode: 'sequential',
          graphOptimizationLevel: 'all',
          logSeverityLevel: 3,
          enableMemPattern: false,
          extra: {
            session: entries,
            // It is wrong below zero, as in Node.
            optimization: { disable_specified_optimizers: 'Pad_Fusion' },
          },
        }),
      );
      return programOf(
        {
          wrap: (t: Tensor) => new ort.Tensor(t.dtype as 'float32', t.data as Float32Array, t.dims),
          // It would return tensors that it was given, and not what it had computed.
          writesInto: false,
        },
        session,
      );
    },
  };
}
