/** @file The list of published models, and the folder their weights go to. */
import { describe, expect, it } from 'vitest';
import { cacheFolder } from '../../src/hub/cache.ts';
import { findModel, models } from '../../src/hub/models.ts';

describe('published models', () => {
  it('are found by name, however it is written', () => {
    expect(findModel('ResNet50-V2')).toMatchObject({
      name: 'resnet50v2',
      md5: 'fac2f116257151a9d068a22e544a4917',
      preprocess: 'tf',
    });
    expect(findModel('resnet152').preprocess).toBe('caffe');
  });

  it('are suggested for a name that is nearly right', () => {
    expect(() => findModel('resnet50v3')).toThrow(
      expect.objectContaining({ code: 'unknown-model', message: expect.stringContaining('`resnet50v2`') }),
    );
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
