/** @file The contract of src/runtime, as ONNX Runtime in Node keeps it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { float32, toNumbers } from '../../src/ir/tensor.ts';
import type { Program } from '../../src/runtime/index.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

describe('a program', () => {
  let graph: Graph;
  let program: Program;
  beforeAll(async () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [3]);
    graph = b.graph({ twice: b.mul(x, 2), sum: b.sum(x, undefined, false) });
    program = await nodeRuntime.compile(graph);
  });
  afterAll(() => program.dispose());

  it('returns every output by name', async () => {
    const { twice, sum } = await program.run({ x: float32([1, 2, 3]) });
    expect(toNumbers(twice!)).toEqual([2, 4, 6]);
    expect(toNumbers(sum!)).toEqual([6]);
    expect(sum!.dims).toEqual([]);
  });

  it('writes into the tensors that it is given, and into no others', async () => {
    const [first, second] = [float32([0, 0, 0]), float32([0, 0, 0])];
    const results = await program.run({ x: float32([1, 2, 3]) }, { twice: first });
    expect(results['twice']).toBe(first);
    expect(toNumbers(results['sum']!)).toEqual([6]);
    await program.run({ x: first }, { twice: second });
    expect(toNumbers(first)).toEqual([2, 4, 6]);
    expect(toNumbers(second)).toEqual([4, 8, 12]);
  });

  it.each([
    ['its own', (length: number) => new ArrayBuffer(length)],
    ['shared', (length: number) => new SharedArrayBuffer(length)],
  ])('is the same from ONNX bytes in %s memory, which it leaves as they are', async (_, memory) => {
    const encoded = encodeOnnx(graph);
    const bytes = new Uint8Array(memory(encoded.length));
    bytes.set(encoded);
    const other = await nodeRuntime.compile(bytes);
    const feeds = { x: float32([1, 2, 3]) };
    expect(await other.run(feeds)).toEqual(await program.run(feeds));
    await other.dispose();
    expect([...bytes]).toEqual([...encoded]);
  });

  it.each([
    ['feed', { x: float32([1, 2]) }, {}],
    ['result', { x: float32([1, 2, 3]) }, { twice: float32([0, 0]) }],
  ])('refuses a %s of other dims', async (_, feeds, into) => {
    await expect(program.run(feeds, into)).rejects.toThrow(expect.objectContaining({ code: 'runtime' }));
  });
});
