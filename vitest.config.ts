import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/temporary.ts', 'test/vulkan.ts'],
    testTimeout: 30_000,
    // Two cores are the smallest machine that we promise to pass on.
    maxWorkers: 2,
  },
});
