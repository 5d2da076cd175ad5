/** @file Arithmetic on objectives: weighted sums, products, interpolations, one picture of several. Each is an objective like any other. */
import { PhospheneError } from '../errors.ts';
import { float32 } from '../ir/tensor.ts';
import { several } from './diversity.ts';
import type { Objective, ObjectiveContext } from './objective.ts';
import { productText, sumText } from './text.ts';

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
  if (terms.length === 0)
    throw new PhospheneError('bad-option', 'objective: a sum of nothing raises nothing', { option: 'objective' });
  return combined(
    terms.map(({ objective }) => objective),
    {
      text: sumText(terms.map(({ weight, objective }) => ({ weight, text: objective.text }))),
      name: 'sum',
      values: Object.fromEntries(terms.map(({ weight }, i) => [`${i}/weight`, float32(weight)])),
      build: (c, parts) =>
        parts.map((part, i) => c.b.mul(c.value(`${i}/weight`), part(c))).reduce((sum, term) => c.b.add(sum, term)),
    },
  );
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

/**
 * The product of objectives: high only if all of them are. Meant for objectives that are positive.
 *
 * @example
 * const [three, nine] = [3, 9].map((channel) => objectives.make({ kind: 'channel', layer: 'mixed4a', channel }));
 * product([three!, nine!]).text; // 'mixed4a:3*mixed4a:9'
 */
export function product(factors: readonly Objective[]): Objective {
  if (factors.length === 0)
    throw new PhospheneError('bad-option', 'objective: a product of nothing raises nothing', { option: 'objective' });
  if (factors.length === 1) return factors[0]!;
  return combined(factors, {
    text: productText(factors.map(({ text }) => text)),
    name: 'product',
    values: {},
    build: (c, parts) => parts.map((part) => part(c)).reduce((all, one) => c.b.mul(all, one)),
  });
}

/**
 * From one objective to another over the pictures of a batch: picture i of n raises (1 − t) `from` + t `to`, t = i / (n − 1). Source:
 * Lucid's `channel_interpolate`, for any two objectives.
 *
 * @example
 * const [three, nine] = [3, 9].map((channel) => objectives.make({ kind: 'channel', layer: 'mixed4a', channel }));
 * interpolated(three!, nine!).text; // 'interpolate(mixed4a:3, mixed4a:9)'
 */
export function interpolated(from: Objective, to: Objective): Objective {
  return combined([from, to], {
    text: `interpolate(${from.text}, ${to.text})`,
    name: 'interpolate',
    values: {},
    pictures: { least: 2, usual: 6 },
    build(c, [start, end]) {
      const n = several(c.pictures, 'interpolate');
      return Array.from({ length: n }, (_, i) => {
        const [alone, t] = [c.picture(i), i / (n - 1)];
        return [...(t < 1 ? [c.b.mul(start!(alone), 1 - t)] : []), ...(t > 0 ? [c.b.mul(end!(alone), t)] : [])];
      })
        .flat()
        .reduce((sum, one) => c.b.add(sum, one));
    },
  });
}

/**
 * The objective for one picture of a batch alone, counted from 0; the others do not feel it.
 *
 * @example
 * const three = objectives.make({ kind: 'channel', layer: 'mixed4a', channel: 3 });
 * ofPicture(1, three).text; // 'picture(1, mixed4a:3)'
 */
export function ofPicture(index: number, objective: Objective): Objective {
  return combined([objective], {
    text: `picture(${index}, ${objective.text})`,
    name: `picture ${index}`,
    values: {},
    pictures: { least: index + 1, usual: index + 1 },
    build(c, [part]) {
      if (index < c.pictures) return part!(c.picture(index));
      throw new PhospheneError(
        'bad-option',
        `picture ${index} is out of range: there ${c.pictures === 1 ? 'is 1 picture' : `are ${c.pictures} pictures`}, counted from 0; choose \`pictures\` of at least ${index + 1}`,
        { option: 'pictures', picture: index, pictures: c.pictures },
      );
    },
  });
}

/** Objectives put together, each with its values in a scope of its own: `0/channel`. */
function combined(
  objectives: readonly Objective[],
  own: Pick<Objective, 'text' | 'values' | 'pictures'> & {
    readonly name: string;
    readonly build: (
      c: ObjectiveContext,
      parts: readonly ((c: ObjectiveContext) => ReturnType<Objective['build']>)[],
    ) => ReturnType<Objective['build']>;
  },
): Objective {
  const { text, name, values, build } = own;
  const scoped = <T>(of: (objective: Objective) => Readonly<Record<string, T>> | undefined): Record<string, T> =>
    Object.fromEntries(
      objectives.flatMap((objective, i) =>
        Object.entries(of(objective) ?? {}).map(([key, one]) => [`${i}/${key}`, one] as const),
      ),
    );
  const needs = scoped((o) => o.needs);
  const wishes = [own, ...objectives].flatMap((o) => (o.pictures ? [o.pictures] : []));
  return {
    text,
    shape: `${name}(${objectives.map(({ shape }) => shape).join(', ')})`,
    layers: [...new Set(objectives.flatMap(({ layers }) => layers))],
    values: { ...scoped((o) => o.values), ...values },
    ...(Object.keys(needs).length > 0 ? { needs } : {}),
    ...(wishes.length > 0
      ? {
          pictures: {
            least: Math.max(...wishes.map(({ least }) => least)),
            usual: Math.max(...wishes.map(({ usual }) => usual)),
          },
        }
      : {}),
    build: (c) =>
      build(
        c,
        objectives.map((objective, i) => (at) => objective.build(within(at, `${i}/`))),
      ),
  };
}

/** The context of a part: its values are those of a scope. */
function within(c: ObjectiveContext, scope: string): ObjectiveContext {
  return {
    ...c,
    value: (name) => c.value(scope + name),
    picture: (index) => within(c.picture(index), scope),
  };
}
