/** @file Who may ask the server anything: only the page that it has itself given out, on this machine. */
import { timingSafeEqual } from 'node:crypto';

/** What of a request decides. */
export interface Asked {
  readonly method: string;
  /** As it stands in the request, not decoded. */
  readonly url: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`: browsers say from where a request comes, and no page can change it. */
  readonly site: string | undefined;
  readonly type: string | undefined;
}

/** What is asked for, or the status of a refusal. */
export type Verdict = { readonly path: string } | { readonly status: 400 | 403 | 404 | 405 | 415 };

/** Names that lead to this machine whatever a name server says. */
export function hostsOf(port: number): readonly string[] {
  return [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`];
}

/**
 * Judges a request. The name in `Host` must be one of this machine's, so that no other name that leads here is obeyed (DNS rebinding).
 * `Origin` and `Sec-Fetch-Site`, which other pages cannot leave out, must name this server. The address must begin with the token,
 * which other pages do not know. Nothing of the path is decoded or resolved: it is looked up as it is.
 *
 * @example
 * judge(asked, { port: 4173, token }); // { path: 'events' }
 */
export function judge(asked: Asked, { port, token }: { readonly port: number; readonly token: string }): Verdict {
  const { method, url, host, origin, site, type } = asked;
  const hosts = hostsOf(port);
  if (host === undefined || !hosts.includes(host)) return { status: 403 };
  if (origin !== undefined && origin !== `http://${host}`) return { status: 403 };
  const path = url.split('?', 1)[0]!;
  const [, given = '', ...rest] = path.split('/');
  if (!path.startsWith('/') || !isEqual(given, token)) return { status: 404 };
  const asks = rest.join('/');
  // A visitor may type the address, or follow a link to it from the terminal; nothing else of the server is to be had like that.
  if (site !== undefined && site !== 'same-origin' && !(site === 'none' && method === 'GET' && asks === ''))
    return { status: 403 };
  if (method === 'POST') {
    if (asks !== 'ask') return { status: 405 };
    // A form cannot send this, so that browsers ask first if another page tries.
    return type === 'application/json' ? { path: asks } : { status: 415 };
  }
  if (method !== 'GET' && method !== 'HEAD') return { status: 405 };
  return asks === 'ask' ? { status: 405 } : { path: asks };
}

function isEqual(given: string, token: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}
