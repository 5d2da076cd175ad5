/** @file The comparison of pictures itself: what it must see in every reference, what it must not mind, and what it leaves behind. */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { raster, type Raster } from '../src/output/raster.ts';
import { Random } from '../src/random.ts';
import { temporary } from './cli/command.ts';
import { differences } from './difference.ts';
import { expectPicture, referencePicture } from './pictures.ts';

type Sample = (x: number, y: number, channel: number) => number;

/** A picture whose samples are found in another's. */
function remade(from: Raster, sample: (at: Sample) => Sample): Raster {
  const { width, height } = from;
  const inside = (v: number, side: number): number => Math.min(side - 1, Math.max(0, v));
  const value = sample((x, y, c) => from.data[3 * (inside(y, height) * width + inside(x, width)) + c]!);
  const samples = Array.from({ length: from.data.length }, (_, i) => {
    const pixel = Math.floor(i / 3);
    return Math.min(255, Math.max(0, Math.round(value(pixel % width, Math.floor(pixel / width), i % 3))));
  });
  return raster(width, height, Uint8Array.from(samples));
}

const folder = fileURLToPath(new URL('render/references', import.meta.url));
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.png') && !file.endsWith('-changed.png'))
  .map((file) => file.slice(0, -'.png'.length));
const references = names.map((name) => ({ name, picture: referencePicture(name, folder) }));

describe.each(references)('beside the reference $name', ({ name, picture }) => {
  const { width, height } = picture;
  const wrong: Record<string, (at: Sample) => Sample> = {
    'red and blue swapped': (at) => (x, y, c) => at(x, y, 2 - c),
    'green and blue swapped': (at) => (x, y, c) => at(x, y, [0, 2, 1][c]!),
    'red and green swapped': (at) => (x, y, c) => at(x, y, [1, 0, 2][c]!),
    'a picture without colour': (at) => (x, y) => (at(x, y, 0) + at(x, y, 1) + at(x, y, 2)) / 3,
    'a mirrored picture': (at) => (x, y, c) => at(width - 1 - x, y, c),
    'an upside-down picture': (at) => (x, y, c) => at(x, height - 1 - y, c),
    'rows taken for columns': (at) => (x, y, c) => at(y, x, c),
    'a negative': (at) => (x, y, c) => 255 - at(x, y, c),
    'a crop one pixel to the left': (at) => (x, y, c) => at(x - 1, y, c),
    'a crop one pixel down': (at) => (x, y, c) => at(x, y + 1, c),
    'a tenth less contrast': (at) => (x, y, c) => 127.5 + 0.9 * (at(x, y, c) - 127.5),
    'a tenth more contrast': (at) => (x, y, c) => 127.5 + 1.1 * (at(x, y, c) - 127.5),
    'a brighter picture': (at) => (x, y, c) => at(x, y, c) + 10,
    'a blurred picture': (at) => (x, y, c) =>
      (at(x, y, c) + at(x + 1, y, c) + at(x, y + 1, c) + at(x + 1, y + 1, c)) / 4,
    'another place pasted over one': (at) => (x, y, c) =>
      x > 50 && x < 92 && y > 50 && y < 92 ? at(x - 50, y - 50, c) : at(x, y, c),
    'a flat picture': () => () => 127,
  };

  it.each(Object.keys(wrong))('sees %s', (kind) => {
    expect(differences(remade(picture, wrong[kind]!), picture)).not.toEqual([]);
  });

  it('sees another reference', () => {
    for (const other of references)
      if (other.name !== name) expect(differences(other.picture, picture)).not.toEqual([]);
  });

  it('does not mind the last bits of the samples', () => {
    const random = new Random(name);
    const noisy = remade(picture, (at) => (x, y, c) => at(x, y, c) + random.next(-1, 1));
    expect(differences(noisy, picture)).toEqual([]);
  });
});

describe('expectPicture', () => {
  const noise = (key: string): Raster => raster(40, 30, Uint8Array.from(new Random(key).uniform(3600, 0, 256)));
  let out: string;
  beforeEach(() => {
    out = temporary();
    vi.stubEnv('UPDATE_PICTURES', undefined);
  });
  afterEach(() => {
    rmSync(out, { recursive: true });
    vi.unstubAllEnvs();
  });

  it('without a reference fails and says how to make one', () => {
    expect(() => expectPicture(noise('a'), 'new', out)).toThrow(/new\.png: no reference yet; UPDATE_PICTURES=1/);
    expect(existsSync(join(out, 'new.png'))).toBe(false);
  });

  it('writes a reference when told to, and holds to it from then on', () => {
    vi.stubEnv('UPDATE_PICTURES', '1');
    expectPicture(noise('a'), 'new', out);
    vi.stubEnv('UPDATE_PICTURES', undefined);
    expectPicture(noise('a'), 'new', out);
    expect(() => expectPicture(noise('b'), 'new', out)).toThrow('new has changed: form');
  });

  it('leaves the changed picture beside the reference until they are alike again', () => {
    vi.stubEnv('UPDATE_PICTURES', '1');
    expectPicture(noise('a'), 'new', out);
    vi.stubEnv('UPDATE_PICTURES', undefined);
    expect(() => expectPicture(noise('b'), 'new', out)).toThrow(join(out, 'new-changed.png'));
    expect(referencePicture('new-changed', out)).toEqual(noise('b'));
    expectPicture(noise('a'), 'new', out);
    expect(readdirSync(out)).toEqual(['new.png']);
  });

  it('sees another size', () => {
    vi.stubEnv('UPDATE_PICTURES', '1');
    expectPicture(noise('a'), 'new', out);
    vi.stubEnv('UPDATE_PICTURES', undefined);
    expect(() => expectPicture(raster(30, 40), 'new', out)).toThrow('size 30x40 for 40x30');
  });

  it('takes flat pictures of one grey for the same, and of another for another', () => {
    const flat = (grey: number): Raster => raster(40, 30, new Uint8Array(3600).fill(grey));
    expect(differences(flat(9), flat(9))).toEqual([]);
    expect(differences(flat(19), flat(9)).join()).toMatch(/^brightness 10/);
  });
});
