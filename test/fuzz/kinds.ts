/** @file All kinds of input that are fuzzed. A new kind is a generator in a file beside this one, and an entry here. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PhospheneError } from '../../src/errors.ts';
import { sizeOf } from '../../src/ir/tensor.ts';
import { readResults } from '../../src/runs/results.ts';
import { type FixtureOptions, type FixtureWeight, writeFixture } from '../import/fixture.ts';
import { ran, series, sums } from '../runs/fake.ts';
import { sharedPath } from '../shared.ts';
import { cases as folderCases, ways } from './folders.ts';
import { cases as hdf5Cases } from './hdf5.ts';
import type { Kind } from './kind.ts';
import { onnx } from './onnx.ts';
import { self } from './self.ts';
import { cases as serverCases, check as checkServer } from './servers.ts';
import { throughHdf5 } from './through.ts';

/** `make` once, when it is first needed. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** Sound weight files: the layouts and types that Keras and h5py write, with what a ResNet's first layer needs. */
const weightFiles = once(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'phosphene-hdf5-'));
  const weight = (name: string, shape: readonly number[], more: Partial<FixtureWeight> = {}): FixtureWeight => ({
    name,
    shape,
    data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => (i % 7) / 7 - 0.4),
    ...more,
  });
  const gzip = { chunks: [2, 4], filter: { id: 1, options: [6] } };
  const shuffled = { chunks: [2, 4], filter: { id: 2, options: [] } };
  const layers = {
    conv1_conv: [weight('conv1_conv/kernel:0', [7, 7, 3, 64]), weight('conv1_conv/bias:0', [64])],
    first: [weight('first/kernel', [5, 7], gzip), weight('first/bias', [7])],
    none: [],
    second: [
      weight('second/kernel', [6, 8], shuffled),
      weight('second/doubles', [3, 4], { data: new Float64Array(12).fill(0.5) }),
      weight('second/whole', [3], { data: Int32Array.of(-2, 0, 9) }),
    ],
  };
  const layouts: readonly FixtureOptions[] = [
    {},
    { libver: 'latest' },
    { wholeModel: true, fixedStrings: true },
    { split: 1 },
  ];
  const files: Uint8Array[] = [];
  for (const [i, options] of layouts.entries())
    files.push((await writeFixture(folder, `${i}.h5`, layers, options)).bytes);
  rmSync(folder, { recursive: true });
  const golden = ['n.h5', 's.h5', 'toy.h5', 'toy.weights.h5', 'types.h5'].map((f) =>
    sharedPath(`golden/keras/fixtures/${f}`),
  );
  return [...files, ...golden.flatMap((path) => (path === undefined ? [] : [new Uint8Array(readFileSync(path))]))];
});

const hdf5: Kind = {
  count: 5000,
  async make(seed) {
    const [{ name, bytes }] = [...hdf5Cases(String(seed), 1, await weightFiles())] as [
      { name: string; bytes: Uint8Array },
    ];
    return { title: name, file: { extension: 'h5', bytes }, run: (folder) => throughHdf5(bytes, folder) };
  },
};

const servers: Kind = {
  count: 500,
  make(seed) {
    const [server] = [...serverCases(String(seed), 1)];
    return { title: server!.name, run: (folder) => checkServer(server!, folder) };
  },
};

/** All that lies in a folder, as text: contents of files, targets of links; what is neither is named and not read. */
function snapshot(folder: string): string {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true });
  const lines = entries.map((entry) => {
    const path = join(entry.parentPath, entry.name);
    const what = entry.isFile() ? readFileSync(path, 'base64') : entry.isSymbolicLink() ? readlinkSync(path) : '';
    return `${path}: ${what}`;
  });
  return lines.sort().join('\n');
}

/** Runs into a folder that is spoiled must end as in one that is not, or say why they cannot. */
const folders: Kind = {
  count: ways + 500,
  make(seed) {
    const spoiled = [...folderCases(0, seed + 1)].at(-1)!;
    return {
      title: spoiled.name,
      async run(folder) {
        const [out, outside] = [join(folder, 'out'), join(folder, 'outside')];
        const one = series();
        const channels = [0, 1, 2, 3];
        await ran(out, series({ seed: 9 }), channels);
        await ran(out, one, channels);
        const expected = sums(out);
        mkdirSync(outside);
        writeFileSync(join(outside, 'canary'), 'untouched');
        spoiled.spoil(out, `conv1/${one.folders[0]}`, outside);
        const before = snapshot(outside);
        const refusal = await ran(out, one, channels).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (snapshot(outside) !== before) throw new Error('something was written outside of the folder');
        if (refusal !== undefined) {
          if (!spoiled.mayRefuse) throw refusal instanceof PhospheneError ? new Error(refusal.message) : refusal;
          throw refusal;
        }
        const after = sums(out);
        const lost = Object.keys(expected).find((file) => after[file] !== expected[file]);
        if (lost !== undefined) throw new Error(`${lost} is not what it is in a sound folder`);
        await readResults(out);
        return 'ran';
      },
    };
  },
};

export const kinds: Readonly<Record<string, Kind>> = { onnx, hdf5, folders, servers, self };
