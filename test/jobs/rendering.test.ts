/** @file What rendering asks of a pool, what it tells while it goes on, and how it ends early: on a network of two layers. */
import { afterAll, describe, expect, it } from 'vitest';
import type { Network } from '../../src/import/network.ts';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { float32, type Tensor } from '../../src/ir/tensor.ts';
import { animateAscent, animateMorph } from '../../src/jobs/animate.ts';
import { type DreamEvent, dreamPhoto, type DreamWanted } from '../../src/jobs/dream.ts';
import { type Plan, planOf, type RenderOptions } from '../../src/jobs/plan.ts';
import { createPool, type Pool, type SubmitOptions } from '../../src/jobs/pool.ts';
import {
  checkChannel,
  type Engine,
  factsOf,
  programOf,
  raisedIn,
  renderChannels,
  renderObjective,
  targetOf,
} from '../../src/jobs/render.ts';
import { finishes } from '../../src/output/finish.ts';
import { raster } from '../../src/output/raster.ts';
import { Random } from '../../src/random.ts';
import { dreamSettings } from '../../src/render/dream.ts';
import { raisedUnit } from '../../src/render/raised.ts';
import { settle } from '../../src/render/recipe.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { normalised } from '../../src/settings.ts';
import type { Job, StepData } from '../../src/step/step.ts';
import { noise } from '../check.ts';
import { openBytes } from '../import/open.ts';
import { barredFile } from '../render/barred.ts';
import { rejected } from '../thrown.ts';
import { inlineHost } from './hosts.ts';

const workers = createPool(inlineHost(nodeRuntime, 2));
afterAll(() => workers.close());

function small(scale = 1): Promise<Network> {
  const b = new Builder();
  const x = b.input('data', 'float32', [1, 3, 16, 16]);
  const first = b.relu(b.conv(x, b.mul(noise(b, [4, 3, 3, 3]), b.float(scale))), 'first');
  const second = b.conv(first, noise(b, [5, 4, 3, 3]), undefined, {}, 'second');
  return openBytes(encodeOnnx(b.graph([second]), { 'phosphene.preprocess': 'tf' }));
}
const network = await small();
const options: RenderOptions = {
  preset: 'keras',
  size: 16,
  steps: 3,
  optimiser: { rate: 1 },
  finish: { crop: 0 },
  layer: 'second',
};
const settled = settle({ preset: 'keras', size: 16, steps: 3, optimiser: { rate: 1 }, finish: { crop: 0 } });

interface Submitted {
  readonly program: StepData;
  readonly job: Job;
  readonly options: SubmitOptions | undefined;
}

/** An engine that keeps what its pool is asked. `before` sees each job as it is submitted. */
function watched(more: Partial<Engine> = {}, before: (n: number) => void = () => {}) {
  const submitted: Submitted[] = [];
  const started: (number | undefined)[] = [];
  const pool: Pool = {
    ...workers,
    start: (count) => void started.push(count),
    submit(program, job, submitting) {
      if (program instanceof Promise) throw new Error('a program');
      submitted.push({ program, job, options: submitting });
      before(submitted.length);
      return workers.submit(program, job, submitting);
    },
  };
  return { engine: { pool, lowering: 'cpu', ...more } satisfies Engine, submitted, started };
}
async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const events: T[] = [];
  for await (const event of stream) events.push(event);
  return events;
}
const ofType = <T extends { readonly type: string }, K extends T['type']>(
  events: readonly T[],
  type: K,
): Extract<T, { readonly type: K }>[] => events.filter((e): e is Extract<T, { readonly type: K }> => e.type === type);
const photo = (key = 'photo', dims: readonly number[] = [1, 3, 16, 16]): Tensor<'float32'> =>
  float32(
    new Random(key).uniform(
      dims.reduce((a, b) => a * b),
      -1,
      1,
    ),
    dims,
  );

describe('channels', () => {
  it('are a job each, of one program, with the priority, the signal and the snapshots that were asked for', async () => {
    const { signal } = new AbortController();
    const { engine, submitted, started } = watched({ signal, priority: 7 });
    const events = await all(
      renderChannels(network, { layer: 'second', channels: [4, 0, 2], settled, snapshots: [1, 2] }, engine),
    );
    expect(started).toEqual([undefined]);
    expect(submitted.map(({ job }) => job.key)).toEqual(['0/second/4', '0/second/0', '0/second/2']);
    expect(new Set(submitted.map(({ program }) => program)).size).toBe(1);
    for (const { job, options: o } of submitted) {
      expect(job.steps).toBe(3);
      expect(job).not.toHaveProperty('start');
      expect(Object.keys(job.values)).toEqual(['channel', 'rate']);
      expect(o).toEqual({ signal, priority: 7, snapshots: [1, 2] });
    }
    expect(ofType(events, 'ready')).toEqual([{ type: 'ready', workers: 2 }]);
    expect(events[0]!.type).toBe('ready');
    const pictures = ofType(events, 'picture').map((e) => e.picture);
    expect(new Set(pictures.map((p) => p.channel))).toEqual(new Set([0, 2, 4]));
    const shots = ofType(events, 'snapshot');
    expect(shots.filter((s) => s.channel === 2).map((s) => s.step)).toEqual([1, 2]);
    expect(shots).toHaveLength(6);
    for (const { recipe, image, raster: shown, layer, losses, diagnosis } of pictures) {
      expect(layer).toBe('second');
      expect(recipe.steps).toBe(3);
      expect(losses).toHaveLength(3);
      expect(diagnosis.before).toBe(losses[0]);
      expect(shown).toEqual(finishes.make(settled.finish)(image.data, settled.size));
    }
    const steps = ofType(events, 'steps');
    expect(steps.find((s) => s.channel === 4)).toMatchObject({ done: 1, loss: expect.any(Number) as number });
  });
  it('have snapshots that are the pictures of fewer steps', async () => {
    const { engine } = watched();
    const one = { layer: 'second', channels: [1] };
    const events = await all(renderChannels(network, { ...one, settled, snapshots: [2] }, engine));
    const fewer = await all(renderChannels(network, { ...one, settled: { ...settled, steps: 2 } }, engine));
    expect(ofType(events, 'snapshot')[0]!.raster).toEqual(ofType(fewer, 'picture')[0]!.picture.raster);
  });
  it('have no priority unless one is given', async () => {
    const { engine, submitted } = watched();
    await all(renderChannels(network, { layer: 'second', channels: [1], settled }, engine));
    expect(submitted[0]!.options).toEqual({ signal: undefined, priority: 0, snapshots: undefined });
  });
  it('are taken one by one, one more than there are workers', async () => {
    const taken: number[] = [];
    const { engine } = watched();
    async function* channels(): AsyncGenerator<number, void> {
      for (const channel of [0, 1, 2, 3, 4]) {
        taken.push(channel);
        yield channel;
      }
    }
    const stream = renderChannels(network, { layer: 'second', channels: channels(), settled }, engine);
    await stream.next();
    expect(taken).toEqual([0, 1, 2]);
    await stream.return();
  });
  it('begin with a photo if there is one', async () => {
    const { engine, submitted } = watched();
    const start = photo();
    const wanted = { layer: 'second', channels: [1], settled: { ...settled, steps: 0 }, start };
    const [picture] = ofType(await all(renderChannels(network, wanted, engine)), 'picture');
    expect(submitted[0]!.job.start).toEqual({ z: start });
    expect(picture!.picture.image.data).toEqual(start.data);
  });
  it.each([5, -1, 1.5])('are none if there is no channel %s', async (channel) => {
    const { engine } = watched();
    const error = await rejected(
      all(renderChannels(network, { layer: 'second', channels: [channel], settled }, engine)),
    );
    expect(error).toMatchObject({ code: 'bad-option' });
    expect(error.message).toContain(`filter ${channel} is out of range: \`second\` has 5 channels (0-4)`);
    const target = await targetOf(network, 'second', settled);
    expect(() => checkChannel(target, 0)).not.toThrow();
    expect(() => checkChannel(target, 4)).not.toThrow();
  });
  it('end with `aborted` before the first job, or after the step under way', async () => {
    const before = watched({ signal: AbortSignal.abort('enough') });
    const wanted = { layer: 'second', channels: [0, 1, 2], settled };
    expect(await rejected(all(renderChannels(network, wanted, before.engine)))).toMatchObject({
      code: 'aborted',
      cause: 'enough',
    });
    expect(before.submitted).toEqual([]);
    const stop = new AbortController();
    const { engine, submitted } = watched({ signal: stop.signal }, (n) => n === 2 && stop.abort('now'));
    expect(await rejected(all(renderChannels(network, wanted, engine)))).toMatchObject({ code: 'aborted' });
    expect(submitted.length).toBeLessThan(4);
  });
});

describe('a plan says which options are at fault', () => {
  it.each<[RenderOptions, string[]]>([
    [{ channels: [1], objective: 'second:1' }, ['channels', 'objective']],
    [{ layer: 'second', objective: 'second:1 + tv()' }, ['layer', 'objective']],
    [{ layer: 'second', channels: [1], pictures: 2 }, ['pictures', 'objective']],
    [{ objective: 'second:1 + tv()', neuron: 'centre' }, ['neuron', 'objective']],
  ])('%j', async (asked, option) => {
    const { layer: _, ...rest } = options;
    expect(await rejected(planOf(network, { ...rest, ...asked }))).toMatchObject({
      code: 'bad-option',
      details: { option },
    });
  });
});

describe('an objective', () => {
  const pair = 'second:1 + diversity(second)';
  const planned = (more: RenderOptions = {}): Promise<Plan> =>
    planOf(network, { ...options, layer: undefined, objective: pair, pictures: 2, ...more });
  it('is one job, and tells of each of its pictures', async () => {
    const { engine, submitted, started } = watched({ priority: 3 });
    const events = await all((await planned()).render(engine, undefined, [1]));
    expect(started).toEqual([undefined]);
    expect(submitted).toHaveLength(1);
    expect(submitted[0]!.options).toEqual({ signal: undefined, priority: 3, snapshots: [1] });
    expect(submitted[0]!.program.states[0]!.dims).toEqual([2, 3, 16, 16]);
    expect(events[0]).toEqual({ type: 'ready', workers: 2 });
    const shots = ofType(events, 'snapshot');
    expect(shots.map((s) => [s.channel, s.step])).toEqual([
      [0, 1],
      [1, 1],
    ]);
    expect(shots[0]!.raster.data).not.toEqual(shots[1]!.raster.data);
    const pictures = ofType(events, 'picture').map((e) => e.picture);
    expect(pictures.map((p) => [p.channel, p.layer, p.image.dims])).toEqual([
      [0, pair, [1, 3, 16, 16]],
      [1, pair, [1, 3, 16, 16]],
    ]);
    for (const { image, raster: shown } of pictures)
      expect(shown).toEqual(finishes.make(settled.finish)(image.data, settled.size));
    expect(pictures[0]!.image.data).not.toEqual(pictures[1]!.image.data);
    expect(ofType(events, 'steps')[0]).toMatchObject({ channel: 0, done: 1 });
  });
  it('begins with the photo in each of its pictures', async () => {
    const { engine, submitted } = watched();
    const bytes = Uint8Array.from(new Random('bytes').uniform(3 * 256, 0, 256));
    const plan = await planned({ start: raster(16, 16, bytes), steps: 0 });
    const pictures = ofType(await all(plan.render(engine)), 'picture').map((e) => e.picture);
    const { z } = submitted[0]!.job.start as { z: Tensor<'float32'> };
    expect(z.dims).toEqual([2, 3, 16, 16]);
    expect(z.data.subarray(0, 768)).toEqual(z.data.subarray(768));
    for (const { image } of pictures) expect(image.data).toEqual(z.data.slice(0, 768));
  });
  it('is not begun if nobody wants a picture, or if it was stopped', async () => {
    const { engine, submitted } = watched();
    expect(await all((await planned()).render(engine, []))).toEqual([]);
    const stopped = watched({ signal: AbortSignal.abort('no') });
    expect(await rejected(all((await planned()).render(stopped.engine)))).toMatchObject({
      code: 'aborted',
      cause: 'no',
    });
    expect([submitted, stopped.submitted]).toEqual([[], []]);
  });
  it('looks at each photo and layer once, and refuses one of another size', async () => {
    const text = 'near(first, p) + caricature(first, p) + near(second, p)';
    const { engine, submitted } = watched({ priority: 2 });
    const raised = await raisedIn(network, text, settled, { photos: { p: photo() } });
    await all(renderObjective(network, { raised, settled }, engine));
    // Two layers of one photo, then the ascent.
    expect(submitted.map(({ job }) => job.steps)).toEqual([0, 0, 3]);
    expect(new Set(submitted.map(({ program }) => program.id)).size).toBe(3);
    const other = await raisedIn(network, text, settled, { photos: { p: photo('p', [1, 3, 16, 15]) } });
    const error = await rejected(all(renderObjective(network, { raised: other, settled }, engine)));
    expect(error).toMatchObject({
      code: 'shape',
      details: { option: 'photos', dims: [1, 3, 16, 15], wanted: [1, 3, 16, 16] },
    });
    expect(error.message).toContain('photos: a photo is [1, 3, 16, 15], and [1, 3, 16, 16] is needed');
  });
  it('names layers that are not there, and says what bars the way to others', async () => {
    expect(await rejected(raisedIn(network, 'secnd:1', settled))).toMatchObject({
      code: 'unknown-layer',
      message: expect.stringContaining('did you mean `second`') as string,
    });
    const barred = await openBytes(barredFile());
    expect((await rejected(targetOf(barred, 'lasst', settled))).message).toContain('did you mean `last`');
    // One that cannot be listed at this size is not called unknown.
    const b = new Builder();
    const first = b.relu(b.input('x', 'float32', [1, 3, 8, 8]), 'first');
    const pooled = b.one('MaxPool', [first], { kernel_shape: [3, 3] }, 'pooled');
    const window = await openBytes(encodeOnnx(b.graph([pooled])));
    expect(await rejected(targetOf(window, 'pooled', { size: { height: 2, width: 2 } }))).toMatchObject({
      code: 'shape',
      message: expect.stringContaining('a window of 3 does not fit an axis of 2') as string,
    });
    const engine = watched().engine;
    const plan = await planOf(barred, { ...options, layer: 'last', channels: [0] });
    const error = await rejected(all(plan.render(engine)));
    expect(error).toMatchObject({ code: 'unsupported-op', details: { reachable: ['first', 'first_relu'] } });
    expect(error.message).toContain('; layers up to `first_relu` can still be rendered');
  });
});

describe('programs', () => {
  const programFor = async (of: Network, layer: string, size = 16, lowering: 'cpu' | 'wasm' = 'cpu') => {
    const own = { ...settled, size: { height: size, width: size } };
    return programOf(of, raisedUnit(own, await targetOf(of, layer, own), 0), own, lowering);
  };
  it('are kept: the last four of a network, those used longest ago go first', async () => {
    const of = await small();
    const first = await programFor(of, 'first');
    expect(await programFor(of, 'first')).toBe(first);
    const second = await programFor(of, 'second');
    expect(second.id).not.toBe(first.id);
    await programFor(of, 'first', 16, 'wasm');
    await programFor(of, 'second', 16, 'wasm');
    // Used again, so that `second` is the eldest now.
    expect(await programFor(of, 'first')).toBe(first);
    const own = { ...settled, gradient: { redirect: 2, pooling: 'max' } } as const;
    await programOf(of, raisedUnit(own, await targetOf(of, 'first', own), 0), own, 'cpu');
    expect(await programFor(of, 'first')).toBe(first);
    const again = await programFor(of, 'second');
    expect(again).not.toBe(second);
    expect(again.id).toBe(second.id);
  });
  it('have one name for all channels, and another for all else that they are made of', async () => {
    const target = await targetOf(network, 'second', settled);
    const of = async (more: object, channel = 0, by = network): Promise<string> => {
      const own = { ...settled, ...more };
      return (await programOf(by, raisedUnit(own, target, channel), own, 'cpu')).id;
    };
    const id = await of({});
    expect(await of({}, 3)).toBe(id);
    expect(await of({ seed: 4, steps: 9 })).toBe(id);
    const others = await Promise.all([
      of({ border: 0 }),
      of({ unit: { kind: 'neuron' } }),
      of({ param: settle({ param: { kind: 'fourier' } }).param }),
      of({ transforms: settle({ transforms: [{ kind: 'roll' }] }).transforms }),
      of({ optimiser: settle({ optimiser: { kind: 'adam' } }).optimiser }),
      of({ gradient: { redirect: 2, pooling: 'max' } }),
      of({}, 0, await small(2)),
    ]);
    expect(new Set([id, ...others]).size).toBe(8);
  });
  it('that fail are tried anew', async () => {
    const of = await small();
    let cuts = 0;
    const failing: Network = {
      ...of,
      cut: (...args) => (cuts++ === 0 ? Promise.reject(new Error('once')) : of.cut(...args)),
    };
    await expect(programFor(failing, 'second')).rejects.toThrow('once');
    expect((await programFor(failing, 'second')).states).toHaveLength(1);
  });
  it('know of a network its name, its digest, its preprocessing and its size', async () => {
    expect(await factsOf(network)).toEqual({
      model: { name: 'net.onnx', digest: await network.digest() },
      preprocess: network.input.preprocess,
      fixed: { height: 16, width: 16 },
    });
  });
});

describe('animations', () => {
  it('show a grid after each of the steps', async () => {
    const { engine } = watched();
    const plan = await planOf(network, { ...options, channels: [0, 3] });
    const shown = { steps: [1, 3], columns: 2, margin: 1, captions: false };
    const events = await all(animateAscent(plan, engine, shown));
    const last = events.at(-1)!;
    expect(last.type === 'frames' && last.frames.map((f) => [f.width, f.height])).toEqual([
      [33, 16],
      [33, 16],
    ]);
    expect(await rejected(all(animateAscent(plan, engine, { ...shown, steps: [] })))).toMatchObject({
      code: 'bad-option',
      details: { option: 'steps' },
    });
  });
  it('turn channels into one another from one noise, in as many jobs as there are pictures', async () => {
    const { engine, submitted, started } = watched({ priority: 5 });
    const plan = await planOf(network, { ...options, channels: [0, 3] });
    const events = await all(animateMorph(network, plan, engine, { between: 2 }));
    expect(started).toEqual([undefined]);
    expect(submitted).toHaveLength(4);
    expect(new Set(submitted.map(({ job }) => job.key))).toEqual(new Set(['0/second/morph']));
    for (const { options: o } of submitted) expect(o).toEqual({ signal: undefined, priority: 5 });
    expect(events.filter((e) => e.type === 'ready')).toEqual([{ type: 'ready', workers: 2 }]);
    const steps = events.flatMap((e) => (e.type === 'steps' ? [[e.channel, e.done, Number.isFinite(e.loss)]] : []));
    expect(steps).toEqual([1, 2, 3, 4].map((done) => [0, done, true]));
    const last = events.at(-1)!;
    expect(last.type === 'frames' && last.frames.length).toBe(4);
    const stopped = watched({ signal: AbortSignal.abort('no') });
    expect(await rejected(all(animateMorph(network, plan, stopped.engine, { between: 2 })))).toMatchObject({
      code: 'aborted',
      cause: 'no',
    });
    const alone = await planOf(network, { ...options, channels: [0] });
    expect(await rejected(all(animateMorph(network, alone, engine, { between: 2 })))).toMatchObject({
      details: { option: ['filters', 'channels'], channels: [0] },
    });
  });
});

describe('dreams', () => {
  const settings = normalised(dreamSettings, { octaves: 2, scale: 1.5, steps: 2, tile: 16 }, 'dream');
  const wanted = (more: Partial<DreamWanted> = {}): DreamWanted => ({
    photo: photo('dream', [1, 3, 24, 32]),
    layer: 'second',
    settings,
    ...more,
  });
  it('are a job of one step for each tile', async () => {
    const { engine, submitted, started } = watched({ priority: 4 });
    const events: DreamEvent[] = await all(dreamPhoto(network, wanted(), engine));
    expect(started).toEqual([undefined]);
    // The network takes 16×16: 16×21 is 1 by 2 tiles, 24×32 is 2 by 2, two steps each.
    expect(submitted).toHaveLength(2 * 2 + 2 * 4);
    for (const { job, options: o, program } of submitted) {
      expect(job.steps).toBe(1);
      expect((job.start as { z: Tensor }).z.dims).toEqual([1, 3, 16, 16]);
      expect(program).toBe(submitted[0]!.program);
      expect(o).toEqual({ signal: undefined, priority: 4 });
    }
    expect(events.filter((e) => e.type === 'ready')).toEqual([{ type: 'ready', workers: 2 }]);
    expect(ofType(events, 'tiles').map((e) => [e.done, e.total])).toEqual(
      Array.from({ length: 12 }, (_, i) => [i + 1, 12]),
    );
    const octaves = ofType(events, 'octave');
    expect(octaves.map((e) => [e.octave, e.of, e.size, e.image.dims])).toEqual([
      [1, 2, { height: 16, width: 21 }, [1, 3, 16, 21]],
      [2, 2, { height: 24, width: 32 }, [1, 3, 24, 32]],
    ]);
    const [{ dream }] = ofType(events, 'dream') as [Extract<DreamEvent, { type: 'dream' }>];
    expect(dream.losses.map((own) => own.length)).toEqual([2, 2]);
    expect(octaves.map((e) => e.loss)).toEqual(dream.losses.map((own) => own[1]));
    expect(dream.recipe).not.toHaveProperty('channels');
    expect(Math.max(...dream.image.data.map(Math.abs))).toBeLessThanOrEqual(1);
  });
  it('have the mean of the tiles as their loss, and raise chosen channels together', async () => {
    const { engine } = watched();
    const one = { octaves: 1, steps: 1 };
    const own = { ...settings, ...one };
    const flat = { photo: photo('flat', [1, 3, 16, 16]), settings: own };
    const loss = async (more: Partial<DreamWanted>): Promise<number> => {
      const events = await all(dreamPhoto(network, wanted({ ...flat, ...more }), engine));
      return ofType(events, 'octave')[0]!.loss;
    };
    const [a, b, both] = [
      await loss({ channels: [1] }),
      await loss({ channels: [3] }),
      await loss({ channels: [1, 3] }),
    ];
    expect(both).toBeCloseTo(a + b, 5);
  });
  it('refuse channels, layers and photos that cannot be, before any work', async () => {
    const { engine, submitted, started } = watched();
    const refused = (more: Partial<DreamWanted>) => rejected(all(dreamPhoto(network, wanted(more), engine)));
    expect((await refused({ channels: [5] })).message).toContain('filter 5 is out of range');
    expect((await refused({ layer: 'secnd' })).code).toBe('unknown-layer');
    expect((await refused({ photo: photo('p', [1, 3, 15, 32]) })).message).toContain('choose a larger photo');
    expect([submitted, started]).toEqual([[], []]);
  });
  it('move the pixels of a tile by the rate, root mean square', async () => {
    const grey = float32(new Random('grey').uniform(3 * 16 * 24, -0.5, 0.5), [1, 3, 16, 24]);
    const b = new Builder();
    const x = b.input('data', 'float32', [1, 3, 16, 24]);
    const oblong = await openBytes(encodeOnnx(b.graph([b.conv(x, noise(b, [4, 3, 3, 3]), undefined, {}, 'second')])));
    const own = { ...settings, octaves: 1, steps: 1, rate: 0.01 };
    const events = await all(dreamPhoto(oblong, wanted({ photo: grey, settings: own }), watched().engine));
    const { image } = ofType(events, 'dream')[0]!.dream;
    const square = image.data.reduce((sum, v, i) => sum + (v - grey.data[i]!) ** 2, 0) / image.data.length;
    expect(Math.sqrt(square)).toBeCloseTo(0.01, 4);
  });
  it('end with `aborted`, and say what may help if numbers overflow', async () => {
    const stop = new AbortController();
    const { engine, submitted } = watched({ signal: stop.signal }, (n) => n === 3 && stop.abort('enough'));
    expect(await rejected(all(dreamPhoto(network, wanted(), engine)))).toMatchObject({ code: 'aborted' });
    expect(submitted.length).toBeLessThan(5);
    const none = watched({ signal: AbortSignal.abort('no') });
    expect(await rejected(all(dreamPhoto(network, wanted(), none.engine)))).toMatchObject({
      code: 'aborted',
      cause: 'no',
    });
    expect(none.submitted).toEqual([]);
    const huge = await small(1e30);
    const error = await rejected(all(dreamPhoto(huge, wanted(), watched().engine)));
    expect(error).toMatchObject({ code: 'runtime', details: { option: 'rate', size: [1, 3, 16, 16] } });
    expect(error.message).toMatch(/^the activations overflowed in the tile at \d+,\d+; a smaller `rate` may help$/);
  });
});
