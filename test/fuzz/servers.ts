/** @file Seeded web servers that misbehave, one request after another: for short tests and for long runs. */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { existsSync, readFileSync } from 'node:fs';
import { PhospheneError } from '../../src/errors.ts';
import { download } from '../../src/hub/download.ts';
import { Random } from '../../src/random.ts';
import { give, serve } from '../hub/server.ts';

/** One server: how it answers each request in turn. The last answer is repeated. */
export interface ServerCase {
  /** Says what the server does, and with which seed: enough to make it again. */
  readonly name: string;
  /** The file that is asked for. */
  readonly content: Uint8Array;
  /** The names of its answers. */
  readonly answers: readonly string[];
  /** Whether the downloader knows how long the file is. */
  readonly tellsLength: boolean;
  answer(request: IncomingMessage, response: ServerResponse, turn: number): void;
}

type Answer = (request: IncomingMessage, response: ServerResponse, content: Uint8Array, random: Random) => void;

/** What a server may do. Each is small: nothing here sends more than a megabyte. */
const behaviours: Readonly<Record<string, Answer>> = {
  good: (request, response, content) => give(request, response, content),
  cut: (request, response, content, random) =>
    give(request, response, content, { stopAfter: random.integer(content.length) }),
  'cut late': (request, response, content) => give(request, response, content, { stopAfter: content.length - 1 }),
  'new file': (request, response, content, random) =>
    give(
      request,
      response,
      content.map((b) => b ^ 1),
      { etag: `"${random.integer(9)}"` },
    ),
  'no ranges': (request, response, content) => {
    delete request.headers.range;
    give(request, response, content);
  },
  'no length': (_, response, content) => {
    response.write(content.subarray(0, 10));
    response.end(content.subarray(10));
  },
  'wrong range': (_, response, content) => {
    response.writeHead(206, { 'content-range': `bytes 3-${content.length - 1}/${content.length}` });
    response.end(content.subarray(3));
  },
  'nonsense range': (_, response, content) =>
    response.writeHead(206, { 'content-range': 'bytes x' }).end(content.subarray(5)),
  'range not possible': (_, response) => response.writeHead(416, { 'content-range': 'bytes */7' }).end(),
  'bare 416': (_, response) => response.writeHead(416).end(),
  'too long': (_, response, content) => response.end(Buffer.concat([content, content])),
  'too short': (_, response, content) =>
    response.writeHead(200, { 'content-length': content.length }).end(content.subarray(1), () => response.destroy()),
  'lies about length': (_, response, content) =>
    response.socket?.end(`HTTP/1.1 200 OK\r\ncontent-length: ${2 ** 45}\r\n\r\n${String(content[0])}`),
  empty: (_, response) => response.writeHead(200, { 'content-length': 0 }).end(),
  'no content': (_, response) => response.writeHead(204).end(),
  html: (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>sign in'),
  'not found': (_, response) => response.writeHead(404).end(),
  busy: (_, response) => response.writeHead(503, { 'retry-after': '9999' }).end(),
  reset: (request) => request.socket.destroy(),
  garbage: (request) => request.socket.end('\0\x01 garbage \r\n\r\n'),
  'half a header': (request) => request.socket.end('HTTP/1.1 200 OK\r\nconte'),
  silent: () => {},
  'silent body': (_, response) => void response.writeHead(200, { 'content-length': 500 }).write('abc'),
  drip: (_, response) => {
    response.writeHead(200, { 'content-length': 100_000 });
    const timer = setInterval(() => response.write('x'), 20);
    response.on('close', () => clearInterval(timer));
  },
  gzip: (_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('no gzip'),
  'redirect to itself': (request, response) => response.writeHead(302, { location: request.url! }).end(),
  'redirect to a file': (_, response) => response.writeHead(302, { location: 'file:///etc/hosts' }).end(),
  'redirect to nowhere': (_, response) => response.writeHead(302).end(),
  'redirect to nonsense': (_, response) => response.writeHead(301, { location: 'http://[' }).end(),
};
const names = Object.keys(behaviours);

/**
 * `count` servers, always the same for the same `seed`: each answers one to six times as it likes, and half of them are well from
 * then on.
 *
 * @example
 * for (const server of cases('nightly', 500)) await check(server, folder);
 */
export function* cases(seed: string, count: number): Generator<ServerCase> {
  for (let i = 0; i < count; i++) {
    const random = new Random(`server/${seed}/${i}`);
    const content = Uint8Array.from({ length: 1 + random.integer(100_000) }, () => random.integer(256));
    const answers = Array.from({ length: 1 + random.integer(6) }, () => names[random.integer(names.length)]!);
    if (random.integer(2)) answers.push('good');
    yield {
      name: `${seed}/${i} (${answers.join(', ')})`,
      content,
      answers,
      tellsLength: random.integer(2) === 1,
      answer: (request, response, turn) =>
        behaviours[answers[Math.min(turn, answers.length) - 1]!]!(request, response, content, random),
    };
  }
}

/**
 * Downloads from such a server into `folder`. Returns `fetched`, or the code of the PhospheneError that it ended in; anything else is
 * thrown: a bare error, a file that is not the right one, or a lock left behind. It takes a few seconds at most.
 */
export async function check(server: ServerCase, folder: string): Promise<string> {
  const running = await serve((request, response, turn) => server.answer(request, response, turn));
  const file = join(folder, 'weights.h5');
  const end = await fetchInto(file, running.url, server).finally(() => running.close());
  if (existsSync(`${file}.lock`)) throw new Error(`${server.name}: the lock stayed`);
  if (end !== 'fetched' && existsSync(file)) throw new Error(`${server.name}: a file stayed after ${end}`);
  return end;
}

async function fetchInto(file: string, url: string, { name, content, tellsLength }: ServerCase): Promise<string> {
  const md5 = createHash('md5').update(content).digest('hex');
  const bytes = tellsLength ? content.length : undefined;
  try {
    await download({ url, hash: md5, file, bytes, stallMs: 60, retries: 2, retryDelayMs: 1 });
  } catch (error) {
    if (error instanceof PhospheneError) return error.code;
    throw new Error(`${name} ended in a bare error`, { cause: error });
  }
  if (!readFileSync(file).equals(content)) throw new Error(`${name}: a wrong file was kept`);
  return 'fetched';
}
