/** @file A random part of the picture, brought to one size: how MACO sees a large canvas. */
import { number, whole } from '../settings.ts';
import { kind } from '../noun.ts';
import type { Transform } from './transform.ts';
import { moved } from './view.ts';

/**
 * A part of the picture that has the proportions of what is seen. Its side, as a share of the largest such part, is normal about a
 * mean that goes from `from` in the first step to `to` in the last, and within [.05, 1]. Its centre is normal about that of the
 * picture; the part never leaves the picture, so nothing of what lies outside is seen.
 *
 * Source: MACO (Fel et al. 2023, arXiv:2306.06805) as in Xplique: from .5 to .05, spread .05, wander .15. There the part may leave
 * the picture, which then ends in grey.
 */
export const crop = kind({
  kind: 'crop',
  help: 'A random part of the picture brought to the size of `view`, drawn for each step',
  settings: {
    view: whole({ help: 'Side in pixels of what is seen; 0 for the size of the picture', default: 0, to: 1 << 16 }),
    from: number({
      help: 'Mean side of the part in the first step, as a share of the picture',
      default: 0.5,
      from: 0.05,
      to: 1,
    }),
    to: number({
      help: 'Mean side of the part in the last step, as a share of the picture',
      default: 0.05,
      from: 0.05,
      to: 1,
    }),
    spread: number({
      help: 'Standard deviation of the side, as a share of the picture',
      default: 0.05,
      from: 0,
      to: 1,
    }),
    wander: number({
      help: 'Standard deviation of the centre, as a share of the picture',
      default: 0.15,
      from: 0,
      to: 10,
    }),
  },
  make: ({ view: side, from, to, spread, wander }): Transform => ({
    move(s, before, name) {
      const { b } = s;
      const [height, width] = side === 0 ? [before.height, before.width] : [side, side];
      const mean = s.feed(`${name}/mean`, 'float32', [], { kind: 'schedule', from, to, shape: 'linear' });
      const off = s.feed(`${name}/side`, 'float32', [], { kind: 'normal', mean: 0, deviation: spread });
      const share = b.one('Clip', [b.add(mean, off), b.float(0.05), b.float(1)]);
      // From the centre of the outermost pixel to that of the opposite one: beyond it nothing can be interpolated.
      const reach = (length: number): number => Math.max(1, length - 1);
      const step = b.mul(share, Math.min(reach(before.height) / reach(height), reach(before.width) / reach(width)));
      const centre = (axis: string, whole: number, seen: number): typeof step => {
        const drawn = s.feed(`${name}/${axis}`, 'float32', [], { kind: 'normal', mean: 0, deviation: wander * whole });
        const room = b.relu(b.mul(b.sub(reach(whole), b.mul(step, reach(seen))), 0.5));
        return b.min(b.max(drawn, b.neg(room)), room);
      };
      return {
        ...moved(b, before, {
          xx: step,
          yy: step,
          x0: centre('x', before.width, width),
          y0: centre('y', before.height, height),
        }),
        height,
        width,
      };
    },
  }),
});
