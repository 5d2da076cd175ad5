/** @file Small Keras weight files, written by libhdf5 itself (h5wasm), in the layouts that Keras and h5py use. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import h5wasm from 'h5wasm/node';

export interface FixtureWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Int32Array;
  readonly chunks?: readonly number[];
  readonly filter?: { readonly id: number; readonly options: readonly number[] };
}
export interface FixtureOptions {
  /** Split `layer_names` into `layer_names0`, `layer_names1`, … of this many. */
  readonly split?: number;
  /** Put everything under `model_weights`, as a whole saved model does. */
  readonly wholeModel?: boolean;
  readonly fixedStrings?: boolean;
  readonly libver?: 'earliest' | 'latest';
}

/** Writes a file and returns its path and bytes. Layers without weights are given an empty list. */
export async function writeFixture(
  folder: string,
  name: string,
  layers: Readonly<Record<string, readonly FixtureWeight[]>>,
  options: FixtureOptions = {},
): Promise<{ path: string; bytes: Uint8Array }> {
  await h5wasm.ready;
  const path = join(folder, name);
  const file = new h5wasm.File(path, 'w', { libver: [options.libver ?? 'earliest', 'latest'] });
  const group = options.wholeModel ? file.create_group('model_weights') : file;
  const layerNames = Object.keys(layers);
  const strings = (list: readonly string[]): [string[], number[], string] => [
    [...list],
    [list.length],
    options.fixedStrings ? 'A40' : 'S',
  ];
  if (options.split === undefined) group.create_attribute('layer_names', ...strings(layerNames));
  else {
    for (let i = 0; i * options.split < layerNames.length; i++) {
      group.create_attribute(
        `layer_names${i}`,
        ...strings(layerNames.slice(i * options.split, (i + 1) * options.split)),
      );
    }
  }
  for (const [layer, weights] of Object.entries(layers)) {
    const stored = group.create_group(layer);
    if (weights.length === 0) stored.create_attribute('weight_names', new Float64Array(0), [0]);
    else stored.create_attribute('weight_names', ...strings(weights.map((w) => w.name)));
    for (const { name, shape, data, chunks, filter } of weights) {
      let parent = stored;
      const parts = name.split('/');
      for (const part of parts.slice(0, -1)) {
        const next = parent.get(part);
        parent = next instanceof h5wasm.Group ? next : parent.create_group(part);
      }
      parent.create_dataset({
        name: parts.at(-1)!,
        data,
        shape: [...shape],
        ...(chunks ? { chunks: [...chunks] } : {}),
        ...(filter ? { compression: filter.id, compression_opts: [...filter.options] } : {}),
      });
    }
  }
  file.close();
  return { path, bytes: new Uint8Array(readFileSync(path)) };
}
