/** @file Every error that a user can cause is a PhospheneError: a code that programs can test, a sentence that people can act on. */

/** What went wrong, as a stable word for programs. */
export type ErrorCode =
  | 'unknown-model'
  | 'unknown-layer'
  | 'unknown-preset'
  | 'bad-option'
  | 'bad-file'
  | 'bad-weights'
  | 'missing-weights'
  | 'unsupported-op'
  | 'shape'
  | 'too-large'
  | 'download'
  | 'offline'
  | 'hash-mismatch'
  | 'filesystem'
  | 'runtime'
  | 'aborted';

/**
 * An error with its cause explained: the thing first, then what was found, then what to do about it.
 *
 * @example
 * try {
 *   await open('model.h5');
 * } catch (error) {
 *   if (error instanceof PhospheneError && error.code === 'bad-file') console.error(error.message, error.details);
 *   else throw error;
 * }
 */
export class PhospheneError extends Error {
  override readonly name: string = 'PhospheneError';
  readonly code: ErrorCode;
  /** The things that the message names, for programs: the layer asked for, the nearest names, the file … */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: Record<string, unknown> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }

  /** The error as plain data, which crosses threads and fits into JSON; its cause is a text there. */
  toJSON(): ErrorData {
    const { code, message, cause } = this;
    const data = { code, message, details: plain(this.details) };
    return cause === undefined ? data : { ...data, cause: causeText(cause) };
  }

  /**
   * The error that {@link toJSON} was called on, in another thread or process.
   *
   * @example
   * PhospheneError.fromJSON(structuredClone(error.toJSON())).code === error.code;
   */
  static fromJSON({ code, message, details, cause }: ErrorData): PhospheneError {
    return new PhospheneError(code, message, { ...details }, cause);
  }
}

/** A {@link PhospheneError} as plain data. */
export interface ErrorData {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
  /** What it was caused by, with its stack and its own causes. */
  readonly cause?: string;
}

/** Details with nothing in them that JSON has not. */
function plain(details: Readonly<Record<string, unknown>>): Record<string, unknown> {
  try {
    const text = JSON.stringify(details, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Details that refer to themselves must not cost the message.
    return {};
  }
}

function causeText(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const text = cause.stack ?? `${cause.name}: ${cause.message}`;
  return cause.cause === undefined ? text : `${text}\ncaused by: ${causeText(cause.cause)}`;
}

/**
 * The names nearest to `name`, best first, at most `most`: those that it is a part of or that are a part of it, and those that differ
 * in at most two letters of five. Names of one or two letters are too short to be a part that says something, unless they begin the other.
 */
export function nearest(name: string, known: Iterable<string>, most = 3): string[] {
  const wanted = name.toLowerCase();
  if (wanted === '') return [];
  const isPart = (part: string, of: string): boolean => (part.length > 2 ? of.includes(part) : of.startsWith(part));
  return [...known]
    .map((candidate) => {
      const other = candidate.toLowerCase();
      const contained = isPart(wanted, other) || isPart(other, wanted);
      // A containing name is as near as its extra characters are few, but always nearer than an unrelated one.
      const distance = contained ? Math.abs(other.length - wanted.length) / 8 : editDistance(wanted, other);
      return {
        candidate,
        distance,
        near: contained ? wanted.length / 2 + 2 : Math.max(1, Math.floor(wanted.length * 0.4)),
      };
    })
    .filter(({ distance, near }) => distance <= near)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, most)
    .map(({ candidate }) => candidate);
}

/** `did you mean …?` for an unknown name, or an empty string if nothing is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const names = nearest(name, known).map((n) => `\`${n}\``);
  if (names.length === 0) return '';
  return `; did you mean ${names.length > 1 ? `${names.slice(0, -1).join(', ')} or ${names.at(-1)}` : names[0]}?`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
