/** @file Blur: a picture that is as its blurred self. */
import type { Builder, Value } from '../ir/builder.ts';
import { float32, sizeOf } from '../ir/tensor.ts';
import { kind } from '../noun.ts';
import type { Untitled } from './objective.ts';
import { penalty, total, weight, weightValue } from './parts.ts';

/**
 * −weight · ½ mean (x − stop(blurred x))². The blurred picture is taken for a constant, so that a step of plain ascent moves the
 * picture towards it. Source: Lucid's `blur_input_each_step`, a sum; a mean here.
 */
export const blur = kind({
  kind: 'blur',
  help: 'Negative distance of the picture from its blurred self',
  settings: { weight },
  make: ({ weight }): Untitled => ({
    shape: 'blur',
    layers: [],
    values: weightValue(weight),
    build(c) {
      const { b, image } = c;
      const apart = b.sub(image, c.stop(blurred(b, image, 3)));
      return penalty(c, b.mul(total(b, b.mul(apart, apart)), 0.5 / sizeOf(image.dims.slice(1))));
    },
  }),
});

/**
 * The picture under a window of `width` × `width` pixels, those on its rim with half the weight, as far as it lies on the picture.
 * Source: Lucid's `_tf_blur`.
 */
export function blurred(b: Builder, image: Value, width: number): Value {
  const [, channels, height, columns] = image.dims as [number, number, number, number];
  const reach = (width - 1) / 2;
  const weightAt = (y: number, x: number): number =>
    Math.max(Math.abs(y - reach), Math.abs(x - reach)) === reach ? 0.5 : 1;
  const window = Array.from({ length: width * width }, (_, i) => weightAt(Math.floor(i / width), i % width));
  const kernel = float32(Array.from({ length: channels }, () => window).flat(), [channels, 1, width, width]);
  // How much of the window lies on the picture, at each position.
  const share = new Float32Array(height * columns);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < columns; x++)
      for (let i = 0; i < window.length; i++) {
        const [row, column] = [y + Math.floor(i / width) - reach, x + (i % width) - reach];
        if (row >= 0 && row < height && column >= 0 && column < columns) share[y * columns + x]! += window[i]!;
      }
  const sums = b.conv(image, b.constant(kernel), undefined, { pads: [reach, reach, reach, reach], group: channels });
  return b.div(sums, b.constant(float32(share, [1, 1, height, columns])));
}
