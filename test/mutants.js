/**
 * @file `npm run mutants`: StrykerJS over the source, whole or in part, or a seeded sample of its mutants.
 *
 *     npm run mutants                                      all of src: hours
 *     npm run mutants grad render/step.ts                  folders and files of src
 *     npm run mutants -- --sample 200 --seed 1 grad        200 mutants drawn from a folder
 *     npm run mutants -- --named                           those of test/named-mutants.js
 *
 * Results of the same folder are kept in `.stryker` and only what has changed since is run anew; a sample is always run whole.
 */
import { Stryker } from '@stryker-mutator/core';
import { Instrumenter } from '@stryker-mutator/instrumenter';
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { runNamed } from './named-mutants.js';

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string' },
    seed: { type: 'string', default: '0' },
    concurrency: { type: 'string', default: '2' },
    named: { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
    'without-shared': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(`npm run mutants -- [OPTIONS] [FOLDER or FILE of src …]

  --sample N         N mutants, drawn at random
  --seed S           draws others (0)
  --concurrency N    test processes (2)
  --named            those that a review made by hand, with ../shared and without
  --fresh            forgets the results of earlier runs
  --without-shared   as where ../shared is absent`);
  process.exit(0);
}

/** @param {string} name A path, from the root or from src. */
function pattern(name) {
  const path = existsSync(name) ? name : `src/${name}`;
  if (!existsSync(path)) throw new Error(`there is no ${name}, nor src/${name}`);
  return statSync(path).isDirectory() ? `${path.replace(/\/$/, '')}/**/*.ts` : path;
}

// Stryker runs the tests in a copy of the checkout, beside which there is no `shared`.
if (options['without-shared']) process.env.PHOSPHENE_SHARED = '/nonexistent';
else process.env.PHOSPHENE_SHARED ??= fileURLToPath(new URL('../../shared', import.meta.url));

process.env.PHOSPHENE_MUTANTS = positionals.join();

// A few tests also run the built package.
const npx = (args) =>
  spawnSync('npx', ['--no-install', ...args], { stdio: 'inherit', shell: process.platform === 'win32' });
if (npx(['tsc', '-p', 'tsconfig.build.json']).status !== 0) process.exit(1);
if (npx(['node', 'bundle.js']).status !== 0) process.exit(1);

if (options.named) process.exit((await runNamed(root, process.env.PHOSPHENE_SHARED)) === 0 ? 0 : 1);
if (options.sample !== undefined) sampleOnly(Number(options.sample), Number(options.seed));

/**
 * Leaves `count` of the mutants that Stryker finds and marks all others as ignored. Stryker has no setting for it; but what its
 * instrumenter returns is what is tested.
 */
function sampleOnly(count, seed) {
  const { value: instrument } = Object.getOwnPropertyDescriptor(Instrumenter.prototype, 'instrument');
  Instrumenter.prototype.instrument = async function (...args) {
    const result = await instrument.apply(this, args);
    const next = generator(seed);
    const drawn = result.mutants
      .filter((mutant) => mutant.status !== 'Ignored')
      .map((mutant) => ({ id: mutant.id, at: next() }))
      .sort((a, b) => a.at - b.at)
      .slice(0, count);
    const chosen = new Set(drawn.map(({ id }) => id));
    const mutants = result.mutants.map((mutant) =>
      chosen.has(mutant.id) ? mutant : { ...mutant, status: 'Ignored', statusReason: 'not in the sample' },
    );
    console.log(`${chosen.size} of ${mutants.length} mutants drawn with seed ${seed}`);
    return { ...result, mutants };
  };
}

/** Seeded numbers in [0, 1): mulberry32. The source's own generator is TypeScript, and may be under test. */
function generator(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

await new Stryker({
  mutate: [
    ...(positionals.length > 0 ? positionals.map(pattern) : ['src/**/*.ts']),
    '!src/ir/onnx_pb.ts',
    '!src/version.ts',
  ],
  concurrency: Number(options.concurrency),
  incremental: options.sample === undefined,
  force: options.fresh,
}).runMutationTest();
