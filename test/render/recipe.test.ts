/** @file Recipes: how options expand, what is refused, and what the digest tells apart. */
import { beforeEach, describe, expect, it } from 'vitest';
import { params } from '../../src/param/index.ts';
import { DEFAULT_PRESET, presets } from '../../src/render/presets.ts';
import {
  canonical,
  channelRecipe,
  digestOf,
  fitted,
  flatSettings,
  keyOf,
  presetOf,
  type Recipe,
  setDigestOf,
  type RecipeOptions,
  settle,
  sizeShown,
  unitSpec,
  type TargetFacts,
  recipeOf,
} from '../../src/render/recipe.ts';
import { thrown } from '../thrown.ts';

const facts: TargetFacts = {
  model: { name: 'model', digest: 'abc' },
  preprocess: { scale: [1, 1, 1], shift: [0, 0, 0], order: 'rgb' },
};
const recipe = channelRecipe(settle(), facts, 'conv', 7);

describe('settle', () => {
  it('expands the preset of the Keras example', () => {
    // The numbers of https://keras.io/examples/vision/visualizing_what_convnets_learn/.
    expect(settle({ preset: 'keras' })).toEqual({
      preset: 'keras',
      size: { height: 180, width: 180 },
      border: 2,
      steps: 30,
      seed: 0,
      param: { kind: 'pixel', noise: 0.125 },
      transforms: [],
      optimiser: { kind: 'normalised', rate: 10 },
      finish: { kind: 'contrast', crop: 25, contrast: 0.15, stretch: false },
    });
  });
  it('expands `natural` unless another is asked for', () => {
    expect(settle({ preset: 'natural' })).toEqual(settle({}));
    expect(settle()).toEqual(settle({}));
    expect(DEFAULT_PRESET).toBe('natural');
  });
  it('puts what is given in its place and keeps the rest', () => {
    const changed = settle({
      preset: 'keras',
      size: { height: 96, width: 128 },
      steps: 0,
      seed: -3,
      border: 0,
      param: { noise: 0 },
      transforms: [{ kind: 'roll', by: 4 }],
      optimiser: { rate: 2 },
      finish: { crop: 3, stretch: true },
    });
    expect(changed).toEqual({
      preset: 'keras',
      size: { height: 96, width: 128 },
      border: 0,
      steps: 0,
      seed: -3,
      param: { kind: 'pixel', noise: 0 },
      transforms: [{ kind: 'roll', by: 4 }],
      optimiser: { kind: 'normalised', rate: 2 },
      finish: { kind: 'contrast', crop: 3, contrast: 0.15, stretch: true },
    });
  });
  it('takes undefined as not given', () => {
    expect(
      settle({ size: undefined, steps: undefined, seed: undefined, optimiser: { rate: undefined } as object }),
    ).toEqual(settle());
  });
  it("gives another kind that kind's defaults", () => {
    expect(settle({ optimiser: { kind: 'adam' } }).optimiser).toEqual({
      kind: 'adam',
      rate: 0.05,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
    });
  });
  it('uses the size that the model fixes', () => {
    expect(settle({}, { height: 224, width: 200 }).size).toEqual({ height: 224, width: 200 });
    expect(settle({}, { width: 96 }).size).toEqual({ height: 180, width: 96 });
    expect(settle({ size: 64, finish: { crop: 0 } }, { height: 224 }).size).toEqual({ height: 64, width: 64 });
  });
  it('shows a network of a fixed size crops of that size, of a canvas that is as much larger', () => {
    const maco = (fixed?: { height?: number; width?: number }, options: RecipeOptions = {}) => {
      const settled = settle({ preset: 'maco', ...options }, fixed);
      return { size: settled.size, view: (settled.transforms[0] as { view: number }).view, seen: sizeShown(settled) };
    };
    const square = (length: number) => ({ height: length, width: length });
    expect(maco()).toEqual({ size: square(256), view: 180, seen: square(180) });
    expect(maco(square(224))).toEqual({ size: square(319), view: 224, seen: square(224) });
    expect(maco(square(32))).toEqual({ size: square(46), view: 32, seen: square(32) });
    // A canvas of one's own is kept, and so are transforms of one's own.
    expect(maco(square(224), { size: 256 })).toEqual({ size: square(256), view: 224, seen: square(224) });
    expect(maco(square(224), { transforms: [{ kind: 'crop', view: 96 }] }).view).toBe(96);
    // What is no square is as large as what is seen of it.
    expect(maco({ height: 96, width: 128 })).toMatchObject({ view: 0, seen: { height: 96, width: 128 } });
    expect(maco({ width: 128 })).toMatchObject({ view: 0, seen: { height: 256, width: 128 } });
  });
  it('says which iterate is kept only if it is not the last of all steps', () => {
    expect(settle({ preset: 'keras', keep: 'last', patience: 0 })).toEqual(settle({ preset: 'keras' }));
    expect(settle({ keep: 'best', patience: 5 })).toMatchObject({ keep: 'best', patience: 5 });
    expect(settle({ preset: 'best' }).keep).toBe('best');
    expect(settle({ preset: 'best', keep: 'last' })).not.toHaveProperty('keep');
  });
  it.each([
    [{ preset: 'kears' }, 'unknown-preset', 'preset `kears` is not known; did you mean `keras`?', 'preset'],
    [{ preset: 'toString' }, 'unknown-preset', 'preset `toString` is not known; there is keras', 'preset'],
    [{ size: 0 }, 'bad-option', 'size: a whole number from 1 to 65536 is needed, not 0', 'size'],
    [{ size: { height: 5, width: 1.5 } }, 'bad-option', 'size: a whole number from 1', 'size'],
    [{ size: 65537 }, 'bad-option', 'not 65537', 'size'],
    [{ steps: -1 }, 'bad-option', 'steps: a whole number from 0 to 1000000', 'steps'],
    [{ steps: 1e6 + 1 }, 'bad-option', 'steps: ', 'steps'],
    [{ seed: Number.NaN }, 'bad-option', 'seed: ', 'seed'],
    [{ seed: 0.5 }, 'bad-option', 'seed: ', 'seed'],
    [{ keep: 'first' }, 'bad-option', 'keep: one of last, best', 'keep'],
    [{ patience: -1 }, 'bad-option', 'patience: a whole number from 0', 'patience'],
    [{ border: -1 }, 'bad-option', 'border: ', 'border'],
    [{ param: { noise: -0.1 } }, 'bad-option', 'noise: a number from 0', 'noise'],
    [{ optimiser: { rate: 0 } }, 'bad-option', 'rate: a number above 0', 'rate'],
    [
      { optimiser: { kind: 'sgd' } },
      'bad-option',
      'optimiser `sgd` is not known; there are normalised, adam',
      'optimiser',
    ],
    [
      { preset: 'keras', optimiser: { beta1: 0.5 } },
      'bad-option',
      'optimiser `normalised`: there is no setting `beta1`',
      'beta1',
    ],
    [{ finish: { contrast: 99 } }, 'bad-option', 'contrast: a number above 0 to 1 is needed, not 99', 'contrast'],
    [{ finish: { contrast: 0 } }, 'bad-option', 'contrast: ', 'contrast'],
    [{ finish: { crop: 90 } }, 'bad-option', 'nothing of 180×180; choose a crop of at most 89', 'crop'],
    [{ size: 32, finish: { crop: 16 } }, 'bad-option', 'nothing of 32×32; choose a crop of at most 15', 'crop'],
    [{ transforms: [{ kind: 'roll', by: -1 }] }, 'bad-option', 'by: ', 'by'],
    [{ neuron: 'middle' }, 'bad-option', 'neuron: `centre`, or a row and a column, is needed, not "middle"', 'neuron'],
    [{ neuron: { row: -1, column: 0 } }, 'bad-option', 'neuron: a whole number from 0', 'neuron'],
    [{ neuron: { row: 0 } }, 'bad-option', 'neuron: a whole number from 0', 'neuron'],
    [{ pictures: 0 }, 'bad-option', 'pictures: a whole number from 1 to 64', 'pictures'],
    [{ iterations: 5 }, 'bad-option', 'options: there is no setting `iterations`', 'iterations'],
  ])('refuses %j', (options, code, message, option) => {
    const error = thrown(() => settle(options as object));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
    expect(error.details).toMatchObject({ option });
  });
  it('takes the largest crop that leaves something', () => {
    expect(settle({ finish: { crop: 89 } }).finish.crop).toBe(89);
    expect(settle({ size: { height: 51, width: 400 }, finish: { crop: 25 } }).finish.crop).toBe(25);
    expect(() => settle({ size: { height: 50, width: 400 }, finish: { crop: 25 } })).toThrow('crop');
  });
  it('crops small pictures by as much less as they are smaller', () => {
    const cropOf = (size: RecipeOptions['size']): number => settle({ size }).finish.crop;
    expect([512, 180, 128, 100].map(cropOf)).toEqual([25, 25, 25, 25]);
    // 25 of 180 pixels, rounded down.
    expect([99, 64, 32, 8, 1].map(cropOf)).toEqual([13, 8, 4, 1, 0]);
    expect(cropOf({ height: 32, width: 400 })).toBe(4);
    expect(settle({}, { height: 32, width: 32 }).finish.crop).toBe(4);
  });
});

describe('fitted', () => {
  const target = (...dims: number[]) => ({ dims, channels: { axis: 1 } });
  const borderOf = (options: RecipeOptions, ...dims: number[]): number =>
    fitted(settle({ preset: 'keras', ...options }), options, target(...dims)).border;
  it('narrows a border that nobody asked for until it leaves something', () => {
    expect(borderOf({}, 1, 8, 12, 12)).toBe(2);
    expect(borderOf({}, 1, 8, 5, 5)).toBe(2);
    expect(borderOf({}, 1, 8, 12, 4)).toBe(1);
    expect(borderOf({}, 1, 8, 3, 3)).toBe(1);
    expect(borderOf({}, 1, 8, 2, 9)).toBe(0);
    expect(borderOf({}, 1, 8, 1, 1)).toBe(0);
    expect(borderOf({}, 1, 1000)).toBe(2);
  });
  it('leaves one that was asked for', () => expect(borderOf({ border: 2 }, 1, 8, 3, 3)).toBe(2));
  it('reads the map beside the channels, wherever these are', () => {
    const nhwc = { dims: [1, 3, 3, 64], channels: { axis: 3 } };
    expect(fitted(settle({ preset: 'keras' }), {}, nhwc).border).toBe(1);
  });
});

describe('the digest', () => {
  it('is a SHA-256 in hex, equal for equal recipes whatever the order of their keys', () => {
    expect(digestOf(recipe)).toMatch(/^[0-9a-f]{64}$/);
    const turned = Object.fromEntries(Object.entries(recipe).reverse()) as unknown as Recipe;
    expect(digestOf(turned)).toBe(digestOf(recipe));
    expect(digestOf(JSON.parse(JSON.stringify(recipe)) as Recipe)).toBe(digestOf(recipe));
  });
  it("does not count the model's name", () => {
    expect(digestOf({ ...recipe, model: { ...recipe.model, name: 'other' } })).toBe(digestOf(recipe));
  });
  const changes: Record<string, Recipe> = {
    weights: { ...recipe, model: { ...recipe.model, digest: 'abd' } },
    seed: { ...recipe, seed: 1 },
    steps: { ...recipe, steps: 31 },
    'iterate that is kept': channelRecipe(settle({ keep: 'best' }), facts, 'conv', 7),
    patience: channelRecipe(settle({ patience: 3 }), facts, 'conv', 7),
    height: { ...recipe, size: { height: 181, width: 180 } },
    width: { ...recipe, size: { height: 180, width: 181 } },
    'scale of preprocessing': { ...recipe, preprocess: { ...recipe.preprocess, scale: [1, 1, 2] } },
    'shift of preprocessing': { ...recipe, preprocess: { ...recipe.preprocess, shift: [0, 0, 1] } },
    'order of preprocessing': { ...recipe, preprocess: { ...recipe.preprocess, order: 'bgr' } },
    layer: channelRecipe(settle(), facts, 'conv2', 7),
    channel: channelRecipe(settle(), facts, 'conv', 8),
    border: channelRecipe(settle({ border: 1 }), facts, 'conv', 7),
    noise: channelRecipe(settle({ param: { noise: 0.1 } }), facts, 'conv', 7),
    rate: channelRecipe(settle({ optimiser: { rate: 9 } }), facts, 'conv', 7),
    transforms: channelRecipe(settle({ transforms: [{ kind: 'roll', by: 1 }] }), facts, 'conv', 7),
    crop: channelRecipe(settle({ finish: { crop: 24 } }), facts, 'conv', 7),
    contrast: channelRecipe(settle({ finish: { contrast: 0.2 } }), facts, 'conv', 7),
    stretch: channelRecipe(settle({ finish: { stretch: true } }), facts, 'conv', 7),
  };
  it.each(Object.entries(changes))('changes with the %s', (_, other) => {
    expect(digestOf(other)).not.toBe(digestOf(recipe));
  });
  it('is all different for all of these', () => {
    expect(new Set(Object.values(changes).map(digestOf)).size).toBe(Object.keys(changes).length);
  });
  it('of a set leaves out the channel and nothing else', () => {
    for (const [what, other] of Object.entries(changes))
      if (what === 'channel') expect(setDigestOf(other)).toBe(setDigestOf(recipe));
      else expect(setDigestOf(other), what).not.toBe(setDigestOf(recipe));
  });
});

describe('the recipe of several pictures', () => {
  const of = (pictures: number | undefined, picture?: number) =>
    recipeOf({ ...settle(), pictures }, facts, {
      objective: recipe.objective,
      ...(picture === undefined ? {} : { picture }),
    });
  it('says how many there are, and which it is', () => {
    expect(of(4, 2)).toMatchObject({ pictures: 4, picture: 2 });
    expect(of(4)).toMatchObject({ pictures: 4, picture: 0 });
  });
  it.each([undefined, 1])('says nothing of it if there is one: %s', (pictures) => {
    expect(Object.keys(of(pictures))).not.toContain('pictures');
    expect(Object.keys(of(pictures))).not.toContain('picture');
  });
});

describe('canonical', () => {
  it('orders keys at every depth, and drops what is undefined', () => {
    expect(canonical({ b: [1, { d: 'x', c: null }], a: true, z: undefined })).toBe(
      '{"a":true,"b":[1,{"c":null,"d":"x"}]}',
    );
  });
  it('makes one zero of two, and refuses what JSON cannot hold', () => {
    expect(canonical(-0)).toBe('0');
    expect(() => canonical({ a: Number.NaN })).toThrow('internal: NaN in a recipe');
  });
});

describe('keyOf', () => {
  it('is seed, layer and channel', () => expect(keyOf(recipe)).toBe('0/conv/7'));
  it('is seed and objective for anything else', () => {
    const objective = { kind: 'sum', terms: [{ weight: -1, objective: unitSpec(settle(), 'conv', 7) }] } as const;
    expect(keyOf({ seed: 4, objective })).toMatch(/^4\/\{"kind":"sum",/);
  });
});

describe('flatSettings', () => {
  // Not while the file is loaded: then no test would be known to call it.
  let flat: ReturnType<typeof flatSettings>;
  beforeEach(() => (flat = flatSettings()));
  it('holds every setting of every noun once', () => {
    expect(flat.map((s) => s.name)).toEqual([
      'steps',
      'seed',
      'border',
      'keep',
      'patience',
      'redirect',
      'pooling',
      'param',
      ...new Set(Object.values(params.kinds).flatMap(({ settings }) => Object.keys(settings))),
      'optimiser',
      'rate',
      'beta1',
      'beta2',
      'epsilon',
      'weightDecay',
      'clip',
      'momentum',
      'exponent',
      'mixing',
      'limit',
      'anneal',
      'finish',
      'crop',
      'contrast',
      'stretch',
    ]);
    const paths = Object.fromEntries(flat.map(({ name, path }) => [name, path]));
    expect(paths).toMatchObject({
      steps: ['steps'],
      border: ['border'],
      noise: ['param', 'noise'],
      optimiser: ['optimiser', 'kind'],
      rate: ['optimiser', 'rate'],
      crop: ['finish', 'crop'],
    });
  });
  it('has the defaults of the default preset', () => {
    const defaults = Object.fromEntries(flat.map((s) => [s.name, s.setting.default]));
    const { steps, border, optimiser, param, finish } = presets[DEFAULT_PRESET];
    expect(defaults).toMatchObject({
      optimiser: optimiser.kind,
      beta1: 0.9,
      stretch: false,
      keep: 'last',
      patience: 0,
    });
    expect(defaults).toMatchObject({ steps, seed: 0, border, noise: (param as { noise: number }).noise });
    expect(defaults).toMatchObject({ rate: optimiser.rate, crop: finish.crop });
  });
  it('says which kind a setting belongs to, if not to all', () => {
    const helps = Object.fromEntries(flat.map((s) => [s.name, s.setting.help]));
    expect(helps['beta1']).toMatch(/ \(of adam, adamw, nadam\)$/);
    expect(helps['rate']).not.toContain('(of');
    expect(helps['optimiser']).toMatch(/^normalised \([a-z].*\), adam \([a-z].*\)$/);
    expect(flat.map(({ name }) => name)).not.toContain('layer');
    const optimiser = flat.find(({ name }) => name === 'optimiser')!.setting;
    expect(['adam', 'normalised', 'lion'].map(optimiser.accept)).toEqual(['adam', 'normalised', undefined]);
  });
  it('has a help for each', () => {
    for (const { name, setting } of flat) expect(setting.help.length, name).toBeGreaterThan(8);
  });
});

describe('presets', () => {
  it('are complete and pass their own checks', () => {
    for (const name of Object.keys(presets) as (keyof typeof presets)[]) {
      expect(settle({ preset: name }).preset).toBe(name);
      expect(presetOf(name)).toBe(presets[name]);
    }
  });
});
