/** @file What networks expect of a picture: the numbers of keras.applications and torchvision, and how it is asked for. */
import { describe, expect, it } from 'vitest';
import { IMAGE } from '../../src/import/network.ts';
import { knownPreprocess, preprocessed, preprocessOf, type PreprocessSpec } from '../../src/import/preprocess.ts';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { openBytes } from './open.ts';

/** What the network gets for a pixel of so much red, green and blue, each from 0 to 255. */
async function seen(spec: PreprocessSpec, rgb: readonly number[]): Promise<number[]> {
  const b = new Builder();
  const image = b.input(IMAGE, 'float32', [1, rgb.length, 1, 1]);
  const graph = b.graph({ y: b.add(preprocessed(b, image, preprocessOf(spec, rgb.length)), 0) });
  const program = await nodeRuntime.compile(graph);
  const { y } = await program.run({
    [IMAGE]: float32(
      rgb.map((v) => v / 127.5 - 1),
      [1, rgb.length, 1, 1],
    ),
  });
  await program.dispose();
  return Array.from(y!.data as Float32Array);
}

describe('preprocessing', () => {
  const rgb = [255, 102, 0];
  it.each<[PreprocessSpec, number[]]>([
    ['tf', [1, -0.2, -1]],
    ['raw', [255, 102, 0]],
    // imagenet_utils.py and torchvision: BGR minus the means; (x / 255 - mean) / std.
    ['caffe', [0 - 103.939, 102 - 116.779, 255 - 123.68]],
    ['torch', [(1 - 0.485) / 0.229, (0.4 - 0.456) / 0.224, (0 - 0.406) / 0.225]],
    [{}, [1, 0.4, 0]],
    [{ range: [0, 255], mean: 100, std: 50 }, [3.1, 0.04, -2]],
    [{ range: [-1, 1], mean: [0, 0.5, 1], std: [1, 2, 4], bgr: true }, [-1, -0.35, 0]],
    [{ range: [1, 0] }, [0, 0.6, 1]],
  ])('%j', async (spec, expected) => {
    const found = await seen(spec, rgb);
    expected.forEach((v, i) => expect(found[i]).toBeCloseTo(v, 3));
  });

  it('of one channel and of many has one entry for each', async () => {
    expect((await seen({ range: [0, 255], mean: 55, std: 10 }, [105]))[0]).toBeCloseTo(5, 4);
    expect(await seen('raw', [0, 51, 102, 255])).toEqual([0, 51, 102, 255].map((v) => expect.closeTo(v, 3)));
    expect(preprocessOf('tf', 5)).toEqual({ scale: [1, 1, 1, 1, 1], shift: [0, 0, 0, 0, 0], order: 'rgb' });
  });

  it('that changes nothing adds nothing', () => {
    const b = new Builder();
    const image = b.input(IMAGE, 'float32', [1, 3, 2, 2]);
    expect(preprocessed(b, image, knownPreprocess.tf)).toBe(image);
    expect(preprocessed(b, image, { ...knownPreprocess.tf, order: 'bgr' })).not.toBe(image);
  });

  it.each<[PreprocessSpec, number, string]>([
    ['tff' as 'tf', 3, 'preprocess: `tff` is not known; did you mean `tf`?; the names are tf, torch, caffe, raw'],
    ['torch', 1, 'preprocess: its mean has 3 numbers, this network has 1 channels; give one for each'],
    ['caffe', 4, 'preprocess: BGR needs three channels, this network has 4'],
    [{ std: 0 }, 3, 'preprocess: its std is not positive'],
    [{ mean: Number.NaN }, 1, 'preprocess: its mean is [NaN]; finite numbers are needed'],
    [
      { range: [1, 1] },
      3,
      'preprocess: its range is [1, 1]; two different numbers are needed, such as [0, 1] or [0, 255]',
    ],
  ])('%j for %i channels is refused', (spec, channels, message) => {
    expect(() => preprocessOf(spec, channels)).toThrow(
      expect.objectContaining({
        code: 'bad-option',
        message,
        details: expect.objectContaining({ option: 'preprocess' }),
      }),
    );
  });
});

describe('the preprocessing of a file', () => {
  const file = (metadata: Record<string, string>, channels = 3): Uint8Array => {
    const b = new Builder();
    return encodeOnnx(b.graph({ y: b.relu(b.input('x', 'float32', [1, channels, 4, 4])) }), metadata);
  };

  it('is what the caller says, else what the file says, else assumed', async () => {
    const stated = file({ 'phosphene.preprocess': 'caffe' });
    expect((await openBytes(stated)).input).toMatchObject({ preprocess: knownPreprocess.caffe, from: 'file' });
    expect((await openBytes(stated, { preprocess: 'torch' })).input).toMatchObject({
      preprocess: knownPreprocess.torch,
      from: 'given',
    });
    expect((await openBytes(file({}))).input).toEqual({
      channels: 3,
      size: { height: 4, width: 4 },
      preprocess: knownPreprocess.tf,
      from: 'assumed',
    });
    expect((await openBytes(file({}, 1))).input).toMatchObject({ channels: 1, preprocess: { scale: [1] } });
  });

  it('is not guessed from a word that is not known, unless the caller says it', async () => {
    const odd = file({ 'phosphene.preprocess': 'imagenet' });
    await expect(openBytes(odd)).rejects.toThrow(
      'net.onnx: its metadata phosphene.preprocess: `imagenet` is not known; the names are tf, torch, caffe, raw',
    );
    expect((await openBytes(odd, { preprocess: 'torch' })).input.from).toBe('given');
  });

  it('stands between the picture and the network', async () => {
    const network = await openBytes(file({ 'phosphene.preprocess': 'raw' }));
    const program = await nodeRuntime.compile(await network.cut(['y'], { height: 4, width: 4 }));
    const { y } = await program.run({ [IMAGE]: float32(new Float32Array(48).fill(0.5), [1, 3, 4, 4]) });
    await program.dispose();
    expect(y!.data[0]).toBeCloseTo(191.25, 3);
  });
});
