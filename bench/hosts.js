/**
 * @file An older build against this one, on the same step, in one process and in turns: `node bench/hosts.js OLD_DIST [MODEL] [SIZE] [ROUNDS]`.
 * OLD_DIST is the `dist` of a checkout before workers had one protocol (0.1.0). One thread; then the pool, with two.
 */
import { cpSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { nodeHost } from '../dist/jobs/node-host.js';
import { createPool } from '../dist/jobs/pool.js';
import { ascend } from '../dist/render/ascend.js';
import { nodeRuntime } from '../dist/runtime/node.js';
import { Builder } from '../dist/ir/builder.js';
import { inlineFused } from '../dist/grad/fuse.js';
import { encodeOnnx } from '../dist/ir/onnx.js';
import { float32, int64 } from '../dist/ir/tensor.js';

const [oldDist, model = 'resnet50v2-mini', size = '180'] = process.argv.slice(2);
if (!oldDist) throw new Error('which older build? node bench/hosts.js OLD_DIST [MODEL] [SIZE] [ROUNDS]');
// Two copies of onnxruntime-node in one process end it, so the older build is brought to where it finds ours.
const here = fileURLToPath(new URL('../node_modules/.cache/phosphene-older', import.meta.url));
rmSync(here, { recursive: true, force: true });
for (const part of ['dist', 'models'])
  cpSync(join(resolve(oldDist), '..', part), join(here, part), { recursive: true });
const old = (path) => import(pathToFileURL(join(here, 'dist', path)).href);
const layer = 'conv3_block4_out';
const [steps, jobs] = [30, 4];
/** The more, the surer; the last argument. */
const rounds = Number(process.argv[5] ?? 15);

const { openModel } = await old('hub/open.js');
const { settingsOf } = await old('render/presets.js');
const { channelMean } = await old('objective/index.js');
const { stepGraph } = await old('render/step.js');
const { ascend: oldAscend, startNoise } = await old('render/ascend.js');
const { nodeRuntime: oldRuntime } = await old('runtime/node.js');
const { pool: oldPool } = await old('jobs/pool.js');

// One graph for both, so that what is measured is the loop around it; only its names differ.
const settings = { ...settingsOf('keras', { height: Number(size), width: Number(size) }), steps };
const opened = await openModel(model);
const graph = stepGraph(opened.cut(layer, settings), { objective: channelMean(settings.border) });
const { dims } = graph.inputs.find((i) => i.name === 'image');
const key = (channel) => `0/${layer}/${channel}`;
const program = { ...planOf(dims, settings.noise), id: 'bench', graph: encodeOnnx(renamed(graph)) };
const jobOf = (channel) => ({
  key: key(channel),
  steps,
  values: { channel: int64(channel), rate: float32(settings.rate) },
});

const oldProgram = await oldRuntime.compile(graph);
const newProgram = await nodeRuntime.compile(program.graph);
const inOneThread = {
  old: (channel) =>
    oldAscend(oldProgram, {
      channel,
      start: startNoise(0, layer, channel, settings),
      dims,
      steps,
      rate: settings.rate,
    }),
  new: async (channel) => {
    const run = ascend({ ...program, program: newProgram }, jobOf(channel));
    for (;;) {
      const next = await run.next();
      if (next.done) return { ...next.value, image: next.value.image.data };
    }
  },
};
const [before, after] = [await inOneThread.old(0), await inOneThread.new(0)];
console.log(`same picture: ${Buffer.from(before.image.buffer).equals(Buffer.from(after.image.buffer))}`);
await compared('one thread', steps, inOneThread);
await Promise.all([oldProgram.dispose(), newProgram.dispose()]);

// From nothing to the last of some pictures: threads started, engine loaded, program compiled.
const channels = Array.from({ length: jobs }, (_, i) => i);
await compared(`pool of two, cold, ${jobs} pictures`, steps * jobs, {
  async old() {
    for await (const _ of oldPool({ prepare: () => graph, layer, seed: 0, settings, channels, workers: 2 }));
  },
  async new() {
    const pool = createPool(nodeHost(), { workers: 2 });
    await pictures(pool, program);
    await pool.close();
  },
});
const warm = createPool(nodeHost(), { workers: 2 });
await pictures(warm, program);
const begun = performance.now();
for (let i = 0; i < rounds; i++) await pictures(warm, program);
console.log(`pool of two, warm: ${((performance.now() - begun) / rounds / jobs / steps).toFixed(2)} ms a step`);
await warm.close();

async function pictures(pool, step) {
  const one = async (channel) => {
    for await (const _ of pool.submit(step, jobOf(channel)));
  };
  await Promise.all(channels.map(one));
}

/** Milliseconds a step of both, in turns whose order changes, as medians; and the median of their ratios, with its quartiles. */
async function compared(what, stepsEach, ways) {
  const taken = { old: [], new: [] };
  for (let i = 0; i < rounds; i++) {
    for (const way of i % 2 ? ['new', 'old'] : ['old', 'new']) {
      const start = performance.now();
      await ways[way](i);
      taken[way].push((performance.now() - start) / stepsEach);
    }
  }
  const at = (list, q) => list.toSorted((a, b) => a - b)[Math.floor((list.length - 1) * q)];
  const ratios = taken.new.map((ms, i) => ms / taken.old[i]);
  const [low, middle, high] = [0.25, 0.5, 0.75].map((q) => at(ratios, q).toFixed(3));
  console.log(
    `${what}: old ${at(taken.old, 0.5).toFixed(2)}, new ${at(taken.new, 0.5).toFixed(2)} ms a step; new/old ${middle} (${low} to ${high})`,
  );
}

/** The old graph with the names of a step: image → z, next → next/z. */
function renamed(g) {
  const b = new Builder();
  const inputs = { image: b.input('z', 'float32', dims) };
  for (const { name, dtype, dims: d } of g.inputs) if (name !== 'image') inputs[name] = b.input(name, dtype, d);
  const outputs = inlineFused(b, g, inputs);
  const named = g.outputs.map(({ name }) => [name === 'next' ? 'next/z' : name, outputs.get(name)]);
  return b.graph(Object.fromEntries(named));
}

function planOf(z, noise) {
  return {
    states: [{ name: 'z', dtype: 'float32', dims: z, start: { kind: 'uniform', low: -noise, high: noise } }],
    feeds: [],
    values: graph.inputs.filter((i) => i.name !== 'image'),
    image: { state: 'z' },
  };
}
