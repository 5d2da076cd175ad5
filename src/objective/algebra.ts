/** @file Arithmetic on objectives: weighted sums, and so differences and negatives. A sum is an objective like any other. */
import { float32 } from '../ir/tensor.ts';
import type { Objective } from './objective.ts';

/** A term of a sum. */
export interface Term {
  readonly weight: number;
  readonly objective: Objective;
}

/**
 * The weighted sum of objectives. Weights are fed, so that sums that differ only in them share a program.
 *
 * @example
 * const [three, nine] = [3, 9].map((channel) => objectives.make({ kind: 'channel', layer: 'mixed4a', channel }));
 * const sum = weighted([{ weight: 1, objective: three! }, { weight: -0.5, objective: nine! }]);
 * sum.text; // 'mixed4a:3 - 0.5*mixed4a:9'
 */
export function weighted(terms: readonly Term[]): Objective {
  if (terms.length === 1 && terms[0]!.weight === 1) return terms[0]!.objective;
  const scoped = (i: number, name: string): string => `${i}/${name}`;
  return {
    text: terms.map(({ weight, objective }, i) => termText(weight, objective.text, i === 0)).join(''),
    shape: `sum(${terms.map(({ objective }) => objective.shape).join(', ')})`,
    layers: [...new Set(terms.flatMap(({ objective }) => objective.layers))],
    values: Object.fromEntries(
      terms.flatMap(({ weight, objective }, i) => [
        [scoped(i, 'weight'), float32(weight)],
        ...Object.entries(objective.values).map(([name, value]) => [scoped(i, name), value] as const),
      ]),
    ),
    build: (c) =>
      terms
        .map(({ objective }, i) =>
          c.b.mul(c.value(scoped(i, 'weight')), objective.build({ ...c, value: (name) => c.value(scoped(i, name)) })),
        )
        .reduce((sum, term) => c.b.add(sum, term)),
  };
}

/**
 * The objective that is raised by lowering this one.
 *
 * @example
 * negative(objectives.make({ kind: 'channel', layer: 'mixed4a', channel: 3 })).text; // '-mixed4a:3'
 */
export function negative(objective: Objective): Objective {
  return weighted([{ weight: -1, objective }]);
}

function termText(weight: number, text: string, isFirst: boolean): string {
  const sign = weight < 0 ? (isFirst ? '-' : ' - ') : isFirst ? '' : ' + ';
  const size = Math.abs(weight);
  const inner = / [+-] /.test(text) ? `(${text})` : text;
  return `${sign}${size === 1 ? '' : `${size}*`}${inner}`;
}
