/** @file Inputs that misbehave in each way that the fuzzer must notice: its own test. */
import { writeSync } from 'node:fs';
import { PhospheneError } from '../../src/errors.ts';
import type { Kind } from './kind.ts';

const ways: readonly (() => unknown)[] = [
  () => (undefined as unknown as { name: string }).name,
  () => {
    for (;;);
  },
  () => {
    const held: Buffer[] = [];
    for (;;) held.push(Buffer.alloc(2 ** 24, 1));
  },
  () => process.abort(),
  () => writeSync(1, 'what a user should not see'),
  () => {
    throw new PhospheneError('bad-file', '(Cannot read properties of undefined)');
  },
];

/** Not part of a run unless it is asked for by name. */
export const self: Kind = {
  count: 0,
  make: (seed) => ({
    title: `way ${seed} to misbehave`,
    async run() {
      ways[seed % ways.length]!();
      return 'unnoticed';
    },
  }),
};
