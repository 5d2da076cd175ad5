/** @file The objectives: what is raised. One file each; a new one is a line of the table. */
import { type SpecOf, type Table, table } from '../noun.ts';
import { channel } from './channel.ts';
import type { Objective } from './objective.ts';

import { weighted } from './algebra.ts';

export { negative, type Term, weighted } from './algebra.ts';
export { outOfRange } from './channel.ts';
export type { Activation, Objective, ObjectiveContext } from './objective.ts';

const kinds = [channel] as const;

/** All data of an objective of one term. */
export type TermSpec = SpecOf<(typeof kinds)[number]>;

/** The objectives by kind. */
export const objectives: Table<Objective, (typeof kinds)[number]> = table('objective', kinds);

/** A weighted sum of objectives, as data. */
export interface SumSpec {
  readonly kind: 'sum';
  readonly terms: readonly { readonly weight: number; readonly objective: ObjectiveSpec }[];
}

/** All data of an objective. */
export type ObjectiveSpec = TermSpec | SumSpec;

/**
 * The objective that a spec describes. Throws `bad-option`.
 *
 * @example
 * const seven = { kind: 'channel', layer: 'mixed4a', channel: 7, border: 2 } as const;
 * objectiveOf({ kind: 'sum', terms: [{ weight: 2, objective: seven }] }).text; // '2*mixed4a:7'
 */
export function objectiveOf(spec: ObjectiveSpec): Objective {
  return spec.kind === 'sum'
    ? weighted(spec.terms.map(({ weight, objective }) => ({ weight, objective: objectiveOf(objective) })))
    : objectives.make(spec);
}
