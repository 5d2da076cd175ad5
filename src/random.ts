/** @file One seeded generator: a stream of numbers that depends only on its key, so that every picture can be made again. */

/**
 * A stream of pseudo-random numbers: sfc32 (Chris Doty-Humphrey, PractRand), seeded from a text key by 128 bits of FNV-like
 * mixing. The same key gives the same numbers on every machine; different keys give unrelated streams, whatever the order in
 * which they are used.
 *
 * @example
 * const noise = new Random(`${seed}/conv3_block4_out/42`).uniform(180 * 180 * 3, -0.125, 0.125);
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(key: string) {
    [this.#a, this.#b, this.#c] = hash(key);
    // The first outputs of a fresh state still resemble the key.
    for (let i = 0; i < 15; i++) this.next32();
  }

  /** 32 random bits, as an unsigned integer. */
  next32(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** A number in [low, high). 24 bits, so that it is exact in float32 before scaling. */
  next(low = 0, high = 1): number {
    return low + (high - low) * ((this.next32() >>> 8) / 2 ** 24);
  }

  /** `count` numbers in [low, high). */
  uniform(count: number, low = 0, high = 1): Float32Array {
    const values = new Float32Array(count);
    for (let i = 0; i < count; i++) values[i] = this.next(low, high);
    return values;
  }

  /** `count` normally distributed numbers (Box–Muller). */
  normal(count: number, mean = 0, deviation = 1): Float32Array {
    const values = new Float32Array(count);
    // Two at a time.
    for (let i = 0; i < count; i += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(1 - this.next()));
      const angle = 2 * Math.PI * this.next();
      values[i] = mean + radius * Math.cos(angle);
      if (i + 1 < count) values[i + 1] = mean + radius * Math.sin(angle);
    }
    return values;
  }

  /** An integer in [0, below). */
  integer(below: number): number {
    return Math.floor(this.next() * below);
  }
}

function hash(key: string): [number, number, number] {
  const state: [number, number, number] = [0x9e3779b9, 0x243f6a88, 0xb7e15162];
  for (let i = 0; i < key.length; i++) {
    for (let lane = 0; lane < 3; lane++) {
      state[lane] = Math.imul(state[lane]! ^ (key.charCodeAt(i) + lane * 0x51ed27), 0x01000193 + 2 * lane);
      state[lane]! ^= state[lane]! >>> 15;
    }
  }
  return state;
}
