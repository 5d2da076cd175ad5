/** @file Einsum against sums written out, with its gradient. */
import { describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import { einsum } from '../../src/ir/einsum.ts';
import { upgraded } from '../../src/ir/infer.ts';
import { type Dims, float32, sizeOf, stridesOf, toNumbers } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { checkGradient } from '../check.ts';

/** The sum over all positions of all axes, as the definition has it. `terms` have a letter for each axis, `out` too. */
function written(
  terms: readonly string[],
  out: string,
  dims: readonly Dims[],
  data: readonly Float32Array[],
): number[] {
  const lengths = new Map<string, number>();
  terms.forEach((term, i) =>
    term.split('').forEach((l, k) => lengths.set(l, Math.max(lengths.get(l) ?? 1, dims[i]![k]!))),
  );
  const letters = [...lengths.keys()];
  const shape = out.split('').map((l) => lengths.get(l)!);
  const sums = Array.from({ length: sizeOf(shape) }, () => 0);
  const all = letters.map((l) => lengths.get(l)!);
  for (let n = 0; n < sizeOf(all); n++) {
    const at = new Map(letters.map((l, k) => [l, Math.floor(n / stridesOf(all)[k]!) % all[k]!]));
    const place = (term: string, of: Dims): number =>
      term.split('').reduce((sum, l, k) => sum + (of[k] === 1 ? 0 : at.get(l)!) * stridesOf(of)[k]!, 0);
    sums[place(out, shape)]! += terms.reduce((product, term, i) => product * data[i]![place(term, dims[i]!)]!, 1);
  }
  return sums;
}

/** The equation, its operands' dims, and the same with a letter for each axis that an ellipsis stands for. */
const equations: readonly (readonly [string, readonly Dims[], string?])[] = [
  ['ij->ji', [[2, 3]]],
  ['ijk->j', [[2, 3, 4]]],
  ['ij->', [[2, 3]]],
  [
    'ij,jk->ik',
    [
      [2, 3],
      [3, 4],
    ],
  ],
  [
    'ij,jk',
    [
      [2, 3],
      [3, 4],
    ],
    'ij,jk->ik',
  ],
  ['ba', [[2, 3]], 'ba->ab'],
  [
    'ij,ij->i',
    [
      [2, 3],
      [2, 3],
    ],
  ],
  ['i,j->ij', [[2], [3]]],
  ['ij,k->ik', [[2, 3], [4]]],
  [
    'bhwc,hkc->bhwk',
    [
      [2, 3, 2, 4],
      [3, 5, 4],
    ],
  ],
  [
    'bij,bjk->bik',
    [
      [2, 3, 4],
      [2, 4, 5],
    ],
  ],
  [
    'bhid, bhjd -> bhij',
    [
      [1, 2, 3, 4],
      [1, 2, 5, 4],
    ],
    'bhid,bhjd->bhij',
  ],
  [
    'nctkv,kvw->nctw',
    [
      [1, 2, 3, 2, 4],
      [2, 4, 3],
    ],
  ],
  [
    '...ij,jk->...ik',
    [
      [2, 3, 2, 4],
      [4, 5],
    ],
    'ABij,jk->ABik',
  ],
  [
    'b...,b...->...',
    [
      [2, 3, 4],
      [2, 3, 4],
    ],
    'bAB,bAB->AB',
  ],
  ['...a,...a', [[2, 3], [3]], 'Aa,a->A'],
  [
    'ij,jk,kl->il',
    [
      [2, 3],
      [3, 4],
      [4, 2],
    ],
  ],
  [
    'ij,jk->ik',
    [
      [2, 3],
      [1, 4],
    ],
  ],
];

describe('Einsum', () => {
  it.each(equations.map(([equation, dims, plain = equation]) => [equation, dims, plain] as const))(
    '%s of %j',
    async (equation, dims, plain) => {
      const random = new Random(equation);
      const data = dims.map((d) => random.uniform(sizeOf(d), -1, 1));
      const [terms, out] = plain.split('->') as [string, string];
      const node = { op: 'Einsum', name: 'n', inputs: [], outputs: ['y'], attributes: { equation } };
      const b = new Builder();
      const xs = dims.map((d, i) => b.input(`x${i}`, 'float32', d));
      const [y] = upgraded(b, node, 12, xs);
      expect(y!.name).toBe('y');
      const program = await nodeRuntime.compile(b.graph([y!]));
      const found = await program.run(Object.fromEntries(data.map((d, i) => [`x${i}`, float32(d, dims[i])])));
      await program.dispose();
      const values = toNumbers(found['y']!);
      const expected = written(terms.split(','), out, dims, data);
      expect(values.length).toBe(expected.length);
      expected.forEach((v, i) => expect(values[i]).toBeCloseTo(v, 4));
      await checkGradient(
        (builder, values) => einsum(builder, values, equation),
        dims.map((d) => ({ dims: d })),
      );
    },
  );

  it.each<[string, readonly Dims[], string]>([
    ['ij->k', [[2, 3]], 'its result has axes that its operands have not, or one twice'],
    ['ij->ii', [[2, 3]], 'its result has axes that its operands have not, or one twice'],
    ['ii->i', [[2, 2]], 'an axis stands twice in `ii`'],
    [
      'ij,jk->ik',
      [
        [2, 3],
        [4, 5],
      ],
      '`j` is both 3 and 4',
    ],
    ['ij->ij', [[2, 3, 4]], '`ij` does not fit [2, 3, 4]'],
    ['ijk->ij', [[2, 3]], '`ijk` does not fit [2, 3]'],
    [
      'ij',
      [
        [2, 3],
        [2, 3],
      ],
      'it has 1 operands, the node has 2',
    ],
    ['ij->i->j', [[2, 3]], 'it is none'],
    ['i1->i', [[2, 3]], 'it is none'],
    ['i......->i', [[2, 3]], 'it is none'],
  ])('%s of %j is refused', (equation, dims, message) => {
    const b = new Builder();
    const xs = dims.map((d, i) => b.input(`x${i}`, 'float32', d));
    expect(() => einsum(b, xs, equation)).toThrow(`equation \`${equation}\`: ${message}`);
  });

  it('must state its equation', () => {
    const b = new Builder();
    const node = { op: 'Einsum', name: 'n', inputs: [], outputs: ['y'], attributes: {} };
    expect(() => upgraded(b, node, 12, [b.input('x', 'float32', [2])])).toThrow(
      'Einsum y: attribute `equation` is missing; it must be text',
    );
  });
});
