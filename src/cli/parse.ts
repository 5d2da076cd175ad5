/** @file Words of the command line as values. */
import { PhospheneError } from '../errors.ts';
import { outOfRange } from '../jobs/run.ts';

const bad = (message: string): PhospheneError => new PhospheneError('bad-option', message);

/** A number from text. Throws `bad-option` naming the option. */
export function parseNumber(option: string, text: string | undefined, whole = false): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || (whole && !Number.isSafeInteger(value)))
    throw bad(`--${option}: a ${whole ? 'whole ' : ''}number is needed, not \`${text}\``);
  return value;
}

/** `180` or `180x240` (height × width) in pixels. */
export function parseSize(text: string | undefined): { height: number; width: number } | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d+)(?:[x×](\d+))?$/.exec(text);
  const [height, width] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (!match || height < 1 || width < 1)
    throw bad(`--size: pixels such as 180 or 180x240 (height x width) are needed, not \`${text}\``);
  return { height, width };
}

/** `0-63`, `1,7,200`, `0-7,64` or `all`, in the order given and without repeats. */
export function parseFilters(text: string, layer: string, count: number): number[] {
  if (text === 'all') return Array.from({ length: count }, (_, i) => i);
  const chosen = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
    if (!match) throw bad(`--filters: \`${part}\` is not a filter; use 0-63, 1,7,200 or all`);
    const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
    if (last < first) throw bad(`--filters: \`${part}\` runs backwards`);
    // Checked before the range is walked: it may be absurd.
    if (last >= count) throw outOfRange(layer, first >= count ? first : last, count);
    for (let i = first; i <= last; i++) chosen.add(i);
  }
  return [...chosen];
}
