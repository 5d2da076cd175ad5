/** @file A series: the pictures of a layer's channels that are made in the same way, which share a folder. */
import type { Expected } from '../render/record.ts';
import { folderName } from './names.ts';
import {
  canonical,
  channelRecipe,
  digestOf,
  type Recipe,
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
 * The series of a layer's pictures. Its folder is named after the preset; if anything differs from the preset's own settings, six
 * digits of the digest follow.
 *
 * @example
 * const series = seriesOf(settle({ seed: 7 }), { model: { name, digest }, preprocess }, 'conv3_block4_out');
 * `${series.layerFolder}/${series.folders[0]}`; // conv3_block4_out/keras-5e884d
 */
export function seriesOf(settled: Settled, facts: TargetFacts, layer: string): Series {
  const { preset, size, finish } = settled;
  const recipe = channelRecipe(settled, facts, layer, 0);
  const digest = setDigestOf(recipe);
  const common = {
    preset,
    width: size.width - 2 * finish.crop,
    height: size.height - 2 * finish.crop,
  };
  const own = canonical(settled) === canonical(settle({ preset }, facts.fixed));
  const base = folderName(preset);
  return {
    ...common,
    digest,
    layer,
    recipe,
    layerFolder: folderName(layer, [INDEX, GRID, MANIFEST]),
    folders: [...(own ? [base] : []), ...[6, 12, 64].map((digits) => `${base}-${digest.slice(0, digits)}`)],
    expected: (channel) => {
      const its = channelRecipe(settled, facts, layer, channel);
      return { ...common, recipe: its, digest: digestOf(its) };
    },
  };
}
