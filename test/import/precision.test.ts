/** @file Networks in half and double precision, of bytes, in NHWC, and of one channel, give what the plain one gives. */
import { describe, expect, it } from 'vitest';
import { IMAGE } from '../../src/import/network.ts';
import type { Builder, Value } from '../../src/ir/builder.ts';
import { type DType, float32, sizeOf, type Tensor } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { openBytes } from './open.ts';
import { inputDims, onnx, weights } from './protos.ts';

/** Bits of a half; for numbers that halves hold exactly. */
function half(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const mantissa = Math.round((Math.abs(value) / 2 ** exponent - 1) * 1024);
  return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | mantissa;
}

/** Weights that halves hold exactly, as this type. */
function exact(dtype: DType, dims: readonly number[]): Tensor {
  const values = Array.from({ length: sizeOf(dims) }, (_, i) => (((i * 7) % 11) - 5) / 8);
  if (dtype === 'float16') return { dtype, dims, data: Uint16Array.from(values, half) };
  if (dtype === 'float64') return { dtype, dims, data: Float64Array.from(values) };
  return float32(values, dims);
}

async function outputOf(bytes: Uint8Array, channels = 3): Promise<Tensor> {
  const network = await openBytes(bytes, { preprocess: 'tf' });
  const size = { height: 8, width: 6 };
  const dims = [1, channels, size.height, size.width];
  const program = await nodeRuntime.compile(await network.cut(['out'], size));
  const image = float32(
    Float32Array.from({ length: sizeOf(dims) }, (_, i) => Math.cos(i)),
    dims,
  );
  const out = (await program.run({ [IMAGE]: image }))['out']!;
  await program.dispose();
  return out;
}

const conv =
  (dtype: DType) =>
  (b: Builder, x: Value): Value =>
    b.relu(b.conv(x, b.constant(exact(dtype, [4, 3, 3, 3])), b.constant(exact(dtype, [4]))));
const dims = [1, 3, 8, 6];
const plain = (): Promise<Tensor> => outputOf(onnx(conv('float32'), { dims }));

describe('a network', () => {
  it.each(['float16', 'float64'] as const)('of %s is computed in float32', async (dtype) => {
    const expected = await plain();
    expect(expected.data.length).toBe(4 * 6 * 4);
    expect(await outputOf(onnx(conv(dtype), { dims, dtype }))).toEqual(expected);
  });

  it('of halves between Casts is computed in float32', async () => {
    const bytes = onnx((b, x) => b.cast(conv('float16')(b, b.cast(x, 'float16')), 'float32'), { dims });
    expect(await outputOf(bytes)).toEqual(await plain());
  });

  it('of halves takes them from Constant nodes and other attributes as well', async () => {
    const bytes = onnx(
      (b, x) => {
        const c = b.one('ConstantOfShape', [b.ints([1])], { value: exact('float32', [1]) }, 'filled');
        return b.add(conv('float32')(b, x), c);
      },
      { dims },
    );
    const found = await outputOf(bytes);
    const added = exact('float32', [1]).data[0] as number;
    expect(Array.from(found.data as Float32Array)).toEqual(
      Array.from((await plain()).data as Float32Array, (v) => Math.fround(v + added)),
    );
  });

  it('of bytes takes pictures in 0..255', async () => {
    const bytes = onnx((b, x) => b.relu(b.cast(x, 'float32')), { dims, dtype: 'uint8' });
    const { input } = await openBytes(bytes);
    expect(input).toMatchObject({ from: 'file', preprocess: { scale: [127.5, 127.5, 127.5], order: 'rgb' } });
    expect((await openBytes(bytes)).layers({ height: 8, width: 6 }).layers.at(-1)!.dims).toEqual(dims);
  });

  it.each(['int32', 'int64', 'bool'] as const)('of %s is refused', async (dtype) => {
    await expect(openBytes(onnx((b, x) => b.cast(x, 'float32'), { dims, dtype }))).rejects.toThrow(
      `net.onnx: its input \`data\` is of ${dtype}; a picture is needed, of float32, float16, float64 or uint8`,
    );
  });

  it('in NHWC gives the same, and its channel axes are known', async () => {
    const nhwc = onnx((b, x) => b.transpose(conv('float32')(b, b.transpose(x, [0, 3, 1, 2])), [0, 2, 3, 1]), {
      dims: [1, 8, 6, 3],
    });
    const [expected, found] = [await plain(), await outputOf(nhwc)];
    expect(found.dims).toEqual([1, 6, 4, 4]);
    const [, height, width, channels] = found.dims as [number, number, number, number];
    const last = Array.from(found.data as Float32Array, (_, i) => {
      const [c, at] = [Math.floor(i / (height * width)), i % (height * width)];
      return found.data[at * channels + c];
    });
    expect(last).toEqual(Array.from(expected.data as Float32Array));
    const network = await openBytes(nhwc);
    expect(network.input).toMatchObject({ channels: 3, size: { height: 8, width: 6 } });
    const { layers } = network.layers({ height: 8, width: 6 });
    expect(layers.map((l) => `${l.type} ${l.channels?.axis} ${l.channels?.count}`)).toEqual([
      'Transpose 1 3',
      'Conv 1 4',
      'Relu 1 4',
      'Transpose 3 4',
      'Identity 3 4',
    ]);
  });

  it.each([
    ['grey', [1, 1, 8, 6], 1],
    ['of 16 channels', [1, 16, 8, 6], 16],
    ['with an axis 1 that can be channels', [1, 8, 20, 5], 8],
    ['of 4 channels last', [1, 8, 20, 4], 4],
    ['of 3 channels first', [1, 3, 4, 4], 3],
  ])('%s has as many channels', async (_, shape, channels) => {
    const { input } = await openBytes(onnx((b, x) => b.relu(x), { dims: shape }));
    expect(input.channels).toBe(channels);
    expect(input.preprocess.scale).toEqual(Array.from({ length: channels }, () => 1));
  });

  it.each([
    [[1, 28, 28, 1], 1, { height: 28, width: 28 }],
    [[-1, -1, -1, 3], 3, undefined],
    [[-1, -1, 64, 3], 3, { width: 64 }],
    [[-1, 3, 32, -1], 3, { height: 32 }],
    [[-1, 1, -1, -1], 1, undefined],
  ])('with an input of %j has %i channels', async (shape, channels, size) => {
    const bytes = onnx((b, x) => b.relu(x), { dims: shape.map(Math.abs), change: (p) => inputDims(p, ...shape) });
    const { input } = await openBytes(bytes);
    expect(input.channels).toBe(channels);
    expect(input.size).toEqual(size);
  });

  it('that leaves its channels open has those that its first convolution takes, else three', async () => {
    const open = { change: (p: Parameters<typeof inputDims>[0]) => inputDims(p, -1, -1, -1, -1) };
    const build = (b: Builder, x: Value): Value => b.conv(x, b.constant(weights(8, 2, 3, 3)), undefined, { group: 2 });
    expect((await openBytes(onnx(build, { dims: [1, 4, 8, 8], ...open }))).input.channels).toBe(4);
    expect((await openBytes(onnx((b, x) => b.relu(x), open))).input.channels).toBe(3);
  });

  it.each([
    [[1, 17, 20, 17], '[1, 17, 20, 17]; of its axes 1 and 3 one must be from 1 to 16 channels'],
    [[1, 3, 8], '[1, 3, 8]; a picture is needed, [n, c, h, w] or [n, h, w, c]'],
    [[1, 0, 8, 0], '[1, 0, 8, 0]; of its axes 1 and 3 one must be from 1 to 16 channels'],
  ])('with an input of %j is refused', async (shape, why) => {
    await expect(openBytes(onnx((b, x) => b.relu(x), { dims: shape }))).rejects.toThrow(
      expect.objectContaining({ code: 'bad-file', message: `net.onnx: its input \`data\` is ${why}` }),
    );
  });
});
