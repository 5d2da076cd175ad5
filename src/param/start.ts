/** @file An ascent that begins with a photo. */
import { PhospheneError } from '../errors.ts';
import { Builder } from '../ir/builder.ts';
import type { Tensor, Tensors } from '../ir/tensor.ts';
import { StepBuilder } from '../step/builder.ts';
import type { Param } from './param.ts';

/**
 * Whether {@link startFrom} has states for pictures of these dims [n, c, h, w].
 *
 * @example
 * canStart(params.make({ kind: 'cppn' }), [1, 3, 180, 180]); // false
 */
export function canStart(param: Param, dims: readonly number[]): boolean {
  return param(new StepBuilder(new Builder()), dims).invert !== undefined;
}

/**
 * The states whose picture is a photo [n, c, h, w] of values in [-1, 1], for the `start` of a job of the photo's size. Throws
 * `bad-option` if the parameterisation has no such states.
 *
 * @example
 * const start = startFrom(params.make({ kind: 'fourier' }), pixels);
 * const run = ascend(compiled, { values, key: '0', steps: 30, start });
 */
export function startFrom(param: Param, photo: Tensor<'float32'>): Tensors {
  const { invert } = param(new StepBuilder(new Builder()), photo.dims);
  if (!invert)
    throw new PhospheneError(
      'bad-option',
      'param: this parameterisation cannot have a given photo as its picture; choose pixel, decorrelate, fourier or pyramid to start from one',
      { option: 'param' },
    );
  return invert(photo);
}
