/** @file The contract of src/runtime, as each engine keeps it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { float32, type Tensor, toNumbers } from '../../src/ir/tensor.ts';
import type { Program, Runtime } from '../../src/runtime/index.ts';
import { nodeRuntime, webgpuRuntime } from '../../src/runtime/node.ts';
import { createWebRuntime } from '../../src/runtime/web.ts';
import { hasVulkan, withoutVulkan } from '../check.ts';

const failure = (text: string) =>
  expect.objectContaining({
    name: 'PhospheneError',
    code: 'runtime',
    message: expect.stringContaining(text) as string,
  });

/** x → 2x and Σx; the state z grows by x, and its sum before that is returned. */
function graphs(): { plain: Graph; stepping: Graph } {
  const b = new Builder();
  const x = b.input('x', 'float32', [3]);
  const plain = b.graph({ twice: b.mul(x, 2), sum: b.sum(x, undefined, false) });
  const s = new Builder();
  const z = s.input('z', 'float32', [3]);
  const by = s.input('x', 'float32', [3]);
  const w = s.input('w', 'float32', [1]);
  return {
    plain,
    stepping: s.graph({
      'next/z': s.add(z, by),
      'next/w': s.mul(w, 2),
      loss: s.sum(z, undefined, false),
      both: s.add(z, w),
    }),
  };
}

describe.each<[string, Runtime, Partial<Runtime>]>([
  ['Node', nodeRuntime, { name: 'onnxruntime-node cpu', lowering: 'cpu' }],
  ['the web', createWebRuntime(), { name: 'onnxruntime-web wasm', lowering: 'wasm' }],
])('ONNX Runtime for %s', (_, runtime, facts) => contract(runtime, facts));

describe.skipIf(!hasVulkan)(`ONNX Runtime on WebGPU in Node${withoutVulkan}`, () =>
  contract(webgpuRuntime, { name: 'onnxruntime-node webgpu', lowering: 'webgpu' }),
);

function contract(runtime: Runtime, facts: Partial<Runtime>): void {
  const { plain, stepping } = graphs();
  let program: Program;
  let steps: Program;
  beforeAll(async () => {
    await runtime.load();
    program = await runtime.compile(plain);
    steps = await runtime.compile(stepping, { threads: 1 });
  });
  afterAll(() => Promise.all([program.dispose(), steps.dispose()]));

  it('says what it is', () => {
    expect(runtime).toMatchObject(facts);
    expect(runtime.version).toMatch(/^1\.\d+\.\d+$/);
  });

  it('returns every output by name', async () => {
    const { twice, sum } = await program.run({ x: float32([1, 2, 3]) });
    expect(toNumbers(twice!)).toEqual([2, 4, 6]);
    expect(toNumbers(sum!)).toEqual([6]);
    expect(sum!.dims).toEqual([]);
  });

  it('leaves out feeds that the graph does not have', async () => {
    const { sum } = await program.run({ x: float32([1, 2, 3]), channel: float32(7) });
    expect(toNumbers(sum!)).toEqual([6]);
  });

  it.each([
    ['its own', (length: number) => new ArrayBuffer(length)],
    ['shared', (length: number) => new SharedArrayBuffer(length)],
  ])('compiles ONNX bytes in %s memory, which it leaves as they are', async (__, memory) => {
    const encoded = encodeOnnx(plain);
    const bytes = new Uint8Array(memory(encoded.length));
    bytes.set(encoded);
    const other = await runtime.compile(bytes);
    const feeds = { x: float32([1, 2, 3]) };
    expect(await other.run(feeds)).toEqual(await program.run(feeds));
    await other.dispose();
    expect([...bytes]).toEqual([...encoded]);
  });

  it.each<[string, Record<string, Tensor>, string]>([
    ['of other dims', { x: float32([1, 2]) }, 'Expected: 3'],
    ['that is missing', {}, 'x'],
  ])('refuses a feed %s in its own words', async (__, feeds, words) => {
    await expect(program.run(feeds)).rejects.toThrow(failure(words));
    await expect(program.run(feeds)).rejects.toThrow(failure('ONNX Runtime failed: '));
  });

  it('refuses bytes that are no graph', async () => {
    await expect(runtime.compile(new Uint8Array(10))).rejects.toThrow(
      failure('ONNX Runtime cannot compile the graph: '),
    );
  });

  it('carries states from step to step, and returns what is no state', async () => {
    const start = { z: float32([1, 2, 3]), w: float32([1]) };
    const run = await steps.open(start);
    expect(toNumbers(await run.read('z'))).toEqual([1, 2, 3]);
    const x = float32([1, 0, 0]);
    const kept = [];
    for (const [sum, z, w] of [
      [6, 1, 1],
      [7, 2, 2],
      [8, 3, 4],
    ] as const) {
      const results = await run.step({ x, channel: x });
      expect(Object.keys(results).sort()).toEqual(['both', 'loss']);
      expect(toNumbers(results['loss']!)).toEqual([sum]);
      expect(toNumbers(results['both']!)).toEqual([z + w, 2 + w, 3 + w]);
      kept.push(await run.read('z'));
    }
    // What was read is the reader's own.
    expect(kept.map(toNumbers)).toEqual([
      [2, 2, 3],
      [3, 2, 3],
      [4, 2, 3],
    ]);
    expect(toNumbers(await run.read('w'))).toEqual([8]);
    // What was given is as it was.
    expect(toNumbers(start.z)).toEqual([1, 2, 3]);
    expect(toNumbers(start.w)).toEqual([1]);
    await run.close();
    await expect(run.read('z')).rejects.toThrow(failure('no state `z`'));
  });

  it('keeps the states of runs side by side apart', async () => {
    const x = float32([1, 1, 1]);
    const [a, b] = await Promise.all([0, 10].map((v) => steps.open({ z: float32([v, v, v]), w: float32([v]) })));
    await a!.step({ x });
    await b!.step({ x });
    await a!.step({ x });
    expect(toNumbers(await a!.read('z'))).toEqual([2, 2, 2]);
    expect(toNumbers(await b!.read('z'))).toEqual([11, 11, 11]);
  });

  it('leaves the states as they were if a step fails', async () => {
    const run = await steps.open({ z: float32([1, 2, 3]), w: float32([1]) });
    await run.step({ x: float32([1, 1, 1]) });
    await expect(run.step({ x: float32([1, 1]) })).rejects.toThrow(failure('Expected: 3'));
    expect(toNumbers(await run.read('z'))).toEqual([2, 3, 4]);
    await run.step({ x: float32([1, 1, 1]) });
    expect(toNumbers(await run.read('z'))).toEqual([3, 4, 5]);
  });

  it('says which state is missing', async () => {
    await expect(steps.open({ z: float32([1, 2, 3]) })).rejects.toThrow(failure('the run needs the state `w`'));
    const run = await steps.open({ z: float32([1, 2, 3]), w: float32([1]) });
    await expect(run.read('v')).rejects.toThrow(failure('the run has no state `v`'));
  });
}
