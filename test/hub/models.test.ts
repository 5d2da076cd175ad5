/** @file The list of published models, and the folder their weights go to. */
import { describe, expect, it } from 'vitest';
import { cacheFolder } from '../../src/hub/cache.ts';
import { findModel, isBuiltIn, modelNames, models } from '../../src/hub/models.ts';

describe('published models', () => {
  it('are found by name, however it is written', () => {
    expect(findModel('ResNet50-V2')).toMatchObject({
      name: 'resnet50v2',
      md5: 'fac2f116257151a9d068a22e544a4917',
      preprocess: 'tf',
    });
    expect(findModel('resnet152').preprocess).toBe('caffe');
    expect(isBuiltIn('ResNet50V2_mini')).toBe(true);
    expect(isBuiltIn('resnet50v2')).toBe(false);
  });

  it('are suggested for a name that is nearly right', () => {
    expect(() => findModel('resnet50v3')).toThrow(
      expect.objectContaining({ code: 'unknown-model', message: expect.stringContaining('`resnet50v2`') }),
    );
  });

  it('are listed with the built-in one, nearest first, for a name that is unknown', () => {
    const message = (name: string): string => {
      try {
        return findModel(name).name;
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(message('vgg')).toMatch(
      /no model has this name \(known: resnet50v2-mini, resnet50v2, .*, and model files by path\)/,
    );
    expect(message('resnet50v2-min')).toMatch(/did you mean.*`resnet50v2-mini`/);
    expect(message('resnet-152')).toBe('resnet152');
    expect(message('resnet1522')).toMatch(/\(known: resnet152, /);
    for (const name of modelNames) expect(message('resnet1522')).toContain(name);
  });

  it('have different names, addresses and hashes', () => {
    for (const key of ['name', 'url', 'md5'] as const)
      expect(new Set(models.map((m) => m[key])).size).toBe(models.length);
    for (const { url, md5 } of models) {
      expect(url).toMatch(/^https:.*_notop\.h5$/);
      expect(md5).toMatch(/^[0-9a-f]{32}$/);
    }
  });
});

describe('the cache folder', () => {
  const linux = (env: Record<string, string>): string =>
    cacheFolder(undefined, { env, platform: 'linux', home: '/home/ada' });
  it('is the one asked for, else the system place', () => {
    expect(cacheFolder('/a', { env: { PHOSPHENE_CACHE: '/b' }, platform: 'linux', home: '/home/ada' })).toBe('/a');
    expect(linux({ PHOSPHENE_CACHE: '/b', XDG_CACHE_HOME: '/c' })).toBe('/b');
    expect(linux({ XDG_CACHE_HOME: '/c' })).toBe('/c/phosphene');
    expect(linux({ XDG_CACHE_HOME: 'relative' })).toBe('/home/ada/.cache/phosphene');
    expect(linux({ PHOSPHENE_CACHE: '' })).toBe('/home/ada/.cache/phosphene');
    expect(cacheFolder(undefined, { env: {}, platform: 'darwin', home: '/Users/ada' })).toBe(
      '/Users/ada/Library/Caches/phosphene',
    );
    expect(cacheFolder(undefined, { env: { LOCALAPPDATA: 'C:\\Local' }, platform: 'win32', home: 'C:\\ada' })).toBe(
      'C:\\Local\\phosphene\\Cache',
    );
  });
});
