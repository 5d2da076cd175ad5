/** @file Total variation: neighbouring pixels that differ little. */
import { sizeOf } from '../ir/tensor.ts';
import { kind } from '../noun.ts';
import type { Untitled } from './objective.ts';
import { mapAxes, ofLayer, penalty, subjectOf, subjectShape, total, weight, weightValue } from './parts.ts';

/**
 * −weight · (Σ |x[y+1, x] − x[y, x]| + Σ |x[y, x+1] − x[y, x]|) / N, N being the number of elements of a picture. Source: Rudin, Osher
 * & Fatemi 1992; TensorFlow's `total_variation` (Lucid), a sum; a mean here, so that a weight is the same at every size.
 */
export const tv = kind({
  kind: 'tv',
  help: 'Negative total variation of the picture, or of a layer: what is raised is smoothness',
  settings: { weight, layer: ofLayer },
  make: ({ weight, layer }): Untitled => ({
    shape: `tv(${subjectShape(layer)})`,
    layers: layer === undefined ? [] : [layer],
    values: weightValue(weight),
    build(c) {
      const { b } = c;
      const subject = subjectOf(c, layer);
      const x = b.cast(subject.value, 'float32');
      const steps = mapAxes(subject)
        .filter((axis) => x.dims[axis]! > 1)
        .map((axis) => {
          const length = x.dims[axis]!;
          const apart = b.sub(b.slice(x, [1], [length], [axis]), b.slice(x, [0], [length - 1], [axis]));
          return total(b, b.one('Abs', [apart]));
        });
      const sum = steps.reduce((a, one) => b.add(a, one), b.float(0));
      return penalty(c, b.mul(sum, 1 / sizeOf(x.dims.slice(1))));
    },
  }),
});
