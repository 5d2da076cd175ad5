/** @file Layers behind an operator without a gradient: which they are, and what is said of them. */
import { describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { differentiable } from '../../src/grad/index.ts';
import type { Network } from '../../src/import/network.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { render } from '../../src/node.ts';
import { surveyed, targetAt, targets } from '../../src/render/targets.ts';
import { noise } from '../check.ts';
import { openBytes } from '../import/open.ts';
import { barredFile } from './barred.ts';

const size = { height: 16, width: 16 };
const model = (bytes: Uint8Array): Promise<Network> => openBytes(bytes);
const names = async (bytes: Uint8Array): Promise<string[]> => targets(await model(bytes), size).map((l) => l.name);

/** What rendering the layer throws. */
async function thrown(bytes: Uint8Array, layer: string): Promise<PhospheneError> {
  const error: unknown = await render(await model(bytes), { layer, channels: [0], size, steps: 1, finish: { crop: 0 } })
    .next()
    .catch((e: unknown) => e);
  expect(error).toBeInstanceOf(PhospheneError);
  return error as PhospheneError;
}

/** A file from a few lines; `x` is its image. */
function file(build: (b: Builder, x: Value) => Value): Uint8Array {
  const b = new Builder();
  return encodeOnnx(b.graph([build(b, b.input('data', 'float32', [1, 3, 16, 16]))]));
}

describe('a layer behind an operator without a gradient', () => {
  it('is no target, and the error names the operator, the node and the layers that are', async () => {
    expect((await model(barredFile())).layers(size).layers).toHaveLength(4);
    expect(await names(barredFile())).toEqual(['first', 'first_relu']);
    const error = await thrown(barredFile(), 'last');
    expect(error.code).toBe('unsupported-op');
    expect(error.message).toBe(
      'ReduceProd sums: there is no gradient rule for this operator; layers up to `first_relu` can still be rendered',
    );
    expect(error.details).toEqual({ op: 'ReduceProd', node: 'sums', reachable: ['first', 'first_relu'] });
  });

  it.each<[string, RegExp, (b: Builder, x: Value) => Value]>([
    [
      'weights that depend on the image',
      /^Conv odd: gradients for its weights are not supported; layers up to `first`/,
      (b, x) => b.one('Conv', [noise(b, [1, 4, 20, 20]), x], {}, 'odd'),
    ],
    [
      'slopes that depend on the image',
      /^PRelu odd: gradients for its slopes are not supported; layers up to `first`/,
      (b, x) => b.one('PRelu', [noise(b, [1, 4, 14, 14]), x], {}, 'odd'),
    ],
  ])('is found where a rule does not take its node: %s', async (_, message, odd) => {
    const bytes = file((b, x) => b.relu(odd(b, b.conv(x, noise(b, [4, 3, 3, 3]), undefined, {}, 'first')), 'last'));
    expect(await names(bytes)).toEqual(['first']);
    expect((await thrown(bytes, 'last')).message).toMatch(message);
  });

  it('does not bar a branch beside it', async () => {
    const bytes = file((b, x) => {
      const left = b.relu(b.one('ReduceProd', [x, b.ints([0])], {}, 'sums'), 'left');
      return b.one('Concat', [left, b.relu(b.relu(x, 'right'), 'right_again')], { axis: 1 }, 'joined');
    });
    expect(await names(bytes)).toEqual(['right', 'right_again']);
    expect((await thrown(bytes, 'joined')).message).toMatch(
      /^ReduceProd sums: .*; 2 layers, the last of them `right_again`, can still be rendered$/,
    );
  });

  it('is not offered in the place of one behind an unsupported operator', async () => {
    const bytes = barredFile();
    // To the importer, a name of the same length that it does not know.
    bytes.set(new TextEncoder().encode('Selv'), Buffer.from(bytes).lastIndexOf('Selu'));
    expect((await thrown(bytes, 'last')).message).toBe(
      'Selv last: this operator is not supported; layers up to `first_relu` can still be rendered',
    );
  });

  it('leaves nothing to offer where it is the first', async () => {
    const bytes = file((b, x) => b.relu(b.one('ReduceProd', [x, b.ints([0])], {}, 'sums'), 'last'));
    expect(await names(bytes)).toEqual([]);
    expect((await thrown(bytes, 'last')).message).toBe('ReduceProd sums: there is no gradient rule for this operator');
  });
});

describe('differentiable', () => {
  it('knows steps from slopes', () => {
    const b = new Builder();
    const x = b.input('x', 'float32', [1, 2, 3, 3]);
    const whole = b.one('Floor', [x], {}, 'whole');
    const mask = b.one('Cast', [b.greater(x, 0)], { to: 'float32' }, 'mask');
    const graph = b.graph([whole, mask, b.one('Mul', [x, mask], {}, 'gated')]);
    expect([...differentiable(graph, 'x')].sort()).toEqual(['gated', 'x']);
  });

  it('takes rules beside the table', async () => {
    const { graph } = (await model(barredFile())).layers(size);
    const overrides = { ReduceProd: ({ g }: { g: Value }) => [g] };
    expect([...differentiable(graph, 'image', { overrides })]).toEqual(expect.arrayContaining(['sums', 'last']));
  });
});

describe('a layer without channels', () => {
  it('is no target', async () => {
    const vector = await model(file((b, x) => b.one('Reshape', [b.relu(x), b.ints([768])], {}, 'flat')));
    const listing = vector.layers(size);
    const at = listing.layers.findIndex(({ name }) => name === 'flat');
    expect(listing.layers[at]!.channels).toBeUndefined();
    expect(() => targetAt(listing, at)).toThrow(
      expect.objectContaining({
        code: 'unknown-layer',
        message: 'layer `flat` is [768] and has no channels that can be told apart; choose another layer',
        details: { option: 'layer', layer: 'flat', dims: [768] },
      }) as Error,
    );
    expect(targets(vector, size).map(({ name }) => name)).not.toContain('flat');
  });
});

describe('what is rendered of a layer', () => {
  it('is filters, units, or classes by their logits, and a bias is a detail', async () => {
    const network = await model(
      file((b, x) => {
        const map = b.relu(b.conv(x, noise(b, [4, 3, 3, 3]), undefined, {}, 'map'), 'active');
        const biased = b.one('Add', [map, noise(b, [4, 1, 1])], {}, 'bias');
        const both = b.one('Add', [biased, map], {}, 'sum');
        const units = b.one('Flatten', [b.one('GlobalAveragePool', [both], {}, 'pool')], {}, 'flat');
        return b.one('Softmax', [b.one('MatMul', [units, noise(b, [4, 5])], {}, 'scores')], { axis: 1 }, 'chances');
      }),
    );
    const found = surveyed(network, size).map(({ layer, shows, isDetail }) => [layer.name, shows, isDetail]);
    expect(found).toEqual([
      ['map', 'filters', false],
      ['active', 'filters', false],
      ['bias', 'filters', true],
      ['sum', 'filters', false],
      ['pool', 'units', false],
      ['flat', 'units', false],
      ['scores', 'units', false],
      ['chances', 'logits', false],
    ]);
  });

  it('is nothing behind an operator without a gradient', async () => {
    const found = surveyed(await model(barredFile()), size);
    expect(found.map(({ shows, obstacle }) => [shows, obstacle])).toEqual([
      ['filters', undefined],
      ['filters', undefined],
      [undefined, expect.any(String)],
      [undefined, expect.any(String)],
    ]);
  });
});
