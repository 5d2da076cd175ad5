/** @file Agreement with the originals: pictures and gradients as PyTorch computes them by the formulas of Lucid and Xplique. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { gradient } from '../../src/grad/index.ts';
import { Builder } from '../../src/ir/builder.ts';
import { float32, sizeOf } from '../../src/ir/tensor.ts';
import { params } from '../../src/param/index.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { StepBuilder } from '../../src/step/builder.ts';
import { Z } from '../../src/step/step.ts';

interface Case {
  readonly kind: 'fourier' | 'maco';
  readonly size: readonly [number, number];
  readonly image: readonly number[];
  readonly gradient: readonly number[];
}
const cases = JSON.parse(
  readFileSync(new URL('../oracles/parameterisations.json', import.meta.url), 'utf8'),
) as readonly Case[];

/** Magnitudes (c + 1) / f^1.2, as a table. */
const spectrum = Array.from({ length: 336 }, (_, i) => {
  const f = (1 / 256) * (256 * Math.SQRT1_2) ** ((Math.floor(i / 7) % 16) / 15);
  return Math.log((Math.floor(i / 112) + 1) / f ** 1.2);
});

it.each(cases.map((c) => [c.kind, ...c.size, c] as const))('%s of %i×%i', async (kind, height, width, wanted) => {
  const s = new StepBuilder(new Builder());
  const { z, image } = params.make(kind === 'maco' ? { kind, spectrum } : { kind })(s, [1, 3, height, width]);
  const weights = Float32Array.from({ length: sizeOf(image.dims) }, (_, i) => Math.cos(0.9 * i));
  const loss = s.b.sum(s.b.mul(image, s.b.constant(float32(weights, image.dims))), undefined, false);
  const [g] = gradient(s.b, loss, z);
  const program = await nodeRuntime.compile(s.b.graph({ image, g: g! }));
  const { dims } = z[0]!;
  const start = Float32Array.from({ length: sizeOf(dims) }, (_, i) => 0.3 * Math.sin(1.7 * i + 0.5));
  const out = await program.run({ [Z]: float32(start, dims) });
  await program.dispose();
  const far = (found: ArrayLike<number>, other: readonly number[]): number => {
    expect(found).toHaveLength(other.length);
    const most = Math.max(...other.map(Math.abs));
    return Math.max(...other.map((v, i) => Math.abs(found[i]! - v))) / most;
  };
  expect(far(out['image']!.data as Float32Array, wanted.image)).toBeLessThan(2e-5);
  expect(far(out['g']!.data as Float32Array, wanted.gradient)).toBeLessThan(2e-4);
});
