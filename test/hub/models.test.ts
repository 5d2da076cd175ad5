/** @file The list of published models, and the folder their weights go to. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cacheFolder } from '../../src/hub/cache.ts';
import { findModel, isBuiltIn, modelNames, models } from '../../src/hub/models.ts';
import { type PublishedFile, publishedModels } from '../../src/hub/published.ts';
import { weighted } from '../../src/import/keras/index.ts';

describe('published models', () => {
  it('are found by name, however it is written', () => {
    expect(findModel('ResNet50-V2')).toMatchObject({
      name: 'resnet50v2',
      hash: '3ef43a0b657b3be2300d5770ece849e0',
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
    expect(message('alexnet')).toMatch(
      /no model has this name; `phosphene models` lists all \d+ \(resnet50v2-mini, resnet50v2, .*, …\), and model files are opened by path$/,
    );
    expect(message('resnet50v2-min')).toMatch(/did you mean.*`resnet50v2-mini`/);
    expect(message('Efficient-Net_V2_b9')).toMatch(/did you mean `efficientnetv2b/);
    expect(message('resnet-152')).toBe('resnet152');
    expect(message('resnet1522')).toMatch(/\(resnet152, /);
    expect(() => findModel('resnet1522')).toThrow(
      expect.objectContaining({ details: { name: 'resnet1522', known: expect.arrayContaining([...modelNames]) } }),
    );
  });

  it('are known without their classifier too', () => {
    expect(findModel('vgg16')).toMatchObject({ top: true, parameters: 138_357_544 });
    const noTop = findModel('VGG16-NoTop');
    expect(noTop).toMatchObject({ name: 'vgg16-notop', top: false, parameters: 14_714_688 });
    expect(noTop.url).toMatch(/vgg16_weights_tf_dim_ordering_tf_kernels_notop\.h5$/);
    expect(findModel('mobilenetv2_0.35').url).toMatch(/_0\.35_224\.h5$/);
  });

  it('have different names, addresses and counts', () => {
    for (const key of ['name', 'url', 'parameters'] as const)
      expect(new Set(models.map((m) => m[key])).size).toBe(models.length);
  });

  it('are those of the source of Keras, which test/oracles/keras_models.py wrote down', () => {
    const file = new URL('../oracles/keras-models/published.json', import.meta.url);
    const facts = JSON.parse(readFileSync(file, 'utf8')) as Record<string, object>;
    const ours = publishedModels.map(({ name, size, full, noTop }) => {
      // JSON has null for what Keras does not state.
      const stated = (f: PublishedFile) => ({ url: f.url, hash: f.hash ?? null, parameters: f.parameters });
      return [name, { size, full: stated(full), noTop: stated(noTop) }] as const;
    });
    expect(Object.fromEntries(ours)).toEqual(facts);
  });

  it.each(publishedModels.map((p) => [p.name, p] as const))(
    '%s has its default layer and as many parameters as Keras counts',
    async (name, { full, noTop, defaultLayer, size, topology }) => {
      for (const [top, { parameters }] of [
        [true, full],
        [false, noTop],
      ] as const) {
        const layers = await topology(top);
        const found = layers.find((l) => l.name === defaultLayer);
        expect(found, defaultLayer).toBeDefined();
        const counted = weighted(layers, { channels: 3, height: size, width: size })
          .flatMap((l) => l.weights)
          .reduce((sum, { dims }) => sum + dims.reduce((a, b) => a * b, 1), 0);
        // Keras counts a weight of its input normalisation that says how many pictures it has seen.
        expect(counted + (name.startsWith('efficientnetb') ? 1 : 0)).toBe(parameters);
      }
    },
  );
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
