/** @file What is said if ONNX Runtime is not there: an optional dependency, which npm leaves out if its install script fails. */
import { expect, it, vi } from 'vitest';
import { nodeRuntime } from '../../src/runtime/node.ts';

vi.mock('node:module', () => ({
  createRequire: () => (name: string) => {
    throw Object.assign(new Error(`Cannot find module '${name}'`), { code: 'MODULE_NOT_FOUND' });
  },
}));

it('a missing ONNX Runtime is named, with the command that installs it', async () => {
  await expect(nodeRuntime.load()).rejects.toMatchObject({
    name: 'PhospheneError',
    code: 'runtime',
    message: expect.stringMatching(/onnxruntime-node.*`ONNXRUNTIME_NODE_INSTALL=skip npm install phosphene`/),
    cause: { code: 'MODULE_NOT_FOUND' },
  });
});
