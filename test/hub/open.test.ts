/** @file What is opened by name or path, what is read for it, and what is said of files that cannot be opened so. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { models } from '../../src/hub/models.ts';
import { openModel } from '../../src/hub/open.ts';
import { knownPreprocess } from '../../src/import/preprocess.ts';
import { writeFixture } from '../import/fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'phosphene-open-'));
afterAll(() => rmSync(folder, { recursive: true }));
const size = { height: 64, width: 64 };
const mini = fileURLToPath(new URL('../../models/resnet50v2-mini.onnx', import.meta.url));
const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** A file with the first convolution of a ResNet and nothing else, or with the names of all of them. */
async function weights(name: string, every = false): Promise<string> {
  const all = (await models[0]!.topology()).filter((l) => ['Conv2D', 'BatchNormalization'].includes(l.type));
  const layers = Object.fromEntries(
    all
      .slice(1)
      .map((l) => [l.name, every ? [{ name: `${l.name}/bias:0`, shape: [1], data: new Float32Array(1) }] : []]),
  );
  const first = [
    { name: 'conv1_conv/kernel:0', shape: [7, 7, 3, 64], data: new Float32Array(7 * 7 * 3 * 64).fill(0.5) },
    { name: 'conv1_conv/bias:0', shape: [64], data: new Float32Array(64) },
  ];
  return (await writeFixture(folder, name, { conv1_conv: first, ...layers })).path;
}

describe('a network by name', () => {
  it('is the built-in one, with its default layer and the digest of its file', async () => {
    await using network = await openModel('ResNet50V2_mini');
    expect(network).toMatchObject({
      name: 'resnet50v2-mini',
      defaultLayer: 'conv3_block4_out',
      input: { channels: 3, preprocess: knownPreprocess.tf },
    });
    expect(await network.digest()).toBe(sha256(mini));
    await expect(openModel('resnet50v2-mini', { weights: 'x.h5' })).rejects.toMatchObject({
      code: 'bad-option',
      details: expect.objectContaining({ option: 'weights' }),
    });
  });

  it.each(models.map((m) => [m.name, m.preprocess] as const))(
    'is %s, whose layers need no weights',
    async (name, preprocess) => {
      await using network = await openModel(name);
      expect(network.input).toEqual({ channels: 3, preprocess: knownPreprocess[preprocess], from: 'known' });
      // Inception needs 75 pixels.
      const size = { height: 96, width: 80 };
      const { layers, barrier } = network.layers(size);
      expect(layers.length).toBeGreaterThan(15);
      // The classifier of a VGG takes one size.
      expect(barrier?.code).toBe(name.startsWith('vgg') ? 'shape' : undefined);
      await expect(network.cut([network.defaultLayer], size)).rejects.toMatchObject({ code: 'missing-weights' });
      await expect(network.digest()).rejects.toMatchObject({ code: 'missing-weights' });
    },
  );

  it('fetches its weights once, when the first layer is cut', async () => {
    const file = await weights('fetched.h5');
    let fetched = 0;
    await using network = await openModel('resnet50v2', {
      async fetchWeights(name) {
        expect(name).toBe('resnet50v2');
        fetched++;
        return file;
      },
    });
    network.layers(size);
    expect(fetched).toBe(0);
    expect((await network.cut(['conv1_conv'], size)).outputs[0]!.dims).toEqual([1, 64, 32, 32]);
    expect(await network.digest()).toBe(sha256(file));
    await network.cut(['conv1_conv'], size);
    expect(fetched).toBe(1);
    await expect(network.cut(['conv2_block1_out'], size)).rejects.toMatchObject({ code: 'missing-weights' });
  });

  it('takes weights of the user’s, which are looked at now', async () => {
    await using network = await openModel('resnet50v2', { weights: await weights('given.h5'), preprocess: 'caffe' });
    expect(network.input).toEqual({ channels: 3, preprocess: knownPreprocess.caffe, from: 'given' });
    await network.cut(['conv1_conv'], size);
    await expect(openModel('resnet50v2', { weights: join(folder, 'none.h5') })).rejects.toMatchObject({
      code: 'filesystem',
    });
    writeFileSync(join(folder, 'text.h5'), 'hello');
    await expect(openModel('resnet50v2', { weights: join(folder, 'text.h5') })).rejects.toMatchObject({
      code: 'bad-file',
    });
  });

  it('that nobody has is refused with those that are near', async () => {
    await expect(openModel('resnet50v3')).rejects.toMatchObject({
      code: 'unknown-model',
      message: expect.stringContaining('did you mean'),
    });
  });
});

describe('a network from a file', () => {
  it('is opened by path, with any name and the preprocessing that is given', async () => {
    const path = join(folder, 'renamed');
    writeFileSync(path, readFileSync(mini));
    await using network = await openModel(path, { preprocess: 'raw' });
    expect(network).toMatchObject({ name: 'renamed', input: { preprocess: knownPreprocess.raw, from: 'given' } });
    await expect(openModel(path, { weights: 'x.h5' })).rejects.toThrow(
      'renamed: holds its own weights; x.h5 cannot take their place',
    );
  });

  it('that is missing is said to be, with the names that are known', async () => {
    await expect(openModel('./none.onnx')).rejects.toThrow(
      /^\.\/none\.onnx cannot be read: no such file.*resnet50v2-mini/,
    );
    await expect(openModel(folder)).rejects.toMatchObject({ code: 'filesystem' });
  });

  it('that holds weights alone is said to', async () => {
    const message = async (file: string): Promise<string> =>
      openModel(file).then(
        () => '',
        (e: Error) => e.message,
      );
    const { path } = await writeFixture(folder, 'other.h5', {
      dense: [{ name: 'dense/kernel:0', shape: [1], data: new Float32Array(1) }],
    });
    expect(await message(path)).toMatch(
      /name the architecture that it is of, if `phosphene models` lists it; else .* or convert the model to ONNX$/,
    );
  });
});
