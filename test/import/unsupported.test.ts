/** @file A network with an operator that is not supported shows what stands before it, and says what bars the rest. */
import { expect, it } from 'vitest';
import { fromOnnx } from '../../src/import/onnx.ts';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { float32 } from '../../src/ir/tensor.ts';

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
