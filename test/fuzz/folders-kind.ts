/** @file Spoiled folders of results as a kind of input: a run ends as it would in an untouched one, or says why not. */
import { deepStrictEqual, match, ok, strictEqual } from 'node:assert/strict';
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PhospheneError } from '../../src/errors.ts';
import { readResults } from '../../src/runs/results.ts';
import { ran, series, sums, temporary, walk } from '../runs/fake.ts';
import { caseOf, ways } from './folders.ts';
import type { Kind } from './kind.ts';

const one = series();
const set = `${one.layerFolder}/${one.folders[0]}`;
const channels = [0, 1, 2, 3];

let finished: Promise<string> | undefined;
/** A finished folder with two sets, made once. */
async function reference(): Promise<string> {
  const folder = temporary();
  await ran(folder, series({ seed: 9 }), channels);
  await ran(folder, one, channels);
  return folder;
}

export const folders: Kind = {
  count: ways + 1000,
  make(seed) {
    const spoiled = caseOf(0, seed);
    return {
      title: spoiled.name,
      async run(folder) {
        const untouched = await (finished ??= reference());
        const [out, outside] = [join(folder, 'out'), join(folder, 'outside')];
        cpSync(untouched, out, { recursive: true });
        mkdirSync(outside);
        writeFileSync(join(outside, 'canary'), 'untouched');
        spoiled.spoil(out, set, outside);
        const before = listing(outside);
        const refusal: unknown = await ran(out, one, channels).then(
          () => undefined,
          (error: unknown) => error,
        );
        deepStrictEqual(listing(outside), before, 'something was written outside the folder');
        // Reading back takes it as it is.
        await readResults(out).catch((error: unknown) => ok(error instanceof PhospheneError, String(error)));
        if (refusal === undefined) {
          const expected = sums(untouched);
          const found = sums(out);
          for (const [file, digest] of Object.entries(expected)) strictEqual(found[file], digest, `${file} differs`);
          return 'ran';
        }
        if (!(refusal instanceof PhospheneError)) throw refusal;
        match(refusal.message, / cannot be .*; move it away/);
        ok(spoiled.mayRefuse, `refused without need: ${refusal.message}`);
        throw refusal;
      },
    };
  },
};

/** Names, sizes and times of all that lies in a folder, and what the canary says. */
function listing(folder: string): unknown {
  const found = walk(folder).map((name) => {
    const { size, mtimeMs, mode } = lstatSync(join(folder, name));
    return [name, size, mtimeMs, mode];
  });
  const canary = join(folder, 'canary');
  // Spoiling may have gone through a link and made it huge.
  const small = existsSync(canary) && lstatSync(canary).size < 1e6;
  return [found, small && readFileSync(canary, 'utf8')];
}
