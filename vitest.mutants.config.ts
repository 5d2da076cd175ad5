/** @file The tests that mutants are run against: those that call the source in their own process, and take seconds. */
import { defineConfig } from 'vitest/config';

/**
 * The tests that are about a folder of src, besides those of its name. Stryker runs all of them once before the first mutant, to see which
 * of them reach what; with the tests of everything that takes minutes.
 */
const about: Readonly<Record<string, readonly string[]>> = {
  cli: ['cli', 'hub/models*'],
  grad: ['grad', 'objective', 'render/step*'],
  'import/onnx': 'channels control external leading onnx-file onnx precision preprocess structure unsupported'
    .split(' ')
    .map((name) => `import/${name}*`),
  import: ['import', 'hub/open*', 'hub/architecture*', 'hub/labels*'],
  jobs: ['jobs', 'live/look*', 'render/start*'],
  objective: ['objective', 'jobs/plan*'],
  output: ['output', 'runs', 'render/record*'],
  render: ['render', 'jobs/plan*', 'jobs/rendering*', 'settings*'],
};
// What test/mutants.js was asked for: `cli`, `render/step.ts`, `src/jobs`.
const asked = (process.env['PHOSPHENE_MUTANTS'] ?? '')
  .split(',')
  .map((name) => name.replace(/^src\//, '').split('/'))
  // The narrowest entry.
  .map(([folder, part = '']) => (Object.hasOwn(about, `${folder}/${part}`) ? `${folder}/${part}` : folder));
const tests = asked.every((folder) => Object.hasOwn(about, folder))
  ? asked.flatMap((folder) => about[folder])
  : ['**/*'];

export default defineConfig({
  test: {
    include: tests.map((name) => (name.endsWith('*') ? `test/${name}.test.ts` : `test/${name}/**/*.test.ts`)),
    globalSetup: ['test/temporary.ts'],
    exclude: [
      // They run in child processes, which hold no mutants, or are long runs of damaged inputs.
      'test/cli/render.test.ts',
      'test/fuzz/**',
      'test/hub/servers.test.ts',
      // They look at documents, need a Python, or compare pictures that the command has made.
      'test/docs.test.ts',
      'test/oracles/**',
      'test/pictures.test.ts',
      'test/gallery/**',
      'test/render/pictures.test.ts',
      // Whole networks against their recorded outputs: a mutant that only they notice takes a test of its own, and each mutant that
      // survives would cost half a minute.
      'test/jobs/engines.test.ts',
      'test/import/networks.test.ts',
      'test/import/resnet.test.ts',
      'test/render/golden.test.ts',
    ],
    testTimeout: 120_000,
  },
});
