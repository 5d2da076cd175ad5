/** @file A short run of the fuzzer, and that the fuzzer itself would notice: `npm run fuzz` is the long one. */
import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { kinds } from './kinds.ts';

function fuzz(...args: readonly string[]): { readonly code: number | null; readonly output: string } {
  // The same files everywhere: those beside the checkout are for long runs.
  const env = { ...process.env, PHOSPHENE_SHARED: '/nonexistent' };
  const { status, stdout, stderr } = spawnSync(process.execPath, ['test/fuzz/run.js', '--workers', '2', ...args], {
    env,
    encoding: 'utf8',
  });
  return { code: status, output: stdout + stderr };
}

it('150 hostile ONNX files, weight files and TensorFlow.js models each end in a step or in a clear error', () => {
  const kinds = ['--kind', 'onnx', '--kind', 'hdf5', '--kind', 'tfjs'];
  const { code, output } = fuzz(...kinds, '--count', '150', '--from', '100000');
  expect(output).toContain('450 cases, 0 findings');
  expect(code).toBe(0);
  // That all are refused at the door shows nothing.
  expect(Number(/onnx ran: (\d+)/.exec(output)?.[1])).toBeGreaterThan(15);
  expect(Number(/tfjs ran: (\d+)/.exec(output)?.[1])).toBeGreaterThan(8);
  expect(Number(/hdf5 .*network: ran: (\d+)/.exec(output)?.[1])).toBeGreaterThan(5);
}, 120_000);

it('notices inputs that misbehave, each in its way', () => {
  const { code, output } = fuzz('--kind', 'self', '--count', '6', '--seconds', '4', '--megabytes', '300');
  for (const finding of [
    'bare error · TypeError: Cannot read properties',
    'timeout · more than',
    'memory · more than',
    'crash · ended with SIGABRT',
    'noise · what a user should not see',
    'unclear error · bad-file: (Cannot read properties',
  ])
    expect(output).toContain(`FOUND self · ${finding}`);
  expect(output).toContain('6 cases, 6 findings');
  expect(code).toBe(1);
}, 60_000);

it('makes the same input of the same seed, and another of another', async () => {
  for (const kind of ['onnx', 'hdf5', 'tfjs']) {
    const bytes = async (seed: number): Promise<Uint8Array> => (await kinds[kind]!.make(seed)).file!.bytes;
    expect(await bytes(8)).toEqual(await bytes(8));
    expect(await bytes(8)).not.toEqual(await bytes(9));
  }
});
