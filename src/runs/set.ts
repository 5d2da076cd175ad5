/** @file The folder of a set: which one belongs to a series, and how a run reads it, takes it and fills it. */
import * as node from 'node:fs/promises';
import { basename, join } from 'node:path';
import { PhospheneError } from '../errors.ts';
import { ensureFolder } from '../folder.ts';
import {
  createWhole,
  fileAt,
  type FileSystem,
  isTemporary,
  kindOf,
  makeFolder,
  notFolder,
  readSmall,
  sweepTemporaries,
  temporaryIn,
  writeWhole,
} from './files.ts';
import { type Journal, openJournal } from './journal.ts';
import { mostOfManifest, outcomeOf, parseManifest, pictureFile } from './manifest.ts';
import { decodePicture, encodePicture, type Finished, mostBytes } from '../render/record.ts';
import { GRID, INDEX, MANIFEST, type Series } from './series.ts';

/** A set that may be read. Nothing is written before it is taken. */
export interface FoundSet {
  /** LAYER/SET. */
  readonly name: string;
  /** The path of a file in it. */
  path(file: string): string;
  /** A channel's picture, if it is there and exactly as wanted. Throws `filesystem` if a folder is in its place. */
  read(channel: number): Promise<Finished | undefined>;
  /**
   * Makes the folder, removes what killed runs left, and begins a line of the index. The set that is returned has another name if
   * another series took the folder since it was found. Throws `filesystem`.
   */
  take(manifest: string): Promise<TakenSet>;
}

/** A set that a run works on. */
export interface TakenSet extends FoundSet {
  /** Whether other runs seem to be at work in this folder. */
  readonly shared: boolean;
  /** Writes a picture and its line of the index: the same work for the first as for the ten thousandth. Throws `filesystem`. */
  write(channel: number, picture: Finished): Promise<void>;
  /** Writes the manifest anew. Throws `filesystem`, also if another series has the folder now. */
  record(manifest: string): Promise<void>;
  /** Writes the grid and its copy. Throws `filesystem`. */
  stitch(png: Uint8Array): Promise<void>;
  /** To be called however the run ends. */
  leave(): Promise<void>;
}

/**
 * The set of a series below `out`: the first of its names that no other series has.
 *
 * Throws `filesystem`, also if the folder of the layer or of the set is a symbolic link or a file, or if a folder has the name of
 * a file that will be written.
 *
 * @example
 * const set = await findSet('out', series);
 * const picture = await set.read(7);
 */
export async function findSet(out: string, series: Series, fs: FileSystem = node): Promise<FoundSet> {
  const { name } = await owned(out, series, fs);
  const set = at(out, name, series, fs);
  for (const file of [join(out, INDEX), join(out, GRID), set.path(GRID), set.path(MANIFEST)]) await fileAt(file, fs);
  return set;
}

function at(out: string, name: string, series: Series, fs: FileSystem): FoundSet {
  const path = (file: string): string => join(out, name, file);
  return {
    name,
    path,
    async read(channel) {
      const expected = series.expected(channel);
      const bytes = await readSmall(path(pictureFile(channel)), mostBytes(expected), fs);
      return bytes && decodePicture(bytes, expected);
    },
    async take(manifest) {
      const taken = await claim(out, series, manifest, fs);
      return work(out, at(out, taken, series, fs), series, fs);
    },
  };
}

async function work(out: string, set: FoundSet, series: Series, fs: FileSystem): Promise<TakenSet> {
  const folder = set.path('.');
  await Promise.all([sweepTemporaries(out, fs), sweepTemporaries(folder, fs)]);
  // First the own mark, then a look for those of others: of two that begin at once, one at least sees the other.
  const mark = temporaryIn(folder);
  await writeWhole(mark, '', fs);
  let journal: Journal | undefined;
  const leave = async (): Promise<void> => {
    await fs.rm(mark, { force: true }).catch(() => undefined);
    await journal?.close();
  };
  try {
    const names = await fs.readdir(folder);
    const opened = await openJournal(join(out, INDEX), fs);
    journal = opened;
    const { digest, layer, preset, recipe } = series;
    await opened.append({ type: 'set', set: set.name, series: digest, model: recipe.model.name, layer, preset });
    return {
      ...set,
      shared: names.some((name) => isTemporary(name) && name !== basename(mark)),
      async write(channel, picture) {
        const expected = series.expected(channel);
        await writeWhole(set.path(pictureFile(channel)), encodePicture(expected, picture), fs);
        await opened.append({
          type: 'picture',
          set: set.name,
          channel,
          digest: expected.digest,
          ...outcomeOf(picture),
        });
      },
      async record(manifest) {
        const { name } = await owned(out, series, fs);
        if (name !== set.name)
          throw new PhospheneError(
            'filesystem',
            `${folder} was taken by a run of other settings, because its manifest was damaged; run again, what is finished is kept`,
            { path: folder },
          );
        await writeWhole(set.path(MANIFEST), manifest, fs);
      },
      async stitch(png) {
        await writeWhole(set.path(GRID), png, fs);
        await writeWhole(join(out, GRID), png, fs);
      },
      leave,
    };
  } catch (error) {
    await leave();
    throw error;
  }
}

/** Makes the folder of a series with a first manifest. Of two series that want one name at once, one gets the next name. */
async function claim(out: string, series: Series, manifest: string, fs: FileSystem): Promise<string> {
  await ensureFolder(out);
  await makeFolder(join(out, series.layerFolder), fs);
  for (;;) {
    const { name, owner } = await owned(out, series, fs);
    await makeFolder(join(out, name), fs);
    const path = join(out, name, MANIFEST);
    if (owner !== 'nobody') {
      await writeWhole(path, manifest, fs);
      return name;
    }
    // If another run was faster, the next look says whose it is.
    if (await createWhole(path, manifest, fs)) return name;
  }
}

async function owned(
  out: string,
  series: Series,
  fs: FileSystem,
): Promise<{ name: string; owner: 'nobody' | 'this series' | 'unknown' }> {
  await checkFolder(join(out, series.layerFolder), fs);
  for (const folder of series.folders) {
    const name = `${series.layerFolder}/${folder}`;
    await checkFolder(join(out, name), fs);
    const path = join(out, name, MANIFEST);
    const bytes = await readSmall(path, mostOfManifest, fs);
    if (bytes === undefined) return { name, owner: (await kindOf(path, fs)) === 'nothing' ? 'nobody' : 'unknown' };
    const found = parseManifest(bytes)?.series;
    if (found === undefined) return { name, owner: 'unknown' };
    if (found === series.digest) return { name, owner: 'this series' };
  }
  const folder = join(out, series.layerFolder);
  throw new PhospheneError(
    'filesystem',
    `${folder} holds pictures of other settings under all names for these; choose another folder for the results`,
    { path: folder, option: 'out' },
  );
}

/** Throws `filesystem` if something other than a folder is there. */
async function checkFolder(path: string, fs: FileSystem): Promise<void> {
  const kind = await kindOf(path, fs);
  if (kind === 'file' || kind === 'other') throw notFolder(path, kind);
}
