/** @file A plan: what a caller asks for, checked against a network before anything is read, written or started. */
import { PhospheneError } from '../errors.ts';
import type { Network } from '../import/network.ts';
import type { Tensor, Tensors } from '../ir/tensor.ts';
import { parseObjective } from '../objective/index.ts';
import { params, startFrom } from '../param/index.ts';
import { type Photo, photoDigest, photoTensor } from '../photo/photo.ts';
import { classifierOf, classIndex } from '../render/classes.ts';
import { type Given, isCustom, type ObjectiveLike, type Raised, raisedUnit, tryOut } from '../render/raised.ts';
import {
  atStride,
  fitted,
  isUnit,
  type RecipeOptions,
  settle,
  type Settled,
  sizeShown,
  type Unit,
} from '../render/recipe.ts';
import { strideOfAll, type Target } from '../render/targets.ts';
import {
  checkChannel,
  type Engine,
  raisedIn,
  renderChannels,
  type RenderEvent,
  renderObjective,
  targetOf,
} from './render.ts';

/** What is rendered: all that decides the pictures. Channels of a layer, or a class, or an objective. */
export interface RenderOptions extends RecipeOptions {
  /** The network's own choice unless given. */
  readonly layer?: string | undefined;
  /** Channels of the layer, from 0; repeated ones count once. */
  readonly channels?: readonly number[] | undefined;
  /** A class, by name or number: its logit. */
  readonly class?: string | number | undefined;
  /** Names of the classes, in the order of the network's units; the network's own unless given. */
  readonly labels?: readonly string[] | undefined;
  /** What is raised in place of channels: a text (docs/objectives.md), a spec, or an objective of your own. */
  readonly objective?: ObjectiveLike | undefined;
  /** Vectors and tensors that the objective names. */
  readonly tensors?: Tensors | undefined;
  /** Photos that the objective names; the middle of each is scaled to what the network sees. */
  readonly photos?: Readonly<Record<string, Photo>> | undefined;
  /** A photo that the ascents begin with in place of noise; its middle is scaled to the size of the pictures. */
  readonly start?: Photo | undefined;
}

/** What will be rendered. */
export interface Plan {
  readonly settled: Settled;
  /** The layer; or the text of the objective. */
  readonly layer: string;
  /** Channels, or the numbers of an objective's pictures. */
  readonly channels: readonly number[];
  /** The layers that are read. */
  readonly targets: readonly Target[];
  /** Pictures that are ascended together. */
  readonly pictures: number;
  /** How many jobs they are: channels are one each, and pictures that are ascended together are one. */
  readonly jobs: number;
  /** The objective; absent for channels of a layer. */
  readonly raised?: Raised;
  /** Makes the pictures, or some of them, and snapshots of them after some steps. */
  render(
    engine: Engine,
    channels?: Iterable<number> | AsyncIterable<number>,
    snapshots?: readonly number[],
  ): AsyncGenerator<RenderEvent, void>;
}

/**
 * Checks what is asked for. Throws `unknown-preset`, `bad-option`, `unknown-layer`, `unsupported-op`, `shape`.
 *
 * @example
 * const plan = await planOf(network, { objective: 'mixed4a:12 - 0.5*mixed4a:99' });
 * for await (const event of plan.render(engine)) if (event.type === 'picture') show(event.picture.raster);
 */
export async function planOf(network: Network, options: RenderOptions): Promise<Plan> {
  // Callers in JavaScript may give nothing.
  const given: RenderOptions | undefined = options;
  const {
    layer,
    channels,
    class: wanted,
    labels = network.labels,
    objective,
    tensors,
    photos,
    start: photo,
    ...rest
  } = given ?? {};
  const recipe: Begun = { ...rest, photo };
  const ways = Object.entries({ channels, class: wanted, objective }).filter(([, way]) => way !== undefined);
  if (ways.length !== 1) {
    const names = ways.map(([name]) => `\`${name}\``).join(' and ');
    throw new PhospheneError(
      'bad-option',
      ways.length === 0
        ? 'channels: a list of channels is needed, such as [0, 1, 2]; or a `class`, or an `objective`'
        : `${names} say in two ways what is raised; give one of them`,
      { option: ways.length === 0 ? 'channels' : ways.map(([name]) => name) },
    );
  }
  if (channels !== undefined) return channelPlan(network, recipe, layer ?? network.defaultLayer, channels);
  if (wanted !== undefined) {
    const target = classifierOf(network, sizeShown(settle(rest, network.input.size)), labels, layer);
    return channelPlan(network, recipe, target.name, [classIndex(wanted, labels, target.channels.count)]);
  }
  if (layer !== undefined)
    throw new PhospheneError(
      'bad-option',
      'layer: an objective says itself which layers it reads; leave the layer out',
      {
        option: ['layer', 'objective'],
      },
    );
  const { channels: depth } = network.input;
  const size = sizeShown(settle(rest, network.input.size));
  const seen = Object.entries(photos ?? {}).map(([name, one]) => [name, photoTensor(one, { channels: depth, size })]);
  return objectivePlan(network, recipe, objective!, { tensors, photos: Object.fromEntries(seen) as Given['photos'] });
}

/** Options of a recipe, and the photo that it begins with. */
type Begun = RecipeOptions & { readonly photo: Photo | undefined };

/** Settings, and the photo as the ascents take it. Throws `bad-option`, also if the parameterisation cannot begin with a photo. */
function begun(
  network: Network,
  { photo, ...options }: Begun,
): { settled: Settled; start: Tensor<'float32'> | undefined } {
  const settled = settle(options, network.input.size);
  if (!photo) return { settled, start: undefined };
  const start = photoTensor(photo, { channels: network.input.channels, size: settled.size });
  startFrom(params.make(settled.param), start);
  return { settled: { ...settled, start: { photo: photoDigest(start) } }, start };
}

async function channelPlan(
  network: Network,
  options: Begun,
  layer: string,
  channels: readonly number[],
  unit?: Unit,
): Promise<Plan> {
  if (!Array.isArray(channels))
    throw new PhospheneError('bad-option', 'channels: a list of channels is needed, such as [0, 1, 2]', {
      option: 'channels',
    });
  const { settled: plain, start } = begun(network, options);
  if (plain.pictures !== undefined && plain.pictures > 1)
    throw new PhospheneError(
      'bad-option',
      `pictures: channels are rendered one by one; an \`objective\` makes several pictures that differ, such as \`${layer}:${channels[0] ?? 0} + diversity(${layer})\``,
      { option: ['pictures', 'objective'] },
    );
  const target = await targetOf(network, layer, plain);
  const wanted = [...new Set(channels as readonly number[])];
  for (const channel of wanted) checkChannel(target, channel);
  const settled = fitted(unit ? { ...plain, unit } : plain, options, target);
  const { size } = settled;
  tryOut(raisedUnit(settled, target, 0), [network.input.channels, size.height, size.width]);
  return {
    settled,
    layer: target.name,
    channels: wanted,
    targets: [target],
    pictures: 1,
    jobs: wanted.length,
    render: (engine, some = wanted, snapshots) =>
      renderChannels(network, { layer: target.name, channels: some, settled, start, snapshots }, engine),
  };
}

async function objectivePlan(network: Network, options: Begun, like: ObjectiveLike, given: Given): Promise<Plan> {
  const spec = typeof like === 'string' ? parseObjective(like) : isCustom(like) ? undefined : like;
  if (spec && isUnit(spec) && options.pictures === undefined) {
    // One channel of a layer is a picture among those of its layer, however it was asked for.
    const { kind, layer, channel = 0 } = spec;
    if (kind === 'channel')
      return channelPlan(network, { ...options, border: spec.border ?? options.border }, layer!, [channel]);
    const { row, column } = kind === 'neuron' ? spec : {};
    const place = { ...(row === undefined ? {} : { row }), ...(column === undefined ? {} : { column }) };
    return channelPlan(network, options, layer!, [channel], { kind, ...place });
  }
  if (options.neuron !== undefined)
    throw new PhospheneError(
      'bad-option',
      'neuron: an objective says itself where its units are, as in `mixed4a:12[3,4]` or `neuron(mixed4a:12)`',
      { option: ['neuron', 'objective'] },
    );
  const { settled: plain, start } = begun(network, options);
  const raised = await raisedIn(network, spec ?? like, plain, given);
  const { targets, pictures } = raised;
  const settled = atStride(plain, options, strideOfAll(targets));
  const { size } = settled;
  tryOut(raised, [network.input.channels, size.height, size.width]);
  return {
    settled,
    layer: raised.objective.text,
    channels: Array.from({ length: pictures }, (_, i) => i),
    targets,
    pictures,
    jobs: 1,
    raised,
    render: (engine, some, snapshots) =>
      renderObjective(network, { raised, settled, pictures: some, start, snapshots }, engine),
  };
}
