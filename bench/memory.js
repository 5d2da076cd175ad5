/**
 * @file What a worker needs at its peak beside what we estimate before anything is allocated, picture size by picture size:
 * `node bench/memory.js [MODEL [LAYER]] [--weights FILE] [--sizes 128,180]`. Busy cores do not matter to it.
 */
import { parseArgs } from 'node:util';
import { open } from '../dist/node.js';
import { workerMemory } from '../dist/render/step.js';
import { memory } from './command.js';
import { median } from './report.js';
import * as seed from './seed.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { weights: { type: 'string' }, sizes: { type: 'string', default: '128,180,256,512' } },
});
const { weights } = values;
const [name = seed.nameOf(weights), layer = seed.layer] = positionals;
const model = await open(name, { weights });
console.log(`${name} ${layer}, medians of 3 in MB`);
console.log('  size   values  weights  measured  estimate    ratio  all else');
for (const size of values.sizes.split(',').map(Number)) {
  const all = model.layers({ height: size, width: size }).layers;
  const layers = all.slice(0, all.findIndex((l) => l.name === layer) + 1);
  const args = [`--layer=${layer}`, `--size=${size}`, '--steps=3', '--border=0', '--crop=1'];
  const peaks = [];
  for (let i = 0; i < 3; i++) peaks.push(await memory({ weights, model: name, workers: 4, args }));
  const measured = median(peaks.map((p) => p.worker));
  const estimate = workerMemory(layers) / 1e6;
  const floats = (count) => (4 * layers.reduce((sum, l) => sum + count(l), 0)) / 1e6;
  const row = [
    floats((l) => l.dims.reduce((a, b) => a * b, 1)),
    floats((l) => l.parameters),
    measured,
    estimate,
    estimate / measured,
    median(peaks.map((p) => p.base)),
  ];
  console.log(`${String(size).padStart(6)}${row.map((v, i) => v.toFixed(i === 4 ? 2 : 0).padStart(9)).join('')}`);
}
