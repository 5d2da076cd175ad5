/** @file `measure`: what a folder of photos gives, as options that `render` takes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { measureCommand } from '../../src/cli/measure.ts';
import { measure } from '../../src/cli/core/measure.ts';
import { pictureSettings, recipeOptions } from '../../src/cli/settings.ts';
import { encodePng } from '../../src/output/png.ts';
import { raster } from '../../src/output/raster.ts';
import { Random } from '../../src/random.ts';
import { settle } from '../../src/render/recipe.ts';
import { rejected } from '../thrown.ts';
import { temporary } from './command.ts';
import { said } from './fake.ts';

/** The command on a core that gives short lists. */
function measuring() {
  const asked: unknown[] = [];
  const command = measureCommand(async () => async (request) => {
    asked.push(request);
    return { colour: [1, 2], spectrum: [3.5, -4] };
  });
  return { asked, entries: { measure: { summary: 'Measures', load: async () => command } } };
}

describe('measure', () => {
  it('prints options of render, one a line', async () => {
    const { asked, entries } = measuring();
    expect(await said(['measure', 'photos'], entries)).toEqual({
      code: 0,
      stdout: '--colour=1,2\n--spectrum=3.5,-4\n',
      stderr: '',
    });
    expect(asked).toEqual([{ folder: 'photos', only: undefined }]);
    await said(['measure', 'photos', '--only', 'colour'], entries);
    expect(asked[1]).toEqual({ folder: 'photos', only: 'colour' });
  });
  it('prints JSON', async () => {
    const { stdout } = await said(['measure', 'photos', '--json'], measuring().entries);
    expect(JSON.parse(stdout)).toEqual({ colour: [1, 2], spectrum: [3.5, -4] });
  });
  it('needs a folder', async () => {
    const { code, stderr } = await said(['measure'], measuring().entries);
    expect([code, stderr]).toEqual([2, 'phosphene: FOLDER: the path of a folder of photos is needed\n']);
  });
  it('measures photos of a folder, and what it gives is taken', { timeout: 60_000 }, async () => {
    const folder = temporary();
    mkdirSync(join(folder, 'more'));
    const bytes = Uint8Array.from(new Random('photo').uniform(3 * 256 * 256, 0, 256));
    writeFileSync(join(folder, 'more', 'a.png'), encodePng(raster(256, 256, bytes)));
    writeFileSync(join(folder, 'notes.txt'), 'no photo');
    const found = await measure({ folder, only: undefined });
    expect(found.colour).toHaveLength(9);
    expect(found.spectrum).toHaveLength(336);
    const given = Object.fromEntries(
      Object.entries(found).map(([name, numbers]) => [
        name,
        pictureSettings[name]!.parse((numbers as number[]).join()),
      ]),
    );
    expect(settle(recipeOptions({ param: 'maco', ...given })).param).toEqual({ kind: 'maco', ...found });
    expect(Object.keys(await measure({ folder, only: 'colour' }))).toEqual(['colour']);
    expect(Object.keys(await measure({ folder, only: 'spectrum' }))).toEqual(['spectrum']);
    // White noise has no slope.
    const ring = (r: number): number => found.spectrum!.slice(7 * r, 7 * r + 7).reduce((a, b) => a + b) / 7;
    expect(Math.abs(ring(14) - ring(8))).toBeLessThan(0.2);
  });
  it('says of a folder that it is not there', async () => {
    const error = await rejected(measure({ folder: '/no/such/folder', only: 'colour' }));
    expect(error.code).toBe('filesystem');
    expect(error.message).toBe(
      '/no/such/folder: this folder cannot be read; give the path of a folder of JPEG, PNG or WebP files',
    );
  });
});
