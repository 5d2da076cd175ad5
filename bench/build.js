/**
 * @file What a worker waits for before its first step, once, in a process that has done nothing yet: `node bench/build.js [WEIGHTS]`
 * prints milliseconds of reading the model, building the step graph and compiling it, the start of ONNX Runtime included.
 */
import { channelMean, nodeRuntime, open, stepGraph } from '../dist/node.js';
import { layer, nameOf, size } from './seed.js';

const weights = process.argv[2];
const marks = [performance.now()];
const mark = (value) => (marks.push(performance.now()), value);
const network = mark((await open(nameOf(weights), { weights })).cut(layer, size));
const graph = mark(stepGraph(network, { objective: channelMean(2) }));
await mark(await nodeRuntime.compile(graph)).dispose();
const [read, build, compile] = marks.slice(1).map((at, i) => at - marks[i]);
console.log(JSON.stringify({ read, build, compile }));
