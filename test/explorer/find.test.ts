/** @file Finding in the explorer: layers and channels by name and number, any unit, orders of a layer, and what is alike. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { openNetwork } from '../../src/import/formats.ts';
import { bytesSource } from '../../src/import/source.ts';
import { createPool } from '../../src/jobs/pool.ts';
import { nearestTo, portraitOf } from '../../src/jobs/study.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { inlineHost } from '../jobs/hosts.ts';
import { barriers, executable, tinyNetwork, type visit, visits } from './browser.ts';

const QUICK = 'steps=2&crop=1&border=1';
const bytes = tinyNetwork();
const tiny = { name: 'tiny.onnx', mimeType: '', buffer: Buffer.from(bytes) };

describe.skipIf(executable === undefined)('finding in the explorer (needs Chromium)', { timeout: 180_000 }, () => {
  const { open } = visits();
  /** The tiny network, at a place of it. */
  const opened = async (place: string, how?: Parameters<typeof visit>[3], settings = QUICK): Promise<Page> => {
    const page = await open('#/nothing@000000000000', how);
    await page.setInputFiles('header input[type=file]', tiny);
    await page.waitForSelector('h1:text("tiny.onnx")');
    await page.evaluate(`location.hash += ${JSON.stringify(`${place}?${settings}`)}`);
    return page;
  };
  const found = (page: Page): Promise<string[]> => page.locator('.find li a').allTextContents();
  /** The native engine on what the page computes as WebAssembly. */
  const natively = async <T>(
    ask: (
      network: Awaited<ReturnType<typeof openNetwork>>,
      engine: { pool: ReturnType<typeof createPool>; lowering: 'cpu' },
    ) => Promise<T>,
  ): Promise<T> => {
    await using pool = createPool(inlineHost(nodeRuntime));
    await using network = await openNetwork(bytesSource('tiny.onnx', bytes));
    return await ask(network, { pool, lowering: 'cpu' });
  };

  it('finds layers and channels by a few letters, without a mouse', async () => {
    const page = await open(`#/resnet50v2-mini/conv1_conv?size=48&${QUICK}`);
    await page.waitForSelector('.grid');
    await page.keyboard.press('/');
    await page.waitForSelector('dialog[open]');
    await page.keyboard.type('conv3_block4_o');
    await expect.poll(() => found(page)).toEqual([expect.stringMatching(/^conv3_block4_out Add/)]);
    await page.keyboard.type('ut 12');
    await expect.poll(() => found(page)).toEqual([expect.stringMatching(/^conv3_block4_out 12 /)]);
    await page.keyboard.press('Enter');
    await page.waitForSelector('h1:text("Channel 12")');
    expect(await page.locator('dialog[open]').count()).toBe(0);
    expect(page.url()).toContain(`#/resnet50v2-mini/conv3_block4_out/12?steps=2`);
    await page.goBack();
    await page.waitForSelector('h1:text("conv1_conv")');

    // A number is a channel of the layer that is seen; arrows lead through what is found.
    await page.keyboard.press('/');
    await page.keyboard.type('7');
    await expect.poll(async () => (await found(page))[0]).toMatch(/^conv1_conv 7 /);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.waitForSelector('h1:text("Channel 7")');

    await page.click('text=Find');
    await page.keyboard.type('relu conv2 255');
    await expect.poll(async () => (await found(page)).length).toBeGreaterThan(0);
    for (const text of await found(page)) expect(text).toMatch(/conv2.* 255 .*(relu|Activation)/i);
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type('nothing of the kind');
    await page.waitForSelector('text=Nothing is called that.');
    await page.keyboard.press('Escape');
    expect(await page.locator('dialog[open]').count()).toBe(0);
  });

  it('goes to any unit', async () => {
    const page = await open(`#/resnet50v2-mini/conv1_conv?size=48&${QUICK}`);
    await page.waitForSelector('.grid');
    await page.keyboard.press('/');
    await page.click('.find >> text=Any unit');
    await page.waitForSelector('.large');
    expect(page.url()).toMatch(/#\/resnet50v2-mini\/[^/]+\/\d+\?/);
  });

  it.each([
    ['strongest', 'peak', -1],
    ['odd', 'likeness', 1],
    ['dead', 'spread', 1],
  ] as const)('orders the channels of a layer: %s', async (order, by, sign) => {
    // No picture of one step is found wanting, which would move its channel as soon as it is there.
    const page = await opened('/deep', undefined, 'steps=1&crop=1&border=1');
    await page.waitForSelector('.grid');
    await page.selectOption('#order', order);
    const portrait = await natively((network, engine) =>
      portraitOf(network, 'deep', { height: 32, width: 32 }, engine),
    );
    const values = portrait[by];
    const sorted = Array.from(values.keys()).toSorted((a, b) => sign * (values[a]! - values[b]!));
    const shown = (): Promise<(string | null)[]> =>
      page
        .locator('.grid li')
        .evaluateAll((items) =>
          items
            .toSorted((a, b) => Number(a.getAttribute('aria-posinset')) - Number(b.getAttribute('aria-posinset')))
            .map((item) => item.querySelector('a')!.getAttribute('data-channel')),
        );
    await expect.poll(shown, { timeout: 20_000 }).toEqual(sorted.map(String));
    await expect.poll(() => page.url()).toContain(`order=${order}`);
    // The grid goes by places, whatever stands there.
    await page.focus(`.grid a[data-channel="${sorted[0]}"]`);
    await page.keyboard.press('ArrowRight');
    await expect
      .poll(() => page.evaluate("document.activeElement?.getAttribute('data-channel')"))
      .toBe(String(sorted[1]));
    await page.keyboard.press('Enter');
    await page.waitForSelector(`h1:text("Channel ${sorted[1]}")`);
    await page.goBack();
    await expect.poll(shown, { timeout: 20_000 }).toEqual(sorted.map(String));
  });

  it('puts pictures that show little before those that show much', async () => {
    const page = await open('#/nothing@000000000000');
    await page.setInputFiles('header input[type=file]', tiny);
    await page.waitForSelector('h1:text("tiny.onnx")');
    // Nothing rises at this rate, so that every picture that is seen has a diagnosis.
    await page.evaluate("location.hash += '/deep?steps=3&crop=1&border=1&rate=1e-30'");
    await page.waitForSelector('.grid .picture[data-state=done]');
    await expect
      .poll(() => page.locator('.grid .picture[data-state=done][title]').count(), { timeout: 20_000 })
      .toBeGreaterThan(3);
    await page.selectOption('#order', 'dead');
    await page.waitForSelector('.ordered:has-text("Every channel answers to noise")');
    await page.waitForSelector('.ordered:has-text("seen so far show little")');
  });

  it('shows on the page of a unit what is like it, by activation and by weights', async () => {
    const page = await opened('/deep/3');
    await page.waitForSelector('.nearest');
    await page.locator('.nearest').scrollIntoViewIfNeeded();
    await page.waitForSelector('.nearest .strip a');
    const nearest = await natively((network, engine) =>
      nearestTo(network, 'deep', 3, { height: 32, width: 32 }, engine),
    );
    const listed = (title: string): Promise<string[]> =>
      page
        .locator(`.nearest section:has(h2:text("${title}")) a`)
        .evaluateAll((links) => links.map((link) => link.getAttribute('aria-label')!.split(' ')[1]!));
    expect(await listed('Fires where it fires')).toEqual(nearest.byActivation.map(({ channel }) => String(channel)));
    expect(await listed('Has weights like its own')).toEqual(nearest.byWeights!.map(({ channel }) => String(channel)));
    await page.click(`.nearest a >> nth=0`);
    await page.waitForSelector(`h1:text("Channel ${nearest.byActivation[0]!.channel}")`);
  });

  it.each([
    [360, false],
    [1000, true],
  ])('is accessible and fits at %i px (dark: %s)', async (width, dark) => {
    const page = await opened('/deep', { width, dark });
    await page.waitForSelector('.grid .picture[data-state=done]');
    await page.selectOption('#order', 'odd');
    await page.waitForSelector('.ordered');
    expect(await barriers(page)).toEqual([]);
    await page.keyboard.press('/');
    expect(await barriers(page)).toEqual([]);
    await page.keyboard.type('deep');
    await page.waitForSelector('.find li a:has-text("deep")');
    expect(await barriers(page)).toEqual([]);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.grid');
    await page.click('.grid a[data-channel="1"]');
    await page.locator('.nearest').scrollIntoViewIfNeeded();
    await page.waitForSelector('.nearest .strip a');
    expect(await barriers(page)).toEqual([]);
  });
});
