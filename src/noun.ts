/**
 * @file What objectives, parameterisations, transforms, optimisers and finishes have in common: each *kind* has a name, settings and
 * a function that makes it; what a user writes down of it is plain data, a *spec*.
 */
import { didYouMean, PhospheneError } from './errors.ts';
import { normalised, refuseUnknown, type Schema, type Values } from './settings.ts';

/** One kind of a noun: `pixel` is a kind of parameterisation. */
export interface Kind<K extends string, S extends Schema, Made> {
  readonly kind: K;
  /** What it is, in one sentence, for the docs and `--help`. */
  readonly help: string;
  readonly settings: S;
  readonly make: (settings: Values<S>) => Made;
}

/**
 * A kind, with its types inferred.
 *
 * @example
 * const { make } = kind({
 *   kind: 'fog',
 *   help: 'One grey everywhere',
 *   settings: { grey: number({ help: 'The grey', default: 0, from: -1, to: 1 }) },
 *   make: ({ grey }) => `all ${grey}`,
 * });
 * make({ grey: 0.5 }); // 'all 0.5'
 */
export function kind<const K extends string, const S extends Schema, Made>(
  definition: Kind<K, S, Made>,
): Kind<K, S, Made> {
  return definition;
}

/** Plain data: the kind's name and a value for each of its settings. */
export type SpecOf<D> = D extends Kind<infer K, infer S, infer _> ? { readonly kind: K } & Values<S> : never;

/** What a user gives of a spec: settings that are left out have their defaults. */
export type PartialSpec<Spec extends { readonly kind: string }> = Spec extends unknown
  ? { readonly kind: Spec['kind'] } & Optional<Omit<Spec, 'kind'>>
  : never;

/** All properties may be left out, or undefined. */
export type Optional<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** A kind with the types of its settings forgotten. */
// oxlint-disable-next-line typescript/no-explicit-any -- A table holds kinds of all settings.
export type AnyKind<Made> = Kind<string, any, Made>;

/** The kinds of a noun. */
export interface Table<Made, D extends AnyKind<Made>> {
  readonly kinds: Readonly<Record<string, D>>;
  /** The spec with all settings, checked, its keys in the order of the kind. Throws `bad-option`. */
  complete(spec: PartialSpec<SpecOf<D>>): SpecOf<D>;
  /** What the spec says. Throws `bad-option`. */
  make(spec: PartialSpec<SpecOf<D>>): Made;
}

/**
 * The table of a noun's kinds. `noun` is its name in messages.
 *
 * @example
 * const fog = kind({ kind: 'fog', help: 'One grey', settings: {}, make: () => 'grey' });
 * table('weather', [fog]).make({ kind: 'fog' }); // 'grey'
 */
export function table<Made, const D extends AnyKind<Made>>(noun: string, definitions: readonly D[]): Table<Made, D> {
  const kinds = Object.fromEntries(definitions.map((d) => [d.kind, d]));
  const found = (name: unknown): D => {
    if (typeof name === 'string' && Object.hasOwn(kinds, name)) return kinds[name]!;
    const known = Object.keys(kinds);
    throw new PhospheneError(
      'bad-option',
      `${noun} \`${String(name)}\` is not known${didYouMean(String(name), known) || `; there are ${known.join(', ')}`}`,
      { option: noun, known },
    );
  };
  const complete = (spec: PartialSpec<SpecOf<D>>): SpecOf<D> => {
    const { kind: name, ...given } = spec as { readonly kind: string };
    const definition = found(name);
    refuseUnknown(Object.keys(given), Object.keys(definition.settings as Schema), `${noun} \`${name}\``);
    return { kind: name, ...normalised(definition.settings as Schema, given, noun) } as unknown as SpecOf<D>;
  };
  return {
    kinds,
    complete,
    make(spec) {
      const { kind: name, ...settings } = complete(spec) as { readonly kind: string };
      return found(name).make(settings);
    },
  };
}
