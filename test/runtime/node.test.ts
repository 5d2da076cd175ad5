/** @file The contract of src/runtime, as ONNX Runtime in Node keeps it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import { float32, toNumbers } from '../../src/ir/tensor.ts';
import type { Program } from '../../src/runtime/index.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

describe('a program', () => {
  let program: Program;
  beforeAll(async () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [3]);
    program = await nodeRuntime.compile(b.graph({ twice: b.mul(x, 2), sum: b.sum(x, undefined, false) }));
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
    ['feed', { x: float32([1, 2]) }, {}],
    ['result', { x: float32([1, 2, 3]) }, { twice: float32([0, 0]) }],
  ])('refuses a %s of other dims', async (_, feeds, into) => {
    await expect(program.run(feeds, into)).rejects.toThrow(expect.objectContaining({ code: 'runtime' }));
  });
});
