/** @file What the page of web-gpu.test.ts runs: programs on WebGPU, told as plain data. */
import { Builder } from '../../src/ir/builder.ts';
import { float32, toNumbers } from '../../src/ir/tensor.ts';
import { createWebGpuRuntime } from '../../src/runtime/web.ts';

const runtime = createWebGpuRuntime({ wasmPaths: { wasm: '/explorer/ort.wasm' } });
const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function compiled(): ReturnType<typeof runtime.compile> {
  const b = new Builder();
  const z = b.input('z', 'float32', [3]);
  const x = b.input('x', 'float32', [3]);
  return runtime.compile(b.graph({ 'next/z': b.add(z, x), loss: b.sum(z, undefined, false) }));
}

/** Three steps: what each returned, the state after it; the state at once, and a plain evaluation. */
async function steps(): Promise<unknown> {
  const program = await compiled();
  const run = await program.open({ z: float32([1, 2, 3]) });
  const other = await program.open({ z: float32([0, 0, 0]) });
  const told: unknown[] = [toNumbers(await run.read('z'))];
  for (let i = 0; i < 3; i++) {
    const { loss } = await run.step({ x: float32([1, 0, 0]) });
    told.push([toNumbers(loss!), toNumbers(await run.read('z'))]);
  }
  await other.step({ x: float32([1, 1, 1]) });
  told.push(toNumbers(await other.read('z')));
  const plain = await program.run({ z: float32([1, 2, 3]), x: float32([1, 1, 1]) });
  told.push(Object.fromEntries(Object.entries(plain).map(([name, t]) => [name, toNumbers(t)])));
  const refused = await run.step({ x: float32([1, 1]) }).catch(message);
  told.push(toNumbers(await run.read('z')));
  await Promise.all([run.close(), other.close()]);
  await program.dispose();
  return { name: runtime.name, lowering: runtime.lowering, told, refused };
}

/** What is said of a step on a device that is gone. */
async function lost(destroy: () => void): Promise<string> {
  const program = await compiled();
  const run = await program.open({ z: float32([1, 2, 3]) });
  await run.step({ x: float32([1, 0, 0]) });
  destroy();
  return run.step({ x: float32([1, 0, 0]) }).then(() => 'it went on', message);
}

const none = (): Promise<string> => runtime.load().then(() => 'loaded', message);

Object.assign(globalThis, { steps, lost, none });
