/** @file A site: the explorer's page as files, with what it says of its pictures beside them. */
import { copyFile, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { explained } from '../filesystem.ts';
import type { Tiles } from '../live/protocol.ts';
import { writeWhole } from '../runs/files.ts';
import { folderName } from '../runs/names.ts';
import { pageFolder, startPage } from '../serve/page.ts';

/** Where things are in a site. */
export const places = {
  /** The pictures of a model: a folder of results (docs/results.md). */
  tiles: (model: string): string => `tiles/${folderName(model)}`,
  /** The file of a model. */
  model: (model: string): string => `models/${folderName(model)}`,
} as const;

/**
 * What the page may do, on any host: its own scripts and workers, and nothing of anyone else. Written into the page, since a host of
 * files may say nothing of the kind.
 */
const policy =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob: file:; connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'";

/** The bytes that a site of so many pictures has, about: a PNG of noise is as large as its pixels. */
export async function sizeOf(pictures: number, side: number, models: readonly string[]): Promise<number> {
  const page = await Promise.all(
    (await readdir(pageFolder, { recursive: true })).map(async (name) => (await stat(join(pageFolder, name))).size),
  );
  const files = await Promise.all(models.map(async (path) => (await stat(path)).size));
  const sum = (all: readonly number[]): number => all.reduce((a, b) => a + b, 0);
  return sum(page) + sum(files) + pictures * (3 * side * side * PACKED + 2000);
}
/** What compression leaves of the bytes of a picture; measured on those of the built-in model. */
const PACKED = 0.75;

/**
 * Writes the page into a folder, with `tiles.js`, which says what pictures there are. What was there of an earlier site is replaced.
 * Throws `filesystem`.
 *
 * @example
 * await writePage('site', { catalogue, models: [{ facts, layers: { conv1: { folder: 'tiles/net/conv1/keras', channels: [0, 1] } } }] });
 */
export async function writePage(out: string, tiles: Tiles): Promise<void> {
  try {
    await mkdir(join(out, 'assets'), { recursive: true });
    for (const entry of await readdir(pageFolder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || entry.name === 'index.html') continue;
      const from = join(entry.parentPath, entry.name);
      await copyFile(from, join(out, from.slice(pageFolder.length)));
    }
    // Markup in the names of a model is text in a script too: no text can end it.
    const json = JSON.stringify(tiles).replaceAll('<', String.raw`\u003c`);
    await writeWhole(join(out, 'tiles.js'), `globalThis.phospheneTiles = ${json};\n`);
    const html = startPage(await readFile(join(pageFolder, 'index.html'), 'utf8'), 'tiles');
    const head = `<meta http-equiv="Content-Security-Policy" content="${policy}" />\n    <script defer src="./tiles.js"></script>`;
    await writeWhole(join(out, 'index.html'), html.replace('<script defer', `${head}\n    <script defer`));
  } catch (error) {
    throw explained(error, out, 'cannot be written');
  }
}

/** Copies the file of a model into a site, unless it is there already. Throws `filesystem`. */
export async function writeModel(out: string, name: string, from: string): Promise<string> {
  const place = places.model(name);
  const path = join(out, place);
  try {
    const [{ size }, there] = await Promise.all([stat(from), stat(path).catch(() => undefined)]);
    if (there?.size !== size) {
      await mkdir(join(path, '..'), { recursive: true });
      await copyFile(from, path);
    }
    return place;
  } catch (error) {
    throw explained(error, path, 'cannot be written');
  }
}
