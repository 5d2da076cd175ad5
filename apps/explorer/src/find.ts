/** @file What a few letters mean: layers by name, path or type, channels by number or class. */
import type { ModelFacts } from 'phosphene/web';
import { isTarget, type Target } from './state.ts';

/** A place that is found. */
export interface Found {
  readonly layer: string;
  readonly unit?: number;
  /** What it is, besides its name. */
  readonly note: string;
}

const MOST = 40;

/**
 * The places that a text means, the nearest first. `conv3 12`, `conv3:12` and `conv3/12` are channel 12 of layers that match `conv3`, and a
 * number alone is a channel of `here`, the layer that is seen.
 */
export function find(facts: ModelFacts, text: string, here: string | undefined): readonly Found[] {
  const { words, number } = asked(text);
  const targets = facts.layers.filter(isTarget);
  if (words === '' && number === undefined) return [];
  if (words === '') {
    const own = targets.filter(({ name }) => name === here);
    return [...own, ...targets.filter((l) => l.name.includes(String(number)) && !own.includes(l))]
      .flatMap((layer) => placed(layer, layer.name === here ? number : undefined))
      .slice(0, MOST);
  }
  const matching = targets
    .map((layer) => ({ layer, rank: rankOf(layer, words) }))
    .filter(({ rank }) => rank < Infinity)
    .toSorted((a, b) => a.rank - b.rank)
    .flatMap(({ layer }) => placed(layer, number));
  return [...matching, ...classes(facts, targets, text.trim().toLowerCase())].slice(0, MOST);
}

function asked(text: string): { readonly words: string; readonly number: number | undefined } {
  const lower = text.trim().toLowerCase();
  if (/^\d{1,6}$/.test(lower)) return { words: '', number: Number(lower) };
  const found = /^(.*\S)[\s:/]+(\d{1,6})$/.exec(lower);
  return found ? { words: found[1]!, number: Number(found[2]) } : { words: lower, number: undefined };
}

/** How well a layer is meant: lower is better, and infinity is not at all. */
function rankOf({ name, path = '', type }: Target, words: string): number {
  const names = [name, path].map((text) => text.toLowerCase());
  if (names.includes(words)) return 0;
  if (names.some((text) => text.startsWith(words))) return 1;
  if (names.some((text) => text.includes(words))) return 2;
  const all = `${names.join(' ')} ${type.toLowerCase()}`;
  return words.split(/\s+/).every((word) => all.includes(word)) ? 3 : Infinity;
}

function placed({ name, type, channels }: Target, unit: number | undefined): readonly Found[] {
  if (unit === undefined) return [{ layer: name, note: `${type} · ${channels}` }];
  return unit < channels ? [{ layer: name, unit, note: type }] : [];
}

/** Classes by name: channels of the last layer that has one for each. */
function classes({ labels }: ModelFacts, targets: readonly Target[], words: string): readonly Found[] {
  const last = labels && targets.findLast(({ channels }) => channels === labels.length);
  if (!last) return [];
  return labels.flatMap((label, unit) =>
    label.toLowerCase().includes(words) ? [{ layer: last.name, unit, note: label }] : [],
  );
}
