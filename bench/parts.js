/**
 * @file `node bench/parts.js [--weights FILE] [--rounds N] [--size N] [--only WORD]`: what each parameterisation and each transform adds to a
 * single-threaded step. All steps take turns, round after round; a ratio to the seed's plain step is taken within a round, and printed
 * is the median of the rounds with the least and the most. The picture is that of the seed: conv3_block4_out, 180 pixels.
 */
import { parseArgs } from 'node:util';
import { feedsAt, startStates } from '../dist/step/step.js';
import { sizeShown } from '../dist/render/recipe.js';
import { nodeRuntime, objectives, open, optimisers, params, stepOf, transforms, valuesOf } from '../dist/node.js';
import { median } from './report.js';
import { layer, nameOf, size as seedSize } from './seed.js';

const { values: options } = parseArgs({
  options: {
    weights: { type: 'string' },
    rounds: { type: 'string', default: '15' },
    size: { type: 'string', default: String(seedSize.width) },
    only: { type: 'string', default: '' },
  },
});
const rounds = Number(options.rounds);
const side = Number(options.size);
const size = { height: side, width: side };

/** Lucid's transforms, with jitter in both directions and the size kept. */
const lucid = [
  { kind: 'pad', by: 12 },
  { kind: 'jitter', by: 4 },
  { kind: 'scale' },
  { kind: 'rotate', still: 0.2 },
  { kind: 'jitter', by: 2 },
  { kind: 'trim', by: 12 },
];
const canvas = 256;
const crops = [{ kind: 'crop', view: side }, { kind: 'noise' }];
const pixel = { kind: 'pixel' };

/** What is measured: a parameterisation, transforms, an optimiser, and the size of the picture if it is another. */
const all = {
  'plain pixels': [pixel, []],
  ...Object.fromEntries(
    Object.keys(params.kinds)
      .filter((kind) => kind !== 'pixel')
      .map((kind) => [`param ${kind}`, [{ kind }, []]]),
  ),
  ...Object.fromEntries(
    Object.keys(transforms.kinds)
      .filter((kind) => kind !== 'pad' && kind !== 'trim')
      .map((kind) => [`transform ${kind}`, [pixel, [{ kind }]]]),
  ),
  'transforms of lucid, fused': [pixel, lucid],
  'lucid: fourier, transforms, adam': [{ kind: 'fourier' }, lucid, { kind: 'adam' }],
  [`maco: canvas of ${canvas}, one crop, noise, adam`]: [{ kind: 'maco' }, crops, { kind: 'adam' }, canvas],
};
const chosen = Object.entries(all).filter(([name], i) => i === 0 || name.includes(options.only));

const network = await open(nameOf(options.weights), { weights: options.weights });
const contenders = [];
for (const [name, [param, list, optimiser = { kind: 'normalised' }, stored = side]] of chosen) {
  const picture = { height: stored, width: stored };
  const parts = {
    size: picture,
    network: { graph: await network.cut([layer], sizeShown({ size: picture, transforms: list })) },
    objective: objectives.make({ kind: 'channel', layer, channel: 7 }),
    param: params.make(param),
    transforms: list.map((t) => transforms.make(t)),
    optimiser: optimisers.make(optimiser),
  };
  const step = stepOf(parts);
  const job = { key: '0', values: valuesOf(parts), steps: rounds + 2 };
  const program = await nodeRuntime.compile(step.graph);
  const run = await program.open(startStates(step, job));
  // Drawing what is fed is a part of a step.
  const once = async (round) => {
    const begun = performance.now();
    await run.step(feedsAt(step, job, round));
    return performance.now() - begun;
  };
  contenders.push({ name, once, times: [] });
}
await network.close();
for (let round = 1; round <= rounds + 2; round++)
  for (const i of contenders.keys()) {
    const { once, times } = contenders[(i + round) % contenders.length];
    const time = await once(round);
    // The first two plan memory.
    if (round > 2) times.push(time);
  }

console.log(`${nameOf(options.weights)} ${layer}, ${size.width} px, one thread, ${rounds} rounds`);
const [{ times: plain }] = contenders;
for (const { name, times } of contenders) {
  const ratios = times.map((time, round) => time / plain[round]).sort((a, b) => a - b);
  const [least, most] = [ratios[0], ratios.at(-1)].map((ratio) => ratio.toFixed(2));
  console.log(
    `${name.padEnd(48)} ${median(times).toFixed(1).padStart(7)} ms  × ${median(ratios).toFixed(2)}  (${least} – ${most})`,
  );
}
process.exit(0);
