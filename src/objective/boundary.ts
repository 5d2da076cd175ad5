/** @file A plain border: little complexity where the network sees the edge of the picture. */
import { float32, sizeOf } from '../ir/tensor.ts';
import { kind } from '../noun.ts';
import { number, whole } from '../settings.ts';
import { blurred } from './blur.ts';
import type { Untitled } from './objective.ts';
import { penalty, total, weight, weightValue } from './parts.ts';

/**
 * −weight · Σ over the outer `width` pixels of ((blurred x − x)² + 0.8 (x − around)²) / N, N being the number of elements of a
 * picture: away from grey and rough costs, within `width` pixels of a side. Source: Lucid's `penalize_boundary_complexity`, whose grey
 * is 0.5 of [0, 1].
 */
export const boundary = kind({
  kind: 'boundary',
  help: 'Negative complexity of the outer pixels of the picture',
  settings: {
    weight,
    width: whole({ help: 'How many pixels from each side', default: 20, from: 1, to: 1 << 16 }),
    around: number({ help: 'The value that costs nothing; grey is 0', default: 0, from: -1e6, to: 1e6 }),
  },
  make: ({ weight, width, around }): Untitled => ({
    shape: `boundary(${width})`,
    layers: [],
    values: { ...weightValue(weight), around: float32(around) },
    build(c) {
      const { b, image } = c;
      const [, , height, columns] = image.dims as [number, number, number, number];
      const outer = Float32Array.from({ length: height * columns }, (_, i) => {
        const [y, x] = [Math.floor(i / columns), i % columns];
        return Math.min(y, x, height - 1 - y, columns - 1 - x) < width ? 1 : 0;
      });
      const rough = b.sub(blurred(b, image, 5), image);
      const away = b.sub(image, c.value('around'));
      const cost = b.add(b.mul(rough, rough), b.mul(b.mul(away, away), 0.8));
      const counted = b.mul(cost, b.constant(float32(outer, [1, 1, height, columns])));
      return penalty(c, b.mul(total(b, counted), 1 / sizeOf(image.dims.slice(1))));
    },
  }),
});
