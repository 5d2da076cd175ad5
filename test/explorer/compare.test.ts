/** @file Side by side in the explorer: units, layers, models and checkpoints, with one seed, at an address that can be sent. */
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { barriers, executable, tinyNetwork, visits } from './browser.ts';

const file = (name: string, seed: string) => ({
  name,
  mimeType: '',
  buffer: Buffer.from(tinyNetwork('deep', 24, seed)),
});
const [early, late] = [file('early.onnx', 'early'), file('late.onnx', 'late')];
const QUICK = 'steps=3&crop=1&border=1';
const UNIT = `#/resnet50v2-mini/conv1_conv/2?size=48&${QUICK}`;

describe.skipIf(executable === undefined)('side by side in the explorer (needs Chromium)', { timeout: 180_000 }, () => {
  const { open } = visits();
  const to = (page: Page, hash: string): Promise<unknown> => page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  const done = (page: Page, count: number, within = '.side .large'): Promise<void> =>
    expect.poll(() => page.locator(`${within} .picture[data-state=done]`).count(), { timeout: 60_000 }).toBe(count);
  /** A checkpoint of the visitor, with a unit of it pinned, where units are compared. */
  const comparing = async (): Promise<Page> => {
    const page = await open('#/nothing@000000000000');
    await page.setInputFiles('header input[type=file]', early);
    await page.waitForSelector('h1:text("early.onnx")');
    await to(page, `${new URL(page.url()).hash}/deep/4?${QUICK}`);
    await page.click('text=Pin to compare');
    await page.click('.pins >> text=Compare');
    return page;
  };
  /** What the large pictures look like once they stand still: a canvas is painted a moment after its state is told. */
  const pictures = async (page: Page): Promise<string[]> => {
    const read = (): Promise<string[]> =>
      page.evaluate<string[]>("[...document.querySelectorAll('.large canvas')].map((canvas) => canvas.toDataURL())");
    let last: string[];
    let now = await read();
    do {
      last = now;
      await page.waitForTimeout(200);
      now = await read();
    } while (now.join() !== last.join());
    return now;
  };

  it('pins units from page to page, shows them with one seed, and can be sent', async () => {
    const page = await open(UNIT);
    await page.waitForSelector('.large .picture[data-state=done]');
    const [alone] = await pictures(page);
    await page.click('text=Pin to compare');
    await page.waitForSelector('.pins li');
    await page.click('[aria-label="Channel 3"]');
    await page.waitForSelector('h1:text("Channel 3")');
    await page.click('text=Pin to compare');
    await page.waitForSelector('button[aria-pressed=true]:text("Pinned")');
    expect(await page.locator('.pins li').count()).toBe(2);
    await page.click('.pins >> text=Compare');
    await page.waitForSelector('h1:text("Side by side")');
    await done(page, 2);
    const both = await pictures(page);
    expect(both[0]).toBe(alone);
    expect(both[1]).not.toBe(alone);
    const link = new URL(page.url()).hash;
    expect(link).toContain('pin=resnet50v2-mini%2Fconv1_conv%2F2&pin=resnet50v2-mini%2Fconv1_conv%2F3');
    expect(await page.title()).toContain('Compare');

    await page.fill('#seed', '5');
    await page.keyboard.press('Enter');
    await expect.poll(async () => (await pictures(page))[1]).not.toBe(both[1]);
    await done(page, 2);
    // One step for all of them.
    const last = await pictures(page);
    await page.locator('input[type=range]').first().fill('1');
    await expect.poll(async () => (await pictures(page)).every((picture, i) => picture !== last[i])).toBe(true);
    expect(page.url()).toContain('step=1');
    await page.click('[aria-label^="Unpin conv1_conv 3"]');
    expect(await page.locator('.side').count()).toBe(1);
    await page.goBack();
    await page.waitForSelector('h1:text("Channel 3")');
    await page.context().close();

    const other = await open(link);
    await done(other, 2);
    expect(await pictures(other)).toEqual(both);
  });

  it('shows two layers, channel beside channel', async () => {
    const page = await open(
      `#/?view=compare&pin=resnet50v2-mini/conv1_conv&pin=resnet50v2-mini/conv2_block1_out&size=48&${QUICK}`,
    );
    await page.waitForSelector('.side .strip .picture[data-state=done]');
    const names = (side: number): Promise<string[]> =>
      page.locator(`.side >> nth=${side} >> .number`).allTextContents();
    await expect.poll(async () => (await names(0)).length).toBe(24);
    expect(await names(1)).toEqual(await names(0));
    await page.click('text=More channels');
    await expect.poll(async () => (await names(1)).length).toBe(48);
    await page.click('.side >> nth=1 >> .strip a >> nth=2');
    await page.waitForSelector('h1:has-text("of 256 in conv2_block1_out")');
    expect(await page.locator('.pins li').count()).toBe(2);
  });

  it('shows two checkpoints of the visitor, the second as it is opened, and a link asks for both', async () => {
    const page = await comparing();
    await done(page, 1);
    await page.setInputFiles('header input[type=file]', late);
    await done(page, 2);
    const both = await pictures(page);
    expect(both[0]).not.toBe(both[1]);
    expect(await page.locator('.side h2').allTextContents()).toEqual(['deep 4', 'deep 4']);
    expect(await page.locator('.side-head .facts').allTextContents()).toEqual([
      expect.stringContaining('early.onnx'),
      expect.stringContaining('late.onnx'),
    ]);
    const link = new URL(page.url()).hash;
    await page.context().close();
    const other = await open(link);
    await other.waitForSelector('.side h1:text("early.onnx")');
    await other.setInputFiles('.side >> nth=0 >> input', early);
    await expect.poll(() => other.locator('.side .failed').count()).toBe(1);
    await other.setInputFiles('.side >> nth=1 >> input', late);
    await done(other, 2);
    expect(await pictures(other)).toEqual(both);
  });

  it('puts the same place of a known model beside it', async () => {
    const page = await comparing();
    await page.selectOption('#beside', 'resnet50v2-mini');
    await page.waitForSelector('.side [role=alert]:text("resnet50v2-mini has no layer “deep”.")');
  });

  it('says what of a link cannot be shown, and takes any address', async () => {
    const pins = [
      'resnet50v2-mini/nowhere',
      'resnet50v2-mini/conv1_conv/999',
      'ghost/x/1',
      'resnet50v2-mini/conv1_conv/1',
    ];
    const page = await open(`#/?view=compare&${pins.map((pin) => `pin=${pin}`).join('&')}&pin=a/b&size=48&${QUICK}`);
    await page.waitForSelector('[role=alert]:text("has no layer “nowhere”")');
    await page.waitForSelector('[role=alert]:text("has no channel 999")');
    await done(page, 1);
    expect(await page.locator('.side').count()).toBe(4);
    await to(page, '#/?view=compare&pin=%&pin=&pin=//&pin=x');
    await page.waitForSelector('text=Nothing is pinned');
  });

  it.each([
    [360, false],
    [1000, true],
  ])('is accessible and fits at %i px (dark: %s)', async (width, dark) => {
    const page = await open(UNIT, { width, dark });
    await page.waitForSelector('.large .picture[data-state=done]');
    await page.focus('text=Pin to compare');
    await page.keyboard.press('Enter');
    await page.waitForSelector('.pins .picture[data-state=done]');
    expect(await barriers(page)).toEqual([]);
    await to(
      page,
      `#/?view=compare&pin=resnet50v2-mini/conv1_conv/1&pin=resnet50v2-mini/conv2_block1_out&size=48&${QUICK}`,
    );
    await done(page, 1);
    expect(await barriers(page)).toEqual([]);
  });
});
