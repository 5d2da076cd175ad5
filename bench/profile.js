/** @file Milliseconds of one single-threaded step, and of its parts, for choosing lowerings: `node bench/profile.js [WEIGHTS]`. */
import { openModel } from '../dist/hub/open.js';
import { channelMean, float32, int64, stepGraph } from '../dist/index.js';
import { nodeRuntime } from '../dist/runtime/node.js';
import { layer, nameOf, size } from './seed.js';

const weights = process.argv[2];
const network = (await openModel(nameOf(weights), { weights })).cut(layer, size);
const step = stepGraph(network, { objective: channelMean(2) });
const image = float32(
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
  return times.sort((a, b) => a - b)[15];
}
console.log('forward', (await measure(network, { image })).toFixed(2));
console.log('step', (await measure(step, { image, channel: int64(7), rate: float32(10) })).toFixed(2));
