/** @file Reading a folder of results back: which sets and pictures it holds, and what is known of them. */
import type { Failure } from '../render/diagnosis.ts';
import type { Dirent } from 'node:fs';
import * as node from 'node:fs/promises';
import { join } from 'node:path';
import { explained } from '../filesystem.ts';
import { type FileSystem, readSmall } from './files.ts';
import { type PictureEntry, readJournal, type SetEntry } from './journal.ts';
import { type FoundManifest, mostOfManifest, parseManifest } from './manifest.ts';
import { GRID, INDEX, MANIFEST } from './series.ts';

/** What a folder of results holds. */
export interface Results {
  /** By name. */
  readonly sets: readonly ResultSet[];
  /** Lines of the index that are none; a killed run may leave one. */
  readonly malformed: number;
}

/** A set of pictures that were made in the same way. */
export interface ResultSet {
  /** LAYER/SET: its folder below that of the results. */
  readonly name: string;
  /** The name of the layer in its model; undefined if neither manifest nor index say it. */
  readonly layer?: string;
  readonly model?: string;
  readonly preset?: string;
  /** The record of the last run into it; undefined if there is none, or a damaged one. */
  readonly manifest?: FoundManifest;
  /** The grid, below the folder of the results. */
  readonly grid?: string;
  /** By channel. */
  readonly pictures: readonly ResultPicture[];
}

/** A picture that is there. What made it, and its losses, stand in the file itself. */
export interface ResultPicture {
  readonly channel: number;
  /** Below the folder of the results. */
  readonly file: string;
  /** The loss before the last step; undefined if it is not known, null if it was not finite. */
  readonly activation?: number | null;
  readonly diagnosis?: Failure;
}

/**
 * What a folder of results holds: the PNG files that are there, with what manifests and `index.jsonl` say of them. Whatever is damaged or
 * foreign is left out; links are not followed; no picture is opened.
 *
 * Throws `filesystem` if the folder cannot be read.
 *
 * @example
 * const { sets } = await readResults('out');
 * for (const { layer, pictures } of sets) console.log(layer, pictures.length);
 */
export async function readResults(out: string, fs: FileSystem = node): Promise<Results> {
  const names: string[] = [];
  for (const layer of await folders(out, fs))
    for (const set of await folders(join(out, layer), fs)) names.push(`${layer}/${set}`);
  const begun = new Map<string, SetEntry>();
  const finished = new Map(names.map((name) => [name, new Map<number, PictureEntry>()]));
  const { malformed } = await readJournal(
    join(out, INDEX),
    (entry) => {
      if (entry.type === 'picture') finished.get(entry.set)?.set(entry.channel, entry);
      else if (finished.has(entry.set)) begun.set(entry.set, entry);
    },
    fs,
  );
  const sets: ResultSet[] = [];
  for (const name of names) {
    const set = await readSet(out, name, begun.get(name), finished.get(name)!, fs);
    if (set) sets.push(set);
  }
  return { sets, malformed };
}

async function readSet(
  out: string,
  name: string,
  begun: SetEntry | undefined,
  finished: ReadonlyMap<number, PictureEntry>,
  fs: FileSystem,
): Promise<ResultSet | undefined> {
  const files = new Set((await entries(join(out, name), fs)).filter((e) => e.isFile()).map((e) => e.name));
  const bytes = files.has(MANIFEST) ? await readSmall(join(out, name, MANIFEST), mostOfManifest, fs) : undefined;
  const manifest = bytes && parseManifest(bytes);
  const recorded = new Map(manifest?.filters.map((filter) => [filter.channel, filter]));
  const pictures = [...files]
    .map((file) => ({ file, channel: Number(/^(0|[1-9]\d{0,9})\.png$/.exec(file)?.[1] ?? NaN) }))
    .filter(({ channel }) => !Number.isNaN(channel))
    .sort((a, b) => a.channel - b.channel)
    .map(({ file, channel }): ResultPicture => {
      const filter = recorded.get(channel);
      const known = filter?.status === 'done' ? filter : finished.get(channel);
      return {
        channel,
        file: `${name}/${file}`,
        ...(known ? { activation: known.activation } : {}),
        ...(known?.diagnosis ? { diagnosis: known.diagnosis } : {}),
      };
    });
  // A folder that is none of ours, or one of which nothing is left.
  if (!manifest && pictures.length === 0) return undefined;
  const { layer, preset } = manifest ?? begun ?? {};
  const model = manifest?.recipe.model.name ?? begun?.model;
  return {
    name,
    ...(layer === undefined ? {} : { layer }),
    ...(model === undefined ? {} : { model }),
    ...(preset === undefined ? {} : { preset }),
    ...(manifest ? { manifest } : {}),
    ...(files.has(GRID) ? { grid: `${name}/${GRID}` } : {}),
    pictures,
  };
}

async function folders(path: string, fs: FileSystem): Promise<string[]> {
  return (await entries(path, fs))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

async function entries(path: string, fs: FileSystem): Promise<Dirent[]> {
  try {
    return await fs.readdir(path, { withFileTypes: true });
  } catch (error) {
    throw explained(error, path, 'cannot be read');
  }
}
