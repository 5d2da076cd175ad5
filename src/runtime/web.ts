/**
 * @file ONNX Runtime compiled to WebAssembly, on the CPU and on WebGPU: the only file that names onnxruntime-web. On the CPU it runs in
 * browsers and in Node.
 */
import type * as Ort from 'onnxruntime-web/wasm';
import { PhospheneError } from '../errors.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { Runtime } from './index.ts';
import { explaining, programOf, type Session, sessionModel } from './session.ts';

/** Where the page has the parts of ONNX Runtime. */
export interface WebRuntimeOptions {
  /**
   * The folder, as a URL that ends in `/`, from which the page gets `ort-wasm-simd-threaded.wasm` and its `.mjs` (for WebGPU,
   * `ort-wasm-simd-threaded.asyncify.wasm`); or the URL of each. By default, beside the script that a bundler made.
   */
  readonly wasmPaths?: string | { readonly wasm?: string; readonly mjs?: string };
  /** The bytes of that `.wasm`, if the page has them already; then nothing is fetched. */
  readonly wasmBinary?: Uint8Array<ArrayBuffer>;
}

type Library = typeof Ort;

/**
 * ONNX Runtime's WebAssembly provider with one thread, so that no page needs to be cross-origin isolated: use one worker a core
 * for parallelism. The package onnxruntime-web must be installed. What it is configured with holds for its whole thread: later
 * runtimes with other options change nothing once the first has loaded.
 *
 * @example
 * const runtime = createWebRuntime({ wasmPaths: '/assets/ort/' });
 * const program = await runtime.compile(graph);
 */
export function createWebRuntime(options: WebRuntimeOptions = {}): Runtime {
  return runtimeOf(
    'wasm',
    () => import('onnxruntime-web/wasm'),
    options,
    (ort, model) => create(ort, model, 'wasm', {}),
  );
}

/**
 * ONNX Runtime's WebGPU provider, from a larger build of its own: import it only in the worker that will use it. The states of a run stay
 * on the device. Graphs must be written with its lowering; others may be computed wrong. `load` throws `runtime` if the browser has no GPU
 * for pages, before the build is fetched, and evaluations throw it once the device is lost. After any evaluation that failed, all later ones fail too: start the worker anew.
 *
 * @example
 * const runtime = createWebGpuRuntime({ wasmPaths: '/assets/ort/' });
 * const program = await runtime.compile(graph);
 */
export function createWebGpuRuntime(options: WebRuntimeOptions = {}): Runtime {
  let lost: Promise<never> | undefined;
  const load = async (): Promise<Library> => {
    const { gpu } = (globalThis as { readonly navigator?: { readonly gpu?: Gpu } }).navigator ?? {};
    const adapter = await gpu?.requestAdapter().catch(() => null);
    if (!adapter) throw new PhospheneError('runtime', 'WebGPU: this browser has no GPU for pages');
    return import('onnxruntime-web/webgpu');
  };
  return runtimeOf('webgpu', load, options, async (ort, model) => {
    const session = await create(ort, model, 'webgpu', {
      // The other layout computes grouped convolutions wrong.
      executionProviders: [{ name: 'webgpu', preferredLayout: 'NCHW' }],
      // States stay there; what is not carried on is read at once.
      preferredOutputLocation: 'gpu-buffer',
    });
    lost ??= loss((await ort.env.webgpu.device) as Device);
    // Without it, what waits for a lost device would wait for ever.
    const whileThere = <T>(work: Promise<T>): Promise<T> => Promise.race([work, lost!]);
    return {
      inputNames: session.inputNames,
      outputNames: session.outputNames,
      run: (feeds, fetches) => whileThere(session.run(feeds, fetches)),
      release: () => whileThere(session.release()),
    };
  });
}

/** The parts of WebGPU that are used. */
interface Gpu {
  requestAdapter(): Promise<object | null>;
}
interface Device {
  readonly lost: Promise<{ readonly reason?: string; readonly message?: string }>;
}

/** Rejects once the device is lost. */
function loss(device: Device): Promise<never> {
  const lost = device.lost.then(({ message }): never => {
    throw new Error(`the GPU was lost${message ? ` (${message})` : ''}`);
  });
  // Nobody need wait for it.
  lost.catch(() => {});
  return lost;
}

function runtimeOf(
  device: 'wasm' | 'webgpu',
  library: () => Promise<Library>,
  { wasmPaths, wasmBinary }: WebRuntimeOptions,
  sessionOf: (ort: Library, model: Parameters<Runtime['compile']>[0]) => Promise<Session<Ort.Tensor>>,
): Runtime {
  let version = '';
  let loading: Promise<Library> | undefined;
  const load = async (): Promise<Library> => {
    const ort = await library().catch((error: unknown) => {
      if (error instanceof PhospheneError) throw error;
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
  const loaded = (): Promise<Library> => (loading ??= load());
  return {
    name: `onnxruntime-web ${device}`,
    get version() {
      return version;
    },
    lowering: device,
    async load() {
      await loaded();
    },
    async compile(model) {
      const ort = await loaded();
      const session = await explaining('cannot compile the graph', () => sessionOf(ort, model));
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

/** The last compilation of this thread. */
let compiling: Promise<unknown> = Promise.resolve();

/** ONNX Runtime has one table for weights beside a graph in each thread: what is compiled at the same time would find it emptied. */
function inTurn<T>(compile: () => Promise<T>): Promise<T> {
  const result = compiling.then(compile);
  compiling = result.catch(() => {});
  return result;
}

async function create(
  ort: Library,
  model: Parameters<Runtime['compile']>[0],
  provider: 'wasm' | 'webgpu',
  own: Ort.InferenceSession.SessionOptions,
): Promise<Ort.InferenceSession> {
  const { bytes, options } = await sessionModel(model);
  const all = { ...options, executionProviders: [provider], logSeverityLevel: 3, ...own } as const;
  return inTurn(() => ort.InferenceSession.create(bytes, all));
}
