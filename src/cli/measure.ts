/** @file phosphene measure: what parameterisations know of photographs, measured on one's own. The words; the work is in core/measure.ts. */
import { PhospheneError } from '../errors.ts';
import { choice } from '../settings.ts';
import { type Command, command } from './command.ts';
import { outputOptions } from './model.ts';
import { optional, section } from './options.ts';
import { jsonLine } from './report.ts';

/** What is measured. */
export interface Measured {
  /** For `--colour`. */
  readonly colour?: readonly number[];
  /** For `--spectrum`. */
  readonly spectrum?: readonly number[];
}

/** Measures the photos of a folder: both, or one. */
export type MeasureCore = (request: {
  readonly folder: string;
  readonly only: 'colour' | 'spectrum' | undefined;
}) => Promise<Measured>;

const options = {
  ...section('Options', {
    only: {
      setting: optional(choice({ help: 'One of colour, spectrum', default: 'colour', of: ['colour', 'spectrum'] })),
      value: 'WORD',
      otherwise: 'both',
    },
  }),
  ...outputOptions,
};

/** The command on a core, which is loaded when work begins. */
export function measureCommand(load: () => Promise<MeasureCore>): Command<typeof options> {
  return command({
    options,
    positional: { name: 'FOLDER', help: 'A folder of JPEG, PNG or WebP files', most: 1 },
    examples: [
      [
        'phosphene render --param maco $(phosphene measure photos)',
        "pictures with one's own photos' spectrum and colours",
      ],
      ['phosphene render --param fourier $(phosphene measure photos --only colour)', 'their colours alone'],
    ],
    async run({ only, json }, { positionals: [folder], print }) {
      if (folder === undefined)
        throw new PhospheneError('bad-option', 'FOLDER: the path of a folder of photos is needed', {});
      const core = await load();
      const measured = await core({ folder, only });
      const words = Object.entries(measured).map(([name, numbers]) => `--${name}=${(numbers as number[]).join()}\n`);
      await print(json ? jsonLine(measured) : words.join(''));
    },
  });
}

export default measureCommand(() => import('./core/measure.ts').then((m) => m.measure));
