/** @file Milliseconds of one single-threaded step, and of its parts, for choosing lowerings: `node bench/profile.js [WEIGHTS]`. */
import { float32, int64 } from '../dist/ir/index.js';
import { nodeRuntime, open } from '../dist/node.js';
import { median } from './report.js';
import { layer, nameOf, size, stepOfSeed } from './seed.js';

const weights = process.argv[2];
const network = await open(nameOf(weights), { weights });
const forward = await network.cut([layer], size);
await network.close();
const step = stepOfSeed(forward).graph;
const picture = float32(
  new Float32Array(3 * size.height * size.width).map((_, i) => Math.sin(i) / 8),
  [1, 3, size.height, size.width],
);
const count = {};
for (const { op } of step.nodes) count[op] = (count[op] ?? 0) + 1;
console.log(JSON.stringify(count));

/** Median of repeated runs, in milliseconds. */
async function measure(graph, feeds) {
  const program = await nodeRuntime.compile(graph);
  const times = [];
  for (let i = 0; i < 30; i++) {
    const begun = performance.now();
    await program.run(feeds);
    times.push(performance.now() - begun);
  }
  await program.dispose();
  return median(times);
}
console.log('forward', (await measure(forward, { image: picture })).toFixed(2));
console.log('step', (await measure(step, { z: picture, channel: int64(7), rate: float32(10) })).toFixed(2));
