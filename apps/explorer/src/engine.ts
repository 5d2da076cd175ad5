/** @file A worker that computes: ONNX Runtime as WebAssembly, one thread. */
import wasm from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';
import { createWebRuntime, serveWebWorker } from 'phosphene/web';

serveWebWorker(createWebRuntime({ wasmPaths: { wasm: new URL(wasm, import.meta.url).href } }));
