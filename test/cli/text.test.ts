/** @file Text for terminals. */
import { describe, expect, it } from 'vitest';
import { counted, duration, megabytes, printable, shortened, table, wrapped } from '../../src/cli/text.ts';

describe('text', () => {
  it('spells out what a terminal obeys or what changes the order of letters', () => {
    expect(printable('a\u001b[31m\n\u202eb\u2066\u200f\u2028\u0085\u007f')).toBe(
      'a\\u001b[31m\\u000a\\u202eb\\u2066\\u200f\\u2028\\u0085\\u007f',
    );
    expect(printable('\ud800')).toBe('\\ud800');
    expect(printable('\u{e0001}')).toBe('\\u{e0001}');
    expect(printable('größe 層/conv_1 🙂')).toBe('größe 層/conv_1 🙂');
  });

  it('is shortened in the middle', () => {
    expect(shortened('abcdefgh', 8)).toBe('abcdefgh');
    expect(shortened('abcdefgh', 7)).toBe('abc…fgh');
    expect(shortened('abcdefgh', 6)).toBe('abc…gh');
    expect(shortened('abcdefgh', 1)).toBe('…');
    expect(shortened('🙂🙂🙂🙂', 3)).toBe('🙂…🙂');
  });

  it('is a table with columns as wide as their widest cell', () => {
    expect(
      table(
        [
          ['name', 'count'],
          ['🙂', '7'],
          ['longer', '12'],
        ],
        [1],
      ),
    ).toBe('name    count\n🙂           7\nlonger     12\n');
    expect(
      table([
        ['a', 'bc', ''],
        ['abc', 'd', ''],
      ]),
    ).toBe('a    bc\nabc  d\n');
  });

  it('is wrapped between words', () => {
    expect(wrapped('one two three', 7)).toEqual(['one two', 'three']);
    expect(wrapped('one two three', 6)).toEqual(['one', 'two', 'three']);
    expect(wrapped('one-and-two x', 4)).toEqual(['one-and-two', 'x']);
  });

  it('counts, and says times and sizes', () => {
    expect([0, 1, 2].map((n) => counted(n, 'filter'))).toEqual(['0 filters', '1 filter', '2 filters']);
    expect([0, 499, 59_499, 59_500, 65_000, 3_599_000, 3_600_000, 7_380_000, -5].map(duration)).toEqual([
      '0 s',
      '0 s',
      '59 s',
      '1 min 0 s',
      '1 min 5 s',
      '59 min 59 s',
      '1 h 0 min',
      '2 h 3 min',
      '0 s',
    ]);
    expect(megabytes(94_668_760)).toBe('94.7 MB');
  });
});
