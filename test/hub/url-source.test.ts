/** @file Models of the web: their shards come from the same folder, and what goes wrong on the way is said. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../src/hub/open.ts';
import { siblingUrl, urlSource } from '../../src/hub/url-source.ts';
import { fixtures } from '../import/tfjs-golden.ts';

/** Asked addresses, and what is answered; a file of the fixtures if nothing else is said. */
const asked: string[] = [];
const answers: Record<
  string,
  (turn: number) => readonly [status: number, body?: Buffer | undefined, headers?: Record<string, string>]
> = {};
const server = createServer((request, response) => {
  const path = request.url!;
  asked.push(path);
  const turn = asked.filter((a) => a === path).length;
  const file = join(fixtures('tfjs'), path.replace(/\?.*$/, ''));
  let answer: ReturnType<(typeof answers)[string]>;
  try {
    answer = answers[path]?.(turn) ?? [200, readFileSync(file)];
  } catch {
    answer = [404];
  }
  const [status, body = Buffer.alloc(0), headers = {}] = answer;
  response.writeHead(status, { 'content-length': body.length, ...headers });
  response.end(body);
});
let url = '';
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

describe('an address', () => {
  it('is that of a model with its shards, and a query is kept', async () => {
    const network = await openModel(`${url}/mobilenet/model.json?tfjs-format=file`);
    expect(network.layers({ height: 24, width: 24 }).barrier).toBeUndefined();
    expect((await network.cut(['pw/relu6'], { height: 24, width: 24 })).outputs[0]!.dims).toEqual([1, 12, 12, 12]);
    expect(asked).toContain('/mobilenet/group2-shard3of3?tfjs-format=file');
    expect(await network.digest()).toMatch(/^[0-9a-f]{64}$/);
    await network.close();
  });

  it('of which a shard is missing is told', async () => {
    answers['/resnet/group1-shard1of1.bin'] = () => [404];
    await expect(openModel(`${url}/resnet/model.json`)).rejects.toMatchObject({
      code: 'missing-weights',
      message: expect.stringContaining('`group1-shard1of1.bin`, which is not beside it'),
    });
  });

  it('is asked again after a fault of the server, and followed to another address', async () => {
    answers['/flaky'] = (turn) => (turn < 3 ? [503] : [200, Buffer.from('content')]);
    answers['/moved'] = () => [302, undefined, { location: '/flaky' }];
    const source = await urlSource(`${url}/moved`, { retryDelayMs: 1 });
    expect(Buffer.from(await source.read(0, 7)).toString()).toBe('content');
    await expect(source.read(4, 4)).rejects.toMatchObject({ code: 'bad-file' });
    expect(source.size).toBe(7);
  });

  it('that cannot be had is told, with what to do', async () => {
    answers['/never'] = () => [500];
    await expect(urlSource(`${url}/never`, { retryDelayMs: 1, retries: 1 })).rejects.toMatchObject({
      code: 'download',
      message: `${url}/never: the server answered 500 Internal Server Error; fetch it elsewhere with the files beside it, and open it by its path`,
      details: { url: `${url}/never`, status: 500 },
    });
    expect(asked.filter((a) => a === '/never')).toHaveLength(2);
    answers['/away'] = () => [302, undefined, { location: 'file:///etc/passwd' }];
    await expect(urlSource(`${url}/away`)).rejects.toThrow('which is no address of the web');
    const stopped = urlSource(`${url}/never`, { signal: AbortSignal.abort() });
    await expect(stopped).rejects.toMatchObject({ code: 'aborted' });
    await expect(urlSource('http://127.0.0.1:1/x')).rejects.toMatchObject({
      code: expect.stringMatching(/offline|download/),
    });
  });

  it('stays in its folder', () => {
    expect(siblingUrl('https://a.org/m/model.json?v=1', 'sub/w 1.bin')).toBe('https://a.org/m/sub/w%201.bin?v=1');
    expect(siblingUrl('https://a.org/m/model.json', 'http://b.org/w.bin')).toBe('https://a.org/m/http%3A/b.org/w.bin');
    for (const name of ['../w.bin', '/w.bin', '\\\\b\\w.bin', ''])
      expect(() => siblingUrl('https://a.org/m/model.json', name)).toThrow('outside its own folder');
  });
});

describe('a folder', () => {
  it('is that of the model in it, whatever its one description is called', async () => {
    const network = await openModel(`${fixtures('tfjs')}inception`);
    expect(network.layers({ height: 16, width: 16 }).layers.map((l) => l.name)).toContain('mixed');
    await network.close();
    const folder = mkdtempSync(join(tmpdir(), 'phosphene-folder-'));
    const model = (file: string): Buffer => readFileSync(`${fixtures('tfjs-layers')}packed/${file}`);
    writeFileSync(join(folder, 'net.json'), model('model.json'));
    const other = await openModel(folder);
    expect(other.layers({ height: 16, width: 16 }).barrier).toBeUndefined();
    await other.close();
    writeFileSync(join(folder, 'more.json'), '{}');
    await expect(openModel(folder)).rejects.toThrow('it is not a regular file');
    rmSync(folder, { recursive: true });
  });
});
