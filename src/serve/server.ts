/** @file The explorer's server: answers one page on this machine, by events, from a studio. */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PhospheneError } from '../errors.ts';
import { systemCode } from '../filesystem.ts';
import { packed, unpacked } from '../live/packed.ts';
import type { FromStudio, ToStudio } from '../live/protocol.ts';
import { type Answering, serveStudio } from '../live/serve.ts';
import type { Studio } from '../live/studio.ts';
import { judge } from './guard.ts';
import type { PageFile } from './page.ts';

/** What is served, and where. */
export interface ServeOptions {
  readonly studio: Studio;
  readonly files: ReadonlyMap<string, PageFile>;
  /** A port of this machine; a free one unless given. */
  readonly port?: number | undefined;
}

/** A server that runs. */
export interface Serving {
  /** The page's address. Whoever knows it may ask. */
  readonly url: string;
  /** Ends all connections and what they wait for. */
  close(): Promise<void>;
}

/** Pages that may listen at a time, and the most that one may say at once. */
const MOST_SESSIONS = 32;
/** A photo as large as a studio takes, and what stands around it. */
const MOST_BODY = 5 << 20;
const MOST_QUESTIONS = 256;
/** Bytes that wait for a slow page; what it would not miss is then left out. */
const SLOW = 1 << 20;
/** Milliseconds between two signs of life, so that a page notices if the line is cut. */
const ALIVE_EVERY = 15_000;

/**
 * What a page may do: its own scripts, workers, pictures and questions, nothing of anyone else. WebAssembly is allowed for files that a
 * visitor opens in the page itself.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const headers = {
  'content-security-policy': policy,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  // A photo may be taken if the visitor says so; nothing else of the machine is the page's business.
  'permissions-policy':
    'camera=(self), microphone=(), geolocation=(), display-capture=(), usb=(), serial=(), bluetooth=(), midi=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

interface Session {
  readonly answering: Answering;
  readonly end: () => void;
}

/**
 * Serves the explorer on the loopback interface until it is closed. Throws `filesystem` if the port cannot be had.
 *
 * @example
 * const { url } = await serveExplorer({ studio, files: await pageFiles() });
 */
export async function serveExplorer({ studio, files, port = 0 }: ServeOptions): Promise<Serving> {
  const token = randomBytes(16).toString('hex');
  const sessions = new Map<string, Session>();
  const server = createServer((request, response) => {
    void respond(request, response).catch(() => {
      if (!response.headersSent) refuse(response, 500);
      else response.destroy();
    });
  });
  // A page's stream stays; whoever sends a request slowly does not.
  server.headersTimeout = 10_000;
  server.requestTimeout = 20_000;
  await listening(server, port);
  const own = (server.address() as AddressInfo).port;

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const { method = '', url = '' } = request;
    const { host, origin } = request.headers;
    const verdict = judge(
      {
        method,
        url,
        host,
        origin,
        site: request.headers['sec-fetch-site'],
        type: request.headers['content-type'],
      },
      { port: own, token },
    );
    if ('status' in verdict) return refuse(response, verdict.status);
    if (method === 'POST') return hear(request, response);
    if (verdict.path === 'events' && method === 'GET') return listen(response);
    const file = files.get(verdict.path);
    if (!file) return refuse(response, 404);
    const bytes = await file.bytes();
    response.writeHead(200, {
      'content-type': file.type,
      'content-length': bytes.length,
      'cache-control': file.lasting ? 'private, max-age=31536000, immutable' : 'no-cache',
    });
    response.end(method === 'HEAD' ? undefined : bytes);
  };

  /** A page's stream of answers. When it is closed, what the page waited for is stopped. */
  const listen = (response: ServerResponse): void => {
    if (sessions.size >= MOST_SESSIONS) return refuse(response, 503);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const id = randomBytes(16).toString('hex');
    const say = (message: unknown): void => void response.write(`data: ${JSON.stringify(message, packed)}\n\n`);
    const post = (message: FromStudio): void => {
      if (response.writableLength > SLOW && message.type === 'news' && message.news.type !== 'picture') return;
      say(message);
    };
    const answering = serveStudio({ post }, studio);
    const alive = setInterval(() => response.write(': alive\n\n'), ALIVE_EVERY);
    sessions.set(id, { answering, end: () => response.end() });
    response.on('close', () => {
      clearInterval(alive);
      sessions.delete(id);
      answering.stop();
    });
    say({ session: id });
  };

  const hear = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = await bodyOf(request);
    if (text === undefined) return refuse(response, 413);
    const said = parsed(text);
    const session = said && sessions.get(said.session);
    if (!said || !session) return refuse(response, said ? 409 : 400);
    for (const question of said.questions) session.answering.ask(question);
    response.writeHead(204).end();
  };

  return {
    url: `http://127.0.0.1:${own}/${token}/`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const { end, answering } of sessions.values()) {
        answering.stop();
        end();
      }
      server.closeAllConnections();
      await closed;
    },
  };
}

function refuse(response: ServerResponse, status: number): void {
  // Not kept alive: what follows on this connection is not looked at.
  response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' }).end(`${status}\n`);
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const why = systemCode(error) === 'EADDRINUSE' ? 'another program has it' : error.message;
      reject(
        new PhospheneError('filesystem', `port: ${port} cannot be used, ${why}; choose another, or leave it out`, {
          option: 'port',
          port,
        }),
      );
    });
    server.listen(port, '127.0.0.1', resolve);
  });
}

/** The body as text; undefined if it is too long. */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > MOST_BODY) return undefined;
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > MOST_BODY) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parsed(text: string): { readonly session: string; readonly questions: readonly ToStudio[] } | undefined {
  try {
    const said = JSON.parse(text, unpacked) as unknown;
    if (typeof said !== 'object' || said === null) return undefined;
    const { session, questions } = said as Readonly<Record<string, unknown>>;
    if (typeof session !== 'string' || !Array.isArray(questions) || questions.length > MOST_QUESTIONS) return undefined;
    if (!questions.every((q) => typeof q === 'object' && q !== null)) return undefined;
    return { session, questions: questions as ToStudio[] };
  } catch {
    return undefined;
  }
}
