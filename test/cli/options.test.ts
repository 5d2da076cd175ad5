/** @file Words as values: every way to write an option, and every way to get it wrong. */
import { describe, expect, it } from 'vitest';
import { flagOf, optional, optionsOf, readWords } from '../../src/cli/options.ts';
import { chosenFilters, filters, numbers, size } from '../../src/cli/parse.ts';
import { flag, number, text, whole } from '../../src/settings.ts';

const options = {
  seed: { setting: whole({ help: 'Seed', default: 7, from: -100 }), short: 's' },
  contrast: { setting: number({ help: 'Contrast', default: 0.5, above: 0, to: 1 }) },
  layer: { setting: optional(text({ help: 'Layer' })), short: 'l' },
  kerasSave: { setting: flag({ help: 'Stretch', default: false }), short: 'k' },
  size: { setting: size('Size') },
  filters: { setting: filters('Filters') },
};
const read = (...words: string[]): ReturnType<typeof readWords<typeof options>> => readWords(words, options);

describe('words', () => {
  it('that are not there leave the defaults', () => {
    expect(read()).toEqual({
      given: { seed: 7, contrast: 0.5, layer: undefined, kerasSave: false, size: undefined, filters: undefined },
      positionals: [],
    });
  });

  it.each([
    [['--seed', '3'], { seed: 3 }],
    [['--seed=3'], { seed: 3 }],
    [['-s', '3'], { seed: 3 }],
    [['-s=3'], { seed: 3 }],
    [['--seed', '-1'], { seed: -1 }],
    [['--seed=-1'], { seed: -1 }],
    [['--contrast', '.5'], { contrast: 0.5 }],
    [['--contrast', '1'], { contrast: 1 }],
    [['--layer=--x'], { layer: '--x' }],
    [['--layer', 'a=b'], { layer: 'a=b' }],
    [['--layer=a=b'], { layer: 'a=b' }],
    [['--keras-save'], { kerasSave: true }],
    [['-k', '--keras-save'], { kerasSave: true }],
    [['--seed', '3', '--seed', '3'], { seed: 3 }],
  ] as [string[], object][])('%j are read', (words, values) => {
    expect(read(...words).given).toMatchObject(values);
  });

  it('besides options are kept in order, and all after -- are such words', () => {
    expect(read('a', '--seed', '1', 'b', '--', '--seed', '-k')).toMatchObject({
      given: { seed: 1, kerasSave: false },
      positionals: ['a', 'b', '--seed', '-k'],
    });
    expect(read('-').positionals).toEqual(['-']);
  });

  it.each([
    [['--sed', '1'], 'option `--sed` is not known; did you mean `--seed`?'],
    [['--sed=1'], 'option `--sed` is not known; did you mean `--seed`?'],
    [['--foo'], 'option `--foo` is not known; --help lists all'],
    [['--__proto__'], 'option `--__proto__` is not known; --help lists all'],
    [['--kerasSave'], 'option `--kerasSave` is not known; did you mean `--keras-save`?'],
    [['-x'], 'option `-x` is not known; --help lists all'],
    [['-seed', '1'], 'option `-seed`: write `--seed`'],
    [['-seed=1'], 'option `-seed=1`: write `--seed`'],
    [['-sead'], 'option `-sead` is not known; did you mean `--seed`?'],
    [['-s4'], 'option `-s4`: write `-s 4`'],
    [['-s-4'], 'option `-s-4`: write `-s -4`'],
    [['-sx4'], 'option `-sx4` is not known; --help lists all'],
    [['-k4'], 'option `-k4` is not known; --help lists all'],
    [['-x4'], 'option `-x4` is not known; --help lists all'],
    [['-ks'], 'option `-ks` is not known; --help lists all'],
    [['--s', '1'], 'option `--s`: write `-s`'],
    [['--seed'], 'option `--seed`: it needs a value'],
    [['--seed='], 'option `--seed`: it needs a value'],
    [['--layer', ''], 'option `--layer`: it needs a value'],
    [['-s'], 'option `-s`: it needs a value'],
    [
      ['--layer', '--seed', '1'],
      'option `--layer`: it needs a value, and `--seed` looks like an option; if it is the value, write `--layer=--seed`',
    ],
    [['--keras-save=no'], 'option `--keras-save=no`: it takes no value; write `--keras-save`'],
    [['-k=no'], 'option `-k=no`: it takes no value; write `-k`'],
    [['--seed', '1', '-s', '2'], 'option `-s`: it is given twice, as `1` and as `2`; give it once'],
    [['--seed', 'many'], 'seed: a whole number from -100 is needed, not `many`'],
    [['--seed', '-101'], 'seed: a whole number from -100 is needed, not `-101`'],
    [['--contrast', '99'], 'contrast: a number above 0 to 1 is needed, not `99`'],
    [['--contrast', '0'], 'contrast: a number above 0 to 1 is needed, not `0`'],
    [['--size', '0'], 'size: pixels from 1 to 65536, such as 180 or 180x240 (height x width), is needed, not `0`'],
  ])('%j are refused', (words, message) => {
    expect(() => read(...words)).toThrow(expect.objectContaining({ code: 'bad-option', message }) as Error);
  });

  it('name options with dashes and small letters', () => {
    expect(['seed', 'kerasSave', 'aBC'].map(flagOf)).toEqual(['--seed', '--keras-save', '--a-b-c']);
  });
});

describe('a size', () => {
  it('is one number, or height x width', () => {
    expect(read('--size', '180').given.size).toEqual({ height: 180, width: 180 });
    expect(read('--size', '180x240').given.size).toEqual({ height: 180, width: 240 });
    expect(read('--size', '1×65536').given.size).toEqual({ height: 1, width: 65_536 });
  });
  it.each(['', '0', '-5', '1.5', '180x', 'x180', '180x0', '0x180', '65537', '65537x1', '1x65537', '1x2x3', 'a', ' 1'])(
    'is not `%s`',
    (word) => {
      expect(() => read(`--size=${word}`)).toThrow();
    },
  );
});

describe('a list of filters', () => {
  it.each([
    ['0-3', [0, 1, 2, 3]],
    ['3', [3]],
    ['7,1, 2 ', [7, 1, 2]],
    ['0-2,1,2-3', [0, 1, 2, 3]],
    ['all', [0, 1, 2, 3, 4, 5, 6, 7]],
    ['7', [7]],
  ])('%s', (word, chosen) => {
    expect(chosenFilters(read('--filters', word).given.filters!, 'conv1', 8)).toEqual(chosen);
  });
  it.each(['3-1', 'a', '1,,2', '1;2', '1-', '1.5', '-1', 'ALL'])('is not `%s`', (word) => {
    expect(() => read(`--filters=${word}`)).toThrow(/^filters: a list such as 0-63/);
  });
  it.each([
    ['8', 8],
    ['0-8', 8],
    ['9-12', 9],
    ['0-9007199254740991', 9_007_199_254_740_991],
  ])('refuses `%s` if there are 8', (word, channel) => {
    expect(() => chosenFilters(read('--filters', word).given.filters!, 'conv1', 8)).toThrow(
      expect.objectContaining({
        message: `filters: filter ${channel} is out of range: \`conv1\` has 8 channels (0-7)`,
        details: { option: 'filters', layer: 'conv1', channel, count: 8 },
      }) as Error,
    );
  });
});

describe('a list of numbers', () => {
  const { accept, parse } = numbers('Mean');
  const pair = numbers('Range', 2);
  it('is read', () => {
    expect(accept(parse('0.5, -1,2e3'))).toEqual([0.5, -1, 2000]);
    expect(pair.accept(pair.parse('-1,1'))).toEqual([-1, 1]);
  });
  it('is refused if it has no number, or not as many as it needs', () => {
    for (const wrong of ['', '1,', 'a', '1,b', 'Infinity']) expect(accept(parse(wrong))).toBeUndefined();
    for (const wrong of ['1', '1,2,3']) expect(pair.accept(pair.parse(wrong))).toBeUndefined();
  });
});

describe('settings as options', () => {
  it('say their default and leave it to the preset', () => {
    const made = optionsOf({
      rate: number({ help: 'Rate', default: 10, above: 0 }),
      on: flag({ help: 'On', default: false }),
    });
    expect(made).toMatchObject({ rate: { otherwise: '10', value: 'N' }, on: { otherwise: 'false' } });
    expect(readWords([], made).given).toEqual({ rate: undefined, on: undefined });
    expect(readWords(['--rate', '2', '--on'], made).given).toEqual({ rate: 2, on: true });
    expect(() => readWords(['--rate', '0'], made)).toThrow('rate: a number above 0 is needed, not `0`');
  });
});
