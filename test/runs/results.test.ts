/** @file Reading a folder of results back. */
import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Manifest } from '../../src/runs/manifest.ts';
import { parseManifest } from '../../src/runs/manifest.ts';
import { readResults } from '../../src/runs/results.ts';
import { json, pictureOf, ran, series, temporary } from './fake.ts';

const one = series();
const two = series({ seed: 1 }, { layer: 'Conv2' });
const set = `conv1/${one.folders[0]}`;
const other = `${two.layerFolder}/${two.folders[0]}`;

async function filled(): Promise<string> {
  const out = temporary();
  await ran(out, one, [10, 2, 0]);
  await ran(out, one, [3]);
  await ran(out, two, [5]);
  return out;
}

const known = (of: typeof one, channel: number, name: string): object => ({
  channel,
  file: `${name}/${channel}.png`,
  activation: pictureOf(of, channel).losses.at(-1),
});

describe('readResults', () => {
  it('gives every set and picture that is there, with all that is known of them', async () => {
    const out = await filled();
    const { sets, malformed } = await readResults(out);
    expect(malformed).toBe(0);
    expect(sets.map(({ name }) => name)).toEqual([other, set].sort());
    expect(sets.find(({ name }) => name === set)).toEqual({
      name: set,
      layer: 'conv1',
      model: 'toy',
      preset: 'keras',
      manifest: json(out, set, 'manifest.json'),
      grid: `${set}/stitched_filters.png`,
      pictures: [0, 2, 3, 10].map((channel) => known(one, channel, set)),
    });
    expect(sets.find(({ name }) => name === other)).toMatchObject({ layer: 'Conv2', pictures: [{ channel: 5 }] });
  });

  it('goes by manifests if there is no index, and by the index if there are no manifests', async () => {
    const out = await filled();
    const before = await readResults(out);
    rmSync(join(out, set, 'manifest.json'));
    writeFileSync(join(out, other, 'manifest.json'), '{"format":"phosphene-manifest/2"}');
    const byIndex = await readResults(out);
    expect(byIndex.sets).toEqual(before.sets.map((found) => ({ ...found, manifest: undefined })));
    rmSync(join(out, 'index.jsonl'));
    const byNothing = await readResults(out);
    expect(byNothing.sets.find(({ name }) => name === set)).toEqual({
      name: set,
      grid: `${set}/stitched_filters.png`,
      pictures: [0, 2, 3, 10].map((channel) => ({ channel, file: `${set}/${channel}.png` })),
    });
    await ran(out, one, [3]);
    rmSync(join(out, 'index.jsonl'));
    const byManifest = (await readResults(out)).sets.find(({ name }) => name === set)!;
    expect(byManifest).toMatchObject({ layer: 'conv1', model: 'toy', preset: 'keras' });
    expect(byManifest.pictures[2]).toEqual(known(one, 3, set));
    expect(byManifest.pictures[0]).toEqual({ channel: 0, file: `${set}/0.png` });
  });

  it('says nothing of pictures that are gone, and not that one is done which is pending', async () => {
    const out = await filled();
    const manifest = json<Manifest>(out, set, 'manifest.json');
    const filters = [{ channel: 3, status: 'pending', file: '3.png', activation: null }];
    writeFileSync(join(out, set, 'manifest.json'), JSON.stringify({ ...manifest, filters }));
    rmSync(join(out, set, '10.png'));
    rmSync(join(out, set, 'stitched_filters.png'));
    const found = (await readResults(out)).sets.find(({ name }) => name === set)!;
    // The index knows better than a manifest that was never finished.
    expect(found.pictures).toEqual([0, 2, 3].map((channel) => known(one, channel, set)));
    expect(found).not.toHaveProperty('grid');
  });

  it('takes the newest line of a picture, with its diagnosis', async () => {
    const out = await filled();
    const line = { type: 'picture', set, channel: 0, digest: 'f'.repeat(64), activation: -1, diagnosis: 'not-rising' };
    appendFileSync(join(out, 'index.jsonl'), `${JSON.stringify(line)}\n{"type"\n`);
    const { sets, malformed } = await readResults(out);
    expect(malformed).toBe(1);
    expect(sets.find(({ name }) => name === set)!.pictures[0]).toEqual({
      channel: 0,
      file: `${set}/0.png`,
      activation: -1,
      diagnosis: 'not-rising',
    });
  });

  it('leaves out what is foreign, and follows no links', async () => {
    const out = await filled();
    const before = await readResults(out);
    const outside = temporary();
    await ran(outside, one, [0]);
    symlinkSync(join(outside, 'conv1'), join(out, 'linked'));
    symlinkSync(join(outside, set), join(out, 'conv1', 'linked'));
    symlinkSync(join(outside, set, '0.png'), join(out, set, '1.png'));
    mkdirSync(join(out, set, '4.png'));
    mkdirSync(join(out, 'foreign', 'folder'), { recursive: true });
    for (const name of ['01.png', '-1.png', '1.png.txt', 'x1.png', '12345678901.png', 'cat.png'])
      writeFileSync(join(out, set, name), 'x');
    writeFileSync(join(out, 'conv1', 'file'), 'x');
    const lines = ['../..', 'linked/x', '__proto__', 'conv1'].map((name) =>
      JSON.stringify({ type: 'picture', set: name, channel: 0, digest: '', activation: 1 }),
    );
    appendFileSync(join(out, 'index.jsonl'), `${lines.join('\n')}\n`);
    expect(await readResults(out)).toEqual(before);
  });

  it('finds nothing in an empty folder, and explains one that is not there', async () => {
    expect(await readResults(temporary())).toEqual({ sets: [], malformed: 0 });
    await expect(readResults(join(temporary(), 'none'))).rejects.toMatchObject({
      code: 'filesystem',
      message: expect.stringContaining('none cannot be read: no such file or folder'),
    });
  });
});

describe('parseManifest', () => {
  const parse = (value: unknown): unknown => parseManifest(new TextEncoder().encode(JSON.stringify(value)));

  it('gives back a manifest, and nothing that is none', async () => {
    const out = await filled();
    const good = json<Manifest>(out, set, 'manifest.json');
    const [filter] = good.filters;
    expect(parse(good)).toEqual(good);
    expect(parse({ ...good, grid: { ...good.grid, columns: 3 } })).toBeDefined();
    expect(parse({ ...good, filters: [{ ...filter, diagnosis: 'not-rising', hint: 'x' }] })).toBeDefined();
    const wrong: object[] = [
      ...Object.keys(good).map((key) => ({ [key]: undefined })),
      ...Object.keys(good).map((key) => ({ [key]: null })),
      { format: 'phosphene-manifest/1' },
      { series: 'F'.repeat(64) },
      { series: 'f'.repeat(63) },
      { algorithm: 1.5 },
      { recipe: {} },
      { recipe: { model: { name: 1 } } },
      { grid: { ...good.grid, file: '../evil.png' } },
      { grid: { ...good.grid, columns: -1 } },
      { grid: { ...good.grid, margin: 'x' } },
      { filters: {} },
      { filters: [null] },
      { filters: [{ ...filter, channel: -1, file: '-1.png' }] },
      { filters: [{ ...filter, file: '../../evil.png' }] },
      { filters: [{ ...filter, status: 'x' }] },
      { filters: [{ ...filter, activation: 'x' }] },
      { filters: [{ ...filter, diagnosis: 'x' }] },
      { filters: [{ ...filter, hint: 1 }] },
    ];
    for (const changes of wrong) expect(parse({ ...good, ...changes }), JSON.stringify(changes)).toBeUndefined();
    for (const value of [null, 1, 'x', []]) expect(parse(value)).toBeUndefined();
    expect(parseManifest(Uint8Array.of(0xff, 0xfe))).toBeUndefined();
    expect(parseManifest(new TextEncoder().encode('{'))).toBeUndefined();
  });
});
