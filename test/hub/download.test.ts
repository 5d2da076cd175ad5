/** @file Downloads from servers that break, hang, lie and vanish. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type * as Guarded from '../../src/hub/guarded.ts';
import { download, type DownloadOptions } from '../../src/hub/download.ts';
import { ensureWeights } from '../../src/hub/weights.ts';
import { findModel } from '../../src/hub/models.ts';
import { Random } from '../../src/random.ts';
import { give, serve, type TestServer } from './server.ts';

// A device that is always full in place of the part, for the test that needs one.
const disk = vi.hoisted(() => ({ isFull: false }));
vi.mock('../../src/hub/guarded.ts', async (original) => {
  const real = await original<typeof Guarded>();
  const { open } = await import('node:fs/promises');
  return { ...real, createOurs: (path: string) => (disk.isFull ? open('/dev/full', 'r+') : real.createOurs(path)) };
});

const content = new Uint8Array(new Random('content').uniform(100_000).buffer);
const md5 = createHash('md5').update(content).digest('hex');

let folder = '';
let file = '';
let server: TestServer | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'phosphene-hub-'));
  file = join(folder, 'deep', 'weights.h5');
});
afterEach(async () => {
  await server?.close();
  server = undefined;
  disk.isFull = false;
  rmSync(folder, { recursive: true, force: true });
});

async function fetchFrom(
  answer: (request: IncomingMessage, response: ServerResponse, turn: number) => void,
  options: Partial<DownloadOptions> = {},
): Promise<string> {
  await server?.close();
  server = await serve(answer);
  return download({ url: server.url, hash: md5, file, retryDelayMs: 1, stallMs: 2_000, ...options });
}
const good = (request: IncomingMessage, response: ServerResponse): void => give(request, response, content);
const left = (): string[] => (existsSync(join(folder, 'deep')) ? readdirSync(join(folder, 'deep')).sort() : []);

describe('a download', () => {
  it('arrives whole, tells its progress, and is not repeated', async () => {
    const seen: number[] = [];
    await fetchFrom(good, { onProgress: ({ received, total }) => seen.push(received, total!) });
    expect(readFileSync(file).equals(content)).toBe(true);
    expect(seen.slice(-2)).toEqual([content.length, content.length]);
    expect(left()).toEqual(['weights.h5', 'weights.h5.hash.json']);
    await download({ url: 'http://127.0.0.1:1/', hash: md5, file });
    expect(server!.requests.length).toBe(1);
  });

  it('is known by SHA-256 too', async () => {
    const sha256 = createHash('sha256').update(content).digest('hex');
    await fetchFrom(good, { hash: sha256 });
    expect(readFileSync(file).equals(content)).toBe(true);
    await expect(fetchFrom(good, { hash: sha256.replace(/^./, (c) => (c === '0' ? '1' : '0')) })).rejects.toMatchObject(
      {
        code: 'hash-mismatch',
        message: expect.stringContaining(`what came has SHA-256 ${sha256} and should have`),
      },
    );
  });

  it('without a hash must be an HDF5 file, and is then kept', async () => {
    const hdf5 = Buffer.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a, 1, 2, 3]);
    const text = Buffer.from('not found');
    await expect(
      fetchFrom((request, response) => give(request, response, text), { hash: undefined }),
    ).rejects.toMatchObject({
      code: 'download',
      message: expect.stringMatching(/what came is no HDF5 file but a text file; it was removed; .*resnet50v2-mini/),
    });
    expect(left()).toEqual([]);
    await fetchFrom((request, response) => give(request, response, hdf5), { hash: undefined });
    expect(readFileSync(file).equals(hdf5)).toBe(true);
    expect(left()).toEqual(['weights.h5']);
    await download({ url: 'http://127.0.0.1:1/', file });
  });

  it('goes on where the line broke, on the condition that the file is the same', async () => {
    await fetchFrom((request, response, turn) =>
      give(request, response, content, { stopAfter: turn < 4 ? 90_000 : Infinity }),
    );
    expect(readFileSync(file).equals(content)).toBe(true);
    expect(server!.requests.length).toBe(4);
    expect(server!.requests[1]).toMatchObject({ range: expect.stringMatching(/^bytes=[1-9]\d*-$/), 'if-range': '"1"' });
  });

  it('starts again where the server ignores ranges or has a new file', async () => {
    await fetchFrom((request, response, turn) => {
      if (turn === 1)
        give(
          request,
          response,
          content.map((b) => b ^ 1),
          { etag: '"0"', stopAfter: 80_000 },
        );
      else give(request, response, content);
    });
    expect(readFileSync(file).equals(content)).toBe(true);
    rmSync(join(folder, 'deep'), { recursive: true });
    await fetchFrom((request, response, turn) => {
      delete request.headers.range;
      give(request, response, content, { stopAfter: turn === 1 ? 80_000 : Infinity });
    });
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  it('starts again from a part that was something else, or was complete', async () => {
    await fetchFrom(good);
    for (const part of [content.slice(0, 1000).fill(7), content, new Uint8Array(content.length + 5)]) {
      rmSync(file);
      writeFileSync(`${file}.part`, part);
      await fetchFrom(good);
      expect(readFileSync(file).equals(content)).toBe(true);
    }
  });

  it('follows redirects', async () => {
    await fetchFrom((request, response) => {
      if (request.url === '/weights.h5') response.writeHead(302, { location: '/elsewhere' }).end();
      else good(request, response);
    });
    expect(existsSync(file)).toBe(true);
  });

  it('takes a server that does not say how long the file is', async () => {
    await fetchFrom((_, response) => {
      response.write(content.subarray(0, 1000));
      response.end(content.subarray(1000));
    });
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  it('is stopped by a signal and goes on later', async () => {
    const stop = new AbortController();
    const hanging = fetchFrom(
      (request, response) => {
        response.writeHead(200, { 'content-length': content.length, etag: '"1"' });
        response.write(content.subarray(0, 150_000));
        void request;
      },
      { signal: stop.signal, onProgress: ({ received }) => received >= 150_000 && stop.abort() },
    );
    await expect(hanging).rejects.toMatchObject({ code: 'aborted' });
    expect(statSync(`${file}.part`).size).toBe(150_000);
    expect(left()).not.toContain('weights.h5.lock');
    await fetchFrom(good);
    expect(server!.requests[0]).toMatchObject({ range: 'bytes=150000-' });
    expect(readFileSync(file).equals(content)).toBe(true);
    await expect(fetchFrom(good, { file: join(folder, 'b'), signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'aborted',
    });
  });
});

describe('a download that cannot succeed', () => {
  it('has another hash: it is removed', async () => {
    const error = await fetchFrom((request, response) =>
      give(
        request,
        response,
        content.map((b) => b ^ 1),
      ),
    ).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: 'hash-mismatch',
      details: { expected: md5, found: expect.stringMatching(/^[0-9a-f]{32}$/) },
    });
    expect(left()).toEqual([]);
  });

  it.each([404, 403, 500, 503])('status %i is named, with what to do', async (status) => {
    const error = await fetchFrom((_, response) => response.writeHead(status).end('no'), { retries: 1 }).catch(
      (e: unknown) => e,
    );
    expect(error).toMatchObject({
      code: 'download',
      details: { status },
      message: expect.stringMatching(new RegExp(`${status}.*path as the weights`)),
    });
    expect(server!.requests.length).toBe(status < 500 ? 1 : 2);
  });

  it('is an HTML page', async () => {
    const page = (_: IncomingMessage, response: ServerResponse): void => {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>sign in</html>');
    };
    await expect(fetchFrom(page)).rejects.toMatchObject({
      code: 'download',
      message: expect.stringContaining('HTML page'),
    });
    const disguised = (_: IncomingMessage, response: ServerResponse): void => {
      response.end('<!doctype html><p>sign in');
    };
    await expect(fetchFrom(disguised)).rejects.toMatchObject({
      code: 'hash-mismatch',
      message: expect.stringContaining('HTML page'),
    });
    expect(left()).toEqual([]);
  });

  it.each([
    ['before the first byte', (_: IncomingMessage, response: ServerResponse) => void response],
    [
      'in the middle',
      (_: IncomingMessage, response: ServerResponse) =>
        void response.writeHead(200, { 'content-length': 500 }).write('abc'),
    ],
  ])('hangs %s', async (_, answer) => {
    await expect(fetchFrom(answer, { stallMs: 100, retries: 1 })).rejects.toMatchObject({
      code: 'download',
      message: expect.stringContaining('sent nothing for 0.1 s'),
      details: { attempts: 2 },
    });
    expect(left()).not.toContain('weights.h5.lock');
  });

  it('is reset, or ends early, every time', async () => {
    await expect(fetchFrom((request) => request.socket.destroy(), { retries: 2 })).rejects.toMatchObject({
      code: 'download',
      details: { attempts: 3 },
    });
    const short = (_: IncomingMessage, response: ServerResponse): void => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('abc', () => response.destroy());
    };
    await expect(fetchFrom(short, { retries: 2 })).rejects.toMatchObject({
      code: 'download',
      message: expect.stringContaining('broke'),
    });
  });

  it('sends more than there can be', async () => {
    const endless = (_: IncomingMessage, response: ServerResponse): void => {
      const more = (): void => void response.write(content, () => !response.destroyed && more());
      more();
    };
    await expect(fetchFrom(endless, { bytes: content.length })).rejects.toMatchObject({
      code: 'download',
      message: expect.stringContaining('more than'),
    });
  });

  it.each(['ENOTFOUND', 'ECONNREFUSED', 'EAI_AGAIN'])('is offline (%s)', async (code) => {
    const fetch = (): Promise<Response> =>
      Promise.reject(new TypeError('fetch failed', { cause: Object.assign(new Error('x'), { code }) }));
    await expect(download({ url: 'https://models.example/w.h5', hash: md5, file, fetch })).rejects.toMatchObject({
      code: 'offline',
      message: expect.stringMatching(/models\.example.*path as the weights.*resnet50v2-mini/),
    });
  });

  it('is offline where nothing listens, and has an address that cannot be', async () => {
    const closed = await serve(good);
    await closed.close();
    await expect(download({ url: closed.url, hash: md5, file })).rejects.toMatchObject({
      code: 'offline',
      details: { reason: 'ECONNREFUSED' },
    });
    await expect(download({ url: 'nonsense', hash: md5, file })).rejects.toMatchObject({ code: 'download' });
  });

  it.skipIf(!existsSync('/dev/full'))('meets a full disk', async () => {
    disk.isFull = true;
    await expect(fetchFrom(good)).rejects.toMatchObject({
      code: 'filesystem',
      message: expect.stringContaining('disk is full'),
    });
  });

  it('drips: one byte for each period of patience', async () => {
    const drip = (_: IncomingMessage, response: ServerResponse): void => {
      response.writeHead(200, { 'content-length': content.length });
      const timer = setInterval(() => response.write('x'), 30);
      response.on('close', () => clearInterval(timer));
    };
    const started = performance.now();
    await expect(fetchFrom(drip, { stallMs: 100, retries: 1 })).rejects.toMatchObject({
      code: 'download',
      message: expect.stringMatching(/sent only \d+ bytes in \d\.\d s; try again later/),
      details: { attempts: 2 },
    });
    expect(performance.now() - started).toBeGreaterThan(800);
  });

  it('gives much and little in turn: that is no progress', async () => {
    const alternating = (request: IncomingMessage, response: ServerResponse, turn: number): void => {
      delete request.headers.range;
      give(request, response, content, { stopAfter: turn % 2 ? 90_000 : 10 });
    };
    await expect(fetchFrom(alternating, { retries: 3 })).rejects.toMatchObject({
      code: 'download',
      details: { attempts: 5 },
    });
  });

  it('is led in circles, or away from the web', async () => {
    const to =
      (location: string) =>
      (_: IncomingMessage, response: ServerResponse): void =>
        void response.writeHead(302, { location }).end();
    await expect(fetchFrom(to('file:///etc/passwd'))).rejects.toMatchObject({
      code: 'download',
      message: expect.stringMatching(/redirects to "file:\/\/\/etc\/passwd", which is no address of the web/),
      details: { redirect: 'file:///etc/passwd', option: 'weights' },
    });
    expect(server!.requests.length).toBe(1);
    await expect(fetchFrom(to('http://['))).rejects.toMatchObject({ message: expect.stringContaining('"http://["') });
    await expect(fetchFrom(to('/again'))).rejects.toMatchObject({
      message: expect.stringContaining('redirects more than 10 times'),
    });
    expect(server!.requests.length).toBe(11);
    await expect(fetchFrom((_, response) => response.writeHead(302).end())).rejects.toMatchObject({
      details: { status: 302 },
    });
    for (const url of ['file:///etc/passwd', 'nonsense'])
      await expect(download({ url, hash: md5, file })).rejects.toMatchObject({
        code: 'download',
        message: expect.stringContaining('no address of the web'),
      });
  });

  it('says what to do instead, and by which option, without naming it as one command spells it', async () => {
    const error = (await fetchFrom((_, response) => response.writeHead(404).end()).catch((e: unknown) => e)) as Error;
    expect(error).toMatchObject({ details: { option: 'weights' } });
    expect(error.message).toContain('give its path as the weights');
    expect(error.message).not.toContain('--');
  });

  it('has no folder to go to', async () => {
    writeFileSync(join(folder, 'deep'), 'a file');
    await expect(fetchFrom(good)).rejects.toMatchObject({
      code: 'filesystem',
      message: expect.stringContaining('PHOSPHENE_CACHE'),
    });
  });
});

describe('two at once', () => {
  it('in one process fetch once', async () => {
    server = await serve((request, response) => void setTimeout(() => good(request, response), 100));
    const options = { url: server.url, hash: md5, file };
    expect(await Promise.all([download(options), download(options), download(options)])).toEqual([file, file, file]);
    expect(server.requests.length).toBe(1);
  });

  it('one takes over the lock of a process that has ended, and of a machine that fell silent', async () => {
    await fetchFrom(good);
    const { hostname } = await import('node:os');
    for (const [host, age] of [
      [hostname(), 0],
      ['elsewhere', 100],
    ] as const) {
      rmSync(file);
      writeFileSync(`${file}.lock`, JSON.stringify({ pid: 2 ** 30, host }));
      utimesSync(`${file}.lock`, Date.now() / 1000 - age, Date.now() / 1000 - age);
      await fetchFrom(good);
      expect(left()).toEqual(['weights.h5', 'weights.h5.hash.json']);
    }
  });

  it('in two processes fetch once', async () => {
    const { execFile } = await import('node:child_process');
    const { promisify } = await import('node:util');
    const run = promisify(execFile);
    // Node 20 does not run TypeScript, so the processes get a compiled copy.
    const compiled = join(folder, 'compiled');
    const tsc = new URL('../../node_modules/.bin/tsc', import.meta.url).pathname;
    const config = new URL('../../tsconfig.build.json', import.meta.url).pathname;
    await run(tsc, ['-p', config, '--outDir', compiled, '--noCheck']);
    writeFileSync(join(compiled, 'package.json'), '{"type":"module"}');
    server = await serve((request, response) => void setTimeout(() => good(request, response), 300));
    const fetcher = new URL('./fetcher.js', import.meta.url).pathname;
    const argument = JSON.stringify({ url: server.url, hash: md5, file });
    const start = (): Promise<unknown> =>
      run(process.execPath, [fetcher, join(compiled, 'hub', 'download.js'), argument]);
    await Promise.all([start(), start()]);
    expect(server.requests.length).toBe(1);
    expect(readFileSync(file).equals(content)).toBe(true);
  }, 60_000);
});

describe('ensureWeights', () => {
  it('fetches into the cache once, and again only when the file changed', async () => {
    server = await serve(good);
    const model = { ...findModel('resnet50v2'), url: server.url, hash: md5, bytes: content.length };
    const path = await ensureWeights(model, { cacheDir: folder });
    expect(path).toBe(join(folder, 'keras', 'weights.h5'));
    expect(await ensureWeights(model, { cacheDir: folder })).toBe(path);
    utimesSync(path, 1, 1);
    expect(await ensureWeights(model, { cacheDir: folder })).toBe(path);
    expect(server.requests.length).toBe(1);
    writeFileSync(path, 'damaged');
    await ensureWeights(model, { cacheDir: folder });
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(server.requests.length).toBe(2);
    await expect(ensureWeights('resnet51v2', { cacheDir: folder })).rejects.toMatchObject({ code: 'unknown-model' });
  });
});
