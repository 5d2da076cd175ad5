/** @file A real browser for tests, and the built page in it. Where there is no browser, its tests are skipped. */
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { Builder } from '../../src/ir/builder.ts';
import { encodeOnnx } from '../../src/ir/onnx.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';

/** Where browsers are found: `$CHROMIUM`, else where Debian and others put them. */
export const executable: string | undefined = [
  process.env['CHROMIUM'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => path !== undefined && path !== '' && existsSync(path));

if (executable === undefined) console.warn('no Chromium: the tests of the explorer in a browser are skipped');

/** With a camera that shows a test picture, and that nobody is asked for. */
const CAMERA = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'];

export function launch(...more: readonly string[]): Promise<Browser> {
  const args = ['--no-sandbox', '--js-flags=--expose-gc', ...CAMERA, ...more];
  return chromium.launch({ executablePath: executable!, args });
}

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What keeps people from using a page as it stands there: rules of WCAG that it breaks, and what is wider than the window. */
export async function barriers(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe);
  const found = await page.evaluate<string[]>(`axe
    .run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
    .then(({ violations }) => violations.map((v) => v.id + ': ' + v.nodes.slice(0, 3).map((n) => n.html).join(' ')))`);
  const wider = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
  return wider > 0 ? [...found, `${wider} pixels too wide`] : found;
}

const root = fileURLToPath(new URL('../../dist/explorer/', import.meta.url));
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
};

/** The page on a host that knows nothing but files, in a folder of it; `before` may put something in front of a script. */
export async function staticHost(
  folder: string = root,
  before: (path: string) => string = () => '',
): Promise<{ readonly url: string; readonly close: () => void }> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://here');
    const path = pathname.replace(/^\/explorer\//, '') || 'index.html';
    readFile(join(folder, path)).then(
      (bytes) => {
        response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' });
        response.write(before(path));
        response.end(bytes);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/explorer/`, close: () => server.close() };
}

/** What a page did that it must not do: errors, and requests to others. */
export interface Watched {
  readonly page: Page;
  readonly faults: string[];
  /** Bytes of scripts, styles and fonts that came before the engine. */
  readonly requests: string[];
}

/** A new page at an address of `base`, in a browser profile of its own. */
export async function visit(
  browser: Browser,
  base: string,
  hash: string,
  {
    width = 1000,
    height = 800,
    dark = false,
    still = false,
  }: { width?: number; height?: number; dark?: boolean; still?: boolean } = {},
): Promise<Watched> {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: still ? 'reduce' : 'no-preference',
    acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const faults: string[] = [];
  const requests: string[] = [];
  // A page of a folder may read its folder.
  const home = base.startsWith('file:') ? new URL('./', base).href : new URL(base).origin;
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  page.on('dialog', (dialog) => {
    faults.push('a dialog');
    void dialog.dismiss();
  });
  context.on('request', (request) => {
    const url = request.url();
    requests.push(url);
    if (!url.startsWith(home) && !url.startsWith('blob:') && !url.startsWith('data:')) faults.push(`request to ${url}`);
  });
  await page.goto(base + hash);
  return { page, faults, requests };
}

/** A small network, quick anywhere; `name` gives its second layer any name, and another seed makes another checkpoint of it. */
export function tinyNetwork(name = 'deep', channels = 24, seed = 'tiny'): Uint8Array {
  const b = new Builder();
  const picture = b.input('image', 'float32', [1, 3, 32, 32]);
  const random = new Random(seed);
  const first = b.relu(b.conv(picture, b.constant(float32(random.normal(8 * 27), [8, 3, 3, 3]))));
  const second = b.conv(first, b.constant(float32(random.normal(channels * 72), [channels, 8, 3, 3])));
  return encodeOnnx(b.graph({ shallow: first, [name]: second }));
}

/** The page as its visitors have it, for the tests of one `describe`: one browser and one host for all, and a page for each. */
export interface Visits {
  readonly browser: Browser;
  /** The host's address. */
  readonly url: string;
  /** What was opened last; a test that opens pages in another way says so here. */
  now: Watched | undefined;
  /** Opens the page at a place of it. Whatever it does that it must not do fails the test. */
  readonly open: (hash: string, how?: Parameters<typeof visit>[3]) => Promise<Page>;
}

/** Makes the browser and the host before the tests, closes each page behind its test, and looks then for faults. */
export function visits(): Visits {
  let browser: Browser;
  let host: Awaited<ReturnType<typeof staticHost>>;
  const here: Visits = {
    get browser() {
      return browser;
    },
    get url() {
      return host.url;
    },
    now: undefined,
    async open(hash, how) {
      here.now = await visit(browser, host.url, hash, how);
      return here.now.page;
    },
  };
  beforeAll(async () => {
    [browser, host] = await Promise.all([launch(), staticHost()]);
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    host?.close();
  });
  afterEach(async () => {
    const faults = here.now?.faults ?? [];
    await here.now?.page.context().close();
    here.now = undefined;
    expect(faults).toEqual([]);
  });
  return here;
}
