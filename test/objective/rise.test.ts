/** @file Every objective rises within three steps on the built-in model; and several pictures at once are each its own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../src/hub/open.ts';
import { indexOf, type Network } from '../../src/import/network.ts';
import type { Graph } from '../../src/ir/graph.ts';
import { float32, type Tensor, type Tensors } from '../../src/ir/tensor.ts';
import { type Objective, objectiveOf, objectives, parseObjective } from '../../src/objective/index.ts';
import { optimisers } from '../../src/optimiser/index.ts';
import { params } from '../../src/param/index.ts';
import { Random } from '../../src/random.ts';
import { ascend } from '../../src/render/ascend.ts';
import { type StepParts, stepOf, valuesOf } from '../../src/render/step.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { IMAGE } from '../../src/step/step.ts';

const size = { height: 64, width: 64 };
const A = 'conv2_block3_out';
let network: Network;
let cut: Graph;
/** The activation of a photo that is noise. */
let activation: Tensor<'float32'>;
beforeAll(async () => {
  network = await openModel('resnet50v2-mini');
  cut = await network.cut([A], size);
  const program = await nodeRuntime.compile(cut);
  const photo = float32(new Random('photo').uniform(3 * 64 * 64, -1, 1), [1, 3, 64, 64]);
  activation = (await program.run({ [IMAGE]: photo }))[A] as Tensor<'float32'>;
  await program.dispose();
});
afterAll(() => network.close());

/** The losses of some steps. */
async function losses(objective: Objective, needs: Tensors, rate: number, steps = 4): Promise<readonly number[]> {
  const filled = { ...objective, values: { ...objective.values, ...needs } };
  const parts: StepParts = {
    network: { graph: cut, channelAxes: { [A]: 1 } },
    objective: filled,
    param: params.make({ kind: 'pixel', noise: 0.5 }),
    optimiser: optimisers.make({ kind: 'normalised', rate }),
    pictures: objective.pictures?.least ?? 1,
  };
  const step = stepOf(parts);
  const program = await nodeRuntime.compile(step.graph);
  const picture = 'state' in step.image ? step.image : await nodeRuntime.compile(step.image);
  const run = ascend({ ...step, program, image: picture }, { values: valuesOf(parts), key: 'key', steps });
  let next = await run.next();
  while (!next.done) next = await run.next();
  await program.dispose();
  expect(next.value.image.dims).toEqual([parts.pictures, 3, 64, 64]);
  return next.value.losses;
}

/** An objective of every kind, and what is put together of them; the length of a step that suits it. */
const cases: Readonly<Record<string, readonly [text: string, rate: number]>> = {
  channel: [`${A}:7`, 3],
  neuron: [`${A}:7[5,6]`, 1],
  logit: [`logit(${A}:7)`, 3],
  layer: [`layer(${A})`, 3],
  direction: [`direction(${A}, [7, 3], [1, -1], power=2)`, 3],
  tensor: [`tensor(${A}, t, power=1)`, 3],
  caricature: [`caricature(${A}, p)`, 3],
  near: [`near(${A}, p)`, 3],
  diversity: [`diversity(${A})`, 3],
  alignment: [`alignment(${A})`, 3],
  l1: ['l1()', 3],
  l2: ['l2()', 3],
  lp: ['lp()', 0.3],
  tv: ['tv()', 3],
  blur: ['blur()', 3],
  boundary: ['boundary(width=8)', 3],
  sum: [`${A}:7 - 0.5*${A}:3 + tv(0.1)`, 3],
  negative: [`-${A}:7`, 3],
  product: [`layer(${A})*l2(around=3)*-1`, 3],
  interpolate: [`interpolate(${A}:7, ${A}:3)`, 3],
  picture: [`picture(1, ${A}:7)`, 3],
};

it('there is a case for every kind', () => {
  expect(Object.keys(objectives.kinds).filter((kind) => !(kind in cases))).toEqual([]);
});

it.each(Object.entries(cases))('%s rises within three steps', async (_, [text, rate]) => {
  const objective = objectiveOf(parseObjective(text));
  const needs = Object.fromEntries(Object.keys(objective.needs ?? {}).map((name) => [name, activation]));
  const [first, ...later] = await losses(objective, needs, rate);
  expect(Math.max(...later)).toBeGreaterThan(first!);
  expect(later.at(-1)!).toBeGreaterThan(first!);
});

describe('several pictures', () => {
  it('do not feel each other in what is raised of each', async () => {
    const at = indexOf(network.layers(size).layers, A);
    expect(at).toBeGreaterThan(0);
    const gradientOf = async (pictures: number, key: string): Promise<Float32Array> => {
      const objective = objectives.make({ kind: 'channel', layer: A, channel: 7 });
      const parts: StepParts = {
        network: { graph: cut },
        objective,
        param: params.make({ kind: 'pixel' }),
        optimiser: optimisers.make({ kind: 'normalised' }),
        pictures,
        withGradient: true,
      };
      const step = stepOf(parts);
      const program = await nodeRuntime.compile(step.graph);
      const z = new Random(key).normal(3 * 64 * 64 * 2);
      const data = pictures === 1 ? z.slice(3 * 64 * 64) : z;
      const out = await program.run({ ...valuesOf(parts), z: float32(data, [pictures, 3, 64, 64]) });
      await program.dispose();
      return out['gradient']!.data as Float32Array;
    };
    const [two, second] = [await gradientOf(2, 'key'), await gradientOf(1, 'key')];
    const length = Math.hypot(...second);
    second.forEach((g, i) => expect(Math.abs(two[3 * 64 * 64 + i]! - g)).toBeLessThan(1e-4 * length));
  });
});
