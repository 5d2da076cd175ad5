/** @file The parameterisations, each by its formula, stated once more in float64 and without matrices; their gradients; photos. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PartialSpec } from '../../src/noun.ts';
import { Builder } from '../../src/ir/builder.ts';
import { type Dims, float32, sizeOf, type Tensor, type Tensors } from '../../src/ir/tensor.ts';
import { measureColours, measureSpectrum, params, type ParamSpec, startFrom } from '../../src/param/index.ts';
import { magnitudes } from '../../src/param/spectrum.ts';
import { maco } from '../../src/param/maco.ts';
import { frequencies, rfft2 } from '../../src/param/fft.ts';
import { fourier } from '../../src/param/fourier.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { StepBuilder } from '../../src/step/builder.ts';
import { Z } from '../../src/step/step.ts';
import { checkGradient } from '../check.ts';
import { FixedStep } from '../step/fixed.ts';
import { rejected, thrown } from '../thrown.ts';

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

describe('alpha', () => {
  const dims = [1, 3, 5, 6];
  const build = (spec: Partial<Extract<Given, { kind: 'alpha' }>> = {}) => {
    const s = new StepBuilder(new Builder());
    return { s, ...params.make({ kind: 'alpha', ...spec })(s, dims) };
  };
  const z = random('z', [1, 4, 10, 4], 0.3);
  const drawn = random('background', [1, 3, 10, 4], 0.2);
  const planes = lucidFourier(z, [1, 4, 5, 6]);
  const opacity = planes[3]!.map((v) => 1 / (1 + Math.exp(-v)));
  const colour = shown(planes.slice(0, 3), COLOUR);

  it('is a picture with its opacity, shown over a background', async () => {
    const { s, image, alpha, shown: over } = build();
    const program = await nodeRuntime.compile(s.b.graph({ image, alpha: alpha!, over: over! }));
    const out = await program.run({ [Z]: z, 'alpha/background': drawn });
    await program.dispose();
    const found = (name: string): number[] => Array.from(out[name]!.data as Float32Array);
    expectClose(found('image'), colour);
    expect(out['alpha']!.dims).toEqual([1, 1, 5, 6]);
    expectClose(
      found('alpha'),
      opacity.map((a) => 2 * a - 1),
    );
    const behind = shown(lucidFourier(drawn, dims, 1.5), COLOUR);
    expectClose(
      found('over'),
      colour.map((v, i) => opacity[i % 30]! * v + (1 - opacity[i % 30]!) * behind[i]!),
    );
  });
  it('draws a background for each step', () => {
    expect(build({ background: 0.4 }).s.feeds).toEqual([
      {
        name: 'alpha/background',
        dtype: 'float32',
        dims: [1, 3, 10, 4],
        draw: { kind: 'normal', mean: 0, deviation: 0.4 },
      },
    ]);
    expect(params.complete({ kind: 'alpha' })).toEqual({
      kind: 'alpha',
      deviation: 0.01,
      decayPower: 1,
      colour: 'lucid',
      background: 0.2,
      backgroundDecay: 1.5,
      transparency: 1,
    });
  });
  it.each([1, 0.25, 0])('weighs the objective by what is transparent, %f', async (transparency) => {
    const { s, weighed } = build({ transparency });
    const program = await nodeRuntime.compile(s.b.graph({ out: weighed!(s.b.input('loss', 'float32', [])) }));
    const [value] = (await program.run({ loss: float32(3), [Z]: z }))['out']!.data as Float32Array;
    await program.dispose();
    const mean = opacity.reduce((a, b) => a + b) / opacity.length;
    expect(value).toBeCloseTo(3 * (1 - transparency * mean), 5);
  });
  it('started from a photo is opaque', async () => {
    const { s, alpha } = build();
    const program = await nodeRuntime.compile(s.b.graph({ alpha: alpha! }));
    const out = await program.run(startFrom(params.make({ kind: 'alpha' }), photo(dims)));
    await program.dispose();
    expectClose(
      Array.from(out['alpha']!.data as Float32Array),
      opacity.map(() => 1 - 1 / 255),
      4,
    );
  });
});

describe('pyramid', () => {
  /** Bilinear interpolation of a plane between the centres of its pixels. */
  const look = (plane: readonly number[], [h, w]: readonly [number, number], y: number, x: number): number => {
    const at = (i: number, j: number): number =>
      plane[Math.min(Math.max(i, 0), h - 1) * w + Math.min(Math.max(j, 0), w - 1)]!;
    const [i, j] = [Math.floor(y), Math.floor(x)];
    const [fy, fx] = [y - i, x - j];
    return (
      (1 - fy) * ((1 - fx) * at(i, j) + fx * at(i, j + 1)) + fy * ((1 - fx) * at(i + 1, j) + fx * at(i + 1, j + 1))
    );
  };
  it.each([
    [[1, 3, 8, 12], 3],
    [[1, 3, 7, 5], 4],
    [[1, 1, 9, 6], 1],
    [[1, 3, 3, 3], 5],
  ] as const)('is the sum of its levels, %j with %i', async (dims, levels) => {
    const [, c, h, w] = dims;
    const states = statesOf({ kind: 'pyramid', levels }, dims);
    expect(states.map((s) => s.name)).toEqual(Array.from({ length: levels }, (_, k) => (k === 0 ? 'z' : `z/${k}`)));
    const z = Object.fromEntries(states.map((s) => [s.name, random(s.name, s.dims, 0.5)]));
    const planes = Array.from({ length: c }, (_, k) =>
      Array.from({ length: h * w }, (__, i) =>
        states.reduce((sum, s, level) => {
          const size = [Math.max(1, h >> level), Math.max(1, w >> level)] as const;
          expect(s.dims.slice(2)).toEqual(size);
          const plane = planesOf(z[s.name]!, c, size[0] * size[1])[k]!;
          const [y, x] = [((Math.floor(i / w) + 0.5) * size[0]) / h - 0.5, (((i % w) + 0.5) * size[1]) / w - 0.5];
          return sum + look(plane, size, y, x);
        }, 0),
      ),
    );
    expectClose(await pictureOf({ kind: 'pyramid', levels }, dims, z), shown(planes, c === 3 ? COLOUR : undefined));
  });
  it('begins as faint noise at four resolutions', () => {
    expect(params.complete({ kind: 'pyramid' })).toEqual({
      kind: 'pyramid',
      levels: 4,
      deviation: 0.01,
      colour: 'lucid',
    });
    for (const { start } of statesOf({ kind: 'pyramid', deviation: 0.2 }, [1, 3, 9, 9]))
      expect(start).toEqual({ kind: 'normal', mean: 0, deviation: 0.2 });
  });
  it('puts what it can of a photo into its small levels', () => {
    // Of one grey, all is in the smallest.
    const grey = float32(new Float32Array(3 * 64).fill(0.5), [1, 3, 8, 8]);
    const states = startFrom(params.make({ kind: 'pyramid', colour: 'none' }), grey);
    expect(Array.from(states['z/3']!.data as Float32Array).every((v) => Math.abs(v - 2 * Math.atanh(0.5)) < 1e-6)).toBe(
      true,
    );
    for (const name of ['z', 'z/1', 'z/2'])
      expect(Array.from(states[name]!.data as Float32Array).every((v) => Math.abs(v) < 1e-6)).toBe(true);
  });
});

describe('cppn', () => {
  it.each([
    [[1, 3, 4, 6], 2, 5],
    [[1, 1, 5, 3], 1, 4],
    [[2, 3, 1, 2], 3, 2],
  ] as const)('draws from where a pixel is, %j with %i layers of %i', async (dims, layers, hidden) => {
    const [n, c, h, w] = dims;
    const spec = { kind: 'cppn', layers, hidden } as const;
    const states = statesOf(spec, dims);
    const z = Object.fromEntries(states.map((s) => [s.name, random(s.name, s.dims, 0.7)]));
    const longest = Math.max(h, w);
    const reach = (i: number, length: number): number => (Math.sqrt(3) * (2 * i - (length - 1))) / (longest - 1);
    const wanted = Array.from({ length: n * c * h * w }, (_, at) => {
      const [k, channel, y, x] = [
        Math.floor(at / (c * h * w)),
        Math.floor(at / (h * w)) % c,
        Math.floor(at / w) % h,
        at % w,
      ];
      const through = (input: readonly number[], name: string, bias: string, count: number): number[] =>
        Array.from({ length: count }, (__, o) =>
          input.reduce(
            (sum, v, i) => sum + v * z[name]!.data[(k * input.length + i) * count + o]!,
            z[bias]!.data[k * count + o]!,
          ),
        );
      let values = [reach(x, w), reach(y, h)];
      for (let layer = 0; layer < layers; layer++) {
        const angles = through(values, layer === 0 ? 'z' : `z/${layer}`, `z/${layer}/bias`, hidden).map(Math.atan);
        values = [...angles.map((v) => v / 0.67), ...angles.map((v) => (v * v) / 0.6)];
      }
      const out = through(values, `z/${layers}`, `z/${layers}/bias`, c)[channel]!;
      return 2 / (1 + Math.exp(-out)) - 1;
    });
    expectClose(await pictureOf(spec, dims, z), wanted);
  });
  it('begins as in Lucid: with grey', () => {
    const drawn = (deviation: number) => ({ kind: 'normal', mean: 0, deviation });
    const states = statesOf({ kind: 'cppn' }, [1, 3, 4, 4]);
    expect(states.map((s) => [s.name, s.dims])).toEqual([
      ['z', [1, 2, 24]],
      ['z/0/bias', [1, 1, 24]],
      ...[1, 2, 3, 4, 5, 6, 7].flatMap((k) => [
        [`z/${k}`, [1, 48, 24]],
        [`z/${k}/bias`, [1, 1, 24]],
      ]),
      ['z/8', [1, 48, 3]],
      ['z/8/bias', [1, 1, 3]],
    ]);
    const starts = Object.fromEntries(states.map((s) => [s.name, s.start]));
    expect([starts['z'], starts['z/1']]).toEqual([drawn(Math.sqrt(1 / 2)), drawn(Math.sqrt(1 / 48))]);
    expect([starts['z/8'], starts['z/3/bias']]).toEqual([drawn(0), drawn(0.1)]);
  });
  it('starts from no photo', () => {
    expect(() => startFrom(params.make({ kind: 'cppn' }), photo([1, 3, 4, 4]))).toThrow(/cannot have a given photo/);
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

/** A table that holds `log(f)` for each channel, frequency and direction. */
const table = (log: (c: number, f: number, degrees: number) => number): number[] =>
  Array.from({ length: 3 * 16 * 7 }, (_, i) => {
    const [c, r, a] = [Math.floor(i / 112), Math.floor(i / 7) % 16, i % 7];
    return log(c, (1 / 256) * (256 * Math.SQRT1_2) ** (r / 15), 15 * a);
  });

describe('maco', () => {
  const spectrum = table((c, f) => Math.log((c + 1) / f ** 1.2));
  const magnitude = (c: number, f: number): number => (f === 0 ? 0 : (c + 1) / f ** 1.2);
  const standard = (values: readonly number[], epsilon: number): number[] => {
    const mean = values.reduce((a, b) => a + b) / values.length;
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length);
    return values.map((v) => (v - mean) / (deviation + epsilon));
  };

  it.each(sizes.slice(0, 4))('is the transform of phases and magnitudes, size %j %j %j %j', async (...dims) => {
    const [, c, h, w] = dims as [number, number, number, number];
    const half = Math.floor(w / 2) + 1;
    // Any scale and any mean: both are taken away.
    const z = random('phase', [1, c, h, half], 3);
    const phases = standard(Array.from(z.data), 1e-5);
    const f = Array.from(frequencies(h, w));
    const planes = Array.from({ length: c }, (_, k) => {
      const of = (part: (angle: number) => number): number[] =>
        f.map((at, i) => magnitude(c === 3 ? k : 0, at) * part(phases[k * h * half + i]!));
      return inverse(of(Math.cos), of(Math.sin), h, w);
    });
    const flat = standard(planes.flat(), 1e-4);
    expectClose(
      await pictureOf({ kind: 'maco', spectrum }, dims, { [Z]: z }),
      shown(
        planes.map((plane, k) => flat.slice(k * plane.length, (k + 1) * plane.length)),
        c === 3 ? COLOUR : undefined,
      ),
    );
  });
  it('begins with phases of one radian', () => {
    expect(statesOf({ kind: 'maco' }, [1, 3, 6, 7])).toEqual([
      { name: Z, dtype: 'float32', dims: [1, 3, 6, 4], start: { kind: 'normal', mean: 0, deviation: 1 } },
    ]);
    expect(params.complete({ kind: 'maco' })).toEqual({ kind: 'maco', spectrum: 'photographs', colour: 'lucid' });
  });
  it('starts from no photo', () => {
    const error = thrown(() => startFrom(params.make({ kind: 'maco' }), photo([1, 3, 4, 4])));
    expect(error.message).toMatch(/cannot have a given photo as its picture/);
  });
});

describe('a spectrum', () => {
  const { accept, parse, takes } = maco.settings.spectrum;
  it('is that of photographs, or a table', () => {
    expect(accept('photographs')).toBe('photographs');
    const own = table(() => 1);
    expect(accept(own)).toEqual(own);
    expect(accept(parse(own.join()))).toEqual(own);
    expect(parse('photographs')).toBe('photographs');
    expect(accept(own.slice(1))).toBeUndefined();
    expect(accept([...own.slice(1), Number.NaN])).toBeUndefined();
    expect(accept('photos')).toBeUndefined();
    expect(takes).toBe('photographs, or 336 numbers');
  });
  it.each([
    [256, 256],
    [31, 40],
    [600, 8],
  ])('is read for a picture of %i×%i: logarithms go in lines, also beyond the table', (h, w) => {
    const own = table((c, f) => c - 1.5 * Math.log(f));
    const f = Array.from(frequencies(h, w));
    const found = magnitudes(own, 3, h, w);
    const wanted = [0, 1, 2].flatMap((c) => f.map((at) => (at === 0 ? 0 : Math.exp(c) * at ** -1.5)));
    expect(Math.max(...wanted.map((v, i) => Math.abs(found[i]! - v) / (v || 1)))).toBeLessThan(1e-9);
    // Other channels than three are all like the first.
    expect(Array.from(magnitudes(own, 2, h, w).subarray(f.length))).toEqual(Array.from(found.subarray(0, f.length)));
  });
  it('knows directions: along rows first, down columns last', () => {
    const own = table((_, __, degrees) => degrees);
    const [half, found] = [5, magnitudes(own, 1, 8, 8)];
    const at = (y: number, x: number): number => Math.log(found[y * half + x]!);
    expect(at(0, 3)).toBeCloseTo(0, 9);
    expect(at(3, 0)).toBeCloseTo(90, 9);
    expect(at(2, 2)).toBeCloseTo(45, 9);
    expect(at(6, 2)).toBeCloseTo(45, 9);
    expect(at(1, 2)).toBeCloseTo((Math.atan(0.5) * 180) / Math.PI, 9);
  });
  it('of photographs falls with frequency, in all colours about alike, and is weakest along diagonals', () => {
    const [h, half] = [64, 33];
    const found = magnitudes('photographs', 3, h, h);
    const at = (c: number, y: number, x: number): number => Math.log(found[(c * h + y) * half + x]!);
    const slope = (at(0, 0, 32) - at(0, 0, 2)) / Math.log(16);
    expect(slope).toBeLessThan(-0.8);
    expect(slope).toBeGreaterThan(-1.8);
    // Decorrelated colours are measured in their own deviations.
    for (const c of [1, 2]) expect(Math.abs(at(0, 4, 4) - at(c, 4, 4))).toBeLessThan(1);
    expect(at(0, 5, 5)).toBeLessThan(Math.min(at(0, 0, 7), at(0, 7, 0)));
  });
  it('is measured on photos, whatever their size', async () => {
    // Noise of a known spectrum, faint, so that the sigmoid is a straight line.
    const dims = [1, 3, 300, 262];
    const states = { [Z]: random('noise', [1, 3, 600, 132], 0.0005) };
    const noise = float32(
      Float32Array.from(await pictureOf({ kind: 'fourier', decayPower: 1.4, colour: 'none' }, dims, states)),
      dims,
    );
    const slopes = async (photos: readonly Tensor<'float32'>[]): Promise<number[]> => {
      const found = await measureSpectrum(photos, 'none');
      const ring = (c: number, r: number): number =>
        found.slice(c * 112 + r * 7, c * 112 + r * 7 + 7).reduce((a, b) => a + b) / 7;
      return [0, 1, 2].map((c) => (ring(c, 13) - ring(c, 4)) / ((9 * Math.log(256 * Math.SQRT1_2)) / 15));
    };
    for (const slope of await slopes([noise])) expect(slope).toBeCloseTo(-1.4, 1);
    // Twice as large: each pixel four times.
    const large = float32(
      Float32Array.from({ length: 4 * noise.data.length }, (_, i) => {
        const [c, y, x] = [Math.floor(i / (600 * 524)), Math.floor(i / 524) % 600, i % 524];
        return noise.data[(c * 300 + Math.floor(y / 2)) * 262 + Math.floor(x / 2)]!;
      }),
      [1, 3, 600, 524],
    );
    // More of the same changes nothing; of another size neither; contrast changes the scale alone.
    const doubled = { ...noise, data: noise.data.map((v) => 2 * v) };
    const [one, two, more] = await Promise.all(
      [[noise], [noise, large], [doubled]].map((photos) => measureSpectrum(photos)),
    );
    expectClose(two!, one!, 4);
    expectClose(
      more!.map((v) => v - Math.log(2)),
      one!,
      4,
    );
    // In colours of one's own, two of which are weaker axes.
    const axes = await measureSpectrum([noise], [3, 0, 0, 0, 1, 0, 0, 0, 1]);
    const plain = await measureSpectrum([noise], 'none');
    expectClose(
      axes.map((v, i) => v - (i < 112 ? 0 : Math.log(3))),
      plain,
      6,
    );
  }, 240_000);
  it('needs photos of some size, in colour', async () => {
    expect((await rejected(measureSpectrum([]))).message).toBe(
      'photos: there are none; a spectrum is measured on one at least',
    );
    for (const dims of [
      [1, 3, 255, 300],
      [1, 1, 256, 256],
      [2, 3, 256, 256],
    ])
      expect((await rejected(measureSpectrum([photo(dims)]))).message).toBe(
        `photos: one is [${dims.join(', ')}]; a spectrum needs [1, 3, height, width] of at least 256 pixels a side`,
      );
    expect(await measureSpectrum([photo([1, 3, 256, 256])])).toHaveLength(336);
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
    [{ kind: 'maco' }, [1, 3, 4, 5]],
    [{ kind: 'maco' }, [1, 1, 5, 4]],
    [{ kind: 'pyramid' }, [1, 3, 9, 6]],
    [{ kind: 'pyramid', levels: 2 }, [2, 1, 5, 4]],
    [{ kind: 'cppn', layers: 3, hidden: 6 }, [1, 3, 4, 5]],
    [{ kind: 'alpha' }, [1, 3, 4, 5]],
    [{ kind: 'alpha' }, [1, 1, 5, 4]],
  ];
  it.each(cases)('is exact: %j for %j', async (spec, dims) => {
    const states = statesOf(spec, dims);
    await checkGradient(
      (b, xs) => {
        const s = new FixedStep(b);
        s.state = (name) => xs[states.findIndex((state) => state.name === name)]!;
        const { image, shown: over = image } = params.make(spec)(s, dims);
        return over;
      },
      states.map((state) => ({ dims: state.dims, low: -0.3, high: 0.3 })),
      // Standardised phases curve.
      spec.kind === 'maco' ? { tolerance: 5e-4 } : {},
    );
  });
});

describe('a photo to start from', () => {
  const kinds: readonly Given['kind'][] = ['pixel', 'decorrelate', 'fourier', 'pyramid', 'alpha'];
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
  it('finds the root of the covariance', async () => {
    const photos = [photo([1, 3, 20, 30]), random('r', [1, 3, 8, 8], 0.1)];
    const m = await measureColours(photos);
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
  it('says what it cannot measure', async () => {
    expect((await rejected(measureColours([]))).message).toBe(
      'photos: there are none; colours are measured on one at least',
    );
    expect((await rejected(measureColours([photo([1, 1, 4, 4])]))).message).toBe(
      'photos: one is [1, 1, 4, 4]; colours need [1, 3, height, width]',
    );
    const grey = float32(
      Float32Array.from({ length: 48 }, (_, i) => Math.sin(i % 16)),
      [1, 3, 4, 4],
    );
    expect((await rejected(measureColours([grey]))).message).toMatch(/^photos: their colours all lie in a plane/);
    expect((await rejected(measureColours([float32(new Float32Array(48), [1, 3, 4, 4])]))).code).toBe('bad-option');
  });
});
