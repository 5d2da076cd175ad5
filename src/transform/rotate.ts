/** @file A turn about the centre, drawn anew for each step. */
import { number } from '../settings.ts';
import { kind } from '../noun.ts';
import type { Transform } from './transform.ts';
import { moved } from './view.ts';

/**
 * Turns the picture by an angle that is uniform in [-by, by) degrees, clockwise if it is positive, except in a share `still` of the
 * steps. Lucid draws one of -10, -9 … 10 and five more zeros: `{ by: 10, still: 0.2 }`.
 */
export const rotate = kind({
  kind: 'rotate',
  help: 'A turn by up to `by` degrees either way, drawn for each step',
  settings: {
    by: number({ help: 'Largest angle in degrees', default: 10, from: 0, to: 180 }),
    still: number({ help: 'Share of the steps without a turn', default: 0, from: 0, to: 1 }),
  },
  make: ({ by, still }): Transform => ({
    move(s, view, name) {
      const { b } = s;
      const most = (by * Math.PI) / 180;
      const drawn = s.feed(name, 'float32', [], { kind: 'uniform', low: -most, high: most });
      const chance = s.feed(`${name}/still`, 'float32', [], { kind: 'uniform', low: 0, high: 1 });
      const angle = b.where(b.less(chance, still), b.float(0), drawn);
      const [cosine, sine] = [b.one('Cos', [angle]), b.one('Sin', [angle])];
      return moved(b, view, { xx: cosine, xy: sine, yx: b.neg(sine), yy: cosine });
    },
  }),
});
