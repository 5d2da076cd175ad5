/** @file The transforms: what happens to a picture before the network sees it. One file each; a new one is a line of the table. */
import { type SpecOf, type Table, table } from '../noun.ts';
import { roll } from './roll.ts';
import type { Transform } from './transform.ts';

export type { Transform } from './transform.ts';

const kinds = [roll] as const;

/** All data of a transform. */
export type TransformSpec = SpecOf<(typeof kinds)[number]>;

/** The transforms by kind. */
export const transforms: Table<Transform, (typeof kinds)[number]> = table('transform', kinds);
