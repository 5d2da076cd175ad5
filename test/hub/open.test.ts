<<<<<<< HEAD
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
  const all = models[0]!.topology().filter((l) => l.type === 'Conv2D');
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
      expect(network.layers(size).layers.length).toBeGreaterThan(150);
      expect(network.layers(size)).not.toHaveProperty('barrier');
      await expect(network.cut(['conv1_conv'], size)).rejects.toMatchObject({ code: 'missing-weights' });
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

  it('that holds weights alone is said to, with the model that they are of', async () => {
    const message = async (file: string): Promise<string> =>
      openModel(file).then(
        () => '',
        (e: Error) => e.message,
      );
    expect(await message(await weights('all.h5', true))).toMatch(
      /all\.h5: holds the weights of a Keras model and not its layers; it has those of `resnet50v2`, so open `resnet50v2` with this file as its weights$/,
    );
    const { path } = await writeFixture(folder, 'other.h5', {
      dense: [{ name: 'dense/kernel:0', shape: [1], data: new Float32Array(1) }],
    });
    expect(await message(path)).toMatch(
      /open the model that it belongs to by name \(resnet50v2, .*\) with this file as its weights, or convert the model to ONNX$/,
    );
=======
/** @file What a network is opened from: names, files, folders, weights beside them; and what is said if it is none. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileSource } from '../../src/hub/file-source.ts';
import { findModel } from '../../src/hub/models.ts';
import { openModel } from '../../src/hub/open.ts';
import { sha256 } from '../../src/import/source.ts';
import { writeFixture } from '../import/fixture.ts';
import { onnx } from '../import/protos.ts';

const size = { height: 32, width: 32 };
let folder = '';
const at = (name: string): string => join(folder, name);
const plain = onnx((b, x) => b.relu(x, 'act'));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'phosphene-open-'));
  writeFileSync(at('net.onnx'), plain);
  writeFileSync(
    at('model.json'),
    JSON.stringify({
      class_name: 'Sequential',
      config: {
        layers: [{ class_name: 'Conv2D', config: { name: 'c', filters: 2, kernel_size: 1, use_bias: false } }],
      },
    }),
  );
  await writeFixture(folder, 'c.h5', {
    c: [{ name: 'c/kernel:0', shape: [1, 1, 3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
  });
  await writeFixture(folder, 'other.h5', { odd: [{ name: 'odd/kernel:0', shape: [1], data: Float32Array.of(1) }] });
  const convolutions = findModel('resnet50')
    .topology()
    .filter((l) => ['Conv2D', 'BatchNormalization'].includes(l.type));
  await writeFixture(
    folder,
    'resnet.h5',
    Object.fromEntries(
      convolutions.map(({ name }) => [name, [{ name: `${name}/kernel:0`, shape: [1], data: Float32Array.of(1) }]]),
    ),
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('a network', () => {
  it('is opened by a path, and its digest is that of the file', async () => {
    const network = await openModel(at('net.onnx'), { preprocess: 'torch' });
    expect(network.name).toBe('net.onnx');
    expect(network.input.from).toBe('given');
    expect(await network.digest()).toBe(await sha256(plain));
    expect(network.layers(size).layers[0]!.name).toBe('act');
    await network[Symbol.asyncDispose]();
  });

  it('is opened by name, however that is written, without weights until they are needed', async () => {
    const network = await openModel('ResNet50-V2');
    expect(network).toMatchObject({ name: 'resnet50v2', defaultLayer: 'conv3_block4_out', input: { from: 'known' } });
    expect(network.layers(size).layers.at(-1)!.name).toBe('post_relu');
    await expect(network.cut(['conv1_conv'], size)).rejects.toThrow(
      expect.objectContaining({
        code: 'missing-weights',
        message: 'resnet50v2: no weights; give a file of them, or use the built-in model resnet50v2-mini',
      }),
    );
    await network.close();
    const other = await openModel('resnet50', { preprocess: 'raw' });
    expect(other.input).toMatchObject({ from: 'given', preprocess: { scale: [127.5, 127.5, 127.5] } });
    expect((await openModel('resnet50')).input.preprocess.order).toBe('bgr');
  });

  it('asks for its weights once', async () => {
    const asked: string[] = [];
    const network = await openModel('resnet50', {
      fetchWeights: async (name) => {
        asked.push(name);
        return at('resnet.h5');
      },
    });
    for (let i = 0; i < 2; i++)
      await expect(network.cut(['conv1_conv'], size)).rejects.toThrow(/is \[1\], the layer takes \[7, 7, 3, 64\]/);
    expect(await network.digest()).toMatch(/^[0-9a-f]{64}$/);
    expect(asked).toEqual(['resnet50']);
    await network.close();
  });

  it('is opened with the weights in a file, which is looked at now', async () => {
    await expect(openModel('resnet50', { weights: at('none.h5') })).rejects.toThrow(
      /none\.h5 .*give the path of a Keras `\.h5` weight file/,
    );
    await expect(openModel('resnet50', { weights: at('net.onnx') })).rejects.toThrow(
      expect.objectContaining({ code: 'bad-file' }),
    );
    const network = await openModel('resnet50', { weights: at('resnet.h5') });
    await expect(network.cut(['conv1_conv'], size)).rejects.toThrow(expect.objectContaining({ code: 'bad-weights' }));
    await network.close();
  });

  it('is opened from a configuration and its weights', async () => {
    const network = await openModel(at('model.json'), { weights: at('c.h5') });
    const { constants } = await network.cut(['c'], size);
    // From [in, out] to [out, in].
    expect(Array.from((constants.values().next().value as { data: Float32Array }).data)).toEqual([1, 3, 5, 2, 4, 6]);
    const alone = await openModel(at('model.json'));
    expect(await network.digest()).not.toBe(await alone.digest());
    await Promise.all([network.close(), alone.close()]);
    const wrong = await openModel(at('model.json'), { weights: at('other.h5') });
    await expect(wrong.cut(['c'], size)).rejects.toThrow(expect.objectContaining({ code: 'missing-weights' }));
    await wrong.close();
    await expect(openModel(at('model.json'), { weights: at('none.h5') })).rejects.toThrow(/none\.h5 cannot be read/);
  });
});

describe('what is no network', () => {
  it.each<[string, string, RegExp]>([
    [
      'weights of a published model',
      'resnet.h5',
      /resnet\.h5: holds the weights of a Keras model and not its layers; it has those of `resnet50`, so open `resnet50` with this file as its weights$/,
    ],
    [
      'weights of another',
      'c.h5',
      /c\.h5: holds the weights of a Keras model and not its layers; open the model that it belongs to by name \(resnet50v2, .*\) with this file as its weights, or convert the model to ONNX$/,
    ],
  ])('%s', async (_, name, message) => {
    await expect(openModel(at(name))).rejects.toThrow(
      expect.objectContaining({
        code: 'bad-file',
        message: expect.stringMatching(message),
        details: expect.objectContaining({ option: 'weights', path: at(name) }),
      }),
    );
  });

  it('a name or path that is not there', async () => {
    await expect(openModel('resnet50v3')).rejects.toThrow(expect.objectContaining({ code: 'unknown-model' }));
    await expect(openModel(at('none.onnx'))).rejects.toThrow(
      /none\.onnx cannot be read: .*the models known by name are resnet50v2-mini, /s,
    );
    mkdirSync(at('empty'));
    await expect(openModel(at('empty'))).rejects.toThrow(
      /empty cannot be read: it is not a regular file; the models known by name are/,
    );
  });

  it('one that holds its own weights, with others', async () => {
    for (const name of [at('net.onnx'), 'resnet50v2-mini'])
      await expect(openModel(name, { weights: at('c.h5') })).rejects.toThrow(
        expect.objectContaining({
          code: 'bad-option',
          message: `${name}: holds its own weights; ${at('c.h5')} cannot take their place`,
          details: expect.objectContaining({ option: 'weights' }),
        }),
      );
  });
});

describe('a file as a source', () => {
  it('gives exactly what it is asked for, at once or later', async () => {
    const source = await fileSource(at('net.onnx'));
    expect(source.size).toBe(plain.length);
    for (const [offset, length] of [
      [0, 4],
      [5, 0],
      [plain.length - 3, 3],
      [plain.length, 0],
    ] as const) {
      const expected = Array.from(plain.subarray(offset, offset + length));
      expect(Array.from(await source.read(offset, length))).toEqual(expected);
      expect(Array.from(source.readSync!(offset, length))).toEqual(expected);
    }
    for (const [offset, length] of [
      [0, plain.length + 1],
      [-1, 2],
      [plain.length - 2, 3],
      [0.5, 1],
      [0, -1],
    ] as const) {
      await expect(source.read(offset, length)).rejects.toThrow(/bytes at .* are asked for, the file has/);
      expect(() => source.readSync!(offset, length)).toThrow(/damaged or cut short/);
    }
    await source.close();
    // It opens again if it must.
    expect((await source.read(0, 1)).length).toBe(1);
    await source.close();
  });

  it('says that it became shorter', async () => {
    writeFileSync(at('short.bin'), new Uint8Array(100));
    const source = await fileSource(at('short.bin'));
    writeFileSync(at('short.bin'), new Uint8Array(10));
    await expect(source.read(0, 100)).rejects.toThrow(/short\.bin: became shorter while it was read; try again/);
    expect(() => source.readSync!(0, 100)).toThrow(/became shorter while it was read/);
    await expect(source.digest()).rejects.toThrow(/became shorter/);
    await source.close();
>>>>>>> net2
  });
});
