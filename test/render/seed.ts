/** @file The seed's step on any network, for tests: one channel's mean, pixels, a normalised gradient. */
import type { Graph } from '../../src/ir/graph.ts';
import { float32, int64, type Tensor } from '../../src/ir/tensor.ts';
import { objectives } from '../../src/objective/index.ts';
import { optimisers } from '../../src/optimiser/index.ts';
import { params } from '../../src/param/index.ts';
import { ascend, type Ascent } from '../../src/render/ascend.ts';
import { GRADIENT, stepOf } from '../../src/render/step.ts';
import type { CompileOptions, Program } from '../../src/runtime/index.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { LOSS, NEXT, type Step, Z } from '../../src/step/step.ts';

/** The step of a network cut at one layer, its gradient among the outputs unless told otherwise. `axis` is that of its channels. */
export function seedStep(network: Graph, border: number, withGradient = true, axis = 1): Step {
  return stepOf({
    network: { graph: network, channelAxes: { [network.outputs[0]!.name]: axis } },
    objective: objectives.make({ kind: 'channel', layer: network.outputs[0]!.name, border }),
    param: params.make({ kind: 'pixel' }),
    optimiser: optimisers.make({ kind: 'normalised' }),
    withGradient,
  });
}

/** A compiled {@link seedStep}. */
export interface CompiledSeed {
  /** One step from `image`: its loss, its gradient, and the next image. */
  step(image: Tensor, channel: number, rate?: number): Promise<{ loss: number; gradient: Float32Array; next: Tensor }>;
  /** All steps from `start`. */
  ascend(start: Tensor, channel: number, o: { steps: number; rate: number }): Promise<Ascent>;
  dispose(): Promise<void>;
}

export async function compileSeed(
  network: Graph,
  border: number,
  options?: CompileOptions,
  axis = 1,
): Promise<CompiledSeed> {
  const step = seedStep(network, border, true, axis);
  const program: Program = await nodeRuntime.compile(step.graph, options);
  return {
    async step(image, channel, rate = 1) {
      const out = await program.run({ [Z]: image, channel: int64(channel), rate: float32(rate) });
      return {
        loss: out[LOSS]!.data[0] as number,
        gradient: out[GRADIENT]!.data as Float32Array,
        next: out[NEXT + Z]!,
      };
    },
    async ascend(start, channel, { steps, rate }) {
      const values = { channel: int64(channel), rate: float32(rate) };
      const going = ascend(
        { ...step, program, image: { state: Z } },
        { values, key: '', steps, start: { [Z]: start } },
      );
      for (;;) {
        const next = await going.next();
        if (next.done) return next.value;
      }
    },
    dispose: () => program.dispose(),
  };
}
