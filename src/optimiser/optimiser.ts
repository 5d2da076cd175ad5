/** @file What an optimiser is: from the parameters and the gradient of the objective to the next parameters. It ascends. */
import type { Value } from '../ir/builder.ts';
import type { Tensor } from '../ir/tensor.ts';
import type { StepBuilder } from '../step/builder.ts';

/** An optimiser with its settings. */
export interface Optimiser {
  /** What its values are for a picture; their names are those of the step's values. */
  readonly values: Readonly<Record<string, Tensor>>;
  /** Adds the update: for each parameter of `z` with its gradient, what it is in the next step. */
  readonly build: (s: StepBuilder, z: readonly Value[], gradients: readonly Value[]) => readonly Value[];
}
