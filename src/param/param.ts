/** @file What a parameterisation is: tensors that are ascended, and the picture that they stand for. */
import type { Value } from '../ir/builder.ts';
import type { Dims, Tensor, Tensors } from '../ir/tensor.ts';
import type { StepBuilder } from '../step/builder.ts';

/** What is ascended, and what it looks like. */
export interface Parameters {
  /** The states that the optimiser moves. The first is `z`. */
  readonly z: readonly Value[];
  /** The picture [n, c, h, w], values about [-1, 1]; it depends on `z` alone. */
  readonly image: Value;
  /** Its opacity [n, 1, h, w], from -1 for transparent to 1 for opaque; absent if all is opaque. A finished picture has it as its last channel. */
  readonly alpha?: Value;
  /** What transforms and network are shown in place of the picture, such as the picture over a background. */
  readonly shown?: Value;
  /** What is ascended in place of the objective, such as less of it for what the picture costs. What is reported is the objective. */
  readonly weighed?: (objective: Value) => Value;
  /**
   * The states, by name, whose picture is a photo of the picture's dims and values in [-1, 1]. Absent if no states can have it as
   * their picture. Computed at once, without an engine.
   */
  readonly invert?: (photo: Tensor<'float32'>) => Tensors;
}

/** Adds the states of a picture of these dims [n, c, h, w] to a step. */
export type Param = (s: StepBuilder, dims: Dims) => Parameters;
