/** @file Alignment: several pictures that change little from one to the next, as for an interpolation. */
import { float32, sizeOf } from '../ir/tensor.ts';
import { kind } from '../noun.ts';
import { number } from '../settings.ts';
import { several } from './diversity.ts';
import type { Untitled } from './objective.ts';
import { layer, penalty, total, weight, weightValue } from './parts.ts';

/** The farthest neighbours that are compared. */
const FARTHEST = 4;

/**
 * −weight · Σ_{d=1..4} Σ_i mean((xᵢ − xᵢ₊ d)²) / decay^d: neighbours give a layer nearly the same activations. Source: Lucid's
 * `alignment`; Mordvintsev et al. 2018, "Differentiable Image Parameterizations".
 */
export const alignment = kind({
  kind: 'alignment',
  help: 'How alike neighbouring pictures look to a layer: the negative mean square of their difference',
  settings: {
    layer,
    weight,
    decay: number({ help: 'Each further neighbour counts less by this factor', default: 2, from: 1, to: 1e6 }),
  },
  make: ({ layer, weight, decay }): Untitled => ({
    shape: `alignment(${JSON.stringify(layer)})`,
    layers: [layer],
    values: { ...weightValue(weight), decay: float32(decay) },
    pictures: { least: 2, usual: 6 },
    build(c) {
      const { b } = c;
      const n = several(c.pictures, 'alignment');
      const x = b.cast(c.activation(layer).value, 'float32');
      const each = sizeOf(x.dims.slice(1));
      const terms = Array.from({ length: Math.min(FARTHEST, n - 1) }, (_, i) => {
        const d = i + 1;
        const apart = b.sub(b.slice(x, [0], [n - d], [0]), b.slice(x, [d], [n], [0]));
        return b.div(b.mul(total(b, b.mul(apart, apart)), 1 / each), b.pow(c.value('decay'), d));
      });
      return penalty(
        c,
        terms.reduce((sum, term) => b.add(sum, term)),
      );
    },
  }),
});
