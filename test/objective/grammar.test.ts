/** @file The text of objectives: what it means, that it is read back as it was printed, and what is said where it goes wrong. */
import { describe, expect, it } from 'vitest';
import {
  objectiveOf,
  objectives,
  parseObjective,
  type PartialObjective,
  printObjective,
} from '../../src/objective/index.ts';
import { Random } from '../../src/random.ts';
import { thrown } from '../thrown.ts';

const a = { kind: 'channel', layer: 'a', channel: 1 } as const;
const b = { kind: 'channel', layer: 'b', channel: 2 } as const;
const c = { kind: 'channel', layer: 'c', channel: 3 } as const;

describe('a text', () => {
  it.each<[string, PartialObjective]>([
    ['a:1', a],
    ['  a : 1  ', a],
    ['conv4_block6_out:12', { kind: 'channel', layer: 'conv4_block6_out', channel: 12 }],
    ['features.12:3', { kind: 'channel', layer: 'features.12', channel: 3 }],
    ['/features/Conv:3', { kind: 'channel', layer: '/features/Conv', channel: 3 }],
    ['block_1/Relu6:3', { kind: 'channel', layer: 'block_1/Relu6', channel: 3 }],
    ['495:3', { kind: 'channel', layer: '495', channel: 3 }],
    ['couche_é:3', { kind: 'channel', layer: 'couche_é', channel: 3 }],
    ["'block/Relu:0':3", { kind: 'channel', layer: 'block/Relu:0', channel: 3 }],
    ['"it\'s":3', { kind: 'channel', layer: "it's", channel: 3 }],
    ["'it\\'s \\\\':3", { kind: 'channel', layer: "it's \\", channel: 3 }],
    ['a:1[4,5]', { kind: 'neuron', layer: 'a', channel: 1, row: 4, column: 5 }],
    ['neuron(a:1)', { kind: 'neuron', layer: 'a', channel: 1 }],
    ['neuron(a, 1, 4, 5)', { kind: 'neuron', layer: 'a', channel: 1, row: 4, column: 5 }],
    ['neuron(column=5, layer=a:0)', { kind: 'neuron', layer: 'a', channel: 0, column: 5 }],
    ['channel(a:1, border=0)', { ...a, border: 0 }],
    ['layer(495)', { kind: 'layer', layer: '495' }],
    ['layer("a b")', { kind: 'layer', layer: 'a b' }],
    ['logit(predictions:3)', { kind: 'logit', layer: 'predictions', channel: 3 }],
    ['tv()', { kind: 'tv' }],
    ['tv(0.1)', { kind: 'tv', weight: 0.1 }],
    ['tv(weight=.5, layer=a)', { kind: 'tv', weight: 0.5, layer: 'a' }],
    ['l2(2, around=-0.5)', { kind: 'l2', weight: 2, around: -0.5 }],
    [
      'direction(a, [12, 99], [1, -5e-1], power=2)',
      { kind: 'direction', layer: 'a', channels: [12, 99], weights: [1, -0.5], power: 2 },
    ],
    ['direction(a, vector=v)', { kind: 'direction', layer: 'a', vector: 'v' }],
    ["near(a, 'photo 1.jpg', 0.5)", { kind: 'near', layer: 'a', photo: 'photo 1.jpg', weight: 0.5 }],
    ['near(a, photo.jpg)', { kind: 'near', layer: 'a', photo: 'photo.jpg' }],
    [
      'a:1 + b:2 - c:3',
      {
        kind: 'sum',
        terms: [
          { weight: 1, objective: a },
          { weight: 1, objective: b },
          { weight: -1, objective: c },
        ],
      },
    ],
    [
      'a:1-0.5*b:2',
      {
        kind: 'sum',
        terms: [
          { weight: 1, objective: a },
          { weight: -0.5, objective: b },
        ],
      },
    ],
    ['-a:1', { kind: 'sum', terms: [{ weight: -1, objective: a }] }],
    ['2*3*a:1', { kind: 'sum', terms: [{ weight: 6, objective: a }] }],
    ['a:1*2', { kind: 'sum', terms: [{ weight: 2, objective: a }] }],
    ['a:1/4', { kind: 'sum', terms: [{ weight: 0.25, objective: a }] }],
    ['3/4*a:1', { kind: 'sum', terms: [{ weight: 0.75, objective: a }] }],
    ['a:1*-2', { kind: 'sum', terms: [{ weight: -2, objective: a }] }],
    ['(2 + ) a:1'.replace(' + )', ')*'), { kind: 'sum', terms: [{ weight: 2, objective: a }] }],
    ['1*a:1', a],
    ['((a:1))', a],
    ['a:1*b:2', { kind: 'product', factors: [a, b] }],
    ['a:1*b:2/2', { kind: 'sum', terms: [{ weight: 0.5, objective: { kind: 'product', factors: [a, b] } }] }],
    [
      'a:1*(b:2 + c:3)',
      {
        kind: 'product',
        factors: [
          a,
          {
            kind: 'sum',
            terms: [
              { weight: 1, objective: b },
              { weight: 1, objective: c },
            ],
          },
        ],
      },
    ],
    [
      'a:1 + 2*(b:2 - c:3)',
      {
        kind: 'sum',
        terms: [
          { weight: 1, objective: a },
          {
            weight: 2,
            objective: {
              kind: 'sum',
              terms: [
                { weight: 1, objective: b },
                { weight: -1, objective: c },
              ],
            },
          },
        ],
      },
    ],
    ['a:1*-b:2', { kind: 'product', factors: [a, { kind: 'sum', terms: [{ weight: -1, objective: b }] }] }],
    ['interpolate(a:1, to=b:2)', { kind: 'interpolate', from: a, to: b }],
    ['picture(2, a:1)', { kind: 'picture', picture: 2, objective: a }],
  ])('%s', (text, spec) => {
    const found = parseObjective(text);
    expect(found).toEqual(spec);
    expect(parseObjective(printObjective(found))).toEqual(spec);
  });
  it('is what the issue of the project asks for', () => {
    expect(printObjective(parseObjective('conv4_block6_out:12 - 0.5*conv4_block6_out:99 + tv(0.1)'))).toBe(
      'conv4_block6_out:12 - 0.5*conv4_block6_out:99 + tv(0.1)',
    );
  });
});

describe('the printed text', () => {
  it.each<[PartialObjective, string]>([
    [{ kind: 'channel', layer: 'a', channel: 1, border: 2 }, 'a:1'],
    [{ kind: 'channel', layer: 'a' }, 'a:0'],
    [{ kind: 'channel', layer: 'a', channel: 1, border: 0 }, 'channel(a:1, border=0)'],
    [{ kind: 'neuron', layer: 'a', channel: 1, row: 0, column: 0 }, 'a:1[0,0]'],
    [{ kind: 'neuron', layer: 'a', channel: 1 }, 'neuron(a:1)'],
    [{ kind: 'neuron', layer: 'a', channel: 1, column: 3 }, 'neuron(a:1, column=3)'],
    [{ kind: 'channel', layer: 'a-b', channel: 0 }, "'a-b':0"],
    [{ kind: 'channel', layer: '12', channel: 0 }, '12:0'],
    [{ kind: 'layer', layer: '12' }, "layer('12')"],
    [{ kind: 'tv', weight: 1 }, 'tv()'],
    [{ kind: 'tv', weight: 2, layer: 'a' }, 'tv(2, layer=a)'],
    [{ kind: 'tv', layer: 'a' }, 'tv(layer=a)'],
    [{ kind: 'near', layer: 'a', photo: 'b.png', weight: 3 }, 'near(a, b.png, 3)'],
    [{ kind: 'direction', layer: 'a', channels: [1, 2], power: 2 }, 'direction(a, channels=[1, 2], power=2)'],
  ])('of %j is %s', (spec, text) => expect(printObjective(spec)).toBe(text));
});

/** A spec in the form that texts give: drawn, to a depth. */
function drawn(random: Random, depth: number): PartialObjective {
  const pick = <T>(of: readonly T[]): T => of[random.integer(of.length)]!;
  const number = (): number => pick([0.1, 2, 3e-7, 1e21, 12.5, 7]);
  const layer = (): string =>
    pick(['a', 'features.12', '/x/Conv', '495', 'a b', "q'uo\\te", 'tv', 'x:0', 'é-1', '1e5', '-']);
  const inner = (): PartialObjective => drawn(random, depth - 1);
  if (depth === 0 || random.integer(3) === 0) {
    const kind = pick(Object.keys(objectives.kinds));
    const settings = Object.entries(objectives.kinds[kind]!.settings);
    const said = settings.flatMap(([name, setting]): [string, unknown][] => {
      const must = setting.default === '' || ['channel', 'channels'].includes(name);
      if (name === 'vector' || (!must && random.integer(2) === 0)) return [];
      const candidates = [layer(), [1, 2], number(), random.integer(50) + 3];
      const fits = candidates.find((value) => setting.accept(value as never) !== undefined);
      return name === 'weights' ? [[name, [0.5, -1e-7]]] : [[name, fits]];
    });
    // What is there by default is left out of a text.
    const own = said.filter(([name, value]) => {
      const { default: otherwise } = objectives.kinds[kind]!.settings[name as never] as { default: unknown };
      return name === 'channel' || JSON.stringify(value) !== JSON.stringify(otherwise);
    });
    return { kind, ...Object.fromEntries(own) } as PartialObjective;
  }
  switch (random.integer(4)) {
    case 0: {
      const many = random.integer(3) + 1;
      const weight = (): number => pick([1, -1, number(), -number()]);
      const terms = Array.from({ length: many }, () => ({ weight: weight(), objective: inner() }));
      return many === 1 && terms[0]!.weight === 1 ? terms[0]!.objective : { kind: 'sum', terms };
    }
    case 1:
      return { kind: 'product', factors: [inner(), inner(), ...(random.integer(2) ? [inner()] : [])] };
    case 2:
      return { kind: 'interpolate', from: inner(), to: inner() };
    default:
      return { kind: 'picture', picture: random.integer(9), objective: inner() };
  }
}

it('reads back every spec as it was printed', () => {
  for (let i = 0; i < 600; i++) {
    const spec = drawn(new Random(`spec/${i}`), i % 5);
    const text = printObjective(spec);
    expect(parseObjective(text), text).toEqual(spec);
  }
});

it('gives an objective the text that it was made of', () => {
  const text = "a:1 - 2*(b:3[0,1] + 'c d':2*e:1)";
  expect(objectiveOf(parseObjective(text)).text).toBe(text);
  // With all settings stated, what is there by default is left out again.
  expect(objectives.make(objectives.complete({ kind: 'tv', weight: 0.5 })).text).toBe('tv(0.5)');
});

describe('a text that goes wrong', () => {
  it.each([
    ['', 'at the end: a channel is needed, such as `mixed4a:12`, a function, such as `tv(0.1)`, or a number'],
    ['a:1 -', 'at the end: a channel is needed'],
    ['a:1 + + b:1', 'at `+ b:1` (character 7): a channel is needed'],
    ['a:', 'at the end: the number of a channel is needed, a whole number from 0'],
    ['a:1.5', 'at `1.5` (character 3): the number of a channel is needed'],
    ['a:-1', 'at `-1` (character 3): the number of a channel is needed'],
    ['a:1 b:2', 'at `b:2` (character 5): an operator is needed here, or nothing'],
    ['a:0-63', 'at `63` (character 5): a number alone raises nothing'],
    ['a', 'a layer alone is no objective; write `a:0` for a channel of it, or `layer(a)` for all of it'],
    ["'a b'", "write `'a b':0` for a channel of it, or `layer('a b')`"],
    ["''", 'a layer alone is no objective'],
    ["'':1", 'the name of the layer is empty'],
    ['tv', '`tv` needs its arguments in brackets: `tv(weight, layer)`'],
    ['picture', '`picture` needs its arguments in brackets: `picture(picture, objective)`'],
    ["'a:1", "at `'a:1` (character 1): the quote ' is not closed"],
    ['tv(0.1', 'at the end: a `,` or a `)` is needed'],
    ['(a:1', 'at the end: a `)` is needed, or an operator'],
    ['a:1[1', 'at the end: a `,` is needed, and the column of the position'],
    ['a:1[1,2', 'at the end: a `]` is needed'],
    ['a:1[x', 'the row of a position is needed'],
    ['a:1[1,', 'the column of a position is needed'],
    ['neuron(a:1[1,2])', 'at `a:1[1,2])` (character 8): a position is written `row=3, column=4` here'],
    ['tvv(1)', 'at `tvv(1)` (character 1): there is no function `tvv`; did you mean `tv`?'],
    ['xyzzy(1)', 'there is no function `xyzzy`; there are channel, neuron, '],
    ['tv(wieght=1)', 'at `wieght=1)` (character 4): `tv` has no `wieght`; did you mean `weight`?'],
    ['tv(zzzzz=1)', '`tv` has no `zzzzz`; it has weight, layer'],
    ['tv(weight=1, weight=2)', 'at `weight=2)` (character 14): `weight` of `tv` is given twice'],
    ['tv(weight=1, 2)', 'after an argument with a name, all others need theirs'],
    ['tv(1, a, 3)', 'at `3)` (character 10): too many arguments; it is `tv(weight, layer)`'],
    ['tv(x)', 'at `x)` (character 4): a number from 0 to 1000000000 is needed'],
    ['tv(-1)', 'at `-1)` (character 4): a number from 0 to 1000000000 is needed'],
    ['tv(,)', 'at `,)` (character 4): `weight` is needed: a number from 0 to 1000000000'],
    ['layer()', 'at `layer()` (character 1): layer: layer: a text is needed, not ``; it is `layer(layer)`'],
    ['layer(+)', '`layer` is needed: a text'],
    ['layer(a:1)', '`layer` of `layer` is not one channel of a layer; it is `layer(layer)`'],
    ['near(a, b:1)', '`photo` of `near` is not one channel of a layer'],
    ['direction(a, [1 2])', 'at `2])` (character 17): a `,` or a `]` is needed'],
    ['direction(a, [x])', 'at `x])` (character 15): a number is needed'],
    ['2', 'at `2` (character 1): an objective is needed, and this is a number'],
    ['a:1 + 2', 'at `2` (character 7): a number alone raises nothing'],
    ['a:1/b:2', 'at `b:2` (character 5): an objective is divided by numbers only'],
    ['a:1/0', 'at `0` (character 5): division by zero'],
    ['1e300*1e300*a:1', 'the weight is too large for a number'],
    ['interpolate(a:1)', 'at `interpolate(` (character 1): `to` is missing; it is `interpolate(from, to)`'],
    ['interpolate(1, a:1)', 'an objective is needed, and this is a number'],
    ['picture(a:1)', 'the number of a picture is needed, a whole number from 0'],
    ['('.repeat(200), 'more than 100 brackets in each other'],
    ['-'.repeat(200) + 'a:1', 'more than 100 signs after each other'],
  ])('%s', (text, why) => {
    const error = thrown(() => parseObjective(text));
    expect(error.code).toBe('bad-option');
    expect(error.message).toContain(why);
    expect(error.message).toMatch(/^objective `/);
    expect(error.details).toMatchObject({ option: 'objective', text });
  });
  it('is not shown in full if it is long', () => {
    expect(thrown(() => parseObjective(`a:1 + ${' '.repeat(100)}`)).message).toMatch(/^objective `.{60}…`/);
    expect(thrown(() => parseObjective(' '.repeat(70_000))).message).toContain('a text has at most 65536 characters');
  });
  it('never ends in anything but a reason', () => {
    const random = new Random('noise');
    const parts = [
      'a:1',
      'tv(',
      ')',
      '(',
      '+',
      '-',
      '*',
      '/',
      ',',
      '[',
      ']',
      "'",
      '2',
      'x',
      '=',
      ':',
      'picture(',
      '\\',
      ' ',
      '.',
    ];
    for (let i = 0; i < 1000; i++) {
      const text = Array.from({ length: random.integer(12) }, () => parts[random.integer(parts.length)]).join('');
      try {
        const found = parseObjective(text);
        expect(parseObjective(printObjective(found)), text).toEqual(found);
      } catch (error) {
        expect(error, text).toMatchObject({ name: 'PhospheneError', code: 'bad-option' });
      }
    }
  });
});
