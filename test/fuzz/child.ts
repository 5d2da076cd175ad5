/** @file The child: makes a case from its seed, puts it through, and says what came of it. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PhospheneError } from '../../src/errors.ts';
import { kinds } from './kinds.ts';
import type { Answer } from './pool.ts';

const folder = join(process.argv[2]!, 'case');

/** Words that no user can act on: an error with them passed on what an engine or a programmer's check said. */
const UNCLEAR = /internal:|\[object |Cannot read prop|is not a function|is not iterable/;

async function answer(kind: string, seed: number): Promise<Answer> {
  const made = await kinds[kind]!.make(seed);
  mkdirSync(folder, { recursive: true });
  try {
    return { type: 'fine', outcome: await made.run(folder) };
  } catch (error) {
    const { message, stack } = error instanceof Error ? error : { message: String(error), stack: undefined };
    const where = stack === undefined ? {} : { stack };
    if (!(error instanceof PhospheneError)) {
      const name = error instanceof Error ? error.name : typeof error;
      return { type: 'finding', sort: 'bare error', message: `${name}: ${message.slice(0, 1000)}`, ...where };
    }
    if (message.trim() === '' || UNCLEAR.test(message))
      return { type: 'finding', sort: 'unclear error', message: `${error.code}: ${message.slice(0, 1000)}`, ...where };
    return { type: 'fine', outcome: error.code, message: message.slice(0, 300) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.on('message', ({ kind, seed }: { kind: string; seed: number }) => {
  void answer(kind, seed).then((said) => process.send!(said));
});
process.on('disconnect', () => process.exit());
process.send!('ready');
