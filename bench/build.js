/**
 * @file What a worker waits for before its first step, once, in a process that has done nothing yet: `node bench/build.js [WEIGHTS]`
 * prints milliseconds of reading the model, building the step and compiling it, the start of ONNX Runtime included.
 */
import { nodeRuntime, open } from '../dist/node.js';
import { layer, nameOf, size, stepOfSeed } from './seed.js';

const weights = process.argv[2];
const marks = [performance.now()];
const mark = (value) => (marks.push(performance.now()), value);
const network = await open(nameOf(weights), { weights });
const graph = mark(await network.cut([layer], size));
const step = mark(stepOfSeed(graph));
await mark(await nodeRuntime.compile(step.graph)).dispose();
await network.close();
const [read, build, compile] = marks.slice(1).map((at, i) => at - marks[i]);
console.log(JSON.stringify({ read, build, compile }));
