/** @file Spoiled folders, each way alone and some together; `npm run fuzz` goes on with thousands. */
import { rmSync } from 'node:fs';
import { expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { temporary } from '../runs/fake.ts';
import { folders } from './folders-kind.ts';
import { ways } from './folders.ts';

const made = await Promise.all(Array.from({ length: ways + 120 }, async (_, i) => await folders.make(i)));

it.each(made)('$title', async (spoiled) => {
  const folder = temporary();
  try {
    // A refusal is an answer too; whether it may be one is looked at in there.
    const answer: unknown = await spoiled.run(folder).catch((error: unknown) => error);
    if (answer !== 'ran') expect(answer).toBeInstanceOf(PhospheneError);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
