/** @file Each parameterisation in an ascent, with Adam, transforms, and a canvas larger than what the network sees. */
import { describe, expect, it } from 'vitest';
import type { PartialSpec } from '../../src/noun.ts';
import { Builder } from '../../src/ir/builder.ts';
import { float32, type Tensor, type Tensors } from '../../src/ir/tensor.ts';
import { objectives } from '../../src/objective/index.ts';
import { optimisers } from '../../src/optimiser/index.ts';
import { finishes } from '../../src/output/finish.ts';
import { params, type ParamSpec, startFrom } from '../../src/param/index.ts';
import { Random } from '../../src/random.ts';
import { ascend } from '../../src/render/ascend.ts';
import { stepOf, valuesOf } from '../../src/render/step.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { IMAGE } from '../../src/step/step.ts';
import { transforms, type TransformSpec } from '../../src/transform/index.ts';
import { noise } from '../check.ts';

/** The ascent of a channel of one convolution that sees 16×14. */
async function ascent(
  param: PartialSpec<ParamSpec>,
  list: readonly PartialSpec<TransformSpec>[] = [],
  { size = { height: 16, width: 14 }, steps = 12, key = 'key', start = undefined as Tensors | undefined } = {},
) {
  const b = new Builder();
  const x = b.input(IMAGE, 'float32', [1, 3, 16, 14]);
  const parts = {
    network: { graph: b.graph([b.relu(b.conv(x, noise(b, [4, 3, 3, 3])), 'layer')]) },
    size,
    objective: objectives.make({ kind: 'channel', layer: 'layer', channel: 2, border: 1 }),
    param: params.make(param),
    transforms: list.map((t) => transforms.make(t)),
    optimiser: optimisers.make({ kind: 'adam', rate: 0.05 }),
  };
  const step = stepOf(parts);
  const program = await nodeRuntime.compile(step.graph);
  const image = 'state' in step.image ? step.image : await nodeRuntime.compile(step.image);
  const run = ascend({ ...step, program, image }, { values: valuesOf(parts), key, steps, ...(start ? { start } : {}) });
  let next = await run.next();
  while (!next.done) next = await run.next();
  await program.dispose();
  if (!('state' in image)) await image.dispose();
  return next.value;
}

describe('an ascent of', () => {
  const list: readonly PartialSpec<TransformSpec>[] = [
    { kind: 'pad', by: 3 },
    { kind: 'jitter', by: 2 },
    { kind: 'scale' },
    { kind: 'rotate' },
    { kind: 'jitter', by: 1 },
    { kind: 'trim', by: 3 },
  ];
  it.each(Object.keys(params.kinds) as ParamSpec['kind'][])('%s rises, also when it is moved', async (kind) => {
    const still = await ascent({ kind });
    expect(still.losses.at(-1)).toBeGreaterThan(still.losses[0]!);
    expect(still.image.dims.slice(2)).toEqual([16, 14]);
    const moved = await ascent({ kind }, list);
    expect(moved.losses.at(-1)).toBeGreaterThan(moved.losses[0]!);
    if (kind !== 'pixel') expect(Math.max(...moved.image.data.map(Math.abs))).toBeLessThanOrEqual(1);
  });
  it('a transparent picture keeps its opacity to the end', async () => {
    const { image, losses } = await ascent({ kind: 'alpha', transparency: 0.5 }, list, { steps: 30 });
    expect(image.dims).toEqual([1, 4, 16, 14]);
    expect(losses.at(-1)).toBeGreaterThan(losses[0]!);
    const opacity = image.data.subarray(3 * 16 * 14);
    expect(opacity.every((v) => v > -1 && v < 1)).toBe(true);
    const finish = finishes.make({ kind: 'contrast', crop: 2 });
    const { width, height, alpha } = finish(image.data, { height: 16, width: 14 });
    expect([width, height]).toEqual([10, 12]);
    expect(Array.from(alpha!)).toEqual(
      Array.from({ length: 120 }, (_, i) => {
        const value = opacity[(Math.floor(i / 10) + 2) * 14 + (i % 10) + 2]!;
        return Math.round(((value + 1) / 2) * 255);
      }),
    );
    expect(finish(image.data.slice(0, 3 * 16 * 14), { height: 16, width: 14 }).alpha).toBeUndefined();
  });
  it('a large canvas sees crops of it', async () => {
    const size = { height: 40, width: 30 };
    const crops: PartialSpec<TransformSpec>[] = [
      { kind: 'crop', view: 14, from: 0.6, to: 0.4 },
      { kind: 'pad', by: 1 },
      { kind: 'noise', normal: 0.02, uniform: 0.02 },
    ];
    const tall: PartialSpec<TransformSpec>[] = [{ kind: 'trim', by: 12 }];
    await expect(ascent({ kind: 'maco' }, crops, { size })).rejects.toThrow(
      'internal: the network takes [1, 3, 16, 14], and is shown [1, 3, 16, 16]',
    );
    const { image, losses } = await ascent({ kind: 'fourier' }, tall, { size: { height: 40, width: 38 } });
    expect(image.dims).toEqual([1, 3, 40, 38]);
    expect(losses.at(-1)).toBeGreaterThan(losses[0]!);
  });
  it('one seed is one picture, and of another seed another', async () => {
    const of = async (key: string) =>
      Array.from((await ascent({ kind: 'fourier' }, list, { key, steps: 3 })).image.data);
    expect(await of('a')).toEqual(await of('a'));
    expect(await of('a')).not.toEqual(await of('b'));
  });
  it('a photo begins with it', async () => {
    const photo: Tensor<'float32'> = float32(new Random('photo').uniform(3 * 16 * 14, -0.9, 0.9), [1, 3, 16, 14]);
    for (const kind of ['pixel', 'decorrelate', 'fourier', 'pyramid', 'alpha'] as const) {
      const start = startFrom(params.make({ kind }), photo);
      const { image } = await ascent({ kind }, [], { start, steps: 0 });
      const found = image.data.subarray(0, photo.data.length);
      expect(Math.max(...found.map((v, i) => Math.abs(v - photo.data[i]!)))).toBeLessThan(1e-3);
    }
  });
});
