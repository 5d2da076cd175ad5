/** @file A network with an operator that is not supported shows what stands before it, and says what bars the rest. */
import { describe, expect, it } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { float32, type Tensor } from '../../src/ir/tensor.ts';
import { openBytes } from './open.ts';

it('lists and cuts the layers before an unsupported operator, and names it in the error', async () => {
  const b = new Builder();
  const x = b.input('x', 'float32', [1, 3, 8, 8]);
  const first = b.conv(x, b.constant(float32(new Float32Array(36).fill(0.1), [4, 3, 1, 3])), undefined, {}, 'first');
  const graph = b.graph({ last: b.relu(first, 'last') });
  const odd = { ...graph, nodes: graph.nodes.map((n) => (n.name === 'last' ? { ...n, op: 'Unheard' } : n)) };
  const model = await openBytes(encodeOnnx(odd), { name: 'odd.onnx' });
  const size = { height: 8, width: 8 };
  expect(model.layers(size).layers.map((l) => l.name)).toEqual(['first']);
  expect(model.layers(size).barrier).toMatchObject({
    code: 'unsupported-op',
    details: { op: 'Unheard', node: 'last' },
  });
  expect((await openBytes(encodeOnnx(graph))).layers(size).barrier).toBeUndefined();
  expect((await model.cut(['first'], size)).outputs[0]!.dims).toEqual([1, 4, 8, 6]);
  await expect(model.cut(['last'], size)).rejects.toThrow(/^Unheard last: this operator is not supported$/);
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
  const opened = async (graph: Graph): Promise<Graph> => {
    const model = await openBytes(encodeOnnx(graph), { name: 'odd.onnx' });
    return model.cut(['last'], size);
  };
  const weights = float32(new Float32Array(36).fill(1), [4, 3, 1, 3]);

  it('is refused where a weight is not a number', async () => {
    expect(await opened(network(weights))).toBeDefined();
    const wrong = float32(weights.data.slice().fill(NaN, 7, 8), weights.dims);
    await expect(opened(network(wrong))).rejects.toThrow(/^odd\.onnx: tensor `\w+` has values that are NaN/);
  });

  it('is refused where a node gives nothing', async () => {
    const graph = network(weights);
    const nodes = graph.nodes.map((n) => (n.op === 'Relu' ? { ...n, outputs: [] } : n));
    await expect(opened({ ...graph, nodes })).rejects.toThrow('odd.onnx: Relu last: it has no output');
  });

  it.each([
    ['an empty file', ''],
    ['an HTML page', '<!DOCTYPE html><title>404</title>'],
    ['a gzip archive', '\u001f\u008b'],
    ['a Git LFS pointer', 'version https://git-lfs.github.com/spec/v1'],
  ])('is named as what it looks like: %s', async (kind, text) => {
    await expect(openBytes(Buffer.from(text, 'latin1'), { name: 'odd.onnx' })).rejects.toThrow(
      `odd.onnx: holds no network that can be read, but ${kind}`,
    );
  });
});
