/** @file The explorer in a real browser, computing for itself: every flow of a visitor. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { decodePng } from '../../src/output/png.ts';
import { sharedPath } from '../shared.ts';
import { barriers, executable, staticHost, tinyNetwork, visit, visits } from './browser.ts';

const QUICK = 'steps=4&crop=2&border=1';
const MINI = `#/resnet50v2-mini?size=48&${QUICK}`;

describe.skipIf(executable === undefined)('the explorer in a browser (needs Chromium)', { timeout: 180_000 }, () => {
  const here = visits();
  const { open } = here;
  const done = (page: Page, within = ''): Promise<unknown> =>
    page.waitForSelector(`${within} .picture[data-state=done]`);
  const looks = (page: Page): Promise<string> =>
    page.evaluate<string>("document.querySelector('.large canvas').toDataURL()");
  const to = (page: Page, hash: string): Promise<unknown> => page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  const drop = (page: Page, files: Parameters<Page['setInputFiles']>[1]): Promise<void> =>
    page.setInputFiles('header input[type=file]', files);
  const tiny = { name: 'tiny.onnx', mimeType: '', buffer: Buffer.from(tinyNetwork()) };

  it('goes from the network to a layer to a unit, and the back button back', async () => {
    const page = await open(MINI);
    await page.waitForSelector('h1:text("resnet50v2-mini")');
    expect(await page.locator('.map li').count()).toBeGreaterThan(8);
    await page.click('.block h2 a:text("conv2_block1_out")');
    await page.waitForSelector('h1:text("conv2_block1_out")');
    await done(page, '.grid');
    await page.click('.grid a[data-channel="3"]');
    await page.waitForSelector('h1:text("Channel 3")');
    expect(page.url()).toContain(`#/resnet50v2-mini/conv2_block1_out/3?steps=4`);
    expect(await page.title()).toBe('3 · conv2_block1_out · resnet50v2-mini · phosphene');
    await done(page, '.large');
    await page.goBack();
    await page.waitForSelector('h1:text("conv2_block1_out")');
    await page.goBack();
    await page.waitForSelector('h1:text("resnet50v2-mini")');
    await page.goForward();
    await page.waitForSelector('h1:text("conv2_block1_out")');
  });

  it('loads less than 150 kB before the engine', async () => {
    const page = await open('#/nothing@000000000000');
    await page.waitForSelector('.failed');
    const before = here.now!.requests.filter(
      (url) => !/desk|engine|network|onnx|ort|open/.test(url.replace(here.url, '')),
    );
    const sizes = await Promise.all(
      before.map(async (url) => gzipSync(Buffer.from(await (await fetch(url)).arrayBuffer())).length),
    );
    const bytes = sizes.reduce((a, b) => a + b, 0);
    expect(bytes).toBeGreaterThan(20_000);
    expect(bytes).toBeLessThan(150_000);
  });

  it('makes only what is in view, the newest first, and stops what is left', async () => {
    const page = await open(`#/resnet50v2-mini/conv3_block4_out?size=48&${QUICK}`);
    await done(page, '.grid');
    const tiles = await page.locator('.grid li').count();
    expect(tiles).toBeLessThan(120);
    await page.evaluate('scrollTo(0, document.body.scrollHeight)');
    // Not after all that was in view before.
    await page.waitForSelector('.grid a[data-channel="511"] .picture[data-state=done]');
    expect(await page.locator('.grid a[data-channel="0"]').count()).toBeLessThanOrEqual(1);
    expect(await page.locator('.grid li').count()).toBeLessThan(120);
  });

  it('is usable by keyboard: one stop in the grid, arrows inside it, arrows between units', async () => {
    const page = await open(`#/resnet50v2-mini/conv3_block4_out?size=48&${QUICK}`);
    await page.waitForSelector('.grid a[data-channel="0"]');
    expect(await page.locator('.grid a[tabindex="0"]').count()).toBe(1);
    await page.focus('.grid a[data-channel="0"]');
    const focused = (): Promise<string | null> =>
      page.evaluate<string | null>("document.activeElement?.getAttribute('data-channel') ?? null");
    await page.keyboard.press('ArrowRight');
    await expect.poll(focused).toBe('1');
    await page.keyboard.press('ArrowDown');
    await expect.poll(focused).not.toBe('1');
    await page.keyboard.press('End');
    await expect.poll(focused).toBe('511');
    await page.keyboard.press('Home');
    await expect.poll(focused).toBe('0');
    await page.keyboard.press('ArrowLeft');
    await expect.poll(focused).toBe('0');
    await page.keyboard.press('Enter');
    await page.waitForSelector('h1:text("Channel 0")');
    await expect.poll(() => page.evaluate('document.activeElement?.tagName')).toBe('H1');
    await page.keyboard.press('ArrowRight');
    await page.waitForSelector('h1:text("Channel 1")');
    await page.keyboard.press('ArrowLeft');
    await page.waitForSelector('h1:text("Channel 0")');
  });

  it('opens a file of the visitor, knows it after a reload, and says what it expects', async () => {
    const page = await open('#/nothing@000000000000');
    await page.waitForSelector('.failed');
    await drop(page, tiny);
    await page.waitForSelector('h1:text("tiny.onnx")');
    expect(page.url()).toMatch(/#\/tiny\.onnx%40[0-9a-f]{12}$/);
    await page.waitForSelector('.preprocess summary:has-text("assumed")');
    await page.selectOption('#preprocess', 'torch');
    await page.waitForSelector('.preprocess summary:has-text("as you say")');
    expect(page.url()).toContain('preprocess=torch');
    await done(page, '.block');
    await page.reload();
    await page.waitForSelector('.preprocess summary:has-text("as you say")');
  });

  it('asks for the file that a link means, and takes no other', async () => {
    const page = await open('#/nothing@000000000000');
    await drop(page, tiny);
    await page.waitForSelector('h1:text("tiny.onnx")');
    const link = new URL(page.url()).hash;
    await page.context().close();
    const other = await open(link.replace('tiny.onnx%40', 'tiny.onnx%40') + `/deep/2?${QUICK}`);
    await other.waitForSelector('text=This link shows a model that is a file');
    await other.setInputFiles('.failed input', { ...tiny, buffer: Buffer.from(tinyNetwork('other')) });
    await other.waitForSelector('text=This is another file');
    await other.setInputFiles('.failed input', tiny);
    await other.waitForSelector('h1:text("Channel 2")');
  });

  it.each([
    [
      'what is no network',
      { name: 'notes.onnx', mimeType: '', buffer: Buffer.from('dear diary') },
      /notes\.onnx: holds no network that can be read/,
    ],
    [
      'what is cut short',
      { name: 'cut.onnx', mimeType: '', buffer: Buffer.from(tinyNetwork().slice(0, 900)) },
      /cut\.onnx: /,
    ],
  ])('says of %s what the command line says', async (_, file, message) => {
    const page = await open('#/nothing@000000000000');
    await drop(page, file);
    await expect.poll(() => page.locator('.trouble[role=alert]').textContent()).toMatch(message);
  });

  const h5 = sharedPath('golden/keras/fixtures/toy.h5');
  it.skipIf(h5 === undefined)('shows an HDF5 file (needs shared/golden)', async () => {
    const page = await open('#/nothing@000000000000');
    await drop(page, h5!);
    await expect.poll(() => page.locator('h1, .trouble').allTextContents()).toContain('toy.h5');
    await done(page, '.block');
  });

  it('shows a model of TensorFlow.js, whose shards are dropped with it, and says which are missing', async () => {
    const folder = fileURLToPath(new URL('../import/tfjs/mobilenet/', import.meta.url));
    const files = readdirSync(folder).map((name) => join(folder, name));
    const page = await open('#/nothing@000000000000');
    await drop(page, files.slice(1));
    await expect.poll(() => page.locator('.trouble[role=alert]').textContent()).toMatch(/group1-shard1of2/);
    await drop(page, files);
    await page.waitForSelector('h1:text("model.json")');
    await page.evaluate("location.hash += '?size=32&steps=2&crop=1'");
    await done(page, '.block');
  });

  it('shows names with markup as the text that they are', async () => {
    const page = await open('#/nothing@000000000000');
    const name = '<img src=x onerror="window.hacked=1">';
    await drop(page, {
      name: `${name.replaceAll('/', '')}.onnx`,
      mimeType: '',
      buffer: Buffer.from(tinyNetwork(name)),
    });
    await page.waitForSelector(`h2 >> text="${name}"`);
    await page.click(`h2 >> text="${name}"`);
    await done(page, '.grid');
    await page.click('.grid a[data-channel="1"]');
    await done(page, '.large');
    expect(await page.locator('main img').count()).toBe(0);
    expect(await page.evaluate("'hacked' in window")).toBe(false);
  });

  describe('a unit', () => {
    const unit = `#/resnet50v2-mini/conv2_block1_out/5?size=48&${QUICK}`;

    it('can be looked at step by step, and the address says which', async () => {
      const page = await open(unit);
      await done(page, '.large');
      expect(await page.locator('.large .facts').textContent()).toMatch(/4 steps, activation \S+ → \S+/);
      const before = await looks(page);
      await page.locator('input[type=range]').fill('1');
      expect(page.url()).toContain('step=1');
      await expect.poll(() => looks(page)).not.toBe(before);
    });

    it('is downloaded as a PNG with its making inside', async () => {
      const page = await open(unit);
      await done(page, '.large');
      const [download] = await Promise.all([page.waitForEvent('download'), page.click('text=Download PNG')]);
      expect(download.suggestedFilename()).toBe('conv2_block1_out-5.png');
      const { raster, text } = decodePng(readFileSync(await download.path()));
      expect(raster.width).toBe(44);
      expect(JSON.parse(text['phosphene']!)).toMatchObject({
        recipe: { steps: 4, size: { height: 48 }, objective: { layer: 'conv2_block1_out', channel: 5, border: 1 } },
      });
    });

    it('says how to make it, and changes with its settings', async () => {
      const page = await open(unit);
      await done(page, '.large');
      expect(await page.locator('pre[aria-label=command]').textContent()).toBe(
        'phosphene render resnet50v2-mini --layer conv2_block1_out --filters 5 --preset fast --size 48 --steps 4 --crop 2 --border 1',
      );
      expect(await page.locator('pre[aria-label=TypeScript]').textContent()).toContain(
        "{ layer: 'conv2_block1_out', channels: [5], preset: 'fast', size: 48, steps: 4, finish: { crop: 2 }, border: 1 }",
      );
      await page.click('summary:text("Settings")');
      await page.fill('#set-steps', '6');
      await page.keyboard.press('Enter');
      await page.waitForSelector('.large .facts:text("6 steps")');
      await page.fill('#set-steps', 'many');
      await page.keyboard.press('Enter');
      await page.waitForSelector('.large [role=alert]:text("a whole number")');
      await page.click('text=Back to the preset');
      await expect.poll(() => page.url()).toMatch(/conv2_block1_out\/5$/);
    });

    it('shows other seeds, each a place to go to', async () => {
      const page = await open(unit);
      await done(page, '.strip');
      await page.click('[aria-label="Seed 2"]');
      await expect.poll(() => page.url()).toContain('seed=2');
      expect(await page.inputValue('#seed')).toBe('2');
    });

    it('shows the finished picture alone to who wants little movement', async () => {
      const page = await open(unit, { still: true });
      await done(page, '.large');
      expect(await page.locator('input[type=range]').count()).toBe(0);
    });
  });

  it('says what cannot be shown, and where to go', async () => {
    const page = await open('#/resnet50v2-mini/nowhere');
    await page.waitForSelector('text=There is no layer “nowhere”');
    await page.click('text=All its layers');
    await page.waitForSelector('.map');
    await to(page, '#/resnet50v2-mini/conv2_block1_out/256');
    await page.waitForSelector('text=has no channel 256');
    await to(page, '#/%E0%A4%A/%/x?%&&=&seed=%zz');
    await page.waitForSelector('.failed h1:text("%E0%A4%A")');
  });

  it.each([
    [360, false],
    [1000, true],
  ])('is accessible and fits at %i px (dark: %s)', async (width, dark) => {
    for (const hash of [
      MINI,
      `#/resnet50v2-mini/conv2_block1_out?size=48&${QUICK}`,
      `#/resnet50v2-mini/conv2_block1_out/5?size=48&${QUICK}`,
    ]) {
      const page = await open(hash, { width, dark });
      await done(page);
      if (hash.includes('/5')) await page.click('summary:text("Settings")');
      expect(await barriers(page)).toEqual([]);
      expect(here.now!.faults).toEqual([]);
      await page.context().close();
    }
    here.now = undefined;
  });

  it('goes on when a worker dies', async () => {
    const page = await open('#/nothing@000000000000');
    await drop(page, tiny);
    await page.waitForSelector('h1:text("tiny.onnx")');
    await done(page, '.block');
    const workers = page.workers();
    expect(workers.length).toBeGreaterThan(0);
    const desk = workers.find((w) => w.url().includes('desk'))!;
    await desk.evaluate("setTimeout(() => { throw new Error('boom'); })");
    await to(page, `${new URL(page.url()).hash}/deep/7?steps=3`);
    await page.waitForSelector('h1:text("Channel 7")');
    await done(page, '.large');
    here.now!.faults.length = 0;
  });

  describe('an engine', () => {
    /** The page on a host whose engines begin with a script that depends on how many there were before. */
    const withEngines = async (
      script: (before: number) => string,
      see: (page: Page, starts: () => number) => Promise<void>,
    ): Promise<void> => {
      let starts = 0;
      const own = await staticHost(undefined, (path) => (/engine-[^/]*\.js$/.test(path) ? script(starts++) : ''));
      try {
        here.now = await visit(here.browser, own.url, '#/nothing@000000000000');
        const { page } = here.now;
        await drop(page, tiny);
        await page.waitForSelector('h1:text("tiny.onnx")');
        await to(page, `${new URL(page.url()).hash}/deep/7?${QUICK}`);
        await see(page, () => starts);
        // What holds the networks is not to blame, and was not started anew.
        expect(here.now.requests.filter((url) => url.includes('desk'))).toHaveLength(1);
        expect(await page.locator('.trouble').count()).toBe(0);
        here.now.faults.length = 0;
      } finally {
        own.close();
      }
    };

    it('dies in the middle of a picture, and another one makes it', async () => {
      const dies =
        "addEventListener('message', ({ data }) => data.type === 'job' && setTimeout(() => { throw new Error('boom'); }));";
      await withEngines(
        (before) => (before === 0 ? dies : ''),
        async (page, starts) => {
          await done(page, '.large');
          expect(starts()).toBeGreaterThan(1);
        },
      );
    });

    it('dies again and again, and the page says so', async () => {
      await withEngines(
        () => "throw new Error('boom');",
        async (page) => {
          await page.waitForSelector('.large [role=alert]:has-text("a worker failed")');
        },
      );
    });
  });

  it('has the licenses of all that others wrote beside it', async () => {
    const page = await open('#/nothing@000000000000');
    await page.waitForSelector('.foot a');
    const address = await page.evaluate<string>("[...document.querySelectorAll('.foot a')].at(-1).href");
    const text = await (await fetch(address)).text();
    for (const name of [
      'preact',
      '@preact/signals',
      'onnxruntime-web',
      '@bufbuild/protobuf',
      'fflate',
      '@fontsource-variable/inter',
    ])
      expect(text).toMatch(new RegExp(`^${name} \\d`, 'm'));
    expect(text).toContain('Copyright (c) Microsoft Corporation');
    expect(text).toContain('SIL OPEN FONT LICENSE');
  });

  it('does not grow with the units that were seen', async () => {
    const page = await open('#/nothing@000000000000');
    await drop(page, tiny);
    await page.waitForSelector('h1:text("tiny.onnx")');
    const { hash } = new URL(page.url());
    const session = await page.context().newCDPSession(page);
    const heap = async (): Promise<number> => {
      await session.send('HeapProfiler.collectGarbage');
      return (await session.send('Runtime.getHeapUsage')).usedSize;
    };
    const see = async (from: number, end: number): Promise<void> => {
      for (let i = from; i < end; i++) {
        await to(page, `${hash}/deep/${i % 24}?steps=2&seed=${i}`);
        await page.waitForSelector(`h1:text("Channel ${i % 24}")`);
        await done(page, '.large');
      }
    };
    const units = Number(process.env['EXPLORER_UNITS'] ?? 60);
    await see(0, units / 3);
    const before = await heap();
    await see(units / 3, units);
    expect((await heap()) - before).toBeLessThan(6e6);
  });
});
