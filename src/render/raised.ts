/** @file What is raised: an objective, with its layers found in a network, and all that it was given. */
import { sha256 } from '@noble/hashes/sha2';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils';
import { didYouMean, PhospheneError } from '../errors.ts';
import { Builder, type Value } from '../ir/builder.ts';
import type { Dims, Tensor, Tensors } from '../ir/tensor.ts';
import {
  contextOf,
  mapTerms,
  type Need,
  type Objective,
  objectiveOf,
  objectives,
  type ObjectiveSpec,
  outOfRange,
  parseObjective,
  type PartialObjective,
} from '../objective/index.ts';
import { type CustomSpec, fittedBorder, type Recipe, type Settled, unitSpec } from './recipe.ts';
import type { Target } from './targets.ts';

/** What an objective may refer to by name. */
export interface Given {
  /** Vectors and tensors, for `direction` and `tensor`. */
  readonly tensors?: Tensors | undefined;
  /** Photos [1, c, h, w] of the size of the picture, values in [-1, 1], for `near` and `caricature`. */
  readonly photos?: Readonly<Record<string, Tensor<'float32'>>> | undefined;
}

/** How an objective is given: as a text, as data, or as a program. */
export type ObjectiveLike = string | PartialObjective | Objective;

/** What is raised. */
export interface Raised {
  /** Its `layers` are names that the network knows. */
  readonly objective: Objective;
  /** What a recipe says of it. */
  readonly recorded: Pick<Recipe, 'objective' | 'given'>;
  /** The layers that it reads, in its order. */
  readonly targets: readonly Target[];
  /** How many pictures are ascended together. */
  readonly pictures: number;
  readonly given: Given;
}

/** A channel of a layer, raised as the settings say. */
export function raisedUnit(settled: Settled, target: Target, channel: number): Raised {
  const spec = unitSpec(settled, target.name, channel);
  return { objective: objectives.make(spec), recorded: { objective: spec }, targets: [target], pictures: 1, given: {} };
}

/**
 * An objective with its layers found, all settings filled in, and what it was given checked to be there. Throws `bad-option`, and what
 * `find` throws for a layer.
 *
 * @example
 * raisedOf('mixed4a:3 + diversity(mixed5a)', settled, (layer) => targetAt(listing, indexOf(listing.layers, layer))).pictures; // 4
 */
export function raisedOf(
  like: ObjectiveLike,
  settled: Settled,
  find: (layer: string) => Target,
  given: Given = {},
): Raised {
  const spec = typeof like === 'string' ? parseObjective(like) : isCustom(like) ? undefined : like;
  const full = spec && filled(spec, settled, find);
  const objective = full ? objectiveOf(full) : (like as Objective);
  // As it was written: what was filled in is in the record.
  const text = spec ? objectiveOf(spec).text : objective.text;
  const used = usedOf(objective.needs ?? {}, given);
  const { least, usual } = objective.pictures ?? { least: 1, usual: 1 };
  const pictures = settled.pictures ?? usual;
  if (pictures < least)
    throw new PhospheneError(
      'bad-option',
      `pictures: \`${text}\` needs at least ${least} pictures at once, not ${pictures}`,
      { option: 'pictures', least, pictures },
    );
  return {
    objective: { ...objective, text },
    recorded: {
      objective: full ?? customSpec(objective),
      ...(Object.keys(used).length === 0
        ? {}
        : { given: Object.fromEntries(Object.entries(used).map(([name, t]) => [name, digestOfTensor(t)])) }),
    },
    targets: objective.layers.map(find),
    pictures,
    given,
  };
}

/**
 * Builds what is raised on nothing but dims, so that what does not suit its layers is said before any weight is read, and whether or
 * not a program of its shape is there already. Throws `bad-option`, `shape`.
 *
 * @example
 * tryOut(raisedUnit(settled, target, 7), [3, 180, 180]);
 */
export function tryOut({ objective, targets, pictures, given }: Raised, picture: Dims): void {
  const b = new Builder();
  const input = (name: string, dims: Dims): Value => b.input(name, 'float32', dims);
  const { layers, values, needs = {} } = objective;
  const activations = new Map(
    layers.map((layer, i) => [layer, input(`layer ${layer}`, [pictures, ...targets[i]!.dims.slice(1)])]),
  );
  const known = new Map(
    Object.entries(values).map(([name, { dtype, dims }]) => [name, b.input(`value ${name}`, dtype, dims)]),
  );
  for (const [name, need] of Object.entries(needs))
    known.set(
      name,
      'tensor' in need
        ? input(`need ${name}`, given.tensors![need.tensor]!.dims)
        : input(`need ${name}`, [1, ...activations.get(need.layer)!.dims.slice(1)]),
    );
  objective.build(
    contextOf({
      b,
      image: input('image', [pictures, ...picture]),
      activation: (layer) => ({
        value: activations.get(layer)!,
        channelAxis: targets[layers.indexOf(layer)]!.channels.axis,
        layer,
      }),
      value: (name) => known.get(name)!,
      stopped: [],
    }),
  );
}

/** Whether an objective is a program of the caller's. */
export function isCustom(like: ObjectiveLike): like is Objective {
  return typeof like === 'object' && 'build' in like;
}

/** A spec with layers by their names, borders fitted, and logits in place of probabilities at the end of a network. */
function filled(spec: PartialObjective, settled: Settled, find: (layer: string) => Target): ObjectiveSpec {
  return mapTerms(spec, (term) => {
    const named = objectives.complete(term);
    if (!('layer' in named) || named.layer === undefined) return named;
    const target = find(named.layer);
    const { name: layer, channels } = target;
    if ('channel' in named && named.channel >= channels.count) throw outOfRange(layer, named.channel, channels.count);
    if (term.kind !== 'channel') return { ...named, layer };
    const { channel } = named as Extract<typeof named, { kind: 'channel' }>;
    if (target.probability) return objectives.complete({ kind: 'logit', layer, channel });
    const border = term.border ?? fittedBorder(settled.border, target);
    return objectives.complete({ kind: 'channel', layer, channel, border });
  });
}

/** What is used of what is given, by name. Throws `bad-option` for what is missing. */
function usedOf(needs: Readonly<Record<string, Need>>, { tensors = {}, photos = {} }: Given): Tensors {
  return Object.fromEntries(
    Object.values(needs).map((need) => {
      const [what, name, known]: [string, string, Tensors] =
        'photo' in need ? ['photo', need.photo, photos] : ['tensor', need.tensor, tensors];
      const found = Object.hasOwn(known, name) ? known[name] : undefined;
      if (!found)
        throw new PhospheneError(
          'bad-option',
          `objective: the ${what} \`${name}\` is not given${didYouMean(name, Object.keys(known)) || `; give it among the \`${what}s\`, by that name`}`,
          { option: `${what}s`, name, known: Object.keys(known) },
        );
      if (found.dtype !== 'float32')
        throw new PhospheneError(
          'bad-option',
          `objective: the ${what} \`${name}\` is of ${found.dtype}, and float32 is needed`,
          { option: `${what}s`, name, dtype: found.dtype },
        );
      return [`${what} ${name}`, found] as const;
    }),
  );
}

function customSpec({ text, shape, values }: Objective): CustomSpec {
  const all = Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
  const digests = all.map(([name, t]) => `${JSON.stringify(name)} ${digestOfTensor(t)}`);
  return { kind: 'custom', text, shape, values: bytesToHex(sha256(utf8ToBytes(digests.join('\n')))) };
}

/** SHA-256 of a tensor: its type, its dims and its numbers. */
function digestOfTensor({ dtype, dims, data }: Tensor): string {
  const hash = sha256.create();
  hash.update(utf8ToBytes(`${dtype}[${dims.join()}]`));
  hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return bytesToHex(hash.digest());
}
