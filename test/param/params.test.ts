/** @file The parameterisations, each by its formula, stated once more in float64 and without matrices; their gradients; photos. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PartialSpec } from '../../src/noun.ts';
import { Builder } from '../../src/ir/builder.ts';
import { type Dims, float32, sizeOf, type Tensor, type Tensors } from '../../src/ir/tensor.ts';
import { measureColours, params, type ParamSpec, startFrom } from '../../src/param/index.ts';
import { frequencies, rfft2 } from '../../src/param/fft.ts';
import { fourier } from '../../src/param/fourier.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { StepBuilder } from '../../src/step/builder.ts';
import { Z } from '../../src/step/step.ts';
import { checkGradient } from '../check.ts';
import { FixedStep } from '../step/fixed.ts';
import { thrown } from '../thrown.ts';

type Given = PartialSpec<ParamSpec>;

/** The states of a parameterisation: their names, dims and draws. */
function statesOf(spec: Given, dims: Dims) {
  const s = new StepBuilder(new Builder());
  const { z, image } = params.make(spec)(s, dims);
  expect(image.dims).toEqual(dims);
  expect(z[0]!.name).toBe(Z);
  expect(z.map(({ name }) => name)).toEqual(s.states.map(({ name }) => name));
  return s.states;
}

/** The picture of states. */
async function pictureOf(spec: Given, dims: Dims, states: Tensors): Promise<number[]> {
  const s = new StepBuilder(new Builder());
  const { image } = params.make(spec)(s, dims);
  const program = await nodeRuntime.compile(s.b.graph({ image }));
  const out = (await program.run(states))['image']!;
  await program.dispose();
  return Array.from(out.data as Float32Array);
}

const random = (key: string, dims: Dims, deviation = 1): Tensor<'float32'> =>
  float32(new Random(key).normal(sizeOf(dims), 0, deviation), dims);

/** A photo of soft shapes and some noise, in [-1, 1]. */
function photo(dims: Dims): Tensor<'float32'> {
  const [, , h, w] = dims as [number, number, number, number];
  const noise = new Random('photo').uniform(sizeOf(dims), -0.2, 0.2);
  return float32(
    noise.map((v, i) => {
      const [c, y, x] = [Math.floor(i / (h * w)), (Math.floor(i / w) % h) / h, (i % w) / w];
      return v + 0.7 * Math.sin(3 * x + 2 * c) * Math.cos(5 * y - c);
    }),
    dims,
  );
}

function expectClose(found: readonly number[], wanted: readonly number[], digits = 5): void {
  expect(found).toHaveLength(wanted.length);
  const off = found.findIndex((value, i) => !(Math.abs(value - wanted[i]!) < 10 ** -digits));
  expect(off === -1 ? 'equal' : `at ${off}: ${found[off]}, not ${wanted[off]}`).toBe('equal');
}

// Lucid's formulas.

/** The colour matrix as its paper has it, before it is scaled. */
const COLOUR = [
  [0.26, 0.09, 0.02],
  [0.27, 0, -0.05],
  [0.27, -0.09, 0.03],
];

/** RGB in (-1, 1) of planes: mixed, sigmoid, from (0, 1). */
function shown(planes: readonly (readonly number[])[], matrix: readonly (readonly number[])[] | undefined): number[] {
  const longest =
    matrix && Math.max(...[0, 1, 2].map((c) => Math.sqrt(matrix.reduce((s, row) => s + row[c]! ** 2, 0))));
  const rgb = planes.map((plane, r) =>
    plane.map((v, i) => (matrix ? matrix[r]!.reduce((sum, m, c) => sum + (m / longest!) * planes[c]![i]!, 0) : v)),
  );
  return rgb.flat().map((v) => 2 / (1 + Math.exp(-v)) - 1);
}

/** irfft2 as a sum over coefficients: re and im are [h, ⌊w/2⌋ + 1]. */
function inverse(re: ArrayLike<number>, im: ArrayLike<number>, h: number, w: number): number[] {
  const half = Math.floor(w / 2) + 1;
  return Array.from({ length: h * w }, (_, at) => {
    const [y, x] = [Math.floor(at / w), at % w];
    let sum = 0;
    for (let k = 0; k < h; k++)
      for (let l = 0; l < half; l++) {
        const angle = 2 * Math.PI * ((k * y) / h + (l * x) / w);
        const twice = l === 0 || 2 * l === w ? 1 : 2;
        sum += twice * (re[k * half + l]! * Math.cos(angle) - im[k * half + l]! * Math.sin(angle));
      }
    return sum / (h * w);
  });
}

/** NumPy's fftfreq. */
const fftfreq = (n: number): number[] => Array.from({ length: n }, (_, k) => (k < Math.ceil(n / 2) ? k : k - n) / n);

function planesOf(z: Tensor<'float32'>, c: number, count: number): number[][] {
  return Array.from({ length: c }, (_, k) => Array.from(z.data.subarray(k * count, (k + 1) * count)));
}

function lucidFourier(z: Tensor<'float32'>, [, c, h, w]: Dims, decayPower = 1): number[][] {
  const half = Math.floor(w! / 2) + 1;
  const scale = fftfreq(h!).flatMap((fy) =>
    fftfreq(w!)
      .slice(0, half)
      .map((fx) => Math.sqrt(w! * h!) / Math.max(Math.sqrt(fx * fx + fy * fy), 1 / Math.max(w!, h!)) ** decayPower),
  );
  return planesOf(z, c!, 2 * h! * half).map((both) => {
    const scaled = both.map((v, i) => v * scale[i % scale.length]!);
    return inverse(scaled.slice(0, scale.length), scaled.slice(scale.length), h!, w!).map((v) => v / 4);
  });
}

const sizes: readonly Dims[] = [
  [1, 3, 6, 8],
  [1, 3, 7, 5],
  [1, 3, 4, 9],
  [1, 1, 5, 6],
  [1, 5, 3, 2],
];

describe('fourier', () => {
  it.each(sizes)('is the transform of scaled coefficients, size %j %j %j %j', async (...dims) => {
    const half = Math.floor(dims[3]! / 2) + 1;
    const z = random('z', [1, dims[1]!, 2 * dims[2]!, half], 0.2);
    const found = await pictureOf({ kind: 'fourier' }, dims, { [Z]: z });
    expectClose(found, shown(lucidFourier(z, dims), dims[1] === 3 ? COLOUR : undefined));
  });
  it('has other falls of strength, and other colours', async () => {
    const dims = [1, 3, 6, 5];
    const z = random('z', [1, 3, 12, 3], 0.2);
    const of = (spec: Partial<Given>) => pictureOf({ kind: 'fourier', ...spec }, dims, { [Z]: z });
    expectClose(await of({ decayPower: 1.5 }), shown(lucidFourier(z, dims, 1.5), COLOUR));
    expectClose(await of({ colour: 'none' }), shown(lucidFourier(z, dims), undefined));
    const own = [2, 1, 0, 0, 3, 1, -1, 0, 2];
    expectClose(
      await of({ colour: own }),
      shown(lucidFourier(z, dims), [own.slice(0, 3), own.slice(3, 6), own.slice(6)]),
    );
  });
  it('begins as faint noise', () => {
    expect(statesOf({ kind: 'fourier', deviation: 0.02 }, [1, 3, 6, 7])).toEqual([
      { name: Z, dtype: 'float32', dims: [1, 3, 12, 4], start: { kind: 'normal', mean: 0, deviation: 0.02 } },
    ]);
    expect(params.complete({ kind: 'fourier' })).toEqual({
      kind: 'fourier',
      deviation: 0.01,
      decayPower: 1,
      colour: 'lucid',
    });
  });
});

describe('decorrelate', () => {
  it('mixes colours, and squashes them', async () => {
    const dims = [1, 3, 3, 4];
    const z = random('z', dims);
    const planes = planesOf(z, 3, 12);
    expectClose(await pictureOf({ kind: 'decorrelate' }, dims, { [Z]: z }), shown(planes, COLOUR));
    expectClose(await pictureOf({ kind: 'decorrelate', colour: 'none' }, dims, { [Z]: z }), shown(planes, undefined));
  });
  it('leaves pictures of other channels as they are, but for the squashing', async () => {
    const dims = [1, 4, 2, 3];
    const z = random('z', dims);
    expectClose(await pictureOf({ kind: 'decorrelate' }, dims, { [Z]: z }), shown(planesOf(z, 4, 6), undefined));
  });
  it('takes several pictures', async () => {
    const dims = [2, 3, 2, 2];
    const z = random('z', dims);
    const [first, second] = [z.data.slice(0, 12), z.data.slice(12)].map((data) =>
      shown(planesOf(float32(data), 3, 4), COLOUR),
    );
    expectClose(await pictureOf({ kind: 'decorrelate' }, dims, { [Z]: z }), [...first!, ...second!]);
  });
  it('begins as faint noise', () => {
    expect(statesOf({ kind: 'decorrelate' }, [1, 3, 2, 2])[0]!.start).toEqual({
      kind: 'normal',
      mean: 0,
      deviation: 0.01,
    });
  });
});

describe('rfft2', () => {
  it.each([
    [1, 1],
    [4, 6],
    [5, 7],
    [12, 9],
    [8, 16],
    [1, 13],
  ])('is the sum over pixels of %i×%i', (h, w) => {
    const plane = new Random('plane').normal(h * w);
    const { re, im } = rfft2(plane, h, w);
    const half = Math.floor(w / 2) + 1;
    const wanted = Array.from({ length: h * half }, (_, at) => {
      const [k, l] = [Math.floor(at / half), at % half];
      const angle = (i: number): number => -2 * Math.PI * ((Math.floor(i / w) * k) / h + ((i % w) * l) / w);
      return [Math.cos, Math.sin].map((f) => plane.reduce((sum, v, i) => sum + v * f(angle(i)), 0));
    });
    expectClose(
      Array.from(re),
      wanted.map(([x]) => x!),
      9,
    );
    expectClose(
      Array.from(im),
      wanted.map(([, y]) => y!),
      9,
    );
  });
});

describe('frequencies', () => {
  it.each([
    [4, 6],
    [5, 3],
    [1, 2],
  ])('are those of NumPy for %i×%i', (h, w) => {
    const wanted = fftfreq(h).flatMap((fy) =>
      fftfreq(w)
        .slice(0, Math.floor(w / 2) + 1)
        .map((fx) => Math.sqrt(fx * fx + fy * fy)),
    );
    expectClose(Array.from(frequencies(h, w)), wanted, 12);
  });
});

describe('the setting `colour`', () => {
  const { accept, parse, takes } = fourier.settings.colour;
  it('takes a name or a matrix', () => {
    expect(accept('lucid')).toBe('lucid');
    expect(accept('none')).toBe('none');
    expect(accept([1, 0, 0, 0, 1, 0, 0, 0, 1])).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 1]);
    expect(parse('1, 0,0,0,1,0,0,0,2')).toEqual([1, 0, 0, 0, 1, 0, 0, 0, 2]);
    expect(parse('lucid')).toBe('lucid');
  });
  it.each([
    ['another name', 'rgb'],
    ['a short list', [1, 2, 3]],
    ['no number', [1, 0, 0, 0, 1, 0, 0, 0, Number.NaN]],
    ['words', ['1', 0, 0, 0, 1, 0, 0, 0, 1]],
    ['a matrix without an inverse', [1, 2, 3, 2, 4, 6, 0, 0, 1]],
    ['nothing but zeros', [0, 0, 0, 0, 0, 0, 0, 0, 0]],
  ])('does not take %s', (_, value) => {
    expect(accept(value)).toBeUndefined();
    expect(thrown(() => params.make({ kind: 'fourier', colour: value as never })).message).toContain(
      `colour: ${takes} is needed`,
    );
  });
  it('does not take gaps in a text', () => expect(accept(parse('1,,0,0,1,0,0,0,1'))).toBeUndefined());
});

describe('the gradient through a parameterisation', () => {
  const cases: readonly (readonly [Given, Dims])[] = [
    [{ kind: 'pixel' }, [1, 3, 4, 5]],
    [{ kind: 'decorrelate' }, [1, 3, 4, 5]],
    [{ kind: 'fourier' }, [1, 3, 4, 5]],
    [{ kind: 'fourier' }, [1, 2, 5, 4]],
  ];
  it.each(cases)('is exact: %j for %j', async (spec, dims) => {
    const states = statesOf(spec, dims);
    await checkGradient(
      (b, xs) => {
        const s = new FixedStep(b);
        s.state = (name) => xs[states.findIndex((state) => state.name === name)]!;
        return params.make(spec)(s, dims).image;
      },
      states.map((state) => ({ dims: state.dims, low: -0.3, high: 0.3 })),
    );
  });
});

describe('a photo to start from', () => {
  const kinds: readonly Given['kind'][] = ['pixel', 'decorrelate', 'fourier'];
  it.each(kinds)('is the picture of %s', async (kind) => {
    const dims = fc.tuple(
      fc.constantFrom(1, 2),
      fc.constantFrom(1, 3, 4),
      fc.integer({ min: 1, max: 13 }),
      fc.integer({ min: 1, max: 13 }),
    );
    await fc.assert(
      fc.asyncProperty(dims, async (size) => {
        const original = photo(size);
        const states = startFrom(params.make({ kind }), original);
        expect(Object.keys(states)).toEqual(statesOf({ kind }, size).map(({ name }) => name));
        expectClose(await pictureOf({ kind }, size, states), Array.from(original.data), 4);
      }),
      { numRuns: 12, seed: 5 },
    );
  });
  it.each(kinds)('may have black and white in it: %s', async (kind) => {
    const dims = [1, 3, 8, 8];
    const checks = float32(
      Float32Array.from({ length: sizeOf(dims) }, (_, i) => (i % 3 === 0 ? 1 : -1)),
      dims,
    );
    const found = await pictureOf({ kind }, dims, startFrom(params.make({ kind }), checks));
    // Half a step of 8 bits.
    expect(Math.max(...found.map((v, i) => Math.abs(v - checks.data[i]!)))).toBeLessThan(1.001 / 255);
  });
  it('is not the picture of what has none', () => {
    const nothing = thrown(() =>
      startFrom((s, dims) => ({ z: [], image: s.b.input('x', 'float32', dims) }), photo([1, 3, 2, 2])),
    );
    expect(nothing.code).toBe('bad-option');
    expect(nothing.message).toMatch(/cannot have a given photo as its picture; choose pixel, /);
  });
});

describe('measureColours', () => {
  it('finds the root of the covariance', () => {
    const photos = [photo([1, 3, 20, 30]), random('r', [1, 3, 8, 8], 0.1)];
    const m = measureColours(photos);
    const covariance = [0, 1, 2].map((r) =>
      [0, 1, 2].map((c) => {
        const mean = (f: (p: Tensor<'float32'>, i: number) => number): number =>
          photos.reduce((sum, p) => {
            const plane = p.dims[2]! * p.dims[3]!;
            return sum + Array.from({ length: plane }, (_, i) => f(p, i)).reduce((a, b) => a + b) / plane;
          }, 0) / photos.length;
        const at = (p: Tensor<'float32'>, k: number, i: number): number => p.data[k * p.dims[2]! * p.dims[3]! + i]!;
        return mean((p, i) => at(p, r, i) * at(p, c, i)) - mean((p, i) => at(p, r, i)) * mean((p, i) => at(p, c, i));
      }),
    );
    for (let r = 0; r < 3; r++)
      for (let c = 0; c < 3; c++)
        expect([0, 1, 2].reduce((sum, k) => sum + m[3 * r + k]! * m[3 * c + k]!, 0)).toBeCloseTo(
          covariance[r]![c]!,
          10,
        );
    // Its columns are at right angles, the longest first, each pointing to where its largest entry is positive.
    const columns = [0, 1, 2].map((k) => [m[k]!, m[3 + k]!, m[6 + k]!]);
    const dot = (a: number[], b: number[]): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);
    expect(dot(columns[0]!, columns[1]!)).toBeCloseTo(0, 10);
    expect(dot(columns[0]!, columns[2]!)).toBeCloseTo(0, 10);
    expect(dot(columns[0]!, columns[0]!)).toBeGreaterThan(dot(columns[1]!, columns[1]!));
    expect(dot(columns[1]!, columns[1]!)).toBeGreaterThan(dot(columns[2]!, columns[2]!));
    for (const column of columns) expect(Math.max(...column)).toBe(Math.max(...column.map(Math.abs)));
    expect(() => params.make({ kind: 'fourier', colour: m })).not.toThrow();
  });
  it('says what it cannot measure', () => {
    expect(thrown(() => measureColours([])).message).toBe(
      'photos: there are none; colours are measured on one at least',
    );
    expect(thrown(() => measureColours([photo([1, 1, 4, 4])])).message).toBe(
      'photos: one is [1, 1, 4, 4]; colours need [1, 3, height, width]',
    );
    const grey = float32(
      Float32Array.from({ length: 48 }, (_, i) => Math.sin(i % 16)),
      [1, 3, 4, 4],
    );
    expect(thrown(() => measureColours([grey])).message).toMatch(/^photos: their colours all lie in a plane/);
    expect(thrown(() => measureColours([float32(new Float32Array(48), [1, 3, 4, 4])])).code).toBe('bad-option');
  });
});
