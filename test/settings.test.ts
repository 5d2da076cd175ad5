/** @file Settings: what each kind takes, in numbers and in texts, and what it says of anything else. */
import { describe, expect, it } from 'vitest';
import { PhospheneError } from '../src/errors.ts';
import { checked, choice, flag, normalised, number, parsed, text, whole } from '../src/settings.ts';
import { thrown } from './thrown.ts';

const count = whole({ help: 'How many', default: 3, from: 1, to: 9 });

describe('a whole number', () => {
  it.each([1, 5, 9])('takes %s', (value) => expect(checked(count, 'count', value)).toBe(value));
  it.each([0, 10, 1.5, Number.NaN, Infinity, '5', null, true])('refuses %s', (value) => {
    const error = thrown(() => checked(count, 'count', value));
    expect(error.code).toBe('bad-option');
    expect(error.details).toMatchObject({ option: 'count' });
    expect(error.message).toMatch(/^count: a whole number from 1 to 9 is needed, not /);
  });
  it('names the value that was found', () => {
    expect(thrown(() => checked(count, 'count', '5')).message).toContain('not `5`');
    expect(thrown(() => checked(count, 'count', { a: 1 })).message).toContain('not {"a":1}');
    expect(thrown(() => checked(count, 'count', 10)).message).toContain('not 10');
  });
  it('begins at 0 and has no end unless told otherwise', () => {
    const plain = whole({ help: '', default: 0 });
    expect(plain.takes).toBe('a whole number from 0');
    expect(checked(plain, 'n', Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => checked(plain, 'n', -1)).toThrow(PhospheneError);
    expect(() => checked(plain, 'n', 2 ** 53)).toThrow(PhospheneError);
  });
  it.each([
    ['7', 7],
    [' 7 ', 7],
    ['1e0', 1],
  ])('reads %j', (given, value) => expect(parsed(count, 'count', given)).toBe(value));
  it.each(['', ' ', '7x', '1.5', '0', 'NaN'])('does not read %j', (given) => {
    expect(thrown(() => parsed(count, 'count', given)).message).toBe(
      `count: a whole number from 1 to 9 is needed, not \`${given}\``,
    );
  });
});

describe('a number', () => {
  const share = number({ help: 'A share', default: 0.5, above: 0, to: 1 });
  it.each([1e-9, 0.5, 1])('takes %s', (value) => expect(checked(share, 'share', value)).toBe(value));
  it.each([0, -1, 1.0001, Infinity, Number.NaN, '0.5', undefined])('refuses %s', (value) =>
    expect(() => checked(share, 'share', value)).toThrow('share: a number above 0 to 1 is needed'),
  );
  it('says its limits', () => {
    expect(number({ help: '', default: 0 }).takes).toBe('a number');
    expect(number({ help: '', default: 0, from: -1 }).takes).toBe('a number from -1');
    expect(checked(number({ help: '', default: 0, from: 0 }), 'x', 0)).toBe(0);
    expect(checked(number({ help: '', default: 0 }), 'x', -1e9)).toBe(-1e9);
    expect(() => checked(number({ help: '', default: 0 }), 'x', Infinity)).toThrow('a number is needed');
  });
});

describe('the other kinds', () => {
  it('takes yes and no', () => {
    const yes = flag({ help: '', default: false });
    expect(checked(yes, 'yes', true)).toBe(true);
    expect(checked(yes, 'yes', false)).toBe(false);
    expect(parsed(yes, 'yes', 'true')).toBe(true);
    expect(parsed(yes, 'yes', 'false')).toBe(false);
    expect(() => parsed(yes, 'yes', 'yes')).toThrow('true or false is needed, not `yes`');
    expect(() => checked(yes, 'yes', 1)).toThrow(PhospheneError);
    expect(yes.alone).toBe(true);
    expect(count.alone).toBeUndefined();
  });
  it('takes words and texts', () => {
    const word = choice({ help: '', default: 'a', of: ['a', 'b'] });
    expect(checked(word, 'word', 'b')).toBe('b');
    expect(() => checked(word, 'word', 'c')).toThrow('word: one of a, b is needed, not `c`');
    expect(parsed(text({ help: '' }), 'name', 'x')).toBe('x');
    expect(() => checked(text({ help: '' }), 'name', '')).toThrow('name: a text is needed, not ``');
    expect(() => checked(text({ help: '' }), 'name', 5)).toThrow('a text is needed, not 5');
  });
});

describe('a schema', () => {
  const schema = { count, share: number({ help: '', default: 0.25 }) };
  it('fills in defaults, also for undefined', () => {
    expect(normalised(schema, { share: 1 }, 'it')).toEqual({ count: 3, share: 1 });
    expect(normalised(schema, { count: undefined }, 'it')).toEqual({ count: 3, share: 0.25 });
  });
  it('checks what is given', () => expect(() => normalised(schema, { count: 99 }, 'it')).toThrow('count: '));
  it('refuses what it does not know, with the nearest name', () => {
    const error = thrown(() => normalised(schema, { cuont: 1 }, 'the thing'));
    expect(error.message).toBe('the thing: there is no setting `cuont`; did you mean `count`?');
    expect(error.details).toMatchObject({ option: 'cuont', known: ['count', 'share'] });
    expect(thrown(() => normalised(schema, { zzzzzzz: 1 }, 'it')).message).toContain('there are count, share');
  });
});
