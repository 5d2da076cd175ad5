/** @file A mirror, drawn anew for each step. */
import { number } from '../settings.ts';
import { kind } from '../noun.ts';
import type { Transform } from './transform.ts';
import { moved } from './view.ts';

/** Exchanges left and right with some chance. */
export const flip = kind({
  kind: 'flip',
  help: 'Left and right exchanged with some chance, drawn for each step',
  settings: { chance: number({ help: 'Share of the steps that are flipped', default: 0.5, from: 0, to: 1 }) },
  make: ({ chance }): Transform => ({
    move(s, view, name) {
      const { b } = s;
      const drawn = s.feed(name, 'float32', [], { kind: 'uniform', low: 0, high: 1 });
      return moved(b, view, { xx: b.where(b.less(drawn, chance), b.float(-1), b.float(1)) });
    },
  }),
});
