/** @file What one file goes through: from its bytes to a picture that was ascended by one step. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openModel } from '../../src/hub/open.ts';
import { defaultSize, type Network, type Size } from '../../src/import/network.ts';
import { memoryOf, programOf } from '../../src/jobs/render.ts';
import { objectives } from '../../src/objective/index.ts';
import { optimisers } from '../../src/optimiser/index.ts';
import { Random } from '../../src/random.ts';
import { ascend } from '../../src/render/ascend.ts';
import { settle } from '../../src/render/recipe.ts';
import { raisedUnit } from '../../src/render/raised.ts';
import { checkMemory, valuesOf } from '../../src/render/step.ts';
import { targets } from '../../src/render/targets.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { readAll } from './hdf5.ts';

/** Files of the fuzzer are small: a picture that needs more than this is refused as a user's would be. */
const MEMORY = 1e9;

/** Opens an ONNX file, lists its layers, and takes a step of ascent at two of its targets. */
export async function throughOnnx(bytes: Uint8Array, folder: string, size: Size): Promise<string> {
  const path = join(folder, 'model.onnx');
  writeFileSync(path, bytes);
  return throughNetwork(await openModel(path), size, `target/${bytes.length}`);
}

/** Opens a TensorFlow.js model with its shards, lists its layers, and takes a step of ascent at two of its targets, or cuts its last layer. */
export async function throughTfjs(
  model: Uint8Array,
  shards: Readonly<Record<string, Uint8Array>>,
  folder: string,
  size: Size,
  ascends: boolean,
): Promise<string> {
  const path = join(folder, 'model.json');
  writeFileSync(path, model);
  for (const [name, bytes] of Object.entries(shards)) writeFileSync(join(folder, name), bytes);
  return throughModel(await openModel(path), size, `target/${model.length}`, ascends);
}

/** Opens a Keras model in one file, or a configuration with weights beside it, and goes on as with TensorFlow.js. */
export async function throughKeras(
  bytes: Uint8Array,
  extension: string,
  siblings: Readonly<Record<string, Uint8Array>>,
  folder: string,
  ascends: boolean,
): Promise<string> {
  const path = join(folder, `model.${extension}`);
  writeFileSync(path, bytes);
  for (const [name, beside] of Object.entries(siblings)) writeFileSync(join(folder, name), beside);
  return throughModel(await openModel(path), { height: 7, width: 6 }, `target/${bytes.length}`, ascends);
}

async function throughModel(network: Network, size: Size, key: string, ascends: boolean): Promise<string> {
  if (ascends) return throughNetwork(network, size, key);
  try {
    const own = defaultSize(network.input, size);
    const { name } = network.layers(own).layers.at(-1) ?? {};
    if (name !== undefined) await network.cut([name], own);
    return name === undefined ? 'listed, nothing to cut' : 'cut';
  } finally {
    await network.close();
  }
}

/** Reads every weight that a Keras weight file says it has, and opens it as that of a published model. */
export async function throughHdf5(bytes: Uint8Array, folder: string): Promise<string> {
  const path = join(folder, 'weights.h5');
  writeFileSync(path, bytes);
  const read = readAll('weights.h5', bytes);
  const seen = await throughNetwork(
    await openModel('resnet50v2', { weights: path }),
    { height: 32, width: 32 },
    'conv1_conv',
    ['conv1_conv'],
  );
  return `weights: ${read}, network: ${seen}`;
}

async function throughNetwork(
  network: Network,
  otherwise: Size,
  key: string,
  only?: readonly string[],
): Promise<string> {
  try {
    const size = defaultSize(network.input, otherwise);
    const all = targets(network, size);
    const last = all.at(-1);
    if (!last) return 'listed, nothing to render';
    const asked = only
      ? all.filter((t) => only.includes(t.name))
      : new Set([all[new Random(key).integer(all.length)]!, last]);
    const settled = settle({ size, steps: 1, finish: { crop: 0 } });
    for (const target of asked) {
      checkMemory(memoryOf(network, { targets: [target] }, settled), MEMORY);
      const step = await programOf(network, raisedUnit(settled, target, 0), settled, nodeRuntime.lowering);
      const program = await nodeRuntime.compile(step.graph);
      const image = 'state' in step.image ? step.image : await nodeRuntime.compile(step.image);
      try {
        const values = valuesOf({
          objective: objectives.make({ kind: 'channel', layer: target.name, channel: 0, border: settled.border }),
          optimiser: optimisers.make(settled.optimiser),
        });
        const run = ascend({ ...step, program, image }, { values, key, steps: 1 });
        while (!(await run.next()).done);
      } finally {
        await program.dispose();
        if (!('state' in image)) await image.dispose();
      }
    }
    return 'ran';
  } finally {
    await network.close();
  }
}
