/** @file Several pictures that are ascended together: each moves as it would alone, however strong its gradient is. */
import { describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { lengths } from '../../src/optimiser/length.ts';
import { type OptimiserSpec, optimisers } from '../../src/optimiser/index.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { updates } from './updates.ts';

const [h, w] = [4, 5];
const size = 3 * h * w;
const random = (key: string, scale: number): number[] => Array.from(new Random(key).normal(size, 0, scale));
/** A picture whose gradient is a thousand times that of the other, for two steps. */
const pictures = ['strong', 'weak'].map((key, i) => {
  const scale = i === 0 ? 100 : 0.1;
  return { gradients: [random(key, scale), random(`${key} again`, scale)], start: random(`${key} start`, i + 1) };
});

describe('several pictures', () => {
  const kinds: readonly OptimiserSpec[] = [
    optimisers.complete({ kind: 'normalised', rate: 2 }),
    // A limit that one of them reaches.
    optimisers.complete({ kind: 'sobolev', rate: 3, limit: 1.2 }),
    optimisers.complete({ kind: 'nadam', clip: 5 }),
    optimisers.complete({ kind: 'adamw', clip: 5 }),
    optimisers.complete({ kind: 'rmsprop', clip: 5 }),
  ];
  it.each(kinds.map((spec) => [spec.kind, spec] as const))('move by `%s` as each would alone', async (_, spec) => {
    const optimiser = optimisers.make(spec);
    const alone = await Promise.all(
      pictures.map(({ gradients, start }) =>
        updates(
          optimiser,
          [[1, 3, h, w]],
          gradients.map((g) => [g]),
          [start],
        ),
      ),
    );
    const together = await updates(
      optimiser,
      [[2, 3, h, w]],
      [0, 1].map((step) => [pictures.flatMap(({ gradients }) => gradients[step]!)]),
      [pictures.flatMap(({ start }) => start)],
    );
    for (const step of [0, 1])
      pictures.forEach((_picture, i) => {
        const found = together[step]![0]!.slice(i * size, (i + 1) * size);
        found.forEach((v, at) => expect(v).toBeCloseTo(alone[i]![step]![0]![at]!, 4));
      });
  });

  it('measure all parameters of a picture together, whatever their rank', async () => {
    const b = new Builder();
    const g = [b.input('a', 'float32', [2, 1, 2]), b.input('b', 'float32', [2, 2, 1, 1])];
    const found = lengths(b, g);
    expect(found.map(({ dims }) => dims)).toEqual([
      [2, 1, 1],
      [2, 1, 1, 1],
    ]);
    const program = await nodeRuntime.compile(b.graph({ a_size: found[0]!, b_size: found[1]! }));
    const out = await program.run({ a: float32([1, 4, 0, 0], [2, 1, 2]), b: float32([8, 0, 0, 0], [2, 2, 1, 1]) });
    for (const name of ['a_size', 'b_size']) {
      expect(out[name]!.data[0]).toBeCloseTo(9, 5);
      // Nothing is divided by nothing.
      expect(out[name]!.data[1]).toBeCloseTo(1e-6, 8);
    }
    await program.dispose();
  });
  it('that are one have a scalar', () => {
    const b = new Builder();
    const [size_] = lengths(b, [b.input('a', 'float32', [1, 3, 2, 2])]);
    expect(size_!.dims).toEqual([]);
  });
});
