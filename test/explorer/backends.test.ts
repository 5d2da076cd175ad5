/** @file One suite over the three ways to the page: computed in it, by a server on this machine, and made beforehand. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { phosphene, temporary } from '../cli/command.ts';
import { executable, launch, staticHost, visit } from './browser.ts';

const main = fileURLToPath(new URL('../../dist/bundle/main.js', import.meta.url));

/** `phosphene explore`, once it has printed its address. */
async function explore(port: number, cache: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [main, 'explore', '--no-open', '--port', String(port), '--cache', cache]);
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (piece: Buffer) => {
      text += piece.toString();
      const found = /^http\S+/.exec(text);
      if (found) resolve(found[0]);
    });
    child.on('exit', () => reject(new Error(`explore ended: ${text}`)));
  });
  return { child, url };
}
const end = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.on('exit', () => resolve());
    child.kill('SIGTERM');
  });

const photo = fileURLToPath(new URL('../photo/files/plain.jpg', import.meta.url));
/** What each way said of it. */
const answers: string[] = [];
const strongest: string[] = [];

/** Each way to the page, and how it is left. */
const ways = {
  'computed in the page': async () => staticHost(),
  'from a server': async () => {
    const { child, url } = await explore(41_731, temporary());
    return { url, close: () => end(child) };
  },
  'made beforehand': async () => {
    const out = join(temporary(), 'site');
    const { code, stderr } = await phosphene(['site', out, '--layers', 'conv1_conv', '--filters', '0-3']);
    expect([code, stderr]).toEqual([0, expect.stringContaining('4 pictures of 1 layer')]);
    return staticHost(out);
  },
};

describe.skipIf(executable === undefined)('the explorer (needs Chromium)', { timeout: 240_000 }, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  }, 60_000);
  afterAll(() => browser?.close());

  describe.each(Object.entries(ways))('%s', (_, start) => {
    let host: { url: string; close: () => unknown };
    beforeAll(async () => {
      host = await start();
    }, 240_000);
    afterAll(() => host?.close());

    it('shows the network, its layer and its unit, asks nobody else, and breaks no rule of its policy', async () => {
      const { page, faults } = await visit(browser, host.url, '#/');
      await page.waitForSelector('h1:text("resnet50v2-mini")');
      expect(await page.locator('.facts').first().textContent()).toContain('85 layers · 15,907 channels');
      await page.evaluate("location.hash = '#/resnet50v2-mini/conv1_conv'");
      await page.waitForSelector('.grid a[data-channel="2"] .picture[data-state=done]');
      await page.click('.grid a[data-channel="2"]');
      await page.waitForSelector('.large .picture[data-state=done]');
      expect(await page.locator('pre[aria-label=command]').textContent()).toBe(
        'phosphene render resnet50v2-mini --layer conv1_conv --filters 2 --preset fast',
      );
      // 180 pixels without 25 on each side.
      expect(await page.evaluate("document.querySelector('.large canvas').width")).toBe(130);
      expect(faults).toEqual([]);
      await page.context().close();
    });

    it('knows which channels are strong, and which are alike', async () => {
      const { page, faults } = await visit(browser, host.url, '#/resnet50v2-mini/conv1_conv?order=strongest');
      await page.waitForSelector('.ordered:has-text("greatest activation")');
      const [first] = await page
        .locator('.grid a')
        .evaluateAll((links) => links.map((a) => a.getAttribute('data-channel')));
      strongest.push(first);
      expect(new Set(strongest).size).toBe(1);
      expect(faults).toEqual([]);
      await page.context().close();
    });

    it('looks at a photo, which goes nowhere but to this machine', async () => {
      const { page, faults } = await visit(browser, host.url, '#/resnet50v2-mini/conv1_conv?view=photo');
      await page.setInputFiles('.sources input >> nth=0', photo);
      await page.waitForSelector('h2:text("Fires most")');
      const strongest = await page.waitForSelector('section .strip a >> nth=0');
      // The same channel, and nearly the same number, whoever computes it.
      expect(await strongest.getAttribute('aria-label')).toMatch(/^Channel \d+ [\d.]+$/);
      answers.push((await strongest.getAttribute('aria-label'))!);
      expect(new Set(answers.map((answer) => answer.slice(0, -2))).size).toBe(1);
      await strongest.click();
      await page.waitForSelector('.chosen .facts:has-text("Fires up to")');
      // The picture of the channel comes from where all pictures come from.
      await page.waitForSelector('.chosen .picture[data-state=done]');
      expect(faults).toEqual([]);
      await page.context().close();
    });
  });

  it('says what happened when its server ends, and when another takes its place', async () => {
    const cache = temporary();
    const first = await explore(41_732, cache);
    const { page } = await visit(browser, first.url, '#/resnet50v2-mini/conv1_conv/1?size=48&crop=2&steps=3');
    await page.waitForSelector('.large .picture[data-state=done]');
    await end(first.child);
    await page.waitForSelector('.trouble:text("The server does not answer")');
    const second = await explore(41_732, cache);
    await page.waitForSelector('.trouble:text("open the address that it prints")');
    await page.context().close();
    // What the first one made is kept.
    const again = await visit(browser, second.url, '#/resnet50v2-mini/conv1_conv/1?size=48&crop=2&steps=3', {
      still: true,
    });
    await again.page.waitForSelector('.large .picture[data-state=done]');
    await again.page.context().close();
    await end(second.child);
  });

  it('opens a site from its folder', async () => {
    const out = join(temporary(), 'site');
    await phosphene(['site', out, '--layers', 'conv1_conv', '--filters', '0-1', '--quiet']);
    const { page, faults } = await visit(browser, `file://${out}/index.html`, '#/resnet50v2-mini/conv1_conv/1');
    await page.waitForSelector('.large .picture[data-state=done]');
    expect(await page.locator('.large .facts').textContent()).toBe('Made beforehand');
    await page.evaluate("location.hash = '#/resnet50v2-mini/conv2_block1_out/1'");
    await page.waitForSelector('text=This page was opened as a file');
    await page.click('text=Photos');
    await page.waitForSelector('text=To look at photos, the page must compute');
    expect(faults).toEqual([]);
    await page.context().close();
  });
});
