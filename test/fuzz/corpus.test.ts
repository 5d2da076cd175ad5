/** @file The files that the fuzzer damages are sound: what is refused at once shows nothing. */
import { expect, it } from 'vitest';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { targets } from '../../src/render/targets.ts';
import { openBytes } from '../import/open.ts';
import { kindsOfFiles } from './corpus.ts';

it.each(kindsOfFiles().map((file) => [file.name, file] as const))('%s', async (name, { bytes, size }) => {
  const model = await openBytes(bytes, { name });
  const all = targets(model, size).map((layer) => layer.name);
  expect(all).toContain('conv1');
  // One layer of those with several inputs needs the other.
  expect(model.layers(size).barrier === undefined).toBe(name !== 'several inputs');
  const program = await nodeRuntime.compile(await model.cut([all.at(-1)!], size));
  await program.dispose();
});
