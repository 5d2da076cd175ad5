/** @file What one file goes through: the only file of the fuzzer that knows how phosphene is called. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PhospheneError } from '../../src/errors.ts';
import { openModel } from '../../src/hub/open.ts';
import { openWeights } from '../../src/import/keras-weights.ts';
import { IMAGE, type Size } from '../../src/import/model.ts';
import { sizeOf, float32, int64 } from '../../src/ir/tensor.ts';
import { channelMean } from '../../src/objective/index.ts';
import { Random } from '../../src/random.ts';
import { CHANNEL, checkMemory, LOSS, RATE, stepGraph, workerMemory } from '../../src/render/step.ts';
import { targets } from '../../src/render/targets.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';

/** Files of the fuzzer are small: a picture that needs more than this is refused as a user's would be. */
const MEMORY = 1e9;

/** Opens an ONNX file, lists its layers, and takes one step of ascent at two of its targets. */
export async function throughOnnx(bytes: Uint8Array, folder: string, size: Size): Promise<string> {
  const path = join(folder, 'model.onnx');
  writeFileSync(path, bytes);
  const model = await openModel(path);
  try {
    const layers = model.layers(size);
    const reachable = targets(model, size);
    const last = reachable.at(-1);
    if (!last) return 'listed, nothing to render';
    const some = reachable[new Random(`target/${bytes.length}`).integer(reachable.length)]!;
    for (const { name } of new Set([some, last])) {
      const at = layers.findIndex((l) => l.name === name);
      checkMemory(workerMemory(layers.slice(0, at + 1)), MEMORY);
      const step = stepGraph(model.cut(name, size), { objective: channelMean(0) });
      const program = await nodeRuntime.compile(step);
      try {
        const dims = [1, 3, size.height, size.width];
        const image = float32(new Random('image').uniform(sizeOf(dims), -1, 1), dims);
        const { [LOSS]: loss } = await program.run({ [IMAGE]: image, [CHANNEL]: int64(0), [RATE]: float32(1) });
        if (loss!.dims.length > 0) throw new Error(`the loss has dims [${loss!.dims.join(', ')}]`);
      } finally {
        await program.dispose();
      }
    }
    return 'ran';
  } finally {
    model.close();
  }
}

/** Opens a Keras weight file and reads every weight that it says it has. */
export async function throughHdf5(bytes: Uint8Array, folder: string): Promise<string> {
  const path = join(folder, 'weights.h5');
  writeFileSync(path, bytes);
  const file = await openWeights(path);
  try {
    let read = 0;
    let refusal: unknown;
    for (const layer of file.layers) {
      try {
        for (const weight of file.weightsOf(layer)) if (file.read(layer, weight)) read++;
      } catch (error) {
        // One damaged weight does not end the others.
        if (!(error instanceof PhospheneError)) throw error;
        refusal = error;
      }
    }
    if (refusal) throw refusal;
    return read > 0 ? 'read' : 'opened, nothing to read';
  } finally {
    file.close();
  }
}
