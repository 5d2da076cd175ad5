/** @file The transforms, each by its formula, stated once more in float64 and without fusing; and the gradient of them all. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PartialSpec } from '../../src/noun.ts';
import { Builder } from '../../src/ir/builder.ts';
import { type Dims, float32, sizeOf, type Tensor, type Tensors, toNumbers } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { sizeShown } from '../../src/render/recipe.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { StepBuilder } from '../../src/step/builder.ts';
import { feedsAt } from '../../src/step/step.ts';
import { type Outside, seen, sizeSeen, transforms, type TransformSpec } from '../../src/transform/index.ts';
import { checkGradient } from '../check.ts';
import { FixedStep } from '../step/fixed.ts';
import { thrown } from '../thrown.ts';

type Given = PartialSpec<TransformSpec>;
type Motion = Exclude<TransformSpec['kind'], 'roll' | 'blur' | 'noise'>;

const picture = (dims: Dims): Tensor<'float32'> => float32(new Random('picture').uniform(sizeOf(dims), -1, 1), dims);

/** What is seen of a picture in one step, and what was fed. */
async function shown(
  list: readonly Given[],
  image: Tensor<'float32'>,
  { step = 1, steps = 1, given = {} }: { step?: number; steps?: number; given?: Record<string, number> } = {},
): Promise<{ dims: Dims; values: number[]; fed: Record<string, number[]> }> {
  const s = new StepBuilder(new Builder());
  const y = seen(
    s,
    s.b.input('image', 'float32', image.dims),
    list.map((t) => transforms.make(t)),
  );
  const drawn = feedsAt({ states: [], values: [], feeds: s.feeds }, { key: 'key', values: {}, steps }, step);
  for (const [name, value] of Object.entries(given)) drawn[name] = float32(value);
  const graph = s.b.graph({ y });
  const feeds: Tensors = { ...drawn, image };
  const program = await nodeRuntime.compile(graph);
  const out = (await program.run(Object.fromEntries(graph.inputs.map(({ name }) => [name, feeds[name]!]))))['y']!;
  await program.dispose();
  const fed = Object.fromEntries(Object.entries(drawn).map(([name, t]) => [name, toNumbers(t)]));
  return { dims: out.dims, values: toNumbers(out), fed };
}

/** Where a position after one motion lay before it, both measured from the centres of their frames. */
function before(
  spec: TransformSpec,
  [x, y]: readonly [number, number],
  at: (name: string) => number,
  size: { height: number; width: number },
): [number, number] {
  switch (spec.kind) {
    case 'jitter':
      return [x + at('/x'), y + at('/y')];
    case 'scale':
      return [x / at(''), y / at('')];
    case 'rotate': {
      const angle = at('/still') < spec.still ? 0 : at('');
      return [x * Math.cos(angle) + y * Math.sin(angle), y * Math.cos(angle) - x * Math.sin(angle)];
    }
    case 'flip':
      return [at('') < spec.chance ? -x : x, y];
    case 'crop': {
      const [h, w] = spec.view === 0 ? [size.height, size.width] : [spec.view, spec.view];
      const share = Math.min(1, Math.max(0.05, at('/mean') + at('/side')));
      // Measured between the centres of the outermost pixels.
      const step = share * Math.min((size.height - 1) / (h - 1), (size.width - 1) / (w - 1));
      const inside = (drawn: number, all: number, part: number): number => {
        const room = Math.max(0, (all - part) / 2);
        return Math.min(Math.max(drawn, -room), room);
      };
      return [
        x * step + inside(at('/x'), size.width - 1, (w - 1) * step),
        y * step + inside(at('/y'), size.height - 1, (h - 1) * step),
      ];
    }
    default:
      return [x, y];
  }
}

function sizeAfter(spec: TransformSpec, { height, width }: { height: number; width: number }) {
  if (spec.kind === 'pad') return { height: height + 2 * spec.by, width: width + 2 * spec.by };
  if (spec.kind === 'trim') return { height: height - 2 * spec.by, width: width - 2 * spec.by };
  if (spec.kind === 'crop' && spec.view > 0) return { height: spec.view, width: spec.view };
  return { height, width };
}

/** A picture continued without end. */
function beyond(plane: (y: number, x: number) => number, [h, w]: readonly [number, number], outside: Outside) {
  const mirror = (i: number, n: number): number => {
    const k = ((i % (2 * n - 2)) + 2 * n - 2) % (2 * n - 2);
    return k < n ? k : 2 * n - 2 - k;
  };
  const edge = (i: number, n: number): number => Math.min(Math.max(i, 0), n - 1);
  return (y: number, x: number): number => {
    if (outside === 'reflect') return plane(mirror(y, h), mirror(x, w));
    if (outside === 'edge') return plane(edge(y, h), edge(x, w));
    return y < 0 || y >= h || x < 0 || x >= w ? 0 : plane(y, x);
  };
}

/** Motions one after the other, position by position; then one bilinear look at the picture. */
function expected(list: readonly Given[], image: Tensor<'float32'>, fed: Record<string, number[]>): number[] {
  const specs = list.map((t) => transforms.complete(t));
  const [n, c, h, w] = image.dims as [number, number, number, number];
  const sizes = [{ height: h, width: w }];
  for (const spec of specs) sizes.push(sizeAfter(spec, sizes.at(-1)!));
  const pads = specs.flatMap((spec) => (spec.kind === 'pad' ? [spec.outside] : []));
  const { height, width } = sizes.at(-1)!;
  const out: number[] = [];
  for (let k = 0; k < n * c; k++) {
    const look = beyond((y, x) => image.data[(k * h + y) * w + x]!, [h, w], pads[0] ?? 'grey');
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++) {
        let p: [number, number] = [j - (width - 1) / 2, i - (height - 1) / 2];
        for (let t = specs.length - 1; t >= 0; t--)
          p = before(specs[t]!, p, (name) => fed[`transform/${t}${name}`]![0]!, sizes[t]!);
        const [x, y] = [p[0] + (w - 1) / 2, p[1] + (h - 1) / 2];
        const [x0, y0] = [Math.floor(x), Math.floor(y)];
        const [fx, fy] = [x - x0, y - y0];
        out.push(
          (1 - fy) * ((1 - fx) * look(y0, x0) + fx * look(y0, x0 + 1)) +
            fy * ((1 - fx) * look(y0 + 1, x0) + fx * look(y0 + 1, x0 + 1)),
        );
      }
  }
  return out;
}

function expectClose(found: readonly number[], wanted: readonly number[], digits = 4): void {
  expect(found).toHaveLength(wanted.length);
  const off = found.findIndex((value, i) => !(Math.abs(value - wanted[i]!) < 10 ** -digits));
  expect(off === -1 ? 'equal' : `at ${off}: ${found[off]}, not ${wanted[off]}`).toBe('equal');
}

const motions: readonly (Given & { kind: Motion })[] = [
  { kind: 'pad', by: 3 },
  { kind: 'trim', by: 2 },
  { kind: 'jitter', by: 3 },
  { kind: 'scale', from: 0.7, to: 1.6 },
  { kind: 'rotate', by: 40 },
  { kind: 'flip', chance: 1 },
  { kind: 'crop', from: 0.7, to: 0.7, view: 6 },
];

describe('a motion', () => {
  const image = picture([1, 3, 9, 12]);
  it.each(motions.map((m) => [m.kind, m] as const))('%s is its formula', async (_, spec) => {
    const { values, fed } = await shown([spec], image);
    expectClose(values, expected([spec], image, fed));
  });
  it.each(['reflect', 'edge', 'grey'] as const)('far outside finds %s', async (outside) => {
    const list: Given[] = [
      { kind: 'pad', by: 14, outside },
      { kind: 'jitter', by: 30 },
      { kind: 'rotate', by: 90 },
    ];
    const { values, fed, dims } = await shown(list, image);
    expect(dims).toEqual([1, 3, 37, 40]);
    expectClose(values, expected(list, image, fed), 3);
  });
  it('by whole pixels is exact', async () => {
    const { values } = await shown([{ kind: 'jitter', by: 3 }], image, {
      given: { 'transform/0/x': 2, 'transform/0/y': -1 },
    });
    const at = (c: number, y: number, x: number): number => (y < 0 || x >= 12 ? 0 : image.data[(c * 9 + y) * 12 + x]!);
    const all = [0, 1, 2].flatMap((c) =>
      Array.from({ length: 108 }, (_, i) => at(c, Math.floor(i / 12) - 1, (i % 12) + 2)),
    );
    expect(values).toEqual(all);
  });
  it('of nothing leaves the picture to the bit, and costs nothing', async () => {
    const { values } = await shown(
      [
        { kind: 'pad', by: 5 },
        { kind: 'trim', by: 5 },
      ],
      image,
    );
    expect(values).toEqual(Array.from(image.data));
    const s = new StepBuilder(new Builder());
    const x = s.b.input('x', 'float32', [1, 3, 4, 4]);
    expect(seen(s, x, [])).toBe(x);
    expect(seen(s, x, [transforms.make({ kind: 'pad', by: 0 })])).toBe(x);
  });
  it('takes any number of channels and of pictures', async () => {
    const many = picture([2, 5, 4, 6]);
    const list: Given[] = [{ kind: 'rotate', by: 30 }];
    const { values, fed } = await shown(list, many);
    expectClose(values, expected(list, many, fed));
  });
  it('turns clockwise by a positive angle, and enlarges by a factor above 1', async () => {
    // One bright pixel to the right of the centre goes below it in a quarter turn, y being downwards.
    const dot = float32(
      Float32Array.from({ length: 25 }, (_, i) => (i === 13 ? 1 : 0)),
      [1, 1, 5, 5],
    );
    const quarter = await shown([{ kind: 'rotate', by: 90 }], dot, {
      given: { 'transform/0': Math.PI / 2, 'transform/0/still': 1 },
    });
    expect(quarter.values.findIndex((v) => v > 0.99)).toBe(17);
    const twice = await shown([{ kind: 'scale' }], dot, { given: { 'transform/0': 2 } });
    expect(twice.values.findIndex((v) => v > 0.99)).toBe(14);
  });
  it('of a picture one pixel wide cannot be', () => {
    const error = thrown(() => sizeSeen({ height: 5, width: 1 }, [transforms.make({ kind: 'jitter' })]));
    expect(error.code).toBe('shape');
    expect(error.message).toBe('size: a picture of 5×1 pixels cannot be moved; each side needs two at least');
  });
});

describe('motions that follow each other', () => {
  it('are as if one followed the other, whatever their order', async () => {
    const spec = fc.oneof(
      fc.record({
        kind: fc.constant('pad' as const),
        by: fc.nat(4),
        outside: fc.constantFrom('grey' as const, 'reflect' as const, 'edge' as const),
      }),
      fc.record({ kind: fc.constant('jitter' as const), by: fc.nat(5) }),
      fc.record({ kind: fc.constant('scale' as const), from: fc.constant(0.8), to: fc.constant(1.3) }),
      fc.record({ kind: fc.constant('rotate' as const), by: fc.nat(180), still: fc.constantFrom(0, 0.5) }),
      fc.record({ kind: fc.constant('flip' as const) }),
      fc.record({ kind: fc.constant('trim' as const), by: fc.constant(1) }),
      fc.record({ kind: fc.constant('crop' as const), view: fc.constantFrom(0, 7), from: fc.constant(0.6) }),
    );
    const dims = fc.tuple(fc.integer({ min: 9, max: 12 }), fc.integer({ min: 9, max: 12 }));
    await fc.assert(
      fc.asyncProperty(fc.array(spec, { minLength: 2, maxLength: 4 }), dims, async (list, [h, w]) => {
        const image = picture([1, 2, h, w]);
        const { values, fed } = await shown(list, image, { step: 2, steps: 3 });
        expectClose(values, expected(list, image, fed), 3);
      }),
      { numRuns: 60, seed: 11 },
    );
  });
  it('are one resampling: a single gather for all, one more after what is no motion', () => {
    const gathers = (list: readonly Given[]): number => {
      const s = new StepBuilder(new Builder());
      seen(
        s,
        s.b.input('x', 'float32', [1, 3, 9, 9]),
        list.map((t) => transforms.make(t)),
      );
      return s.b.nodes.filter(({ op }) => op === 'Gather').length;
    };
    expect(gathers([...motions])).toBe(1);
    expect(gathers([{ kind: 'jitter' }, { kind: 'blur' }, { kind: 'scale' }, { kind: 'rotate' }])).toBe(2);
  });
});

describe('the gradient through transforms', () => {
  const all: readonly (readonly [string, readonly Given[]])[] = [
    ...motions.map((m) => [m.kind, [m]] as const),
    [
      'reflect',
      [
        { kind: 'pad', by: 4, outside: 'reflect' },
        { kind: 'rotate', by: 20 },
      ],
    ],
    ['edge', [{ kind: 'pad', by: 4, outside: 'edge' }, { kind: 'jitter', by: 5 }, { kind: 'scale' }]],
    ['blur', [{ kind: 'blur', from: 0.5, to: 2 }]],
    ['noise', [{ kind: 'noise' }]],
    ['all', [...motions, { kind: 'blur' }, { kind: 'noise' }, { kind: 'roll', by: 2 }]],
  ];
  it.each(all)('is exact: %s', async (_, list) => {
    await checkGradient(
      (b, [x]) => {
        return seen(
          new FixedStep(b),
          x!,
          list.map((t) => transforms.make(t)),
        );
      },
      [{ dims: [1, 2, 10, 8] }],
    );
  });
});

describe('the size that is seen', () => {
  const of = (list: readonly Given[]) =>
    sizeShown({ size: { height: 20, width: 30 }, transforms: list.map((t) => transforms.complete(t)) });
  it('is that of the picture, unless a transform changes it', () => {
    expect(sizeShown({ size: { height: 20, width: 30 } })).toEqual({ height: 20, width: 30 });
    expect(of([{ kind: 'jitter' }, { kind: 'scale' }, { kind: 'noise' }])).toEqual({ height: 20, width: 30 });
    expect(of([{ kind: 'pad', by: 4 }, { kind: 'rotate' }, { kind: 'trim', by: 1 }])).toEqual({
      height: 26,
      width: 36,
    });
    expect(of([{ kind: 'crop' }])).toEqual({ height: 20, width: 30 });
    expect(
      of([
        { kind: 'crop', view: 8 },
        { kind: 'pad', by: 1 },
      ]),
    ).toEqual({ height: 10, width: 10 });
  });
  it('is something', () => {
    const error = thrown(() => of([{ kind: 'trim', by: 10 }]));
    expect(error.code).toBe('bad-option');
    expect(error.message).toBe(
      'transforms: trim takes 10 pixels from each side, which leaves nothing of 20×30; choose at most 9',
    );
    expect(error.details).toMatchObject({ option: 'transforms', by: 10, height: 20, width: 30 });
    expect(of([{ kind: 'trim', by: 9 }])).toEqual({ height: 2, width: 12 });
  });
});

describe('the draws of transforms', () => {
  const feeds = (spec: Given) => {
    const s = new StepBuilder(new Builder());
    seen(s, s.b.input('x', 'float32', [1, 1, 10, 20]), [transforms.make(spec)]);
    return Object.fromEntries(s.feeds.map(({ name, dims, draw }) => [name, { dims, draw }]));
  };
  const scalar = (draw: object) => ({ dims: [], draw });

  it('are those of their settings', () => {
    expect(feeds({ kind: 'jitter', by: 3 })).toEqual({
      'transform/0/x': scalar({ kind: 'whole', low: -3, high: 3 }),
      'transform/0/y': scalar({ kind: 'whole', low: -3, high: 3 }),
    });
    expect(feeds({ kind: 'scale', from: 0.5, to: 2 })).toEqual({
      'transform/0': scalar({ kind: 'uniform', low: 0.5, high: 2 }),
    });
    expect(feeds({ kind: 'rotate', by: 90 })).toEqual({
      'transform/0': scalar({ kind: 'uniform', low: -Math.PI / 2, high: Math.PI / 2 }),
      'transform/0/still': scalar({ kind: 'uniform', low: 0, high: 1 }),
    });
    expect(feeds({ kind: 'flip' })).toEqual({ 'transform/0': scalar({ kind: 'uniform', low: 0, high: 1 }) });
    expect(feeds({ kind: 'crop', from: 0.4, to: 0.2, spread: 0.1, wander: 0.3 })).toEqual({
      'transform/0/mean': scalar({ kind: 'schedule', from: 0.4, to: 0.2, shape: 'linear' }),
      'transform/0/side': scalar({ kind: 'normal', mean: 0, deviation: 0.1 }),
      'transform/0/x': scalar({ kind: 'normal', mean: 0, deviation: 6 }),
      'transform/0/y': scalar({ kind: 'normal', mean: 0, deviation: 3 }),
    });
    expect(feeds({ kind: 'blur', from: 1, to: 3 })).toEqual({
      'transform/0': scalar({ kind: 'uniform', low: 1, high: 3 }),
    });
    const dims = [1, 1, 10, 20];
    expect(feeds({ kind: 'noise', normal: 0.5, uniform: 0.25 })).toEqual({
      'transform/0/normal': { dims, draw: { kind: 'normal', mean: 0, deviation: 0.5 } },
      'transform/0/uniform': { dims, draw: { kind: 'uniform', low: -0.25, high: 0.25 } },
    });
    expect(feeds({ kind: 'noise', normal: 0, uniform: 0 })).toEqual({});
  });
  it('have the defaults of their sources', () => {
    const complete = (kind: TransformSpec['kind']) => transforms.complete({ kind });
    expect(complete('pad')).toEqual({ kind: 'pad', by: 12, outside: 'grey' });
    expect(complete('trim')).toEqual({ kind: 'trim', by: 12 });
    expect(complete('jitter')).toEqual({ kind: 'jitter', by: 8 });
    expect(complete('scale')).toEqual({ kind: 'scale', from: 0.9, to: 1.1 });
    expect(complete('rotate')).toEqual({ kind: 'rotate', by: 10, still: 0 });
    expect(complete('flip')).toEqual({ kind: 'flip', chance: 0.5 });
    expect(complete('crop')).toEqual({ kind: 'crop', view: 0, from: 0.5, to: 0.05, spread: 0.05, wander: 0.15 });
    expect(complete('blur')).toEqual({ kind: 'blur', from: 1, to: 1.1 });
    expect(complete('noise')).toEqual({ kind: 'noise', normal: 0.08, uniform: 0.04 });
  });
  it.each(['scale', 'blur'] as const)('of %s need a range', (kind) => {
    const error = thrown(() => transforms.make({ kind, from: 2, to: 1 }));
    expect(error.code).toBe('bad-option');
    expect(error.message).toBe(`transforms: ${kind} goes from 2 to 1; choose a \`from\` of at most \`to\``);
    expect(() => transforms.make({ kind, from: 2, to: 2 })).not.toThrow();
  });
});

describe('a crop', () => {
  it('has the side of its schedule and stays inside', async () => {
    // A picture that is 1 everywhere: nothing of what is outside, grey, is ever seen.
    const ones = float32(new Float32Array(20 * 30).fill(1), [1, 1, 20, 30]);
    for (const step of [1, 2, 3, 4]) {
      const { values } = await shown([{ kind: 'crop', view: 10, from: 1, to: 0.1, wander: 2 }], ones, {
        step,
        steps: 4,
      });
      expectClose(
        values,
        values.map(() => 1),
        5,
      );
    }
  });
});

describe('blur', () => {
  const image = picture([1, 2, 7, 9]);
  const blurred = (sigma: number): number[] => {
    const weight = (i: number, k: number): number => Math.exp(-((i - k) ** 2) / (2 * sigma ** 2));
    const sum = (n: number, i: number): number =>
      Array.from({ length: n }, (_, k) => weight(i, k)).reduce((a, b) => a + b);
    return Array.from(image.data, (_, at) => {
      const [c, y, x] = [Math.floor(at / 63), Math.floor(at / 9) % 7, at % 9];
      let value = 0;
      for (let i = 0; i < 7; i++)
        for (let j = 0; j < 9; j++)
          value += ((weight(y, i) / sum(7, y)) * weight(x, j) * image.data[(c * 7 + i) * 9 + j]!) / sum(9, x);
      return value;
    });
  };
  it.each([0.6, 1, 4])('is a Gaussian of standard deviation %f', async (sigma) => {
    const { values } = await shown([{ kind: 'blur' }], image, { given: { 'transform/0': sigma } });
    expectClose(values, blurred(sigma), 5);
  });
  it('of nothing leaves the picture', async () => {
    const { values } = await shown([{ kind: 'blur', from: 0, to: 0 }], image);
    expectClose(values, Array.from(image.data), 6);
  });
});

describe('noise', () => {
  it('is added, each by itself', async () => {
    const image = picture([1, 1, 3, 4]);
    const { values, fed } = await shown([{ kind: 'noise' }], image);
    expectClose(
      values,
      Array.from(image.data, (v, i) => v + fed['transform/0/normal']![i]! + fed['transform/0/uniform']![i]!),
      6,
    );
  });
});
