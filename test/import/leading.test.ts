/** @file What networks expect of pictures: by name, by numbers, from a file's words and from what its graph does first. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { IMAGE } from '../../src/import/network.ts';
import {
  isPreprocessName,
  knownPreprocess,
  preprocessed,
  preprocessOf,
  type PreprocessSpec,
} from '../../src/import/preprocess.ts';
import { standardised } from '../../src/import/standardised.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { sharedPath } from '../shared.ts';
import { openBytes } from './open.ts';
import { onnx, weights } from './protos.ts';

/** What a network gets for one pixel of each value, channel by channel. */
async function fed(spec: PreprocessSpec, pixel: readonly number[]): Promise<number[]> {
  const b = new Builder();
  const x = b.input(IMAGE, 'float32', [1, pixel.length, 1, 1]);
  const y = preprocessed(b, x, preprocessOf(spec, pixel.length));
  const program = await nodeRuntime.compile(b.graph({ y: b.relu(b.add(y, 1000)) }));
  const out = await program.run({ [IMAGE]: float32(pixel, [1, pixel.length, 1, 1]) });
  await program.dispose();
  return Array.from(out['y']!.data as Float32Array, (v) => v - 1000);
}

describe('a preprocessing', () => {
  // Red, half grey-green and black, from [-1, 1].
  const pixel = [1, 0, -1];
  it.each<[PreprocessSpec, number[]]>([
    ['tf', [1, 0, -1]],
    ['raw', [255, 127.5, 0]],
    ['torch', [(1 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0 - 0.406) / 0.225]],
    ['caffe', [0 - 103.939, 127.5 - 116.779, 255 - 123.68]],
    [{}, [1, 0.5, 0]],
    [{ range: [-1, 1] }, [1, 0, -1]],
    [{ bgr: true }, [0, 0.5, 1]],
    [{ mean: 0.5, std: 0.25 }, [2, 0, -2]],
    [{ range: [0, 255], mean: [10, 20, 30], std: [1, 2, 4] }, [245, 53.75, -7.5]],
    [{ range: [1, 0] }, [0, 0.5, 1]],
  ])('%j feeds the network what it says', async (spec, expected) => {
    const found = await fed(spec, pixel);
    expected.forEach((v, i) => expect(found[i]).toBeCloseTo(v, 2));
  });

  it('is for as many channels as the network has', async () => {
    expect(preprocessOf({ range: [0, 255], mean: 128, std: 64 }, 1)).toEqual({
      scale: [127.5 / 64],
      shift: [-0.5 / 64],
      order: 'rgb',
    });
    expect(preprocessOf('tf', 5)).toEqual({ scale: [1, 1, 1, 1, 1], shift: [0, 0, 0, 0, 0], order: 'rgb' });
    expect(preprocessOf({ mean: [0, 0.5] }, 2).shift).toEqual([0.5, 0]);
    for (const name of ['tf', 'torch', 'caffe', 'raw'] as const)
      expect(knownPreprocess[name]).toEqual(preprocessOf(name, 3));
    expect(await fed('raw', [0, 1, -1, 0.5])).toEqual([127.5, 255, 0, 191.25]);
  });

  it('of [-1, 1] adds nothing', () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [1, 3, 2, 2]);
    expect(preprocessed(b, x, knownPreprocess.tf)).toBe(x);
    for (const spec of ['raw', { mean: 0, range: [-1, 1], bgr: true }, { range: [0, 2] }, { range: [-2, 2] }] as const)
      expect(preprocessed(b, x, preprocessOf(spec, 3))).not.toBe(x);
  });

  it.each<[PreprocessSpec, number, RegExp]>([
    [
      'tourch' as 'torch',
      3,
      /^preprocess: `tourch` is not known; did you mean .*`?torch`?.*the names are tf, torch, caffe, raw$/,
    ],
    ['torch', 1, /^preprocess: its mean has 3 numbers, this network has 1 channels; give one for each$/],
    ['caffe', 4, /^preprocess: BGR needs three channels, this network has 4$/],
    [{ std: [1, 2] }, 3, /^preprocess: its std has 2 numbers, this network has 3 channels; give one for each$/],
    [{ mean: [0, NaN, 1] }, 3, /^preprocess: its mean is \[0, NaN, 1\]; finite numbers are needed$/],
    [{ std: 0 }, 3, /^preprocess: its std is not positive$/],
    [{ std: [1, -1, 1] }, 3, /^preprocess: its std is not positive$/],
    [
      { range: [1, 1] },
      3,
      /^preprocess: its range is \[1, 1\]; two different numbers are needed, such as \[0, 1\] or \[0, 255\]$/,
    ],
    [{ range: [0, Infinity] }, 3, /^preprocess: its range is \[0, Infinity\]/],
    [{ range: [0, 1, 2] as unknown as [number, number] }, 3, /^preprocess: its range is \[0, 1, 2\]/],
  ])('%j for %i channels is refused', (spec, channels, message) => {
    expect(() => preprocessOf(spec, channels)).toThrow(
      expect.objectContaining({
        code: 'bad-option',
        message: expect.stringMatching(message),
        details: expect.objectContaining({ option: 'preprocess' }),
      }),
    );
  });

  it('has a name, or has none', () => {
    expect(['tf', 'torch', 'caffe', 'raw', 'toString', ''].map(isPreprocessName)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});

describe('what a file says', () => {
  const stated = (name: string, dims = [1, 3, 8, 8]): Uint8Array =>
    onnx((b, x) => b.relu(x), { dims, metadata: { 'phosphene.preprocess': name } });

  it('counts before the assumption, and the caller before the file', async () => {
    expect((await openBytes(onnx((b, x) => b.relu(x)))).input).toEqual({
      channels: 3,
      size: { height: 8, width: 8 },
      preprocess: knownPreprocess.tf,
      from: 'assumed',
    });
    expect((await openBytes(stated('torch'))).input).toMatchObject({
      preprocess: knownPreprocess.torch,
      from: 'file',
    });
    expect((await openBytes(stated('torch'), { preprocess: 'raw' })).input).toMatchObject({
      preprocess: knownPreprocess.raw,
      from: 'given',
    });
    expect((await openBytes(stated('raw', [1, 1, 8, 8]))).input.preprocess).toEqual(preprocessOf('raw', 1));
  });

  it('is refused if it is not known', async () => {
    await expect(openBytes(stated('imagenet'))).rejects.toThrow(
      expect.objectContaining({
        code: 'bad-option',
        message:
          'net.onnx: its metadata phosphene.preprocess: `imagenet` is not known; the names are tf, torch, caffe, raw',
        details: { option: 'preprocess', name: 'imagenet', known: ['tf', 'torch', 'caffe', 'raw'] },
      }),
    );
    // Unless the caller knows better.
    expect((await openBytes(stated('imagenet'), { preprocess: 'torch' })).input.from).toBe('given');
    const recorded = sharedPath('repro/pre_imagenet.onnx');
    if (recorded) await expect(openBytes(readFileSync(recorded))).rejects.toThrow(/phosphene\.preprocess: `imagenet`/);
  });
});

describe('what a graph does first', () => {
  const MEAN = [0.485, 0.456, 0.406];
  const STD = [0.229, 0.224, 0.225];
  const c = (values: readonly number[]) => float32(values, [1, 3, 1, 1]);
  const input = async (build: (b: Builder, x: Value) => Value, dims = [1, 3, 32, 32]) =>
    (await openBytes(onnx((b, x) => b.relu(build(b, x)), { dims }))).input;
  const zeroToOne = preprocessOf({ range: [0, 1] }, 3);
  const bytes = preprocessOf({ range: [0, 255] }, 3);

  it.each<[string, (b: Builder, x: Value) => Value, typeof bytes]>([
    ['a mean and a deviation of [0, 1]', (b, x) => b.div(b.sub(x, b.constant(c(MEAN))), b.constant(c(STD))), zeroToOne],
    [
      'a mean and a deviation of [0, 255]',
      (b, x) => b.div(b.sub(x, b.constant(c(MEAN.map((m) => m * 255)))), b.constant(c(STD.map((s) => s * 255)))),
      bytes,
    ],
    ['a factor and a shift', (b, x) => b.sub(b.mul(x, 2), 1), zeroToOne],
    ['a factor on the left', (b, x) => b.add(b.one('Mul', [b.float(1 / 127.5), x]), -1), bytes],
    ['a division alone', (b, x) => b.div(x, 255), bytes],
    ['a division and a mean, one after the other', (b, x) => b.sub(b.div(x, 255), b.constant(c(MEAN))), bytes],
    ['a multiplication by 255', (b, x) => b.mul(x, 255), zeroToOne],
    [
      "ImageNet's mean, blue first",
      (b, x) => b.sub(x, b.constant(c([103.939, 116.779, 123.68]))),
      { ...bytes, order: 'bgr' },
    ],
    [
      'a batch normalisation',
      (b, x) =>
        b.one(
          'BatchNormalization',
          // prettier-ignore
          [x, b.float([1, 1, 1]), b.float([0, 0, 0]), b.float([120, 118, 104]), b.float([3600, 3500, 3700])],
          { epsilon: 1e-3 },
        ),
      bytes,
    ],
    [
      'constants of one number, through a Cast',
      (b, x) => b.sub(b.one('Cast', [b.div(x, 128)], { to: 'float32' }), 1),
      bytes,
    ],
  ])('tells of %s', async (_, build, expected) => {
    const found = await input(build);
    expect(found.from).toBe('file');
    expect(found.preprocess).toEqual(expected);
  });

  it('tells in NHWC as well', async () => {
    const mean = float32(MEAN.map((m) => m * 255));
    const first = await input((b, x) => b.transpose(b.sub(x, b.constant(mean)), [0, 3, 1, 2]), [1, 32, 32, 3]);
    expect(first).toMatchObject({ from: 'file', preprocess: bytes });
    const then = await input(
      (b, x) => b.sub(b.transpose(x, [0, 3, 1, 2]), b.constant(c(MEAN.map((m) => m * 255)))),
      [1, 32, 32, 3],
    );
    expect(then).toMatchObject({ from: 'file', preprocess: bytes });
  });

  it('tells of one channel', async () => {
    expect(await input((b, x) => b.div(b.sub(x, 0.1307), 0.3081), [1, 1, 28, 28])).toMatchObject({
      from: 'file',
      preprocess: preprocessOf({ range: [0, 1] }, 1),
    });
    expect(await input((b, x) => b.div(x, 255), [1, 1, 28, 28])).toMatchObject({
      from: 'file',
      preprocess: preprocessOf('raw', 1),
    });
  });

  it.each<[string, (b: Builder, x: Value) => Value]>([
    ['a convolution', (b, x) => b.conv(x, b.constant(weights(3, 3, 1, 1)))],
    ['a number less the picture', (b, x) => b.one('Sub', [b.float(1), x])],
    ['a number over the picture', (b, x) => b.one('Div', [b.float(1), x])],
    ['a shift that fits no range', (b, x) => b.sub(x, 1000)],
    ['a factor that fits no range', (b, x) => b.mul(x, 3)],
    ['a negative factor', (b, x) => b.add(b.mul(x, -2), 1)],
    ['a number for each pixel', (b, x) => b.div(x, b.constant(float32(new Float32Array(32 * 32).fill(255), [32, 32])))],
    ['a row of as many numbers as channels', (b, x) => b.div(x, b.constant(float32([255, 255, 255], [1, 1, 3, 1])))],
    ['a picture that is used twice', (b, x) => b.add(b.div(x, 255), x)],
    ['a maximum', (b, x) => b.max(x, 0)],
  ])('does not tell of %s', async (_, build) => {
    const dims = [1, 3, 32, 32];
    if (_.startsWith('a row')) dims[2] = 3;
    expect(await input(build, dims)).toMatchObject({ from: 'assumed', preprocess: knownPreprocess.tf });
  });

  it('counts less than what the file says in words', async () => {
    const file = onnx((b, x) => b.relu(b.div(x, 255)), { metadata: { 'phosphene.preprocess': 'tf' } });
    expect((await openBytes(file)).input.preprocess).toEqual(knownPreprocess.tf);
  });

  it('is told by the pixel that becomes zero, within bounds', () => {
    const of = (scale: number, shift: number) => standardised({ scale: [scale], shift: [shift] })?.shift;
    const mean = (m: number) => of(2, -2 * m);
    expect([0.02, 0.98].map(mean)).toEqual([[0.5], [0.5]]);
    expect([5, 250].map(mean)).toEqual([[127.5], [127.5]]);
    expect([-0.5, 0.019, 0.981, 4.99, 250.1].map(mean)).toEqual(Array.from({ length: 5 }));
    // All channels, not one of them.
    expect(standardised({ scale: [1, 1, 1], shift: [-0.5, -0.5, -100] })).toBeUndefined();
    const order = (means: number[]) => standardised({ scale: [1, 1, 1], shift: means.map((m) => -m) })?.order;
    expect(
      [
        [0.415, 0.456, 0.485],
        [0.417, 0.456, 0.485],
        [0.485, 0.456, 0.406],
      ].map(order),
    ).toEqual(['bgr', 'rgb', 'rgb']);
    // What becomes of 255 without a shift: from half to two and a half.
    expect(of(0.5 / 255, 0)).toEqual([127.5]);
    expect(of(0.49 / 255, 0)).toBeUndefined();
    expect(of(2.5 / 255, 0)).toEqual([127.5]);
    expect(of(2.51 / 255, 0)).toBeUndefined();
    expect(of(255, 0)).toEqual([0.5]);
    expect(of(0, 1)).toBeUndefined();
    expect(of(NaN, 1)).toBeUndefined();
    expect(of(1, Infinity)).toBeUndefined();
  });

  it('is looked for at the front only', async () => {
    const chain = (length: number) =>
      input((b, x) => {
        let y = x;
        for (let i = 0; i < length; i++) y = b.one('Identity', [y], {}, `same${i}`);
        return b.div(y, 255);
      });
    expect((await chain(15)).from).toBe('file');
    expect((await chain(16)).from).toBe('assumed');
  });
});
