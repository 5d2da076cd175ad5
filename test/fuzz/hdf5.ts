/** @file Seeded damage to HDF5 weight files: what a stranger's file may hold, for short tests and for long runs. */
import { PhospheneError } from '../../src/errors.ts';
import { bytesSource } from '../../src/import/hdf5.ts';
import { readWeights } from '../../src/import/keras-weights.ts';
import { sizeOf } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';

/** One damaged file. */
export interface Hdf5Case {
  /** Says what was done, and with which seed: enough to make the file again. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

const edges = [0, 1, 2, 7, 8, 255, 256, 65535, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];

/**
 * `count` damaged copies of the sound files `seeds`, always the same for the same `seed`: flipped bits, numbers of 1, 2, 4 and 8 bytes
 * replaced by extremes or by addresses inside the file, pieces copied elsewhere, zeroed, cut off or repeated.
 *
 * @example
 * for (const { name, bytes } of cases('nightly', 5000, [toy])) check(name, bytes);
 */
export function* cases(seed: string, count: number, seeds: readonly Uint8Array[]): Generator<Hdf5Case> {
  for (let i = 0; i < count; i++) {
    const random = new Random(`hdf5/${seed}/${i}`);
    const original = seeds[random.integer(seeds.length)]!;
    let bytes: Uint8Array = original.slice();
    const done: string[] = [];
    for (let n = random.integer(4); n >= 0; n--) {
      const [what, changed] = damage(random, bytes);
      done.push(what);
      bytes = changed;
    }
    yield { name: `${seed}/${i} (${done.join(', ')})`, bytes };
  }
}

function damage(random: Random, bytes: Uint8Array): [string, Uint8Array] {
  // Most structures stand at the beginning.
  const near = random.integer(2) ? Math.min(4096, bytes.length) : bytes.length;
  const at = random.integer(Math.max(1, near - 8));
  const length = Math.min(1 + random.integer(random.integer(2) ? 16 : 1024), bytes.length - at);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 16) return ['nothing', bytes];
  switch (random.integer(8)) {
    case 0:
    case 1:
      bytes[at]! ^= 1 << random.integer(8);
      return [`bit at ${at}`, bytes];
    case 2:
      bytes[at] = edges[random.integer(6)]! & 255;
      return [`byte at ${at}`, bytes];
    case 3: {
      const value = random.integer(2) ? edges[random.integer(edges.length)]! : random.integer(bytes.length);
      const size = random.integer(3);
      if (size === 0) view.setUint16(at, value & 65535, true);
      else if (size === 1) view.setUint32(at, value, true);
      else view.setBigUint64(at, random.integer(8) ? BigInt(value) : 2n ** 64n - 1n, true);
      return [`number at ${at}`, bytes];
    }
    case 4:
      bytes.copyWithin(random.integer(bytes.length), at, at + length);
      return [`copy of ${length} from ${at}`, bytes];
    case 5:
      bytes.fill(0, at, at + length);
      return [`zeros at ${at}`, bytes];
    case 6:
      return [`cut at ${at}`, random.integer(4) ? bytes : bytes.subarray(0, at)];
    default: {
      const longer = new Uint8Array(bytes.length + length);
      longer.set(bytes);
      longer.set(bytes.subarray(at, at + length), bytes.length);
      return [`${length} bytes more`, longer];
    }
  }
}

/**
 * Reads all weights of a file. Returns the code of the PhospheneError that it ended in, or `read`; anything else is thrown: a bare
 * error, or a tensor whose numbers are not as many as its shape says.
 */
export function readAll(name: string, bytes: Uint8Array): string {
  try {
    const file = readWeights(bytesSource(name, bytes));
    for (const layer of file.layers) {
      for (const weight of file.weightsOf(layer)) {
        const { dims, data } = file.read(layer, weight)!;
        if (data.length !== sizeOf(dims)) throw new Error(`${name}: [${dims.join()}] came with ${data.length} numbers`);
      }
    }
    return 'read';
  } catch (error) {
    if (error instanceof PhospheneError) return error.code;
    throw new Error(`${name} ended in a bare error`, { cause: error });
  }
}
