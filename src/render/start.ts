/** @file Ascents that begin with a photo instead of noise. */
import { PhospheneError } from '../errors.ts';
import type { Tensor, Tensors } from '../ir/tensor.ts';
import type { ParamSpec } from '../param/index.ts';
import { Z } from '../step/step.ts';

/** What a recipe says of the photo that its ascent begins with. */
export interface StartSpec {
  /** SHA-256 of the photo as the ascent takes it, in hex. */
  readonly photo: string;
}

/**
 * The states that stand for a photo [1, c, h, w] of the picture's size. Throws `bad-option` if a picture of this parameterisation cannot
 * begin with a photo.
 *
 * @example
 * startWith({ kind: 'pixel', noise: 0.125 }, photoTensor(photo, { size })); // { z: … }
 */
export function startWith(param: ParamSpec, photo: Tensor<'float32'>): Tensors {
  const kind: string = param.kind;
  if (kind !== 'pixel')
    throw new PhospheneError(
      'bad-option',
      `start: a picture made of \`${kind}\` cannot begin with a photo; choose another \`param\`, such as pixel`,
      { option: ['start', 'param'], param: kind },
    );
  return { [Z]: photo };
}
