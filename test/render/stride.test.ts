/** @file Strides, and the settings that follow from them. */
import { describe, expect, it } from 'vitest';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { atStride, fitted, settle } from '../../src/render/recipe.ts';
import { strideOf } from '../../src/render/stride.ts';

const kernel = (b: Builder, dims: readonly number[]): Value =>
  b.constant(float32(new Float32Array(dims.reduce((n, d) => n * d, 1)).fill(1), dims));

/** The stride of what `build` makes of a picture of 32 pixels a side. */
function stride(build: (b: Builder, x: Value) => Value): number {
  const b = new Builder();
  const y = build(b, b.input('image', 'float32', [1, 4, 32, 32]));
  const graph = b.graph({ out: y });
  return strideOf(graph, graph.outputs[0]!.name);
}

const conv = (b: Builder, x: Value, strides: readonly [number, number]): Value =>
  b.conv(x, kernel(b, [4, 4, 1, 1]), undefined, { strides });

describe('strideOf', () => {
  it.each<[string, number, (b: Builder, x: Value) => Value]>([
    ['nothing', 1, (b, x) => b.relu(x)],
    ['a convolution', 2, (b, x) => conv(b, x, [2, 2])],
    ['the wider of two strides', 4, (b, x) => conv(b, x, [2, 4])],
    [
      'convolutions and pools',
      8,
      (b, x) => {
        const y = b.relu(conv(b, x, [2, 2]));
        const z = b.one('MaxPool', [y], { kernel_shape: [2, 2], strides: [2, 2] });
        return b.one('AveragePool', [z], { kernel_shape: [2, 2], strides: [2, 2] });
      },
    ],
    ['the wider of two ways', 4, (b, x) => b.add(b.mean(conv(b, x, [4, 4])), b.mean(conv(b, x, [2, 2])))],
    [
      'a transposed convolution',
      2,
      (b, x) => b.convTranspose(conv(b, x, [4, 4]), kernel(b, [4, 4, 2, 2]), { strides: [2, 2] }),
    ],
    [
      'what is finer than the picture, taken for the picture',
      1,
      (b, x) => b.convTranspose(x, kernel(b, [4, 4, 2, 2]), { strides: [2, 2] }),
    ],
    ['blocks', 2, (b, x) => b.one('SpaceToDepth', [x], { blocksize: 2 })],
    ['blocks spread out', 2, (b, x) => b.one('DepthToSpace', [conv(b, x, [4, 4])], { blocksize: 2 })],
  ])('of %s is %i', (_, expected, build) => expect(stride(build)).toBe(expected));
  it('is 1 for what nobody knows', () => {
    const b = new Builder();
    const y = b.relu(b.input('image', 'float32', [1, 4, 8, 8]));
    expect(strideOf(b.graph({ out: y }), 'nothing')).toBe(1);
  });
});

describe('atStride', () => {
  const at = (stride: number, options: Parameters<typeof atStride>[1] = {}) =>
    atStride(settle({ preset: 'sobolev', ...options }), options, stride);
  it('lets the first shift reach half a stride either way, and no less than the preset', () => {
    const by = (stride: number): unknown => (at(stride).transforms[0] as { by: number }).by;
    expect([1, 16, 17, 32].map(by)).toEqual([8, 8, 9, 16]);
    const transforms = [{ kind: 'scale' }, { kind: 'jitter', by: 1 }, { kind: 'roll', by: 1 }] as const;
    const settled = { ...settle({ preset: 'sobolev', transforms }) };
    expect(atStride(settled, {}, 32).transforms.map((t) => ('by' in t ? t.by : undefined))).toEqual([undefined, 16, 1]);
    expect(at(32, { transforms: [{ kind: 'roll', by: 2 }] }).transforms).toEqual([{ kind: 'roll', by: 2 }]);
  });
  it('has a higher exponent for deeper layers, unless one is given', () => {
    const exponent = (stride: number): unknown => (at(stride).optimiser as { exponent: number }).exponent;
    expect([1, 2, 4, 8, 16, 32, 64].map(exponent)).toEqual([0.5, 0.75, 1, 1.25, 1.4, 1.4, 1.4]);
    expect(at(32, { optimiser: { exponent: 1 } }).optimiser).toMatchObject({ exponent: 1 });
    expect(at(4, { optimiser: { rate: 2 } }).optimiser).toMatchObject({ exponent: 1, rate: 2 });
    expect(at(32, { optimiser: { rate: 2 } }).optimiser).toMatchObject({ exponent: 1.4, rate: 2 });
    expect(at(32, { optimiser: { kind: 'sobolev' } }).optimiser).toMatchObject({ exponent: 1.4 });
  });
  it('leaves the Keras example as it is', () => {
    const keras = settle({ preset: 'keras' });
    expect(atStride(keras, {}, 32)).toEqual(keras);
  });
  it('is part of what is fitted to a target whose stride is known', () => {
    const settled = settle({ preset: 'sobolev' });
    const target = { dims: [1, 4, 12, 12], channels: { axis: 1 } };
    expect(fitted(settled, {}, { ...target, stride: 32 }).transforms).toEqual([{ kind: 'roll', by: 16 }]);
    expect(fitted(settled, {}, target)).toEqual(settled);
  });
});
