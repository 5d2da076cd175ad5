/** @file The objectives: what is raised. One file each; a new one is a line of the table. */
import { type PartialSpec, type SpecOf, type Table, table } from '../noun.ts';
import { interpolated, ofPicture, product, weighted } from './algebra.ts';
import { alignment } from './alignment.ts';
import { blur } from './blur.ts';
import { boundary } from './boundary.ts';
import { channel } from './channel.ts';
import { direction } from './direction.ts';
import { diversity } from './diversity.ts';
import { type AnySpec, parse, print } from './grammar.ts';
import { whole } from './layer.ts';
import { logit } from './logit.ts';
import { near } from './near.ts';
import { neuron } from './neuron.ts';
import { l1, l2, lp } from './norm.ts';
import type { Objective, Untitled } from './objective.ts';
import { caricature, tensorDirection } from './tensor.ts';
import { tv } from './tv.ts';

export { interpolated, negative, ofPicture, product, type Term, weighted } from './algebra.ts';
export { outOfRange } from './channel.ts';
export { beforeProbability, isEnd } from './logit.ts';
export {
  type Activation,
  contextOf,
  type Need,
  type Objective,
  type ObjectiveContext,
  type Untitled,
} from './objective.ts';

// prettier-ignore
const kinds = [
  channel, neuron, logit, whole, direction, tensorDirection, caricature, near, diversity, alignment, l1, l2, lp, tv, blur, boundary,
] as const;

/** All data of an objective of one term. */
export type TermSpec = SpecOf<(typeof kinds)[number]>;

const terms: Table<Untitled, (typeof kinds)[number]> = table('objective', kinds);

/** The objectives of one term by kind. */
export const objectives: Omit<Table<Untitled, (typeof kinds)[number]>, 'make'> & {
  /** What the spec says. Throws `bad-option`. */
  make(spec: PartialSpec<TermSpec>): Objective;
} = {
  ...terms,
  make: (spec) => ({ ...terms.make(spec), text: print(terms, spec) }),
};

/** A weighted sum of objectives, as data. */
export interface SumSpec<Of> {
  readonly kind: 'sum';
  readonly terms: readonly { readonly weight: number; readonly objective: Of }[];
}

/** A product of objectives, as data. */
export interface ProductSpec<Of> {
  readonly kind: 'product';
  readonly factors: readonly Of[];
}

/** From one objective to another over the pictures of a batch, as data. */
export interface InterpolateSpec<Of> {
  readonly kind: 'interpolate';
  readonly from: Of;
  readonly to: Of;
}

/** An objective for one picture of a batch, counted from 0, as data. */
export interface PictureSpec<Of> {
  readonly kind: 'picture';
  readonly picture: number;
  readonly objective: Of;
}

/** All data of an objective. */
export type ObjectiveSpec =
  | TermSpec
  | SumSpec<ObjectiveSpec>
  | ProductSpec<ObjectiveSpec>
  | InterpolateSpec<ObjectiveSpec>
  | PictureSpec<ObjectiveSpec>;

/** An objective as data of which settings may be left out, as a text has it. */
export type PartialObjective =
  | PartialSpec<TermSpec>
  | SumSpec<PartialObjective>
  | ProductSpec<PartialObjective>
  | InterpolateSpec<PartialObjective>
  | PictureSpec<PartialObjective>;

/**
 * A spec with each of its terms made another.
 *
 * @example
 * const full = mapTerms(parseObjective('mixed4a:3'), (term) => objectives.complete(term));
 */
export function mapTerms(spec: PartialObjective, change: (term: PartialSpec<TermSpec>) => TermSpec): ObjectiveSpec {
  const inner = (of: PartialObjective): ObjectiveSpec => mapTerms(of, change);
  switch (spec.kind) {
    case 'sum':
      return { ...spec, terms: spec.terms.map((term) => ({ ...term, objective: inner(term.objective) })) };
    case 'product':
      return { ...spec, factors: spec.factors.map(inner) };
    case 'interpolate':
      return { ...spec, from: inner(spec.from), to: inner(spec.to) };
    case 'picture':
      return { ...spec, objective: inner(spec.objective) };
    default:
      return change(spec);
  }
}

/**
 * The objective that a spec describes. Throws `bad-option`.
 *
 * @example
 * const seven = { kind: 'channel', layer: 'mixed4a', channel: 7, border: 2 } as const;
 * objectiveOf({ kind: 'sum', terms: [{ weight: 2, objective: seven }] }).text; // '2*mixed4a:7'
 */
export function objectiveOf(spec: PartialObjective): Objective {
  switch (spec.kind) {
    case 'sum':
      return weighted(spec.terms.map(({ weight, objective }) => ({ weight, objective: objectiveOf(objective) })));
    case 'product':
      return product(spec.factors.map(objectiveOf));
    case 'interpolate':
      return interpolated(objectiveOf(spec.from), objectiveOf(spec.to));
    case 'picture':
      return ofPicture(spec.picture, objectiveOf(spec.objective));
    default:
      return objectives.make(spec);
  }
}

/**
 * The spec that a text describes: of each term what is said of it. docs/objectives.md has the grammar. Throws `bad-option` that says
 * where the text goes wrong, and what could stand there.
 *
 * @example
 * parseObjective('mixed4a:12 - 0.5*mixed4a:99 + tv(0.1)');
 */
export function parseObjective(text: string): PartialObjective {
  return parse(terms, text) as unknown as PartialObjective;
}

/**
 * The text of a spec, which {@link parseObjective} reads back. What a setting has by default is left out.
 *
 * @example
 * printObjective({ kind: 'neuron', layer: 'features.12', channel: 3, row: 4, column: 5 }); // 'features.12:3[4,5]'
 */
export function printObjective(spec: PartialObjective): string {
  return print(terms, spec as unknown as AnySpec);
}
