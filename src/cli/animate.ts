/** @file phosphene animate: ascents as they go on, and filters that turn into one another. The words; what is done is in core/animate.ts. */

import { flag, text, whole } from '../settings.ts';
import { type Command, command } from './command.ts';
import { modelPositional } from './model.ts';
import { section } from './options.ts';
import { jsonLine } from './report.ts';
import { renderOptions, type RenderNews, type RenderRequest, requestOf, teller } from './render.ts';
import { counted, printable } from './text.ts';

/** How an animation is made and shown. */
export interface AnimationRequest {
  readonly frames: number;
  readonly delay: number;
  readonly morph: boolean;
}

/** What the core tells: what `render` tells of its pictures, and the file. */
export type AnimateNews =
  | RenderNews
  | {
      readonly type: 'file';
      readonly file: string;
      readonly width: number;
      readonly height: number;
      readonly frames: number;
    };

/** Animates, and tells of it; waits for what it tells. */
export type AnimateCore = (
  request: RenderRequest,
  animation: AnimationRequest,
  tell: (news: AnimateNews) => Promise<void>,
) => Promise<void>;

const options = {
  ...renderOptions,
  ...section('Animation', {
    frames: {
      setting: whole({
        help: 'Pictures of the ascent; with --morph, from one filter to the next',
        default: 24,
        from: 1,
        to: 1000,
      }),
      value: 'N',
    },
    delay: {
      setting: whole({ help: 'Milliseconds that each picture is seen', default: 80, from: 10, to: 60_000 }),
      value: 'N',
    },
    morph: {
      setting: flag({
        help: 'The filters turn into one another, in place of being ascended side by side',
        default: false,
      }),
    },
  }),
  filters: { ...renderOptions.filters, otherwise: 'the first' },
  out: {
    ...renderOptions.out,
    setting: text({ help: 'The file; its ending says its format: .gif, or .png and .apng', default: 'animation.gif' }),
    value: 'FILE',
  },
};

/** The command on a core, which is loaded when work begins. */
export function animateCommand(load: () => Promise<AnimateCore>): Command<typeof options> {
  return command({
    options,
    positional: modelPositional,
    examples: [
      ['phosphene animate --filters 10', 'the ascent of a filter, as animation.gif'],
      ['phosphene animate --filters 0-15 --out grid.png', 'sixteen ascents side by side, as an animated PNG'],
      ['phosphene animate --filters 10,38,51 --morph', 'three filters that turn into one another'],
    ],
    async run(given, context) {
      const request = requestOf(given, context);
      const { frames, delay, morph, json, quiet } = given;
      const core = await load();
      context.progress.show({ key: 'read', label: `Reading ${printable(request.model)}` });
      const tell = teller(given, context);
      await core(request, { frames, delay, morph }, async (news) => {
        if (news.type !== 'file') return tell(news);
        const { type: event, file, width, height, frames: count } = news;
        context.progress.clear();
        if (json) await context.print(jsonLine({ event, file, width, height, frames: count }));
        else if (!quiet) await context.print(`${file} (${width}×${height}, ${counted(count, 'picture')})\n`);
      });
    },
  });
}

export default animateCommand(() => import('./core/animate.ts').then((m) => m.animate));
