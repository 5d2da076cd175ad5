/**
 * @file phosphene for browsers: everything that runs anywhere, ONNX Runtime as WebAssembly, and web workers.
 *
 * @example
 * import { bytesSource, createPool, openNetwork, renderChannels, settle, webHost } from 'phosphene/web';
 * const network = await openNetwork(bytesSource('net.onnx', bytes));
 * const pool = createPool(webHost(() => new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' })));
 * const wanted = { layer: network.defaultLayer, channels: [0, 1, 2], settled: settle({ steps: 60 }, network.input.size) };
 * for await (const event of renderChannels(network, wanted, { pool, lowering: 'wasm' }))
 *   if (event.type === 'picture') show(event.picture.raster);
 */
export * from './index.ts';
export { webHost, type WebHostOptions, type WebWorker } from './jobs/web-host.ts';
export { serveWebWorker, type WorkerScope } from './jobs/web-worker.ts';
export { checkedRuntime, type Verdict } from './runtime/checked.ts';
export { createWebGpuRuntime, createWebRuntime, type WebRuntimeOptions } from './runtime/web.ts';
