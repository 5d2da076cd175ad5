/** @file Less than the picture is seen: some pixels of every side are not. */
import { PhospheneError } from '../errors.ts';
import { whole } from '../settings.ts';
import { kind } from '../noun.ts';
import type { Transform } from './transform.ts';

/** What `pad` undoes, and the other way around: after motions, a frame of what they brought in from outside is cut away. */
export const trim = kind({
  kind: 'trim',
  help: 'Fewer pixels on each side',
  settings: { by: whole({ help: 'Pixels on each side', default: 12, to: 1 << 16 }) },
  make: ({ by }): Transform => ({
    move(_, view) {
      const [height, width] = [view.height - 2 * by, view.width - 2 * by];
      if (Math.min(height, width) < 1)
        throw new PhospheneError(
          'bad-option',
          `transforms: trim takes ${by} pixels from each side, which leaves nothing of ${view.height}×${view.width}; choose at most ${Math.ceil(Math.min(view.height, view.width) / 2) - 1}`,
          { option: 'transforms', by, height: view.height, width: view.width },
        );
      return { ...view, height, width };
    },
  }),
});
