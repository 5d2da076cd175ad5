/**
 * @file Mutation testing: StrykerJS changes the source one mutant at a time, and a mutant that no test notices is a test that is
 * missing. `npm run mutants [FOLDER]` is the way to start it: see test/mutants.js and docs/testing.md.
 */

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'vitest.mutants.config.ts' },
  // Only the tests that reach a mutant are run for it.
  coverageAnalysis: 'perTest',
  // What runs while a module is loaded costs all tests each time: tables and constants.
  ignoreStatic: true,
  concurrency: 2,
  // A test file runs in a second; this is time for a machine that others use as well.
  timeoutMS: 10_000,
  timeoutFactor: 3,
  // All tests of a large folder, one after another, on such a machine.
  dryRunTimeoutMinutes: 30,
  // Rewriting these two needs TypeScript's own JavaScript API, which TypeScript 7 has not; nothing reads them in the sandbox.
  tsconfigFile: 'none',
  disableTypeChecks: false,
  incrementalFile: '.stryker/incremental.json',
  tempDirName: '.stryker/sandbox',
  ignorePatterns: ['.stryker', 'out', '.fuzz', 'training', 'docs/images', 'bench', '/test/**/*-changed.png'],
  reporters: ['progress-append-only', 'clear-text', 'html', 'json'],
  htmlReporter: { fileName: '.stryker/report.html' },
  jsonReporter: { fileName: '.stryker/report.json' },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
};
