/** @file What a transform is: a change of what the network sees of the stored picture in this step, never of the picture itself. */
import type { Value } from '../ir/builder.ts';
import type { StepBuilder } from '../step/builder.ts';
import type { View } from './view.ts';

/**
 * Changes the values of a picture [n, c, h, w]. What varies from step to step is a feed whose name begins with `name`, which is
 * unique to this transform of the step.
 */
export type Alteration = (s: StepBuilder, image: Value, name: string) => Value;

/** Moves the picture: says where what is seen now lay before. Motions that follow each other become one resampling. */
export interface Motion {
  /** The view of the moved picture, from the view of the picture before. Feeds are named as those of a {@link Alteration}. */
  readonly move: (s: StepBuilder, view: View, name: string) => View;
}

/** A transform with its settings. */
export type Transform = Alteration | Motion;
