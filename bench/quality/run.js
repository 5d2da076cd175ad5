/**
 * @file `npm run quality -- --photos FOLDER`: renders a fixed set of filters of real networks with every preset, judges the pictures and
 * prints a table. The networks are those of `../shared/models`, or of `--models FOLDER`. Pictures and what photographs say are kept in
 * `--work FOLDER`, so that a run that was ended goes on.
 *
 *     --presets a,b      --layers conv3_block4_out,fire5      --filters 0-7      --seeds 2 (for the agreement between seeds)
 *     --set JSON         options that are put over each preset, for experiments
 *     --json FILE        all figures of every picture
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { open as openModel, presets, renderToFolder } from '../../dist/node.js';
import { judgeOf, median, quantile } from './judge.js';
import { open } from './pictures.js';

const { values: given } = parseArgs({
  options: {
    photos: { type: 'string' },
    models: { type: 'string', default: resolve(import.meta.dirname, '../../../shared/models') },
    work: { type: 'string', default: '.quality' },
    presets: { type: 'string', default: Object.keys(presets).join() },
    layers: { type: 'string', default: 'conv2_block3_out,conv3_block4_out,conv4_block6_out,fire5,fire9' },
    filters: { type: 'string' },
    seeds: { type: 'string', default: '1' },
    set: { type: 'string', default: '{}' },
    workers: { type: 'string', default: '2' },
    json: { type: 'string' },
  },
});
if (given.photos === undefined)
  throw new Error('--photos: a folder of photographs is needed; docs/quality.md says how to get freely licensed ones');

const fire = (n) => `squeezenet0_concat${n - 2}`;
const models = {
  resnet: {
    open: () => openModel('resnet50v2', { weights: `${given.models}/resnet50v2-imagenet-conv1-4.h5` }),
    // Where the counterparts of a layer are looked for in the other network.
    mates: {
      conv2_block3_out: [2, 3, 4, 5].map(fire),
      conv3_block4_out: [4, 5, 6, 7].map(fire),
      conv4_block6_out: [6, 7, 8, 9].map(fire),
    },
  },
  squeezenet: {
    open: () => openModel(`${given.models}/squeezenet1.1/squeezenet1.1.onnx`, { preprocess: 'torch' }),
    mates: {
      [fire(5)]: ['conv2_block3_out', 'conv3_block2_out', 'conv3_block4_out'],
      [fire(9)]: ['conv3_block4_out', 'conv4_block3_out', 'conv4_block6_out'],
    },
  },
};
const named = (layer) => layer.replace(/^fire(\d)$/, (_, n) => fire(Number(n)));
const shown = (layer) => layer.replace(/^squeezenet0_concat(\d)$/, (_, n) => `fire${Number(n) + 2}`);

const work = resolve(given.work);
mkdirSync(work, { recursive: true });
const networks = {};
for (const [name, { open: opening, mates }] of Object.entries(models))
  networks[name] = { network: await opening(), mates };
const judge = await judgeOf(networks, given.photos, work);

/** The first eight filters of a layer, and eight others spread over it. */
function filtersOf(network, layer) {
  const count = network.layers({ height: 180, width: 180 }).layers.find((l) => l.name === layer).channels.count;
  const [first, last] = (given.filters ?? '0-7').split('-').map(Number);
  const own = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const others = Array.from({ length: 8 }, (_, i) => Math.floor(((i + 0.5) * count) / 8));
  return [...new Set(given.filters === undefined ? [...own, ...others] : own)];
}

/** The whole canvases of a preset's pictures, rendered unless they are there, and the seconds that each took if they were not. */
async function pictures(name, layer, channels, preset, seed) {
  const { network } = networks[name];
  const options = { size: 180, ...JSON.parse(given.set) };
  if (!('size' in JSON.parse(given.set)) && presets[preset].size !== 180) options.size = presets[preset].size;
  const begun = performance.now();
  let [made, folder, steps] = [0, '', 0];
  const wanted = { ...options, layer, channels, preset, seed, finish: { crop: 0, ...options.finish } };
  for await (const event of renderToFolder(network, wanted, {
    out: `${work}/${name}`,
    workers: Number(given.workers),
  })) {
    if (event.type === 'picture') [made, steps] = [made + 1, event.picture.losses.length];
    if (event.type === 'grid') folder = event.folder;
  }
  const canvases = [];
  for (const channel of channels) canvases.push(await open(`${folder}/${channel}.png`));
  return { canvases, seconds: made === channels.length ? (performance.now() - begun) / 1000 / made : undefined, steps };
}

const all = {};
for (const preset of given.presets.split(','))
  for (const given_ of given.layers.split(',')) {
    const layer = named(given_);
    const name = Object.keys(models).find((n) => layer in models[n].mates);
    const channels = filtersOf(networks[name].network, layer);
    const { canvases, seconds } = await pictures(name, layer, channels, preset, 0);
    const rows = await judge.look(name, layer, channels, canvases);
    if (Number(given.seeds) > 1) {
      const second = await pictures(name, layer, channels, preset, 1);
      const others = await judge.look(name, layer, channels, second.canvases);
      judge.agreement(layer, rows, others).forEach((value, i) => (rows[i].agreement = value));
    }
    for (const row of rows) delete row.responses;
    (all[preset] ??= {})[shown(layer)] = { channels, seconds, rows };
    process.stderr.write(
      `${preset} ${shown(layer)}${seconds === undefined ? '' : `, ${seconds.toFixed(2)} s a picture`}\n`,
    );
  }
for (const { network } of Object.values(networks)) await network.close();
if (given.json !== undefined)
  writeFileSync(given.json, JSON.stringify({ photographs: judge.photographs, presets: all }));

/** Columns: how they are called, of which figure they are, and which tail is the bad one. */
const columns = [
  ['any phase', 'anyPhase', 0.1],
  ['as saved', 'saved', 0.1],
  ['kept under shifts', 'shifts', 0.1],
  ['harms', 'harms', 0.1],
  ['transfer', 'transfer', 0.1],
  ['slope distance', 'slopeDistance', 0.9],
  ['energy > .25 c/px', 'high', 0.9],
  ['contrast', 'contrast', 0.1],
  ['between seeds', 'agreement', 0.1],
];
const round = (v) => (Math.abs(v) >= 10 ? v.toFixed(0) : v.toFixed(2));

function table(title, layers) {
  const lines = [
    `\n${title}: median (10th percentile, or 90th if high is bad)\n`,
    `| preset | steps | ${columns.map(([head]) => head).join(' | ')} | top-1 | failed |`,
    `|${'---|'.repeat(columns.length + 4)}`,
  ];
  for (const [preset, found] of Object.entries(all)) {
    const rows = layers.flatMap((layer) => found[layer]?.rows ?? []);
    if (rows.length === 0) continue;
    const cells = columns.map(([, key, tail]) => {
      const values = rows.map((row) => row[key]).filter((v) => v !== undefined);
      return values.length === 0 ? '–' : `${round(median(values))} (${round(quantile(values, tail))})`;
    });
    const share = (key) => rows.reduce((s, row) => s + row[key], 0) / rows.length;
    const failed = rows.reduce((s, row) => s + row.failed, 0);
    lines.push(
      `| ${preset} | ${presets[preset].steps} | ${cells.join(' | ')} | ${share('top1').toFixed(2)} | ${failed} of ${rows.length} |`,
    );
  }
  console.log(lines.join('\n'));
}

const { slope, high, slopeDistance, contrast } = judge.photographs;
console.log(
  `photographs: slope ${slope.toFixed(2)}, distance ${slopeDistance.toFixed(2)}, energy > .25 c/px ${high.toFixed(3)}, contrast ${contrast.toFixed(2)}`,
);
const layers = given.layers.split(',');
const ofResnet = layers.filter((l) => l.startsWith('conv'));
if (ofResnet.length > 1) table('ResNet50V2, all layers', ofResnet);
for (const layer of ofResnet) table(layer, [layer]);
const ofSqueeze = layers.filter((l) => l.startsWith('fire'));
if (ofSqueeze.length > 0) table('SqueezeNet 1.1', ofSqueeze);
