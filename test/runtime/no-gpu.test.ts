/** @file What is said on a machine without a GPU: in a file of its own, since a process looks for one only once. */
import { expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import { webgpuRuntime } from '../../src/runtime/node.ts';

// Elsewhere no variable hides a GPU.
it.skipIf(process.platform !== 'linux')('a machine without a GPU says so, and what to do', async () => {
  for (const name of ['VK_ICD_FILENAMES', 'VK_DRIVER_FILES']) process.env[name] = '/nowhere.json';
  const b = new Builder();
  const graph = b.graph({ y: b.mul(b.input('x', 'float32', [3]), 2) });
  await expect(webgpuRuntime.compile(graph)).rejects.toMatchObject({
    name: 'PhospheneError',
    code: 'runtime',
    message: expect.stringMatching(/^device: ONNX Runtime finds no GPU .*`cpu`/),
    details: { option: 'device' },
  });
});
