/** @file The floor of a network's step with all cores: its own convolutions, chained, in as many threads as there are cores. */
import { Worker } from 'node:worker_threads';
import { Builder } from '../dist/ir/index.js';
import { cores } from './machine.js';
import { median } from './report.js';

/** Convolutions of a network that was cut, with how often each shape occurs. */
export function convolutionsOf(network) {
  const b = new Builder();
  const [image] = network.inputs;
  b.inline(network, { [image.name]: b.input(image.name, image.dtype, image.dims) });
  const found = new Map();
  for (const node of b.nodes) {
    if (node.op !== 'Conv') continue;
    const [input, weights, out] = [...node.inputs.slice(0, 2), node.outputs[0]].map((name) => b.value(name).dims);
    const strided = (node.attributes.strides ?? []).some((s) => s > 1);
    // Padding layers stand before the 3×3 convolutions here; in the step they are part of them.
    const padded = node.attributes.pads ?? [0, 0, 0, 0];
    const key = JSON.stringify({ dims: input, weights, pads: padded, out, strided });
    found.set(key, (found.get(key) ?? 0) + 1);
  }
  return [...found].map(([key, count]) => ({ ...JSON.parse(key), count }));
}

/** Milliseconds of an image-step at the floor, and the GFLOP/s of all threads together. */
export async function floor(convolutions) {
  const measured = await Promise.all(
    Array.from(
      { length: cores },
      () =>
        new Promise((resolve, reject) => {
          const worker = new Worker(new URL('./floor-worker.js', import.meta.url), {
            workerData: { convolutions, seconds: 3 },
          });
          worker.on('message', resolve);
          worker.on('error', reject);
        }),
    ),
  );
  return {
    floor: median(measured.map((m) => m.ms)) / cores,
    gflops: measured.reduce((sum, m) => sum + m.gflops, 0),
  };
}
