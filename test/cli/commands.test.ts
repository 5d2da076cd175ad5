/** @file `render` and `layers` in words, on a core made for the test: what it is asked, and what is told of what it says. */
import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/cli/command.ts';
import { layersCommand, type LayerList, type LayersRequest } from '../../src/cli/layers.ts';
import type { InputFacts } from '../../src/cli/model.ts';
import { renderCommand, type RenderNews, type RenderRequest } from '../../src/cli/render.ts';
import { pictureSettings } from '../../src/cli/settings.ts';
import { PhospheneError } from '../../src/errors.ts';
import { DEFAULT_PRESET, presets } from '../../src/render/presets.ts';
import { fakeIo, fakeStream, said } from './fake.ts';

const tf: InputFacts = { channels: 3, preprocess: { scale: [1, 1, 1], shift: [0, 0, 0], order: 'rgb' }, from: 'known' };

function rendering(news: readonly RenderNews[] = []): { entries: Record<string, Entry>; asked: RenderRequest[] } {
  const asked: RenderRequest[] = [];
  const command = renderCommand(async () => async (request, tell) => {
    asked.push(request);
    for (const one of news) await tell(one);
  });
  return { asked, entries: { render: { summary: 'Renders', load: async () => command } } };
}

async function askedBy(...words: string[]): Promise<RenderRequest> {
  const { asked, entries } = rendering();
  expect(await said(['render', ...words], entries)).toEqual({ code: 0, stdout: '', stderr: '' });
  return asked[0]!;
}

describe('render asks the core', () => {
  it('for the built-in model and nothing else, unless more is said', async () => {
    expect(await askedBy()).toEqual({
      model: 'resnet50v2-mini',
      weights: undefined,
      architecture: undefined,
      cache: undefined,
      preprocess: undefined,
      layer: undefined,
      filters: undefined,
      size: undefined,
      preset: 'natural',
      start: undefined,
      settings: {},
      out: 'out',
      columns: undefined,
      margin: 5,
      captions: false,
      workers: undefined,
      signal: expect.any(AbortSignal) as AbortSignal,
    });
  });

  it.each([
    [['m.onnx'], { model: 'm.onnx' }],
    [['--weights', 'w.h5'], { weights: 'w.h5' }],
    [['w.h5', '--architecture', 'vgg16'], { model: 'w.h5', architecture: 'vgg16' }],
    [['--cache', 'c'], { cache: 'c' }],
    [['--layer', 'conv1'], { layer: 'conv1' }],
    [['-l', 'conv1'], { layer: 'conv1' }],
    [
      ['--filters', '0-3,7'],
      {
        filters: [
          [0, 3],
          [7, 7],
        ],
      },
    ],
    [['-f', 'all'], { filters: 'all' }],
    [['--neuron', 'centre'], { neuron: 'centre' }],
    [['--neuron', '3, 4'], { neuron: { row: 3, column: 4 } }],
    [['--class', 'great white shark', '--labels', 'imagenet'], { class: 'great white shark', labels: 'imagenet' }],
    [['-c', '3'], { class: '3' }],
    [['--objective', 'a:1 + tv()', '--pictures', '4'], { objective: 'a:1 + tv()', pictures: 4 }],
    [['--objective=-a:1'], { objective: '-a:1' }],
    [['--size', '180x240'], { size: { height: 180, width: 240 } }],
    [['--preset', 'other'], { preset: 'other' }],
    [['--preset', 'a, b,c'], { preset: 'a', beside: ['b', 'c'] }],
    [['--start', 'photo.jpg'], { start: 'photo.jpg' }],
    [['--captions'], { captions: true }],
    [['-o', 'there'], { out: 'there' }],
    [['--columns', '3', '--margin', '0', '-w', '2'], { columns: 3, margin: 0, workers: 2 }],
    [['--seed', '-1'], { settings: { seed: -1 } }],
    [['--steps', '0', '--rate', '2.5', '--noise', '0'], { settings: { steps: 0, rate: 2.5, noise: 0 } }],
    [
      ['--border', '1', '--crop', '0', '--contrast', '1', '--stretch'],
      { settings: { border: 1, crop: 0, contrast: 1, stretch: true } },
    ],
    [['--preprocess', 'torch'], { preprocess: 'torch' }],
    [['--range', '0,1', '--mean', '0.5'], { preprocess: { range: [0, 1], mean: 0.5 } }],
    [['--mean', '1,2,3', '--std', '4,5,6', '--bgr'], { preprocess: { mean: [1, 2, 3], std: [4, 5, 6], bgr: true } }],
    [['--bgr'], { preprocess: { bgr: true } }],
  ] as [string[], object][])('%j', async (words, part) => {
    expect(await askedBy(...words)).toMatchObject(part);
  });

  it.each([
    '--contrast=99',
    '--contrast=0',
    '--rate=0',
    '--noise=-1',
    '--steps=1.5',
    '--crop=-1',
    '--margin=-1',
    '--columns=0',
    '--preprocess=imagenet',
    '--range=1',
    '--neuron=3',
    '--neuron=3,4,5',
    '--neuron=-1,2',
    '--neuron=middle',
    '--pictures=0',
    '--pictures=65',
    '--preset=a,,b',
  ])('nothing for %s', async (word) => {
    const { asked, entries } = rendering();
    const { code, stderr } = await said(['render', word], entries);
    expect([code, asked]).toEqual([2, []]);
    expect(stderr.startsWith(`phosphene: ${word.split('=')[0]}: `)).toBe(true);
  });
});

describe('what is rendered', () => {
  it.each([
    [['--filters', '1', '--class', '2'], '`--filters` and `--class` both say what is rendered; give one of them'],
    [['--filters', '1', '--objective', 'a:1'], '`--filters` and `--objective` both say what is rendered'],
    [['--class', '1', '--objective', 'a:1'], '`--class` and `--objective` both say what is rendered'],
    [['--layer', 'a', '--objective', 'a:1'], '`--layer` and `--objective` both say what is rendered'],
    [['--neuron', 'centre', '--objective', 'a:1'], '`--neuron` and `--objective` both say what is rendered'],
  ])('is said once: %j', async (words, why) => {
    const { asked, entries } = rendering();
    const { code, stderr } = await said(['render', ...words], entries);
    expect([code, asked]).toEqual([2, []]);
    expect(stderr).toContain(why);
  });
  it('is pictures of an objective, not filters of a layer, in words', async () => {
    const { entries } = rendering([
      { type: 'begin', layer: 'a:1 + tv()', isObjective: true, filters: 1, steps: 3, input: tf },
      { type: 'picture', filter: 0, activation: 1, diagnosis: 'not-rising', hint: 'it did not rise' },
      { type: 'grid', file: 'grid.png', width: 3, height: 4, manifest: 'manifest.json' },
    ]);
    const { stdout, stderr } = await said(['render', '--objective', 'a:1 + tv()'], entries);
    expect(stdout).toMatch(/^grid\.png \(3×4, 1 picture of a:1 \+ tv\(\), /);
    expect(stderr).toContain('picture 0: it did not rise');
  });
});

describe('several presets', () => {
  it('are told one after another, and at last where their grids stand', async () => {
    const { entries } = rendering([
      { type: 'begin', layer: 'a', filters: 1, steps: 3, input: tf },
      { type: 'preset', preset: 'keras', index: 0, of: 2, steps: 3 },
      { type: 'grid', file: 'k.png', width: 3, height: 4, manifest: 'm.json' },
      { type: 'preset', preset: 'best', index: 1, of: 2, steps: 9 },
      { type: 'grid', file: 'b.png', width: 3, height: 4, manifest: 'm.json' },
      { type: 'side-by-side', file: 'both.png', width: 6, height: 4 },
    ]);
    const { stdout } = await said(['render', '--preset', 'keras,best'], entries);
    expect(stdout).toMatch(/^k\.png .*\n\n?b\.png .*\n\n?both\.png \(6×4\)\n$/);
    expect((await said(['render', '-q'], entries)).stdout).toBe('');
    const lines = (await said(['render', '--json'], entries)).stdout.trimEnd().split('\n');
    const seconds = expect.any(Number) as number;
    expect(lines.map((line) => JSON.parse(line) as { event: string }).filter(({ event }) => event !== 'grid')).toEqual([
      { event: 'preset', preset: 'keras', index: 0, of: 2 },
      { event: 'preset', preset: 'best', index: 1, of: 2 },
      { event: 'side-by-side', file: 'both.png', width: 6, height: 4, seconds },
    ]);
  });
});

describe('the help of render', () => {
  it('has every setting of a picture with its default', async () => {
    const { stdout } = await said(['render', '--help']);
    const flat = stdout.replaceAll(/\s+/g, ' ');
    for (const [key, setting] of Object.entries(pictureSettings)) {
      const name = key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      const value = setting.alone ? '' : typeof setting.default === 'string' ? 'TEXT ' : 'N ';
      expect(flat).toContain(`--${name} ${value}${setting.help}`);
      expect(flat).toMatch(new RegExp(`--${name} (?:(?! --).)*; default: ${String(setting.default)}(?: |$)`));
    }
    const { steps, border, param, optimiser, finish } = presets[DEFAULT_PRESET];
    for (const [name, value] of Object.entries({ steps, border, ...param, ...optimiser, ...finish }))
      if (name !== 'kind') expect(pictureSettings[name]!.default, name).toBe(value);
    for (const other of [
      '--layer, -l',
      '--filters, -f',
      '--size',
      '--out, -o',
      '--workers, -w',
      '--columns',
      '--json',
      '--quiet, -q',
      '--range',
      '--mean',
      '--std',
      '--bgr',
      '--preprocess',
      '--weights',
      '--architecture',
      '--cache',
      '--preset',
      '--start',
      '--margin',
    ])
      expect(flat).toContain(`${other} `);
  });
});

const run: readonly RenderNews[] = [
  { type: 'begin', layer: 'conv\u202e1', filters: 3, steps: 10, input: tf },
  { type: 'resumed', filters: [4] },
  { type: 'ready', workers: 2 },
  { type: 'step', filter: 0, done: 5 },
  { type: 'picture', filter: 0, activation: 1.5, plain: 1.25 },
  { type: 'picture', filter: 9, activation: undefined, diagnosis: 'not-rising', hint: 'it did not rise' },
  {
    type: 'grid',
    file: '/o/g.png',
    width: 7,
    height: 5,
    manifest: '/o/m.json',
    statuses: { ok: [0, 4], 'not-rising': [9] },
  },
];

describe('render tells', () => {
  it('people where the grid is, and what went wrong with a filter', async () => {
    const { code, stdout, stderr } = await said(['render'], rendering(run).entries);
    expect([code, stderr]).toEqual([0, 'filter 9: it did not rise\n']);
    expect(stdout).toBe('/o/g.png (7×5, 3 filters of conv\\u202e1, 0 s)\n2 ok, 1 not-rising (9)\n');
    expect(await said(['render', '--quiet'], rendering(run).entries)).toEqual({ code: 0, stdout: '', stderr: '' });
    const one = run.map((n) => (n.type === 'begin' ? { ...n, filters: 1 } : n));
    expect((await said(['render'], rendering(one).entries)).stdout).toContain('1 filter of');
  });

  it('people how many pictures failed, and the first of them', async () => {
    const ended = (statuses: Readonly<Record<string, readonly number[]>>): RenderNews[] =>
      run.map((n) => (n.type === 'grid' ? { ...n, statuses } : n));
    const last = async (statuses: Readonly<Record<string, readonly number[]>>): Promise<string | undefined> =>
      (await said(['render'], rendering(ended(statuses)).entries)).stdout.split('\n')[1];
    expect(await last({ ok: [1, 2, 3] })).toBe('3 ok');
    expect(await last({ ok: [], dead: [1, 2, 3, 4, 5, 6, 7, 8] })).toBe('8 dead (1, 2, 3, 4, 5, 6, 7, 8)');
    expect(await last({ dead: [1, 2, 3, 4, 5, 6, 7, 8, 9] })).toBe('9 dead (1, 2, 3, 4, 5, 6, 7, 8, …)');
    expect(await last({})).toBe('');
  });

  it('programs everything, a line of JSON each', async () => {
    const { stdout, stderr } = await said(['render', '--json'], rendering(run).entries);
    expect(stderr).toBe('');
    const seconds = expect.any(Number) as number;
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { event: 'resumed', filters: [4] },
      { event: 'ready', workers: 2, seconds },
      { event: 'picture', filter: 0, activation: 1.5, plain: 1.25, seconds },
      { event: 'picture', filter: 9, seconds, diagnosis: 'not-rising' },
      {
        event: 'grid',
        file: '/o/g.png',
        width: 7,
        height: 5,
        manifest: '/o/m.json',
        statuses: { ok: 2, 'not-rising': 1 },
        seconds,
      },
    ]);
  });

  it('that a preprocessing is assumed, in one line that says what to do', async () => {
    const begin: RenderNews = { type: 'begin', layer: 'l', filters: 1, steps: 1, input: { ...tf, from: 'assumed' } };
    expect((await said(['render'], rendering([begin]).entries)).stderr).toBe(
      'phosphene: nothing says how the model wants its pictures; RGB in [-1, 1] is assumed, which is doubtful; if the model was trained otherwise, give --preprocess torch, caffe or raw, or --range, --mean, --std and --bgr\n',
    );
    for (const quiet of ['--quiet', '--json'])
      expect((await said(['render', quiet], rendering([begin]).entries)).stderr).toBe('');
  });

  it('how far it is: reading, downloading, compiling, rendering', async () => {
    const pause = 450;
    const command = renderCommand(async () => async (_, tell) => {
      const slowly = async (news: RenderNews): Promise<void> => {
        await new Promise((resolve) => setTimeout(resolve, pause));
        await tell(news);
      };
      await slowly({ type: 'download', what: 'weights', received: 5e6, total: 1e7 });
      await slowly({ type: 'download', what: 'weights', received: 6e6, total: undefined });
      for (const news of run) await slowly(news);
    });
    const stderr = fakeStream({ isTTY: true, columns: 100 });
    await said(['render'], { render: { summary: '', load: async () => command } }, fakeIo(fakeStream(), stderr));
    const lines = stderr.writes.map((w) => w.replace('\r\u001b[2K', '').replaceAll(/ {2}\d+ s( left)?$/g, ''));
    // A line that is only painted again, since a second has gone by, counts once.
    const different = lines.map((l) => l.replaceAll(/[█░]+/g, '#')).filter((l, i, all) => l !== '' && l !== all[i - 1]);
    expect(different).toEqual([
      'Downloading weights  #  50 %  5.0 MB of 10.0 MB',
      'Downloading weights  6.0 MB',
      'Compiling the network up to conv\\u202e1',
      'conv\\u202e1  #  33 %  1 of 3 filters',
      'conv\\u202e1  #  50 %  1 of 3 filters',
      'conv\\u202e1  #  66 %  2 of 3 filters',
      'filter 9: it did not rise\n',
      'conv\\u202e1  #  100 %  3 of 3 filters',
    ]);
    expect(lines.at(-1)).toBe('');
  });
});

const list: LayerList = {
  model: 'm.onnx',
  input: { ...tf, from: 'file', size: { height: 32, width: 48 } },
  size: { height: 32, width: 48 },
  defaultLayer: 'getitem_3',
  layers: [
    {
      name: 'getitem_3',
      path: 'features.0',
      type: 'Conv',
      dims: [4, 30, 46],
      parameters: 1234,
      channels: 4,
      shows: 'filters',
    },
    { name: 'x\u202e\n', type: 'Relu', dims: [10], parameters: 0, channels: undefined, obstacle: 'it has no channels' },
    { name: `${'a'.repeat(80)}${'z'.repeat(80)}`, type: 'T'.repeat(40), dims: [4, 1, 1], parameters: 0, channels: 4 },
  ],
};

function listing(result: LayerList): { entries: Record<string, Entry>; asked: LayersRequest[] } {
  const asked: LayersRequest[] = [];
  const command = layersCommand(async () => async (request) => {
    asked.push(request);
    return result;
  });
  return { asked, entries: { layers: { summary: 'Lists', load: async () => command } } };
}

describe('layers', () => {
  it('asks the core for a model at a size', async () => {
    const { asked, entries } = listing(list);
    await said(['layers'], entries);
    await said(['layers', 'm', '--size', '8x9', '--preprocess', 'raw'], entries);
    expect(asked).toMatchObject([
      { model: 'resnet50v2-mini', size: undefined, preprocess: undefined },
      { model: 'm', size: { height: 8, width: 9 }, preprocess: 'raw' },
    ]);
  });

  it('leaves out what only normalises, scales, activates, pads or reshapes, but for the last, and says so', async () => {
    const row = (name: string, type: string) => ({ name, type, dims: [4, 2, 2], parameters: 0, channels: 4 });
    const types = ['InputLayer', 'ZeroPadding2D', 'Conv2D', 'BatchNormalization', 'ReLU', 'LeakyRelu', 'Add', 'Gemm'];
    const more = ['HardSwish', 'DequantizeLinear', 'Concat', 'MaxPool', 'PReLU', 'SpatialDropout2D', 'Activation'];
    const layers = [...types, ...more].map((type, i) => row(`layer${i}`, type));
    const { stdout } = await said(['layers'], listing({ ...list, layers }).entries);
    expect(stdout.split('\n')[1]).toBe(
      'Layers at 32×48, without 9 that only normalise, scale, activate, pad or reshape (--all lists them):',
    );
    const rows = stdout.split('\n').slice(4, -3);
    expect(rows.map((line) => line.split(/ {2,}/)[1])).toEqual([
      'Conv2D',
      'Add',
      'Gemm',
      'Concat',
      'MaxPool',
      'Activation',
    ]);
    expect((await said(['layers', '--all'], listing({ ...list, layers }).entries)).stdout.split('\n')).toHaveLength(22);
    const scaled = [{ ...row('bias', 'Add'), isDetail: true }, row('sum', 'Add'), row('last', 'Conv')];
    const short = (await said(['layers'], listing({ ...list, layers: scaled }).entries)).stdout.split('\n');
    expect(short.slice(4, -3).map((line) => line.split(/ {2,}/)[0])).toEqual(['sum', 'last']);
  });

  it.each([
    ['BatchNormalization LayerNormalization InstanceNormalization GroupNormalization UnitNormalization LRN Rescaling'],
    ['Normalization BatchNormalizationV1 BatchNormalizationV2 MeanVarianceNormalization LpNormalization'],
    ['Relu ReLU LeakyReLU ThresholdedReLU PReLU ReLU6 Relu6 Celu Elu ELU Selu SeLU Gelu GELU Mish Erf Clip Tanh'],
    ['Activation Sigmoid HardSigmoid Swish HardSwish Softplus Softsign'],
    ['ZeroPadding1D ZeroPadding2D ZeroPadding3D Pad PadV2 Padding MirrorPad Cropping2D'],
    ['Identity Dropout SpatialDropout2D GaussianNoise GaussianDropout Cast CastLike InputLayer'],
    ['QuantizeLinear DequantizeLinear Reshape Flatten Squeeze Unsqueeze ExpandDims Transpose Permute'],
  ])('leaves out each of %s', async (names) => {
    const row = (type: string) => ({ name: `of ${type}`, type, dims: [4, 2, 2], parameters: 0, channels: 4 });
    const layers = [...names.split(' '), 'Conv'].map(row);
    const { stdout } = await said(['layers'], listing({ ...list, layers }).entries);
    expect(stdout.split('\n').slice(4, -3)).toHaveLength(1);
    // Nothing that only begins or ends like one of them.
    const alike = ['MyRelu', 'Padder', 'Conv'].map(row);
    expect((await said(['layers'], listing({ ...list, layers: alike }).entries)).stdout.split('\n')).toHaveLength(10);
  });

  it('is a table with the input above it', async () => {
    const { code, stdout, stderr } = await said(['layers', '--all'], listing(list).entries);
    expect([code, stderr]).toEqual([0, '']);
    const lines = stdout.split('\n');
    expect(lines.slice(0, 3)).toEqual([
      'm.onnx: input of 3 channels, 32×48 px; RGB in [-1, 1] (the file says so)',
      'Layers at 32×48:',
      '',
    ]);
    expect(lines.slice(3).map((line) => line.split(/ {2,}/))).toEqual([
      ['layer', 'type', 'output', 'parameters', 'target'],
      ['features.0', 'Conv', '4×30×46', '1,234', '4 filters'],
      ['x\\u202e\\u000a', 'Relu', '10', 'no: it has no channels'],
      [`${'a'.repeat(50)}…${'z'.repeat(49)}`, `${'T'.repeat(16)}…${'T'.repeat(15)}`, '4×1×1', '4 filters'],
      [''],
      ['Filters are rendered with --layer (unless given: getitem_3) and --filters.'],
      [''],
    ]);
  });

  it('says other inputs, and what to do if one is assumed', async () => {
    const torch = { scale: [2.183, 2.232, 2.222], shift: [0.06551, 0.1964, 0.4178], order: 'rgb' } as const;
    const of = async (input: InputFacts): Promise<string> =>
      (await said(['layers'], listing({ ...list, input }).entries)).stdout
        .split('\n')[0]!
        .replace('m.onnx: input of ', '');
    expect(await of({ channels: 3, preprocess: torch, from: 'given' })).toBe(
      '3 channels, any size; RGB in [-2.117, 2.249], [-2.036, 2.428], [-1.804, 2.64] (as you say)',
    );
    expect(
      await of({
        channels: 1,
        preprocess: { scale: [0.5], shift: [0.5], order: 'rgb' },
        from: 'inferred',
        size: { height: 28 },
      }),
    ).toMatch(
      /^1 channel, 28×any px; grey in \[0, 1\] \(inferred from the weights\); if the model was trained otherwise, give/,
    );
    const likely = { from: 'inferred', sure: 0.9987 } as const;
    expect(await of({ ...tf, ...likely })).toContain(
      'RGB in [-1, 1] (inferred from the weights, 99 % sure but for the order of colours); if the model',
    );
    expect(await of({ ...tf, channels: 1, ...likely })).toContain('(inferred from the weights, 99 % sure); if');
    expect(await of({ ...tf, preprocess: { ...tf.preprocess, order: 'bgr' } })).toBe(
      '3 channels, any size; BGR in [-1, 1] (as the model was published)',
    );
    expect(await of({ ...tf, channels: 4, size: { width: 9 }, from: 'assumed' })).toMatch(
      /^4 channels, any×9 px; values in \[-1, 1\] \(assumed\); if the model was trained otherwise, give --preprocess torch/,
    );
  });

  it('says what is rendered of a layer, and how that is asked for', async () => {
    const row = (name: string, channels: number, shows: 'filters' | 'units' | 'logits') => ({
      name,
      type: 'Dense',
      dims: [channels],
      parameters: 0,
      channels,
      shows,
    });
    const of = async (...layers: LayerList['layers']): Promise<string[]> =>
      (await said(['layers'], listing({ ...list, layers }).entries)).stdout.split('\n').slice(4);
    expect(await of(row('map', 1, 'filters'), row('dense', 12, 'units'), row('classes', 10, 'logits'))).toEqual([
      expect.stringMatching(/ 1 filter$/),
      expect.stringMatching(/ 12 units$/),
      expect.stringMatching(/ 10 classes$/),
      '',
      'Filters are rendered with --layer (unless given: getitem_3) and --filters, units and classes too; of a class its logit is raised, and --class takes its name or number.',
      '',
    ]);
    expect((await of(row('map', 1, 'filters'), row('dense', 1, 'units'))).slice(1, -1)).toEqual([
      expect.stringMatching(/ 1 unit$/),
      '',
      'Filters are rendered with --layer (unless given: getitem_3) and --filters, units and classes too.',
    ]);
    expect(await of({ ...row('no', 1, 'filters'), shows: undefined, obstacle: 'no channels' })).toEqual([
      expect.stringMatching(/ no: no channels$/),
      '',
    ]);
  });

  it('shows nested models as a tree, each above its layers', async () => {
    const row = (name: string, ...within: string[]) => ({
      name,
      type: 'Conv2D',
      dims: [4, 2, 2],
      parameters: 0,
      channels: 4,
      shows: 'filters' as const,
      ...(within.length > 0 ? { within, path: [...within, name].join('/') } : {}),
    });
    const layers = [
      row('first'),
      row('a', 'net'),
      row('b', 'net', 'inner'),
      row('inner', 'net'),
      row('net'),
      row('end'),
    ];
    const { stdout } = await said(['layers'], listing({ ...list, layers }).entries);
    expect(stdout.split('\n').slice(4, -3)).toEqual(
      ['first', 'net  ', '  a  ', '  inner', '    b', 'end  '].map((begin) => expect.stringMatching(`^${begin}`)),
    );
    const json = await said(['layers', '--json'], listing({ ...list, layers }).entries);
    expect((JSON.parse(json.stdout) as LayerList).layers.map((l) => [l.name, l.within])).toEqual(
      layers.map((l) => [l.name, l.within]),
    );
  });

  it('as JSON has all names whole', async () => {
    const { stdout } = await said(['layers', '--json'], listing(list).entries);
    const { layers, ...rest } = JSON.parse(stdout) as { layers: readonly object[] };
    expect(rest).toEqual({ model: 'm.onnx', input: list.input, size: list.size, defaultLayer: 'getitem_3' });
    expect(layers).toEqual([
      { ...list.layers[0], target: true },
      { name: 'x\u202e\n', type: 'Relu', dims: [10], parameters: 0, target: false, obstacle: 'it has no channels' },
      { ...list.layers[2], target: true },
    ]);
  });

  it('says where it ends and why', async () => {
    const barrier = (code: 'shape' | 'unsupported-op'): LayerList => ({
      ...list,
      barrier: new PhospheneError(code, 'it does\u001b not fit', { op: 'MaxPool' }),
    });
    expect((await said(['layers'], listing(barrier('shape')).entries)).stderr).toBe(
      'Not all layers can be built at 32×48. The first that cannot: it does\\u001b not fit; another --size may fit\n',
    );
    expect((await said(['layers'], listing(barrier('unsupported-op')).entries)).stderr).toBe(
      'Not all layers can be built at 32×48. The first that cannot: it does\\u001b not fit\n',
    );
    const { stdout, stderr } = await said(['layers', '--json'], listing(barrier('shape')).entries);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({
      barrier: { code: 'shape', message: 'it does\u001b not fit', op: 'MaxPool' },
    });
  });
});
