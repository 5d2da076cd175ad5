/** @file phosphene models: the models known by name. The words; what is done is in core/models.ts. */
import { didYouMean, PhospheneError } from '../errors.ts';
import { type Command, command } from './command.ts';
import { outputOptions } from './model.ts';
import { optional, section } from './options.ts';
import { jsonLine } from './report.ts';
import { text } from '../settings.ts';
import { table } from './text.ts';

/** One file of a model's weights. */
export interface ListedFile {
  readonly url: string;
  /** MD5 or SHA-256, in hex; undefined if the publisher states none. */
  readonly hash?: string | undefined;
  readonly parameters: number;
  /** Length, nearly: of its numbers alone. */
  readonly bytes: number;
  /** Whether it is on this machine already. */
  readonly cached: boolean;
}

/** A model as a row of the list. */
export interface ListedModel {
  readonly name: string;
  /** Of the paper. */
  readonly year?: number;
  /** Height and width of the pictures that it was trained on. */
  readonly size: number;
  readonly preprocess: string;
  readonly defaultLayer: string;
  /** With the classifier; undefined if it comes with the package. */
  readonly full?: ListedFile;
  /** Without the classifier, under the name with `-notop` at its end. */
  readonly noTop?: ListedFile;
}

export type ModelsCore = (request: { readonly cache: string | undefined }) => Promise<readonly ListedModel[]>;

const options = {
  ...section('Options', {
    cache: {
      setting: optional(text({ help: 'Folder for downloads, in which is looked' })),
      value: 'FOLDER',
      otherwise: '$PHOSPHENE_CACHE or the cache of the system',
    },
  }),
  ...outputOptions,
};

/** The command on a core, which is loaded when work begins. */
export function modelsCommand(load: () => Promise<ModelsCore>): Command<typeof options> {
  return command({
    options,
    positional: { name: 'NAME', help: 'Only those whose names hold this; all unless given', most: 1 },
    examples: [
      ['phosphene models', 'all of them'],
      ['phosphene models efficientnet', 'one family'],
      ['phosphene models --json', 'for programs, with addresses and hashes'],
    ],
    async run({ cache, json }, { positionals: [wanted], print, note }) {
      const core = await load();
      const all = await core({ cache });
      const plain = (name: string): string => name.toLowerCase().replaceAll(/[-_\s]/g, '');
      const models = all.filter(({ name }) => plain(name).includes(plain(wanted ?? '')));
      if (models.length === 0) {
        const names = all.map((m) => m.name);
        throw new PhospheneError(
          'unknown-model',
          `\`${wanted}\`: no model has a name like this${didYouMean(plain(wanted!), names) || '; without a name all are listed'}`,
          { name: wanted, known: names },
        );
      }
      if (json) return print(jsonLine({ models }));
      await print(asTable(models));
      note(
        '\nEach is opened by its name, in any letter case. NAME-notop is the model without its classifier. Weights are downloaded when a picture needs them, once.',
      );
    },
  });
}

function asTable(models: readonly ListedModel[]): string {
  const megabytes = (file: ListedFile | undefined): string => (file ? (file.bytes / 1e6).toFixed(0) : '');
  const rows = models.map(({ name, year, size, full, noTop }) => [
    name,
    String(year ?? ''),
    `${size}×${size}`,
    full ? megabytes(full) : 'built in',
    megabytes(noTop),
    [full?.cached ? 'yes' : '', noTop?.cached ? '-notop' : ''].filter((word) => word !== '').join(', '),
  ]);
  return table([['name', 'year', 'trained at', 'MB', 'MB of -notop', 'cached'], ...rows], [3, 4]);
}

export default modelsCommand(() => import('./core/models.ts').then((m) => m.models));
