/** @file The public face: what is exported is whole, documented, and as docs/api.md says. Reads `dist`, so build first. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Declaration, entries, mentioned } from './declarations.ts';
import { page } from './page.ts';

const all: readonly (readonly [entry: string, declaration: Declaration])[] = [...entries()].flatMap(([entry, found]) =>
  [...found.values()].map((d) => [entry, d] as const),
);

describe('what the package exports', () => {
  it('has entries for any platform, for two platforms, and for the two lower layers', () => {
    expect([...entries().keys()]).toEqual([
      'phosphene',
      'phosphene/node',
      'phosphene/web',
      'phosphene/ir',
      'phosphene/grad',
    ]);
  });

  it('exports every type that an export mentions', () => {
    const exported = new Set(all.map(([, d]) => `${d.file}:${d.name}`));
    const missing = all.flatMap(([entry, d]) =>
      mentioned(d)
        // The table of a noun is a constant that types are derived from; its users have the types.
        .filter((m) => m.kind !== 'const' && !exported.has(`${m.file}:${m.name}`))
        .map((m) => `${m.name}, which ${d.name} of ${entry} mentions`),
    );
    expect([...new Set(missing)]).toEqual([]);
  });

  it('says of everything what it is', () => {
    expect([...new Set(all.filter(([, d]) => d.doc === '').map(([, d]) => d.name))]).toEqual([]);
  });

  it('gives every class and every function an example', () => {
    const needing = all.filter(([, d]) => d.kind === 'class' || d.kind === 'function');
    expect([...new Set(needing.filter(([, d]) => !d.doc.includes('@example')).map(([, d]) => d.name))]).toEqual([]);
  });
});

it('is what docs/api.md says (`npm run docs` writes it)', async () => {
  await expect(page()).toMatchFileSnapshot(fileURLToPath(new URL('../../docs/api.md', import.meta.url)));
});
