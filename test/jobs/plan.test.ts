/** @file What a caller asks for becomes pictures: channels, units, classes and objectives, with what each says of itself. */
import { afterAll, describe, expect, it } from 'vitest';
import { kerasNetwork } from '../../src/import/keras/index.ts';
import { PICTURE, type Topology } from '../../src/import/keras/topology.ts';
import { indexOf, type Network } from '../../src/import/network.ts';
import { knownPreprocess } from '../../src/import/preprocess.ts';
import { Builder, type Value } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { float32, int64, sizeOf, type Tensor } from '../../src/ir/tensor.ts';
import { type Plan, planOf, type RenderOptions } from '../../src/jobs/plan.ts';
import { createPool } from '../../src/jobs/pool.ts';
import { factsOf, memoryOf, type Picture, raisedIn, renderObjective } from '../../src/jobs/render.ts';
import type { Objective } from '../../src/objective/index.ts';
import { raster } from '../../src/output/raster.ts';
import { Random } from '../../src/random.ts';
import { digestOf, keyOf, setDigestOf, settle } from '../../src/render/recipe.ts';
import { seriesOf, seriesOfObjective } from '../../src/runs/index.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { noise } from '../check.ts';
import { openBytes } from '../import/open.ts';
import { rejected } from '../thrown.ts';
import { inlineHost } from './hosts.ts';

const pool = createPool(inlineHost(nodeRuntime));
afterAll(() => pool.close());
const engine = { pool, lowering: 'cpu' } as const;

/** A classifier: features [1, 4, 14, 14], then a pooled head; `end` is what comes last. */
function classifier(
  end: (b: Builder, logits: Value) => Value,
  metadata: Record<string, string> = {},
): Promise<Network> {
  const b = new Builder();
  const x = b.input('data', 'float32', [1, 3, 16, 16]);
  const features = b.relu(b.conv(x, noise(b, [4, 3, 3, 3]), undefined, {}, 'first'), 'features');
  const logits = b.matmul(b.reshape(b.mean(features, [2, 3]), [1, 4]), noise(b, [4, 5]));
  return openBytes(encodeOnnx(b.graph([end(b, logits)]), metadata));
}
const softmax = (b: Builder, x: Value): Value => b.one('Softmax', [x], { axis: 1 }, 'probabilities');
const labels = JSON.stringify(['tench', 'great_white_shark, white shark', 'crane', 'drake', 'crane']);
const network = await classifier(softmax, { 'phosphene.labels': labels, 'phosphene.preprocess': 'tf' });
const small: RenderOptions = { preset: 'keras', size: 16, steps: 3, optimiser: { rate: 1 }, finish: { crop: 0 } };

async function picturesOf(plan: Plan, some?: readonly number[]): Promise<readonly Picture[]> {
  const pictures: Picture[] = [];
  for await (const event of plan.render(engine, some)) if (event.type === 'picture') pictures.push(event.picture);
  return pictures;
}
const made = async (options: RenderOptions, of = network): Promise<readonly Picture[]> =>
  picturesOf(await planOf(of, { ...small, ...options }));
const objectiveOfThe = (pictures: readonly Picture[]): unknown => pictures[0]!.recipe.objective;

describe('channels', () => {
  it('are planned by layer, once each', async () => {
    const plan = await planOf(network, { ...small, layer: 'features', channels: [1, 3, 1], border: 1 });
    expect(plan).toMatchObject({ layer: 'features', channels: [1, 3], pictures: 1, jobs: 2 });
    expect(plan.raised).toBeUndefined();
    const pictures = await picturesOf(plan);
    expect(pictures.map((p) => [p.layer, p.channel])).toEqual([
      ['features', 1],
      ['features', 3],
    ]);
    expect(objectiveOfThe(pictures)).toEqual({ kind: 'channel', layer: 'features', channel: 1, border: 1 });
  });
  it('are those of the default layer unless one is named, by name, node or place', async () => {
    const layerOf = async (layer?: string): Promise<string> =>
      (await planOf(network, { ...small, layer, channels: [0] })).layer;
    expect(await layerOf()).toBe(network.defaultLayer);
    expect(await layerOf('features')).toBe('features');
    const { layers } = network.layers({ height: 16, width: 16 });
    expect(await layerOf('0')).toBe(layers[0]!.name);
    expect(await layerOf('-1')).toBe('probabilities');
    expect((await rejected(layerOf(`${layers.length}`))).code).toBe('unknown-layer');
    expect((await rejected(layerOf('featurs'))).message).toContain('did you mean `features`');
  });
  it('may be one unit each: at the centre, or at a position', async () => {
    expect(objectiveOfThe(await made({ layer: 'features', channels: [2], neuron: 'centre' }))).toEqual({
      kind: 'neuron',
      layer: 'features',
      channel: 2,
      row: undefined,
      column: undefined,
    });
    expect(
      objectiveOfThe(await made({ layer: 'features', channels: [2], neuron: { row: 3, column: 0 } })),
    ).toMatchObject({
      kind: 'neuron',
      row: 3,
      column: 0,
    });
    expect(
      (await rejected(made({ layer: 'features', channels: [2], neuron: { row: 14, column: 0 } }))).message,
    ).toContain('no position [14, 0]');
    expect((await rejected(made({ channels: [2], neuron: 3 as never }))).message).toContain(
      '`centre`, or a row and a column',
    );
    expect((await rejected(made({ channels: [2], neuron: { row: -1, column: 0 } }))).message).toContain(
      'neuron: a whole number',
    );
  });
  it('of probabilities at the end of a network are raised by their logits, with the softmax removed', async () => {
    const [picture] = await made({ layer: 'probabilities', channels: [3] });
    expect(picture!.recipe.objective).toEqual({ kind: 'logit', layer: 'probabilities', channel: 3 });
    // A probability of five would lie between 0 and 1, and barely move.
    const plain = await classifier((b, x) => b.one('Identity', [x], {}, 'logits'), { 'phosphene.preprocess': 'tf' });
    const [same] = await made({ layer: 'logits', channels: [3] }, plain);
    expect(same!.recipe.objective).toMatchObject({ kind: 'channel' });
    expect(picture!.losses[0]).toBeCloseTo((await firstLogit(plain, picture!))!, 4);
  });
  it.each([
    ['softmax', 'logit'],
    ['log_softmax', 'logit'],
    ['sigmoid', 'logit'],
    ['linear', 'channel'],
    ['relu', 'channel'],
  ])('of a Dense unit of Keras with %s are raised by its %s', async (activation, kind) => {
    const topology: Topology = [
      { name: 'conv', type: 'Conv2D', config: { filters: 4, kernel_size: 3 }, inputs: [PICTURE] },
      { name: 'pooled', type: 'GlobalAveragePooling2D', config: {}, inputs: ['conv'] },
      { name: 'predictions', type: 'Dense', config: { units: 5, activation }, inputs: ['pooled'] },
    ];
    const keras = kerasNetwork({
      name: 'net',
      input: { channels: 3, preprocess: knownPreprocess.tf, from: 'known' },
      defaultLayer: 'conv',
      topology,
      weights: async () => ({
        source: 'weights.h5',
        read: ({ name }, weight, dims) => float32(new Random(`${name}/${weight}`).uniform(sizeOf(dims), -1, 1), dims),
      }),
      digest: async () => activation,
    });
    const one = { ...small, param: { noise: 0.5 } };
    const [picture] = await made({ ...one, layer: 'predictions', channels: [3] }, keras);
    expect(objectiveOfThe([picture!])).toMatchObject({ kind, layer: 'predictions', channel: 3 });
    // The same unit in words, as a class, and in a sum that needs several terms.
    expect((await planOf(keras, { ...one, class: 3 })).layer).toBe('predictions');
    const [sum] = await made({ ...one, objective: 'predictions:3 + 0*tv()' }, keras);
    expect(sum!.recipe.objective).toMatchObject({ terms: [{ objective: { kind } }, {}] });
    // Logits are linear in a gradient that never vanishes: three steps move them, whatever comes after.
    if (kind === 'logit') expect(picture!.losses[2]! - picture!.losses[0]!).toBeGreaterThan(0.05);
  });
  it('are one picture each: several of one need an objective', async () => {
    const error = await rejected(made({ layer: 'features', channels: [3], pictures: 2 }));
    expect(error.message).toContain('such as `features:3 + diversity(features)`');
    expect(await made({ layer: 'features', channels: [3], pictures: 1 })).toHaveLength(1);
  });
});

/** What the network without softmax says of the noise that a picture begins with. */
async function firstLogit(plain: Network, { recipe }: Picture): Promise<number | undefined> {
  const program = await nodeRuntime.compile(await plain.cut(['logits'], { height: 16, width: 16 }));
  const z = new Random(keyOf(recipe)).uniform(3 * 256, -0.125, 0.125);
  const out = await program.run({ image: float32(z, [1, 3, 16, 16]) });
  await program.dispose();
  return (out['logits'] as Tensor<'float32'>).data[3];
}

describe('a class', () => {
  const channelsOf = async (options: RenderOptions, of = network): Promise<readonly number[]> =>
    (await planOf(of, { ...small, ...options })).channels;
  it.each<[string | number, number]>([
    [3, 3],
    ['3', 3],
    ['drake', 3],
    ['White Shark', 1],
    ['great white  shark', 1],
    ['great_white_shark', 1],
    ['Great White Shark, white shark', 1],
  ])('%s is found', async (wanted, index) => {
    const plan = await planOf(network, { ...small, class: wanted });
    expect(plan).toMatchObject({ layer: 'probabilities', channels: [index] });
    expect(plan.settled.unit).toEqual({ kind: 'logit' });
  });
  it('is looked for among the names that are given, and may be a number by name', async () => {
    expect(await channelsOf({ class: 'b', labels: ['a', 'b', 'c', 'd', 'e'] })).toEqual([1]);
    expect(await channelsOf({ class: '0', labels: ['9', '8', '7', '6', '0'] })).toEqual([4]);
  });
  it('can be a unit of any layer', async () => {
    expect(await planOf(network, { ...small, class: 2, layer: 'features' })).toMatchObject({
      layer: 'features',
      channels: [2],
    });
    expect((await rejected(channelsOf({ class: 2, layer: 'featurs' }))).code).toBe('unknown-layer');
  });
  it('is found in networks that end in logits, in sigmoids, and in maps of one position', async () => {
    for (const end of [
      (b: Builder, x: Value) => b.one('Identity', [x], {}, 'out'),
      (b: Builder, x: Value) => b.one('Sigmoid', [x], {}, 'out'),
      (b: Builder, x: Value) => b.one('Reshape', [softmax(b, b.reshape(x, [1, 5, 1, 1])), b.ints([1, 5])], {}, 'out'),
    ])
      expect(await planOf(await classifier(end), { ...small, class: 2 })).toMatchObject({
        layer: 'out',
        channels: [2],
      });
  });
  it.each<[RenderOptions, string]>([
    [{ class: 'whit shark' }, 'class: there is no class `whit shark`; did you mean `white shark`'],
    [{ class: 'xyzzy-plugh' }, 'there are 5, such as tench, great_white_shark, white shark, crane'],
    [{ class: 'crane' }, 'class: `crane` is the name of 2 classes; give the number of one: 2, 4'],
    [{ class: 5 }, 'class: 5 is out of range: there are 5 classes (0-4)'],
    [{ class: '17' }, 'class: 17 is out of range'],
    [{ class: 1.5 }, 'class: 1.5 is out of range'],
    [{ class: -1 }, 'class: -1 is out of range'],
    [{ class: 'a', labels: ['a', 'b'] }, 'there are 2 labels for 5 units, so `a` cannot be told'],
  ])('%j: %s', async (options, why) => {
    const error = await rejected(channelsOf(options));
    expect(error.code).toBe('bad-option');
    expect(error.message).toContain(why);
  });
  it('needs its names, and a network that ends in classes', async () => {
    const nameless = await classifier(softmax);
    const error = await rejected(channelsOf({ class: 'tench' }, nameless));
    expect(error.message).toBe(
      'class: the names of the classes are not known, so `tench` cannot be found; give them as `labels`, or the number of the class (0-4)',
    );
    expect(error.details).toMatchObject({ option: ['class', 'labels'] });
    const b = new Builder();
    const maps = await openBytes(
      encodeOnnx(b.graph([b.relu(b.conv(b.input('data', 'float32', [1, 3, 16, 16]), noise(b, [4, 3, 3, 3])), 'maps')])),
    );
    expect((await rejected(channelsOf({ class: 2 }, maps))).message).toBe(
      'class: net.onnx does not end in classes; choose the `layer` whose units are the classes, or a channel of any layer',
    );
  });
});

describe('an objective', () => {
  it('of one channel is a picture among those of its layer', async () => {
    const channel = await planOf(network, { ...small, layer: 'features', channels: [3] });
    for (const objective of [
      'features:3',
      ' features : 3 ',
      '1*(features:3)',
      { kind: 'channel', layer: 'features', channel: 3 } as const,
    ]) {
      const plan = await planOf(network, { ...small, objective });
      expect(plan.raised).toBeUndefined();
      expect(plan).toMatchObject({ layer: channel.layer, channels: channel.channels, settled: channel.settled });
    }
    expect((await planOf(network, { ...small, objective: 'channel(features:3, border=1)' })).settled.border).toBe(1);
    expect((await planOf(network, { ...small, objective: 'features:3[4,5]' })).settled.unit).toEqual({
      kind: 'neuron',
      row: 4,
      column: 5,
    });
    expect((await planOf(network, { ...small, objective: 'neuron(features:3)' })).settled.unit).toEqual({
      kind: 'neuron',
    });
    expect((await planOf(network, { ...small, objective: 'logit(probabilities:3)' })).settled.unit).toEqual({
      kind: 'logit',
    });
    expect((await planOf(network, { ...small, objective: 'probabilities:3' })).settled.unit).toEqual({ kind: 'logit' });
  });
  it('has its layers by their names, and all settings, in its record', async () => {
    const [picture, ...others] = await made({ objective: '-1:3 + probabilities:2 + 0.5*tv(0.1)', border: undefined });
    expect(others).toEqual([]);
    const { layers } = network.layers({ height: 16, width: 16 });
    expect(indexOf(layers, '1')).toBe(1);
    expect(picture).toMatchObject({ layer: '-1:3 + probabilities:2 + 0.5*tv(0.1)', channel: 0 });
    expect(picture!.recipe.objective).toEqual({
      kind: 'sum',
      terms: [
        { weight: -1, objective: { kind: 'channel', layer: layers[1]!.name, channel: 3, border: 2 } },
        { weight: 1, objective: { kind: 'logit', layer: 'probabilities', channel: 2 } },
        { weight: 0.5, objective: { kind: 'tv', weight: 0.1, layer: undefined } },
      ],
    });
    expect(picture!.losses).toHaveLength(3);
    expect(picture!.losses[2]!).toBeGreaterThan(picture!.losses[0]!);
    expect(picture!.recipe).not.toHaveProperty('pictures');
    expect(picture!.recipe).not.toHaveProperty('given');
  });
  it('makes as many pictures as it compares, each its own, in one job', async () => {
    const plan = await planOf(network, { ...small, objective: 'features:3 + diversity(features)' });
    expect(plan).toMatchObject({ pictures: 4, channels: [0, 1, 2, 3], jobs: 1 });
    const pictures = await picturesOf(plan);
    expect(pictures.map((p) => p.channel)).toEqual([0, 1, 2, 3]);
    expect(pictures.map((p) => [p.recipe.pictures, p.recipe.picture])).toEqual([0, 1, 2, 3].map((i) => [4, i]));
    expect(new Set(pictures.map((p) => digestOf(p.recipe))).size).toBe(4);
    expect(new Set(pictures.map((p) => setDigestOf(p.recipe))).size).toBe(1);
    expect(new Set(pictures.map((p) => p.image.data.join())).size).toBe(4);
    for (const { image, raster: shown } of pictures) {
      expect(image.dims).toEqual([1, 3, 16, 16]);
      expect([shown.width, shown.height]).toEqual([16, 16]);
    }
    // Some of them are the same as all of them.
    const [third] = await picturesOf(plan, [2]);
    expect(third!.channel).toBe(2);
    expect(third!.image.data).toEqual(pictures[2]!.image.data);
    expect(
      await picturesOf(await planOf(network, { ...small, objective: 'features:3 + diversity(features)', pictures: 2 })),
    ).toHaveLength(2);
    expect(
      await picturesOf(await planOf(network, { ...small, objective: 'layer(features)', pictures: 3 })),
    ).toHaveLength(3);
  });
  it('needs enough pictures', async () => {
    const error = await rejected(made({ objective: 'picture(2, features:0)', pictures: 2 }));
    expect(error.message).toBe('pictures: `picture(2, features:0)` needs at least 3 pictures at once, not 2');
    expect(error.details).toMatchObject({ option: 'pictures', least: 3 });
    expect((await rejected(made({ objective: 'layer(features)', pictures: 65 }))).message).toContain(
      'pictures: a whole number from 1 to 64',
    );
  });
  it('takes memory for each of its pictures', async () => {
    const settled = settle({ size: 512 });
    const target = { name: 'features' };
    const [one, four] = [1, 4].map((pictures) => memoryOf(network, { targets: [target], pictures }, settled));
    expect(four! - 50e6).toBeGreaterThan(3.5 * (one! - 50e6));
    expect(memoryOf(network, { targets: [target] }, settled)).toBe(one);
    expect(memoryOf(network, { targets: [] }, settled)).toBe(50e6);
  });
  it('is given vectors and tensors by name, and its record has their digests', async () => {
    const along = (v: Tensor): Promise<readonly Picture[]> =>
      made({ objective: 'direction(features, vector=v) + tv(0.01)', tensors: { v, unused: v }, param: { noise: 0 } });
    const [one, other] = [await along(float32([1, 0, 0, 0])), await along(float32([0, 1, 0, 0]))];
    expect(one[0]!.recipe.given).toEqual({ 'tensor v': expect.stringMatching(/^[0-9a-f]{64}$/) as string });
    expect(digestOf(one[0]!.recipe)).not.toBe(digestOf(other[0]!.recipe));
    // Along the first axis it is the mean of the first channel.
    const [channel] = await made({ objective: 'channel(features:0, border=0) + tv(0.01)', param: { noise: 0 } });
    expect(one[0]!.losses[0]).toBeCloseTo(channel!.losses[0]!, 4);
    const short = await rejected(along(float32([1, 0])));
    expect(short.message).toContain('the vector `v` is [2], and [4] is needed');
    const error = await rejected(made({ objective: 'direction(features, vector=w)', tensors: { w1: float32([1]) } }));
    expect(error.message).toContain('objective: the tensor `w` is not given; did you mean `w1`?');
    const whole = await rejected(
      made({ objective: 'direction(features, vector=w)', tensors: { w: int64([1, 0, 0, 0]) } }),
    );
    expect(whole.message).toBe('objective: the tensor `w` is of int64, and float32 is needed');
    expect((await rejected(made({ objective: 'near(features, toString)' }))).message).toContain(
      'the photo `toString` is not given; give it among the `photos`, by that name',
    );
  });
  it('knows photos by what a layer makes of them', async () => {
    const pixels = Uint8Array.from({ length: 3 * 20 * 30 }, (_, i) => (i * 37) % 256);
    const photo = raster(30, 20, pixels);
    const near = await made({
      objective: 'near(features, p) + 0*tv()',
      photos: { p: photo },
      steps: 40,
      optimiser: { rate: 0.5 },
    });
    expect(near[0]!.recipe.given).toEqual({ 'photo p': expect.stringMatching(/^[0-9a-f]{64}$/) as string });
    const { losses } = near[0]!;
    expect(losses.at(-1)!).toBeGreaterThan(losses[0]! / 2);
    // Begun with the photo, there is no distance.
    const [begun] = await made({ objective: 'near(features, p) + 0*tv()', photos: { p: photo }, start: photo });
    expect(begun!.losses[0]).toBeCloseTo(0, 5);
    expect(begun!.recipe.start).toEqual({ photo: expect.any(String) as string });
    const two = await made({
      objective: 'near(features, p) + caricature(features, p) + 0*diversity(features)',
      photos: { p: photo },
      start: photo,
      pictures: 2,
    });
    expect(two.map((p) => p.recipe.picture)).toEqual([0, 1]);
  });
  it('can be a program of the caller', async () => {
    const own = (scale: number, shape = 'own'): Objective => ({
      text: 'what I like',
      shape,
      layers: ['1'],
      values: { scale: float32(scale) },
      build: ({ b, activation, value }) => b.mul(b.mean(activation('1').value, undefined, false), value('scale')),
    });
    const grey = { param: { noise: 0 } };
    const [picture] = await made({ objective: own(2), ...grey });
    expect(picture).toMatchObject({
      layer: 'what I like',
      recipe: { objective: { kind: 'custom', text: 'what I like', shape: 'own' } },
    });
    const digests = await Promise.all(
      [own(2), own(3), own(2, 'other')].map(async (o) => digestOf((await made({ objective: o, ...grey }))[0]!.recipe)),
    );
    expect(digests[0]).toBe(digestOf(picture!.recipe));
    expect(new Set(digests).size).toBe(3);
    const [double] = await made({ objective: own(4), ...grey });
    expect(double!.losses[0]).toBeCloseTo(2 * picture!.losses[0]!, 5);
  });
  it.each<[RenderOptions, string, string]>([
    [{}, 'bad-option', 'channels: a list of channels is needed, such as [0, 1, 2]; or a `class`, or an `objective`'],
    [
      { channels: [1], objective: 'features:1' },
      'bad-option',
      '`channels` and `objective` say in two ways what is raised',
    ],
    [{ class: 1, objective: 'features:1' }, 'bad-option', '`class` and `objective` say in two ways'],
    [
      { layer: 'features', objective: 'features:1 + tv()' },
      'bad-option',
      'layer: an objective says itself which layers it reads',
    ],
    [
      { neuron: 'centre', objective: 'features:1 + tv()' },
      'bad-option',
      'neuron: an objective says itself where its units are',
    ],
    [
      { objective: 'featurs:1 + tv()' },
      'unknown-layer',
      'layer `featurs` not found in net.onnx; did you mean `features`?',
    ],
    [{ objective: 'features:4 + tv()' }, 'bad-option', 'filter 4 is out of range: `features` has 4 channels (0-3)'],
    [{ objective: 'neuron(features:4) + tv()' }, 'bad-option', 'filter 4 is out of range'],
    [{ objective: 'direction(features, [0, 4])' }, 'bad-option', 'filter 4 is out of range'],
    [{ objective: 'features:1[14,0] + tv()' }, 'bad-option', 'has no position [14, 0]'],
    [{ objective: 'channel(features:1, border=7)' }, 'shape', 'a border of 7 on each side leaves nothing'],
    [
      { objective: 'picture(1, diversity(features))', pictures: 2 },
      'bad-option',
      'diversity compares pictures, and there is one',
    ],
    [{ objective: 'features:4' }, 'bad-option', 'filter 4 is out of range'],
    [{ objective: 'features:1 +' }, 'bad-option', 'objective `features:1 +`: at the end'],
    [{ channels: 3 as never }, 'bad-option', 'channels: a list of channels is needed'],
  ])('%j is refused: %s %s', async (options, code, why) => {
    const error = await rejected(planOf(network, { ...small, ...options }));
    expect(error.code).toBe(code);
    expect(error.message).toContain(why);
  });
  it('that is stopped ends', async () => {
    const settled = settle({ ...small, steps: 1000 });
    const raised = await raisedIn(network, 'layer(features)', settled);
    const signal = AbortSignal.abort();
    const error = await rejected(renderObjective(network, { raised, settled }, { ...engine, signal }).next());
    expect(error.code).toBe('aborted');
  });
  it('tells of its steps, and of pictures on the way', async () => {
    const settled = settle(small);
    const raised = await raisedIn(network, 'diversity(features)', settled);
    const events: string[] = [];
    for await (const event of renderObjective(network, { raised, settled, snapshots: [2] }, engine))
      events.push(event.type === 'snapshot' ? `snapshot ${event.channel} after ${event.step}` : event.type);
    expect(events.filter((e) => e === 'ready')).toHaveLength(1);
    expect(events.filter((e) => e.startsWith('snapshot'))).toEqual([0, 1, 2, 3].map((i) => `snapshot ${i} after 2`));
    expect(events.filter((e) => e === 'picture')).toHaveLength(4);
    expect(events).toContain('steps');
  });
});

describe('the folder', () => {
  it('of an objective is named after its text, and its pictures after their numbers', async () => {
    const facts = await factsOf(network);
    const seriesFor = async (objective: string, options: RenderOptions = {}) => {
      const plan = await planOf(network, { objective, preset: 'keras', ...options });
      return seriesOfObjective(plan.settled, facts, plan.raised!);
    };
    const series = await seriesFor('features:3 - 0.5*features:0 + tv(0.1)');
    expect(series.layer).toBe('features:3 - 0.5*features:0 + tv(0.1)');
    expect(series.layerFolder).toMatch(/^features_3_-_0\.5_features_0_tv_0\.1_-[0-9a-f]{8}$/);
    expect(series.folders[0]).toBe('keras');
    const four = await seriesFor('diversity(features)');
    expect(four.expected(3).recipe).toMatchObject({ pictures: 4, picture: 3 });
    expect(four.expected(3).digest).not.toBe(four.expected(2).digest);
    expect((await seriesFor('diversity(features)', { pictures: 3 })).digest).not.toBe(four.digest);
    expect((await seriesFor('features:3 - 0.25*features:0 + tv(0.1)')).digest).not.toBe(series.digest);
    expect((await seriesFor('features:3 - 0.5*features:0 + tv(0.1)', { seed: 1 })).folders[0]).toMatch(
      /^keras-[0-9a-f]{6}$/,
    );
  });
  it('of classes is that of their layer, and its preset is its own', async () => {
    const facts = await factsOf(network);
    const { settled, layer } = await planOf(network, { preset: 'keras', class: 3 });
    const series = seriesOf(settled, facts, layer);
    expect([series.layerFolder, series.folders[0]]).toEqual(['probabilities', 'keras']);
    const { settled: unit } = await planOf(network, {
      preset: 'keras',
      layer: 'features',
      channels: [0],
      neuron: 'centre',
    });
    expect(seriesOf(unit, facts, 'features').folders[0]).toMatch(/^keras-/);
    expect(seriesOf(unit, facts, 'features').digest).not.toBe(
      seriesOf(settle({ preset: 'keras' }, network.input.size), facts, 'features').digest,
    );
  });
});
