/** @file Models in every format that Keras saves, as it wrote them, and what is said of those that cannot be built. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unzipSync, zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../src/hub/open.ts';
import { openNetwork } from '../../src/import/formats.ts';
import { IMAGE, type Network } from '../../src/import/network.ts';
import { bytesSource } from '../../src/import/source.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { nchw } from '../oracles/gradient.ts';
import { sharedPath } from '../shared.ts';

const fixtures = sharedPath('golden/keras/fixtures');
const toy = (): { input_nhwc: number[]; input_shape: number[]; output: number[] } =>
  JSON.parse(readFileSync(join(fixtures!, 'toy.io.json'), 'utf8'));

/** The output of a network's last layer for the recorded input. */
async function outputOf(network: Network): Promise<number[]> {
  const { input_nhwc: values, input_shape: dims } = toy();
  const [, height, width, channels] = dims as [number, number, number, number];
  const size = { height, width };
  const { layers, barrier } = network.layers(size);
  expect(barrier).toBeUndefined();
  const last = layers.at(-1)!.name;
  const program = await nodeRuntime.compile(await network.cut([last], size));
  const image = new Float32Array(values.length);
  values.forEach((v, i) => (image[nchw(i, dims)] = v));
  const out = await program.run({ [IMAGE]: float32(image, [1, channels, height, width]) });
  await program.dispose();
  return Array.from(out[last]!.data as Float32Array);
}

/** A model in which two nested ones are called again, and a layer too: name and path of each call. */
const NESTED = [
  'conv2d fn/conv2d',
  'fn',
  'fn:1/conv2d',
  'fn:1',
  'conv2d_1 sq/conv2d_1',
  'sq',
  'sq:1/conv2d_1',
  'sq:1',
  'shared',
  'shared:1',
  'fn:2/conv2d',
  'fn:2',
];

const open = async (file: string): Promise<Network> =>
  openNetwork(bytesSource(file, readFileSync(join(fixtures!, file))), { preprocess: 'tf' });

describe.skipIf(!fixtures)('files that Keras wrote (needs shared/golden)', () => {
  let folder = '';
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'phosphene-keras-'))));
  afterAll(() => rmSync(folder, { recursive: true }));

  const expectToy = async (network: Network): Promise<void> => {
    const found = await outputOf(network);
    const { output } = toy();
    expect(found).toHaveLength(output.length);
    output.forEach((v, i) => expect(found[i]).toBeCloseTo(v, 4));
    await network.close();
  };

  it.each(['toy.keras', 'toy.h5'])('%s gives the recorded output', async (file) => {
    await expectToy(await open(file));
  });

  it('a .keras file that was packed again, by deflating, gives it too', async () => {
    const bytes = zipSync(unzipSync(readFileSync(join(fixtures!, 'toy.keras'))), { level: 6 });
    await expectToy(await openNetwork(bytesSource('toy.keras', bytes), { preprocess: 'tf' }));
  });

  it('so does its folder, and the configuration with weights of each layout', async () => {
    const members = unzipSync(readFileSync(join(fixtures!, 'toy.keras')));
    const unpacked = join(folder, 'unpacked');
    mkdirSync(unpacked);
    for (const [name, bytes] of Object.entries(members)) writeFileSync(join(unpacked, name), bytes);
    await expectToy(await openModel(unpacked, { preprocess: 'tf' }));
    await expectToy(await openModel(join(unpacked, 'config.json'), { preprocess: 'tf' }));
    const alone = join(folder, 'toy.json');
    cpSync(join(unpacked, 'config.json'), alone);
    for (const weights of ['toy.weights.h5', 'toy.h5'])
      await expectToy(await openModel(alone, { preprocess: 'tf', weights: join(fixtures!, weights) }));
    const without = await openModel(alone, { preprocess: 'tf' });
    const { layers } = without.layers({ height: 16, width: 16 });
    expect(layers.length).toBeGreaterThan(10);
    await expect(without.cut([layers.at(-1)!.name], { height: 16, width: 16 })).rejects.toThrow(
      expect.objectContaining({
        code: 'missing-weights',
        message: `${alone}: no weights; give a file of them, such as \`model.save_weights()\` writes`,
      }),
    );
  });

  it.each([
    ['n.h5', NESTED],
    ['s.h5', ['aa', 'batch_normalization', 'bb']],
    ['s.keras', ['aa', 'batch_normalization', 'bb']],
  ])('%s lists its layers and is cut at each', async (file, expected) => {
    const network = await open(file);
    const size = { height: network.input.size?.height ?? 16, width: network.input.size?.width ?? 16 };
    const { layers, barrier } = network.layers(size);
    expect(barrier).toBeUndefined();
    expect(layers.map(({ name, path }) => (path ? `${name} ${path}` : name))).toEqual(expected);
    const graph = await network.cut(
      layers.map((l) => l.name),
      size,
    );
    expect(graph.outputs).toHaveLength(layers.length);
    await (await nodeRuntime.compile(graph)).dispose();
  });

  it('weights alone say what they need', async () => {
    await expect(open('toy.weights.h5')).rejects.toThrow(
      expect.objectContaining({
        code: 'bad-file',
        message: expect.stringMatching(/^toy\.weights\.h5: holds the weights of a Keras model and not its layers/),
      }),
    );
  });
});
