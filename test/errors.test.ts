/** @file Errors as they cross threads. */
import { describe, expect, it } from 'vitest';
import { PhospheneError } from '../src/errors.ts';

const crossed = (error: PhospheneError): PhospheneError => PhospheneError.fromJSON(structuredClone(error.toJSON()));

describe('a PhospheneError that crosses threads', () => {
  it('keeps code, message and details', () => {
    const error = crossed(new PhospheneError('too-large', 'too large', { bytes: 7, names: ['a'] }));
    expect(error).toBeInstanceOf(PhospheneError);
    expect(error).toMatchObject({ code: 'too-large', message: 'too large', details: { bytes: 7, names: ['a'] } });
    expect('cause' in error).toBe(false);
  });

  it('keeps its causes as text, with their stacks', () => {
    const inner = new RangeError('inner');
    const error = crossed(new PhospheneError('runtime', 'outer', {}, new Error('middle', { cause: inner })));
    expect(error.cause).toMatch(/^Error: middle\n {4}at .*errors\.test[\s\S]*\ncaused by: RangeError: inner\n {4}at /);
    const bare = new Error('no stack');
    delete bare.stack;
    expect(crossed(new PhospheneError('runtime', 'outer', {}, bare)).cause).toBe('Error: no stack');
    expect(crossed(new PhospheneError('aborted', 'aborted', {}, 'enough')).cause).toBe('enough');
    expect(crossed(crossed(new PhospheneError('aborted', 'aborted', {}, 'enough'))).cause).toBe('enough');
  });

  it('is JSON, whatever its details are', () => {
    const details = { big: 2n ** 40n, run: () => 1, size: { height: 3 } };
    const error = new PhospheneError('shape', 'wrong', details, 'why');
    const expected = {
      code: 'shape',
      message: 'wrong',
      details: { big: '1099511627776', size: { height: 3 } },
      cause: 'why',
    };
    expect(error.toJSON()).toEqual(expected);
    expect(JSON.parse(JSON.stringify(error))).toEqual(expected);
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    expect(new PhospheneError('shape', 'wrong', loop).toJSON()).toEqual({
      code: 'shape',
      message: 'wrong',
      details: {},
    });
  });
});
