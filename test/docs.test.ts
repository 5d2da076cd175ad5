/** @file The docs point at things that are there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));
const pages = [
  'README.md',
  'CHANGELOG.md',
  'bench/peers/README.md',
  ...readdirSync(join(root, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
];

describe.each(pages)('%s', (page) => {
  const text = readFileSync(join(root, page), 'utf8');

  it('links to files of the repository that exist', () => {
    const links = [...text.matchAll(/\]\(([^)#\s]+)/g)].map(([, target]) => target!);
    const missing = links.filter((l) => !/^[a-z]+:/.test(l) && !existsSync(resolve(root, dirname(page), l)));
    expect(missing).toEqual([]);
  });

  it('names files and folders of the source that exist', () => {
    const named = [...text.matchAll(/`((?:src|test|bench|docs)\/[\w./-]+)`/g)].map(([, path]) => path!);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
