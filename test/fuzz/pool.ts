/** @file Child processes that put cases through, one after another, each within its time and memory. */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

/** What a case may take. */
export interface Limits {
  readonly milliseconds: number;
  /** Resident memory of the whole child. */
  readonly bytes: number;
}

/** How a case ended. `finding` is what must not be: the rest are good answers. */
export type Outcome =
  | { readonly type: 'fine'; readonly outcome: string; readonly message?: string }
  | { readonly type: 'finding'; readonly sort: Sort; readonly message: string; readonly stack?: string };
export type Sort = 'bare error' | 'unclear error' | 'crash' | 'timeout' | 'memory' | 'noise';

/** What a child says of a case. */
export type Answer = Exclude<Outcome, never>;

const script = new URL('child.js', import.meta.url);
/** A child is replaced after this many cases, so that one case's leavings are not laid at another's door for long. */
const CASES = 2000;
const WATCH = 40;

/** One child at a time, replaced when it dies, is killed, or has done its share. */
export class Worker {
  readonly #folder: string;
  readonly #limits: Limits;
  #child: ChildProcess | undefined;
  #done = 0;
  #noise = 0;

  constructor(folder: string, limits: Limits) {
    this.#folder = folder;
    this.#limits = limits;
    mkdirSync(folder, { recursive: true });
  }

  /** Puts one case through. Never rejects for what the case does. */
  async run(kind: string, seed: number): Promise<Outcome> {
    if (this.#done >= CASES) this.close();
    const child = (this.#child ??= await this.#start());
    this.#done++;
    const outcome = await this.#outcome(child, kind, seed);
    if (outcome.type === 'finding' && ['crash', 'timeout', 'memory'].includes(outcome.sort)) this.close();
    return outcome;
  }

  close(): void {
    this.#child?.removeAllListeners();
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  async #start(): Promise<ChildProcess> {
    this.#done = 0;
    this.#noise = 0;
    // A file and not a pipe: what is written lies there when the answer comes, also what native code writes.
    const out = openSync(this.#outFile, 'w');
    const child = fork(script, [this.#folder], {
      execArgv: [`--max-old-space-size=${Math.floor(this.#limits.bytes / 2 ** 20)}`],
      stdio: ['ignore', out, out, 'ipc'],
      serialization: 'advanced',
    });
    closeSync(out);
    await new Promise((ready, failed) => {
      child.once('message', ready);
      child.once('exit', (code) =>
        failed(new Error(`the child ended with ${code}: ${readFileSync(this.#outFile, 'utf8')}`)),
      );
    });
    child.removeAllListeners();
    return child;
  }

  get #outFile(): string {
    return join(this.#folder, 'output.txt');
  }

  #outcome(child: ChildProcess, kind: string, seed: number): Promise<Outcome> {
    const { milliseconds, bytes } = this.#limits;
    const megabytes = Math.round(bytes / 2 ** 20);
    return new Promise((resolve) => {
      const finish = (outcome: Outcome): void => {
        clearTimeout(timer);
        clearInterval(watch);
        child.removeAllListeners();
        resolve(outcome);
      };
      const tooMuch = (): void => finish({ type: 'finding', sort: 'memory', message: `more than ${megabytes} MB` });
      const timer = setTimeout(
        () => finish({ type: 'finding', sort: 'timeout', message: `more than ${milliseconds / 1000} s` }),
        milliseconds,
      );
      const watch = setInterval(() => {
        if (peakOf(child.pid!) > bytes) tooMuch();
      }, WATCH);
      child.once('exit', (code, signal) => {
        const said = this.#said();
        const full = /heap out of memory|Array buffer allocation|bad_alloc/.test(said);
        finish({
          type: 'finding',
          sort: full ? 'memory' : 'crash',
          message: full
            ? `more than ${megabytes} MB (heap)`
            : `ended with ${signal ?? code}: ${said.trim().slice(0, 4000)}`,
        });
      });
      child.once('message', (answer: Answer) => {
        // Between two looks a case can take and give back a great deal.
        if (peakOf(child.pid!) > bytes) return tooMuch();
        const said = this.#said();
        if (said !== '') return finish({ type: 'finding', sort: 'noise', message: unstamped(said) });
        finish(answer);
      });
      child.send({ kind, seed });
    });
  }

  /** What the child has written since the last case. */
  #said(): string {
    const { size } = statSync(this.#outFile);
    if (size === this.#noise) return '';
    const said = readFileSync(this.#outFile).subarray(this.#noise).toString();
    this.#noise = size;
    return said;
  }
}

/** The most memory that a process has held, where the system says it (Linux). */
function peakOf(pid: number): number {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return Number(kilobytes ?? 0) * 1024;
  } catch {
    return 0;
  }
}

/** What native code writes begins with a time of day, and has colours. */
function unstamped(said: string): string {
  return stripVTControlCharacters(said)
    .replace(/^[\d-]+ [\d:.]+ /, '')
    .trim()
    .slice(0, 400);
}
