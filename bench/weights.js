/**
 * @file What a network's weights take: `node bench/weights.js FILE[:LAYER] … [--size 224] [--json] [--dist OTHER_DIST]` prints, for each file,
 * the peak of resident memory above what the process had before it opened the file, and the time of opening it, cutting it at the layer
 * (the last whose values are pictures, unless it is given), differentiating and packing it; then of compiling it. Each in a process of its own.
 * OTHER_DIST is an older build in a folder that finds onnxruntime-node. Busy cores matter to the times, not to the memory. Linux only.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { runToEnd } from './command.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    size: { type: 'string', default: '224' },
    dist: { type: 'string', default: fileURLToPath(new URL('../dist', import.meta.url)) },
    json: { type: 'boolean', default: false },
    child: { type: 'boolean', default: false },
  },
});
if (values.child) await child(positionals[0]);
else await parent();

async function parent() {
  if (!values.json)
    console.log(
      'file            layer              file  weights  ready: peak   /weights     time  compiled: more     time',
    );
  for (const what of positionals) {
    let line = '';
    const args = ['--child', `--size=${values.size}`, `--dist=${values.dist}`, what];
    await runToEnd(
      process.execPath,
      ['--expose-gc', fileURLToPath(import.meta.url), ...args],
      (data) => (line += data),
    );
    const row = JSON.parse(line);
    if (values.json) console.log(line.trim());
    else
      console.log(
        `${row.file.padEnd(15)} ${row.layer.padEnd(16)} ${[row.megabytes, row.weights, row.peak].map((v) => v.toFixed(0).padStart(7)).join('  ')} MB ${(row.peak / row.weights).toFixed(2).padStart(9)}  ${row.seconds.toFixed(2).padStart(5)} s  ${row.compiling.toFixed(0).padStart(11)} MB  ${row.compileSeconds.toFixed(2).padStart(5)} s`,
      );
  }
}

async function child(what) {
  const [file, layer] = what.split(':');
  const from = (path) => import(pathToFileURL(`${resolve(values.dist)}/${path}`).href);
  const { openModel } = await from('hub/open.js');
  const { objectives, optimisers, params, stepOf } = await from('index.js');
  const onnx = await from('ir/onnx.js');
  const { nodeRuntime } = await from('runtime/node.js');
  await nodeRuntime.load();
  const [size, lazily] = [Number(values.size), 'packOnnx' in onnx];
  const picture = { height: size, width: size };

  globalThis.gc();
  const [before, begun] = [status('VmRSS'), performance.now()];
  const network = await openModel(file, { preprocess: 'tf' });
  const { layers } = network.layers(picture);
  const target = layer ?? layers.findLast(({ dims }) => dims.length === 4).name;
  const flat = layers.find(({ name }) => name === target).dims.length === 2;
  const made = stepOf({
    network: { graph: await network.cut([target], picture, { lazily }) },
    objective: objectives.make({ kind: 'channel', layer: target, ...(flat ? {} : { border: 0 }) }),
    param: params.make({ kind: 'pixel' }),
    optimiser: optimisers.make({ kind: 'normalised' }),
  });
  const model = lazily ? await onnx.packOnnx(made.graph) : onnx.encodeOnnx(made.graph);
  const seconds = (performance.now() - begun) / 1000;
  const peak = status('VmHWM') - before;

  await network.close();
  const last = layers.findIndex(({ name }) => name === target);
  const weights = (4 * layers.slice(0, last + 1).reduce((sum, l) => sum + l.parameters, 0)) / 1e6;
  globalThis.gc();
  // The peak begins anew.
  writeFileSync('/proc/self/clear_refs', '5');
  const [ready, at] = [status('VmRSS'), performance.now()];
  await nodeRuntime.compile(model);
  console.log(
    JSON.stringify({
      file: file.replace(/^.*\//, ''),
      layer: target,
      megabytes: statSync(file).size / 1e6,
      weights,
      seconds,
      peak,
      compileSeconds: (performance.now() - at) / 1000,
      compiling: status('VmHWM') - ready,
    }),
  );
}

/** A line of the process's own status, in MB. */
function status(key) {
  return (
    (Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024) / 1e6
  );
}
