/** @file Milliseconds of one single-threaded step, and of its parts, for choosing lowerings: `node bench/profile.js WEIGHTS`. */
import { openModel } from '../dist/hub/open.js';
import { channelMean, float32, int64, stepGraph } from '../dist/index.js';
import { nodeRuntime } from '../dist/runtime/node.js';

const size = { height: 180, width: 180 };
const model = await openModel(process.argv[2] ? 'resnet50v2' : 'resnet50v2-mini', { weights: process.argv[2] });
const network = model.cut('conv3_block4_out', size);
const step = stepGraph(network, { objective: channelMean(2) });
const image = float32(
  new Float32Array(3 * 180 * 180).map((_, i) => Math.sin(i) / 8),
  [1, 3, 180, 180],
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
