/** @file A run: the pictures of some channels of a layer in a folder, resumable, beside other runs in the same folder. */
import { randomUUID } from 'node:crypto';
import * as node from 'node:fs/promises';
import { PhospheneError } from '../errors.ts';
import { defaultColumns, gridSize, sheetOf } from '../output/grid.ts';
import { asciiJson, encodePng } from '../output/png.ts';
import { labelHeight, tileOf } from '../output/tile.ts';
import { Random } from '../random.ts';
import type { Status } from '../render/diagnosis.ts';
import { VERSION } from '../version.ts';
import type { FileSystem } from './files.ts';
import { manifestText, type Outcome, outcomeOf, pictureFile } from './manifest.ts';
import type { Finished } from '../render/record.ts';
import { GRID, MANIFEST, type Series } from './series.ts';
import { findSet, type FoundSet, type TakenSet } from './set.ts';

/** A picture that was made. */
export interface PictureEvent {
  readonly type: 'picture';
  readonly picture: Finished & { readonly channel: number };
}

/**
 * Makes the pictures of some channels of a series, in any order, and yields a {@link PictureEvent} for each, between events of its
 * own. It asks for the next channel only when it can begin it, since until then another run may finish that picture. Nothing is
 * written before it asks for the first: if it throws before, there is no trace.
 */
export type Render<Event extends { readonly type: string }> = (channels: AsyncIterable<number>) => AsyncIterable<Event>;

export interface RunOptions<Event extends { readonly type: string }> {
  /** The folder of results, made if it is missing. */
  readonly out: string;
  readonly series: Series;
  /** Channels of the layer, in the order that the grid has; repeated ones count once. */
  readonly channels: readonly number[];
  /** Pictures in a row of the grid; about a square unless given. */
  readonly columns?: number | undefined;
  /** Pixels between the pictures of the grid; 5 unless given. */
  readonly margin?: number | undefined;
  /** Whether the grid has the number of each channel below its picture; false unless given. */
  readonly captions?: boolean | undefined;
  readonly render: Render<Event>;
  /** Of `node:fs/promises`; for tests. */
  readonly fs?: FileSystem;
}

/** What a run into a folder tells besides what its rendering does. */
export type RunEvent =
  /** Pictures that are there already; again for those that another run finishes meanwhile. */
  | {
      readonly type: 'resumed';
      readonly channels: readonly number[];
      /** Those of them that were made on a GPU, if any were. */
      readonly webgpu?: readonly number[];
    }
  | {
      /** All is done. The three are paths. */
      readonly type: 'grid';
      readonly folder: string;
      readonly file: string;
      readonly manifest: string;
      readonly width: number;
      readonly height: number;
      /** The channels of each status that occurred, in the order of the grid. */
      readonly statuses: Readonly<Partial<Record<Status, readonly number[]>>>;
    };

/**
 * Renders into a folder: `LAYER/SET/CHANNEL.png`, with `stitched_filters.png` and `manifest.json` beside them, and a copy of the grid
 * and `index.jsonl` above (docs/results.md). Pictures that are there and are exactly those wanted are kept, so that a run that was
 * killed goes on and ends with the same bytes. Several runs at once in one folder are safe, and those of the same pictures share
 * the work.
 *
 * Yields what `render` does, and {@link RunEvent}s. Throws `bad-option` and `too-large` before anything is written, `filesystem`,
 * `shape` for a picture of another size, `runtime` if `render` leaves pictures out, and what it throws itself.
 *
 * @example
 * for await (const event of run({ out: 'out', series, channels: [0, 1, 2], render }))
 *   if (event.type === 'grid') console.log(event.file);
 */
export async function* run<Event extends { readonly type: string }>(
  options: RunOptions<Event>,
): AsyncGenerator<RunEvent | Event, void> {
  const { out, series, columns, margin = 5, captions = false, render, fs = node } = options;
  const channels = [...new Set(options.channels)];
  if (channels.length === 0)
    throw new PhospheneError('bad-option', 'channels: none found; a grid needs at least one', { option: 'channels' });
  const pictures = collect(series, channels, { columns, margin, captions });

  let set: FoundSet = await findSet(out, series, fs);
  const webgpu = new Set<number>();
  /** Keeps a channel's picture if it is there, whatever it was made on: its record says so. */
  const look = async (channel: number): Promise<boolean> => {
    const picture = await set.read(channel);
    if (!picture) return false;
    pictures.put(channel, picture, set);
    pictures.done(channel, picture);
    if (picture.device === 'webgpu') webgpu.add(channel);
    return true;
  };
  const resumed = (kept: readonly number[]): RunEvent => {
    const there = kept.filter((channel) => webgpu.has(channel));
    return { type: 'resumed', channels: kept, ...(there.length > 0 ? { webgpu: there } : {}) };
  };
  for (const channel of channels) await look(channel);
  if (pictures.missing().length < channels.length) yield resumed(channels.filter((channel) => pictures.has(channel)));

  let taken: TakenSet | undefined;
  const take = async (): Promise<TakenSet> => {
    taken = await set.take(pictures.manifest());
    // Another series was faster: what was found there is not in this folder.
    if (taken.name !== set.name) pictures.clear();
    set = taken;
    return taken;
  };
  const meanwhile: number[] = [];
  async function* wanted(): AsyncGenerator<number, void> {
    const { shared } = taken ?? (await take());
    const missing = pictures.missing();
    // Runs that make the same pictures in the same order would make each of them twice.
    for (const channel of shared ? shuffled(missing, randomUUID()) : missing) {
      if (await look(channel)) meanwhile.push(channel);
      else yield channel;
    }
  }
  const news = (): RunEvent[] => (meanwhile.length > 0 ? [resumed(meanwhile.splice(0))] : []);

  let recorded = false;
  try {
    if (pictures.missing().length === 0) await take();
    if (pictures.missing().length > 0) {
      for await (const event of render(wanted())) {
        yield* news();
        if (isPicture(event)) {
          const { picture } = event;
          if (!taken) throw new Error(`internal: a picture of channel ${picture.channel} before any was asked for`);
          pictures.put(picture.channel, picture, taken);
          await taken.write(picture.channel, picture);
          pictures.done(picture.channel, picture);
        }
        yield event;
      }
      yield* news();
    }
    const left = pictures.missing();
    if (left.length > 0)
      throw new PhospheneError(
        'runtime',
        `${left.length} of ${channels.length} pictures were not made, the first of channel ${left[0]}; run again, what is finished is kept`,
        { channels: left },
      );
    await taken!.stitch(pictures.png());
    recorded = true;
    await taken!.record(pictures.manifest());
    const { width, height } = pictures.size;
    const files = { folder: set.path('.'), file: set.path(GRID), manifest: set.path(MANIFEST) };
    yield { type: 'grid', ...files, width, height, statuses: pictures.statuses() };
  } finally {
    // However it ended: what is done is done, and the manifest says so if it can be written at all.
    if (!recorded) await taken?.record(pictures.manifest()).catch(() => undefined);
    await taken?.leave();
  }
}

/** The pictures of a run, as far as they are there: their place in the grid, and what the manifest says of them. */
function collect(
  series: Series,
  channels: readonly number[],
  grid: { readonly columns: number | undefined; readonly margin: number; readonly captions: boolean },
) {
  const { columns = defaultColumns(channels.length), margin, captions } = grid;
  const { width, height } = series;
  const tile = { width, height: height + (captions ? labelHeight(width) : 0) };
  const size = gridSize(channels.length, tile, { columns, margin });
  const places = new Map(channels.map((channel, place) => [channel, place]));
  const outcomes = new Map<number, Outcome>();
  const sheet = sheetOf(channels.length, tile, { columns, margin });
  const has = (channel: number): boolean => outcomes.has(channel);
  return {
    size,
    has,
    missing: (): number[] => channels.filter((channel) => !has(channel)),
    /** A picture's pixels go into the grid at once, and are not kept. */
    put(channel: number, { raster, diagnosis }: Finished, set: FoundSet): void {
      const place = places.get(channel);
      if (place === undefined) throw new Error(`internal: a picture of channel ${channel}, which nobody asked for`);
      const label = captions ? String(channel) : undefined;
      sheet.put(place, tileOf(raster, { label, status: diagnosis?.status }), set.path(pictureFile(channel)));
    },
    /** The picture's file is there. */
    done: (channel: number, picture: Finished) => outcomes.set(channel, outcomeOf(picture)),
    clear: (): void => outcomes.clear(),
    statuses(): Partial<Record<Status, number[]>> {
      const found: Partial<Record<Status, number[]>> = {};
      for (const channel of channels) (found[outcomes.get(channel)?.diagnosis ?? 'ok'] ??= []).push(channel);
      return found;
    },
    manifest: (): string => manifestText(series, channels, outcomes, grid),
    png: (): Uint8Array => {
      const { digest, layer, preset, recipe } = series;
      const record = {
        format: 'phosphene-grid/2',
        version: VERSION,
        series: digest,
        layer,
        preset,
        recipe,
        channels,
        ...(captions ? { captions } : {}),
      };
      return encodePng(sheet.raster, { Software: `phosphene ${VERSION}`, phosphene: asciiJson(record) });
    },
  };
}

function isPicture(event: { readonly type: string }): event is PictureEvent {
  return event.type === 'picture' && 'picture' in event;
}

/** The same values in an order that the key decides. */
function shuffled<T>(values: readonly T[], key: string): T[] {
  const random = new Random(key);
  const drawn = values.map((value) => ({ value, at: random.next32() }));
  return drawn.sort((a, b) => a.at - b.at).map(({ value }) => value);
}
