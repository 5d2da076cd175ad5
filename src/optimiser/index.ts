/** @file The optimisers: how a gradient becomes the next picture. One file each; a new one is a line of the table. */
import { type SpecOf, type Table, table } from '../noun.ts';
import { adam, adamw, nadam, rmsprop } from './adam.ts';
import { normalised } from './normalised.ts';
import { sobolev } from './sobolev.ts';
import type { Optimiser } from './optimiser.ts';

export type { Optimiser } from './optimiser.ts';

const kinds = [normalised, adam, adamw, nadam, rmsprop, sobolev] as const;

/** All data of an optimiser. */
export type OptimiserSpec = SpecOf<(typeof kinds)[number]>;

/** The optimisers by kind. */
export const optimisers: Table<Optimiser, (typeof kinds)[number]> = table('optimiser', kinds);
