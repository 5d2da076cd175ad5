/** @file The page docs/api.md: every export of the package with its declaration, docstring and examples, grouped by file. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Declaration, entries, entryFiles, examplesOf, moduleOf } from './declarations.ts';

const dist = fileURLToPath(new URL('../../dist', import.meta.url));

const HEAD = `# The API

<!-- Written by \`npm run docs\` from the docstrings in src; do not edit. -->

What each entry of the package exports, with its types. Errors are \`PhospheneError\`; the codes that a function throws stand in its text.
A complete program is in the [README](../README.md), and [Adding things](adding.md) shows how to extend it.
`;

/** The whole page. */
export function page(): string {
  const seen = new Set<string>();
  const parts: string[] = [HEAD];
  const files = new Map(entryFiles());
  for (const [entry, declarations] of entries()) {
    parts.push(`## ${entry}\n`, `${introduction(files.get(entry)!)}\n`);
    let file = '';
    for (const d of grouped([...declarations.values()])) {
      // The entries for Node and for browsers are the first one and more.
      if (seen.has(key(d))) continue;
      seen.add(key(d));
      if (d.file !== file) {
        file = d.file;
        if (file !== files.get(entry)) parts.push(heading(file));
      }
      parts.push(section(d));
    }
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

function key(d: Declaration): string {
  return `${d.file}:${d.name}`;
}

/** Declarations of one file together, files in the order in which they come. */
function grouped(declarations: readonly Declaration[]): readonly Declaration[] {
  const files = [...new Set(declarations.map((d) => d.file))];
  return files.flatMap((file) => declarations.filter((d) => d.file === file));
}

function introduction(file: string): string {
  return prose(moduleOf(file).doc);
}

/** The heading of a file's exports: its path in src and what it is. */
function heading(file: string): string {
  const path = relative(dist, file)
    .replaceAll('\\', '/')
    .replace(/\.d\.ts$/, '');
  return `### ${path}\n\n${prose(moduleOf(file).doc)}\n`;
}

function section(d: Declaration): string {
  const code = d.code
    .replace(/^export (?:declare )?/gm, '')
    .replace(/^\s*#private;\n/gm, '')
    .trim();
  return `#### ${d.name}\n\n${prose(d.doc)}\n\n\`\`\`ts\n${code}\n\`\`\`\n`;
}

/** A docstring as Markdown, its examples as blocks. */
function prose(doc: string): string {
  const [text] = doc.replace(/^@file /, '').split(/^@/m);
  const linked = text!.trim().replace(/\{@link ([^}]+)\}/g, '`$1`');
  return [linked, ...examplesOf(doc).map((example) => `\`\`\`ts\n${example}\n\`\`\``)].join('\n\n');
}
