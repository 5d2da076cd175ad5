/** @file What README and the pages say of the command and the library is true today. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { said } from '../cli/fake.ts';
import { commands } from '../../src/cli/program.ts';
import { type Outcome, type Snippet, tried } from './snippets.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs')).flatMap((f) => (f.endsWith('.md') ? [`docs/${f}`] : [])),
];
const textOf = (page: string): string => readFileSync(join(root, page), 'utf8');

const help = new Map<string, string>();
beforeAll(async () => {
  for (const name of Object.keys(commands)) help.set(name, (await said([name, '--help'])).stdout);
});

/** The options in a command's help: each with its text on one line. */
function optionsOf(name: string): ReadonlyMap<string, string> {
  const entries = help
    .get(name)!
    .split(/\n(?= {2}--)/)
    .slice(1);
  return new Map(entries.map((entry) => [/--[\w-]+/.exec(entry)![0], entry.split('\n\n')[0]!.replace(/\s+/g, ' ')]));
}

describe('the table of options in README.md', () => {
  const rows = [...textOf('README.md').matchAll(/^\| `(--[\w-]+)[^`]*` \| (.*) \| (.*) \|$/gm)].map(
    ([, option, , otherwise]) => [option!, otherwise!.replaceAll('`', '')] as const,
  );

  it('has the settings of a picture, and says so of no other option', () => {
    expect(rows.length).toBeGreaterThan(10);
    const wanted = [...optionsOf('render').keys()];
    expect(rows.map(([option]) => option).filter((option) => !wanted.includes(option))).toEqual([]);
  });

  it.each(rows)('says the default of %s', (option, otherwise) => {
    const text = optionsOf('render').get(option)!;
    const [, found] = /default: (.*)$/.exec(text) ?? [];
    const inWords = { false: 'off', 'what the model or its file says, else tf': 'what the model says, else tf' };
    expect(inWords[found as keyof typeof inWords] ?? found).toBe(otherwise);
  });
});

// Those pages are about commands of this repository.
it.each(pages.filter((page) => !['docs/testing.md', 'docs/quality.md'].includes(page)))(
  '%s names options of the command that exist',
  (page) => {
    const known = new Set([
      ...Object.keys(commands).flatMap((name) => [...optionsOf(name).keys()]),
      '--help',
      '--version',
    ]);
    // Lines of other programs have options of their own.
    const lines = textOf(page)
      .split('\n')
      .filter((line) => !/npm|node |bench|peers|--python|tsc|requirements/.test(line));
    const named = lines.flatMap((line) => [...line.matchAll(/(?<![\w-])--[a-z][\w-]*/g)].map(([option]) => option));
    expect([...new Set(named)].filter((option) => !known.has(option))).toEqual([]);
  },
);

describe('TypeScript on the pages', () => {
  const snippets: readonly Snippet[] = pages
    // Those have tests of their own.
    .filter((page) => page !== 'docs/api.md' && page !== 'docs/adding.md')
    .flatMap((page) =>
      [...textOf(page).matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => ({ place: page, code: code! })),
    );
  let outcomes: readonly Outcome[] = [];
  beforeAll(() => {
    outcomes = tried('pages', snippets);
  }, 120_000);
  it('is there', () => expect(snippets.length).toBeGreaterThan(0));
  it('compiles', () => expect(outcomes.flatMap((o) => o.complaints)).toEqual([]));
  it('does what it says', () => expect(outcomes.flatMap((o) => o.failure ?? [])).toEqual([]));
});

describe('words', () => {
  const riddles = [
    /\bwould do\b/,
    /, say\b[,).;]/,
    /\bsay, /,
    /\bwhere (?:there (?:is|are)|no(?:ne)?\b|nothing\b|needed)/,
  ];
  it.each([...pages.filter((page) => page !== 'docs/api.md'), 'CHANGELOG.md'])('%s speaks plainly', (page) => {
    expect(riddles.flatMap((r) => r.exec(textOf(page))?.[0] ?? [])).toEqual([]);
  });
  it('and so do comments and messages of the source', () => {
    const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((f) =>
      f.endsWith('.ts'),
    );
    const found = files.flatMap(
      (f) => /^.*(?:would do|\bsay\)|, say,|(?<!not) say, ).*$/m.exec(textOf(join('src', f)))?.[0] ?? [],
    );
    expect(found).toEqual([]);
  });
  it.each(Object.keys(commands))('the help of %s speaks plainly', (name) => {
    expect(riddles.flatMap((r) => r.exec(help.get(name)!)?.[0] ?? [])).toEqual([]);
  });
});
