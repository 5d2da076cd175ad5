/** @file Every `@example` of what the package exports is right: it compiles as a user's code, and runs if it needs nothing else. */
import { describe, expect, it } from 'vitest';
import { entries, entryFiles, examplesOf, moduleOf } from './declarations.ts';
import { type Snippet, tried } from './snippets.ts';

const snippets: readonly Snippet[] = [
  ...entryFiles().flatMap(([entry, file]) => examplesOf(moduleOf(file).doc).map((code) => ({ place: entry, code }))),
  ...new Map(
    [...entries().values()].flatMap((found) =>
      [...found.values()].flatMap((d) => {
        // The members of a class or an interface have examples too.
        const inner = [...d.code.matchAll(/^ {4}\/\*\*([^]*?)\*\//gm)].map(([, doc]) => doc!.replace(/^\s*\* ?/gm, ''));
        return [d.doc, ...inner].flatMap((doc) =>
          examplesOf(doc).map(
            (code, i) => [`${d.file}:${d.name}:${doc.length}:${i}`, { place: d.name, code }] as const,
          ),
        );
      }),
    ),
  ).values(),
];
const outcomes = tried('examples', snippets);

describe.each(outcomes.map((outcome) => [outcome.place, outcome] as const))('%s', (_, { complaints, ran, failure }) => {
  it('compiles', () => expect(complaints).toEqual([]));
  it.runIf(ran)('does what it says', () => expect(failure).toBeUndefined());
});

it('runs a good part of them', () => {
  expect(outcomes.filter((o) => o.ran).length).toBeGreaterThan(outcomes.length / 4);
});
