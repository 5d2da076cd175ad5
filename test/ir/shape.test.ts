/** @file Shape inference says what the runtime does, for every operator that a graph can have. */
import { describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import { infer } from '../../src/ir/infer.ts';
import { operators } from '../../src/ir/ops/index.ts';
import { arrayTypes, int64, sizeOf, type Tensor } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { build, cases } from './cases.ts';

describe('infer', () => {
  it('has a check for every operator', () => {
    expect(Object.keys(cases).sort()).toEqual(
      Object.keys(operators)
        .filter((op) => op !== 'Constant')
        .sort(),
    );
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
        { dtype, dims, data: new arrayTypes[dtype](sizeOf(dims)) },
      ]);
      const results = await program.run(Object.fromEntries(feeds) as Record<string, Tensor>);
      await program.dispose();
      out.forEach((value, i) => {
        expect(results[`o${i}`]!.dims, what).toEqual(value.dims);
        expect(results[`o${i}`]!.dtype, what).toBe(value.dtype);
      });
    }
  });

  it.each(Object.keys(cases))('refuses a %s that lacks an input, and names it', (op) => {
    const x = { dtype: 'float32', dims: [1, 2, 4, 4] } as const;
    expect(() => infer(op, 'odd', [], {}, 1)).toThrow(expect.objectContaining({ code: 'shape' }));
    if (['Conv', 'BatchNormalization', 'Gather', 'Where', 'Slice'].includes(op))
      expect(() => infer(op, 'odd', [x], {}, 1)).toThrow(/^\w+ odd: input 1 of \d is missing$/);
  });

  it('refuses what the runtime has no operator for', () => {
    const x = { dtype: 'float32', dims: [1, 2, 4, 4] } as const;
    const pads = { dtype: 'int64', dims: [8], constant: int64([0, 0, 1, 1, 0, 0, 1, 1]) } as const;
    expect(() => infer('Pad', 'odd', [x, pads], { mode: 'wrap' }, 1)).toThrow('Pad odd: mode `wrap` is not supported');
    const w = { dtype: 'float32', dims: [2, 1, 3, 3] } as const;
    expect(() => infer('ConvTranspose', 'odd', [x, w], { dilations: [2, 2], output_padding: [1, 0] }, 1)).toThrow(
      'ConvTranspose odd: output padding [1, 0] as wide as a stride is not supported',
    );
  });

  it('refuses normalisation by another number of channels', () => {
    const [x, p, q] = [[1, 2, 4, 4], [2], [3]].map((dims) => ({ dtype: 'float32', dims }) as const);
    expect(() => infer('BatchNormalization', 'odd', [x, p, p, q, p], {}, 1)).toThrow(
      'BatchNormalization odd: input has 2 channels, a parameter is [3]',
    );
  });
});
