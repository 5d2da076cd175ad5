/** @file What the system says, in words. */
import { describe, expect, it } from 'vitest';
import { PhospheneError } from '../src/errors.ts';
import { explained, systemCode } from '../src/filesystem.ts';

const failing = (code: string): Error => Object.assign(new Error(`${code}: simulated`), { code });
const message = (error: unknown, instead?: string): string => explained(error, 'a', 'cannot be read', instead).message;

describe('explained', () => {
  it('passes PhospheneErrors through and keeps words that it does not know', () => {
    const own = new PhospheneError('aborted', 'stopped');
    expect(explained(own, 'a', 'cannot be read')).toBe(own);
    expect(message(failing('EWEIRD'))).toBe('a cannot be read: EWEIRD');
    expect(message(new Error('so it goes'))).toBe('a cannot be read: so it goes');
    expect(message('thrown text')).toBe('a cannot be read: thrown text');
  });

  it('names another place only where that would help', () => {
    expect(message(failing('EROFS'))).toBe(
      'a cannot be read: the file system is read-only (EROFS); choose another folder',
    );
    expect(message(failing('EROFS'), 'use b')).toBe('a cannot be read: the file system is read-only (EROFS); use b');
    expect(message(failing('EMFILE'), 'use b')).toMatch(/too many files are open \(EMFILE\); raise the limit/);
    expect(message(failing('EWEIRD'), 'use b')).toBe('a cannot be read: EWEIRD; use b');
  });

  it('finds the reason behind the error', () => {
    const cause = failing('ENOSPC');
    const outer = new TypeError('terminated', { cause });
    expect(explained(outer, 'a', 'cannot be written')).toMatchObject({
      code: 'filesystem',
      details: { path: 'a', systemCode: 'ENOSPC' },
      cause: outer,
    });
    expect(systemCode(new AggregateError([failing('ECONNREFUSED'), failing('ETIMEDOUT')]))).toBe('ECONNREFUSED');
    expect(systemCode(new Error('none'))).toBeUndefined();
  });
});
