/** @file phosphene sheet: the same filters of several layers, presets or seeds, a row each. The words; what is done is in core/sheet.ts. */
import { type Command, command } from './command.ts';
import { modelPositional } from './model.ts';
import { section } from './options.ts';
import { list, word } from './parse.ts';
import { renderOptions, type RenderNews, type RenderRequest, requestOf, teller } from './render.ts';
import { jsonLine } from './report.ts';
import { printable } from './text.ts';

/** What makes the rows. */
export interface SheetRequest {
  readonly layers: readonly string[] | undefined;
  readonly presets: readonly string[] | undefined;
  readonly seeds: readonly number[] | undefined;
}

/** What the core tells: what `render` tells of each row, and the sheet. */
export type SheetNews =
  | RenderNews
  | { readonly type: 'row'; readonly row: number; readonly of: number; readonly title: string }
  | { readonly type: 'sheet'; readonly file: string; readonly width: number; readonly height: number };

/** Renders the rows of a sheet, and tells of it; waits for what it tells. */
export type SheetCore = (
  request: RenderRequest,
  sheet: SheetRequest,
  tell: (news: SheetNews) => Promise<void>,
) => Promise<void>;

const wholeNumber = (text: string): number | undefined =>
  /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined;

// Each of these says what a row differs in; what is not a channel of a layer has no rows.
const {
  layer: _l,
  preset: _p,
  seed: _s,
  neuron,
  class: _c,
  labels: _b,
  objective: _o,
  pictures: _n,
  columns: _k,
  ...shared
} = renderOptions;

const options = {
  ...section('Rows', {
    layer: {
      setting: list('Layers, a row each: conv2_block1_out,conv3_block4_out', 'names with commas between', word),
      short: 'l',
      value: 'LIST',
      otherwise: 'eight, spread over the network',
    },
    preset: {
      setting: list('Presets, a row each', 'names with commas between', word),
      value: 'LIST',
      otherwise: 'the default preset',
    },
    seed: {
      setting: list('Seeds, a row each: 0,1,2', 'whole numbers with commas between', wholeNumber),
      value: 'LIST',
      otherwise: '0',
    },
    neuron,
  }),
  ...shared,
  filters: { ...renderOptions.filters, otherwise: 'the first 8' },
};

/** The command on a core, which is loaded when work begins. */
export function sheetCommand(load: () => Promise<SheetCore>): Command<typeof options> {
  return command({
    options,
    positional: modelPositional,
    examples: [
      ['phosphene sheet', 'eight filters of eight layers, as out/contact_sheet.png'],
      ['phosphene sheet --layer conv2_block1_out,conv3_block4_out --filters 0-15', 'sixteen filters of two layers'],
      ['phosphene sheet --layer conv3_block4_out --seed 0,1,2', 'the same filters from three seeds'],
    ],
    async run(given, context) {
      const { layer: layers, preset: presets, seed: seeds, json, quiet } = given;
      // The seed of a row is a setting of the picture there.
      const without = { seed: undefined };
      const request = requestOf(
        {
          ...given,
          ...without,
          layer: undefined,
          preset: presets?.[0] ?? renderOptions.preset.setting.default,
          class: undefined,
          labels: undefined,
          objective: undefined,
          pictures: undefined,
          columns: undefined,
        },
        context,
      );
      const core = await load();
      context.progress.show({ key: 'read', label: `Reading ${printable(request.model)}` });
      let tell = teller(given, context);
      await core(request, { layers, presets, seeds }, async (news) => {
        if (news.type === 'row') {
          // Each row is told as a rendering of its own.
          tell = teller(given, context);
          const { type: event, row, of, title } = news;
          if (json) await context.print(jsonLine({ event, row, of, title }));
        } else if (news.type === 'sheet') {
          const { type: event, file, width, height } = news;
          context.progress.clear();
          if (json) await context.print(jsonLine({ event, file, width, height }));
          else if (!quiet) await context.print(`${file} (${width}×${height})\n`);
        } else if (news.type !== 'grid') await tell(news);
      });
    },
  });
}

export default sheetCommand(() => import('./core/sheet.ts').then((m) => m.sheet));
