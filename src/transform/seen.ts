/** @file What the network sees of a picture in one step: all transforms in their order, the motions among them fused. */
import { Builder, type Value } from '../ir/builder.ts';
import { StepBuilder } from '../step/builder.ts';
import { resampled } from './resample.ts';
import type { Transform } from './transform.ts';
import { still, type View } from './view.ts';

/**
 * Adds transforms to a step, in their order. Motions that follow each other are composed first, so that the picture is resampled
 * once and loses no sharpness to the others. Throws `bad-option` and `shape` if they do not suit the picture.
 *
 * @example
 * seen(s, x, [transforms.make({ kind: 'jitter', by: 8 }), transforms.make({ kind: 'rotate', by: 10 })]);
 */
export function seen(s: StepBuilder, image: Value, transforms: readonly Transform[]): Value {
  let [changed, view] = [image, whole(image)];
  transforms.forEach((transform, i) => {
    const name = `transform/${i}`;
    if (typeof transform === 'function') {
      changed = transform(s, resampled(s.b, changed, view), name);
      view = whole(changed);
    } else view = transform.move(s, view, name);
  });
  return resampled(s.b, changed, view);
}

/**
 * The size that the network sees of a picture of a size. Throws as {@link seen}.
 *
 * @example
 * sizeSeen({ height: 180, width: 180 }, [transforms.make({ kind: 'pad', by: 12 })]); // { height: 204, width: 204 }
 */
export function sizeSeen(
  { height, width }: { readonly height: number; readonly width: number },
  transforms: readonly Transform[],
): { readonly height: number; readonly width: number } {
  const s = new StepBuilder(new Builder());
  const { dims } = seen(s, s.b.input('image', 'float32', [1, 1, height, width]), transforms);
  return { height: dims[2]!, width: dims[3]! };
}

function whole({ dims }: Value): View {
  return { height: dims[2]!, width: dims[3]!, from: still };
}
