/** @file `site` and `explore`: in words on cores made for the test, and with their own cores, whose workers are in this thread, for a page of three files. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request as ask } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { exploreCommand, type ExploreRequest } from '../../src/cli/explore.ts';
import { siteCommand, type SiteNews, type SiteRequest } from '../../src/cli/site.ts';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import type { Tiles } from '../../src/live/protocol.ts';
import type * as Page from '../../src/serve/page.ts';
import { noise } from '../check.ts';
import { temporary } from './command.ts';
import '../../src/cli/core/explore.ts';
import '../../src/cli/core/site.ts';
import { fakeIo, fakeStream, said } from './fake.ts';

const page = vi.hoisted(() => ({ folder: '' }));
vi.mock('../../src/jobs/node-host.ts', async () => {
  const { inlineHost } = await import('../jobs/hosts.ts');
  const { nodeRuntime } = await import('../../src/runtime/node.ts');
  return { nodeHost: ({ parallelism = 2 }: { parallelism?: number }) => inlineHost(nodeRuntime, parallelism) };
});
vi.mock('../../src/serve/page.ts', async (original) => {
  const own = await original<typeof Page>();
  page.folder = `${mkdtempSync(join(tmpdir(), 'phosphene-page-'))}/`;
  mkdirSync(join(page.folder, 'assets'));
  writeFileSync(
    join(page.folder, 'index.html'),
    '<meta name="phosphene" content="page" /><script defer src="./assets/app.js"></script>',
  );
  writeFileSync(join(page.folder, 'assets', 'app.js'), 'let app;');
  writeFileSync(join(page.folder, 'icon.svg'), '<svg/>');
  return { ...own, pageFolder: page.folder, pageFiles: () => own.pageFiles(page.folder) };
});

const root = temporary();
function write(name: string, folder = root): string {
  const b = new Builder();
  const x = b.input('data', 'float32', [1, 3, 16, 16]);
  const wide = b.relu(b.conv(x, noise(b, [70, 3, 3, 3]), undefined, {}, 'a/conv'), 'a/relu');
  const narrow = b.relu(b.conv(wide, noise(b, [4, 70, 1, 1]), undefined, {}, 'b/conv'), 'b/relu');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  const last = b.relu(b.conv(narrow, noise(b, [5, 4, 1, 1]), undefined, {}, 'c/conv'), 'c/relu');
  writeFileSync(path, encodeOnnx(b.graph([last]), { 'phosphene.preprocess': 'tf' }));
  return path;
}
const net = write('net.onnx');
const linesOf = (stdout: string): Record<string, unknown>[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

function sites(news: readonly SiteNews[] = [], pause = 0) {
  const asked: SiteRequest[] = [];
  const command = siteCommand(async () => async (request, tell) => {
    asked.push(request);
    for (const one of news) {
      if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
      await tell(one);
    }
  });
  return { asked, entries: { site: { summary: 'Sites', load: async () => command } } };
}

describe('site in words', () => {
  it('asks for the built-in model, its blocks and the first filters, unless more is said', async () => {
    const { asked, entries } = sites();
    expect(await said(['site', 'public'], entries)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(asked[0]).toEqual({
      out: 'public',
      models: ['resnet50v2-mini'],
      preprocess: undefined,
      weights: undefined,
      cache: undefined,
      layers: undefined,
      filters: undefined,
      workers: undefined,
      dryRun: false,
      signal: expect.any(AbortSignal) as AbortSignal,
    });
    const words = ['--layers', 'a,,b', '-f', '0-3', '--dry-run', '-w', '2', '--preprocess', 'torch', '--cache', 'c'];
    await said(['site', 'public', 'm', 'n', ...words, '--weights', 'w'], entries);
    expect(asked[1]).toMatchObject({
      models: ['m', 'n'],
      preprocess: 'torch',
      weights: 'w',
      cache: 'c',
      layers: ['a', 'b'],
      filters: [[0, 3]],
      workers: 2,
      dryRun: true,
    });
    await said(['site', 'public', '-l', 'all', '-f', 'all'], entries);
    expect(asked[2]).toMatchObject({ layers: 'all', filters: 'all' });
  });
  it('needs a folder', async () => {
    const { asked, entries } = sites();
    const { code, stderr } = await said(['site'], entries);
    expect([code, asked.length]).toEqual([2, 0]);
    expect(stderr).toBe('phosphene: a folder for the site is needed, such as `phosphene site public`\n');
  });

  const news: readonly SiteNews[] = [
    { type: 'plan', layers: 1, pictures: 4, bytes: 2_500_000 },
    { type: 'picture', model: 'm', layer: 'conv\u202e1', done: 1 },
    { type: 'picture', model: 'm', layer: 'conv\u202e1', done: 3 },
    { type: 'picture', model: 'm', layer: 'conv\u202e1', done: 4 },
    { type: 'site', file: '/o/index.html' },
  ];
  it('tells people how large it will be, how far it is and where it is', async () => {
    const { stdout, stderr } = await said(['site', 'o'], sites(news).entries);
    expect(stderr).toBe('4 pictures of 1 layer; the site will have about 2.5 MB\n');
    expect(stdout).toBe('/o/index.html (4 pictures, 0 s)\n');
    expect(await said(['site', 'o', '-q'], sites(news).entries)).toEqual({ code: 0, stdout: '', stderr: '' });
    const terminal = fakeStream({ isTTY: true, columns: 100 });
    await said(['site', 'o'], sites(news, 450).entries, fakeIo(fakeStream(), terminal));
    expect(terminal.text()).toMatch(/conv\\u202e1 .*75 %.*3 of 4 pictures/);
    expect(terminal.text()).toMatch(/conv\\u202e1 .*100 %.*4 of 4 pictures/);
  });
  it('tells programs all of it', async () => {
    const { stdout } = await said(['site', 'o', '--json'], sites(news).entries);
    expect(linesOf(stdout)).toEqual(news.map(({ type, ...rest }) => ({ event: type, ...rest })));
  });
});

describe('site', () => {
  const tilesIn = (out: string): Tiles =>
    JSON.parse(readFileSync(join(out, 'tiles.js'), 'utf8').replace(/^.*?= |;\n$/g, '')) as Tiles;
  const pngsIn = (folder: string): string[] => readdirSync(folder).filter((name) => /^\d+\.png$/.test(name));

  it('says how large it would be, and writes nothing', async () => {
    const out = join(temporary(), 'out');
    const { code, stdout } = await said(['site', out, net, '--dry-run', '--json']);
    expect(code).toBe(0);
    // The last layers of three blocks: 64 of 70 filters, 4 and 5.
    expect(linesOf(stdout)).toEqual([
      { event: 'plan', layers: 3, pictures: 64 + 4 + 5, bytes: expect.any(Number) as number },
    ]);
    expect(existsSync(out)).toBe(false);
    const bytes = async (...words: string[]): Promise<number> =>
      linesOf((await said(['site', out, net, '--dry-run', '--json', ...words])).stdout)[0]!['bytes'] as number;
    const [two, one] = [await bytes('-l', 'b/relu', '-f', '0-1'), await bytes('-l', 'b/relu', '-f', '0')];
    // A picture has 16 pixels a side.
    expect(two - one).toBe(3 * 256 * 0.75 + 2000);
  });
  it('makes the pictures of the layers, keeps those that are there, and writes the page beside them', async () => {
    const out = join(temporary(), 'out');
    const words = ['site', out, net, '--layers', 'b/relu,c/relu', '--filters', '0,3-4', '--workers', '2'];
    const { code, stdout, stderr } = await said(words);
    // `b/relu` has four filters.
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/^5 pictures of 2 layers; the site will have about \d+\.\d MB\n$/),
    ]);
    expect(stdout).toMatch(/out[/\\]index\.html \(5 pictures, \d+ s\)\n$/);
    const html = readFileSync(join(out, 'index.html'), 'utf8');
    expect(html).toContain('name="phosphene" content="tiles"');
    expect(readFileSync(join(out, 'assets', 'app.js'), 'utf8')).toBe('let app;');
    const { catalogue, models } = tilesIn(out);
    expect(catalogue).toMatchObject({ models: ['net.onnx'], engine: 'made beforehand' });
    expect(models).toHaveLength(1);
    const { facts, layers, file } = models[0]!;
    expect(facts.ref).toEqual({ name: 'net.onnx' });
    expect(readFileSync(join(out, file!)).equals(readFileSync(net))).toBe(true);
    expect(Object.entries(layers).map(([name, { channels }]) => [name, channels])).toEqual([
      ['b/relu', [0, 3]],
      ['c/relu', [0, 3, 4]],
    ]);
    for (const { folder, channels } of Object.values(layers))
      expect(pngsIn(join(out, folder)).sort()).toEqual(channels.map((channel) => `${channel}.png`));
    const again = linesOf((await said([...words, '--json'])).stdout);
    expect(again.map((e) => e['event'])).toEqual(['plan', 'picture', 'picture', 'picture', 'picture', 'site']);
    expect(again.filter((e) => e['event'] === 'picture').map((e) => [e['layer'], e['done']])).toEqual([
      ['b/relu', 2],
      ['b/relu', 2],
      ['c/relu', 5],
      ['c/relu', 5],
    ]);
  });
  it.each([
    [['-l', 'b/rel'], 'layer `b/rel` of net.onnx is not there, or cannot be rendered'],
    [['no.onnx'], 'no.onnx'],
  ])('refuses %j', async (words, message) => {
    const { code, stderr } = await said(['site', join(temporary(), 'out'), net, ...words]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
  it('takes what is said of the model', async () => {
    const out = join(temporary(), 'out');
    const words = ['--layers', 'b/relu', '--filters', '0', '--preprocess', 'raw', '-q'];
    expect(await said(['site', out, net, ...words])).toMatchObject({ code: 0, stdout: '' });
    expect(tilesIn(out).models[0]!.facts.input.preprocess.scale).toEqual([127.5, 127.5, 127.5]);
  });
  it('refuses two models of one name', async () => {
    const { stderr } = await said(['site', join(temporary(), 'out'), net, write('net.onnx', join(root, 'other'))]);
    expect(stderr).toBe('phosphene: two models are called net.onnx; rename one of the files\n');
  });
});

describe('explore', () => {
  it('asks for the built-in model at a free port and a browser, unless more is said', async () => {
    const asked: ExploreRequest[] = [];
    const command = exploreCommand(async () => async (request, ready) => {
      asked.push(request);
      await ready('http://127.0.0.1:1/');
    });
    const entries = { explore: { summary: 'Explores', load: async () => command } };
    expect(await said(['explore'], entries)).toEqual({
      code: 0,
      stdout: 'http://127.0.0.1:1/\nCtrl-C ends it.\n',
      stderr: '',
    });
    const words = ['-p', '4173', '--no-open', '-w', '3', '--cache', 'c', '--weights', 'w', '--preprocess', 'raw'];
    const { stdout } = await said(['explore', 'm', ...words, '--json'], entries);
    expect(linesOf(stdout)).toEqual([{ event: 'ready', url: 'http://127.0.0.1:1/' }]);
    const signal = expect.any(AbortSignal) as AbortSignal;
    expect(asked).toEqual([
      {
        model: 'resnet50v2-mini',
        preprocess: undefined,
        weights: undefined,
        cache: undefined,
        port: undefined,
        workers: undefined,
        open: true,
        signal,
      },
      { model: 'm', preprocess: 'raw', weights: 'w', cache: 'c', port: 4173, workers: 3, open: false, signal },
    ]);
    expect((await said(['explore', '--port', '0'], entries)).stderr).toContain(
      '--port: a whole number from 1 to 65535',
    );
  });
  it('serves its page until Ctrl-C', async () => {
    const stdout = fakeStream();
    const io = fakeIo(stdout);
    const writeOut = stdout.write.bind(stdout);
    let answer: Promise<string> | undefined;
    stdout.write = (text, done) => {
      const { url } = JSON.parse(text) as { url: string };
      answer = new Promise<string>((resolve, reject) => {
        ask(url, (response) => {
          let body = '';
          response.on('data', (part: Buffer) => (body += part.toString()));
          response.on('end', () => resolve(`${response.statusCode} ${body}`));
        })
          .on('error', reject)
          .end();
      });
      void answer.then(() => io.raise('SIGINT'));
      return writeOut(text, done);
    };
    const words = ['explore', net, '--no-open', '--json', '--cache', temporary(), '--workers', '1'];
    const { code, stderr } = await said(words, undefined, io);
    expect([code, stderr]).toEqual([0, '']);
    expect(await answer).toMatch(/^200 .*name="phosphene" content="server"/s);
  });
  it('says what cannot be opened before there is a page', async () => {
    const { code, stdout, stderr } = await said(['explore', join(root, 'no.onnx'), '--no-open']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toContain('no.onnx');
  });
});
