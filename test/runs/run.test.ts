/** @file Runs into a folder, with a renderer that needs no network: what is written, kept, made anew, refused, and shared. */
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import * as node from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { grid } from '../../src/output/grid.ts';
import { asciiJson, decodePng, encodePng } from '../../src/output/png.ts';
import { raster } from '../../src/output/raster.ts';
import { labelHeight, tileOf } from '../../src/output/tile.ts';
import { remedyOf } from '../../src/render/diagnosis.ts';
import { ALGORITHM, type RecipeOptions } from '../../src/render/recipe.ts';
import type { Entry } from '../../src/runs/journal.ts';
import type { Manifest } from '../../src/runs/manifest.ts';
import { encodePicture, type PictureRecord } from '../../src/render/record.ts';
import { readResults } from '../../src/runs/results.ts';
import { run, type RunOptions } from '../../src/runs/run.ts';
import { VERSION } from '../../src/version.ts';
import {
  counting,
  facts,
  failing,
  fake,
  type FakeEvent,
  files,
  json,
  pictureOf,
  ran,
  series,
  sums,
  temporary,
} from './fake.ts';

const one = series();
const preset = one.folders[0]!;
const set = `conv1/${preset}`;
const channels = [0, 1, 2, 7];
const entries = (out: string): Entry[] =>
  readFileSync(join(out, 'index.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Entry);
const manifestOf = (out: string, name = set): Manifest => json(out, name, 'manifest.json');
const statuses = (out: string): [number, string][] => manifestOf(out).filters.map((f) => [f.channel, f.status]);

describe('a run', () => {
  it('writes pictures, their grid, its copy, a manifest and an index', async () => {
    const out = join(temporary(), 'a', 'out');
    const { events, rendered } = await ran(out, one, [2, 0, 1, 7, 0]);
    expect(rendered).toEqual([2, 0, 1, 7]);
    expect(files(out)).toEqual(
      [
        ...['0.png', '1.png', '2.png', '7.png', 'manifest.json', 'stitched_filters.png'].map((f) => `${set}/${f}`),
        'index.jsonl',
        'stitched_filters.png',
      ].sort(),
    );
    expect(events.map(({ type }) => type)).toEqual([
      ...Array.from({ length: 4 }, () => ['steps', 'picture']).flat(),
      'grid',
    ]);
    expect(events.at(-1)).toEqual({
      type: 'grid',
      folder: join(out, set),
      file: join(out, set, 'stitched_filters.png'),
      manifest: join(out, set, 'manifest.json'),
      width: 2 * 12 + 5,
      height: 2 * 8 + 5,
      statuses: { ok: [2, 0, 1, 7] },
    });
    // In the order of the channels asked for.
    const sheet = decodePng(readFileSync(join(out, 'stitched_filters.png'))).raster;
    expect([sheet.width, sheet.height]).toEqual([29, 21]);
    const row = (data: Uint8Array, width: number, x: number, y: number): number[] => [
      ...data.subarray(3 * (y * width + x), 3 * (y * width + x + 12)),
    ];
    for (const [place, channel] of [2, 0, 1, 7].entries())
      expect(row(sheet.data, 29, (place % 2) * 17, Math.floor(place / 2) * 13 + 3)).toEqual(
        row(pictureOf(one, channel).raster.data, 12, 0, 3),
      );
    expect(readFileSync(join(out, set, 'stitched_filters.png'))).toEqual(
      readFileSync(join(out, 'stitched_filters.png')),
    );
  });

  it('says in each picture what made it', async () => {
    const out = temporary();
    await ran(out, one, channels);
    const { raster: pixels, text } = decodePng(readFileSync(join(out, set, '7.png')));
    const picture = pictureOf(one, 7);
    expect(pixels).toEqual(picture.raster);
    const { recipe, digest } = one.expected(7);
    expect(JSON.parse(text['phosphene']!)).toEqual({
      format: 'phosphene-picture/2',
      algorithm: ALGORITHM,
      recipe,
      digest,
      preset: 'keras',
      pixels: expect.stringMatching(/^[0-9a-f]{64}$/),
      version: VERSION,
      activation: picture.losses[2],
      losses: picture.losses,
      status: 'ok',
      plain: 0.5,
    });
    expect(recipe.objective).toMatchObject({ layer: 'conv1', channel: 7 });
    expect(text['Software']).toBe(`phosphene ${VERSION}`);
    const grid = decodePng(readFileSync(join(out, 'stitched_filters.png'))).text;
    expect(JSON.parse(grid['phosphene']!)).toMatchObject({
      format: 'phosphene-grid/2',
      version: VERSION,
      series: one.digest,
      layer: 'conv1',
      preset: 'keras',
      recipe: one.recipe,
      channels,
    });
  });

  it('says in the manifest what was asked for and what came of it', async () => {
    const out = temporary();
    const picture = {
      ...pictureOf(one, 1),
      losses: [1, NaN, -Infinity],
      diagnosis: { status: 'not-finite', plain: null } as const,
    };
    const render = async function* (wanted: AsyncIterable<number>): AsyncGenerator<FakeEvent, void> {
      for await (const channel of wanted)
        yield { type: 'picture', picture: channel === 1 ? picture : pictureOf(one, channel) };
    };
    await ran(out, one, [0, 1], { render, columns: 1, margin: 2 });
    const first = pictureOf(one, 0).losses[2];
    expect(manifestOf(out)).toEqual({
      format: 'phosphene-manifest/2',
      version: VERSION,
      algorithm: ALGORITHM,
      series: one.digest,
      layer: 'conv1',
      preset: 'keras',
      recipe: one.recipe,
      grid: { file: 'stitched_filters.png', columns: 1, margin: 2 },
      filters: [
        { channel: 0, status: 'done', file: '0.png', activation: first },
        {
          channel: 1,
          status: 'done',
          file: '1.png',
          activation: null,
          diagnosis: 'not-finite',
          hint: remedyOf('not-finite'),
        },
      ],
    });
    expect(decodePng(readFileSync(join(out, 'stitched_filters.png'))).raster).toMatchObject({ width: 12, height: 18 });
    expect(entries(out)).toEqual([
      { type: 'set', set, series: one.digest, model: 'toy', layer: 'conv1', preset: 'keras' },
      { type: 'picture', set, channel: 0, digest: one.expected(0).digest, activation: first },
      {
        type: 'picture',
        set,
        channel: 1,
        digest: one.expected(1).digest,
        activation: null,
        diagnosis: 'not-finite',
      },
    ]);
    // And it is known again.
    const again = await ran(out, one, [0, 1]);
    expect(again.rendered).toEqual([]);
    expect(manifestOf(out).filters[1]).toMatchObject({ diagnosis: 'not-finite' });
    expect(manifestOf(out).grid).toEqual({ file: 'stitched_filters.png', columns: null, margin: 5 });
  });

  it('marks in the grid what went wrong, and has the channels below their pictures if that is wanted', async () => {
    const out = temporary();
    const wrong = { ...pictureOf(one, 1), diagnosis: { status: 'not-rising', plain: null } as const };
    const render = async function* (wanted: AsyncIterable<number>): AsyncGenerator<FakeEvent, void> {
      for await (const channel of wanted)
        yield { type: 'picture', picture: channel === 1 ? wrong : pictureOf(one, channel) };
    };
    const sheet = (): ReturnType<typeof decodePng> => decodePng(readFileSync(join(out, 'stitched_filters.png')));
    const tiles = (label: (channel: number) => string | undefined): unknown =>
      grid(
        [
          tileOf(pictureOf(one, 0).raster, { label: label(0) }),
          tileOf(wrong.raster, { label: label(1), status: 'not-rising' }),
          tileOf(pictureOf(one, 2).raster, { label: label(2) }),
        ],
        { columns: 2 },
      );
    await ran(out, one, [0, 1, 2], { render });
    expect(sheet().raster).toEqual(tiles(() => undefined));
    expect(JSON.parse(sheet().text['phosphene']!)).not.toHaveProperty('labels');
    // The picture itself is as it was made.
    expect(decodePng(readFileSync(join(out, set, '1.png'))).raster).toEqual(wrong.raster);
    // From pictures that are there already.
    const again = await ran(out, one, [0, 1, 2], { captions: true });
    expect(again.rendered).toEqual([]);
    expect(sheet().raster).toEqual(tiles(String));
    expect(sheet().raster.height).toBe(2 * (8 + labelHeight(12)) + 5);
    expect(JSON.parse(sheet().text['phosphene']!)).toMatchObject({ captions: true });
    expect(manifestOf(out).grid).toEqual({ file: 'stitched_filters.png', columns: null, margin: 5, captions: true });
    const { sets } = await readResults(out);
    expect(sets[0]!.manifest?.grid.captions).toBe(true);
  });

  it('writes the manifest when it begins and when it ends, and not for each picture', async () => {
    const out = temporary();
    await ran(out, one, [1]);
    const seen: string[] = [];
    await ran(out, one, channels, {}, () => seen.push(readFileSync(join(out, set, 'manifest.json'), 'utf8')));
    expect(new Set(seen).size).toBe(1);
    expect((JSON.parse(seen[0]!) as Manifest).filters.map((f) => f.status)).toEqual([
      'pending',
      'done',
      'pending',
      'pending',
    ]);
    expect(statuses(out)).toEqual(channels.map((c) => [c, 'done']));
  });

  it.each([
    [[], {}, 'bad-option', /channels: none found/],
    [[0], { columns: 0 }, 'bad-option', /columns: 0/],
    [[0], { margin: -1 }, 'bad-option', /margin: -1/],
    [[0, 1], { margin: 1e9 }, 'too-large', /2 pictures of 12x8/],
  ])('refuses %j with %j before it writes', async (asked, more, code, message) => {
    const out = join(temporary(), 'out');
    await expect(ran(out, one, asked, more)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(existsSync(out)).toBe(false);
  });

  it('leaves no trace of what fails before the first picture is begun', async () => {
    const out = join(temporary(), 'out');
    const render = async function* (): AsyncGenerator<FakeEvent, void> {
      yield { type: 'steps', channel: 0 };
      throw new Error('no such layer');
    };
    await expect(ran(out, one, channels, { render })).rejects.toThrow('no such layer');
    expect(existsSync(out)).toBe(false);
  });

  it('says what is done if it fails, and leaves no temporaries', async () => {
    const out = temporary();
    const boom = (channel: number): void => {
      if (channel === 2) throw new Error('boom');
    };
    await expect(ran(out, one, channels, {}, boom)).rejects.toThrow('boom');
    expect(statuses(out)).toEqual([
      [0, 'done'],
      [1, 'done'],
      [2, 'pending'],
      [7, 'pending'],
    ]);
    expect(files(out)).toEqual([`${set}/0.png`, `${set}/1.png`, `${set}/manifest.json`, 'index.jsonl']);
    // Also if its caller leaves.
    for await (const event of run({ out, series: one, channels, render: fake(one) }))
      if (event.type === 'picture') break;
    expect(statuses(out).filter(([, status]) => status === 'done')).toHaveLength(3);
    expect(files(out).filter((file) => file.includes('tmp'))).toEqual([]);
  });

  it('notices pictures that are left out, of another size, or not asked for', async () => {
    const render = (picture: FakeEvent & { type: 'picture' }): RunOptions<FakeEvent>['render'] =>
      async function* (wanted) {
        await wanted[Symbol.asyncIterator]().next();
        yield picture;
      };
    const picture = pictureOf(one, 0);
    const out = temporary();
    await expect(ran(out, one, channels, { render: render({ type: 'picture', picture }) })).rejects.toMatchObject({
      code: 'runtime',
      message: '3 of 4 pictures were not made, the first of channel 1; run again, what is finished is kept',
      details: { channels: [1, 2, 7] },
    });
    const small = { ...picture, channel: 1, raster: raster(5, 5) };
    await expect(
      ran(out, one, channels, { render: render({ type: 'picture', picture: small }) }),
    ).rejects.toMatchObject({
      code: 'shape',
      message: `${join(out, set, '1.png')} is 5x5, and the others are 12x8; a grid needs tiles of one size`,
    });
    expect(existsSync(join(out, set, '1.png'))).toBe(false);
    const other = { ...picture, channel: 9 };
    await expect(ran(out, one, channels, { render: render({ type: 'picture', picture: other }) })).rejects.toThrow(
      'channel 9',
    );
  });
});

describe('resuming', () => {
  it('makes what is missing after a kill at any moment, and ends with the same bytes', async () => {
    const whole = temporary();
    await ran(whole, one, channels);
    for (const kill of channels) {
      const killed = join(temporary(), 'killed');
      const out = temporary();
      // What a kill leaves is what lies there at that moment.
      await ran(out, one, channels, {}, (channel) => channel === kill && cpSync(out, killed, { recursive: true }));
      writeFileSync(join(killed, set, '2.png'), readFileSync(join(whole, set, '2.png')).subarray(0, 200));
      appendFileSync(join(killed, 'index.jsonl'), '{"type":"pict');
      const { rendered, events } = await ran(killed, one, channels);
      const kept = channels.filter((c) => channels.indexOf(c) < channels.indexOf(kill) && c !== 2);
      expect(rendered.toSorted((a, b) => a - b)).toEqual(channels.filter((c) => !kept.includes(c)));
      expect(events[0]).toMatchObject(kept.length > 0 ? { type: 'resumed', channels: kept } : { type: 'steps' });
      // The mark of the killed run stays, since its process, ours, still lives.
      const { [files(killed).find((f) => f.includes('tmp')) ?? '']: mark, ...left } = sums(killed);
      expect(mark).toBeDefined();
      expect(left).toEqual(sums(whole));
      const lines = readFileSync(join(killed, 'index.jsonl'), 'utf8').split('\n');
      expect(lines.filter((line) => line === '{"type":"pict')).toHaveLength(1);
      expect(lines.filter((line) => line.includes('"set":'))).toHaveLength(lines.length - 2);
    }
  });

  it('renders nothing if every picture is there, and makes grid and manifest anew', async () => {
    const out = temporary();
    await ran(out, one, channels);
    const before = sums(out);
    rmSync(join(out, set, 'stitched_filters.png'));
    writeFileSync(join(out, 'stitched_filters.png'), 'x');
    writeFileSync(join(out, set, 'manifest.json'), '{');
    rmSync(join(out, 'index.jsonl'));
    const render = (): never => {
      throw new Error('rendered');
    };
    const { events } = await ran(out, one, channels, { render });
    expect(events.map(({ type }) => type)).toEqual(['resumed', 'grid']);
    expect(events[0]).toEqual({ type: 'resumed', channels });
    expect(sums(out)).toEqual(before);
  });

  it('keeps pictures whatever they were made on, and tells which came from a GPU', async () => {
    const out = temporary();
    async function* render(wanted: AsyncIterable<number>): AsyncGenerator<FakeEvent, void> {
      for await (const channel of wanted)
        yield { type: 'picture', picture: { ...pictureOf(one, channel), device: 'webgpu' } };
    }
    await ran(out, one, [0, 1], { render });
    const { rendered } = await ran(out, one, [0, 1, 2]);
    expect(rendered).toEqual([2]);
    const { events } = await ran(out, one, [2, 1, 0]);
    expect(events[0]).toEqual({ type: 'resumed', channels: [2, 1, 0], webgpu: [1, 0] });
  });

  it('adds other channels of the same settings to the same folder', async () => {
    const out = temporary();
    await ran(out, one, [0, 1]);
    const { rendered } = await ran(out, one, [1, 2]);
    expect(rendered).toEqual([2]);
    expect(readdirSync(join(out, 'conv1'))).toEqual([preset]);
    expect(statuses(out)).toEqual([
      [1, 'done'],
      [2, 'done'],
    ]);
    expect(existsSync(join(out, set, '0.png'))).toBe(true);
  });

  const changed: [string, RecipeOptions, Parameters<typeof series>[1]?][] = [
    ['a seed', { seed: 1 }],
    ['steps', { steps: 4 }],
    ['a size', { size: { height: 14, width: 16 } }],
    ['a rate', { optimiser: { rate: 9 } }],
    ['noise', { param: { noise: 0.5 } }],
    ['a border', { border: 1 }],
    ['a crop', { finish: { crop: 3 } }],
    ['contrast', { finish: { crop: 2, contrast: 0.2 } }],
    ['stretching', { finish: { crop: 2, stretch: true } }],
    ['weights', {}, { model: { name: 'toy', digest: 'cd'.repeat(32) } }],
    ['preprocessing', {}, { preprocess: { ...facts.preprocess, order: 'bgr' } }],
    ['a layer', {}, { layer: 'conv2' }],
  ];
  it.each(changed)('keeps pictures of %s apart', async (_, changes, of) => {
    const out = temporary();
    await ran(out, one, channels);
    const before = sums(join(out, set));
    const other = series(changes, of);
    expect(other.digest).not.toBe(one.digest);
    const { rendered } = await ran(out, other, [0, 1]);
    expect(rendered).toEqual([0, 1]);
    expect(sums(join(out, set))).toEqual(before);
    const sets = new Set(entries(out).map((entry) => entry.set));
    expect(sets.size).toBe(2);
    // Even a picture that was put into the other's place is not taken for it.
    const theirs = [...sets].find((name) => name !== set)!;
    const right = readFileSync(join(out, theirs, '0.png'));
    cpSync(join(out, set, '0.png'), join(out, theirs, '0.png'));
    expect((await ran(out, other, [0, 1])).rendered).toEqual([0]);
    expect(readFileSync(join(out, theirs, '0.png')).equals(right)).toBe(true);
  });

  it('makes a picture anew that is another channel’s', async () => {
    const out = temporary();
    await ran(out, one, channels);
    const before = sums(out);
    cpSync(join(out, set, '2.png'), join(out, set, '1.png'));
    expect((await ran(out, one, channels)).rendered).toEqual([1]);
    expect(sums(out)).toEqual(before);
  });

  it('keeps pictures of another release, and of a model whose file was renamed', async () => {
    const out = temporary();
    await ran(out, one, channels);
    const renamed = series({}, { model: { ...facts.model, name: 'renamed.onnx' } });
    expect((await ran(out, renamed, channels)).rendered).toEqual([]);
    const bytes = readFileSync(join(out, set, '1.png'), 'latin1');
    expect(bytes).toContain(`"version":"${VERSION}"`);
    const { raster: pixels, text } = decodePng(Buffer.from(bytes, 'latin1'));
    const record: PictureRecord = { ...(JSON.parse(text['phosphene']!) as PictureRecord), version: '99.0.0-beta.1' };
    writeFileSync(join(out, set, '1.png'), encodePng(pixels, { ...text, phosphene: asciiJson(record) }));
    expect((await ran(out, one, channels)).rendered).toEqual([]);
  });
});

describe('folders of sets', () => {
  it('are named after the preset if nothing differs from it, and after the digest too if anything does', () => {
    const plain = series({ size: 180, steps: 30, finish: { crop: 25 } });
    expect(plain.folders[0]).toBe('keras');
    expect(plain.folders.slice(1)).toEqual([6, 12, 64].map((digits) => `keras-${plain.digest.slice(0, digits)}`));
    expect(one.folders).toEqual([6, 12, 64].map((digits) => `keras-${one.digest.slice(0, digits)}`));
    // The size that a model fixes is no choice of the user's.
    expect(
      series({ size: 224, steps: 30, finish: { crop: 25 } }, { fixed: { height: 224, width: 224 } }).folders[0],
    ).toBe('keras');
    // A preset that cannot be used at that size has no settings of its own to be compared with.
    expect(series({ size: 32, finish: { crop: 0 } }, { fixed: { height: 32, width: 32 } }).folders[0]).toMatch(
      /^keras-[0-9a-f]{6}$/,
    );
    for (const name of ['index.jsonl', 'manifest.json', 'stitched_filters.png'])
      expect(series({}, { layer: name }).layerFolder).toMatch(/-[0-9a-f]{8}$/);
  });

  it('go to the next name if another model has the first', async () => {
    const out = temporary();
    const plain: RecipeOptions = { size: 60, steps: 30, finish: {} };
    const fixed = { height: 60, width: 60 };
    const [a, b] = ['aa', 'bb'].map((byte) => series(plain, { fixed, model: { name: byte, digest: byte.repeat(32) } }));
    await ran(out, a!, [0, 1]);
    await ran(out, b!, [0]);
    expect(readdirSync(join(out, 'conv1')).sort()).toEqual(['keras', `keras-${b!.digest.slice(0, 6)}`]);
    expect((await ran(out, a!, [0, 1])).rendered).toEqual([]);
    expect((await ran(out, b!, [0])).rendered).toEqual([]);
    expect(manifestOf(out, 'conv1/keras').series).toBe(a!.digest);
  });

  it('say so if every name is another’s', async () => {
    const out = temporary();
    await ran(out, one, [0]);
    const theirs = readFileSync(join(out, set, 'manifest.json'), 'utf8').replaceAll(one.digest, 'e'.repeat(64));
    for (const folder of one.folders) {
      mkdirSync(join(out, 'conv1', folder), { recursive: true });
      writeFileSync(join(out, 'conv1', folder, 'manifest.json'), theirs);
    }
    await expect(ran(out, one, [0])).rejects.toMatchObject({
      code: 'filesystem',
      message: expect.stringContaining('holds pictures of other settings under all names for these'),
      details: { option: 'out' },
    });
  });
});

describe('two runs at once', () => {
  it('of the same pictures share them and end with the same files', async () => {
    const reference = temporary();
    const many = Array.from({ length: 24 }, (_, i) => i);
    await ran(reference, one, many);
    const out = temporary();
    const slowly = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 4));
    const runs = await Promise.all([1, 2, 3].map(() => ran(out, one, many, {}, slowly)));
    expect(sums(out)).toEqual(sums(reference));
    const rendered = runs.flatMap((r) => r.rendered);
    expect(new Set(rendered).size).toBe(24);
    // Each was busy with one of its own while the others finished theirs.
    expect(rendered.length).toBeLessThan(2 * 24);
    for (const { events, rendered: own } of runs) {
      const kept = events.flatMap((event) => (event.type === 'resumed' ? event.channels : []));
      expect([...kept, ...own].toSorted((a, b) => a - b)).toEqual(many);
      expect(events.at(-1)!.type).toBe('grid');
    }
  });

  it('of the same pictures make none that the other has finished', async () => {
    const out = temporary();
    let other: string[] = [];
    const { rendered, events } = await ran(out, one, channels, {}, async (channel) => {
      if (channel !== 0) return;
      await ran(out, one, [1, 7]);
      other = files(join(out, set));
    });
    expect(rendered).toEqual([0, 2]);
    expect(other).toContain('7.png');
    expect(events.filter(({ type }) => type === 'resumed')).toEqual([
      { type: 'resumed', channels: [1] },
      { type: 'resumed', channels: [7] },
    ]);
    expect(statuses(out)).toEqual(channels.map((c) => [c, 'done']));
  });

  it('take another order if one is at work already', async () => {
    const out = temporary();
    const many = Array.from({ length: 40 }, (_, i) => i);
    let second: readonly number[] = [];
    await ran(out, one, [100], {}, async () => {
      second = (await ran(out, one, many)).rendered;
    });
    expect(second.toSorted((a, b) => a - b)).toEqual(many);
    expect(second).not.toEqual(many);
    expect((await ran(temporary(), one, many)).rendered).toEqual(many);
  });

  it('of different settings do not meet, and both are in the index', async () => {
    const [out, reference] = [temporary(), temporary()];
    const others = [one, series({ seed: 1 }), series({ seed: 2 }), series({}, { layer: 'conv2' })];
    await Promise.all(others.map((of) => ran(out, of, channels)));
    for (const of of others) await ran(reference, of, channels);
    const { 'stitched_filters.png': grid, ...rest } = sums(out);
    const { 'stitched_filters.png': last, ...expected } = sums(reference);
    expect([grid, last]).not.toContain(undefined);
    expect(rest).toEqual(expected);
    const found = entries(out);
    expect(found).toHaveLength(others.length * (1 + channels.length));
    expect(new Set(found.map((entry) => entry.set)).size).toBe(others.length);
  });

  it('that want one name get two', async () => {
    const out = temporary();
    const fixed = { height: 60, width: 60 };
    const all = ['aa', 'bb', 'cc'].map((byte) =>
      series({ size: 60, steps: 30, finish: {} }, { fixed, model: { name: byte, digest: byte.repeat(32) } }),
    );
    await Promise.all(all.map((of) => ran(out, of, [0, 1])));
    const folders = readdirSync(join(out, 'conv1'));
    expect(folders).toHaveLength(3);
    expect(folders).toContain('keras');
    for (const of of all) expect((await ran(out, of, [0, 1])).rendered).toEqual([]);
  });

  it('that want one name at the very same moment get two, and nothing found in the first is taken along', async () => {
    const out = temporary();
    const fixed = { height: 60, width: 60 };
    const [a, b] = ['aa', 'bb'].map((byte) =>
      series({ size: 60, steps: 30, finish: {} }, { fixed, model: { name: byte, digest: byte.repeat(32) } }),
    );
    await ran(out, a!, [0]);
    rmSync(join(out, 'conv1/keras/manifest.json'));
    const link: typeof node.link = async (from, to) => {
      // The other takes the name just before us.
      if (to === join(out, 'conv1/keras/manifest.json')) await ran(out, b!, [1]);
      await node.link(from, to);
    };
    const { events, rendered } = await ran(out, a!, [0], counting({ link }));
    expect(rendered).toEqual([0]);
    expect(events.at(-1)).toMatchObject({ folder: join(out, `conv1/keras-${a!.digest.slice(0, 6)}`) });
    expect(manifestOf(out, 'conv1/keras').series).toBe(b!.digest);
    expect(manifestOf(out, `conv1/keras-${a!.digest.slice(0, 6)}`).filters).toMatchObject([{ status: 'done' }]);
  });

  it('notice if a damaged manifest let another take the folder', async () => {
    const out = temporary();
    await ran(out, one, [0]);
    const theirs = readFileSync(join(out, set, 'manifest.json'), 'utf8').replaceAll(one.digest, 'e'.repeat(64));
    const write = (): void => writeFileSync(join(out, set, 'manifest.json'), theirs);
    await expect(ran(out, one, [1], {}, write)).rejects.toMatchObject({
      code: 'filesystem',
      message: expect.stringContaining('was taken by a run of other settings'),
    });
    expect(readFileSync(join(out, set, 'manifest.json'), 'utf8')).toBe(theirs);
  });

  it('work without hard links too', async () => {
    const [out, reference] = [temporary(), temporary()];
    await ran(reference, one, channels);
    await ran(out, one, channels, counting({ link: () => Promise.reject(failing('ENOTSUP')) }));
    expect(sums(out)).toEqual(sums(reference));
  });
});

describe('the cost of a picture', () => {
  it('is the same for the first and for the two thousandth', async () => {
    const cost = async (count: number): Promise<{ calls: number; bytes: number }> => {
      const { fs, counts } = counting({}, { sync: false });
      const at: { calls: number; bytes: number }[] = [];
      const many = Array.from({ length: count }, (_, i) => 1000 + i);
      await ran(temporary(), one, many, { fs }, () => at.push({ ...counts }));
      const between = (from: number, to: number): { calls: number; bytes: number } => ({
        calls: (at[to]!.calls - at[from]!.calls) / (to - from),
        bytes: (at[to]!.bytes - at[from]!.bytes) / (to - from),
      });
      const [first, last] = [between(0, 5), between(count - 6, count - 1)];
      expect(last.calls).toBe(first.calls);
      // Pixels and losses compress to more or less.
      expect(Math.abs(last.bytes - first.bytes)).toBeLessThan(0.05 * first.bytes);
      return first;
    };
    const [few, many] = [await cost(10), await cost(2000)];
    expect(many.calls).toBe(few.calls);
    expect(Math.abs(many.bytes - few.bytes)).toBeLessThan(0.05 * few.bytes);
    // No more than the picture and its line.
    const bytes = encodePicture(one.expected(1000), pictureOf(one, 1000)).length;
    expect(few.bytes).toBeLessThan(1.05 * bytes + 300);
  }, 60_000);
});

describe('failures of the file system', () => {
  it('end a run with a sentence when the disk fills up, and it goes on when there is room', async () => {
    const out = temporary();
    let room = 2;
    const open = (async (path: string, flags: string) => {
      const file = await node.open(path, flags);
      // A picture's temporary: the third finds no room.
      if (flags !== 'wx' || room-- > 0) return file;
      await file.writeFile('half');
      return Object.assign(file, { writeFile: () => Promise.reject(failing('ENOSPC')) });
    }) as typeof node.open;
    // The manifest and the mark.
    room += 2;
    await expect(ran(out, one, channels, counting({ open }))).rejects.toMatchObject({
      code: 'filesystem',
      message: `${join(out, set, '2.png')} cannot be written: the disk is full (ENOSPC); free some space and run again, what is finished is kept`,
    });
    expect(files(out)).toEqual([`${set}/0.png`, `${set}/1.png`, `${set}/manifest.json`, 'index.jsonl']);
    expect(statuses(out).map(([, status]) => status)).toEqual(Array(4).fill('pending'));
    expect((await ran(out, one, channels)).rendered).toEqual([2, 7]);
  });

  it.each([
    ['EROFS', /the file system is read-only/],
    ['EACCES', /not permitted/],
  ])('say %s of the folder', async (code, message) => {
    const mkdir = (() => Promise.reject(failing(code))) as typeof node.mkdir;
    const out = temporary();
    await expect(ran(out, one, channels, counting({ mkdir }))).rejects.toMatchObject({
      code: 'filesystem',
      message: expect.stringMatching(message),
      details: { path: join(out, 'conv1') },
    });
    await ran(out, one, channels);
    const rename = (() => Promise.reject(failing(code))) as typeof node.rename;
    await expect(ran(out, one, channels, counting({ rename }))).rejects.toMatchObject({
      message: expect.stringMatching(message),
    });
  });

  it('say what is in the way of the folder', async () => {
    const out = join(temporary(), 'out');
    writeFileSync(out, 'x');
    await expect(ran(out, one, channels)).rejects.toMatchObject({
      code: 'filesystem',
      message: expect.stringMatching(/out.*a part of the path is a file/),
    });
  });

  it('sweep what killed runs left, above and below', async () => {
    const out = temporary();
    await ran(out, one, [0]);
    const old = new Date(Date.now() - 48 * 3600 * 1000);
    const left = ['', set].map((folder) => join(out, folder, '.phosphene-tmp-ffffffff-1-000000000000'));
    for (const file of left) {
      writeFileSync(file, 'x');
      await node.utimes(file, old, old);
    }
    await ran(out, one, [0, 1]);
    expect(left.filter((file) => existsSync(file))).toEqual([]);
  });
});
