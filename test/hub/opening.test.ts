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
  const convolutions = (await findModel('resnet50').topology()).filter((l) =>
    ['Conv2D', 'BatchNormalization'].includes(l.type),
  );
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
    expect(network.layers(size).layers.at(-1)!.name).toBe('predictions');
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
      /resnet\.h5: holds the weights of a Keras model and not its layers; it has those of `resnet50`, so give that as its architecture$/,
    ],
    [
      'weights of another',
      'c.h5',
      /c\.h5: holds the weights of a Keras model and not its layers; name the architecture that it is of, .*, or convert the model to ONNX$/,
    ],
  ])('%s', async (_, name, message) => {
    await expect(openModel(at(name))).rejects.toThrow(
      expect.objectContaining({
        code: 'bad-file',
        message: expect.stringMatching(message),
        details: expect.objectContaining({ option: 'architecture', path: at(name) }),
      }),
    );
  });

  it('a name or path that is not there', async () => {
    await expect(openModel('resnet50v3')).rejects.toThrow(expect.objectContaining({ code: 'unknown-model' }));
    await expect(openModel(at('none.onnx'))).rejects.toThrow(
      /none\.onnx cannot be read: .*`phosphene models` lists those that are known by name, such as resnet50v2-mini, /s,
    );
    mkdirSync(at('empty'));
    await expect(openModel(at('empty'))).rejects.toThrow(
      /empty cannot be read: it is not a regular file; `phosphene models` lists/,
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
  });
});
