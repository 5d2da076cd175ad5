/** @file Files of weights alone, opened as a published architecture: by its name, or by the number of weights. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findModel } from '../../src/hub/models.ts';
import { openModel } from '../../src/hub/open.ts';
import { weighted } from '../../src/import/keras/index.ts';
import { knownPreprocess } from '../../src/import/preprocess.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { isLazy, sizeOf } from '../../src/ir/tensor.ts';
import { type FixtureWeight, writeFixture } from '../import/fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'phosphene-weights-'));
const at = (name: string): string => join(folder, name);
const size = { height: 33, width: 32 };

/** The weights of a small published network; those of its i-th layer are all i. */
async function layersOf(name: string): Promise<[string, FixtureWeight[]][]> {
  const topology = await findModel(name).topology();
  return weighted(topology, { channels: 3, height: 224, width: 224 }).map(({ owner, weights }, i) => [
    owner.name,
    weights.map((w) => ({
      name: `${owner.name}/${w.name}:0`,
      shape: w.dims,
      data: new Float32Array(sizeOf(w.dims)).fill(i),
    })),
  ]);
}

beforeAll(async () => {
  const layers = await layersOf('mobilenet-0.25');
  await writeFixture(folder, 'mine.h5', Object.fromEntries(layers));
  const renamed = layers.map(([, weights], i) => [`part${i}`, weights] as const);
  await writeFixture(folder, 'renamed.h5', Object.fromEntries(renamed));
  await writeFixture(folder, 'notop.h5', Object.fromEntries(renamed.slice(0, -1)));
  await writeFixture(folder, 'own-head.h5', {
    ...Object.fromEntries(renamed.slice(0, -1)),
    dense: [{ name: 'dense/kernel:0', shape: [256, 3], data: new Float32Array(768) }],
  });
  await writeFixture(folder, 'part.h5', Object.fromEntries(layers.slice(0, 4)));
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

/** The first number of a constant whose name holds `part`. */
function numberIn(graph: Graph, part: string): number {
  const [, constant] = [...graph.constants].find(([name]) => name.includes(part))!;
  if (isLazy(constant)) throw new Error('not read');
  return Number(constant.data[0]);
}

describe('a file of weights', () => {
  it.each(['mine.h5', 'renamed.h5', 'notop.h5', 'own-head.h5'])(
    '%s is opened as the architecture that is named',
    async (file) => {
      await using network = await openModel(at(file), { architecture: 'MobileNet-0.25' });
      expect(network).toMatchObject({
        name: file,
        defaultLayer: 'conv_pw_11_relu',
        input: { channels: 3, preprocess: knownPreprocess.tf, from: 'known' },
      });
      const { layers } = network.layers(size);
      expect(layers.at(-1)!.name).toBe('predictions');
      // The convolutions and normalisations before it are 4 × 12 + 2.
      const graph = await network.cut(['conv_dw_13'], size);
      expect(numberIn(graph, 'conv_dw_13')).toBe(50);
      const last = network.cut(['predictions'], size);
      if (file === 'mine.h5' || file === 'renamed.h5') expect(numberIn(await last, 'conv_preds')).toBe(54);
      else
        await expect(last).rejects.toMatchObject({
          code: 'missing-weights',
          message: expect.stringContaining('no `kernel` for layer `conv_preds`; choose a target before that layer'),
        });
    },
  );

  it.each([
    ['renamed.h5', 'mobilenet-0.25'],
    ['notop.h5', 'mobilenet-0.25-notop'],
  ])('%s is recognised by the number of its weights', async (file, architecture) => {
    await using network = await openModel(at(file));
    expect(network.name).toBe(file);
    expect(network.input).toEqual({ channels: 3, preprocess: knownPreprocess.tf, from: 'inferred' });
    const named = await openModel(architecture);
    expect(network.layers(size).layers).toEqual(named.layers(size).layers);
    expect(numberIn(await network.cut(['conv1'], size), 'conv1')).toBe(0);
  });

  it('that holds a part of one is refused with what to do', async () => {
    await expect(openModel(at('part.h5'))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(
        /holds the weights of a Keras model and not its layers; it has those of `mobilenet`, so give that as its architecture$/,
      ),
      details: expect.objectContaining({ option: 'architecture', model: 'mobilenet' }),
    });
    await expect(openModel(at('own-head.h5'))).rejects.toThrow(/name the architecture that it is of/);
  });

  it('of another architecture is refused', async () => {
    await expect(openModel(at('mine.h5'), { architecture: 'resnet50' })).rejects.toMatchObject({
      code: 'bad-weights',
      message: expect.stringContaining(
        'these are not the weights of resnet50: it has 55 layers with weights, 107 are needed',
      ),
    });
  });

  it.each([
    ['resnet50', { architecture: 'resnet50' }, /resnet50: is the name of a model, whose architecture is known/],
    ['resnet50v2-mini', { architecture: 'resnet50' }, /is the name of a model/],
    [
      'mine.h5',
      { architecture: 'resnet50v2-mini' },
      /the architecture of resnet50v2-mini cannot be given other weights/,
    ],
    [
      'mine.h5',
      { architecture: 'vgg16', weights: 'x.h5' },
      /with an architecture this file is the weights; give no others/,
    ],
  ])('%s with %j is an error', async (model, options, message) => {
    await expect(openModel(model.includes('.h5') ? at(model) : model, options)).rejects.toMatchObject({
      code: 'bad-option',
      message: expect.stringMatching(message),
    });
  });

  it('may have an architecture that nobody knows', async () => {
    await expect(openModel(at('mine.h5'), { architecture: 'resnet51' })).rejects.toMatchObject({
      code: 'unknown-model',
      message: expect.stringContaining('did you mean'),
    });
    await expect(openModel(at('none.h5'), { architecture: 'resnet50' })).rejects.toMatchObject({ code: 'filesystem' });
  });
});

describe('VGG', () => {
  it('has a classifier for pictures of 224×224 only', async () => {
    await using network = await openModel('vgg16');
    const { layers, barrier } = network.layers({ height: 180, width: 180 });
    expect(layers.at(-1)!.name).toBe('flatten');
    expect(barrier).toMatchObject({
      code: 'shape',
      message: 'layer `fc1`: it takes 25088 numbers, and a picture of this size gives it 12800',
    });
    expect(network.layers({ height: 224, width: 224 }).layers.at(-1)!.name).toBe('predictions');
  });
});
