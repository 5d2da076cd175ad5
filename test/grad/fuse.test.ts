/** @file Fusion changes the graph and not what it computes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gradient } from '../../src/grad/index.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { inlineFused } from '../../src/grad/fuse.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { float32, sizeOf, type Tensor } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { noise } from '../check.ts';

const IN = [1, 4, 9, 8];

function graphFrom(build: (b: Builder, x: Value) => Record<string, Value>): Graph {
  const b = new Builder();
  return b.graph(build(b, b.input('x', 'float32', IN)));
}

function fused(graph: Graph): Graph {
  const b = new Builder();
  const inputs = Object.fromEntries(graph.inputs.map(({ name, dtype, dims }) => [name, b.input(name, dtype, dims)]));
  const values = inlineFused(b, graph, inputs);
  return b.graph(Object.fromEntries(graph.outputs.map(({ name }) => [name, values.get(name)!])));
}

const operators = (graph: Graph): string[] => graph.nodes.map(({ op }) => op).filter((op) => op !== 'Identity');

async function run(graph: Graph): Promise<Record<string, Tensor>> {
  const program = await nodeRuntime.compile(graph);
  // Mostly below zero: a border of zeros shows wherever it is wrongly padded or left out.
  const x = new Random('fuse').uniform(sizeOf(IN), -1.5, 0.5);
  const results = await program.run({ x: float32(x, IN) });
  await program.dispose();
  return results;
}

/** Fuses, checks that every output is as it was, and returns the operators that are left. */
async function fusing(build: (b: Builder, x: Value) => Record<string, Value>): Promise<string[]> {
  const graph = graphFrom(build);
  const other = fused(graph);
  const [before, after] = [await run(graph), await run(other)];
  for (const { name, dims } of graph.outputs) {
    const [p, q] = [before[name]!.data as Float32Array, after[name]!.data as Float32Array];
    expect(after[name]!.dims).toEqual(dims);
    const scale = p.reduce((most, v) => Math.max(most, Math.abs(v)), 1);
    p.forEach((v, i) => expect(Math.abs(v - q[i]!)).toBeLessThan(1e-5 * scale));
  }
  return operators(other);
}

const conv = (
  b: Builder,
  x: Value,
  options: { pads?: number[]; bias?: boolean; group?: number; stride?: number; kernel?: number } = {},
): Value => {
  const { pads, bias = false, group = 1, stride = 1, kernel = 3 } = options;
  const w = noise(b, [6 - (6 % group), x.dims[1]! / group, kernel, kernel]);
  return b.conv(x, w, bias ? noise(b, [w.dims[0]!]) : undefined, {
    ...(pads ? { pads } : {}),
    strides: [stride, stride],
    group,
  });
};
const normalise = (b: Builder, x: Value, epsilon?: number): Value => {
  const c = x.dims[1]!;
  const statistics = [noise(b, [c]), noise(b, [c], 0, 1), noise(b, [c], -0.5, 0.5), noise(b, [c], 0.2, 2)];
  return b.one('BatchNormalization', [x, ...statistics], epsilon === undefined ? {} : { epsilon });
};
const border = [0, 0, 1, 2, 0, 0, 2, 0];

describe('inlineFused', () => {
  it('keeps the outputs of random chains', async () => {
    const link = fc.record({
      pad: fc.option(fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 4, maxLength: 4 })),
      value: fc.constantFrom(0, 0, 0.5),
      own: fc.option(fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 4, maxLength: 4 })),
      bias: fc.boolean(),
      group: fc.constantFrom(1, 2),
      kernel: fc.constantFrom(1, 3),
      stride: fc.constantFrom(1, 2),
      norm: fc.boolean(),
      relu: fc.boolean(),
      kept: fc.constantFrom('none', 'none', 'pad', 'conv', 'norm'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(link, { minLength: 1, maxLength: 2 }), async (links) => {
        await fusing((b, x) => {
          const outputs: Record<string, Value> = {};
          let y = x;
          links.forEach(({ pad, value, own, bias, group, kernel, stride, norm, relu, kept }, i) => {
            const keep = (what: string): void => {
              if (kept === what && y !== x) outputs[`${what}_${i}`] = y;
            };
            if (pad) y = b.pad(y, [0, 0, pad[0]!, pad[1]!, 0, 0, pad[2]!, pad[3]!], value);
            keep('pad');
            y = conv(b, y, { bias, group, kernel, stride, ...(own ? { pads: own } : {}) });
            keep('conv');
            if (norm) y = normalise(b, y);
            keep('norm');
            if (relu) y = b.relu(y);
          });
          return { ...outputs, out: y };
        });
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it('puts Pad and BatchNormalization into the convolution between them', async () => {
    const left = await fusing((b, x) => ({ y: b.relu(normalise(b, conv(b, b.pad(x, border), { bias: true }), 0.01)) }));
    expect(left).toEqual(['Conv', 'Relu']);
  });

  it('adds to the pads that the convolution has', async () => {
    expect(await fusing((b, x) => ({ y: conv(b, b.pad(x, border), { pads: [1, 0, 2, 1] }) }))).toEqual(['Conv']);
  });

  it('scales each filter of a grouped convolution by its own number', async () => {
    expect(await fusing((b, x) => ({ y: normalise(b, conv(b, x, { group: 2 })) }))).toEqual(['Conv']);
  });

  describe('a ReLU before a max pool', () => {
    const attributes = { kernel_shape: [3, 3], strides: [2, 2] };
    const pool = (b: Builder, x: Value, more = {}): Value => b.one('MaxPool', [x], { ...attributes, ...more });

    it.each<[string, (b: Builder, x: Value) => Value, string[]]>([
      ['next to it', (b, x) => pool(b, b.relu(conv(b, x))), ['Conv', 'MaxPool', 'Relu']],
      ['padded with minus infinity', (b, x) => pool(b, b.relu(x), { pads: [1, 1, 1, 1] }), ['MaxPool', 'Relu']],
      ['before two of them', (b, x) => pool(b, pool(b, b.relu(x))), ['MaxPool', 'MaxPool', 'Relu']],
      ['with zeros between them', (b, x) => pool(b, b.pad(b.relu(x), border)), ['Conv', 'MaxPool', 'Relu']],
      ['after a normalisation', (b, x) => pool(b, b.relu(normalise(b, conv(b, x)))), ['Conv', 'MaxPool', 'Relu']],
      ['with other numbers between them', (b, x) => pool(b, b.pad(b.relu(x), border, 0.5)), ['Relu', 'Pad', 'MaxPool']],
    ])('%s', async (_, build, expected) => {
      expect(await fusing((b, x) => ({ y: build(b, x) }))).toEqual(expected);
    });

    it('stays where others use it', async () => {
      const left = await fusing((b, x) => {
        const r = b.relu(x);
        return { y: pool(b, r), z: r };
      });
      expect(left).toEqual(['Relu', 'MaxPool']);
    });

    it('has the same gradient behind it', async () => {
      const graph = graphFrom((b, x) => ({ y: pool(b, b.pad(b.relu(conv(b, x, { kernel: 2, stride: 2 })), border)) }));
      const [plain, moved] = await Promise.all(
        [(b: Builder, x: Value) => b.inline(graph, { x }), (b: Builder, x: Value) => inlineFused(b, graph, { x })].map(
          async (inline) => {
            const b = new Builder();
            const x = b.input('x', 'float32', IN);
            const y = inline(b, x).get('y')!;
            const [g] = gradient(b, b.sum(b.mul(y, noise(b, y.dims)), undefined, false), [x]);
            return (await run(b.graph({ g: g! })))['g']!.data as Float32Array;
          },
        ),
      );
      expect(plain!.some((v) => v !== 0)).toBe(true);
      plain!.forEach((v, i) => expect(Math.abs(v - moved![i]!)).toBeLessThan(1e-5));
    });
  });

  it.each<[string, (b: Builder, x: Value) => Record<string, Value>, string[]]>([
    [
      'Pad before MaxPool',
      (b, x) => ({ y: b.one('MaxPool', [b.pad(x, border)], { kernel_shape: [3, 3], strides: [2, 2] }) }),
      ['Conv', 'MaxPool'],
    ],
    ['a Pad of another value', (b, x) => ({ y: conv(b, b.pad(x, border, 0.5)) }), ['Pad', 'Conv']],
    [
      'a Pad that reflects',
      (b, x) => ({ y: conv(b, b.one('Pad', [x, b.ints(border)], { mode: 'reflect' })) }),
      ['Pad', 'Conv'],
    ],
    ['a Pad that crops', (b, x) => ({ y: conv(b, b.pad(x, [0, 0, 1, -1, 0, 0, 0, 0])) }), ['Pad', 'Conv']],
    ['a Pad of channels', (b, x) => ({ y: conv(b, b.pad(x, [0, 1, 1, 1, 0, 1, 1, 1])) }), ['Pad', 'Conv']],
    [
      'a Pad of named axes',
      (b, x) => ({ y: conv(b, b.one('Pad', [x, b.ints([1, 2]), undefined, b.ints([3])])) }),
      ['Pad', 'Conv'],
    ],
    [
      'a Pad before a convolution with SAME',
      (b, x) => ({ y: b.one('Conv', [b.pad(x, border), noise(b, [2, 4, 3, 3])], { auto_pad: 'SAME_UPPER' }) }),
      ['Conv', 'Conv'],
    ],
    [
      'a Pad with two users',
      (b, x) => {
        const p = b.pad(x, border);
        return { y: conv(b, p), z: b.relu(p) };
      },
      ['Conv', 'Conv', 'Relu'],
    ],
    [
      'a Pad that is an output',
      (b, x) => {
        const p = b.pad(x, border);
        return { y: conv(b, p), z: p };
      },
      ['Conv', 'Conv'],
    ],
    [
      'a convolution with two users',
      (b, x) => {
        const c = conv(b, x);
        return { y: normalise(b, c), z: b.relu(c) };
      },
      ['Conv', 'BatchNormalization', 'Relu'],
    ],
    [
      'a BatchNormalization of nothing convolved',
      (b, x) => ({ y: normalise(b, b.relu(x)) }),
      ['Relu', 'BatchNormalization'],
    ],
    [
      'statistics that are computed',
      (b, x) => {
        const m = b.mean(x, [0, 2, 3], false);
        const c = b.conv(x, noise(b, [4, 4, 1, 1]));
        return { y: b.one('BatchNormalization', [c, noise(b, [4]), noise(b, [4]), m, noise(b, [4], 1, 2)]) };
      },
      ['ReduceMean', 'Conv', 'BatchNormalization'],
    ],
    [
      'weights that are computed',
      (b, x) => ({ y: normalise(b, b.conv(x, b.tanh(noise(b, [4, 4, 1, 1])))) }),
      ['Tanh', 'Conv', 'BatchNormalization'],
    ],
    // A Pad of zeros that cannot be fused is spelled as a depthwise convolution, which stays in the blocked layout.
  ])('does not fuse %s', async (_, build, expected) => {
    expect((await fusing(build)).sort()).toEqual(expected.sort());
  });
});
