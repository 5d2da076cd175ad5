/** @file How the explorer looks: a page fed from pictures made beforehand, compared with screenshots that a person has looked at. */
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodePng } from '../../src/output/png.ts';
import { phosphene, temporary } from '../cli/command.ts';
import { expectPicture } from '../pictures.ts';
import { executable, launch, staticHost, visit } from './browser.ts';

describe.skipIf(executable === undefined)('the explorer, to an eye (needs Chromium)', { timeout: 240_000 }, () => {
  let browser: Browser;
  let host: Awaited<ReturnType<typeof staticHost>>;
  beforeAll(async () => {
    const out = join(temporary(), 'site');
    const { code } = await phosphene(['site', out, '--layers', 'conv2_block1_out', '--filters', '0-11', '--quiet']);
    expect(code).toBe(0);
    [browser, host] = await Promise.all([launch(), staticHost(out)]);
  }, 240_000);
  afterAll(async () => {
    await browser?.close();
    host?.close();
  });

  it.each([
    ['layer-wide-light', 800, 480, false, 12],
    ['layer-narrow-dark', 360, 560, true, 6],
  ] as const)('is as it was: %s', async (name, width, height, dark, seen) => {
    const how = { width, height, dark, still: true };
    const { page, faults } = await visit(browser, host.url, '#/resnet50v2-mini/conv2_block1_out', how);
    // All that can be seen was made beforehand.
    for (let channel = 0; channel < seen; channel++)
      await page.waitForSelector(`.grid a[data-channel="${channel}"] .picture[data-state=done]`);
    await page.evaluate('document.fonts.ready');
    expectPicture(decodePng(await page.screenshot()).raster, name);
    expect(faults).toEqual([]);
    await page.context().close();
  });
});
