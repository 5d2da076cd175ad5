/** @file Graphs survive being written and read, and ONNX Runtime takes what is written. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { decodeOnnx, decodeTensor, encodeOnnx, graphOf } from '../../src/ir/onnx.ts';
import { float32, int64, sizeOf, type Tensor } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { noise } from '../check.ts';

interface Sizes {
  readonly channels: number;
  readonly filters: number;
  readonly height: number;
  readonly width: number;
  readonly kernel: number;
  readonly stride: number;
  readonly slope: number;
}
const sizes = fc.record<Sizes>({
  channels: fc.integer({ min: 1, max: 4 }),
  filters: fc.integer({ min: 1, max: 4 }),
  height: fc.integer({ min: 3, max: 9 }),
  width: fc.integer({ min: 3, max: 9 }),
  kernel: fc.integer({ min: 1, max: 3 }),
  stride: fc.integer({ min: 1, max: 2 }),
  slope: fc.float({ min: 0, max: 1, noNaN: true }),
});

/** A graph with every kind of attribute and several of constants. */
function sample({ channels, filters, height, width, kernel, stride, slope }: Sizes): Graph {
  const b = new Builder();
  const x = b.input('image', 'float32', [1, channels, height, width]);
  const k = b.input('channel', 'int64', []);
  const y = b.conv(x, noise(b, [filters, channels, kernel, kernel]), undefined, { strides: [stride, stride] }, 'conv');
  const leaky = b.one('LeakyRelu', [y], { alpha: slope });
  const padded = b.pad(leaky, [0, 0, 1, 0, 0, 0, 0, 2], slope);
  const chosen = b.cast(b.gather(padded, k, 1), 'float64');
  const clipped = b.one('Clip', [padded, undefined, b.float(0.5)]);
  return b.graph({ chosen, clipped, 'scope/mean:0': b.mean(padded, [2, 3], false) });
}

describe('encodeOnnx and decodeOnnx', () => {
  it('give back the graph, whatever its sizes', () => {
    fc.assert(
      fc.property(sizes, (s) => {
        const graph = sample(s);
        const bytes = encodeOnnx(graph, { key: 'value' });
        const model = decodeOnnx(bytes);
        expect(model.metadata).toEqual({ key: 'value' });
        expect(model.opset).toBe(18);
        const back = graphOf(model);
        expect(back).toEqual(graph);
        expect(encodeOnnx(back, { key: 'value' })).toEqual(bytes);
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  it('give what ONNX Runtime takes, with the dims that were inferred', async () => {
    await fc.assert(
      fc.asyncProperty(sizes, async (s) => {
        const graph = sample(s);
        const program = await nodeRuntime.compile(graphOf(decodeOnnx(encodeOnnx(graph))));
        const dims = graph.inputs[0]!.dims;
        const results = await program.run({
          image: float32(new Float32Array(sizeOf(dims)).fill(1), dims),
          channel: int64(0),
        });
        await program.dispose();
        for (const { name, dtype, dims: expected } of graph.outputs) {
          expect(results[name]!.dims).toEqual(expected);
          expect(results[name]!.dtype).toBe(dtype);
        }
      }),
      { numRuns: 20, seed: 2 },
    );
  });

  const tensors: Tensor[] = [
    float32([1, -2.5, NaN, Infinity]),
    { dtype: 'float64', dims: [2], data: Float64Array.of(0.1, 1e300) },
    { dtype: 'float16', dims: [2], data: Uint16Array.of(0x3c00, 0xc000) },
    { dtype: 'int8', dims: [2], data: Int8Array.of(-128, 127) },
    { dtype: 'uint8', dims: [2], data: Uint8Array.of(0, 255) },
    { dtype: 'int16', dims: [1, 1], data: Int16Array.of(-32768) },
    { dtype: 'uint16', dims: [1], data: Uint16Array.of(65535) },
    { dtype: 'int32', dims: [1], data: Int32Array.of(-(2 ** 31)) },
    { dtype: 'int64', dims: [], data: BigInt64Array.of(-(2n ** 63n)) },
    { dtype: 'bool', dims: [2], data: Uint8Array.of(1, 0) },
    float32([], [0, 3]),
    // A view into the middle of a buffer.
    float32(Float32Array.of(1, 2, 3, 4).subarray(1, 3)),
  ];
  const holding = (t: Tensor): Uint8Array => {
    const b = new Builder();
    return encodeOnnx(b.graph({ y: b.constant(t) }));
  };

  it.each(tensors.map((t) => [t.dtype, t.dims, t] as const))('keep a tensor of %s %j', (_, __, t) => {
    expect(
      graphOf(decodeOnnx(holding(t)))
        .constants.values()
        .next().value,
    ).toEqual(t);
  });

  it('read from a Buffer at any offset', () => {
    const bytes = holding(float32([1, 2, 3]));
    for (let offset = 0; offset < 4; offset++) {
      const buffer = Buffer.alloc(bytes.length + offset).subarray(offset);
      buffer.set(bytes);
      expect(graphOf(decodeOnnx(buffer)).constants.values().next().value).toEqual(float32([1, 2, 3]));
    }
  });

  it('say what is wrong with a tensor', () => {
    const stored = decodeOnnx(holding(float32([1, 2, 3]))).proto.graph!.initializer[0]!;
    expect(() => decodeTensor({ ...stored, dims: [4n] })).toThrow(/\[4\] needs 4 elements, the file has 3/);
    expect(() => decodeTensor({ ...stored, dims: [-3n] })).toThrow(/impossible dims/);
    expect(() => decodeTensor({ ...stored, dataType: 99 })).toThrow(/element type 99/);
    expect(() => decodeTensor({ ...stored, dataType: 16 })).toThrow(/element type BFLOAT16 is not supported/);
    expect(() => decodeOnnx(new TextEncoder().encode('hello'))).toThrow(/not an ONNX model/);
    expect(() => decodeOnnx(new Uint8Array())).toThrow(/without a graph/);
  });
});
