/** @file Where a topology gets its weights: a file, or nothing but shapes. */
import type { Tensor } from '../ir/tensor.ts';

/** Weights by Keras layer and weight name (`kernel`, `bias`, `gamma` …), in Keras' layout (kernels HWIO). */
export interface WeightSource {
  /** What the weights come from, for messages. */
  readonly source: string;
  /** The tensor, or undefined where the source has none of that name. Only what is asked for is read; `dims` is the shape that is wanted. */
  read(layer: string, weight: string, dims?: readonly number[]): Tensor<'float32'> | undefined;
}
