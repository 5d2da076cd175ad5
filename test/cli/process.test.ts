/**
 * @file The commands from words to files in the test's own process: real cores on tiny networks, whose workers are in this thread.
 * What `render.test.ts` shows of the built command is shown here of the source.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import type { FakeIo } from './fake.ts';
import { openModel } from '../../src/hub/open.ts';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { decodePng, encodePng } from '../../src/output/png.ts';
import { raster, type Raster } from '../../src/output/raster.ts';
import { Random } from '../../src/random.ts';
import { settle } from '../../src/render/recipe.ts';
import type { PictureRecord } from '../../src/render/record.ts';
import type { Manifest } from '../../src/runs/index.ts';
import { noise } from '../check.ts';
import { barredFile } from '../render/barred.ts';
import { temporary } from './command.ts';
import '../../src/cli/core/animate.ts';
import '../../src/cli/core/dream.ts';
import '../../src/cli/core/layers.ts';
import '../../src/cli/core/measure.ts';
import '../../src/cli/core/render.ts';
import '../../src/cli/core/sheet.ts';
import { fakeIo, fakeStream, said } from './fake.ts';

// Threads run what is built; these workers run the source.
vi.mock('../../src/jobs/node-host.ts', async () => {
  const { inlineHost } = await import('../jobs/hosts.ts');
  const { nodeRuntime } = await import('../../src/runtime/node.ts');
  return { nodeHost: ({ parallelism = 3 }: { parallelism?: number }) => inlineHost(nodeRuntime, parallelism) };
});

const root = temporary();

/** A classifier: `features` of 70 channels, `wide` of 4, and then `probabilities` of 5 classes. */
function write(name: string, metadata: Record<string, string> = { 'phosphene.preprocess': 'tf' }, side = 16): string {
  const b = new Builder();
  const x = b.input('data', 'float32', [1, 3, side, side]);
  const features = b.relu(b.conv(x, noise(b, [70, 3, 3, 3]), undefined, {}, 'first'), 'features');
  const wide = b.relu(b.conv(features, noise(b, [4, 70, 1, 1]), undefined, {}, 'second'), 'wide');
  const logits = b.matmul(b.reshape(b.mean(wide, [2, 3]), [1, 4]), noise(b, [4, 5]));
  const path = join(root, name);
  writeFileSync(path, encodeOnnx(b.graph([b.one('Softmax', [logits], { axis: 1 }, 'probabilities')]), metadata));
  return path;
}
const net = write('net.onnx', {
  'phosphene.preprocess': 'tf',
  'phosphene.labels': JSON.stringify(['tench', 'shark', 'crane', 'drake', 'owl']),
});

function photo(name: string, width = 20, height = 24): string {
  const path = join(root, name);
  const bytes = Uint8Array.from(new Random(name).uniform(3 * width * height, 0, 256));
  writeFileSync(path, encodePng(raster(width, height, bytes)));
  return path;
}

const newFolder = (): string => join(temporary(), 'out');
const QUICK = [
  '--preset',
  'keras',
  '--layer',
  'features',
  '--steps',
  '2',
  '--rate',
  '1',
  '--crop',
  '2',
  '--border',
  '1',
];

/** What `render` says, with the lines of JSON read. */
async function rendered(
  words: readonly string[],
  out = newFolder(),
  io?: FakeIo,
): Promise<{ code: number; events: Record<string, unknown>[]; stderr: string; out: string }> {
  const { code, stdout, stderr } = await said(['render', net, ...words, '--json', '--out', out], undefined, io);
  return { code, events: linesOf(stdout), stderr, out };
}
const linesOf = (stdout: string): Record<string, unknown>[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** The one set of pictures of a layer in a folder of results. */
function setIn(out: string, layer = 'features'): string {
  const sets = readdirSync(join(out, layer));
  expect(sets).toHaveLength(1);
  return join(out, layer, sets[0]!);
}
function pictureIn(out: string, channel = 0, layer = 'features'): { raster: Raster; record: PictureRecord } {
  const { raster: shown, text } = decodePng(readFileSync(join(setIn(out, layer), `${channel}.png`)));
  return { raster: shown, record: JSON.parse(text['phosphene']!) as PictureRecord };
}
const pngs = (out: string, layer?: string): string[] =>
  readdirSync(setIn(out, layer)).filter((f) => /^\d+\.png$/.test(f));
const gridIn = (out: string): Raster => decodePng(readFileSync(join(out, 'stitched_filters.png'))).raster;
const filtersOf = (events: readonly Record<string, unknown>[]): number[] =>
  ofType(events, 'picture')
    .map((e) => Number(e['filter']))
    .sort((a, b) => a - b);
const ofType = (events: readonly Record<string, unknown>[], type: string) => events.filter((e) => e['event'] === type);

describe('render', () => {
  it('writes pictures, grid and manifest, and says where', async () => {
    const out = newFolder();
    const words = ['render', net, ...QUICK, '--filters', '2,0,69', '--out', out];
    const { code, stdout, stderr } = await said(words);
    expect([code, stderr]).toEqual([0, '']);
    const set = setIn(out);
    const [where, summary] = stdout.split('\n');
    // 12×12 pictures in a square, 5 pixels between them.
    expect(where).toMatch(/^(.*) \(29×29, 3 filters of features, \d+ s\)$/);
    expect(where).toContain(`${join(set, 'stitched_filters.png')} (`);
    expect(summary).toMatch(/^\d ok|^\d (dead|not-rising|saturated)/);
    expect(readdirSync(set).sort()).toEqual(['0.png', '2.png', '69.png', 'manifest.json', 'stitched_filters.png']);
    const manifest = JSON.parse(readFileSync(join(set, 'manifest.json'), 'utf8')) as Manifest;
    expect(manifest.filters.map((f) => [f.channel, f.status])).toEqual([2, 0, 69].map((c) => [c, 'done']));
    expect([gridIn(out).width, gridIn(out).height]).toEqual([29, 29]);
  });

  it('tells programs of each picture', async () => {
    const { code, events, stderr, out } = await rendered([...QUICK, '--filters', '1,3', '--workers', '1']);
    expect([code, stderr]).toEqual([0, '']);
    const seconds = expect.any(Number) as number;
    expect(events[0]).toEqual({ event: 'ready', workers: 1, seconds });
    const pictures = ofType(events, 'picture');
    expect(filtersOf(events)).toEqual([1, 3]);
    for (const { filter, activation, plain, diagnosis } of pictures) {
      const { record } = pictureIn(out, filter as number);
      expect(activation).toBe(record.losses.at(-1));
      expect(plain).toBe(record.plain);
      expect(diagnosis ?? 'ok').toBe(record.status);
    }
    expect(events.at(-1)).toEqual({
      event: 'grid',
      file: join(setIn(out), 'stitched_filters.png'),
      manifest: join(setIn(out), 'manifest.json'),
      width: 29,
      height: 12,
      statuses: expect.any(Object) as object,
      seconds,
    });
    expect(events).toHaveLength(4);
  });

  it('has no more workers than pictures, and else one a core or what is asked for', async () => {
    const workers = async (...words: string[]): Promise<unknown> =>
      ofType((await rendered([...QUICK, ...words])).events, 'ready')[0]!['workers'];
    expect(await workers('--filters', '0')).toBe(1);
    expect(await workers('--filters', '0-4')).toBe(3);
    expect(await workers('--filters', '0-4', '--workers', '2')).toBe(2);
  });

  it('takes the first 64 filters of the default layer, or as many as there are', async () => {
    const [many, few, all] = [newFolder(), newFolder(), newFolder()];
    expect((await rendered(['--layer', 'features', '--steps', '0'], many)).code).toBe(0);
    expect(pngs(many)).toHaveLength(64);
    expect(pngs(many)).toContain('63.png');
    expect((await rendered(['--layer', 'wide', '--steps', '0'], few)).code).toBe(0);
    expect(pngs(few, 'wide').sort()).toEqual(['0.png', '1.png', '2.png', '3.png']);
    expect((await rendered(['--filters', 'all', '--layer', 'features', '--steps', '0'], all)).code).toBe(0);
    expect(pngs(all)).toHaveLength(70);
    const { out, code } = await rendered(['--filters', '0', '--steps', '0']);
    expect(code).toBe(0);
    const network = await openModel(net);
    expect(readdirSync(out)).toContain(network.defaultLayer);
    await network.close();
  });

  it('gives every setting to the picture', async () => {
    const words = ['--steps', '3', '--seed', '-7', '--rate', '0.5', '--noise', '0.25', '--border', '2'];
    const more = ['--crop', '1', '--contrast', '0.3', '--stretch', '--redirect', '2', '--pooling', 'smooth'];
    const { out, code } = await rendered([
      '--preset',
      'keras',
      '--layer',
      'features',
      '--filters',
      '5',
      ...words,
      ...more,
    ]);
    expect(code).toBe(0);
    const { record, raster: shown } = pictureIn(out, 5);
    expect([shown.width, shown.height]).toEqual([14, 14]);
    expect(record).toMatchObject({
      preset: 'keras',
      recipe: {
        model: { name: 'net.onnx' },
        objective: { kind: 'channel', layer: 'features', channel: 5, border: 2 },
        size: { height: 16, width: 16 },
        steps: 3,
        seed: -7,
        param: { kind: 'pixel', noise: 0.25 },
        optimiser: { kind: 'normalised', rate: 0.5 },
        gradient: { redirect: 2, pooling: 'smooth' },
        finish: { kind: 'contrast', crop: 1, contrast: 0.3, stretch: true },
      },
    });
  });

  it('shows another contrast, and begins with other noise, if told so', async () => {
    const of = async (...words: string[]): Promise<number[]> => {
      const { out } = await rendered([
        '--layer',
        'features',
        '--steps',
        '0',
        '--crop',
        '0',
        '--filters',
        '0',
        ...words,
      ]);
      return [...pictureIn(out).raster.data];
    };
    const spread = (data: number[]): number => {
      const mean = data.reduce((a, b) => a + b) / data.length;
      return Math.sqrt(data.reduce((sum, v) => sum + (v - mean) ** 2, 0) / data.length);
    };
    const [low, high] = [spread(await of('--contrast', '0.05')), spread(await of('--contrast', '0.1'))];
    // Of bytes: the standard deviation is the contrast.
    expect(low).toBeCloseTo(0.05 * 255, 0);
    expect(high).toBeCloseTo(0.1 * 255, 0);
    expect(await of('--noise', '0.01')).not.toEqual(await of('--noise', '0.5'));
    expect(await of('--seed', '1')).not.toEqual(await of('--seed', '2'));
  });

  it('takes a preset, a size that is height by width, and a preprocessing', async () => {
    const loose = new Builder();
    const x = loose.input('data', 'float32', [1, 3, 40, 30]);
    const path = join(root, 'loose.onnx');
    writeFileSync(path, encodeOnnx(loose.graph([loose.relu(loose.conv(x, noise(loose, [4, 3, 3, 3])), 'features')])));
    const out = newFolder();
    const words = ['--size', '40x30', '--preset', 'sobolev', '--steps', '1', '--preprocess', 'torch', '--filters', '0'];
    const { code, stdout, stderr } = await said(['render', path, '--layer', 'features', ...words, '--out', out]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('1 filter of features');
    const { record, raster: shown } = pictureIn(out);
    expect(record).toMatchObject({
      preset: 'sobolev',
      recipe: { size: { height: 40, width: 30 }, param: { noise: 0.0125 }, optimiser: { kind: 'sobolev' } },
    });
    // Pixels in [0, 1], mean 0.485 and deviation 0.229 for red: picture / 2 + 1/2.
    expect(record.recipe.preprocess.scale[0]).toBeCloseTo(0.5 / 0.229);
    expect(record.recipe.preprocess.shift[0]).toBeCloseTo((0.5 - 0.485) / 0.229);
    expect(shown.height - shown.width).toBe(10);
  });

  it('says that a preprocessing is assumed, unless something says it', async () => {
    const silent = write('silent.onnx', {});
    const words = ['--layer', 'features', '--steps', '0', '--filters', '0'];
    const of = (...more: string[]) => said(['render', silent, ...words, '--out', newFolder(), ...more]);
    expect((await of()).stderr).toContain('nothing says how the model wants its pictures');
    expect((await of('--preprocess', 'tf')).stderr).toBe('');
    expect((await of('--quiet')).stderr).toBe('');
  });

  it('raises one unit of each filter if told so', async () => {
    const centre = await rendered([...QUICK, '--filters', '1', '--neuron', 'centre']);
    expect(pictureIn(centre.out, 1).record.recipe.objective).toMatchObject({ kind: 'neuron', channel: 1 });
    const at = await rendered([...QUICK, '--filters', '1', '--neuron', '3,4']);
    expect(pictureIn(at.out, 1).record.recipe.objective).toMatchObject({ kind: 'neuron', row: 3, column: 4 });
  });

  it('raises a class by the names that the file has, or those that are given', async () => {
    const words = ['--steps', '1', '--class'];
    const own = await rendered([...words, 'crane']);
    expect(pictureIn(own.out, 2, 'probabilities').record.recipe.objective).toMatchObject({ kind: 'logit', channel: 2 });
    const labels = join(root, 'labels.txt');
    writeFileSync(labels, 'a\nb\nc\nd\ne\n');
    const given = await rendered([...words, 'e', '--labels', labels]);
    expect(given.code).toBe(0);
    expect(pngs(given.out, 'probabilities')).toEqual(['4.png']);
    const other = await rendered(['--layer', 'wide', ...words, '3']);
    expect(pngs(other.out, 'wide')).toEqual(['3.png']);
    const missing = await rendered([...words, 'crane', '--labels', join(root, 'none.txt')]);
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('none.txt')]);
    const unknown = await rendered([...words, 'crane', '--labels', labels]);
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('--class: there is no class `crane`')]);
  });

  it('raises an objective, whose photos are paths', async () => {
    const path = photo('near.png');
    const objective = `near(features, "${path}") + 0*tv()`;
    const { code, events, out, stderr } = await rendered(['--objective', objective, '--steps', '2', '--crop', '0']);
    expect([code, stderr]).toEqual([0, '']);
    expect(ofType(events, 'picture').map((e) => e['filter'])).toEqual([0]);
    const [folder] = readdirSync(out).filter((name) => !/\.(png|jsonl)$/.test(name));
    const { record } = pictureIn(out, 0, folder);
    expect(Object.keys(record.recipe.given ?? {})).toEqual([`photo ${path}`]);
    const missing = await rendered(['--objective', `near(features, "${root}/no.png")`]);
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('no.png')]);
    const several = ['--objective', 'features:1 + diversity(features)', '--pictures', '2', '--steps', '1'];
    const pair = await said(['render', net, ...several, '--out', newFolder()]);
    expect(pair.stdout).toMatch(/2 pictures of features:1 \+ diversity\(features\)/);
  });

  it('begins with a photo if told so', async () => {
    const path = photo('start.png');
    const words = ['--layer', 'features', '--filters', '0', '--steps', '0', '--start', path];
    const { out, code } = await rendered(words);
    expect(code).toBe(0);
    expect(pictureIn(out).record.recipe.start).toEqual({ photo: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
    const missing = await rendered([...words.slice(0, -1), join(root, 'no.jpg')]);
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('no.jpg')]);
  });

  it('stitches as it is told', async () => {
    const words = [...QUICK, '--filters', '0-2'];
    const { out } = await rendered([...words, '--columns', '1', '--margin', '3']);
    expect([gridIn(out).width, gridIn(out).height]).toEqual([12, 3 * 12 + 2 * 3]);
    const bare = await rendered([...words, '--columns', '3', '--margin', '0']);
    const named = await rendered([...words, '--columns', '3', '--margin', '0', '--captions']);
    expect(gridIn(bare.out).height).toBe(12);
    expect(gridIn(named.out).height).toBeGreaterThan(12);
  });

  it('keeps what is there, and makes the rest', async () => {
    const words = [...QUICK, '--filters'];
    const [whole, parts] = [newFolder(), newFolder()];
    await rendered([...words, '0-3'], whole);
    await rendered([...words, '1,3'], parts);
    // One is damaged.
    const cut = join(setIn(parts), '3.png');
    writeFileSync(cut, readFileSync(cut).subarray(0, 200));
    const { events } = await rendered([...words, '0-3'], parts);
    expect(ofType(events, 'resumed')).toEqual([{ event: 'resumed', filters: [1] }]);
    expect(filtersOf(events)).toEqual([0, 2, 3]);
    for (const file of readdirSync(setIn(whole)))
      expect(readFileSync(join(setIn(parts), file)).equals(readFileSync(join(setIn(whole), file))), file).toBe(true);
    const again = await rendered([...words, '0-3'], parts);
    expect(again.events.map((e) => e['event'])).toEqual(['resumed', 'grid']);
    // Other settings are other pictures.
    const other = await rendered([...words, '0-3', '--seed', '1'], parts);
    expect(ofType(other.events, 'resumed')).toEqual([]);
    expect(readdirSync(join(parts, 'features'))).toHaveLength(2);
  });

  it('stopped by Ctrl-C, keeps what is finished and goes on from there', async () => {
    const out = newFolder();
    const words = [...QUICK, '--filters', '0-9', '--workers', '1'];
    const stdout = fakeStream();
    const io = fakeIo(stdout);
    const writeOut = stdout.write.bind(stdout);
    stdout.write = (text, done) => {
      if (text.includes('"picture"')) io.raise('SIGINT');
      return writeOut(text, done);
    };
    const { code, events, stderr } = await rendered(words, out, io);
    expect(code).toBe(130);
    expect(stderr).toMatch(/^stopped; what is finished is kept/);
    expect(events.at(-1)).toMatchObject({ event: 'error', code: 'aborted' });
    const kept = pngs(out).map((f) => Number.parseInt(f, 10));
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.length).toBeLessThan(10);
    const manifest = JSON.parse(readFileSync(join(setIn(out), 'manifest.json'), 'utf8')) as Manifest;
    expect(manifest.filters.filter((f) => f.status === 'done').map((f) => f.channel)).toEqual(
      kept.sort((a, b) => a - b),
    );
    expect(readdirSync(setIn(out)).filter((f) => f.includes('tmp'))).toEqual([]);
    const { events: rest } = await rendered(words, out);
    expect(ofType(rest, 'resumed')).toEqual([{ event: 'resumed', filters: kept }]);
    const whole = newFolder();
    await rendered(words, whole);
    for (const file of readdirSync(setIn(whole)))
      expect(readFileSync(join(setIn(out), file)).equals(readFileSync(join(setIn(whole), file))), file).toBe(true);
  });

  it('shows how far it is on a terminal', async () => {
    const stderr = fakeStream({ isTTY: true, columns: 100 });
    const words = [
      'render',
      net,
      '--preset',
      'keras',
      '--layer',
      'features',
      '--steps',
      '1200',
      '--filters',
      '0,1',
      '--workers',
      '1',
    ];
    await said([...words, '--out', newFolder()], undefined, fakeIo(fakeStream(), stderr));
    expect(stderr.text()).toMatch(/features .* %.*\d of 2 filters/);
    const quiet = fakeStream({ isTTY: true, columns: 100 });
    await said([...words, '--out', newFolder(), '-q'], undefined, fakeIo(fakeStream(), quiet));
    expect(quiet.text()).toBe('');
  });

  it.each([
    ['an unknown layer', ['--layer', 'feature'], 'layer `feature` not found in net.onnx; did you mean `features`'],
    ['an unknown preset', ['--preset', 'kears'], '--preset: '],
    ['a filter out of range', ['--layer', 'wide', '--filters', '1,4'], '--filters: filter 4 is out of range: `wide`'],
    ['a crop of nothing', ['--crop', '8'], '--crop: 8 pixels from each side leave nothing of 16×16'],
    ['a size that the file does not take', ['--layer', 'probabilities', '--size', '1'], '1'],
    ['weights', ['--weights', 'w.h5'], 'holds its own weights'],
    ['a grid of too many pixels', [...QUICK, '--filters', '0,1', '--margin', '100000000'], 'pixels can be written'],
    ['several pictures of a filter', ['--layer', 'wide', '--filters', '0', '--pictures', '2'], '--pictures: '],
    ['an objective of nothing', ['--objective', 'nowhere:1'], 'nowhere'],
    ['a class that is not there', ['--class', '7'], '--class: 7 is out of range: there are 5 classes (0-4)'],
  ])('refuses %s with code 2, says so in JSON too, and leaves nothing behind', async (_, words, message) => {
    const out = newFolder();
    const { code, stderr, events } = await rendered(words, out);
    expect(code).toBe(2);
    expect(stderr.replace('preset `kears`', '--preset: ')).toContain(message);
    expect(events).toMatchObject([{ event: 'error' }]);
    expect(() => readdirSync(out)).toThrow('ENOENT');
  });

  it('refuses a layer without a gradient, and names those that have one', async () => {
    const path = join(root, 'barred.onnx');
    writeFileSync(path, barredFile());
    const { code, stderr } = await said(['render', path, '--layer', 'last', '--crop', '0', '--out', newFolder()]);
    expect(code).toBe(2);
    expect(stderr).toContain(
      'there is no gradient rule for this operator; layers up to `first_relu` can still be rendered',
    );
  });
});

describe('layers', () => {
  it('lists them at the size of the file, or another', async () => {
    const { stdout, code } = await said(['layers', net, '--json']);
    expect(code).toBe(0);
    const list = JSON.parse(stdout) as { layers: Record<string, unknown>[] };
    expect(list).toMatchObject({ model: 'net.onnx', size: { height: 16, width: 16 }, input: { channels: 3 } });
    expect(list).not.toHaveProperty('barrier');
    expect(list.layers.find((l) => l['name'] === 'features')).toEqual({
      name: 'features',
      type: 'Relu',
      dims: [70, 14, 14],
      parameters: 0,
      channels: 70,
      shows: 'filters',
      target: true,
    });
    expect(list.layers.find((l) => l['name'] === 'first')).toMatchObject({ parameters: 70 * 27, dims: [70, 14, 14] });
  });
  it('says which cannot be rendered, and why the list ends', async () => {
    const path = join(root, 'barred.onnx');
    writeFileSync(path, barredFile());
    const { stdout } = await said(['layers', path, '--json']);
    const { layers } = JSON.parse(stdout) as { layers: Record<string, unknown>[] };
    expect(layers.map((l) => [l['name'], l['target'], l['obstacle']])).toEqual([
      ['first', true, undefined],
      ['first_relu', true, undefined],
      ['sums', false, 'no gradient'],
      ['last', false, 'no gradient'],
    ]);
    const b = new Builder();
    const first = b.relu(b.input('x', 'float32', [1, 3, 8, 8]), 'first');
    const pooled = join(root, 'pooled.onnx');
    writeFileSync(pooled, encodeOnnx(b.graph([b.one('MaxPool', [first], { kernel_shape: [3, 3] }, 'pooled')])));
    const short = await said(['layers', pooled, '--size', '2x4', '--preprocess', 'raw']);
    expect(short.code).toBe(0);
    expect(short.stdout).toContain('RGB in [0, 255] (as you say)');
    expect(short.stderr).toMatch(/^Not all layers can be built at 2×4\. The first that cannot: MaxPool pooled/);
  });
  it('refuses a file that is none', async () => {
    const { code, stderr } = await said(['layers', join(root, 'no.onnx')]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('no.onnx')]);
    expect((await said(['layers', net, '--architecture', 'vgg17'])).stderr).toContain('did you mean `vgg1');
  });
});

describe('sheet', () => {
  const words = ['sheet', net, '--steps', '1', '--crop', '2', '--rate', '1', '--border', '1'];
  const record = (out: string): { rows: Record<string, unknown>[]; channels: number[] } =>
    JSON.parse(decodePng(readFileSync(join(out, 'contact_sheet.png'))).text['phosphene']!) as never;
  it('has a row for each layer, preset and seed, and eight filters unless told otherwise', async () => {
    const out = newFolder();
    const { code, stdout, stderr } = await said([...words, '--layer', 'features', '--out', out]);
    expect([code, stderr]).toEqual([0, '']);
    expect(record(out)).toMatchObject({
      channels: [0, 1, 2, 3, 4, 5, 6, 7],
      rows: [{ layer: 'features', preset: settle().preset, seed: 0 }],
    });
    const { width, height } = decodePng(readFileSync(join(out, 'contact_sheet.png'))).raster;
    expect(stdout).toBe(`${join(out, 'contact_sheet.png')} (${width}×${height})\n`);
    const two = newFolder();
    const lists = ['--layer', 'features,wide', '--preset', 'keras,sobolev', '--seed', '0,4', '-f', '3,5'];
    const { stdout: lines, code: done } = await said([...words, ...lists, '--json', '--out', two]);
    expect(done).toBe(0);
    expect(record(two).rows).toHaveLength(8);
    const events = linesOf(lines);
    expect(ofType(events, 'row').map((e) => [e['row'], e['of'], e['title']])).toEqual(
      ['features', 'wide'].flatMap((layer, i) =>
        ['keras', 'sobolev'].flatMap((preset, j) =>
          [0, 4].map((seed, k) => [4 * i + 2 * j + k, 8, `${layer}  ${preset}  seed ${seed}`]),
        ),
      ),
    );
    // `wide` has four filters, and so has 3 but not 5.
    expect(ofType(events, 'picture')).toHaveLength(4 * 2 + 4);
    expect(events.at(-1)).toMatchObject({ event: 'sheet', file: join(two, 'contact_sheet.png') });
    const again = linesOf((await said([...words, ...lists, '--json', '--out', two])).stdout);
    expect(ofType(again, 'picture')).toEqual([]);
    expect(ofType(again, 'resumed').map((e) => e['filters'])).toEqual([
      ...Array.from({ length: 4 }, () => [3, 5]),
      ...Array.from({ length: 4 }, () => [3]),
    ]);
  });
  it('has all filters of named layers, and few of others', async () => {
    const [named, whole, narrow] = [newFolder(), newFolder(), newFolder()];
    await said([...words, '--layer', 'wide', '--filters', 'all', '--out', named]);
    expect(record(named).channels).toEqual([0, 1, 2, 3]);
    await said([...words, '--layer', 'wide', '--out', narrow]);
    expect(record(narrow).channels).toEqual([0, 1, 2, 3]);
    // A border would leave nothing of the last of them.
    await said([...words.slice(0, -2), '--filters', 'all', '--out', whole]);
    expect(record(whole).channels).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(record(whole).rows.length).toBeGreaterThan(1);
  });
  it.each([
    [['--layer', 'feature'], 'did you mean `features`'],
    [['--preset', 'keras,kears'], 'preset `kears` is not known'],
    [['--layer', 'wide', '--filters', '4'], '--filters: filter 4 is out of range: `wide` has 4 channels (0-3)'],
    [['--start', 'no.jpg'], 'no.jpg'],
    [
      ['--layer', 'features,wide', '-f', '70'],
      '--filters: filter 70 is out of range: `features, wide` has 70 channels',
    ],
  ])('refuses %j', async (more, message) => {
    const { code, stderr } = await said([...words, ...more, '--out', newFolder()]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

describe('animate', () => {
  it('writes an animation of the first filter, or of those asked for', async () => {
    const file = join(temporary(), 'deep', 'a.png');
    const words = ['animate', net, ...QUICK, '--frames', '2', '--out', file];
    expect(await said(words)).toEqual({ code: 0, stdout: `${file} (12×12, 2 pictures)\n`, stderr: '' });
    const { text } = decodePng(readFileSync(file));
    expect(JSON.parse(text['phosphene']!)).toMatchObject({ kind: 'ascent', channels: [0], layer: 'features' });
    const more = ['--filters', '4,7', '--morph', '--delay', '30', '--columns', '2', '--json'];
    const events = linesOf((await said([...words, ...more])).stdout);
    expect(events.at(-1)).toEqual({ event: 'file', file, width: 12, height: 12, frames: 4 });
    expect(events[0]).toMatchObject({ event: 'ready' });
    expect(JSON.parse(decodePng(readFileSync(file)).text['phosphene']!)).toMatchObject({
      kind: 'morph',
      channels: [4, 7],
      between: 2,
    });
    const side = await said([...words, '--filters', '4,7', '--columns', '1', '--margin', '2', '--captions']);
    expect(side.stdout).toMatch(/\(12×(2[6-9]|[3-9]\d), 2 pictures\)/);
    expect((await said([...words.slice(0, -1), 'a.jpg'])).stderr).toContain('--out: ');
  });
});

describe('dream', () => {
  it('dreams a photo in the tiles that the network takes', async () => {
    const folder = temporary();
    const file = join(folder, 'more', 'dream.png');
    const path = photo('dreamt.png', 20, 24);
    const words = ['dream', path, net, '--layer', 'features', '--octaves', '1', '--steps', '2', '--out', file];
    const { code, stdout, stderr } = await said(words);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/dream\.png \(20×24, features, \d+ s\)\n$/);
    const recipeIn = (): Record<string, unknown> =>
      (JSON.parse(decodePng(readFileSync(file)).text['phosphene']!) as { recipe: Record<string, unknown> }).recipe;
    expect(recipeIn()).toMatchObject({ layer: 'features', octaves: 1, steps: 2, rate: 0.02, seed: 0, tile: 256 });
    expect(recipeIn()).not.toHaveProperty('channels');
    const more = ['--filters', '3,5', '--seed', '9', '--rate', '0.1', '--size', '48', '--json'];
    const events = linesOf((await said([...words, ...more])).stdout);
    expect(recipeIn()).toMatchObject({ channels: [3, 5], seed: 9, rate: 0.1, size: { height: 48, width: 40 } });
    expect(events.map((e) => e['event'])).toEqual(['ready', 'octave', 'file']);
    expect(events[1]).toMatchObject({ octave: 1, of: 1, width: 40, height: 48, loss: expect.any(Number) as number });
    expect(events[2]).toMatchObject({ file, width: 40, height: 48 });
  });
  it.each([
    [['no.jpg'], 'no.jpg'],
    [['PHOTO', 'NET', '--layer', 'feature'], 'did you mean `features`'],
    [['PHOTO', 'NET', '--layer', 'wide', '--filters', '4'], '--filters: filter 4 is out of range: `wide`'],
    [['SMALL', 'NET', '--layer', 'wide'], '--size: the photo is 15×16, and the network sees 16×16 pixels'],
  ])('refuses %j', async (words, message) => {
    const paths: Record<string, string> = { PHOTO: photo('p.png'), SMALL: photo('s.png', 15, 16), NET: net };
    const real = words.map((word) => paths[word] ?? word);
    const { code, stderr } = await said(['dream', ...real, '--out', join(temporary(), 'd.png')]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

describe('measure', () => {
  it('refuses a folder that is none, or has no photos', async () => {
    const { code, stderr } = await said(['measure', join(root, 'nowhere')]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('this folder cannot be read')]);
    const empty = temporary();
    mkdirSync(join(empty, 'in'));
    expect((await said(['measure', empty])).code).toBe(2);
  });
  it('gives one of both, rounded', async () => {
    const folder = temporary();
    const bytes = Uint8Array.from(new Random('measured').uniform(3 * 256 * 256, 0, 256));
    writeFileSync(join(folder, 'a.png'), encodePng(raster(256, 256, bytes)));
    const { stdout } = await said(['measure', folder, '--only', 'colour']);
    expect(stdout).toMatch(/^--colour=[-.\de,]+\n$/);
    const digits = stdout
      .trim()
      .slice(9)
      .split(',')
      .map((n) => n.replace(/^-?0?\.?0*|e.*$/g, '').replace('.', '').length);
    expect(Math.max(...digits)).toBeLessThanOrEqual(5);
    expect(digits).toHaveLength(9);
  });
});
