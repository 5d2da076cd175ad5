/** @file What a page can choose from: presets and settings as plain data, read from the tables, and chosen texts as options. */
import { didYouMean, PhospheneError } from '../errors.ts';
import { presets, type PresetName } from '../render/presets.ts';
import { iterateSettings } from '../render/iterate.ts';
import { followed } from '../render/overrides.ts';
import { flatSettings, type RecipeOptions, settle } from '../render/recipe.ts';
import { normalised, parsed } from '../settings.ts';
import { VERSION } from '../version.ts';
import type { Catalogue, PresetFacts } from './protocol.ts';

const flat = flatSettings();

/** The preset that a page shows first: where pictures are seen as they come, the one that is soonest there. */
export const SHOWN_FIRST: PresetName = 'fast';

/** All presets and settings, with what the studio says of itself. */
export function catalogueOf(own: Pick<Catalogue, 'models' | 'engine' | 'workers'>): Catalogue {
  const first: PresetName = SHOWN_FIRST;
  const names = Object.keys(presets) as PresetName[];
  return {
    version: VERSION,
    ...own,
    presets: [first, ...names.filter((name) => name !== first)].map(presetFacts),
    settings: flat.map(({ name, path, setting: { help, takes, of } }) => ({
      name,
      path,
      help,
      takes,
      ...(of ? { of } : {}),
    })),
  };
}

function presetFacts(name: PresetName): PresetFacts {
  const settled = settle({ preset: name });
  const { keep, patience } = settled;
  const iterates = normalised(iterateSettings, { keep, patience }, 'options');
  const places = { ...settled, ...iterates, gradient: followed(settled.gradient) } as unknown as Readonly<
    Record<string, unknown>
  >;
  const values = flat.flatMap(({ name: setting, path: [first, second] }) => {
    const value = second === undefined ? places[first] : (places[first] as Record<string, unknown>)[second];
    return value === undefined ? [] : [[setting, `${value as string | number | boolean}`] as const];
  });
  return { name, help: presets[name].help, size: settled.size.height, values: Object.fromEntries(values) };
}

/**
 * Settings by name, as texts, as options of a recipe. Throws `bad-option` for a name that there is not, and for a text that a setting
 * does not take.
 *
 * @example
 * optionsOf({ steps: '60', rate: '5' }); // { steps: 60, optimiser: { rate: 5 } }
 */
export function optionsOf(texts: Readonly<Record<string, string>>): RecipeOptions {
  const options: Record<string, unknown> = {};
  for (const [name, text] of Object.entries(texts)) {
    const found = flat.find((f) => f.name === name);
    if (!found) {
      const known = flat.map((f) => f.name);
      throw new PhospheneError('bad-option', `there is no setting \`${name}\`${didYouMean(name, known)}`, {
        option: name,
        known,
      });
    }
    const value = parsed<unknown>(found.setting, name, String(text));
    const [first, second] = found.path;
    options[first] = second === undefined ? value : { ...(options[first] as object | undefined), [second]: value };
  }
  return options;
}
