/** @file A cyclic shift, drawn anew for each step: what leaves on one side comes in on the other. */
import { whole } from '../settings.ts';
import { kind } from '../noun.ts';
import type { Alteration } from './transform.ts';

/** Moves the picture by a whole number of pixels on each axis, so that the ascent cannot lock itself to the network's sampling grid. */
export const roll = kind({
  kind: 'roll',
  help: 'A cyclic shift by up to `by` pixels on each axis, drawn for each step',
  settings: { by: whole({ help: 'Largest shift in pixels', default: 8, to: 1 << 16 }) },
  make:
    ({ by }): Alteration =>
    (s, image, name) =>
      // Fed indices and not slices: the starts of a Slice are constants.
      [2, 3].reduce((moved, axis) => {
        const length = image.dims[axis]!;
        return s.b.gather(moved, s.feed(`${name}/${axis}`, 'int64', [length], { kind: 'roll', length, by }), axis);
      }, image),
});
