/** @file The studio: what a page asks for is what the command line would render; what is not wanted any more stops. */
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { PhospheneError } from '../../src/errors.ts';
import { openNetwork } from '../../src/import/formats.ts';
import { bytesSource } from '../../src/import/source.ts';
import { renderChannels } from '../../src/jobs/render.ts';
import { createPool } from '../../src/jobs/pool.ts';
import { optionsOf } from '../../src/live/catalogue.ts';
import type { FromStudio, News, ToStudio, Wish } from '../../src/live/protocol.ts';
import { serveStudio } from '../../src/live/serve.ts';
import { createStudio, spread, type Store } from '../../src/live/studio.ts';
import { decodePng } from '../../src/output/png.ts';
import { presets } from '../../src/render/presets.ts';
import { settle } from '../../src/render/recipe.ts';
import { decodePicture } from '../../src/render/record.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { inlineHost } from '../jobs/hosts.ts';

const bytes = readFileSync(new URL('../../models/resnet50v2-mini.onnx', import.meta.url));
const name = 'mini.onnx';
const pool = createPool(inlineHost(nodeRuntime));
afterAll(() => pool.close());

let opened = 0;
const options = {
  models: [name],
  open: (model: string) => {
    opened++;
    return openNetwork(bytesSource(model, bytes));
  },
  pool,
  lowering: 'cpu' as const,
  engine: 'a test',
  memory: () => 2 ** 40,
};
const wish: Wish = {
  model: { name },
  layer: 'conv2_block1_out',
  channel: 5,
  size: 48,
  preset: 'keras',
  settings: { steps: '3', crop: '4', seed: '9' },
};

async function all(news: AsyncIterable<News>): Promise<News[]> {
  const list: News[] = [];
  for await (const n of news) list.push(n);
  return list;
}

describe('a studio', () => {
  it('makes the picture that is rendered with the same settings, with its making inside the PNG', async () => {
    const studio = createStudio(options);
    const last = (await all(studio.watch({ ...wish, png: true }))).at(-1)!;
    if (last.type !== 'picture') throw new Error('no picture');
    const network = await options.open(name);
    const settled = settle({ preset: 'keras', size: 48, steps: 3, seed: 9, finish: { crop: 4 } });
    const wanted = { layer: wish.layer, channels: [5], settled };
    for await (const event of renderChannels(network, wanted, { pool, lowering: 'cpu' }))
      if (event.type === 'picture') {
        expect(last.picture.raster.data).toEqual(event.picture.raster.data);
        expect(last.picture.recipe).toEqual(event.picture.recipe);
        expect(last.picture.losses).toEqual(event.picture.losses);
      }
    expect(last.picture.raster.width).toBe(40);
    const { raster, text } = decodePng(last.picture.png!);
    expect(raster.data).toEqual(last.picture.raster.data);
    expect(JSON.parse(text['phosphene']!)).toMatchObject({ recipe: { seed: 9, steps: 3 }, preset: 'keras' });
  });

  it('shows the way if it is asked for, and no more of it than that', async () => {
    const studio = createStudio(options);
    const news = await all(studio.watch({ ...wish, settings: { ...wish.settings, steps: '8' }, frames: 4 }));
    const frames = news.flatMap((n) => (n.type === 'frame' ? [n.step] : []));
    expect(frames).toEqual(spread(4, 8));
    expect(news.some((n) => n.type === 'step' && n.steps === 8)).toBe(true);
    expect((await all(studio.watch(wish))).filter((n) => n.type === 'frame')).toEqual([]);
  });

  it('opens a network once, and again only if it failed', async () => {
    opened = 0;
    const studio = createStudio(options);
    await studio.facts({ name });
    await all(studio.watch(wish));
    expect(opened).toBe(1);
    let tries = 0;
    const failing = createStudio({
      ...options,
      open: async () => {
        tries++;
        throw new PhospheneError('bad-file', 'no');
      },
    });
    await expect(failing.facts({ name })).rejects.toThrow('no');
    await expect(failing.facts({ name })).rejects.toThrow('no');
    expect(tries).toBe(2);
  });

  it('tells of a network all that a page lists', async () => {
    const facts = await createStudio(options).facts({ name });
    expect(facts.layers.find((l) => l.name === 'conv3_block4_out')).toMatchObject({ channels: 512, type: 'Add' });
    expect(facts.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(facts.size).toEqual({ height: 180, width: 180 });
    expect(structuredClone(facts)).toEqual(facts);
  });

  it('keeps finished pictures, and knows them again', async () => {
    const files = new Map<string, Uint8Array>();
    const store: Store = {
      get: async (expected) => {
        const file = files.get(expected.digest);
        return file && decodePicture(file, expected);
      },
      put: async (digest, png) => void files.set(digest, png),
    };
    const studio = createStudio({ ...options, store });
    const made = (await all(studio.watch(wish))).at(-1)!;
    const kept = await all(studio.watch({ ...wish, png: true }));
    if (made.type !== 'picture' || kept[0]?.type !== 'picture') throw new Error('no picture');
    expect([made.picture.kept, kept[0].picture.kept, kept.length]).toEqual([false, true, 1]);
    expect(kept[0].picture.raster.data).toEqual(made.picture.raster.data);
    expect(decodePng(kept[0].picture.png!).raster.data).toEqual(made.picture.raster.data);
    const anew = await all(studio.watch({ ...wish, frames: 2, kept: false }));
    expect(anew.filter((n) => n.type === 'frame')).toHaveLength(2);
    expect(anew.flatMap((n) => (n.type === 'picture' ? [n.picture.kept] : []))).toEqual([true, false]);
    expect((await all(studio.watch({ ...wish, frames: 2 }))).map((n) => n.type)).toEqual(['picture']);
    const other = (await all(studio.watch({ ...wish, channel: 6 }))).at(-1)!;
    expect(other.type === 'picture' && other.picture.kept).toBe(false);
  });

  it('raises any objective, and shows that of its pictures that is asked for', async () => {
    const studio = createStudio(options);
    const last = async (change: Partial<Wish>): Promise<Extract<News, { type: 'picture' }>['picture']> => {
      const news = (await all(studio.watch({ ...wish, ...change }))).at(-1)!;
      if (news.type !== 'picture') throw new Error('no picture');
      return news.picture;
    };
    const negative = await last({
      objective: '-conv2_block1_out:5',
      settings: { ...wish.settings, rate: '0.2' },
    });
    expect(negative.losses.at(-1)).toBeGreaterThan(negative.losses[0]!);
    expect(negative.losses[0]).toBeLessThan(0);
    const objective = 'conv2_block1_out:5 + diversity(conv2_block1_out)';
    const [first, third] = [await last({ objective }), await last({ objective, picture: 2, png: true })];
    expect(third.raster.data).not.toEqual(first.raster.data);
    expect(third.recipe).toMatchObject({ pictures: 4, picture: 2 });
    expect(JSON.parse(decodePng(third.png!).text['phosphene']!)).toMatchObject({ recipe: { picture: 2 } });
    await expect(last({ objective, picture: 4 })).rejects.toThrow(/picture/);
    await expect(last({ objective: 'conv2_block1_out:5 +' })).rejects.toThrow(/objective/);
  });

  it.each<[string, Partial<Wish>, string, RegExp]>([
    ['a layer that is not there', { layer: 'conv3_block4' }, 'unknown-layer', /did you mean/],
    ['a channel that is not there', { channel: 1e9 }, 'bad-option', /channel/],
    ['a channel that is none', { channel: '5' as unknown as number }, 'bad-option', /channel/],
    ['a preset that is not there', { preset: 'kears' }, 'unknown-preset', /did you mean `keras`/],
    ['a setting that is not there', { settings: { step: '3' } }, 'bad-option', /did you mean `steps`/],
    ['a value that a setting does not take', { settings: { steps: 'many' } }, 'bad-option', /steps.*many/],
    ['more steps than a page may ask for', { settings: { steps: '8193' } }, 'bad-option', /8192/],
    ['a larger picture than a page may ask for', { size: 2049 }, 'bad-option', /2048/],
    ['more frames than a page may ask for', { frames: 129 }, 'bad-option', /128/],
    ['an endless name', { layer: 'x'.repeat(5000) }, 'bad-option', /layer/],
    ['a preprocessing that is no JSON', { model: { name, preprocess: '{' } }, 'bad-option', /JSON/],
  ])('refuses %s', async (_, change, code, message) => {
    const studio = createStudio(options);
    const refused = await all(studio.watch({ ...wish, ...change })).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(PhospheneError);
    expect(refused).toMatchObject({ code, message: expect.stringMatching(message) as string });
  });

  it('refuses what would not fit into the memory that there is', async () => {
    const studio = createStudio({ ...options, memory: () => 1e6 });
    await expect(all(studio.watch(wish))).rejects.toMatchObject({ code: 'too-large' });
  });
});

describe('its catalogue', () => {
  it('has every preset with the values of its settings, the one that is soonest there in front', () => {
    const { presets: listed, settings, models } = createStudio(options).catalogue();
    expect(listed.map((p) => p.name).sort()).toEqual(Object.keys(presets).sort());
    expect(listed[0]!.name).toBe('fast');
    expect(models).toEqual([name]);
    for (const { name: preset, values } of listed) {
      // What the page shows as its values is what the preset is.
      expect(settle({ ...optionsOf(values), preset: preset as 'keras' })).toEqual(
        settle({ preset: preset as 'keras' }),
      );
      for (const setting of Object.keys(values)) expect(settings.map((s) => s.name)).toContain(setting);
    }
  });
});

describe('the line to a page', () => {
  function line() {
    const said: FromStudio[] = [];
    let wake = (): void => {};
    const { ask, stop } = serveStudio({ post: (m) => (said.push(m), wake()) }, createStudio(options));
    const until = async (done: () => boolean): Promise<void> => {
      while (!done()) await new Promise<void>((resolve) => (wake = resolve));
    };
    return { said, ask, stop, until };
  }

  it('answers each question under its number, errors too', async () => {
    const { said, ask, until } = line();
    ask({ type: 'catalogue', id: 1 });
    ask({ type: 'watch', id: 2, wish: { ...wish, layer: 'nowhere' } });
    ask({ type: 'open', id: 3, model: { name } });
    await until(() => said.length === 3);
    expect(Object.fromEntries(said.map((m) => [m.id, m.type]))).toEqual({ 1: 'catalogue', 2: 'failed', 3: 'facts' });
  });

  it('says nothing of what was left, and stops its work', async () => {
    const { said, ask, until } = line();
    const long = { ...wish, settings: { ...wish.settings, steps: '5000' } };
    ask({ type: 'watch', id: 1, wish: long });
    await until(() => said.some((m) => m.id === 1));
    ask({ type: 'leave', id: 1 });
    const before = said.filter((m) => m.id === 1).length;
    // The one worker of the pool is free for the next, which it would not be if it went on.
    ask({ type: 'watch', id: 2, wish });
    await until(() => said.some((m) => m.id === 2 && m.type === 'news' && m.news.type === 'picture'));
    expect(said.filter((m) => m.id === 1).length).toBe(before);
  });

  it('is not impressed by what is no question', async () => {
    const { said, ask, until } = line();
    for (const odd of [{}, { type: 'watch' }, { type: 'watch', id: 'x' }, { type: 'watch', id: 1.5 }])
      ask(odd as unknown as ToStudio);
    ask({ type: 'watch', id: 4 } as unknown as ToStudio);
    ask({ type: 'watch', id: 5, wish: { ...wish, settings: null } } as unknown as ToStudio);
    await until(() => said.length === 2);
    expect(said.map((m) => [m.id, m.type])).toEqual([
      [4, 'failed'],
      [5, 'failed'],
    ]);
  });

  it('has a limit on what one page may wait for', async () => {
    const { said, ask, stop } = line();
    for (let id = 0; id < 1025; id++) ask({ type: 'watch', id, wish });
    expect(said).toMatchObject([{ type: 'failed', id: 1024, error: { code: 'too-large' } }]);
    stop();
  });
});

describe('the steps that are shown', () => {
  it.each([
    [0, 30, []],
    [3, 0, []],
    [9, 4, [1, 2, 3]],
    [4, 4, [1, 2, 3]],
  ])('%i of %i', (count, steps, expected) => expect(spread(count, steps)).toEqual(expected));

  it('rise, and end before the last', () => {
    const steps = spread(12, 512);
    expect(steps).toHaveLength(12);
    expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
    expect(steps.at(-1)).toBeLessThan(512);
  });
});
