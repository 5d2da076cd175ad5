/** @file Damage to what a JSON text says: other values, places taken out. */
import type { Random } from '../../src/random.ts';
import { pick } from './bytes.ts';

export type Container = Record<string, unknown> | unknown[];
/** A place in a JSON value. */
export interface Place {
  readonly in: Container;
  readonly key: string | number;
  readonly path: string;
}

export function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

/** All places of a value, however deep. */
export function placesOf(value: unknown, path = '', found: Place[] = []): Place[] {
  if (!isContainer(value)) return found;
  for (const key of Object.keys(value)) {
    const at = Array.isArray(value) ? Number(key) : key;
    found.push({ in: value, key: at, path: `${path}/${key}` });
    placesOf((value as Record<string, unknown>)[key], `${path}/${key}`, found);
  }
  return found;
}

export const get = ({ in: container, key }: Place): unknown => (container as Record<string | number, unknown>)[key];
export const set = ({ in: container, key }: Place, value: unknown): void => {
  // As a text would have it: `__proto__` is a key like others.
  Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true });
};

export const NUMBERS = [
  0,
  1,
  -1,
  2,
  3,
  7,
  255,
  65_536,
  2 ** 24 + 1,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  1e300,
  -1e300,
  0.5,
  -0.5,
];
const OTHERS = [null, true, false, [], {}, [[]], { size: '-1' }];

/** Words in place of others: of any format, and of this one. */
export interface Words {
  readonly texts: readonly string[];
  /** For a text of this kind others of it, or undefined. */
  readonly alike?: (text: string) => readonly string[] | undefined;
}

/** Another value in place of one, often of the same kind. */
export function hostile(random: Random, old: unknown, all: readonly Place[], words: Words): unknown {
  switch (random.integer(6)) {
    case 0:
      return pick(random, OTHERS);
    case 1:
      return structuredClone(get(pick(random, all)));
    default:
  }
  if (typeof old === 'number') return random.integer(2) === 0 ? old + random.integer(5) - 2 : pick(random, NUMBERS);
  if (typeof old === 'boolean') return !old;
  if (typeof old === 'string') {
    if (/^-?\d+$/.test(old))
      return String(random.integer(2) === 0 ? Number(old) + random.integer(5) - 2 : pick(random, NUMBERS));
    return pick(random, words.alike?.(old) ?? words.texts);
  }
  if (Array.isArray(old)) {
    const list = old as unknown[];
    const at = random.integer(list.length + 1);
    const more = random.integer(2) === 0;
    return more
      ? [...list.slice(0, at), ...list.slice(0, 1 + random.integer(3)), ...list.slice(at)]
      : list.toSpliced(at, 1);
  }
  return pick(random, [...NUMBERS, ...words.texts]);
}

/** Changes a place of a value or takes it out, and says what it did. */
export function disturb(random: Random, json: unknown, words: Words): string {
  const places = placesOf(json);
  const place = pick(random, places);
  if (random.integer(6) === 0) {
    if (Array.isArray(place.in)) place.in.splice(Number(place.key), 1);
    else delete place.in[place.key];
    return `without ${place.path}`;
  }
  set(place, hostile(random, get(place), places, words));
  return `${place.path} changed`;
}
