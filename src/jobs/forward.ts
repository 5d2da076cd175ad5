/** @file Forward runs on the pool: what layers of a network make of a photo. */
import { inlineFused, lowerings } from '../grad/index.ts';
import type { Network, Size } from '../import/network.ts';
import { Builder, type Value } from '../ir/builder.ts';
import { encodeOnnx, packOnnx } from '../ir/onnx.ts';
import type { Tensor } from '../ir/tensor.ts';
import { canonical } from '../render/recipe.ts';
import type { LoweringName } from '../runtime/index.ts';
import { IMAGE, LOSS, NEXT, type StepData, Z } from '../step/step.ts';
import { keeper } from './kept.ts';
import type { JobEvent, Pool, SubmitOptions } from './pool.ts';

/** The program of an id. A network keeps the last few: one who looks at its layers comes back to them. */
export const keptProgram = keeper<StepData>(4);

/** What a forward run reads. */
export interface Forward {
  /** What is made of the layers, in a word: programs of equal words, layers and sizes are the same. */
  readonly what: string;
  readonly layers: readonly string[];
  readonly size: Size;
  readonly lowering: LoweringName;
}

/**
 * A program that makes one tensor of what layers make of a photo: a step without a gradient, whose state is the photo and whose picture is
 * that tensor. Throws `unknown-layer`, `unsupported-op`, `shape`, `bad-weights`, `missing-weights`, `bad-file`.
 */
export async function forwardProgram(
  network: Network,
  { what, layers, size, lowering }: Forward,
  build: (b: Builder, value: (layer: string) => Value) => Value,
): Promise<StepData> {
  const id = canonical({
    forward: what,
    layers,
    size,
    lowering,
    model: await network.digest(),
    preprocess: network.input.preprocess,
  });
  return keptProgram(network, id, async () => {
    const cut = await network.cut(layers, size, { lazily: true });
    const { dims } = cut.inputs[0]!;
    const b = new Builder([IMAGE]);
    const values = inlineFused(b, cut, { [IMAGE]: b.input(Z, 'float32', dims) }, { lowering: lowerings[lowering] });
    const result = build(b, (layer) => values.get(layer)!);
    const own = new Builder();
    const z = own.input(Z, 'float32', dims);
    return {
      id,
      states: [{ name: Z, dtype: 'float32', dims, start: { kind: 'fill', value: 0 } }],
      feeds: [],
      values: [],
      graph: encodeOnnx(own.graph({ [LOSS]: own.float(0), [NEXT + Z]: z })),
      image: await packOnnx(b.graph({ [IMAGE]: b.cast(result, 'float32') })),
    };
  });
}

/** What a forward program makes of a photo [1, c, h, w]. A worker computes it, as a job of no steps. */
export async function evaluated(
  program: StepData,
  photo: Tensor<'float32'>,
  { pool, signal, priority = 0 }: { readonly pool: Pool } & Pick<SubmitOptions, 'signal' | 'priority'>,
): Promise<Tensor<'float32'>> {
  const job = { values: {}, key: program.id, steps: 0, start: { [Z]: photo } };
  return imageOf(pool.submit(program, job, { signal, priority }));
}

/** The picture of a job, when it is over. Throws what the job throws. */
export async function imageOf(events: AsyncIterable<JobEvent>): Promise<Tensor<'float32'>> {
  for await (const event of events) if (event.type === 'done') return event.ascent.image;
  throw new Error('internal: a job ended without a result');
}
