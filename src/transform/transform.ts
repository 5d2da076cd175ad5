/** @file What a transform is: a map from the stored picture to what the network sees of it in this step. */
import type { Value } from '../ir/builder.ts';
import type { StepBuilder } from '../step/builder.ts';

/**
 * Adds the transform of a picture [n, c, h, w]. What varies from step to step is a feed whose name begins with `name`, which is
 * unique to this transform of the step.
 */
export type Transform = (s: StepBuilder, image: Value, name: string) => Value;
