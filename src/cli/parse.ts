/** @file Settings that only a command line writes: sizes, lists of filters, lists of numbers. */
import { PhospheneError } from '../errors.ts';
import type { Setting } from '../settings.ts';

/** Height and width in pixels. */
export interface Size {
  readonly height: number;
  readonly width: number;
}

/** Pixels a side that pictures may have. */
const MOST = 1 << 16;

/** `180` or `180x240` (height × width) in pixels. */
export function size(help: string): Setting<Size | undefined> {
  const fits = (length: number): boolean => Number.isSafeInteger(length) && length >= 1 && length <= MOST;
  return {
    help,
    default: undefined,
    takes: `pixels from 1 to ${MOST}, such as 180 or 180x240 (height x width),`,
    accept(value) {
      const found = value as Size | undefined;
      return found && fits(found.height) && fits(found.width) ? found : undefined;
    },
    parse(text) {
      const match = /^(\d+)(?:[x×](\d+))?$/.exec(text);
      return match ? { height: Number(match[1]), width: Number(match[2] ?? match[1]) } : undefined;
    },
  };
}

/** `count` numbers, or one and more if that is not given: `0.5,0.25,1`. */
export function numbers(help: string, count?: number): Setting<readonly number[] | undefined> {
  return {
    help,
    default: undefined,
    takes:
      count === undefined
        ? 'one number, or one for each channel with commas between,'
        : `${count} numbers with commas between`,
    accept(value) {
      const list = value as readonly number[];
      return list.every(Number.isFinite) && (count === undefined || list.length === count) ? list : undefined;
    },
    parse: (text) => text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part))),
  };
}

/** `a,b,c`, one or more. `item` reads one of them, and says undefined of what is none. */
export function list<T>(
  help: string,
  takes: string,
  item: (text: string) => T | undefined,
): Setting<readonly T[] | undefined> {
  return {
    help,
    default: undefined,
    takes,
    accept(value) {
      const items = value as readonly (T | undefined)[];
      return items.length > 0 && !items.includes(undefined) ? (items as readonly T[]) : undefined;
    },
    parse: (text) => text.split(',').map((part) => item(part.trim())),
  };
}

/** An item of a {@link list} that may be any text but none. */
export const word = (text: string): string | undefined => text || undefined;

/** Row and column of a map, or its centre. */
export type Position = 'centre' | { readonly row: number; readonly column: number };

/** `centre`, or `3,4` (row, column). */
export function position(help: string): Setting<Position | undefined> {
  return {
    help,
    default: undefined,
    takes: '`centre`, or a row and a column such as 3,4,',
    accept: (value) => value as Position | undefined,
    parse(text) {
      const match = /^\s*(\d{1,9})\s*,\s*(\d{1,9})\s*$/.exec(text);
      if (match) return { row: Number(match[1]), column: Number(match[2]) };
      return text === 'centre' || text === 'center' ? 'centre' : undefined;
    },
  };
}

/** Filters from first to last, both included. */
export type FilterRange = readonly [first: number, last: number];

/** `0-63`, `1,7,200`, `0-7,64` or `all`. How many there are is known later: {@link chosenFilters}. */
export function filters(help: string): Setting<readonly FilterRange[] | 'all' | undefined> {
  return {
    help,
    default: undefined,
    takes: 'a list such as 0-63, or 1,7,200, or `all`, lowest number of a range first,',
    accept(value) {
      const ranges = value as readonly FilterRange[] | 'all' | undefined;
      return ranges === 'all' || ranges?.every(([first, last]) => first <= last) ? ranges : undefined;
    },
    parse(text) {
      if (text === 'all') return text;
      const ranges = text.split(',').map((part) => {
        const match = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part);
        return match ? ([Number(match[1]), Number(match[2] ?? match[1])] as const) : undefined;
      });
      return ranges.includes(undefined) ? undefined : ranges;
    },
  };
}

/** The filters of a layer, in the order given and without repeats. Throws `bad-option` for one that the layer has not. */
export function chosenFilters(ranges: readonly FilterRange[] | 'all', layer: string, count: number): number[] {
  if (ranges === 'all') return Array.from({ length: count }, (_, i) => i);
  const chosen = new Set<number>();
  for (const [first, last] of ranges) {
    // Checked before the range is walked: it may be absurd.
    if (last >= count) {
      const channel = first >= count ? first : last;
      throw new PhospheneError(
        'bad-option',
        `filters: filter ${channel} is out of range: \`${layer}\` has ${count} channels (0-${count - 1})`,
        { option: 'filters', layer, channel, count },
      );
    }
    for (let i = first; i <= last; i++) chosen.add(i);
  }
  return [...chosen];
}
