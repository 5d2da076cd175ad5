/** @file A file from the network, whole or not at all: resumed after a break, checked before it gets its name, fetched once. */
import { type FileHandle, lstat, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PhospheneError } from '../errors.ts';
import { explained, systemCode } from '../filesystem.ts';
import { ensureFolder } from '../folder.ts';
import { isHdf5, looksLike } from '../import/sniff.ts';
import { ANOTHER_CACHE } from './cache.ts';
import { createOurs, lengthOfOurs, openOurs, readTrusted, replaceWith } from './guarded.ts';
import { lock } from './lock.ts';
import { algorithmOf, hashOf, remember, verify } from './verified.ts';

/** What is downloaded, how it is known to be right, and when to give up. */
export interface DownloadOptions {
  readonly url: string;
  /** MD5 (32 digits) or SHA-256 (64) of the whole file, in hex. Without one, what comes must be an HDF5 file. */
  readonly hash?: string | undefined;
  /** Length in bytes, if it is known: for progress when the server does not say, and as a bound. */
  readonly bytes?: number | undefined;
  /** Where the file goes; until it is complete, `FILE.part` stands beside it. */
  readonly file: string;
  /** Told after every piece. `total` is undefined if nobody knows it. */
  readonly onProgress?: ((progress: { received: number; total: number | undefined }) => void) | undefined;
  /** Stops the download; what has come stays for the next time. */
  readonly signal?: AbortSignal | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
  /**
   * A server that sends nothing for this long is given up on, and one that sends less than a kilobyte a second for four times as long.
   * Default 30 s.
   */
  readonly stallMs?: number | undefined;
  /** Further attempts after a break that brought nothing new. Default 4. */
  readonly retries?: number | undefined;
  /** Pause before the first further attempt, doubled for each one after. Default 500 ms. */
  readonly retryDelayMs?: number | undefined;
}

/** How to go on without the network. */
export const INSTEAD =
  'fetch the file elsewhere and give its path as the weights, or use the built-in model `resnet50v2-mini`';
/** The same for a file that is named by its address. */
const INSTEAD_OF_URL = 'fetch it elsewhere with the files beside it, and open it by its path';
/** The option that takes that path, for whoever shows the message. */
const OPTION = { option: 'weights' } as const;
/** Progress that counts: a server that drops the line after this much is worth asking again. */
const WORTHWHILE = 64 * 1024;
/** Requests for one file, however much each of them brings. */
const MOST_ATTEMPTS = 1000;
const MOST_REDIRECTS = 10;
/** Bytes a second below which a server is as good as silent: a hundred megabytes would take a day. */
const SLOWEST = 1024;
/** No published weights come near this; a body without end stops here. */
const MOST_BYTES = 8 * 2 ** 30;

/** Something that another attempt may cure. */
class Interruption {
  readonly error: PhospheneError;
  constructor(error: PhospheneError) {
    this.error = error;
  }
}

/**
 * Makes sure that `file` holds the bytes with that hash, and returns its path. A sound file is never fetched again; a second
 * process (or call) waits for the first. Throws `offline`, `download` (with the HTTP status, if there is one),
 * `hash-mismatch`, `filesystem` or `aborted`.
 *
 * @example
 * await download({ url: model.url, hash: model.hash, file: '/tmp/resnet50v2.h5', onProgress: ({ received }) => … });
 */
export async function download(options: DownloadOptions): Promise<string> {
  const { file, hash, signal } = options;
  const part = `${file}.part`;
  try {
    signal?.throwIfAborted();
    if ((await verify(file, hash)) === 'sound') return file;
    await ensureFolder(dirname(file), ANOTHER_CACHE);
    const release = await lock(`${file}.lock`, {
      signal,
      waiting: async () => {
        options.onProgress?.({ received: await lengthOfOurs(part), total: options.bytes });
      },
    });
    try {
      const state = await verify(file, hash);
      if (state === 'sound') return file;
      if (state === 'wrong') await rm(file, { force: true });
      await fetchWhole(options, part);
      return file;
    } catch (error) {
      if (error instanceof PhospheneError || signal?.aborted || systemCode(error) === undefined) throw error;
      throw explained(error, file, 'cannot be written', ANOTHER_CACHE);
    } finally {
      await release();
    }
  } catch (error) {
    if (!signal?.aborted || error instanceof PhospheneError) throw error;
    throw new PhospheneError(
      'aborted',
      `${options.url}: the download was stopped; what has come is kept in ${part} and goes on from there next time`,
      { url: options.url, part },
      error,
    );
  }
}

/** How a file is fetched that its user names: nobody knows its hash. */
export type FetchOptions = Pick<DownloadOptions, 'signal' | 'fetch' | 'stallMs' | 'retries' | 'retryDelayMs'>;

/** What memory is for; larger files are downloaded first. */
const MOST_IN_MEMORY = 2 ** 31 - 1;

/**
 * The bytes at an address, in memory. A broken line is asked for again. Throws `offline`, `download` (with the HTTP status, if there is
 * one), `too-large`, `aborted`.
 */
export async function fetchBytes(url: string, options: FetchOptions = {}): Promise<Uint8Array> {
  const { signal, retries = 4, retryDelayMs = 500 } = options;
  for (let failures = 0; ; failures++) {
    try {
      signal?.throwIfAborted();
      return await fetchOnce({ ...options, url });
    } catch (problem) {
      if (problem instanceof Interruption) {
        const { error } = problem;
        if (failures >= retries || error.code === 'offline') throw inPath(error);
        await sleep(retryDelayMs * 2 ** failures, undefined, { signal }).catch(() => {});
        continue;
      }
      if (problem instanceof PhospheneError) throw inPath(problem);
      if (!signal?.aborted) throw problem;
      throw new PhospheneError('aborted', `${url}: fetching it was stopped`, { url }, problem);
    }
  }
}

async function fetchOnce(options: FetchOptions & { readonly url: string }): Promise<Uint8Array> {
  const { url } = options;
  const watch = new Watch(options.signal, options.stallMs ?? 30_000);
  try {
    const response = await ask(options, 0, undefined, watch);
    await refuse(options, response);
    const announced = Number(response.headers.get('content-length') ?? NaN);
    const pieces: Uint8Array[] = [];
    let have = 0;
    const reader = response.body?.getReader();
    for (;;) {
      const piece = await reader?.read().catch((cause: unknown) => {
        throw watch.reason(url) ?? new Interruption(broken(url, `the connection broke after ${have} bytes`, cause));
      });
      watch.alive(piece?.value?.length);
      if (piece === undefined || piece.done) break;
      have += piece.value.length;
      if (have > MOST_IN_MEMORY || announced > MOST_IN_MEMORY) {
        await reader?.cancel();
        throw new PhospheneError('too-large', `${url}: it has more than 2 GiB; download it, and open it by its path`, {
          url,
        });
      }
      pieces.push(piece.value);
    }
    if (have < announced) throw new Interruption(broken(url, `the server ended after ${have} of ${announced} bytes`));
    return Buffer.concat(pieces);
  } finally {
    watch.end();
  }
}

/** An error about a file that is no published one: it can be opened by its path if it cannot be fetched. */
function inPath({ code, message, details, cause }: PhospheneError): PhospheneError {
  const { option: _, ...others } = details;
  return new PhospheneError(code, message.replace(INSTEAD, INSTEAD_OF_URL), others, cause);
}

async function fetchWhole(options: DownloadOptions, part: string): Promise<void> {
  const { url, hash, file, signal, retries = 4, retryDelayMs = 500 } = options;
  let attempts = 0;
  let failures = 0;
  // The most that was ever here: a server that gives much and little in turn makes no progress.
  let best = await lengthOfOurs(part);
  let resumed = (await lengthOfOurs(part)) > 0;
  for (;;) {
    attempts++;
    try {
      await fetchPart(options, part);
    } catch (problem) {
      if (!(problem instanceof Interruption)) throw problem;
      signal?.throwIfAborted();
      const length = await lengthOfOurs(part);
      failures = length >= best + WORTHWHILE ? 0 : failures + 1;
      best = Math.max(best, length);
      const lost = problem.error;
      // A first attempt that reaches nobody says that there is no network; waiting will not bring one.
      if (failures > retries || attempts >= MOST_ATTEMPTS || (lost.code === 'offline' && attempts === 1)) {
        const kept = await lengthOfOurs(part);
        throw new PhospheneError(
          lost.code,
          lost.message,
          { ...lost.details, url, attempts, received: kept },
          lost.cause,
        );
      }
      await sleep(retryDelayMs * 2 ** Math.min(6, Math.max(0, failures - 1)), undefined, { signal });
      resumed = true;
      continue;
    }
    const outcome = await settle(part, file, hash);
    if (outcome === 'sound') break;
    await Promise.all([rm(part, { force: true }), rm(`${part}.json`, { force: true })]);
    // The beginning may have been left by something else; one download in one piece tells.
    if (resumed) {
      resumed = false;
      best = 0;
      continue;
    }
    const { found, kind } = outcome;
    if (hash === undefined)
      throw new PhospheneError(
        'download',
        `${url}: what came is no HDF5 file but ${kind}; it was removed; ${INSTEAD}`,
        {
          url,
          looksLike: kind,
          ...OPTION,
        },
      );
    throw new PhospheneError(
      'hash-mismatch',
      `${url}: what came has ${algorithmOf(hash)} ${found} and should have ${hash} (it looks like ${kind}); it was removed. Try again; if it comes again, ${INSTEAD}`,
      { url, expected: hash, found, ...OPTION },
    );
  }
  await rm(`${part}.json`, { force: true });
  if (hash !== undefined) await remember(file, hash);
}

/** Gives the part its name if it is the file. What is checked is what gets the name: the bytes are read through one open file. */
async function settle(
  part: string,
  file: string,
  hash: string | undefined,
): Promise<'sound' | { found: string; kind: string }> {
  const handle = await openOurs(part);
  if (handle === undefined) throw exchanged(part);
  try {
    const found = hash === undefined ? '' : await hashOf(handle, hash);
    const right = hash === undefined ? isHdf5(await headOf(handle)) : found === hash;
    if (!right) return { found, kind: looksLike(await headOf(handle)) };
    await rename(part, file);
    const [checked, named] = [await handle.stat(), await lstat(file)];
    if (checked.ino !== named.ino || checked.dev !== named.dev) throw exchanged(file);
    return 'sound';
  } finally {
    await handle.close();
  }
}

function exchanged(path: string): PhospheneError {
  return new PhospheneError(
    'filesystem',
    `${path} was exchanged by someone while it was being checked; ${ANOTHER_CACHE}, one that only you may write`,
    { path },
  );
}

/** One request: appends to the part file what is missing. */
async function fetchPart(options: DownloadOptions, part: string): Promise<void> {
  const { url, onProgress, signal } = options;
  let have = await lengthOfOurs(part);
  const validator = have > 0 ? await validatorOf(part, url) : undefined;
  const watch = new Watch(signal, options.stallMs ?? 30_000);
  try {
    const response = await ask(options, have, validator, watch);
    const body = response.body;
    if (response.status === 416) {
      await body?.cancel();
      // Either everything is here already, or the part is of another file.
      if (Number(/\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1]) === have) return;
      await rm(part, { force: true });
      throw new Interruption(broken(url, 'the server has less than the part that was here'));
    }
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
    const goesOn = response.status === 206 && Number(range?.[1]) === have;
    if (response.status === 206 && !goesOn) {
      await body?.cancel();
      await rm(part, { force: true });
      throw new Interruption(broken(url, 'the server went on from another place than it was asked to'));
    }
    await refuse(options, response);
    if (!goesOn) have = 0;
    const length = Number(response.headers.get('content-length') ?? NaN);
    const total = goesOn ? Number(range?.[2]) : length;
    const known = Number.isFinite(total) ? total : undefined;
    const most = known ?? options.bytes ?? MOST_BYTES;
    if (most > MOST_BYTES) throw broken(url, `the server announces ${most} bytes, more than any weights have`);

    const output = goesOn ? await openOurs(part) : await createOurs(part);
    if (output === undefined) throw exchanged(part);
    try {
      await replaceWith(`${part}.json`, JSON.stringify({ url, validator: strongValidator(response) }));
      onProgress?.({ received: have, total: known ?? options.bytes });
      const reader = body?.getReader();
      for (;;) {
        const piece = await reader?.read().catch((cause: unknown) => {
          throw watch.reason(url) ?? new Interruption(broken(url, `the connection broke after ${have} bytes`, cause));
        });
        watch.alive(piece?.value?.length);
        if (piece === undefined || piece.done) break;
        if (have + piece.value.length > most) throw broken(url, `the server sends more than ${most} bytes`);
        // At its place, not at the end: two writers of the same bytes cannot disturb each other.
        for (let done = 0; done < piece.value.length;) {
          done += (await output.write(piece.value, done, piece.value.length - done, have + done)).bytesWritten;
        }
        have += piece.value.length;
        onProgress?.({ received: have, total: known ?? options.bytes });
      }
      if (known !== undefined && have < known) {
        throw new Interruption(broken(url, `the server ended after ${have} of ${known} bytes`));
      }
      await output.truncate(have);
      await output.sync();
    } catch (error) {
      await body?.cancel().catch(() => {});
      throw error instanceof PhospheneError || error instanceof Interruption || signal?.aborted
        ? error
        : explained(error, part, 'cannot be written', ANOTHER_CACHE);
    } finally {
      await output.close();
    }
  } finally {
    watch.end();
  }
}

async function ask(
  options: Pick<DownloadOptions, 'url' | 'fetch'>,
  have: number,
  validator: string | undefined,
  watch: Watch,
): Promise<Response> {
  const { url, fetch = globalThis.fetch } = options;
  // Compressed on the way, ranges and lengths would count other bytes.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (have > 0) headers['range'] = `bytes=${have}-`;
  if (have > 0 && validator) headers['if-range'] = validator;
  let address = webAddress(url, url);
  // Redirects are followed here, so that a message can say where one leads.
  for (let hops = 0; ; hops++) {
    let response: Response;
    try {
      response = await fetch(address, { headers, signal: watch.signal, redirect: 'manual' });
      watch.alive();
    } catch (cause) {
      throw watch.reason(url) ?? unreached(url, address, cause);
    }
    const location = [301, 302, 303, 307, 308].includes(response.status) ? response.headers.get('location') : null;
    if (location === null) return response;
    await response.body?.cancel();
    if (hops === MOST_REDIRECTS)
      throw broken(url, `the server redirects more than ${MOST_REDIRECTS} times; ${INSTEAD}`);
    address = webAddress(url, location, address);
  }
}

/** An address of the web, or the reason why it is none. */
function webAddress(url: string, address: string, base?: string): string {
  const parsed = URL.canParse(address, base) ? new URL(address, base) : undefined;
  if (parsed && ['http:', 'https:'].includes(parsed.protocol)) return parsed.href;
  const shown = JSON.stringify((parsed?.href ?? address).slice(0, 200));
  throw base === undefined
    ? broken(url, 'is no address of the web (http: or https:)')
    : broken(
        url,
        `the server redirects to ${shown}, which is no address of the web (http: or https:); ${INSTEAD}`,
        undefined,
        {
          redirect: parsed?.href ?? address,
        },
      );
}

/** Why a request got no answer. */
function unreached(url: string, address: string, cause: unknown): unknown {
  const code = systemCode(cause);
  const host = new URL(address).host;
  if (code !== undefined && OFFLINE.has(code)) {
    const message = `${url}: ${host} cannot be reached (${code}); is the network on? Without it, ${INSTEAD}`;
    return new Interruption(new PhospheneError('offline', message, { url, host, reason: code, ...OPTION }, cause));
  }
  const error = broken(url, `the request to ${host} failed (${code ?? messageOf(cause)})`, cause);
  // Without a system's code it is the address itself; a certificate does not become valid by asking again.
  return code === undefined || /^ERR_|CERT|SSL|TLS|UNABLE_TO/.test(code) ? error : new Interruption(error);
}

const OFFLINE: ReadonlySet<string> = new Set([
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'ECONNREFUSED',
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTUNREACH',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Throws for answers that are not the file. */
async function refuse({ url }: Pick<DownloadOptions, 'url'>, response: Response): Promise<void> {
  const { status, statusText } = response;
  const type = response.headers.get('content-type') ?? '';
  if (status === 200 || status === 206) {
    if (!/^text\/html/i.test(type)) return;
    await response.body?.cancel();
    throw broken(
      url,
      `the server sent an HTML page instead of the file (a sign-in page of the network, or a moved file); open the address in a browser, or ${INSTEAD}`,
      undefined,
      { status },
    );
  }
  await response.body?.cancel();
  const error = broken(
    url,
    `the server answered ${status}${statusText ? ` ${statusText}` : ''}; ${status === 404 || status === 410 ? 'the file is not there any more: ' : ''}${INSTEAD}`,
    undefined,
    { status },
  );
  throw status >= 500 || status === 408 || status === 429 ? new Interruption(error) : error;
}

function broken(url: string, what: string, cause?: unknown, details: Record<string, unknown> = {}): PhospheneError {
  return new PhospheneError(
    'download',
    `${url}: ${what}`,
    { url, ...details, ...(what.includes(INSTEAD) ? OPTION : {}) },
    cause,
  );
}

/** Ends a request when the caller says so, or when nothing, or next to nothing, has come for a while. */
class Watch {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #stallMs: number;
  readonly #onAbort = (): void => this.#controller.abort(this.#outer?.reason);
  #timer: NodeJS.Timeout | undefined;
  #why: string | undefined;
  /** When the period began over which the speed is measured, and what came in it. */
  #since = performance.now();
  #bytes = 0;

  constructor(outer: AbortSignal | undefined, stallMs: number) {
    this.#outer = outer;
    this.#stallMs = stallMs;
    if (outer?.aborted) this.#onAbort();
    outer?.addEventListener('abort', this.#onAbort);
    this.alive();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Something came; `bytes` of the file. */
  alive(bytes = 0): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#giveUp(`sent nothing for ${this.#stallMs / 1000} s`), this.#stallMs);
    this.#bytes += bytes;
    const passed = performance.now() - this.#since;
    if (passed < 4 * this.#stallMs) return;
    if (this.#bytes < (SLOWEST * passed) / 1000)
      this.#giveUp(`sent only ${this.#bytes} bytes in ${(passed / 1000).toFixed(1)} s`);
    [this.#since, this.#bytes] = [performance.now(), 0];
  }

  #giveUp(why: string): void {
    this.#why ??= why;
    this.#controller.abort();
  }

  /** Why the request ended, when it was us who ended it. */
  reason(url: string): unknown {
    if (this.#outer?.aborted) return this.#outer.reason;
    return this.#why === undefined
      ? undefined
      : new Interruption(broken(url, `the server ${this.#why}; try again later, or ${INSTEAD}`));
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener('abort', this.#onAbort);
  }
}

/** What tells whether the server's file is still the same: a strong ETag, else the time of its last change. */
function strongValidator(response: Response): string | undefined {
  const etag = response.headers.get('etag');
  return etag && !etag.startsWith('W/') ? etag : (response.headers.get('last-modified') ?? undefined);
}

/** The validator recorded with a part. */
async function validatorOf(part: string, url: string): Promise<string | undefined> {
  try {
    const text = (await readTrusted(`${part}.json`)) ?? '{}';
    const known = JSON.parse(text) as { url?: unknown; validator?: unknown } | null;
    if (known?.url === url && typeof known.validator === 'string') return known.validator;
  } catch {
    // No record: the hash at the end decides.
  }
  return undefined;
}

async function headOf(handle: FileHandle): Promise<Uint8Array> {
  const head = new Uint8Array(512);
  return head.subarray(0, (await handle.read(head, 0, 512, 0)).bytesRead);
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
