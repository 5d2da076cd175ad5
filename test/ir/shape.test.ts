/** @file Shape inference says what the runtime does, for every operator that a graph can have. */
import { describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import { shapeRules } from '../../src/ir/shape.ts';
import { sizeOf, type Tensor, arrayTypes } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { build, cases } from './cases.ts';

describe('infer', () => {
  it('has a check for every operator', () => {
    expect(Object.keys(cases).sort()).toEqual(Object.keys(shapeRules).sort());
  });

  it.each(Object.entries(cases))('%s gives the dims that the runtime gives', async (op, list) => {
    for (const c of list) {
      const b = new Builder();
      const out = build(b, op, c);
      const graph = b.graph(Object.fromEntries(out.map((value, i) => [`o${i}`, value])));
      const what = `${op} ${JSON.stringify(c)}`;
      const program = await nodeRuntime.compile(graph);
      const feeds = graph.inputs.map(({ name, dtype, dims }) => [
        name,
        { dtype, dims, data: new arrayTypes[dtype](sizeOf(dims)) } as Tensor,
      ]);
      const results = await program.run(Object.fromEntries(feeds) as Record<string, Tensor>);
      await program.dispose();
      out.forEach((value, i) => {
        expect(results[`o${i}`]!.dims, what).toEqual(value.dims);
        expect(results[`o${i}`]!.dtype, what).toBe(value.dtype);
      });
    }
  });
});
