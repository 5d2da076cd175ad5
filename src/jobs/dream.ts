/** @file Dreams on workers: the tiles of a step are jobs of one step each, so that photos of any size fit, and all cores are busy. */
import { PhospheneError } from '../errors.ts';
import { lowerings } from '../grad/index.ts';
import type { Network, Size } from '../import/network.ts';
import { float32, type Tensor } from '../ir/tensor.ts';
import { type Objective, objectives, weighted } from '../objective/index.ts';
import { optimisers } from '../optimiser/index.ts';
import { params } from '../param/index.ts';
import { clamped, photoDigest } from '../photo/photo.ts';
import { resize } from '../photo/resize.ts';
import { Random } from '../random.ts';
import {
  cutTile,
  type DreamRecipe,
  type DreamSettings,
  moved,
  octaveSizes,
  type Place,
  tilePlaces,
  tileSize,
} from '../render/dream.ts';
import { canonical } from '../render/recipe.ts';
import { stepData, stepOf, valuesOf } from '../render/step.ts';
import { reaching, type Target } from '../render/targets.ts';
import { type StepData, Z } from '../step/step.ts';
import { concurrently } from './concurrently.ts';
import { checkChannel, type Engine, factsOf, targetOf } from './render.ts';

/** What is dreamt. */
export interface DreamWanted {
  /** [1, c, h, w], c as the network takes it, values in [-1, 1]. */
  readonly photo: Tensor<'float32'>;
  readonly layer: string;
  /** Channels whose activations are raised; all that the layer finds unless given. */
  readonly channels?: readonly number[] | undefined;
  readonly settings: DreamSettings;
}

/** What happens while a photo is dreamt. */
export type DreamEvent =
  /** The first program is compiled and its first step begins. */
  | { readonly type: 'ready'; readonly workers: number }
  /** Now and then; `total` is the number of tiles of all steps. */
  | { readonly type: 'tiles'; readonly done: number; readonly total: number }
  /** A size is finished, counted from 1. `loss` is the mean objective of its tiles before their last step. */
  | {
      readonly type: 'octave';
      readonly octave: number;
      readonly of: number;
      readonly size: Size;
      readonly loss: number;
      readonly image: Tensor<'float32'>;
    }
  | { readonly type: 'dream'; readonly dream: Dream };

/** A photo, dreamt. */
export interface Dream {
  readonly recipe: DreamRecipe;
  /** [1, c, h, w], the photo's dims, values in [-1, 1]. */
  readonly image: Tensor<'float32'>;
  /** The mean objective of the tiles before each step, for each size. */
  readonly losses: readonly (readonly number[])[];
}

/**
 * Dreams a photo and yields events, last the dream, at the photo's size. The bytes depend on the recipe alone, not on the workers.
 *
 * Throws `unknown-layer`, `bad-option`, `unsupported-op`, `shape`, `bad-weights`, `missing-weights`, `runtime`, `aborted`.
 *
 * @example
 * for await (const event of dreamPhoto(network, { photo: pixels, layer: 'conv3_block4_out', settings }, engine))
 *   if (event.type === 'dream') show(event.dream.image);
 */
export async function* dreamPhoto(
  network: Network,
  { photo, layer, channels, settings }: DreamWanted,
  engine: Engine,
): AsyncGenerator<DreamEvent, void> {
  const { pool, signal, priority = 0 } = engine;
  const [, , height, width] = photo.dims as readonly [number, number, number, number];
  const fixed = network.input.size ?? {};
  const whole = { height, width };
  const most = tileSize(whole, settings.tile, fixed);
  const target = await targetOf(network, layer, { size: most });
  for (const channel of channels ?? []) checkChannel(target, channel);
  pool.start();
  const facts = await factsOf(network);
  const sizes = octaveSizes(whole, settings, fixed.height || fixed.width ? most : undefined);
  const { seed, steps } = settings;
  const recipe: DreamRecipe = {
    model: facts.model,
    preprocess: facts.preprocess,
    size: whole,
    start: { photo: photoDigest(photo) },
    layer: target.name,
    ...(channels ? { channels } : {}),
    ...settings,
  };
  const total = sizes.reduce((sum, size) => {
    const tile = tileSize(size, settings.tile, fixed);
    return sum + steps * Math.ceil(size.height / tile.height) * Math.ceil(size.width / tile.width);
  }, 0);
  const programs = new Map<string, Promise<Program>>();
  const programFor = (tile: Size): Promise<Program> => {
    const key = `${tile.height}×${tile.width}`;
    const program = programs.get(key) ?? programOf(network, target, channels, tile, settings.rate, engine);
    programs.set(key, program);
    return program;
  };

  const losses: number[][] = [];
  let [done, ready] = [0, false];
  let detail: Tensor<'float32'> | undefined;
  let image = photo;
  for (const [octave, size] of sizes.entries()) {
    const base = resize(photo, size);
    image = clamped(detail ? sum(base, resize(detail, size), 1) : base);
    const tile = tileSize(size, settings.tile, fixed);
    const { data, values } = await programFor(tile);
    const own: number[] = [];
    for (let step = 1; step <= steps; step++) {
      if (signal?.aborted) throw new PhospheneError('aborted', 'aborted', {}, signal.reason);
      const places = tilePlaces(size, tile, new Random(`${seed}/dream/${octave}/${step}`));
      const before = places.map((place) => cutTile(image, place, tile));
      const after = new Map<number, { image: Tensor<'float32'>; loss: number }>();
      const ascend = async function* (i: number): AsyncGenerator<DreamEvent, void> {
        const job = { values, key: '', steps: 1, start: { [Z]: before[i]! } };
        for await (const event of pool.submit(data, job, { signal, priority })) {
          if (event.type === 'started' && !ready) {
            ready = true;
            yield { type: 'ready', workers: pool.workers };
          } else if (event.type === 'done') {
            after.set(i, { image: event.ascent.image, loss: event.ascent.losses[0]! });
            yield { type: 'tiles', done: ++done, total };
          }
        }
      };
      yield* concurrently(places.keys(), pool.workers + 1, ascend);
      // In the order of their places, whatever the order in which workers had done.
      const all = places.map((place, i) => ({ place, before: before[i]!, ...after.get(i)! }));
      own.push(all.reduce((mean, { loss }) => mean + loss / all.length, 0));
      image = moved(
        image,
        all.map(({ place, before: was, image: is }) => ({ ...place, before: was, after: finite(is, was, place) })),
      );
    }
    detail = sum(image, base, -1);
    losses.push(own);
    yield { type: 'octave', octave: octave + 1, of: sizes.length, size, loss: own.at(-1)!, image };
  }
  yield { type: 'dream', dream: { recipe, image, losses } };
}

interface Program {
  readonly data: StepData;
  readonly values: Readonly<Record<string, Tensor>>;
}

/** The program of one step of one tile. */
async function programOf(
  network: Network,
  target: Target,
  channels: readonly number[] | undefined,
  tile: Size,
  rate: number,
  { lowering }: Engine,
): Promise<Program> {
  const objective = objectiveOf(target, channels);
  const count = network.input.channels * tile.height * tile.width;
  const optimiser = optimisers.make({ kind: 'normalised', rate: rate * Math.sqrt(count) });
  const step = await reaching(network, tile, async () =>
    stepOf({
      network: {
        graph: await network.cut([target.name], tile, { lazily: true }),
        channelAxes: { [target.name]: target.channels.axis },
      },
      objective,
      optimiser,
      param: params.make({ kind: 'pixel' }),
      lowering: lowerings[lowering],
    }),
  );
  const made = { dream: objective.shape, tile, lowering, preprocess: network.input.preprocess };
  const data = await stepData(step, canonical({ ...made, model: await network.digest() }));
  return { data, values: valuesOf({ objective, optimiser }) };
}

function objectiveOf({ name }: Target, channels: readonly number[] | undefined): Objective {
  if (channels)
    return weighted(
      channels.map((channel) => ({
        weight: 1,
        objective: objectives.make({ kind: 'channel', layer: name, channel, border: 0 }),
      })),
    );
  return objectives.make({ kind: 'layer', layer: name });
}

/** What a tile has become. A picture of numbers that are none would spread over all others. */
function finite(is: Tensor<'float32'>, was: Tensor<'float32'>, place: Place): Tensor<'float32'> {
  if (is.data.every(Number.isFinite)) return is;
  throw new PhospheneError(
    'runtime',
    `the activations overflowed in the tile at ${place.left},${place.top}; a smaller \`rate\` may help`,
    { option: 'rate', ...place, size: was.dims },
  );
}

/** a + by · b. */
function sum(a: Tensor<'float32'>, b: Tensor<'float32'>, by: number): Tensor<'float32'> {
  return float32(
    a.data.map((value, i) => value + by * b.data[i]!),
    a.dims,
  );
}
