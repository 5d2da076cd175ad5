/** @file Which device a rendering is computed on: both try its own step, the gradients are compared, and the faster one is taken. */
import { PhospheneError } from '../errors.ts';
import type { Network } from '../import/network.ts';
import type { Tensor } from '../ir/tensor.ts';
import { raisedUnit } from '../render/raised.ts';
import type { Device } from '../runtime/index.ts';
import type { StepData } from '../step/step.ts';
import { imageOf } from './forward.ts';
import type { Plan } from './plan.ts';
import { type Engine, trialOf } from './render.ts';

/** How far the gradients of two devices may be apart, in lengths of the CPU's. Rounding alone makes about a millionth. */
export const MOST_APART = 1e-3;

/** Steps that are timed. */
const STEPS = 4;

/** Which device was chosen, and why. */
export interface DeviceChoice {
  readonly device: Device;
  readonly why:
    /** Both are right, and this one is the faster. */
    | 'faster'
    /** The GPU's gradient is another one. */
    | 'wrong'
    /** There is no GPU, or it failed. */
    | 'failed';
  /** Pictures' steps a second with all workers; absent if they were not measured. */
  readonly speeds?: Readonly<Record<Device, number>>;
  /** How far the first gradients are apart, in lengths of the CPU's. */
  readonly apart?: number;
  /** What the GPU said, if it failed. */
  readonly error?: PhospheneError;
}

/** An engine on each device. */
export type Engines = Readonly<Record<Device, Engine>>;

/**
 * Measures which device makes the pictures of a plan faster. Each computes the gradient of the plan's first picture once, and then a few
 * of its steps, as many at a time as it has workers and the plan has jobs. A GPU that fails, or whose gradient is more than
 * {@link MOST_APART} from the CPU's, is not taken, however fast it is.
 *
 * Throws what the CPU throws, and `aborted`.
 *
 * @example
 * const { device } = await chooseDevice(network, plan, { cpu, webgpu });
 * yield* plan.render(engines[device]);
 */
export async function chooseDevice(network: Network, plan: Plan, engines: Engines): Promise<DeviceChoice> {
  const cpu = await tried(network, plan, engines.cpu, 0);
  let webgpu: Measured;
  try {
    webgpu = await tried(network, plan, engines.webgpu, cpu.speed);
  } catch (error) {
    if (!(error instanceof PhospheneError) || error.code === 'aborted') throw error;
    return { device: 'cpu', why: 'failed', error };
  }
  const apart = apartness(webgpu.gradient, cpu.gradient);
  const speeds = { cpu: cpu.speed, webgpu: webgpu.speed };
  // Not a number is not near enough either.
  if (!(apart <= MOST_APART)) return { device: 'cpu', why: 'wrong', apart, speeds };
  return { device: webgpu.speed > cpu.speed ? 'webgpu' : 'cpu', why: 'faster', apart, speeds };
}

/**
 * A choice in a sentence.
 *
 * @example
 * choiceInWords({ device: 'cpu', why: 'wrong', apart: 0.4 });
 */
export function choiceInWords({ device, why, speeds, apart, error }: DeviceChoice): string {
  const rate = (speed: number): string => speed.toPrecision(2);
  switch (why) {
    case 'failed':
      return `rendering on the CPU; the GPU cannot be used: ${error?.message ?? 'it failed'}`;
    case 'wrong':
      return `rendering on the CPU; the GPU computes another gradient, ${apart?.toPrecision(2)} of its length away`;
    case 'faster':
      return `rendering on the ${device === 'cpu' ? 'CPU' : 'GPU'}, the faster one here: ${rate(speeds!.cpu)} steps a second on the CPU, ${rate(speeds!.webgpu)} on the GPU`;
  }
}

interface Measured {
  readonly gradient: Float32Array;
  /** Steps a second, of all pictures that are made at a time. */
  readonly speed: number;
}

/** The first gradient on an engine, and its speed: roughly, if it is far slower than `other`. */
async function tried(network: Network, plan: Plan, engine: Engine, other: number): Promise<Measured> {
  const { settled, targets, channels } = plan;
  const raised = plan.raised ?? raisedUnit(settled, targets[0]!, channels[0]!);
  const { program, probe, job } = await trialOf(network, raised, settled, engine);
  const run = (step: StepData, steps: number): Promise<Tensor<'float32'>> =>
    imageOf(engine.pool.submit(step, { ...job, steps }, { signal: engine.signal }));
  const gradient = (await run(probe, 1)).data;
  const atOnce = Math.min(engine.pool.workers, plan.jobs);
  const speed = async (steps: number): Promise<number> => {
    const begun = performance.now();
    await Promise.all(Array.from({ length: atOnce }, () => run(program, steps)));
    return (1000 * steps * atOnce) / (performance.now() - begun);
  };
  // Compiled and warm before it is timed.
  await speed(1);
  const roughly = await speed(1);
  return { gradient, speed: roughly * STEPS < other ? roughly : await speed(STEPS) };
}

/** Length of a − b, in lengths of b. */
function apartness(a: Float32Array, b: Float32Array): number {
  let [difference, length] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    length += b[i]! ** 2;
  }
  return length === 0 ? Math.sqrt(difference) : Math.sqrt(difference / length);
}
