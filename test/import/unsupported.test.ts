/** @file A network with an operator that is not supported shows what stands before it, and says what bars the rest. */
import { describe, expect, it } from 'vitest';
import { fromOnnx } from '../../src/import/onnx.ts';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { float32, type Tensor } from '../../src/ir/tensor.ts';

it('lists and cuts the layers before an unsupported operator, and names it in the error', () => {
  const b = new Builder();
  const x = b.input('x', 'float32', [1, 3, 8, 8]);
  const first = b.conv(x, b.constant(float32(new Float32Array(36).fill(0.1), [4, 3, 1, 3])), undefined, {}, 'first');
  const graph = b.graph({ last: b.relu(first, 'last') });
  const odd = { ...graph, nodes: graph.nodes.map((n) => (n.name === 'last' ? { ...n, op: 'Unheard' } : n)) };
  const model = fromOnnx(encodeOnnx(odd), { name: 'odd.onnx', hash: '' });
  const size = { height: 8, width: 8 };
  expect(model.layers(size).map((l) => l.name)).toEqual(['first']);
  expect(model.barrier!(size)).toMatchObject({ code: 'unsupported-op', details: { op: 'Unheard', node: 'last' } });
  expect(fromOnnx(encodeOnnx(graph), { name: 'whole.onnx', hash: '' }).barrier!(size)).toBeUndefined();
  expect(model.cut('first', size).outputs[0]!.dims).toEqual([1, 4, 8, 6]);
  expect(() => model.cut('last', size)).toThrow(/^Unheard last: this operator is not supported$/);
});

describe('a file that cannot be a network', () => {
  const size = { height: 8, width: 8 };
  const network = (w: Tensor): Graph => {
    const b = new Builder();
    const x = b.input('x', 'float32', [1, 3, 8, 8]);
    const first = b.conv(
      x,
      b.constant(float32(new Float32Array(36).fill(1), [4, 3, 1, 3]), 'w'),
      undefined,
      {},
      'first',
    );
    const graph = b.graph([b.relu(first, 'last')]);
    return { ...graph, constants: new Map([...graph.constants.keys()].map((name) => [name, w])) };
  };
  const opened = (graph: Graph): unknown => {
    const model = fromOnnx(encodeOnnx(graph), { name: 'odd.onnx', hash: '' });
    return model.cut('last', size);
  };
  const weights = float32(new Float32Array(36).fill(1), [4, 3, 1, 3]);

  it('is refused where a weight is not a number', () => {
    expect(opened(network(weights))).toBeDefined();
    const wrong = float32(weights.data.slice().fill(NaN, 7, 8), weights.dims);
    expect(() => opened(network(wrong))).toThrow(/^odd\.onnx: tensor `\w+` has values that are NaN/);
  });

  it('is refused where its weights are of half precision and pictures are not', () => {
    const half: Tensor = { dtype: 'float16', dims: weights.dims, data: new Uint16Array(36).fill(0x3c00) };
    expect(() => opened(network(half))).toThrow('Conv first: inputs of float32 and float16; one type is needed');
  });

  it('is refused where a node gives nothing', () => {
    const graph = network(weights);
    const nodes = graph.nodes.map((n) => (n.op === 'Relu' ? { ...n, outputs: [] } : n));
    expect(() => opened({ ...graph, nodes })).toThrow('odd.onnx: Relu last: it has no output');
  });

  it.each([
    ['an empty file', ''],
    ['an HTML page', '<!DOCTYPE html><title>404</title>'],
    ['an HDF5 file', '\u0089HDF\r\n'],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1'],
  ])('is named as what it looks like: %s', (kind, text) => {
    expect(() => fromOnnx(Buffer.from(text, 'latin1'), { name: 'odd.onnx', hash: '' })).toThrow(
      `odd.onnx: holds no ONNX model but ${kind}`,
    );
  });
});
