/** @file The tests that mutants are run against: those that call the source in their own process, and take seconds. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
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
      'test/import/networks.test.ts',
      'test/import/resnet.test.ts',
      'test/render/golden.test.ts',
    ],
    testTimeout: 120_000,
  },
});
