/** @file Pictures that move: ascents as they go on, and filters that turn into one another. */
import { PhospheneError } from '../errors.ts';
import type { Network } from '../import/network.ts';
import { float32, type Tensor } from '../ir/tensor.ts';
import { optimisers } from '../optimiser/index.ts';
import { finishes } from '../output/finish.ts';
import { grid, type GridOptions } from '../output/grid.ts';
import type { Raster } from '../output/raster.ts';
import { tileOf } from '../output/tile.ts';
import { canStart, params, startFrom } from '../param/index.ts';
import { raisedIn, programOf, runOf, type Engine, type RenderEvent } from './render.ts';
import { unitSpec } from '../render/recipe.ts';
import { valuesOf } from '../render/step.ts';
import { concurrently } from './concurrently.ts';
import type { Plan } from './plan.ts';

/** The pictures of an animation, in their order. */
export interface Frames {
  readonly type: 'frames';
  readonly frames: readonly Raster[];
}

/** How the pictures of an ascent stand side by side. */
export interface Stitching extends GridOptions {
  /** Whether the number of each stands below it. */
  readonly captions: boolean;
}

/**
 * The steps of an ascent that are shown: as evenly as can be, the last among them.
 *
 * @example
 * framesAt(30, 4); // [8, 15, 23, 30]
 */
export function framesAt(steps: number, count: number): number[] {
  return [...new Set(Array.from({ length: count }, (_, i) => Math.ceil(((i + 1) * steps) / count)))].filter(
    (step) => step > 0,
  );
}

/**
 * Ascends what a plan says and yields what rendering does, and last the {@link Frames}: the grid of all its pictures after each of the steps.
 *
 * Throws what rendering throws, and `bad-option` if there are no steps to be shown.
 *
 * @example
 * for await (const event of animateAscent(plan, engine, { steps: framesAt(30, 10), columns: 2, captions: false }))
 *   if (event.type === 'frames') await writeFile('ascent.gif', await encodeGif(event.frames));
 */
export async function* animateAscent(
  plan: Plan,
  engine: Engine,
  { steps, captions, ...layout }: Stitching & { readonly steps: readonly number[] },
): AsyncGenerator<RenderEvent | Frames, void> {
  if (steps.length === 0)
    throw new PhospheneError('bad-option', 'steps: an ascent of no steps does not move; choose 1 or more', {
      option: 'steps',
    });
  const found = new Map<number, Map<number, Raster>>(steps.map((step) => [step, new Map()]));
  for await (const event of plan.render(engine, plan.channels, steps)) {
    if (event.type === 'snapshot') found.get(event.step)?.set(event.channel, event.raster);
    yield event;
  }
  const last = new Map<number, Raster>();
  const frames = steps.map((step) => {
    const tiles = plan.channels.map((channel) => {
      // One whose patience ended stands still.
      const picture = found.get(step)!.get(channel) ?? last.get(channel);
      if (picture) last.set(channel, picture);
      return picture && tileOf(picture, { label: captions ? String(channel) : undefined });
    });
    return grid(tiles, layout);
  });
  yield { type: 'frames', frames };
}

/** What turns into what. */
export interface MorphOptions {
  /** Pictures from one channel to the next, from 1. */
  readonly between: number;
}

/**
 * Pictures of channels that turn into one another, and the last into the first. Each channel's own picture is made first. Those between two of
 * them begin with a mix of both pictures and raise a mix of both channels, (1 - t) of one and t of the other; the nearer to an end, the fewer
 * the steps, so that nothing jumps. If the parameterisation cannot begin with a picture, they begin with the same noise and take all steps.
 * Yields `ready`, then `picture`-less `steps` of `channel` 0 whose `done` counts pictures, and last the {@link Frames}.
 *
 * Throws what rendering throws, and `bad-option` for an objective, or for fewer than two channels.
 *
 * @example
 * const plan = await planOf(network, { layer: 'conv3_block4_out', channels: [0, 10] });
 * for await (const event of animateMorph(network, plan, engine, { between: 12 })) console.log(event.type);
 */
export async function* animateMorph(
  network: Network,
  plan: Plan,
  engine: Engine,
  { between }: MorphOptions,
): AsyncGenerator<RenderEvent | Frames, void> {
  const { settled, layer, channels, raised: objective } = plan;
  if (objective || channels.length < 2)
    throw new PhospheneError(
      'bad-option',
      'morph: two channels of a layer or more are needed to turn one into another',
      { option: ['filters', 'channels'], channels },
    );
  const frames: Raster[] = [];
  let done = 0;
  const made = (loss: number): RenderEvent => ({ type: 'steps', channel: 0, done: ++done, loss });
  const ends = new Map<number, Tensor<'float32'>>();
  for await (const event of plan.render(engine, channels)) {
    if (event.type === 'ready') yield event;
    if (event.type !== 'picture') continue;
    const { channel, image, raster, losses } = event.picture;
    ends.set(channel, image);
    frames[channels.indexOf(channel) * between] = raster;
    yield made(losses.at(-1) ?? 0);
  }

  const { pool, lowering, signal, priority = 0 } = engine;
  const stretch = (i: number) => {
    const from = Math.floor(i / between);
    return { from: channels[from]!, to: channels[(from + 1) % channels.length]!, t: (i % between) / between };
  };
  const at = (i: number): ReturnType<typeof raisedIn> => {
    const { from, to, t } = stretch(i);
    const term = (channel: number, weight: number) =>
      ({ weight, objective: unitSpec(settled, layer, channel) }) as const;
    return raisedIn(network, { kind: 'sum', terms: [term(from, 1 - t), term(to, t)] }, settled);
  };
  const param = params.make(settled.param);
  const begins = canStart(param, ends.get(channels[0]!)!.dims);
  const finish = finishes.make(settled.finish);
  const optimiser = optimisers.make(settled.optimiser);
  const program = await programOf(network, await at(0), settled, lowering);
  const ascent = async function* (i: number): AsyncGenerator<RenderEvent, void> {
    const { from, to, t } = stretch(i);
    const values = valuesOf({ objective: (await at(i)).objective, optimiser });
    // One key: the same draws for all, so that only the objective moves.
    const job = { values, key: `${settled.seed}/${layer}/morph`, ...runOf(settled) };
    const begun = begins && {
      steps: Math.ceil(settled.steps * Math.min(t, 1 - t)),
      start: startFrom(param, mixed(ends.get(from)!, ends.get(to)!, t)),
    };
    for await (const event of pool.submit(program, { ...job, ...begun }, { signal, priority }))
      if (event.type === 'done') {
        frames[i] = finish(event.ascent.image.data, settled.size);
        yield made(event.ascent.losses.at(-1) ?? 0);
      }
  };
  const inside = Array.from({ length: channels.length * between }, (_, i) => i).filter((i) => i % between > 0);
  yield* concurrently(inside, pool.workers + 1, ascent);
  yield { type: 'frames', frames };
}

/** (1 - t) of a picture and t of another, as strong as they are: a mean of two that differ is paler than both. */
function mixed(from: Tensor<'float32'>, to: Tensor<'float32'>, t: number): Tensor<'float32'> {
  const strength = Math.hypot(1 - t, t);
  return float32(
    from.data.map((value, i) => ((1 - t) * value + t * to.data[i]!) / strength),
    from.dims,
  );
}
