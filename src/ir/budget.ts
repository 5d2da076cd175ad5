/** @file What one build may allocate and how long it may take: tiny files can ask for all memory, a little at a time. */
import { PhospheneError } from '../errors.ts';

/** How much memory and time may be taken. */
export interface BudgetOptions {
  /** Bytes of constants that are computed, all together. */
  readonly bytes?: number;
  /** Time from the first use on. */
  readonly milliseconds?: number;
}

/**
 * One budget for all that an import or a gradient computes: folded constants, kernels of gradients, and the time they take.
 * Several builders may share one.
 *
 * @example
 * const b = new Builder([], new Budget({ bytes: 2 ** 28 }));
 */
export class Budget {
  readonly bytes: number;
  readonly milliseconds: number;
  #taken = 0;
  #start: number | undefined;

  constructor({ bytes = 2 ** 30, milliseconds = 30_000 }: BudgetOptions = {}) {
    this.bytes = bytes;
    this.milliseconds = milliseconds;
  }

  /** Counts `bytes` before they are allocated. Throws `too-large` if they, or the time, are more than the budget. */
  take(bytes: number): void {
    const taken = this.#taken + bytes;
    // Also refuses NaN.
    if (!(taken <= this.bytes))
      throw new PhospheneError(
        'too-large',
        `the constants to be computed need more than ${inMiB(this.bytes)} in total; a smaller picture, an earlier layer or a simplified file needs less`,
        { bytes: taken, limit: this.bytes },
      );
    this.#taken = taken;
    this.check();
  }

  /** Throws `too-large` if the time is up. */
  check(): void {
    const now = performance.now();
    this.#start ??= now;
    if (now - this.#start > this.milliseconds)
      throw new PhospheneError(
        'too-large',
        `building the graph takes more than ${this.milliseconds / 1000} s; an earlier layer or a simplified file takes less`,
        { limit: this.milliseconds },
      );
  }

  /** Zeros, counted. */
  floats(count: number): Float32Array {
    this.take(4 * count);
    return new Float32Array(count);
  }
}

function inMiB(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MiB`;
}
