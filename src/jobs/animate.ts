/** @file Pictures that move: ascents as they go on, and filters that turn into one another. */
import { PhospheneError } from '../errors.ts';
import type { Network } from '../import/network.ts';
import { optimisers } from '../optimiser/index.ts';
import { finishes } from '../output/finish.ts';
import { grid, type GridOptions } from '../output/grid.ts';
import type { Raster } from '../output/raster.ts';
import { tileOf } from '../output/tile.ts';
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
 * Pictures of channels that turn into one another, and the last into the first: each raises two of them, (1 - t) of one and t of the other, from
 * the same noise. Yields `ready`, then `picture`-less `steps` of `channel` 0 whose `done` counts pictures, and last the {@link Frames}.
 *
 * Throws what rendering throws, and `bad-option` for an objective, or for fewer than two channels.
 *
 * @example
 * const plan = await planOf(network, { layer: 'conv3_block4_out', channels: [0, 10] });
 * for await (const event of animateMorph(network, plan, engine, { between: 12 })) console.log(event.type);
 */
export async function* animateMorph(
  network: Network,
  { settled, layer, channels, raised: objective }: Plan,
  engine: Engine,
  { between }: MorphOptions,
): AsyncGenerator<RenderEvent | Frames, void> {
  if (objective || channels.length < 2)
    throw new PhospheneError(
      'bad-option',
      'morph: two channels of a layer or more are needed to turn one into another',
      { option: ['filters', 'channels'], channels },
    );
  const { pool, lowering, signal, priority = 0 } = engine;
  pool.start();
  const at = (i: number): Promise<Awaited<ReturnType<typeof raisedIn>>> => {
    const [from, t] = [Math.floor(i / between), (i % between) / between];
    const term = (channel: number, weight: number) =>
      ({ weight, objective: unitSpec(settled, layer, channel) }) as const;
    const terms = [term(channels[from]!, 1 - t), term(channels[(from + 1) % channels.length]!, t)];
    return raisedIn(network, { kind: 'sum', terms }, settled);
  };
  const total = channels.length * between;
  const program = await programOf(network, await at(0), settled, lowering);
  if (signal?.aborted) throw new PhospheneError('aborted', 'aborted', {}, signal.reason);
  const finish = finishes.make(settled.finish);
  const optimiser = optimisers.make(settled.optimiser);
  const frames: Raster[] = [];
  let [ready, done] = [false, 0];
  const ascent = async function* (i: number): AsyncGenerator<RenderEvent, void> {
    const values = valuesOf({ objective: (await at(i)).objective, optimiser });
    // One key: the same noise for all, so that only the objective moves.
    const job = { values, key: `${settled.seed}/${layer}/morph`, ...runOf(settled) };
    for await (const event of pool.submit(program, job, { signal, priority })) {
      if (event.type === 'started' && !ready) {
        ready = true;
        yield { type: 'ready', workers: pool.workers };
      } else if (event.type === 'done') {
        frames[i] = finish(event.ascent.image.data, settled.size);
        yield { type: 'steps', channel: 0, done: ++done, loss: event.ascent.losses.at(-1) ?? 0 };
      }
    }
  };
  yield* concurrently(
    Array.from({ length: total }, (_, i) => i),
    pool.workers + 1,
    ascent,
  );
  yield { type: 'frames', frames };
}
