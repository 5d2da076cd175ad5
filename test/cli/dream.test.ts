/** @file `dream` in words, on a core made for the test: what it is asked, and what is told of what it says. */
import { describe, expect, it } from 'vitest';
import type { Entry } from '../../src/cli/command.ts';
import { dreamCommand, type DreamNews, type DreamRequest } from '../../src/cli/dream.ts';
import type { InputFacts } from '../../src/cli/model.ts';
import { fakeIo, fakeStream, said } from './fake.ts';

const tf: InputFacts = { channels: 3, preprocess: { scale: [1, 1, 1], shift: [0, 0, 0], order: 'rgb' }, from: 'known' };

function dreaming(
  news: readonly DreamNews[] = [],
  pause = 0,
): { entries: Record<string, Entry>; asked: DreamRequest[] } {
  const asked: DreamRequest[] = [];
  const command = dreamCommand(async () => async (request, tell) => {
    asked.push(request);
    for (const one of news) {
      if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
      await tell(one);
    }
  });
  return { asked, entries: { dream: { summary: 'Dreams', load: async () => command } } };
}

async function askedBy(...words: string[]): Promise<DreamRequest> {
  const { asked, entries } = dreaming();
  expect(await said(['dream', ...words], entries)).toEqual({ code: 0, stdout: '', stderr: '' });
  return asked[0]!;
}

describe('dream asks the core', () => {
  it('for a photo, the built-in model, and nothing else unless more is said', async () => {
    expect(await askedBy('a/b.c/photo.jpeg')).toEqual({
      photo: 'a/b.c/photo.jpeg',
      model: 'resnet50v2-mini',
      architecture: undefined,
      weights: undefined,
      cache: undefined,
      preprocess: undefined,
      layer: undefined,
      filters: undefined,
      size: undefined,
      settings: { octaves: 4, scale: 1.4, steps: 10, rate: 0.02, tile: 256, seed: 0 },
      out: 'photo-dream.png',
      workers: undefined,
      signal: expect.any(AbortSignal) as AbortSignal,
    });
  });

  it.each([
    [['p.jpg', 'm.onnx'], { model: 'm.onnx' }],
    [['p.jpg', '--layer', 'conv1'], { layer: 'conv1' }],
    [['p.jpg', '-f', '3'], { filters: [[3, 3]] }],
    [['p.jpg', '--size', '800'], { size: 800 }],
    [['p.jpg', '-o', 'x.png'], { out: 'x.png' }],
    [['C:\\photos\\one.two.webp'], { out: 'one.two-dream.png' }],
    [['.hidden'], { out: 'photo-dream.png' }],
    [
      ['p.jpg', '--preprocess', 'torch', '--weights', 'w', '--cache', 'c', '-w', '3'],
      { preprocess: 'torch', weights: 'w', cache: 'c', workers: 3 },
    ],
    [
      ['p.jpg', '--octaves', '6', '--steps', '3', '--rate', '0.1', '--tile', '64', '--seed', '-4', '--scale', '2'],
      { settings: { octaves: 6, scale: 2, steps: 3, rate: 0.1, tile: 64, seed: -4 } },
    ],
  ] as const)('%j', async (words, part) => {
    expect(await askedBy(...words)).toMatchObject(part);
  });

  it.each([
    [[], '--photo: '],
    [['a', 'b', 'c'], 'one PHOTO too many'],
    [['p.jpg', '--scale', '1'], '--scale: a number above 1 to 4 is needed'],
    [['p.jpg', '--rate', '0'], '--rate: '],
    [['p.jpg', '--size', '8'], '--size: '],
  ])('nothing for %j', async (words, message) => {
    const { asked, entries } = dreaming();
    const { code, stderr } = await said(['dream', ...words], entries);
    expect([code, asked.length]).toEqual([2, 0]);
    if (words.length === 0) expect(stderr).toBe('phosphene: a photo is needed: phosphene dream PHOTO\n');
    else expect(stderr).toContain(message);
  });

  it('and helps', async () => {
    const { stdout } = await said(['dream', '--help'], dreaming().entries);
    expect(stdout).toContain('Usage: phosphene dream PHOTO [MODEL] [OPTIONS]');
    for (const option of [
      '--octaves N',
      '--rate N',
      '--layer, -l NAME',
      '--filters, -f LIST',
      '--weights FILE',
      '--out, -o FILE',
    ])
      expect(stdout).toContain(option);
  });
});

const news: readonly DreamNews[] = [
  { type: 'begin', layer: 'conv\u202e1', input: tf },
  { type: 'ready', workers: 2 },
  { type: 'tiles', done: 1, total: 4 },
  { type: 'octave', octave: 1, of: 2, width: 30, height: 20, loss: 0.5 },
  { type: 'tiles', done: 3, total: 4 },
  { type: 'file', file: '/o/d.png', width: 60, height: 40 },
];

describe('dream tells', () => {
  it('people where the picture is', async () => {
    const words = await said(['dream', 'p.jpg'], dreaming(news).entries);
    expect(words).toEqual({ code: 0, stdout: '/o/d.png (60×40, conv\\u202e1, 0 s)\n', stderr: '' });
    expect((await said(['dream', 'p.jpg', '-q'], dreaming(news).entries)).stdout).toBe('');
  });

  it('programs everything', async () => {
    const { stdout } = await said(['dream', 'p.jpg', '--json'], dreaming(news).entries);
    const seconds = expect.any(Number) as number;
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { event: 'ready', workers: 2, seconds },
      { event: 'octave', octave: 1, of: 2, width: 30, height: 20, loss: 0.5, seconds },
      { event: 'file', file: '/o/d.png', width: 60, height: 40, seconds },
    ]);
  });

  it('that a preprocessing is assumed', async () => {
    const begin: DreamNews = { type: 'begin', layer: 'l', input: { ...tf, from: 'assumed' } };
    expect((await said(['dream', 'p.jpg'], dreaming([begin]).entries)).stderr).toContain(
      'RGB in [-1, 1] is assumed, which is doubtful; if',
    );
  });

  it('how far it is', async () => {
    const stderr = fakeStream({ isTTY: true, columns: 100 });
    const all: DreamNews[] = [{ type: 'download', what: 'weights', received: 5e6, total: 1e7 }, ...news];
    await said(['dream', 'p.jpg'], dreaming(all, 450).entries, fakeIo(fakeStream(), stderr));
    const text = stderr.writes.join('\n');
    expect(text).toMatch(/Downloading weights .*50 %.*5\.0 MB of 10\.0 MB/);
    expect(text).toContain('Compiling the network up to conv\\u202e1');
    // The first size has no number yet.
    expect(text).toMatch(/conv\\u202e1 [^\n]*25 %( {2}\d+ s left)?(\n|$)/);
    expect(text).toMatch(/conv\\u202e1 .*75 %.*1 of 2 sizes/);
  });
});
