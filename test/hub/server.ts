/** @file A local web server that misbehaves as told. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TestServer {
  readonly url: string;
  /** Headers of the requests so far. */
  readonly requests: IncomingMessage['headers'][];
  close(): Promise<void>;
}

/** Starts a server on 127.0.0.1; `answer` gets the number of the request, from 1. */
export async function serve(
  answer: (request: IncomingMessage, response: ServerResponse, turn: number) => void,
): Promise<TestServer> {
  const requests: IncomingMessage['headers'][] = [];
  const server: Server = createServer((request, response) => {
    requests.push(request.headers);
    answer(request, response, requests.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/weights.h5`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Answers properly: whole, or from the byte asked for. `stopAfter` bytes the line is cut. */
export function give(
  request: IncomingMessage,
  response: ServerResponse,
  content: Uint8Array,
  { etag = '"1"', stopAfter = Infinity }: { etag?: string; stopAfter?: number } = {},
): void {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? NaN);
  const condition = request.headers['if-range'];
  const partial = Number.isFinite(from) && (condition === undefined || condition === etag);
  if (partial && from >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const body = partial ? content.subarray(from) : content;
  response.writeHead(partial ? 206 : 200, {
    etag,
    'content-length': body.length,
    ...(partial ? { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` } : {}),
  });
  if (body.length <= stopAfter) response.end(body);
  else response.write(body.subarray(0, stopAfter), () => setTimeout(() => response.destroy(), 20));
}
