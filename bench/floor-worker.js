/**
 * @file The floor: the step's own convolutions with nothing in between. Each stride-1 convolution is chained with its own gradient
 * (which has the shapes of the way back) and repeated; strided ones, which cannot be chained, are charged at the rate that the
 * others reach. Run as a worker thread, so that all cores compute at once, as in a real run.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Builder, float32 } from '../dist/ir/index.js';
import { nodeRuntime } from '../dist/runtime/node.js';

const { convolutions, seconds } = workerData;
const REPEATS = 8;

/** Milliseconds of one pair of convolutions c → o → c with the given geometry. */
async function pair({ dims, weights, pads }) {
  const b = new Builder();
  const [o, c, kh, kw] = weights;
  const tensor = (shape) =>
    b.constant(
      float32(
        new Float32Array(shape.reduce((x, y) => x * y, 1)).map((_, i) => Math.sin(i) / 100),
        shape,
      ),
    );
  const forward = tensor([o, c, kh, kw]);
  const back = tensor([c, o, kh, kw]);
  const x = b.input('x', 'float32', dims);
  let y = x;
  for (let i = 0; i < REPEATS; i++)
    y = b.conv(b.conv(y, forward, undefined, { pads }), back, undefined, {
      pads: pads.map((p, j) => [kh, kw][j % 2] - 1 - p),
    });
  const program = await nodeRuntime.compile(b.graph({ y }));
  const feeds = { x: float32(new Float32Array(dims.reduce((p, q) => p * q, 1)).fill(0.1), dims) };
  await program.run(feeds);
  const times = [];
  const begun = performance.now();
  while (times.length < 5 || performance.now() - begun < (1000 * seconds) / convolutions.length) {
    const at = performance.now();
    await program.run(feeds);
    times.push(performance.now() - at);
  }
  await program.dispose();
  times.sort((p, q) => p - q);
  return times[times.length >> 1] / REPEATS;
}

let total = 0;
let chained = 0;
const macs = ({ dims, weights, out }) => (out[2] * out[3] * weights.reduce((p, q) => p * q, 1) * dims[0]) / 1e6;
for (const convolution of convolutions.filter((c) => !c.strided)) {
  const ms = await pair(convolution);
  total += ms * convolution.count;
  chained += 2 * macs(convolution) * convolution.count;
}
const rate = chained / total;
const strided = convolutions.filter((c) => c.strided).reduce((sum, c) => sum + 2 * macs(c) * c.count, 0);
parentPort.postMessage({ ms: total + strided / rate, gflops: 2 * rate });
