/** @file Keras weight files: what is read, and that no damaged file is read wrongly. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { fileSource } from '../../src/hub/file-source.ts';
import { bytesSource } from '../../src/import/hdf5.ts';
import { readWeights, type WeightFile } from '../../src/import/keras-weights.ts';
import { byteSource } from '../../src/import/source.ts';
import { sizeOf } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { sharedPath } from '../shared.ts';
import { type FixtureWeight, writeFixture } from './fixture.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'phosphene-weights-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ramp = (name: string, shape: readonly number[], more: Partial<FixtureWeight> = {}): FixtureWeight => ({
  name,
  shape,
  data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => i / 8 - 3),
  ...more,
});
const layers = {
  input_1: [],
  conv1: [ramp('conv1/kernel:0', [3, 3, 3, 4]), ramp('conv1/bias:0', [4])],
  bn1: ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((n) => ramp(`bn1/${n}:0`, [4])),
  last: [ramp('last/kernel:0', [1, 1, 4, 2])],
};

async function openWeights(path: string): Promise<WeightFile> {
  const source = await fileSource(path);
  return readWeights(await byteSource(source), () => void source.close());
}

async function failure(path: string): Promise<PhospheneError> {
  try {
    (await openWeights(path)).close();
  } catch (error) {
    if (error instanceof PhospheneError) return error;
    throw error;
  }
  throw new Error(`${path} was read`);
}

describe('a weight file', () => {
  it.each([
    ['weights only, names of variable length', {}],
    ['weights only, names of fixed length', { fixedStrings: true }],
    ['a whole model', { wholeModel: true }],
    ['layer names split over attributes', { split: 2 }],
    ['a newer HDF5 superblock and compact links', { libver: 'latest' as const }],
  ])('is read by layer and weight: %s', async (title, options) => {
    const { path } = await writeFixture(folder, `${title.replaceAll(/\W/g, '-')}.h5`, layers, options);
    const file = await openWeights(path);
    expect(file.path).toBe(path);
    expect(file.layers).toEqual(['conv1', 'bn1', 'last']);
    expect(file.weightsOf('bn1')).toEqual(['gamma', 'beta', 'moving_mean', 'moving_variance']);
    expect(file.has('conv1')).toBe(true);
    expect(file.has('input_1')).toBe(false);
    expect(file.weightsOf('nothing')).toEqual([]);
    expect(file.read('nothing', 'kernel')).toBeUndefined();
    expect(file.read('last', 'bias')).toBeUndefined();
    const kernel = file.read('conv1', 'kernel')!;
    expect(kernel.dims).toEqual([3, 3, 3, 4]);
    expect(kernel.data).toEqual(layers.conv1[0]!.data);
    file.close();
    file.close();
    expect(() => file.read('conv1', 'kernel')).toThrow(/is closed/);
  });

  it('is read whatever the type and compression of its numbers', async () => {
    const shape = [5, 7, 3];
    const wanted = ramp('', shape).data;
    const { path } = await writeFixture(folder, 'types.h5', {
      a: [
        ramp('a/doubles', shape, { data: Float64Array.from(wanted) }),
        ramp('a/integers', [3], { data: Int32Array.of(-2, 0, 9) }),
        ramp('a/chunked', shape, { chunks: [2, 4, 3] }),
        ramp('a/gzip', shape, { chunks: [2, 4, 2], filter: { id: 1, options: [6] } }),
        ramp('a/sums', shape, { chunks: [3, 3, 3], filter: { id: 3, options: [] } }),
      ],
    });
    const file = await openWeights(path);
    for (const name of ['doubles', 'chunked', 'gzip', 'sums']) {
      expect(file.read('a', name), name).toEqual({ dtype: 'float32', dims: shape, data: wanted });
    }
    expect(file.read('a', 'integers')!.data).toEqual(Float32Array.of(-2, 0, 9));
    file.close();
  });

  it('gives the layers of a nested model one by one, and Keras 1 names as today', async () => {
    const { path } = await writeFixture(folder, 'nested.h5', {
      inner: [ramp('inner/a/kernel', [2]), ramp('b/gamma', [2]), ramp('inner/a/bias', [2])],
      b: [ramp('b/kernel', [3])],
      block1_conv1: [ramp('block1_conv1_W_1:0', [2, 2]), ramp('block1_conv1_b_1:0', [2])],
      wrapper: [ramp('only/kernel', [4])],
    });
    const file = await openWeights(path);
    expect(file.layers).toEqual(['a', 'inner/b', 'b', 'block1_conv1', 'wrapper']);
    expect(file.weightsOf('a')).toEqual(['kernel', 'bias']);
    expect(file.weightsOf('block1_conv1')).toEqual(['kernel', 'bias']);
    expect(file.read('b', 'kernel')!.dims).toEqual([3]);
    expect(file.read('only', 'kernel')!.dims).toEqual([4]);
    file.close();
  });

  it('names the weight, the count and the place of numbers that are not finite', async () => {
    const data = Float32Array.of(1, NaN, 2, -Infinity);
    const { path } = await writeFixture(folder, 'nan.h5', {
      sick: [ramp('sick/kernel:0', [4], { data }), ramp('sick/bias:0', [1])],
    });
    const file = await openWeights(path);
    expect(file.read('sick', 'bias')!.dims).toEqual([1]);
    expect(() => file.read('sick', 'kernel')).toThrow(
      expect.objectContaining({
        code: 'bad-weights',
        details: { path, layer: 'sick', weight: 'kernel', count: 2, first: 1 },
      }),
    );
    file.close();
  });
});

describe('a file that is not one', () => {
  it.each([
    ['', /an empty file/],
    ['<!DOCTYPE html><html>', /an HTML page/],
    ['version https://git-lfs.github.com/spec/v1\noid sha256:0', /Git LFS pointer/],
    ['PK\x03\x04....', /a zip archive/],
    ['{"class_name":"Sequential"}', /a JSON text/],
    ['hello\n', /a text file/],
    ['\x08\x08\x12\x07pytorch', /an ONNX model/],
    ['\0\0\0\0\0\0\0\0', /zeros/],
    ['\x01\x80\x02', /an unknown kind/],
  ])('is said to be what it looks like: %j', async (content, message) => {
    const path = join(folder, 'other');
    writeFileSync(path, content, 'latin1');
    expect(await failure(path)).toMatchObject({ code: 'bad-file', message: expect.stringMatching(message) });
  });

  it('is missing or a folder', async () => {
    expect(await failure(join(folder, 'missing.h5'))).toMatchObject({
      code: 'filesystem',
      message: expect.stringContaining('no such file'),
    });
    expect(await failure(folder)).toMatchObject({
      code: 'filesystem',
      message: expect.stringContaining('not a regular file'),
    });
  });

  it('is HDF5 without Keras layers', async () => {
    const { bytes } = await writeFixture(folder, 'plain.h5', { a: [ramp('a/kernel', [2])] });
    // The attribute by another name: what other programs write.
    const renamed = Buffer.from(Buffer.from(bytes).toString('latin1').replace('layer_names', 'other_names'), 'latin1');
    writeFileSync(join(folder, 'plain.h5'), renamed);
    expect(await failure(join(folder, 'plain.h5'))).toMatchObject({
      code: 'bad-file',
      message: expect.stringContaining('without the `layer_names`'),
    });
  });
});

/** Reads everything, and returns the shapes and numbers, or the error. */
function readAll(bytes: Uint8Array): Record<string, { dims: readonly number[]; data: Float32Array }> | PhospheneError {
  try {
    const file = readWeights(bytesSource('damaged.h5', bytes));
    return Object.fromEntries(
      file.layers.flatMap((l) => file.weightsOf(l).map((w) => [`${l}/${w}`, file.read(l, w)!])),
    );
  } catch (error) {
    if (error instanceof PhospheneError) return error;
    throw error;
  }
}

describe('a damaged file', () => {
  const compressed = {
    ...layers,
    packed: [ramp('packed/kernel', [6, 5], { chunks: [4, 4], filter: { id: 1, options: [6] } })],
  };

  it.each(['earliest', 'latest'] as const)('is refused wherever it is cut (%s)', async (libver) => {
    const { bytes } = await writeFixture(folder, `cut-${libver}.h5`, layers, { libver });
    expect(bytes[8], 'superblock version').toBe(libver === 'earliest' ? 0 : 3);
    expect(readAll(bytes)).toHaveProperty('conv1/kernel');
    for (let length = 0; length < bytes.length; length++) {
      const result = readAll(bytes.subarray(0, length));
      if (!(result instanceof PhospheneError) || result.code !== 'bad-file')
        expect.fail(`cut at ${length} of ${bytes.length} it was read`);
    }
    expect(readAll(bytes.subarray(0, bytes.length - 1))).toMatchObject({
      message: expect.stringContaining('truncated'),
    });
  });

  it.each(['earliest', 'latest'] as const)(
    'gives an error or sound values whatever bits are flipped (%s)',
    async (libver) => {
      const { bytes } = await writeFixture(folder, `flip-${libver}.h5`, libver === 'earliest' ? compressed : layers, {
        libver,
      });
      const random = new Random(`flips/${libver}`);
      let refused = 0;
      for (let round = 0; round < 2000; round++) {
        const copy = bytes.slice();
        for (let i = random.integer(3); i >= 0; i--)
          copy[random.integer(random.integer(2) ? copy.length : 2048)]! ^= 1 << random.integer(8);
        const result = readAll(copy);
        if (result instanceof PhospheneError) refused++;
        else for (const { dims, data } of Object.values(result)) expect(data.length).toBe(sizeOf(dims));
      }
      expect(refused).toBeGreaterThan(100);
    },
    60_000,
  );

  it('is refused where a compressed chunk changed', async () => {
    const data = new Random('chunk').uniform(1000);
    const { bytes } = await writeFixture(folder, 'chunk.h5', {
      a: [ramp('a/kernel', [1000], { data, chunks: [1000], filter: { id: 1, options: [6] } })],
    });
    // Random numbers fill most of the file, so most flips in its second half hit the compressed bytes.
    let wrong = 0;
    const random = new Random('chunk flips');
    for (let round = 0; round < 200; round++) {
      const copy = bytes.slice();
      copy[random.integer(copy.length)]! ^= 1 << random.integer(8);
      const result = readAll(copy);
      const values = result instanceof PhospheneError ? undefined : result['a/kernel']?.data;
      if (values && !Buffer.from(values.buffer).equals(Buffer.from(data.buffer))) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it('is refused where a dataset says that it is larger than the file', async () => {
    const { bytes } = await writeFixture(folder, 'huge.h5', { a: [ramp('a/kernel', [777, 3])] });
    const at = Buffer.from(bytes).indexOf(Uint8Array.from([9, 3, 0, 0, 0, 0, 0, 0, 3, 0]));
    expect(at).toBeGreaterThan(0);
    const copy = bytes.slice();
    copy.set([0xff, 0xff, 0xff, 0x7f], at);
    expect(readAll(copy)).toMatchObject({ code: 'bad-file', message: expect.stringContaining('cannot hold') });
  });
});

describe('files that Keras wrote', () => {
  const toy = sharedPath('golden/keras/fixtures/toy.h5');
  it.skipIf(toy === undefined)(
    'toy.h5: nested models, separable and depthwise convolutions (needs shared/golden)',
    async () => {
      const file = await openWeights(toy!);
      expect(file.layers).toEqual(
        'first_conv first_bn inner_a inner_bn depthwise_conv2d layer_normalization separable_conv2d conv2d pred'.split(
          ' ',
        ),
      );
      expect(file.weightsOf('separable_conv2d')).toEqual(['depthwise_kernel', 'pointwise_kernel', 'bias']);
      expect(file.read('first_conv', 'kernel')!.dims).toEqual([3, 3, 3, 4]);
      file.close();
    },
  );

  const small = ['n', 's'].map((n) => sharedPath(`golden/keras/fixtures/${n}.h5`));
  it.skipIf(small.includes(undefined))(
    'n.h5 and s.h5: shared layers and a Sequential (needs shared/golden)',
    async () => {
      const [n, s] = [await openWeights(small[0]!), await openWeights(small[1]!)];
      expect(n.layers).toEqual(['fn', 'sq', 'shared']);
      expect(n.read('conv2d', 'kernel')).toEqual(n.read('fn', 'kernel'));
      expect(s.layers).toEqual(['aa', 'batch_normalization', 'bb']);
      expect(s.weightsOf('batch_normalization')).toEqual(['beta', 'moving_mean', 'moving_variance']);
    },
  );

  it.skipIf(toy === undefined)(
    'toy.h5 is refused at every one of its first 2048 cuts, and every 97th after (needs shared/golden)',
    () => {
      const bytes = new Uint8Array(readFileSync(toy!));
      for (let length = 0; length < bytes.length; length += length < 2048 ? 1 : 97) {
        expect(readAll(bytes.subarray(0, length))).toMatchObject({ code: 'bad-file' });
      }
    },
  );

  const newer = sharedPath('golden/keras/fixtures/toy.weights.h5');
  it.skipIf(newer === undefined)('.weights.h5 is named and refused (needs shared/golden)', async () => {
    expect(await failure(newer!)).toMatchObject({
      code: 'bad-file',
      message: expect.stringContaining('newer `.weights.h5`'),
    });
  });

  const resnet = sharedPath('models/resnet50v2-imagenet-conv1-4.h5');
  it.skipIf(resnet === undefined)('ResNet50V2 with its ImageNet weights (needs shared/models)', async () => {
    const file = await openWeights(resnet!);
    expect(file.layers.length).toBe(82);
    expect(file.read('conv1_conv', 'kernel')!.dims).toEqual([7, 7, 3, 64]);
    expect(file.weightsOf('conv3_block4_preact_bn')).toEqual(['gamma', 'beta', 'moving_mean', 'moving_variance']);
    file.close();
  });
});
