/**
 * @file The GPU against the CPU with all cores, on this machine: `node bench/devices.js [MODEL] [LAYER] [ROUNDS]`. For some sizes, steps a second of
 * both in turns, their ratio as the median of the rounds with the least and the most, and how far the first gradients are apart. It is the
 * measurement by which `--device auto` chooses, again and again. Nothing else should compute meanwhile.
 */
import { availableParallelism } from 'node:os';
import { chooseDevice } from '../dist/jobs/device.js';
import { nodeHost } from '../dist/jobs/node-host.js';
import { planOf } from '../dist/jobs/plan.js';
import { createPool } from '../dist/jobs/pool.js';
import { open } from '../dist/node.js';
import { machine, warnUnlessQuiet } from './machine.js';

const [model = 'resnet50v2-mini', named, rounds = '5'] = process.argv.slice(2);
const network = await open(model);
const layer = named ?? network.defaultLayer;
const pools = {
  cpu: createPool(nodeHost()),
  webgpu: createPool(nodeHost({ device: 'webgpu', parallelism: 1 })),
};
const engines = { cpu: { pool: pools.cpu, lowering: 'cpu' }, webgpu: { pool: pools.webgpu, lowering: 'webgpu' } };

const here = machine();
warnUnlessQuiet(here);
console.log(`${here.cpu}, ${here.cores} cores, ${here.platform}`);
console.log(`${model}, ${layer}; steps a second`);
try {
  for (const size of [96, 180, 224, 384]) {
    // As many pictures as there are cores, so that all of them have work.
    const channels = Array.from({ length: availableParallelism() }, (_, i) => i);
    const plan = await planOf(network, { layer, channels, size });
    const found = [];
    for (let round = 0; round < Number(rounds); round++) found.push(await chooseDevice(network, plan, engines));
    const failed = found.find(({ error }) => error);
    if (failed) throw failed.error;
    const ratios = found.map(({ speeds }) => speeds.webgpu / speeds.cpu).sort((a, b) => a - b);
    const { speeds, apart } = found.at(-1);
    const [least, median, most] = [ratios[0], ratios[ratios.length >> 1], ratios.at(-1)].map((r) => r.toFixed(2));
    console.log(
      `${size} px: CPU ${speeds.cpu.toPrecision(3)}, GPU ${speeds.webgpu.toPrecision(3)}; GPU / CPU ${median} (${least} to ${most}); gradients ${apart.toExponential(1)} apart`,
    );
  }
} finally {
  await Promise.all(Object.values(pools).map((pool) => pool.close()));
  await network.close();
}
