/** @file A series of tiny pictures, a renderer that makes them without a network, and a file system that counts. */
import { createHash } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import * as node from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { raster } from '../../src/output/raster.ts';
import { Random } from '../../src/random.ts';
import { type RecipeOptions, settle, type TargetFacts } from '../../src/render/recipe.ts';
import type { FileSystem } from '../../src/runs/files.ts';
import { type PictureEvent, run, type RunEvent, type RunOptions } from '../../src/runs/run.ts';
import { type Series, seriesOf } from '../../src/runs/series.ts';

export const facts: TargetFacts = {
  model: { name: 'toy', digest: 'ab'.repeat(32) },
  preprocess: { scale: [1, 1, 1], shift: [0, 0, 0], order: 'rgb' },
};

/** 16×12 pixels cut to 12×8, three steps. */
export const options: RecipeOptions = {
  preset: 'keras',
  size: { height: 12, width: 16 },
  steps: 3,
  finish: { crop: 2 },
};

export function series(
  changes: RecipeOptions = {},
  { layer = 'conv1', ...of }: Partial<TargetFacts> & { readonly layer?: string } = {},
): Series {
  return seriesOf(settle({ ...options, ...changes }), { ...facts, ...of }, layer);
}

/** The picture of a channel: other recipes and channels, other pixels. */
export function pictureOf(of: Series, channel: number): PictureEvent['picture'] {
  const { digest, width, height, recipe } = of.expected(channel);
  const random = new Random(digest);
  const data = Uint8Array.from({ length: 3 * width * height }, () => random.integer(256));
  const diagnosis = { status: 'ok', plain: 0.5 } as const;
  return { channel, raster: raster(width, height, data), losses: [...random.uniform(recipe.steps)], diagnosis };
}

export type FakeEvent = PictureEvent | { readonly type: 'steps'; readonly channel: number };

/** Renders one picture after another; `before` is told of each as it begins. */
export function fake(of: Series, before: (channel: number) => unknown = () => undefined) {
  return async function* render(channels: AsyncIterable<number>): AsyncGenerator<FakeEvent, void> {
    for await (const channel of channels) {
      yield { type: 'steps', channel };
      await before(channel);
      yield { type: 'picture', picture: pictureOf(of, channel) };
    }
  };
}

export interface Ran {
  readonly events: readonly (RunEvent | FakeEvent)[];
  /** Channels in the order in which they were rendered. */
  readonly rendered: readonly number[];
}

/** Runs to the end with the fake renderer, unless another is given. */
export async function ran(
  out: string,
  of: Series,
  channels: readonly number[],
  more: Partial<RunOptions<FakeEvent>> = {},
  before?: (channel: number) => unknown,
): Promise<Ran> {
  const rendered: number[] = [];
  const render = fake(of, async (channel) => {
    rendered.push(channel);
    await before?.(channel);
  });
  const events: (RunEvent | FakeEvent)[] = [];
  for await (const event of run({ out, series: of, channels, render, ...more })) events.push(event);
  return { events, rendered };
}

let root: string | undefined;

/** A new folder for a test, removed when the process ends. */
export function temporary(): string {
  if (root === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'phosphene-runs-'));
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
    root = made;
  }
  return mkdtempSync(join(root, 'run-'));
}

/** All that lies in a folder and below, sorted; folders too. Not readdir's own `recursive`, which follows links in circles. */
export function walk(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below), { withFileTypes: true })
    .flatMap((entry) => {
      const name = join(below, entry.name);
      return entry.isDirectory() ? [name, ...walk(folder, name)] : [name];
    })
    .sort();
}

/** All files of a folder and below, sorted. */
export function files(folder: string): string[] {
  return walk(folder).filter((file) => !lstatSync(join(folder, file)).isDirectory());
}

/** The digest of each file of a folder, the index aside: its lines depend on who ran, and how often. */
export function sums(folder: string): Record<string, string> {
  return Object.fromEntries(
    files(folder)
      .filter((file) => file !== 'index.jsonl')
      .map((file) => [
        file,
        createHash('sha256')
          .update(readFileSync(join(folder, file)))
          .digest('hex'),
      ]),
  );
}

export const json = <T>(...path: string[]): T => JSON.parse(readFileSync(join(...path), 'utf8')) as T;

/** `node:fs/promises` with some functions replaced, and a count of what it was asked and of the bytes that it was given. */
export function counting(
  changes: Partial<FileSystem> = {},
  { sync = true } = {},
): {
  fs: FileSystem;
  counts: { calls: number; bytes: number };
} {
  const counts = { calls: 0, bytes: 0 };
  const base: FileSystem = { ...node, ...changes };
  const counted = <T extends object>(target: T): T =>
    new Proxy(target, {
      get(of, name) {
        const found: unknown = Reflect.get(of, name, of);
        if (typeof found !== 'function') return found;
        return async (...args: unknown[]): Promise<unknown> => {
          counts.calls++;
          // Thousands of files need not outlive a power cut.
          if (name === 'sync' && !sync) return;
          if (name === 'writeFile' || name === 'appendFile') counts.bytes += Buffer.byteLength(args[0] as string);
          const result: unknown = await Reflect.apply(found, of, args);
          return name === 'open' ? counted(result as object) : result;
        };
      },
    });
  return { fs: counted(base), counts };
}

/** An error as the system throws it. */
export function failing(code: string): Error {
  return Object.assign(new Error(`${code}: simulated`), { code });
}
