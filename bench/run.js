/**
 * @file `npm run bench [-- OPTIONS]`: the seed with all cores, as ratios within this one run. Ours, the floor and the peers take
 * turns, round after round, in changing order; a ratio is taken within a round, and printed is the median of the rounds with
 * the least and the most. Nothing else should compute meanwhile.
 *
 *     --weights FILE   ResNet50V2's weights; without it the built-in model, and no peers
 *     --python PYTHON  an interpreter that has bench/peers/requirements.txt; without it no peers
 *     --rounds N       3
 *     --filters N      filters a worker ascends in a round, 16
 *     --sheet N        filters of the whole command and the whole Keras script, 64
 *     --skip-script    leave out the whole Keras script, which takes minutes
 *     --json FILE      write all figures there too
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { open } from '../dist/node.js';
import { build, command, memory } from './command.js';
import { convolutionsOf, floor } from './floor.js';
import { cores, machine, warnUnlessQuiet } from './machine.js';
import { ours } from './ours.js';
import { kerasScript, peers, startPeer } from './peer.js';
import { figure, figures, heading } from './report.js';
import { filters as wholeSheet, layer, nameOf, size, steps } from './seed.js';

const { values: options } = parseArgs({
  options: {
    weights: { type: 'string' },
    python: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    filters: { type: 'string', default: '16' },
    sheet: { type: 'string', default: String(wholeSheet) },
    'skip-script': { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const { weights, python } = options;
if (python && !weights) throw new Error('--python needs --weights: the peers have no built-in model');
const rounds = Number(options.rounds);
const filters = Number(options.filters);
const sheet = Number(options.sheet);
// A peer is warm when asked, and slower: with a quarter of a worker's steps its turn is about as long.
const peerSteps = steps * Math.ceil(filters / 4);
// More workers than cores do no harm to memory, and a difference over three of them is steadier than over one.
const crowd = Math.max(cores, 4);

const here = machine();
warnUnlessQuiet(here);

const model = await open(nameOf(weights), { weights });
const convolutions = convolutionsOf(await model.cut([layer], size));
const warm = python ? await Promise.all(peers.map((peer) => startPeer(python, peer, weights))) : [];

/** What takes turns; each returns figures by name. */
const contenders = [
  // The floor before and after: a shared machine changes its speed within seconds.
  async () => {
    const before = await floor(convolutions);
    const all = await ours(model, cores, filters);
    const after = await floor(convolutions);
    return { all, floor: (before.floor + after.floor) / 2, gflops: (before.gflops + after.gflops) / 2 };
  },
  ...warm.map((peer) => async () => ({ [peer.key]: await peer.ascend(peerSteps) })),
  async () => ({ one: await ours(model, 1, filters) }),
  () => build(weights),
  async () => ({ first: (await command({ weights, filters: cores, workers: cores })).first }),
  () => memory({ weights, workers: crowd }),
];

const measured = [];
for (let round = 0; round < rounds; round++) {
  console.error(`round ${round + 1} of ${rounds}`);
  const row = {};
  for (const i of contenders.keys()) Object.assign(row, await contenders[(i + round) % contenders.length]());
  row.perSecond = 1000 / row.all;
  row.toFloor = row.all / row.floor;
  row.efficiency = row.one / (cores * row.all);
  for (const { key } of warm) row[`${key}ToOurs`] = row[key] / row.all;
  measured.push(row);
}
for (const peer of warm) peer.end();

console.log(
  `\n${nameOf(weights)} ${layer}, ${size.width} px, ${cores} cores, ${rounds} rounds: medians (least – most)`,
);

heading(`Ours, ${filters} filters of ${steps} steps a worker, from when all have compiled`);
figure(measured, 'perSecond', 'all cores: image-steps per second', '/s', 1);
figure(measured, 'all', 'all cores: an image-step', 'ms');
figure(measured, 'floor', "floor: the step's own convolutions, chained, all cores", 'ms');
figure(measured, 'gflops', 'floor: the rate it computes at', 'GFLOP/s', 0);
figure(measured, 'toFloor', 'ours / floor');
figure(measured, 'one', 'one worker: an image-step', 'ms');
figure(measured, 'efficiency', `parallel efficiency from 1 to ${cores} workers`);

heading('Start, each time in a new process');
figure(measured, 'read', 'read the model', 'ms', 0);
figure(measured, 'build', 'build the step graph', 'ms', 0);
figure(measured, 'compile', 'compile it', 'ms', 0);
figure(measured, 'first', 'from the start of the command to its first picture', 's', 1);

heading('Peak of resident memory of the command');
figure(measured, 'worker', `for each worker (from 1 to ${crowd})`, 'MB', 0);
figure(measured, 'base', 'for all else', 'MB', 0);

if (warm.length > 0) heading(`Peers, warm, ${peerSteps} steps of one filter with all cores, tracing not counted`);
for (const { key, name } of warm) figure(measured, key, `${name}: an image-step`, 'ms');
for (const { key, name } of warm) figure(measured, `${key}ToOurs`, `${name} / ours`);

heading(`The whole of ${sheet} filters, start included`);
const whole = async () => (await command({ weights, filters: sheet, workers: cores })).seconds;
const wholes = [{ command: await whole() }];
if (python && !options['skip-script']) {
  const script = await kerasScript(python, weights, sheet);
  // Ours before and after: a machine that changes its speed meanwhile shows.
  wholes.push({ command: await whole() });
  for (const row of wholes) Object.assign(row, { script, scriptToCommand: script / row.command });
}
figure(wholes, 'command', 'our command', 's', 1);
if (wholes[0].script) {
  figure(wholes.slice(0, 1), 'script', "Keras' script, which traces for each filter, once", 's', 1);
  figure(wholes, 'scriptToCommand', 'script / command');
}

if (options.json) {
  const settings = { model: nameOf(weights), layer, ...size, steps, rounds, filters, peerSteps, crowd, sheet };
  const record = { machine: here, settings, peers: warm.map((peer) => peer.ready), figures };
  writeFileSync(options.json, `${JSON.stringify(record, undefined, 1)}\n`);
}
