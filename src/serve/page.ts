/** @file The files of the page: a table made at the start, so that no request can name a file. */
import { readFile, readdir } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PhospheneError } from '../errors.ts';

/** Where the built page is, beside the built code. */
export const pageFolder: string = fileURLToPath(new URL('../explorer/', import.meta.url));

/** A file of the page. */
export interface PageFile {
  readonly type: string;
  readonly bytes: () => Promise<Uint8Array>;
  /** Its name changes with its contents. */
  readonly lasting: boolean;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
};

/** Where the pictures of a page come from: computed in the page, asked of a server, or files beside it. */
export type PageKind = 'page' | 'server' | 'tiles';

/** The start page, told where its pictures come from. */
export function startPage(html: string, kind: PageKind): string {
  return html.replace('name="phosphene" content="page"', `name="phosphene" content="${kind}"`);
}

/**
 * The files of the built page by their path, `''` being the page itself, which asks a server. Throws `filesystem` if it was not built.
 *
 * @example
 * const files = await pageFiles();
 * files.get('icon.svg')!.type; // 'image/svg+xml'
 */
export async function pageFiles(folder: string = pageFolder): Promise<ReadonlyMap<string, PageFile>> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    throw new PhospheneError(
      'filesystem',
      `${folder}: the page of the explorer is not there; in a checkout, \`npm run build\` makes it`,
      { path: folder },
      error,
    );
  });
  const files = new Map<string, PageFile>();
  for (const entry of found) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const name = relative(folder, path).split(sep).join('/');
    const type = types[extname(name)] ?? 'application/octet-stream';
    files.set(name, { type, bytes: () => readFile(path), lasting: name.startsWith('assets/') });
  }
  const start = files.get('index.html');
  files.delete('index.html');
  if (start) {
    const html = startPage(new TextDecoder().decode(await start.bytes()), 'server');
    files.set('', { ...start, bytes: async () => new TextEncoder().encode(html) });
  }
  return files;
}
