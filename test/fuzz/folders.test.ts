/** @file Spoiled folders: a run ends as it would in an untouched one, or says why not, and writes nowhere else. */
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { readResults } from '../../src/runs/results.ts';
import { ran, series, sums, temporary } from '../runs/fake.ts';
import { cases, ways } from './folders.ts';

const one = series();
const set = `conv1/${one.folders[0]}`;
const channels = [0, 1, 2, 3];
let reference = '';
let expected: Record<string, string> = {};
beforeAll(async () => {
  reference = temporary();
  await ran(reference, series({ seed: 9 }), channels);
  await ran(reference, one, channels);
  expected = sums(reference);
});
afterAll(() => rmSync(reference, { recursive: true, force: true }));

describe('a spoiled folder', () => {
  it.each([...cases(20261124, ways + 120)])('$name', async ({ spoil, mayRefuse }) => {
    const [out, outside] = [join(temporary(), 'out'), temporary()];
    cpSync(reference, out, { recursive: true });
    writeFileSync(join(outside, 'canary'), 'untouched');
    spoil(out, set, outside);
    const before = sums(outside);
    let refusal: unknown;
    await ran(out, one, channels).catch((error: unknown) => (refusal = error));
    expect(sums(outside)).toEqual(before);
    if (refusal !== undefined) {
      expect(refusal).toBeInstanceOf(PhospheneError);
      expect(refusal).toMatchObject({
        code: 'filesystem',
        message: expect.stringMatching(/ cannot be .*; move it away/),
      });
      expect(mayRefuse).toBe(true);
    } else expect(sums(out)).toMatchObject(expected);
    // Reading back takes it as it is.
    await readResults(out).catch((error: unknown) => expect(error).toBeInstanceOf(PhospheneError));
    rmSync(out, { recursive: true, force: true });
    rmSync(outside, { recursive: true, force: true });
  });
});
