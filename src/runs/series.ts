/** @file A series: the pictures of a layer's channels, or of an objective, that are made in the same way and share a folder. */
import type { Expected } from '../render/record.ts';
import { folderName } from './names.ts';
import {
  canonical,
  channelRecipe,
  digestOf,
  fitted,
  type FittedTo,
  type Recipe,
  recipeOf,
  setDigestOf,
  settle,
  type Settled,
  type TargetFacts,
} from '../render/recipe.ts';

/** All that the pictures of a series have in common. */
export interface Series {
  /** Equal for two series if and only if all their pictures are. Hexadecimal. */
  readonly digest: string;
  readonly preset: string;
  /** The layer; for an objective that is no single channel of one, the text of the objective. */
  readonly layer: string;
  /** Recipe of channel 0, from which those of the others differ in their channel only. */
  readonly recipe: Recipe;
  /** Pixels of a finished picture. */
  readonly width: number;
  readonly height: number;
  /** The folder of the layer. */
  readonly layerFolder: string;
  /** Names for the folder in it, best first: the next one is taken if one belongs to another series. */
  readonly folders: readonly string[];
  /** What is known of a channel's picture before it is made. */
  expected(channel: number): Expected;
}

/** Files in the folder of results that no layer's folder may be named after, in lower case. */
export const INDEX = 'index.jsonl';
export const GRID = 'stitched_filters.png';
export const MANIFEST = 'manifest.json';

/**
 * The series of a layer's pictures. Its folder is named after the preset; if anything differs from the preset's own settings, as they are
 * fitted to the target, six digits of the digest follow.
 *
 * @example
 * const series = seriesOf(settle({ seed: 7 }), { model: { name, digest }, preprocess }, 'conv3_block4_out');
 * `${series.layerFolder}/${series.folders[0]}`; // conv3_block4_out/keras-5e884d
 */
export function seriesOf(settled: Settled, facts: TargetFacts, layer: string, target?: FittedTo): Series {
  // Logits are what is raised of probabilities, not a setting.
  const { unit, ...plain } = settled;
  const own = unit?.kind === 'logit' ? plain : settled;
  return series(settled, facts, layer, own, (channel) => channelRecipe(settled, facts, layer, channel), target);
}

/**
 * The series of an objective's pictures: one, or as many as are ascended together. The folder that a layer has otherwise is named after
 * the text of the objective.
 *
 * @example
 * const raised = await raisedIn(network, 'mixed4a:12 + tv(0.1)', settled);
 * seriesOfObjective(settled, facts, raised).layer; // mixed4a:12 + tv(0.1)
 */
export function seriesOfObjective(
  settled: Settled,
  facts: TargetFacts,
  {
    objective,
    recorded,
    pictures,
  }: {
    readonly objective: { readonly text: string };
    readonly recorded: Pick<Recipe, 'objective' | 'given'>;
    readonly pictures: number;
  },
): Series {
  return series(settled, facts, objective.text, settled, (picture) =>
    recipeOf({ ...settled, pictures }, facts, { ...recorded, picture }),
  );
}

function series(
  { preset, size, finish }: Settled,
  facts: TargetFacts,
  layer: string,
  own: object,
  recipeAt: (channel: number) => Recipe,
  target?: FittedTo,
): Series {
  const recipe = recipeAt(0);
  const digest = setDigestOf(recipe);
  const common = {
    preset,
    width: size.width - 2 * finish.crop,
    height: size.height - 2 * finish.crop,
  };
  const plain = settle({ preset }, facts.fixed);
  const { unit: _, ...its } = target ? fitted(plain, {}, target) : plain;
  const isOwn = canonical(own) === canonical(its);
  const base = folderName(preset);
  return {
    ...common,
    digest,
    layer,
    recipe,
    layerFolder: folderName(layer, [INDEX, GRID, MANIFEST]),
    folders: [...(isOwn ? [base] : []), ...[6, 12, 64].map((digits) => `${base}-${digest.slice(0, digits)}`)],
    expected: (channel) => {
      const its = recipeAt(channel);
      return { ...common, recipe: its, digest: digestOf(its) };
    },
  };
}
