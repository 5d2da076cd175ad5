/** @file All kinds of input that are fuzzed. A new kind is a generator in a file beside this one, and an entry here. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sizeOf } from '../../src/ir/tensor.ts';
import { type FixtureOptions, type FixtureWeight, writeFixture } from '../import/fixture.ts';
import { sharedPath } from '../shared.ts';
import { folders } from './folders-kind.ts';
import { cases as hdf5Cases } from './hdf5.ts';
import { keras } from './keras.ts';
import type { Kind } from './kind.ts';
import { onnx } from './onnx.ts';
import { self } from './self.ts';
import { cases as serverCases, check as checkServer } from './servers.ts';
import { tfjs } from './tfjs.ts';
import { throughHdf5 } from './through.ts';

/** `make` once, when it is first needed. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** Sound weight files: the layouts and types that Keras and h5py write, with what a ResNet's first layer needs, and others' names. */
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
    conv2_block1_1_conv: [weight('conv2_block1_1_conv/kernel', [5, 7], gzip), weight('conv2_block1_1_conv/bias', [7])],
    none: [],
    conv2_block1_2_conv: [
      weight('conv2_block1_2_conv/kernel', [6, 8], shuffled),
      weight('conv2_block1_2_conv/doubles', [3, 4], { data: new Float64Array(12).fill(0.5) }),
      weight('conv2_block1_2_conv/whole', [3], { data: Int32Array.of(-2, 0, 9) }),
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

export const kinds: Readonly<Record<string, Kind>> = { onnx, keras, hdf5, tfjs, folders, servers, self };
