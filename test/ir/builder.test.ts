/** @file The Builder: one value for equal operators, and only for equal ones. */
import { describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import { float32 } from '../../src/ir/tensor.ts';

describe('Builder', () => {
  it('makes one value of equal operators, and others of unequal ones', () => {
    const b = new Builder();
    const [x, y] = [b.input('x', 'float32', [2]), b.input('y', 'float32', [2])];
    expect(b.add(x, y)).toBe(b.add(x, y));
    expect(b.add(x, y)).not.toBe(b.add(y, x));
    expect(b.one('Elu', [x], { alpha: 0.5 })).not.toBe(b.one('Elu', [x], { alpha: 0.25 }));
    expect(b.one('Elu', [x], { alpha: Infinity })).not.toBe(b.one('Elu', [x], { alpha: -Infinity }));
    expect(b.one('Elu', [x], { alpha: 0 })).not.toBe(b.one('Elu', [x], { alpha: -0 }));
    expect(b.one('Clip', [x, b.float(1)])).not.toBe(b.one('Clip', [x, undefined, b.float(1)]));
    expect(b.one('Clip', [x, b.float(1), undefined])).toBe(b.one('Clip', [x, b.float(1)]));
  });

  it('makes one value of equal constants, and others of unequal ones', () => {
    const b = new Builder();
    expect(b.float([1, 2])).toBe(b.float([1, 2]));
    expect(b.float([1, 2])).not.toBe(b.float([1, 2], [2, 1]));
    expect(b.float(1)).not.toBe(b.constant({ dtype: 'float64', dims: [], data: Float64Array.of(1) }));
    expect(b.float(0)).not.toBe(b.float(-0));
    expect(b.float(NaN)).toBe(b.float(NaN));
  });

  it('gives a named value its name, and a free one where it is taken', () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [2]);
    expect(b.relu(x, 'first').name).toBe('first');
    expect(b.relu(x, 'first').name).not.toBe('first');
  });

  it('keeps in a graph only what its outputs need', () => {
    const b = new Builder();
    const [x, y] = [b.input('x', 'float32', [2]), b.input('y', 'float32', [2])];
    b.add(b.add(x, y), b.constant(float32([1, 2])));
    const graph = b.graph({ out: b.relu(x) });
    expect(graph.inputs.map(({ name }) => name)).toEqual(['x']);
    expect(graph.nodes.map(({ op }) => op)).toEqual(['Relu', 'Identity']);
    expect(graph.constants.size).toBe(0);
  });
});
