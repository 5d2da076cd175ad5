/** @file The tests that mutants are run against: those that call the source in their own process, and take seconds. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [
      // They run the built package in a child process, which holds no mutants.
      'test/cli/**',
      'test/fuzz/fuzz.test.ts',
      // They look at documents, or need a Python, or compare pictures that the command has made.
      'test/docs.test.ts',
      'test/oracles/**',
      'test/pictures.test.ts',
      'test/render/pictures.test.ts',
      'test/render/memory.test.ts',
    ],
    testTimeout: 30_000,
  },
});
