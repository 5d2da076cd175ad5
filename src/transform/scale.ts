/** @file A zoom about the centre, drawn anew for each step. */
import { number } from '../settings.ts';
import { kind } from '../noun.ts';
import { checkRange } from './range.ts';
import type { Transform } from './transform.ts';
import { moved } from './view.ts';

/**
 * Shows the picture larger by a factor that is uniform in [from, to); smaller if it is below 1. The size that is seen stays. Lucid
 * draws one of .9, .92 … 1.1.
 */
export const scale = kind({
  kind: 'scale',
  help: 'A zoom by a factor in [from, to), drawn for each step',
  settings: {
    from: number({ help: 'Smallest factor', default: 0.9, from: 0.01, to: 100 }),
    to: number({ help: 'Largest factor', default: 1.1, from: 0.01, to: 100 }),
  },
  make({ from, to }): Transform {
    checkRange('scale', from, to);
    return {
      move(s, view, name) {
        const factor = s.feed(name, 'float32', [], { kind: 'uniform', low: from, high: to });
        const inverse = s.b.one('Reciprocal', [factor]);
        return moved(s.b, view, { xx: inverse, yy: inverse });
      },
    };
  },
});
