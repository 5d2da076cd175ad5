/** @file The explorer's server answers its own page, and nobody else: each attack that we could think of is tried. */
import { mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packed, unpacked } from '../../src/live/packed.ts';
import type { FromStudio, News, Wish } from '../../src/live/protocol.ts';
import type { Studio } from '../../src/live/studio.ts';
import { raster } from '../../src/output/raster.ts';
import { judge } from '../../src/serve/guard.ts';
import { pageFiles } from '../../src/serve/page.ts';
import { serveExplorer, type Serving } from '../../src/serve/server.ts';

const folder = mkdtempSync(join(tmpdir(), 'phosphene-page-'));
mkdirSync(join(folder, 'assets'));
writeFileSync(join(folder, 'index.html'), '<meta name="phosphene" content="page" /><p>the page</p>');
writeFileSync(join(folder, 'assets/app-abc.js'), 'let app;');
writeFileSync(join(folder, 'icon.svg'), '<svg/>');
writeFileSync(join(folder, '..', 'phosphene-secret'), 'secret');
symlinkSync(join(folder, '..', 'phosphene-secret'), join(folder, 'link.txt'));

/** A studio whose pictures are made by the test. */
const watched: { wish: Wish; signal: AbortSignal | undefined; say: (news: News) => void }[] = [];
const studio: Studio = {
  catalogue: () => ({
    version: '1',
    models: ['<img src=x onerror=alert(1)>'],
    presets: [],
    settings: [],
    engine: 'none',
    workers: 1,
  }),
  facts: () => Promise.reject(new Error('none')),
  async *watch(wish, signal) {
    const waiting: News[] = [];
    let wake = (): void => {};
    watched.push({ wish, signal, say: (news) => (waiting.push(news), wake()) });
    signal?.addEventListener('abort', () => wake());
    while (!signal?.aborted) {
      const news = waiting.shift();
      if (news) yield news;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  },
  // What is asked of a photo, and what was understood.
  async look(look) {
    const values = Float32Array.of(look.photo.width, look.photo.data.length, look.photo.data[0] ?? -1);
    return { what: 'place', values };
  },
  study: () => Promise.reject(new Error('none')),
  close: async () => {},
};

let serving: Serving;
let base: URL;
beforeAll(async () => {
  serving = await serveExplorer({ studio, files: await pageFiles(folder) });
  base = new URL(serving.url);
});
afterAll(() => serving.close());

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Sends exactly this path, which `fetch` would tidy up, and these headers, which it would refuse. */
function ask(path: string, headers: Record<string, string> = {}, method = 'GET', body?: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: base.port, path, method, headers }, (response) => {
      let text = '';
      response.on('data', (piece: Buffer) => (text += piece.toString()));
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
const own = (path: string): string => base.pathname + path;

/** A page that listens, as the real one does. */
async function page(): Promise<{
  session: string;
  heard: FromStudio[];
  until: (done: () => boolean) => Promise<void>;
  leave: () => void;
}> {
  const heard: FromStudio[] = [];
  let wake = (): void => {};
  let session = '';
  const sent = request({ host: '127.0.0.1', port: base.port, path: own('events') }, (response) => {
    let text = '';
    response.on('data', (piece: Buffer) => {
      text += piece.toString();
      const events = text.split('\n\n');
      text = events.pop()!;
      for (const event of events.filter((e) => e.startsWith('data: '))) {
        const told = JSON.parse(event.slice(6)) as FromStudio | { session: string };
        if ('session' in told) ({ session } = told);
        else heard.push(told);
      }
      wake();
    });
    response.on('error', () => {});
  });
  sent.on('error', () => {});
  sent.end();
  const until = async (done: () => boolean): Promise<void> => {
    while (!done()) await new Promise<void>((resolve) => (wake = resolve));
  };
  await until(() => session !== '');
  return { session, heard, until, leave: () => sent.destroy() };
}
const json = { 'content-type': 'application/json' };
const say = (session: string, ...questions: unknown[]): Promise<Answer> =>
  ask(own('ask'), json, 'POST', JSON.stringify({ session, questions }));

const wish: Wish = { model: { name: 'm' }, layer: 'l', channel: 0 };

describe('the page', () => {
  it('is given out under the address that was printed, and knows that it asks a server', async () => {
    const { status, headers, text } = await ask(own(''));
    expect(status).toBe(200);
    expect(text).toContain('content="server"');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['cache-control']).toBe('no-cache');
    expect((await ask(own('assets/app-abc.js'))).headers['cache-control']).toContain('immutable');
    expect((await ask(own('icon.svg'))).headers['content-type']).toBe('image/svg+xml');
    expect((await ask(own(''), {}, 'HEAD')).text).toBe('');
  });

  it('may load nothing from elsewhere, and stand in no frame', async () => {
    for (const path of ['', 'assets/app-abc.js', 'nothing']) {
      const { headers } = await ask(own(path));
      const policy = headers['content-security-policy'];
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval';");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe-inline|https?:|\*/);
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(headers['referrer-policy']).toBe('no-referrer');
      // The camera for its own page, if the visitor agrees, and nothing else of the machine.
      const permissions = headers['permissions-policy'] as string;
      expect(permissions).toContain('camera=(self)');
      expect(permissions.replace('camera=(self)', '')).not.toMatch(/self|\*/);
      expect(permissions).toContain('microphone=()');
      expect(headers['cross-origin-resource-policy']).toBe('same-origin');
      expect(headers['access-control-allow-origin']).toBeUndefined();
    }
  });

  it('says what to do if it was not built', async () => {
    await expect(pageFiles(join(folder, 'nowhere'))).rejects.toThrow(/npm run build/);
  });
});

describe('another name for this machine (DNS rebinding)', () => {
  it.each(['evil.example', 'evil.example:80', '127.0.0.1', 'localhost', '127.0.0.1.evil.example', '0.0.0.0'])(
    'is not obeyed: %s',
    async (host) => {
      for (const path of [own(''), own('events'), '/']) expect((await ask(path, { host })).status).toBe(403);
    },
  );
  it('may be one of the three that always lead here', async () => {
    for (const name of ['127.0.0.1', 'localhost', '[::1]'])
      expect((await ask(own(''), { host: `${name}:${base.port}` })).status).toBe(200);
  });
  it('is not obeyed without a name', async () => {
    const socket = connect(Number(base.port), '127.0.0.1');
    const text = await new Promise<string>((resolve) => {
      let got = '';
      socket.on('data', (piece: Buffer) => (got += piece.toString()));
      socket.on('close', () => resolve(got));
      socket.write(`GET ${own('')} HTTP/1.0\r\n\r\n`);
    });
    expect(text).toMatch(/^HTTP\/1\.1 (400|403)/);
  });
});

describe('a hostile page in another tab', () => {
  const there = { origin: 'http://evil.example' };
  it('gets nothing if it knows all but the token', async () => {
    for (const path of [
      '/',
      '/events',
      '/ask',
      `/${'0'.repeat(32)}/`,
      `/${'0'.repeat(32)}/events`,
      `/${base.pathname.slice(1, 20)}/`,
    ])
      expect((await ask(path)).status).toBe(404);
  });
  it('gets nothing even if it knows the token', async () => {
    expect((await ask(own('events'), there)).status).toBe(403);
    expect((await ask(own('events'), { origin: 'null' })).status).toBe(403);
    expect((await ask(own('ask'), { ...there, ...json }, 'POST', '{}')).status).toBe(403);
    expect((await ask(own('ask'), { origin: `https://127.0.0.1:${base.port}`, ...json }, 'POST', '{}')).status).toBe(
      403,
    );
    for (const site of ['cross-site', 'same-site']) {
      for (const path of ['', 'events', 'assets/app-abc.js'])
        expect((await ask(own(path), { 'sec-fetch-site': site })).status).toBe(403);
    }
    // Typed into the address bar: the page itself, and nothing else.
    expect((await ask(own(''), { 'sec-fetch-site': 'none' })).status).toBe(200);
    expect((await ask(own('events'), { 'sec-fetch-site': 'none' })).status).toBe(403);
  });
  it('cannot ask by a form, and is not told that it may ask otherwise', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'application/json; x',
    ])
      expect((await ask(own('ask'), { 'content-type': type }, 'POST', '{}')).status).toBe(415);
    const preflight = await ask(own('ask'), { ...there, 'access-control-request-method': 'POST' }, 'OPTIONS');
    expect(preflight.status).toBe(403);
    expect(Object.keys(preflight.headers).filter((h) => h.startsWith('access-control'))).toEqual([]);
  });
  it('cannot speak for a page whose number it does not know', async () => {
    expect((await say('0'.repeat(32), { type: 'catalogue', id: 1 })).status).toBe(409);
  });
});

describe('a path that leads elsewhere', () => {
  it.each([
    '../phosphene-secret',
    '..%2fphosphene-secret',
    '%2e%2e/phosphene-secret',
    'assets/../../phosphene-secret',
    'assets/..%5c..%5cphosphene-secret',
    '//etc/passwd',
    'assets/',
    'assets',
    'assets//app-abc.js',
    './icon.svg',
    'icon.svg/',
    'icon.svg%00',
    'ICON.SVG',
    'index.html',
    'link.txt',
    '__proto__',
    'constructor',
    'events/',
  ])('finds nothing: %s', async (path) => {
    const { status, text } = await ask(own(path));
    expect(status).toBe(404);
    expect(text).not.toContain('secret');
  });
  it('has files at all', () =>
    expect(readdirSync(folder).sort()).toEqual(['assets', 'icon.svg', 'index.html', 'link.txt']));
});

describe('what a page may send', () => {
  it('is a list of questions and nothing else', async () => {
    const { session, leave } = await page();
    for (const body of ['', '{', 'null', '[]', '{"session":1,"questions":[]}', `{"session":"${session}"}`])
      expect((await ask(own('ask'), json, 'POST', body)).status).toBe(400);
    expect((await say(session, null)).status).toBe(400);
    expect((await say(session, ...Array.from({ length: 257 }, (_, id) => ({ type: 'leave', id })))).status).toBe(400);
    expect((await say(session)).status).toBe(204);
    leave();
  });
  it('is not long', async () => {
    const long = 'x'.repeat(6 << 20);
    const refused = await ask(own('ask'), { ...json, 'content-length': String(long.length) }, 'POST', long).catch(
      () => undefined,
    );
    expect(refused === undefined || refused.status === 413).toBe(true);
    const pieces = await ask(own('ask'), { ...json, 'transfer-encoding': 'chunked' }, 'POST', long).catch(
      () => undefined,
    );
    expect(pieces === undefined || pieces.status === 413).toBe(true);
  });
  it('goes by the methods that there are', async () => {
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS'])
      expect((await ask(own(''), {}, method)).status).toBe(405);
    expect((await ask(own(''), json, 'POST', '{}')).status).toBe(405);
    expect((await ask(own('ask'))).status).toBe(405);
  });
  it('comes from few pages at a time', async () => {
    const pages = await Promise.all(Array.from({ length: 32 }, page));
    expect((await ask(own('events'))).status).toBe(503);
    for (const { leave } of pages) leave();
    await expect
      .poll(async () => {
        const p = await Promise.race([page(), new Promise<undefined>((r) => setTimeout(() => r(undefined), 50))]);
        p?.leave();
        return p !== undefined;
      })
      .toBe(true);
  });
});

describe('questions and answers', () => {
  it('come as events, names with markup as the data that they are', async () => {
    const { session, heard, until, leave } = await page();
    await say(session, { type: 'catalogue', id: 7 }, { type: 'open', id: 8, model: { name: 'm' } });
    await until(() => heard.length === 2);
    expect(heard.find((m) => m.id === 7)).toMatchObject({
      type: 'catalogue',
      catalogue: { models: ['<img src=x onerror=alert(1)>'] },
    });
    expect(heard.find((m) => m.id === 8)).toMatchObject({ type: 'failed' });
    leave();
  });

  it('bring pictures, bytes as base64, and stop when the page goes', async () => {
    const { session, heard, until, leave } = await page();
    await say(session, { type: 'watch', id: 1, wish });
    await expect.poll(() => watched.length).toBe(1);
    const { signal, say: tell } = watched[0]!;
    tell({ type: 'frame', step: 3, raster: raster(1, 1, Uint8Array.of(255, 0, 1)) });
    await until(() => heard.length === 1);
    expect(heard[0]).toEqual({
      type: 'news',
      id: 1,
      news: { type: 'frame', step: 3, raster: { width: 1, height: 1, data: { base64: '/wAB', type: 'uint8' } } },
    });
    expect(signal!.aborted).toBe(false);
    leave();
    await expect.poll(() => signal!.aborted).toBe(true);
  });

  it('bring photos, which stay on this machine, and take what is no photo for none', async () => {
    const { session, heard, until, leave } = await page();
    const photo = { width: 1, height: 1, data: Uint8Array.of(7, 8, 9) };
    const ask1 = { type: 'look', id: 1, look: { model: wish.model, photo, ask: { what: 'strengths' } } };
    const body = JSON.stringify({ session, questions: [ask1] }, packed);
    expect((await ask(own('ask'), json, 'POST', body)).status).toBe(204);
    await until(() => heard.length === 1);
    const { seen } = JSON.parse(JSON.stringify(heard[0]), unpacked) as Extract<FromStudio, { type: 'seen' }>;
    expect(seen).toEqual({ what: 'place', values: Float32Array.of(1, 3, 7) });
    await say(session, { type: 'look', id: 2 });
    await until(() => heard.length === 2);
    expect(heard[1]).toMatchObject({ type: 'failed', id: 2 });
    leave();
  });

  it('end with the server', async () => {
    const other = await serveExplorer({ studio, files: await pageFiles(folder) });
    expect(new URL(other.url).pathname).not.toBe(base.pathname);
    const response = await fetch(`${other.url}events`);
    await other.close();
    expect(await response.text()).toContain('session');
    await expect(fetch(other.url)).rejects.toThrow();
  });

  it('need a port of their own', async () => {
    const port = Number(base.port);
    await expect(serveExplorer({ studio, files: new Map(), port })).rejects.toThrow(
      /another program has it; choose another/,
    );
  });
});

describe('the verdict', () => {
  const asked = { method: 'GET', url: '/t/', host: '127.0.0.1:1', origin: undefined, site: undefined, type: undefined };
  const at = { port: 1, token: 't' };
  it('takes a path as it is, without its question mark', () => {
    expect(judge({ ...asked, url: '/t/a/b?c=/../d' }, at)).toEqual({ path: 'a/b' });
    expect(judge({ ...asked, url: 'http://127.0.0.1:1/t/' }, at)).toEqual({ status: 404 });
    expect(judge({ ...asked, url: '*' }, at)).toEqual({ status: 404 });
    expect(judge({ ...asked, url: '' }, at)).toEqual({ status: 404 });
  });
});
