/** @file A shift, drawn anew for each step: what comes in from outside is what `pad` says, else grey. */
import { whole } from '../settings.ts';
import { kind } from '../noun.ts';
import type { Transform } from './transform.ts';
import { moved } from './view.ts';

/**
 * Moves the picture by a whole number of pixels on each axis, each from -by to by. `roll` is the same with what left on the other
 * side coming in. Lucid's jitter(d), a random crop that is d pixels smaller, is a jitter by d / 2 and a trim by d / 2.
 */
export const jitter = kind({
  kind: 'jitter',
  help: 'A shift by up to `by` pixels on each axis, drawn for each step',
  settings: { by: whole({ help: 'Largest shift in pixels', default: 8, to: 1 << 16 }) },
  make: ({ by }): Transform => ({
    move(s, view, name) {
      const [x0, y0] = ['x', 'y'].map((axis) =>
        s.feed(`${name}/${axis}`, 'float32', [], { kind: 'whole', low: -by, high: by }),
      );
      return moved(s.b, view, { x0: x0!, y0: y0! });
    },
  }),
});
