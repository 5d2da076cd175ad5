import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/temporary.ts', 'test/vulkan.ts'],
    testTimeout: 30_000,
    // A page on a busy machine answers when it can.
    expect: { poll: { timeout: 20_000 } },
    // Two cores are the smallest machine that we promise to pass on.
    maxWorkers: 2,
  },
});
