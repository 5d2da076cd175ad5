/** @file Photos in the explorer: what is shown of them is what the network's own graph says, and they stay where they are. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { openNetwork } from '../../src/import/formats.ts';
import { bytesSource } from '../../src/import/source.ts';
import { encodePng } from '../../src/output/png.ts';
import { raster, type Raster } from '../../src/output/raster.ts';
import { photoTensor } from '../../src/photo/photo.ts';
import { Random } from '../../src/random.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { temporary } from '../cli/command.ts';
import { barriers, executable, tinyNetwork, type visit, visits } from './browser.ts';

const bytes = tinyNetwork();
const model = { name: 'tiny.onnx', mimeType: '', buffer: Buffer.from(bytes) };
/** Noise of the size that the network takes, so that nothing is scaled. */
const noise = (seed: string): Raster =>
  raster(
    32,
    32,
    Uint8Array.from(new Random(seed).uniform(32 * 32 * 3, 0, 256), (v) => v),
  );
const file = (name: string, picture: Raster) => ({
  name,
  mimeType: 'image/png',
  buffer: Buffer.from(encodePng(picture)),
});
const jpeg = fileURLToPath(new URL('../photo/files/orientation-6.jpg', import.meta.url));
const QUICK = 'steps=2&size=32&crop=1&border=1';

interface Activation {
  readonly channels: number;
  readonly side: number;
  readonly data: Float32Array;
}
async function activationOf(picture: Raster): Promise<Activation> {
  const network = await openNetwork(bytesSource('tiny.onnx', bytes));
  const program = await nodeRuntime.compile(await network.cut(['deep'], picture));
  const { deep } = await program.run({ image: photoTensor(picture) });
  const [, channels, side] = deep!.dims as readonly [number, number, number, number];
  return { channels, side, data: deep!.data as Float32Array };
}
/** Channels by their greatest value among some places, the strongest first, as the page says it. */
function strongest({ channels, side, data }: Activation, only?: number): string[] {
  const places = only === undefined ? Array.from({ length: side * side }, (_, i) => i) : [only];
  return Array.from({ length: channels }, (_, channel) => ({
    channel,
    value: Math.max(...places.map((place) => data[channel * side * side + place]!)),
  }))
    .sort((a, b) => b.value - a.value)
    .map(({ channel }) => `Channel ${channel}`);
}

describe.skipIf(executable === undefined)('photos in the explorer (needs Chromium)', { timeout: 180_000 }, () => {
  const { open: opened } = visits();

  /** The photo view of the tiny network. */
  const open = async (hash = '', how?: Parameters<typeof visit>[3]): Promise<Page> => {
    const page = await opened('#/nothing@000000000000', how);
    await page.setInputFiles('header input[type=file]', model);
    await page.waitForSelector('h1:text("tiny.onnx")');
    await page.evaluate(`location.hash += ${JSON.stringify(`${hash}?view=photo&${QUICK}`)}`);
    await page.waitForSelector('.sources');
    return page;
  };
  const choose = (page: Page, ...files: ReturnType<typeof file>[]): Promise<void> =>
    page.setInputFiles('.sources input >> nth=0', files);
  /** The channels of the first list, as they are read out, without their numbers. */
  const listed = (page: Page, within = 'section .strip'): Promise<string[]> =>
    page
      .locator(`${within} a[aria-label^="Channel"]`)
      .evaluateAll((links) => links.map((link) => link.getAttribute('aria-label')!.replace(/ [^ ]*$/, '')));

  it('shows the strongest channels of each block, then those of a layer, with their pictures', async () => {
    const page = await open();
    const picture = noise('a');
    await choose(page, file('a.png', picture));
    await page.waitForSelector('section h2 a:text("deep")');
    const all = strongest(await activationOf(picture));
    expect(await listed(page, 'section:has(a:text("deep")) .strip')).toEqual(all.slice(0, 6));
    await page.click('section h2 a:text("deep")');
    await page.waitForSelector('h2:text("Fires most")');
    await expect.poll(() => listed(page)).toEqual(all);
    await page.waitForSelector('section .strip .picture[data-state=done]');
    await page.selectOption('#order', 'mean');
    await expect.poll(() => listed(page)).not.toEqual(all);
    await page.goBack();
    await page.waitForSelector('section h2 a:text("deep")');
  });

  it('shows what fires at a place, by mouse and by keyboard, and the address says where', async () => {
    const page = await open('/deep');
    const picture = noise('b');
    const activation = await activationOf(picture);
    const { side } = activation;
    await choose(page, file('b.png', picture));
    await page.waitForSelector('h2:text("Fires most")');
    const box = (await page.locator('.surface').boundingBox())!;
    await page.mouse.click(box.x + box.width * 0.26, box.y + box.height * 0.74);
    await page.waitForSelector('h2:text("Fires at that place")');
    const at = (x: number, y: number): string[] =>
      strongest(activation, Math.floor(y * side) * side + Math.floor(x * side));
    await expect.poll(() => listed(page)).toEqual(at(0.26, 0.74));
    expect(page.url()).toMatch(/place=0\.2[56]\d*%2C0\.7[34]/);
    await page.focus('.surface button');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => listed(page)).toEqual(at(0.31, 0.74));
    await page.keyboard.press('ArrowUp');
    await expect.poll(() => listed(page)).toEqual(at(0.31, 0.69));
    expect(await page.locator('[aria-live=polite]').textContent()).toBe('31 % from the left, 69 % from the top');
    await page.keyboard.press('Escape');
    await page.waitForSelector('h2:text("Fires most")');
    await page.keyboard.press('Enter');
    await page.waitForSelector('h2:text("Fires at that place")');
    expect(page.url()).toContain('place=0.5%2C0.5');
  });

  it('shows the heat of a channel over the photo: what it does not fire for is dark', async () => {
    const page = await open('/deep');
    const picture = noise('c');
    const { side, data } = await activationOf(picture);
    await choose(page, file('c.png', picture));
    await page.click('section .strip a[aria-label^="Channel 7 "]');
    await page.waitForSelector('.chosen .facts:has-text("Fires up to")');
    const veil = await page.evaluate<number[]>(`(() => {
      const canvas = document.querySelector('.veil');
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return Array.from({ length: data.length / 4 }, (_, i) => data[4 * i + 3]);
    })()`);
    const heat = data.subarray(7 * side * side, 8 * side * side);
    const top = Math.max(...heat);
    expect(veil).toHaveLength(side * side);
    for (const [i, value] of heat.entries())
      expect(Math.abs(veil[i]! - 200 * (1 - Math.max(0, value) / top))).toBeLessThan(2);
    await page.click('.chosen a[aria-label*="own page"]');
    await page.waitForSelector('h1:text("Channel 7")');
    await page.goBack();
    // The photo is still there.
    await page.waitForSelector('.chosen .facts:has-text("Fires up to")');
  });

  it('finds the best patches of each unit in a folder, by whatever names its photos have', async () => {
    const page = await open('/deep');
    const folder = join(temporary(), 'photos');
    mkdirSync(join(folder, 'inside'), { recursive: true });
    const pictures = ['one', 'two', 'three'].map(noise);
    writeFileSync(join(folder, '1.png'), encodePng(pictures[0]!));
    writeFileSync(join(folder, '2.png'), encodePng(pictures[1]!));
    writeFileSync(join(folder, 'inside', '10 <b>.png'), encodePng(pictures[2]!));
    writeFileSync(join(folder, 'notes.txt'), 'no photo');
    await page.setInputFiles('.sources input >> nth=1', folder);
    await page.waitForSelector('h2:text("Best patches of 3 photos")');
    await page.waitForSelector('text=For each channel, the places at which it fires most.');
    const peaks = await Promise.all(
      pictures.map(async (picture) => {
        const { side, data } = await activationOf(picture);
        return Math.max(...data.subarray(5 * side * side, 6 * side * side));
      }),
    );
    const names = ['1.png', '2.png', '10 <b>.png'];
    const order = names.toSorted((a, b) => peaks[names.indexOf(b)]! - peaks[names.indexOf(a)]!);
    for (let more = await page.locator('text=More channels').count(); more > 0; more--)
      await page.click('text=More channels');
    const found = page.locator('ul[aria-label="Channel 5"] a[title]');
    expect(await found.evaluateAll((links) => links.map((l) => l.getAttribute('title')))).toEqual(order);
    await found.first().click();
    await page.waitForSelector(`.thumbs a[aria-current=true][aria-label="${order[0]}"]`);
    await page.waitForSelector('.chosen h2:text("Channel 5")');
    expect(await page.locator('.surface').count()).toBe(1);
  });

  it('turns photos upright, and says which file is none', async () => {
    const page = await open('/deep');
    await page.setInputFiles('.sources input >> nth=0', jpeg);
    await page.waitForSelector('h2:text("Fires most")');
    await page.setInputFiles('.sources input >> nth=0', {
      name: 'broken.jpg',
      mimeType: 'image/jpeg',
      buffer: Buffer.from('no photo'),
    });
    await page.waitForSelector('.large [role=alert]:text("broken.jpg cannot be read as a photo by this browser.")');
    await page.setInputFiles('.sources input >> nth=0', {
      name: 'a.txt',
      mimeType: 'text/plain',
      buffer: Buffer.from('a'),
    });
    await page.waitForSelector('[role=alert]:text("There is no photo among these files.")');
  });

  it('takes photos that are dropped anywhere', async () => {
    const page = await open();
    await page.evaluate("location.hash = location.hash.split('?')[0]");
    await page.waitForSelector('.map');
    const png = Buffer.from(encodePng(noise('d'))).toString('base64');
    await page.evaluate(`(() => {
      const data = new DataTransfer();
      const bytes = Uint8Array.from(atob('${png}'), (c) => c.charCodeAt(0));
      data.items.add(new File([bytes], 'd.png', { type: 'image/png' }));
      dispatchEvent(new DragEvent('drop', { dataTransfer: data, cancelable: true }));
    })()`);
    await page.waitForSelector('section h2 a:text("deep")');
  });

  it('looks through the camera, keeps a moment of it, and lets it go', async () => {
    const page = await open('/deep');
    await page.evaluate(`(() => {
      const { mediaDevices } = navigator;
      const ask = mediaDevices.getUserMedia.bind(mediaDevices);
      mediaDevices.getUserMedia = async (wanted) => {
        globalThis.wanted = wanted;
        return (globalThis.stream = await ask(wanted));
      };
    })()`);
    await page.click('text=Use the camera');
    await page.waitForSelector('h2:text("Fires most")');
    const looks = (): Promise<string> => page.evaluate<string>("document.querySelector('.surface canvas').toDataURL()");
    const first = await looks();
    // The test picture of the camera moves.
    await expect.poll(looks, { timeout: 20_000 }).not.toBe(first);
    const live = (): Promise<boolean> =>
      page.evaluate<boolean>("stream.getTracks().some((t) => t.readyState === 'live')");
    expect(await page.evaluate('wanted.audio ?? false')).toBe(false);
    expect(await live()).toBe(true);
    await page.click('text=Keep this moment');
    await page.waitForSelector('text=Use the camera');
    expect(await live()).toBe(false);
    await page.waitForSelector('h2:text("Fires most")');
    await page.click('text=Use the camera');
    await expect.poll(live).toBe(true);
    await page.evaluate("location.hash = location.hash.replace('view=photo', '')");
    await page.waitForSelector('.grid');
    expect(await live()).toBe(false);
  });

  it('says why there is no camera', async () => {
    const page = await open('/deep');
    await page.evaluate(
      "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('Permission denied', 'NotAllowedError'))",
    );
    await page.click('text=Use the camera');
    await page.waitForSelector('[role=alert]:text("The camera cannot be used: Permission denied")');
  });

  it('sends nothing anywhere', async () => {
    const page = await open('/deep');
    const sent: string[] = [];
    page.on('request', (request) => {
      if (request.method() !== 'GET' || request.postData() !== null) sent.push(request.url());
    });
    await choose(page, file('e.png', noise('e')));
    await page.waitForSelector('section .strip .picture[data-state=done]');
    expect(sent).toEqual([]);
  });

  it.each([
    [360, false],
    [1000, true],
  ])('is accessible and fits at %i px (dark: %s)', async (width, dark) => {
    const page = await open('/deep', { width, dark });
    expect(await barriers(page)).toEqual([]);
    await choose(page, file('f.png', noise('f')), file('g.png', noise('g')));
    await page.waitForSelector('text=For each channel, the places at which it fires most.');
    await page.click('section .strip a >> nth=0');
    await page.waitForSelector('.chosen .facts:has-text("Fires up to")');
    await page.focus('.surface button');
    await page.keyboard.press('Enter');
    await page.waitForSelector('h2:text("Fires at that place")');
    expect(await barriers(page)).toEqual([]);
  });
});
