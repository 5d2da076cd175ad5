/** @file Diversity: several pictures of one thing that look different to a layer. */
import { PhospheneError } from '../errors.ts';
import { float32 } from '../ir/tensor.ts';
import { kind } from '../noun.ts';
import type { Untitled } from './objective.ts';
import { layer, mapAxes, penalty, total, weight, weightValue } from './parts.ts';

/**
 * −weight · (1/n) Σ_{i≠j} ⟨Gᵢ, Gⱼ⟩ / (‖Gᵢ‖ ‖Gⱼ‖), Gᵢ = Xᵢ Xᵢᵀ being the Gram matrix of picture i: which channels are on together, wherever that is.
 * From 0, if no two pictures have anything in common, to −weight · (n − 1), if all are alike. Source: Olah et al. 2017, "Feature
 * Visualization"; Lucid's `diversity`, whose sign is the other: here, as everywhere, what is raised is what one wants.
 */
export const diversity = kind({
  kind: 'diversity',
  help: 'How different several pictures look to a layer: the negative cosine of their Gram matrices',
  settings: { layer, weight },
  make: ({ layer, weight }): Untitled => ({
    shape: `diversity(${JSON.stringify(layer)})`,
    layers: [layer],
    values: weightValue(weight),
    pictures: { least: 2, usual: 4 },
    build(c) {
      const { b } = c;
      const n = several(c.pictures, 'diversity');
      const found = c.activation(layer);
      const { value, channelAxis } = found;
      const count = value.dims[channelAxis]!;
      const first = b.transpose(b.cast(value, 'float32'), [0, channelAxis, ...mapAxes(found)]);
      const flat = b.reshape(first, [n, count, first.dims.slice(2).reduce((product, d) => product * d, 1)]);
      const grams = b.reshape(b.matmul(flat, b.transpose(flat, [0, 2, 1])), [n, count * count]);
      const squares = b.sum(b.mul(grams, grams), [1], true);
      const unit = b.div(grams, b.sqrt(b.max(squares, 1e-10)));
      const others = b.constant(
        float32(
          Float32Array.from({ length: n * n }, (_, i) => (i % n === Math.floor(i / n) ? 0 : 1 / n)),
          [n, n],
        ),
      );
      return penalty(c, total(b, b.mul(b.matmul(unit, b.transpose(unit, [1, 0])), others)));
    },
  }),
});

/** The number of pictures, if they are several. Throws `bad-option`. */
export function several(pictures: number, what: string): number {
  if (pictures > 1) return pictures;
  throw new PhospheneError(
    'bad-option',
    `${what} compares pictures, and there is one; choose \`pictures\` of at least 2`,
    { option: 'pictures', pictures },
  );
}
