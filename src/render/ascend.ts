/** @file The ascent of one channel: start noise, steps, and what came of it. */
import { PhospheneError } from '../errors.ts';
import type { Dims, Tensor } from '../ir/tensor.ts';
import { float32, int64 } from '../ir/tensor.ts';
import { IMAGE } from '../import/network.ts';
import { Random } from '../random.ts';
import type { Program } from '../runtime/index.ts';
import type { Settings } from './presets.ts';
import { CHANNEL, LOSS, NEXT, RATE } from './step.ts';

/** Why a picture shows little, in words for its reader; absent where all went well. */
export type Diagnosis = 'no-gradient' | 'not-finite' | 'no-ascent';

export interface Ascent {
  /** [1, 3, h, w], values about [-1, 1], not clipped. */
  readonly image: Float32Array<ArrayBuffer>;
  /** The loss before each step. */
  readonly losses: readonly number[];
  readonly diagnosis?: Diagnosis;
}

/**
 * Start noise of a channel, [1, 3, h, w], uniform in [-noise, noise). It depends on seed, layer and channel alone: not on the
 * order of channels, the batch, or the worker.
 */
export function startNoise(
  seed: number,
  layer: string,
  channel: number,
  { height, width, noise }: Settings,
): Float32Array {
  return new Random(`${seed}/${layer}/${channel}`).uniform(3 * height * width, -noise, noise);
}

export interface AscendOptions {
  readonly channel: number;
  /** The image that the first step gets, about [-1, 1]; left as it is. */
  readonly start: Float32Array;
  /** [1, 3, h, w] of `start`. */
  readonly dims: Dims;
  readonly steps: number;
  /** Length of a step: the L2 norm of what it adds to the image. */
  readonly rate: number;
  readonly signal?: AbortSignal | undefined;
  /** Called after each step with the number of steps done; a promise is awaited, so that the caller can breathe. */
  readonly onStep?: ((done: number, loss: number) => void | Promise<void>) | undefined;
}

/**
 * Runs `steps` steps of a compiled step graph from `start`. Throws `aborted` when the signal fires between two steps, and `runtime`.
 *
 * @example
 * const start = startNoise(0, layer, 7, settings);
 * const { image, losses } = await ascend(program, { channel: 7, start, dims: [1, 3, 180, 180], steps: 30, rate: 10 });
 */
export async function ascend(program: Program, options: AscendOptions): Promise<Ascent> {
  const { channel, start, dims, steps, rate, signal, onStep } = options;
  const losses: number[] = [];
  const fixed = { [CHANNEL]: int64(channel), [RATE]: float32(rate) };
  // Two pictures in turn: what the engine allocates for a result comes back to it only when garbage is collected, and fresh
  // memory costs a step a twentieth of its time.
  const pictures = [0, 1].map(() => float32(new Float32Array(start.length), dims));
  let image: Tensor = float32(start, dims);
  for (let step = 1; step <= steps; step++) {
    if (signal?.aborted) throw new PhospheneError('aborted', 'aborted', {}, signal.reason);
    const next = pictures[step % 2]!;
    const results = await program.run({ ...fixed, [IMAGE]: image }, { [NEXT]: next });
    image = next;
    losses.push((results[LOSS]!.data as Float32Array)[0]!);
    await onStep?.(step, losses.at(-1)!);
  }
  const pixels = steps === 0 ? start.slice() : (image.data as Float32Array<ArrayBuffer>);
  const diagnosis = diagnose(start, pixels, losses);
  return { image: pixels, losses, ...(diagnosis ? { diagnosis } : {}) };
}

function diagnose(start: Float32Array, image: Float32Array, losses: readonly number[]): Diagnosis | undefined {
  if (losses.length === 0) return undefined;
  if (losses.some((l) => !Number.isFinite(l)) || image.some((v) => !Number.isFinite(v))) return 'not-finite';
  if (image.every((v, i) => v === start[i])) return 'no-gradient';
  if (losses.length > 1 && losses.at(-1)! <= losses[0]!) return 'no-ascent';
  return undefined;
}

/** A sentence for people about a diagnosis. */
export const diagnoses: Readonly<Record<Diagnosis, string>> = {
  'no-gradient':
    'the filter is off everywhere on the start noise, so nothing says how to raise it; another --seed or more --noise may wake it',
  'not-finite': 'numbers overflowed on the way; a smaller --rate may help',
  'no-ascent': 'the activation did not rise; a smaller --rate may help',
};
