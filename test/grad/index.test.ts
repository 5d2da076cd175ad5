/** @file Differentiation as a whole: the table, the walk, and what it says where it cannot. */
import { describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { elementwise } from '../../src/grad/elementwise.ts';
import { differentiable, gradient, type Lowering, lowerings, type RuleContext, rules } from '../../src/grad/index.ts';
import { linear } from '../../src/grad/linear.ts';
import { movement } from '../../src/grad/movement.ts';
import { pool } from '../../src/grad/pool.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import type { Attributes } from '../../src/ir/graph.ts';
import { float32, toNumbers } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { checkGradient, noise } from '../check.ts';

describe('the table of rules', () => {
  // Each family's test fails where one of its rules has no check.
  it('consists of the checked families', () => {
    const families = [elementwise, linear, pool, movement].flatMap(Object.keys);
    expect(Object.keys(rules).sort()).toEqual(families.sort());
  });
});

describe('at exact ties and kinks', () => {
  /** Gradient of Σ y for x (and a second operand that equals it). */
  const at = async (
    build: (b: Builder, x: Value, y: Value) => Value,
    x: number[],
    dims = [x.length],
  ): Promise<number[][]> => {
    const b = new Builder();
    const [left, right] = [b.input('x', 'float32', dims), b.input('y', 'float32', dims)];
    const [dx, dy] = gradient(b, b.sum(build(b, left, right), undefined, false), [left, right]);
    const graph = b.graph({ dx: dx!, dy: dy! });
    const program = await nodeRuntime.compile(graph);
    const results = await program.run(Object.fromEntries(graph.inputs.map(({ name }) => [name, float32(x, dims)])));
    await program.dispose();
    return [toNumbers(results['dx']!), toNumbers(results['dy']!)];
  };

  it.each(['Max', 'Min'])('the first operand of %s takes the gradient', async (op) => {
    expect(await at((b, x, y) => b.one(op, [x, y]), [1, -2])).toEqual([
      [1, 1],
      [0, 0],
    ]);
    expect(await at((b, x, y) => b.one(op, [y, x, y]), [1, -2])).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });

  it.each(['ReduceMax', 'ReduceMin'])('the elements of %s share it', async (op) => {
    const values = op === 'ReduceMax' ? [3, 1, 3, 2] : [1, 3, 1, 2];
    expect((await at((b, x) => b.one(op, [x]), values))[0]).toEqual([0.5, 0, 0.5, 0]);
  });

  it('the elements of GlobalMaxPool share it', async () => {
    expect((await at((b, x) => b.one('GlobalMaxPool', [x]), [3, 1, 3, 2], [1, 1, 2, 2]))[0]).toEqual([0.5, 0, 0.5, 0]);
  });

  it('Relu passes nothing at zero and below, and all above it', async () => {
    const tiny = 1e-20;
    expect((await at((b, x) => b.relu(x), [0, -0, -tiny, -1e30, tiny, 1, 1e30]))[0]).toEqual([0, 0, 0, 0, 1, 1, 1]);
  });

  it('Clip passes the gradient on its bounds, Abs nothing at zero', async () => {
    expect((await at((b, x) => b.one('Clip', [x, b.float(-1), b.float(1)]), [-1, 1, -1.5, 1.5]))[0]).toEqual([
      1, 1, 0, 0,
    ]);
    expect((await at((b, x) => b.one('Abs', [x]), [0, -1, 1]))[0]).toEqual([0, -1, 1]);
  });
});

describe('gradient', () => {
  const thrown = (f: () => unknown): PhospheneError => {
    try {
      f();
    } catch (error) {
      expect(error).toBeInstanceOf(PhospheneError);
      return error as PhospheneError;
    }
    throw new Error('nothing was thrown');
  };

  it('is zero where y does not depend on x', () => {
    const b = new Builder();
    const [x, y] = [b.input('x', 'float32', [2, 3]), b.input('y', 'float32', [2])];
    const [dx, dy] = gradient(b, b.sum(y, undefined, false), [x, y]);
    expect(toNumbers(dx!.constant!)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(dy!.dims).toEqual([2]);
  });

  it('adds up what flows back along several paths', async () => {
    await checkGradient(
      (b, [x]) => {
        const y = b.sigmoid(b.conv(x!, noise(b, [2, 2, 3, 3]), undefined, { pads: [1, 1, 1, 1] }));
        return b.concat([b.mul(y, x!), b.add(y, b.tanh(x!)), b.sub(x!, b.mean(y))], 1);
      },
      [{ dims: [1, 2, 5, 6] }],
    );
  });

  it('does not flow through comparisons', async () => {
    await checkGradient((b, [x]) => b.mul(x!, b.cast(b.greater(x!, 0), 'float32')), [{ dims: [5], low: 0.1 }]);
  });

  it('does not flow through a value at which it is stopped', async () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [3]);
    const square = b.mul(x, x);
    const [whole] = gradient(b, b.sum(b.mul(square, x), undefined, false), [x]);
    const [stopped] = gradient(b, b.sum(b.mul(square, x), undefined, false), [x], { stop: [square] });
    const program = await nodeRuntime.compile(b.graph({ whole: whole!, stopped: stopped! }));
    const results = await program.run({ x: float32([1, -2, 3]) });
    await program.dispose();
    // Of x³, and of x² x with x² taken for a constant.
    expect(toNumbers(results['whole']!)).toEqual([3, 12, 27]);
    expect(toNumbers(results['stopped']!)).toEqual([1, 4, 9]);
    expect(differentiable(b.graph({ square, x }), 'x', { stop: [square] })).toEqual(new Set(['x']));
  });

  it('sums what a rule gives over the axes along which its input was broadcast', () => {
    const b = new Builder();
    const [x, y] = [b.input('x', 'float32', [3, 1]), b.input('y', 'float32', [2, 3, 4])];
    const [dx, dy] = gradient(b, b.sum(b.add(x, y), undefined, false), [x, y]);
    expect([dx!.dims, dy!.dims]).toEqual([
      [3, 1],
      [2, 3, 4],
    ]);
  });

  it('does not take what a rule gives for something else', () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [2]);
    for (const odd of [b.float([1, 2, 3]), b.float(1)])
      expect(() => gradient(b, b.sum(b.exp(x), undefined, false), [x], { overrides: { Exp: () => [odd] } })).toThrow(
        /^internal: Exp exp\w*: gradient of input 0 is \[.*\], the input \[2\]$/,
      );
  });

  it('gives a rule the attributes of its node, defaults filled in', () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [2]);
    const seen: unknown[] = [];
    const overrides = {
      LeakyRelu: ({ g, attributes }: RuleContext) => {
        seen.push(attributes);
        return [g];
      },
    };
    gradient(b, b.sum(b.one('LeakyRelu', [x]), undefined, false), [x], { overrides });
    expect(seen).toEqual([{ alpha: 0.01 }]);
  });

  it('is spelled by the lowering that is given, begun once', () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [2]);
    let begun = 0;
    const lowering: Lowering = () => {
      begun++;
      return { ...lowerings.cpu(), gate: (builder, g) => builder.neg(g) };
    };
    gradient(b, b.sum(b.mul(b.relu(b.relu(x)), b.input('u', 'float32', [2])), undefined, false), [x], { lowering });
    expect(begun).toBe(1);
    expect(b.nodes.filter(({ op }) => op === 'Neg')).toHaveLength(2);
    expect(Object.keys(lowerings)).toEqual(['cpu', 'wasm', 'webgpu']);
  });

  it('uses overrides before the table', () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [2]);
    const [g] = gradient(b, b.sum(b.relu(x), undefined, false), [x], {
      overrides: { Relu: ({ g: flowing }) => [flowing] },
    });
    expect(b.nodes.some(({ op }) => op === 'HardSigmoid')).toBe(false);
    expect(g!.dims).toEqual([2]);
  });

  it('names the operator and the node that have no rule', () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [1, 4, 5, 5]);
    const y = b.one('ReduceProd', [x, b.ints([0])], {}, 'sums');
    const error = thrown(() => gradient(b, b.sum(y, undefined, false), [x]));
    expect(error.code).toBe('unsupported-op');
    expect(error.message).toBe('ReduceProd sums: there is no gradient rule for this operator');
    expect(error.details).toEqual({ op: 'ReduceProd', node: 'sums' });
  });

  it.each<[string, Attributes, string]>([
    ['cubic', { mode: 'cubic' }, 'no gradient for its mode `cubic`'],
    ['smoothed', { mode: 'linear', antialias: 1 }, 'no gradient for its mode `linear`'],
  ])('names a Resize whose interpolation is %s', (_, attributes, why) => {
    const b = new Builder();
    const x = b.input('x', 'float32', [1, 2, 4, 4]);
    const y = b.one('Resize', [x, undefined, b.float([1, 1, 0.5, 0.5])], attributes, 'smaller');
    expect(thrown(() => gradient(b, b.sum(y, undefined, false), [x]))).toMatchObject({
      code: 'unsupported-op',
      message: `Resize smaller: ${why}`,
      details: { op: 'Resize', node: 'smaller' },
    });
  });

  it('names the operator and the node whose axes have no rule', () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [1, 2, 8]);
    const y = b.one('AveragePool', [x], { kernel_shape: [2] }, 'line');
    expect(thrown(() => gradient(b, b.sum(y, undefined, false), [x]))).toMatchObject({
      code: 'unsupported-op',
      message: 'AveragePool line: only two spatial axes are supported',
      details: { op: 'AveragePool', node: 'line' },
    });
  });

  it.each(['Conv', 'ConvTranspose'])('says that weights of %s have no gradient', (op) => {
    const b = new Builder();
    const w = b.input('w', 'float32', [4, 4, 3, 3]);
    const y = b.one(op, [noise(b, [1, 4, 5, 5]), w], {}, 'first');
    const error = thrown(() => gradient(b, b.sum(y, undefined, false), [w]));
    expect(error.code).toBe('unsupported-op');
    expect(error.message).toContain(`${op} first`);
  });

  it('names the operator and the node that no graph can have', () => {
    const b = new Builder();
    const error = thrown(() => b.one('Einsum', [b.input('x', 'float32', [2])], {}, 'attention'));
    expect(error.code).toBe('unsupported-op');
    expect(error.message).toBe('Einsum attention: this operator is not supported');
    expect(error.details).toEqual({ op: 'Einsum', node: 'attention' });
  });

  it('says which shapes do not fit, and where', () => {
    const b = new Builder();
    const x = b.constant(float32([1, 2, 3]));
    const error = thrown(() => b.one('Add', [x, b.input('y', 'float32', [2])], {}, 'sum'));
    expect(error.code).toBe('shape');
    expect(error.message).toContain('Add sum');
  });
});
