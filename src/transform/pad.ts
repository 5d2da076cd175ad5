/** @file More than the picture is seen: what lies outside it on every side. */
import { choice, whole } from '../settings.ts';
import { kind } from '../noun.ts';
import type { Transform } from './transform.ts';
import { outsides } from './view.ts';

/**
 * The network sees `by` pixels more on each side. It also says what any later motion finds outside the picture, however far it
 * reaches; without a `pad`, that is grey. Of several before one resampling, the first one decides. Lucid pads with 12 of grey.
 */
export const pad = kind({
  kind: 'pad',
  help: 'More pixels on each side, of what lies outside the picture',
  settings: {
    by: whole({ help: 'Pixels on each side', default: 12, to: 1 << 16 }),
    outside: choice({ help: 'What lies outside the picture', default: 'grey', of: outsides }),
  },
  make: ({ by, outside }): Transform => ({
    move: (_, view) => ({
      ...view,
      height: view.height + 2 * by,
      width: view.width + 2 * by,
      outside: view.outside ?? outside,
    }),
  }),
});
