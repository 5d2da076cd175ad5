/** @file The settings that decide a picture, as options of `render`: name, default, check and help come from the recipe. */
import { type FlatSetting, flatSettings, type RecipeOptions } from '../render/recipe.ts';
import { presets } from '../render/presets.ts';
import type { Schema } from '../settings.ts';

const flat: readonly FlatSetting[] = flatSettings();

/** Each setting by its name in the core. */
export const pictureSettings: Schema = Object.fromEntries(flat.map(({ name, setting }) => [name, setting]));

export const presetNames: readonly string[] = Object.keys(presets);

/**
 * The values of settings as options of a recipe, each in the noun that it belongs to.
 *
 * @example
 * recipeOptions({ steps: 60, rate: 5 }); // { steps: 60, optimiser: { rate: 5 } }
 */
export function recipeOptions(values: Readonly<Record<string, unknown>>): RecipeOptions {
  const options: Record<string, unknown> = {};
  for (const {
    name,
    path: [first, second],
  } of flat) {
    const value = values[name];
    if (value === undefined) continue;
    options[first] = second === undefined ? value : { ...(options[first] as object | undefined), [second]: value };
  }
  return options;
}
