/** @file A file from the network, whole or not at all: resumed after a break, checked before it gets its name, fetched once. */
import { open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PhospheneError } from '../errors.ts';
import { explained, systemCode } from '../filesystem.ts';
import { ensureFolder } from '../folder.ts';
import { looksLike } from '../import/sniff.ts';
import { ANOTHER_CACHE } from './cache.ts';
import { lock } from './lock.ts';
import { md5Of, remember, verify } from './verified.ts';

export interface DownloadOptions {
  readonly url: string;
  /** MD5 of the whole file, in hex. */
  readonly md5: string;
  /** Length in bytes where it is known: for progress when the server does not say, and as a bound. */
  readonly bytes?: number | undefined;
  /** Where the file goes; until it is complete, `FILE.part` stands beside it. */
  readonly file: string;
  /** Told after every piece. `total` is undefined where nobody knows it. */
  readonly onProgress?: ((progress: { received: number; total: number | undefined }) => void) | undefined;
  /** Stops the download; what has come stays for the next time. */
  readonly signal?: AbortSignal | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** A server that sends nothing for this long is given up on. Default 30 s. */
  readonly stallMs?: number | undefined;
  /** Further attempts after a break that brought nothing new. Default 4. */
  readonly retries?: number | undefined;
  /** Pause before the first further attempt, doubled for each one after. Default 500 ms. */
  readonly retryDelayMs?: number | undefined;
}

/** How to go on without the network. */
const INSTEAD = 'fetch it elsewhere and give it with `--weights FILE`, or use the built-in model `resnet50v2-mini`';
/** Progress that counts: a server that drops the line after this much is worth asking again. */
const WORTHWHILE = 64 * 1024;
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
 * Makes sure that `file` holds the bytes with that MD5, and returns its path. A sound file is never fetched again; a second
 * process (or call) waits for the first. Throws `offline`, `download` (with the HTTP status where there is one),
 * `hash-mismatch`, `filesystem` or `aborted`.
 *
 * @example
 * await download({ url: model.url, md5: model.md5, file: '/tmp/resnet50v2.h5', onProgress: ({ received }) => … });
 */
export async function download(options: DownloadOptions): Promise<string> {
  const { file, md5, signal } = options;
  const part = `${file}.part`;
  try {
    signal?.throwIfAborted();
    if ((await verify(file, md5)) === 'sound') return file;
    await ensureFolder(dirname(file), ANOTHER_CACHE);
    const release = await lock(`${file}.lock`, {
      signal,
      waiting: async () => {
        options.onProgress?.({ received: await sizeOf(part), total: options.bytes });
      },
    });
    try {
      const state = await verify(file, md5);
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

async function fetchWhole(options: DownloadOptions, part: string): Promise<void> {
  const { url, md5, file, signal, retries = 4, retryDelayMs = 500 } = options;
  let attempts = 0;
  let failures = 0;
  let resumed = (await sizeOf(part)) > 0;
  for (;;) {
    const before = await sizeOf(part);
    attempts++;
    try {
      await fetchPart(options, part);
    } catch (problem) {
      if (!(problem instanceof Interruption)) throw problem;
      signal?.throwIfAborted();
      failures = (await sizeOf(part)) >= before + WORTHWHILE ? 0 : failures + 1;
      const lost = problem.error;
      // A first attempt that reaches nobody says that there is no network; waiting will not bring one.
      if (failures > retries || (lost.code === 'offline' && attempts === 1)) {
        const kept = await sizeOf(part);
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
    const found = await md5Of(part);
    if (found === md5) break;
    const kind = looksLike(await headOf(part));
    await Promise.all([rm(part, { force: true }), rm(`${part}.json`, { force: true })]);
    // The beginning may have been left by something else; one download in one piece tells.
    if (resumed) {
      resumed = false;
      continue;
    }
    throw new PhospheneError(
      'hash-mismatch',
      `${url}: what came has MD5 ${found} and should have ${md5} (it looks like ${kind}); it was removed. Try again; if it comes again, ${INSTEAD}`,
      { url, expected: md5, found },
    );
  }
  await rename(part, file);
  await rm(`${part}.json`, { force: true });
  await remember(file, md5);
}

/** One request: appends to the part file what is missing. */
async function fetchPart(options: DownloadOptions, part: string): Promise<void> {
  const { url, onProgress, signal } = options;
  let have = await sizeOf(part);
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

    const output = await open(part, goesOn ? 'r+' : 'w');
    try {
      await writeFile(`${part}.json`, JSON.stringify({ url, validator: strongValidator(response) }));
      onProgress?.({ received: have, total: known ?? options.bytes });
      const reader = body?.getReader();
      for (;;) {
        const piece = await reader?.read().catch((cause: unknown) => {
          throw watch.reason(url) ?? new Interruption(broken(url, `the connection broke after ${have} bytes`, cause));
        });
        watch.alive();
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
  options: DownloadOptions,
  have: number,
  validator: string | undefined,
  watch: Watch,
): Promise<Response> {
  const { url, fetch = globalThis.fetch } = options;
  // Compressed on the way, ranges and lengths would count other bytes.
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (have > 0) headers['range'] = `bytes=${have}-`;
  if (have > 0 && validator) headers['if-range'] = validator;
  try {
    const response = await fetch(url, { headers, signal: watch.signal, redirect: 'follow' });
    watch.alive();
    return response;
  } catch (cause) {
    const reason = watch.reason(url);
    if (reason) throw reason;
    const code = systemCode(cause);
    if (code !== undefined && OFFLINE.has(code)) {
      const host = URL.canParse(url) ? new URL(url).host : url;
      const message = `${url}: ${host} cannot be reached (${code}); is the network on? Without it, ${INSTEAD}`;
      throw new Interruption(new PhospheneError('offline', message, { url, host, reason: code }, cause));
    }
    const error = broken(url, `the request failed (${code ?? messageOf(cause)})`, cause);
    // Without a system's code it is the address itself; a certificate does not become valid by asking again.
    throw code === undefined || /^ERR_|CERT|SSL|TLS|UNABLE_TO/.test(code) ? error : new Interruption(error);
  }
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
async function refuse({ url }: DownloadOptions, response: Response): Promise<void> {
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
  return new PhospheneError('download', `${url}: ${what}`, { url, ...details }, cause);
}

/** Ends a request when the caller says so, or when nothing has come for a while. */
class Watch {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  readonly #stallMs: number;
  readonly #onAbort = (): void => this.#controller.abort(this.#outer?.reason);
  #timer: NodeJS.Timeout | undefined;
  #stalled = false;

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

  /** Something came. */
  alive(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#stalled = true;
      this.#controller.abort();
    }, this.#stallMs);
  }

  /** Why the request ended, when it was us who ended it. */
  reason(url: string): unknown {
    if (this.#outer?.aborted) return this.#outer.reason;
    return this.#stalled
      ? new Interruption(
          broken(url, `the server sent nothing for ${this.#stallMs / 1000} s; try again later, or ${INSTEAD}`),
        )
      : undefined;
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
    const known = JSON.parse(await readFile(`${part}.json`, 'utf8')) as { url?: unknown; validator?: unknown };
    if (known.url === url && typeof known.validator === 'string') return known.validator;
  } catch {
    // No record: the hash at the end decides.
  }
  return undefined;
}

async function sizeOf(file: string): Promise<number> {
  return stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}

async function headOf(file: string): Promise<Uint8Array> {
  const handle = await open(file, 'r');
  try {
    const head = new Uint8Array(512);
    return head.subarray(0, (await handle.read(head, 0, 512, 0)).bytesRead);
  } finally {
    await handle.close();
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
