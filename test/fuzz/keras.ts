/**
 * @file Hostile models of Keras: `.keras` archives, whole models in HDF5 and bare configurations, with damaged bytes, damaged directories
 * of members, and configurations that say impossible things.
 */
import { readFileSync, rmSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zipSync } from 'fflate';
import h5wasm, { Group as Hdf5Group } from 'h5wasm/node';
import { weighted } from '../../src/import/keras/index.ts';
import { kerasLayers } from '../../src/import/keras/layers/index.ts';
import { readConfig } from '../../src/import/keras/config.ts';
import { sizeOf } from '../../src/ir/tensor.ts';
import { Random } from '../../src/random.ts';
import { damage, pick, spliced } from './bytes.ts';
import { disturb, get, NUMBERS, placesOf, set, type Words } from './json.ts';
import type { Kind } from './kind.ts';
import { throughKeras } from './through.ts';

interface Sound {
  readonly name: string;
  readonly config: Json;
  /** As in an archive, and in a whole model. */
  readonly weights: Uint8Array;
  readonly whole: Uint8Array;
}
type Json = Record<string, unknown>;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

let read: Promise<readonly Sound[]> | undefined;
/** Small models of all kinds of layers, as Keras itself describes them, with weights. */
function sound(): Promise<readonly Sound[]> {
  return (read ??= (async () => {
    await h5wasm.ready;
    const folder = mkdtempSync(join(tmpdir(), 'phosphene-fuzz-keras-'));
    const cases = JSON.parse(readFileSync('test/oracles/keras-layers.json', 'utf8')) as Record<
      string,
      { readonly config: Json; readonly shape: readonly [number, number, number]; readonly first: boolean }
    >;
    const made = Object.entries(cases).map(([name, { config, shape, first }], i) => {
      const { topology } = readConfig(name, config);
      const [channels, height, width] = first ? shape : [shape[2], shape[0], shape[1]];
      const layers = weighted(topology, { channels, height, width });
      const write = (file: string, fill: (root: Hdf5Group) => void): Uint8Array => {
        const path = join(folder, `${i}-${file}`);
        const h5 = new h5wasm.File(path, 'w', { libver: ['earliest', 'latest'] });
        fill(h5);
        h5.close();
        return new Uint8Array(readFileSync(path));
      };
      const at = (from: Hdf5Group, path: readonly string[]): Hdf5Group =>
        path.reduce((group, part) => {
          const found = group.get(part);
          return found instanceof Hdf5Group ? found : group.create_group(part);
        }, from);
      const put = (group: Hdf5Group, name: string, dims: readonly number[]): void => {
        const data = Float32Array.from({ length: sizeOf(dims) }, (_, k) => ((k * 7 + i) % 11) / 11 + 0.1);
        group.create_dataset({ name, data, shape: [...dims] });
      };
      const weights = write('weights.h5', (root) => {
        for (const { owner, weights: own } of layers) {
          const path = owner.stored.flatMap((s) => ['layers', s.index === 0 ? s.class : `${s.class}_${s.index}`]);
          const vars = at(root, [...path, 'vars']);
          own.forEach(({ dims }, k) => put(vars, String(k), dims));
        }
      });
      const whole = write('whole.h5', (root) => {
        root.create_attribute('model_config', JSON.stringify(config));
        root.create_attribute('keras_version', pick(new Random(name), ['2.15.0', '3.15.0']));
        const all = root.create_group('model_weights');
        const names = layers.map(({ owner }) => owner.name.split('/').at(-1)!);
        all.create_attribute('layer_names', names.length > 0 ? names : [''], [Math.max(1, names.length)], 'S');
        layers.forEach(({ weights: own }, k) => {
          const group = at(all, [names[k]!]);
          group.create_attribute(
            'weight_names',
            own.map((w) => `${names[k]}/${w.name}`),
            [own.length],
            'S',
          );
          for (const w of own) put(at(group, [names[k]!]), w.name, w.dims);
        });
      });
      return { name, config, weights, whole };
    });
    rmSync(folder, { recursive: true });
    return made;
  })());
}

const CLASSES = [...Object.keys(kerasLayers), 'Functional', 'Sequential', 'Lambda', 'LSTM', 'InputLayer', '__proto__'];
const words: Words = {
  texts: [
    '',
    '__proto__',
    'constructor',
    '../../escape',
    '/picture',
    '\u0000',
    'x'.repeat(5000),
    'channels_first',
    'same',
    'valid',
    'causal',
    'relu',
    'softmax',
    'bicubic',
    'lanczos5',
    'nearest',
    '_CONSTANT_VALUE',
  ],
  alike: (text) => (Object.hasOwn(kerasLayers, text) ? CLASSES : undefined),
};

const layersOf = (model: Json): Json[] => ((model['config'] as Json)['layers'] ?? []) as Json[];
const nameOf = (layer: Json): string => String((layer['config'] as Json)['name']);

/** What a configuration of another model, or of none, would say. */
function targeted(random: Random, config: Json): { how: string; config: unknown } {
  const layers = layersOf(config);
  const layer = pick(random, layers);
  const other = pick(random, layers);
  switch (random.integer(7)) {
    case 0: {
      // To a layer behind it, or to itself.
      const ends = placesOf(layer['inbound_nodes']).filter(({ key }) => key === 'keras_history');
      if (ends.length > 0) set(pick(random, ends), [nameOf(other), random.integer(3), random.integer(2)]);
      return { how: `${nameOf(layer)} takes ${nameOf(other)}`, config };
    }
    case 1:
      (layer['config'] as Json)['name'] = nameOf(other);
      layer['name'] = nameOf(other);
      return { how: `two layers are ${nameOf(other)}`, config };
    case 2: {
      const types = placesOf(config).filter(({ key }) => key === 'class_name');
      const place = pick(random, types);
      set(place, pick(random, CLASSES));
      return { how: `${place.path} is ${String(get(place))}`, config };
    }
    case 3: {
      const levels = pick(random, [2, 31, 33, 500]);
      let nested: Json = config;
      for (let i = 0; i < levels; i++)
        nested = {
          class_name: 'Sequential',
          config: { name: `s${i}`, layers: [nested, ...(i % 7 === 0 ? [layer] : [])] },
        };
      return { how: `${levels} models in each other`, config: nested };
    }
    case 4: {
      const copies = pick(random, [2, 50, 3000]);
      const more = Array.from({ length: copies }, (_, i) => ({
        ...layer,
        config: { ...(layer['config'] as Json), name: `c${i}` },
        name: `c${i}`,
      }));
      (config['config'] as Json)['layers'] = [...layers, ...more];
      return { how: `${copies} times ${nameOf(layer)} more`, config };
    }
    case 5: {
      const settings = layer['config'] as Json;
      const keys = Object.keys(settings).filter((key) => key !== 'name');
      const key = keys.length > 0 ? pick(random, keys) : 'axis';
      settings[key] = pick<unknown>(random, [
        pick(random, NUMBERS),
        [pick(random, NUMBERS), pick(random, NUMBERS)],
        [-1],
        16384,
        [16384, 16384],
        null,
        [],
      ]);
      return { how: `${nameOf(layer)} has ${key} ${JSON.stringify(settings[key])}`, config };
    }
    default: {
      const [start] = layers;
      if (start)
        (start['config'] as Json)['batch_shape'] = [
          null,
          ...Array.from({ length: 3 }, () => pick(random, [1, 2, 3, 8, 64, null, 0, -1, 2 ** 20])),
        ];
      return { how: 'another input', config };
    }
  }
}

function hostileConfig(random: Random, original: Json): { how: string; text: string } {
  let config: unknown = structuredClone(original);
  const ways: string[] = [];
  for (let i = 0; i < (random.integer(3) === 0 ? 3 : 1); i++) {
    if (i === 0 && random.integer(2) === 0) {
      const changed = targeted(random, config as Json);
      config = changed.config;
      ways.push(changed.how);
    } else ways.push(disturb(random, config, words));
  }
  if (random.integer(200) === 0) {
    const depth = 10 ** (2 + random.integer(4));
    const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    return {
      how: `${depth} levels`,
      text: JSON.stringify({ class_name: 'Functional', config: 'DEEP' }).replace('"DEEP"', deep),
    };
  }
  return { how: ways.join(', '), text: JSON.stringify(config) ?? 'null' };
}

/** A weight that a diverged training leaves. */
function diverged(random: Random, bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  const view = new DataView(out.buffer);
  const at = 4 * random.integer(Math.floor(out.length / 4));
  view.setFloat32(at, pick(random, [NaN, Infinity, -Infinity, 3e38]), true);
  return out;
}

type Members = Record<string, Uint8Array>;

function archive(members: Members, level: 0 | 6): Uint8Array {
  return zipSync(Object.fromEntries(Object.entries(members).map(([name, bytes]) => [name, [bytes, { level }]])));
}

/** Damages the directory of members: names that lead elsewhere, lengths that lie, members that are there twice. */
function hostileArchive(random: Random, members: Members): { how: string; bytes: Uint8Array } {
  const names = Object.keys(members);
  switch (random.integer(6)) {
    case 0: {
      const gone = pick(random, names);
      const { [gone]: taken, ...rest } = members;
      const elsewhere = pick(random, [
        `../../${gone}`,
        `/etc/${gone}`,
        `./${gone}`,
        `a/../${gone}`,
        `${gone}\0`,
        gone.toUpperCase(),
        '',
      ]);
      return { how: `${gone} is ${elsewhere}`, bytes: archive({ ...rest, [elsewhere]: taken! }, 0) };
    }
    case 1: {
      // A bomb: zeros, of which a directory says what it likes.
      const bomb = archive({ ...members, [pick(random, names)]: new Uint8Array(1 << (10 + random.integer(15))) }, 6);
      return { how: 'a bomb', bytes: bomb };
    }
    case 2: {
      const bytes = archive(members, pick(random, [0, 6]));
      const twice = archive({ ...members, 'config.json': encode('{}') }, 0);
      return { how: 'two archives in a row', bytes: new Uint8Array(Buffer.concat([bytes, twice])) };
    }
    default: {
      const bytes = archive(members, pick(random, [0, 6]));
      const view = new DataView(bytes.buffer);
      // Where the directory has an entry, or its end.
      const marks: number[] = [];
      for (let at = 0; at + 46 < bytes.length; at++)
        if ([0x02014b50, 0x04034b50].includes(view.getUint32(at, true))) marks.push(at);
      const at = random.integer(4) === 0 ? bytes.length - 22 : pick(random, marks);
      const field = 4 + 2 * random.integer(at === bytes.length - 22 ? 8 : 20);
      if (at + field + 4 > bytes.length) return { how: 'as it is', bytes };
      view.setUint32(
        at + field,
        pick(random, [0, 1, 8, 0xffff, 0x10000, 0x7fffffff, 0xffffffff, bytes.length, random.integer(2 ** 31)]),
        true,
      );
      return { how: `the field at ${field} of ${at} changed`, bytes };
    }
  }
}

interface Hostile {
  readonly how: string;
  readonly extension: string;
  readonly bytes: Uint8Array;
  readonly siblings?: Members;
}

function hostileFile(random: Random, { config, weights, whole }: Sound, other: Sound): Hostile {
  const metadata = encode(JSON.stringify({ keras_version: pick(random, ['2.13.1', '3.0.0', '3.15.0', 'x']) }));
  const members = (text: string, own = weights): Members => ({
    'metadata.json': metadata,
    'config.json': encode(text),
    'model.weights.h5': own,
  });
  const plain = JSON.stringify(config);
  const stored = archive(members(plain), pick(random, [0, 6]));
  switch (random.integer(10)) {
    case 0: {
      const { bytes, how } =
        random.integer(3) === 0
          ? spliced(random, stored, archive(members(plain, other.weights), 0))
          : damage(random, stored);
      return { how, extension: 'keras', bytes };
    }
    case 1:
      return { ...hostileArchive(random, members(plain)), extension: 'keras' };
    case 2: {
      const { bytes, how } = damage(random, weights);
      return { how: `weights: ${how}`, extension: 'keras', bytes: archive(members(plain, bytes), 0) };
    }
    case 3:
      return {
        how: 'weights that diverged',
        extension: 'keras',
        bytes: archive(members(plain, diverged(random, weights)), 0),
      };
    case 4: {
      const { bytes, how } =
        random.integer(4) === 0 ? { bytes: diverged(random, whole), how: 'diverged' } : damage(random, whole);
      return { how: `a whole model: ${how}`, extension: 'h5', bytes };
    }
    case 5:
      return { how: `weights of ${other.name}`, extension: 'keras', bytes: archive(members(plain, other.weights), 0) };
    case 6: {
      const { how, text } = hostileConfig(random, config);
      return {
        how,
        extension: 'json',
        bytes: encode(text),
        siblings: { 'model.weights.h5': weights, 'metadata.json': metadata },
      };
    }
    default: {
      const { how, text } = hostileConfig(random, config);
      return { how, extension: 'keras', bytes: archive(members(text), 0) };
    }
  }
}

export const keras: Kind = {
  count: 20_000,
  async make(seed) {
    const random = new Random(`keras/${seed}`);
    const models = await sound();
    const model = pick(random, models);
    const { how, extension, bytes, siblings = {} } = hostileFile(random, model, pick(random, models));
    return {
      title: `${model.name}, ${how}`,
      file: { extension, bytes },
      // A step of ascent takes a while, and is not what such a file can harm.
      run: (folder) => throughKeras(bytes, extension, siblings, folder, seed % 8 === 0),
    };
  },
};
