/** @file Files come from strangers: what a node may have is what its operator's record says, and all that is computed is counted. */
import { describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { differentiable, gradient } from '../../src/grad/index.ts';
import { Budget } from '../../src/ir/budget.ts';
import { Builder } from '../../src/ir/builder.ts';
import type { Attributes } from '../../src/ir/graph.ts';
import { infer, upgraded } from '../../src/ir/infer.ts';
import { decodeOnnx, encodeOnnx } from '../../src/ir/onnx.ts';
import { AttributeProto_AttributeType as Kind } from '../../src/ir/onnx_pb.ts';
import { type Dims, float32, int64, toNumbers } from '../../src/ir/tensor.ts';

const image = { dtype: 'float32', dims: [1, 4, 8, 8] } as const;
const weights = { dtype: 'float32', dims: [4, 4, 3, 3] } as const;
const given = (...values: number[]) => ({ dtype: 'int64', dims: [values.length], constant: int64(values) }) as const;
const scales = (...values: number[]) =>
  ({ dtype: 'float32', dims: [values.length], constant: float32(values) }) as const;
const thrown = (f: () => unknown): unknown => {
  try {
    return f();
  } catch (error) {
    return error;
  }
};
type Given = Parameters<typeof infer>[2];

describe('attributes', () => {
  it.each<[string, Given, Attributes, string]>([
    ['Conv', [image, weights], { strides: [0, 1] }, '`strides` must be whole numbers of at least 1, not [0, 1]'],
    ['Conv', [image, weights], { strides: [-1, 1] }, '`strides` must be whole numbers of at least 1, not [-1, 1]'],
    ['Conv', [image, weights], { dilations: [1, 0] }, '`dilations` must be whole numbers of at least 1, not [1, 0]'],
    [
      'Conv',
      [image, weights],
      { strides: [2 ** 31, 1] },
      '`strides` must be whole numbers of at least 1, not [2147483648, 1]',
    ],
    [
      'Conv',
      [image, weights],
      { pads: [0.5, 0, 0, 0] },
      '`pads` must be whole numbers of at least 0, not [0.5, 0, 0, 0]',
    ],
    [
      'Conv',
      [image, weights],
      { pads: [0, -1, 0, 0] },
      '`pads` must be whole numbers of at least 0, not [0, -1, 0, 0]',
    ],
    ['Conv', [image, weights], { pads: 1 }, '`pads` must be whole numbers of at least 0, not 1'],
    ['Conv', [image, weights], { pads: 'all' }, '`pads` must be whole numbers of at least 0, not `all`'],
    ['Conv', [image, weights], { group: 0 }, '`group` must be a whole number of at least 1, not 0'],
    ['Conv', [image, weights], { group: Infinity }, '`group` must be a whole number of at least 1, not Infinity'],
    [
      'Conv',
      [image, weights],
      { auto_pad: 'SAME' },
      '`auto_pad` must be `NOTSET` or `SAME_UPPER` or `SAME_LOWER` or `VALID`, not `SAME`',
    ],
    ['Conv', [image, weights], { kernel_shape: [1, 255] }, '`kernel_shape` is [1, 255], the weights are [4, 4, 3, 3]'],
    ['MaxPool', [image], {}, '`kernel_shape` is missing; it must be whole numbers of at least 1'],
    [
      'MaxPool',
      [image],
      { kernel_shape: [2, 2], ceil_mode: 2 },
      '`ceil_mode` must be a whole number from 0 to 1, not 2',
    ],
    ['LeakyRelu', [image], { alpha: 'x' }, '`alpha` must be a number, not `x`'],
    ['LeakyRelu', [image], { alpha: float32(1) }, '`alpha` must be a number, not a tensor []'],
    ['Concat', [image], {}, '`axis` is missing; it must be a whole number'],
    ['Cast', [image], { to: 'bfloat16' }, '`to` must be an element type, not `bfloat16`'],
    [
      'Resize',
      [image, undefined, scales(1, 1, 2, 2)],
      { keep_aspect_ratio_policy: 'not_larger' },
      '`keep_aspect_ratio_policy` must be `stretch`, not `not_larger`',
    ],
    ['Cast', [image], {}, '`to` is missing; it must be an element type'],
    [
      'ConstantOfShape',
      [given(2)],
      { value: float32([1, 2]) },
      '`value` must be a tensor of one element, not a tensor [2]',
    ],
    ['DepthToSpace', [image], { blocksize: 0 }, '`blocksize` must be a whole number of at least 1, not 0'],
  ])('of %s are refused if they are wrong: case %#', (op, inputs, attributes, message) => {
    expect(thrown(() => infer(op, 'odd', inputs, attributes, 1))).toMatchObject({
      name: 'PhospheneError',
      code: 'bad-file',
      message: `${op} odd: attribute ${message}`,
      details: { op, node: 'odd' },
    });
  });

  it('are refused if the operator has no such', () => {
    expect(thrown(() => infer('Relu', 'odd', [image], { keepdims: 1 }, 1))).toMatchObject({
      code: 'unsupported-op',
      message: 'Relu odd: attribute `keepdims` is not known; export the file again without it',
    });
    // Also by a name that all objects have.
    expect(() => infer('Relu', 'odd', [image], { constructor: 1 }, 1)).toThrow('attribute `constructor` is not known');
  });

  it('are FLOAT or INT as the record says, whatever the number', () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [1, 2, 4, 4]);
    const y = b.one('LRN', [b.one('LeakyRelu', [x], { alpha: 1 })], { size: 3, alpha: 1, beta: 0.5, bias: 2 });
    const nodes = decodeOnnx(encodeOnnx(b.graph({ y }))).proto.graph!.node;
    const kinds = nodes.flatMap((n) => n.attribute.map((a) => `${n.opType}.${a.name} ${Kind[a.type]}`));
    expect(kinds).toEqual([
      'LeakyRelu.alpha FLOAT',
      'LRN.size INT',
      'LRN.alpha FLOAT',
      'LRN.beta FLOAT',
      'LRN.bias FLOAT',
    ]);
  });

  it('that no record knows are written by what they are', () => {
    const node = {
      op: 'Odd',
      name: 'odd',
      inputs: [],
      outputs: ['y'],
      attributes: { a: 0.5, b: 2, c: [0.5, 1], d: [1, 2], e: 2 ** 60 },
    };
    const info = { name: 'y', dtype: 'float32', dims: [] } as const;
    const bytes = encodeOnnx({ inputs: [], outputs: [info], nodes: [node], constants: new Map() });
    const stated = decodeOnnx(bytes).proto.graph!.node[0]!.attribute;
    expect(stated.map((a) => [a.name, Kind[a.type]])).toEqual([
      ['a', 'FLOAT'],
      ['b', 'INT'],
      ['c', 'FLOATS'],
      ['d', 'INTS'],
      ['e', 'INT'],
    ]);
  });
});

describe('inputs', () => {
  it.each<[string, Given, Attributes, string]>([
    ['Relu', [image, image], {}, 'it has 2 inputs, 1 at most are known'],
    ['Add', [image], {}, 'input 1 of 2 is missing'],
    ['Concat', [image, undefined, image], { axis: 1 }, 'input 1 of 1 is missing'],
    ['And', [image, image], {}, 'input 0 is float32; bool is needed'],
    ['Relu', [{ dtype: 'bool', dims: [2] }], {}, 'input 0 is bool; a type of numbers is needed'],
    ['Exp', [{ dtype: 'int64', dims: [2] }], {}, 'input 0 is int64; a float type is needed'],
    ['Gather', [image, image], {}, 'input 1 is float32; int32 or int64 is needed'],
    ['Reshape', [image, image], {}, 'input 1 is float32; int64 is needed'],
    [
      'Add',
      [image, { dtype: 'int64', dims: [1] }],
      {},
      'inputs of float32 and int64; one type is needed, and pictures are float32',
    ],
    ['Conv', [image, { dtype: 'float32', dims: [4, 4, 3] }], {}, 'input has rank 4, weights have 3'],
    ['Conv', [image, weights, { dtype: 'float32', dims: [3] }], {}, '4 filters have a bias of [3]'],
    ['Conv', [image, weights], { strides: [1] }, 'strides [1] should be 2 numbers'],
    ['Conv', [image, weights], { pads: [1, 1] }, 'pads [1, 1] should be 4 numbers'],
    ['MaxPool', [image], { kernel_shape: [2] }, 'a window of [2] does not fit 2 spatial axes'],
    [
      'MaxPool',
      [image],
      { kernel_shape: [2, 2], pads: [2, 0, 0, 0] },
      'pads [2, 0, 0, 0] must be shorter than the window of [2, 2]',
    ],
    ['GlobalAveragePool', [{ dtype: 'float32', dims: [1, 4] }], {}, '[1, 4] has no spatial axes'],
    ['Transpose', [image], { perm: [0, 2, 1] }, '[0, 2, 1] is no order of 4 axes'],
    ['Transpose', [image], { perm: [0, 1, 1, 2] }, '[0, 1, 1, 2] is no order of 4 axes'],
    ['Split', [image, given(1, 2)], { axis: 1 }, 'parts of [1, 2] do not add up to an axis of 4'],
    ['Split', [image, given(-1, 5)], { axis: 1 }, 'parts of [-1, 5] do not add up to an axis of 4'],
    ['Slice', [image, given(0), given(1, 2)], {}, 'its starts, ends, axes and steps are not equally many'],
    ['Slice', [image, given(0), given(1), given(0), given(0)], {}, 'a step is 0'],
    ['Slice', [image, given(0, 0), given(1, 1), given(1, -3)], {}, 'an axis appears twice in [1, -3]'],
    [
      'Reshape',
      [image, { dtype: 'int64', dims: [1, 1], constant: int64([256], [1, 1]) }],
      {},
      'its shape must be a vector, not [1, 1]',
    ],
    ['Reshape', [image, given(0, 0, 0, 0, 0)], {}, '[1, 4, 8, 8] does not reshape to [1, 4, 8, 8, -2]'],
    ['Pad', [image, given(1, 1)], {}, 'its amounts are 2 numbers, 8 are needed'],
    ['Tile', [image, given(1, 1)], {}, 'its repeats are 2 numbers, 4 are needed'],
    ['Resize', [image], {}, 'either scales or sizes are needed, not both'],
    [
      'Resize',
      [image, undefined, scales(1, 1, 2, 2), given(1, 4, 3, 3)],
      {},
      'either scales or sizes are needed, not both',
    ],
    ['Resize', [image, undefined, scales(2, 2)], {}, 'its scales are 2 numbers, 4 are needed'],
    ['Resize', [image, undefined, scales(1, 1, 0, 1)], {}, 'a scale must be positive, not 0'],
    ['Resize', [image, undefined, scales(1, 1, Infinity, 1)], {}, 'a scale must be positive, not Infinity'],
    ['Resize', [image, undefined, undefined, given(1, 4, -3, 1)], {}, 'a size must be positive, not -3'],
    ['Resize', [image, undefined, scales(2)], { axes: [4] }, 'axis 4 is outside a rank of 4'],
    ['LRN', [image], { size: 2 }, 'attribute `size` must be odd, not 2'],
    ['Squeeze', [image, given(1)], {}, 'axis 1 of [1, 4, 8, 8] is not 1'],
    ['Flatten', [image], { axis: 5 }, 'axis 5 is outside a rank of 4'],
    ['Gemm', [image, image], {}, '[1, 4, 8, 8] and [1, 4, 8, 8]: matrices are needed'],
    [
      'MatMul',
      [
        { dtype: 'float32', dims: [4] },
        { dtype: 'float32', dims: [4, 2] },
      ],
      {},
      '[4] and [4, 2] do not multiply',
    ],
    ['Range', [given(0), given(4), given(0)], {}, 'its step is 0'],
    ['DepthToSpace', [image], { blocksize: 3 }, `it would give [1, ${4 / 9}, 24, 24]`],
  ])('of %s are refused if they do not fit: case %#', (op, inputs, attributes, message) => {
    const outputs = op === 'Split' ? 2 : 1;
    expect(thrown(() => infer(op, 'odd', inputs, attributes, outputs))).toMatchObject({
      code: 'shape',
      message: `${op} odd: ${message}`,
      details: { op, node: 'odd' },
    });
  });

  // Each of these began with the operator's name, and so lost its node.
  it.each<[string, Given, string]>([
    ['Pad', [image, { dtype: 'int64', dims: [8] }], 'amounts'],
    ['Slice', [image, { dtype: 'int64', dims: [1] }, given(1)], 'starts'],
    ['Reshape', [image, { dtype: 'int64', dims: [2] }], 'shape'],
    ['Expand', [image, { dtype: 'int64', dims: [4] }], 'shape'],
    ['Tile', [image, { dtype: 'int64', dims: [4] }], 'repeats'],
    ['Split', [image, { dtype: 'int64', dims: [1] }], 'sizes'],
    ['Resize', [image, undefined, { dtype: 'float32', dims: [4] }], 'scales'],
  ])('of %s must be known while building, and the node and the remedy are named', (op, inputs, what) => {
    expect(thrown(() => infer(op, 'odd', inputs, {}, 1))).toMatchObject({
      message: `${op} odd: its ${what} must be known when the graph is built; export the network with fixed sizes, or simplify the file with onnxsim`,
      details: { op, node: 'odd' },
    });
  });

  it('refuses more outputs than there are', () => {
    expect(() => infer('Relu', 'odd', [image], {}, 2)).toThrow('Relu odd: it has 2 outputs, 1 can be computed');
  });

  it('refuses a division of whole numbers by zero', () => {
    const b = new Builder();
    for (const op of ['Div', 'Mod'])
      expect(() => b.one(op, [b.ints([1]), b.ints([0])], {}, 'odd')).toThrow(
        `${op} odd: a whole number is divided by zero`,
      );
  });
});

describe('an operator', () => {
  it.each([
    ['Loop', /control flow/],
    ['Scan', /control flow/],
    ['constructor', /^constructor odd: this operator is not supported$/],
  ])('%s is refused, saying what it is', (op, message) => {
    expect(thrown(() => infer(op, 'odd', [image], {}, 1))).toMatchObject({
      code: 'unsupported-op',
      message: expect.stringMatching(message),
    });
  });

  const node = (op: string, attributes: Attributes = {}) => ({
    op,
    name: 'n',
    inputs: [],
    outputs: ['out'],
    attributes,
  });
  it('in training mode is refused, and says how to export', () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [1, 4, 8, 8]);
    const four = b.float([1, 1, 1, 1]);
    const inputs = [x, four, four, four, four];
    expect(() => upgraded(b, node('BatchNormalization', { training_mode: 1 }), 15, inputs)).toThrow(
      /^BatchNormalization out: it normalises by the statistics of a batch.*model\.eval\(\)/,
    );
    expect(upgraded(b, node('BatchNormalization', { training_mode: 0, momentum: 0.9 }), 15, inputs)).toHaveLength(1);
    const mode = (value: number) => b.constant({ dtype: 'bool', dims: [], data: Uint8Array.of(value) });
    expect(() => upgraded(b, node('Dropout'), 13, [x, undefined, mode(1)])).toThrow(
      /^Dropout out: it drops values at random/,
    );
    expect(upgraded(b, node('Dropout'), 13, [x, undefined, mode(0)])[0]!.dims).toEqual(x.dims);
  });

  it('of an older set becomes ours', () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [1, 4, 8, 8]);
    expect(upgraded(b, node('Clip', { min: 0, max: 6 }), 9, [x])[0]!.dims).toEqual(x.dims);
    expect(b.nodes.at(-1)!.inputs).toHaveLength(3);
    expect(() => upgraded(b, node('Clip', { min: 'a' }), 9, [x])).toThrow('Clip out: attribute `min` must be a number');
    expect(() => upgraded(b, node('ReduceMean', { axes: 'a' }), 9, [x])).toThrow(
      'ReduceMean out: attribute `axes` must be whole numbers',
    );
    const v = b.input('v', 'float32', [8]);
    expect(upgraded(b, node('MatMul'), 13, [x, v])[0]!.dims).toEqual([1, 4, 8]);
    expect(upgraded(b, node('MatMul'), 13, [v, x])[0]!.dims).toEqual([1, 4, 8]);
    expect(upgraded(b, node('MatMul'), 13, [v, v])[0]!.dims).toEqual([]);
  });
});

describe('a budget', () => {
  it('bounds all that is folded, together', () => {
    const b = new Builder([], new Budget({ bytes: 10_000 }));
    const big = b.one('ConstantOfShape', [b.ints([1000])]);
    // A view takes nothing.
    for (let i = 1; i < 20; i++) b.reshape(big, [i, 1000 / i].every(Number.isInteger) ? [i, 1000 / i] : [1000]);
    const second = b.one('Exp', [big]);
    expect(thrown(() => b.one('Exp', [second], {}, 'third'))).toMatchObject({
      code: 'too-large',
      message: expect.stringMatching(
        /^Exp third: the constants to be computed need more than 0 MiB in total; a smaller picture/,
      ),
      details: { op: 'Exp', node: 'third', limit: 10_000, bytes: 12_000 },
    });
  });

  it('is exact, and refuses what is no number', () => {
    const budget = new Budget({ bytes: 8 });
    expect(budget.floats(2)).toEqual(new Float32Array(2));
    expect(() => budget.take(1)).toThrow(PhospheneError);
    expect(() => new Budget().take(NaN)).toThrow(PhospheneError);
  });

  it('bounds time', () => {
    const budget = new Budget({ milliseconds: -1 });
    expect(thrown(() => budget.check())).toMatchObject({
      code: 'too-large',
      message: expect.stringContaining('takes more than'),
    });
    expect(() => new Budget().check()).not.toThrow();
  });

  it('bounds what gradients compute', () => {
    const b = new Builder([], new Budget({ bytes: 1e6 }));
    const dims: Dims = [1, 1, 70_000, 1];
    const x = b.input('x', 'float32', dims);
    const y = b.one('AveragePool', [x], { kernel_shape: [1, 1], strides: [60_000, 60_000] });
    expect(thrown(() => gradient(b, b.sum(y, undefined, false), [x]))).toMatchObject({ code: 'too-large' });
    // Before anything is made of them.
    const large = b.one('Resize', [x, undefined, undefined, b.ints([1, 1, 70_000, 2 ** 30])]);
    const wide = b.one('Pad', [x, b.ints([0, 0, 0, 2 ** 30, 0, 0, 0, 0])], { mode: 'edge' });
    for (const z of [large, wide])
      expect(thrown(() => gradient(b, b.sum(z, undefined, false), [x]))).toMatchObject({ code: 'too-large' });
  });
});

it('a graph that does not depend on its picture has no gradient', () => {
  const b = new Builder();
  b.input('image', 'float32', [1, 3, 4, 4]);
  const graph = b.graph({ y: b.float([1, 2]) });
  expect(differentiable(graph, 'image')).toEqual(new Set());
});

describe('same-padding arithmetic of exporters', () => {
  it('is computed while building', () => {
    const b = new Builder();
    const size = b.one('Shape', [b.input('x', 'float32', [1, 3, 225, 225])], { start: 2 });
    // max((⌈size / stride⌉ − 1) stride + kernel − size, 0), and half of it before.
    const steps = b.cast(b.one('Ceil', [b.div(b.cast(size, 'float32'), 2)]), 'int64');
    const total = b.one('Clip', [b.sub(b.add(b.mul(b.sub(steps, 1), 2), 3), size), b.constant(int64(0))]);
    const before = b.div(total, 2);
    const after = b.sub(total, before);
    expect([before, after].map((v) => toNumbers(v.constant!))).toEqual([
      [1, 1],
      [1, 1],
    ]);
  });
});
