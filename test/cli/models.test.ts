/** @file `phosphene models`: what its core finds, as a table and as JSON. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishedModels } from '../../src/hub/published.ts';
import '../../src/cli/core/models.ts';
import { said } from './fake.ts';

const cache = mkdtempSync(join(tmpdir(), 'phosphene-models-'));
beforeAll(() => {
  mkdirSync(join(cache, 'keras'));
  writeFileSync(join(cache, 'keras', 'vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5'), '');
  writeFileSync(join(cache, 'keras', 'efficientnetb0.h5'), '');
});
afterAll(() => rmSync(cache, { recursive: true }));

const rowsOf = (stdout: string): string[][] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));

describe('phosphene models', () => {
  it('lists all with year, size, megabytes of both files, and what is cached', async () => {
    const { code, stdout, stderr } = await said(['models', '--cache', cache]);
    expect(code).toBe(0);
    const [head, mini, ...rows] = rowsOf(stdout);
    expect(head).toEqual(['name', 'year', 'trained at', 'MB', 'MB of -notop', 'cached']);
    expect(mini).toEqual(['resnet50v2-mini', '180×180', 'built in']);
    expect(rows.map(([name]) => name)).toEqual(publishedModels.map((m) => m.name));
    expect(rows.find(([name]) => name === 'vgg16')).toEqual(['vgg16', '2014', '224×224', '553', '59', '-notop']);
    expect(rows.find(([name]) => name === 'efficientnetb0')).toEqual([
      'efficientnetb0',
      '2019',
      '224×224',
      '21',
      '16',
      'yes',
    ]);
    expect(stderr).toMatch(/-notop is the model without its classifier/);
  });

  it('lists those whose names hold a word, however that is written', async () => {
    const { stdout } = await said(['models', 'ConvNeXt-', '--quiet']);
    expect(rowsOf(stdout).map(([name]) => name)).toEqual([
      'name',
      'convnexttiny',
      'convnextsmall',
      'convnextbase',
      'convnextlarge',
      'convnextxlarge',
    ]);
  });

  it('suggests names for one that nothing has', async () => {
    const { code, stderr } = await said(['models', 'vgg17']);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/`vgg17`: no model has a name like this; did you mean `vgg1[69]`/);
    expect((await said(['models', 'qqqqqqqqq'])).stderr).toMatch(/without a name all are listed/);
  });

  it('says all of it as JSON', async () => {
    const { stdout, stderr } = await said(['models', '--json', '--cache', cache]);
    expect(stderr).toBe('');
    const { models } = JSON.parse(stdout) as { models: readonly Record<string, unknown>[] };
    expect(models).toHaveLength(publishedModels.length + 1);
    expect(models.find((m) => m['name'] === 'vgg16')).toEqual({
      name: 'vgg16',
      year: 2014,
      size: 224,
      preprocess: 'caffe',
      defaultLayer: 'block5_conv1',
      full: {
        url: 'https://storage.googleapis.com/tensorflow/keras-applications/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5',
        hash: '64373286793e3c8b2b4e3219cbf3544b',
        parameters: 138_357_544,
        bytes: 553_430_176,
        cached: false,
      },
      noTop: {
        url: 'https://storage.googleapis.com/tensorflow/keras-applications/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5',
        hash: '6d6bbae143d832006294945121d1f1fc',
        parameters: 14_714_688,
        bytes: 58_858_752,
        cached: true,
      },
    });
  });
});
