/** @file Hostile models of TensorFlow.js: damaged descriptions, shards and manifests, and well-formed ones that say impossible things. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { operators } from '../../src/import/tfjs/operators/index.ts';
import { Random } from '../../src/random.ts';
import { damage, pick } from './bytes.ts';
import { disturb, get, isContainer, NUMBERS, placesOf, set, type Words } from './json.ts';
import type { Kind } from './kind.ts';
import { throughTfjs } from './through.ts';

interface Sound {
  readonly name: string;
  readonly json: unknown;
  readonly shards: Readonly<Record<string, Uint8Array>>;
}

/** The models of the tests. */
let read: readonly Sound[] | undefined;
function sound(): readonly Sound[] {
  return (read ??= ['tfjs', 'tfjs-layers'].flatMap((group) => {
    const folder = join('test/import', group);
    return readdirSync(folder)
      .filter((name) => !name.includes('.'))
      .toSorted()
      .map((name) => {
        const files = readdirSync(join(folder, name)).filter((file) => file !== 'model.json');
        const bytes = (file: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name, file)));
        return {
          name: `${group}/${name}`,
          json: JSON.parse(readFileSync(join(folder, name, 'model.json'), 'utf8')) as unknown,
          shards: Object.fromEntries(files.map((file) => [file, bytes(file)])),
        };
      });
  }));
}

const TEXTS = [
  '',
  '__proto__',
  'constructor',
  '../../escape',
  '/etc/passwd',
  'model.json',
  '\u0000',
  'x'.repeat(5000),
  '-1',
  '0',
  '99999999999',
  'U0FNRQ==',
  'VkFMSUQ=',
  'TkNIVw==',
  'RVhQTElDSVQ=',
];
const TYPES = ['DT_FLOAT', 'DT_INT32', 'DT_INT64', 'DT_BOOL', 'DT_STRING', 'DT_HALF', 'DT_UINT8', 'DT_RESOURCE'];
const DTYPES = ['float32', 'int32', 'bool', 'uint8', 'uint16', 'float16', 'string', 'complex64', 'float64'];
const CLASSES = [
  'Conv2D',
  'Dense',
  'Sequential',
  'Model',
  'Functional',
  'Reshape',
  'Permute',
  'UpSampling2D',
  'Conv2DTranspose',
  'LSTM',
  'BatchNormalization',
  'Concatenate',
  'Dot',
  'Lambda',
  'PReLU',
  'ZeroPadding2D',
  'Cropping2D',
];

const words: Words = { texts: TEXTS, alike: (text) => (text.startsWith('DT_') ? TYPES : undefined) };

interface Named {
  name?: unknown;
  op?: unknown;
  input?: unknown;
}

/** What a graph or a layers model of another kind would say. */
function targeted(random: Random, json: Record<string, unknown>): string {
  const topology = json['modelTopology'] as Record<string, unknown>;
  const nodes = topology['node'] as Named[] | undefined;
  const manifest = json['weightsManifest'] as { weights: Record<string, unknown>[]; paths: string[] }[] | undefined;
  const entries = manifest?.flatMap((group) => group.weights) ?? [];
  if (entries.length > 0 && random.integer(3) === 0) {
    const entry = pick(random, entries);
    const shape = entry['shape'] as number[];
    switch (random.integer(6)) {
      case 0:
        entry['dtype'] = pick(random, DTYPES);
        return `dtype of ${String(entry['name'])} is ${String(entry['dtype'])}`;
      case 1:
        entry['shape'] =
          shape.length === 0
            ? [pick(random, NUMBERS)]
            : shape.with(random.integer(shape.length), pick(random, NUMBERS));
        return `shape of ${String(entry['name'])} changed`;
      case 2:
        entry['shape'] = [...shape, pick(random, [1, 1, 0, 2])];
        return `an axis added to ${String(entry['name'])}`;
      case 3:
        entry['quantization'] = {
          dtype: pick(random, DTYPES),
          scale: pick(random, NUMBERS),
          min: pick(random, NUMBERS),
        };
        return `${String(entry['name'])} quantised otherwise`;
      case 4: {
        const { paths } = pick(random, manifest!);
        paths[random.integer(paths.length)] = pick(random, [
          '../w.bin',
          '/dev/zero',
          'model.json',
          'nothing',
          '',
          '.',
          paths[0]!,
        ]);
        return 'a shard laid elsewhere';
      }
      default:
        entry['name'] = pick(random, [...TEXTS, String(pick(random, entries)['name'])]);
        return 'a weight renamed';
    }
  }
  if (nodes) {
    const node = pick(random, nodes);
    const other = pick(random, nodes);
    const inputs = (node.input ?? []) as string[];
    switch (random.integer(7)) {
      case 0:
      case 1:
        node.op = pick(random, [
          ...Object.keys(operators),
          'Switch',
          'While',
          'TopKV2',
          'Nonsense',
          '__proto__',
          'Placeholder',
          'Const',
        ]);
        return `${String(node.name)} is ${String(node.op)}`;
      case 2:
      case 3:
        node.input =
          inputs.length === 0
            ? [other.name]
            : inputs.with(
                random.integer(inputs.length),
                `${String(other.name)}${pick(random, ['', '', ':1', ':77', ':-1'])}`,
              );
        return `${String(node.name)} is given ${String(other.name)}`;
      case 4:
        node.input = [...inputs, String(other.name)];
        return `${String(node.name)} is given more`;
      case 5:
        node.input = inputs.slice(0, random.integer(inputs.length + 1));
        return `${String(node.name)} is given less`;
      default:
        nodes.push({ ...node, name: pick(random, [...TEXTS, `${String(node.name)}_again`]) });
        return `${String(node.name)} a second time`;
    }
  }
  const classes = placesOf(topology).filter(({ key }) => key === 'class_name' || key === 'className');
  const place = pick(random, classes);
  set(place, pick(random, CLASSES));
  return `${place.path} is ${String(get(place))}`;
}

interface Hostile {
  readonly how: string;
  readonly model: Uint8Array;
  readonly shards: Readonly<Record<string, Uint8Array>>;
}

function hostileModel(random: Random, { json: original, shards }: Sound): Hostile {
  const text = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
  const sort = random.integer(10);
  if (sort === 0) {
    const { bytes, how } = damage(random, text(original));
    return { how, model: bytes, shards };
  }
  const names = Object.keys(shards);
  if (sort === 1 && names.length > 0) {
    const name = pick(random, names);
    const { bytes, how } = damage(random, shards[name]!);
    const gone = random.integer(8) === 0;
    const others = Object.fromEntries(Object.entries(shards).filter(([other]) => other !== name));
    return {
      how: gone ? `without ${name}` : `${name}: ${how}`,
      model: text(original),
      shards: gone ? others : { ...shards, [name]: bytes },
    };
  }
  const json = structuredClone(original) as Record<string, unknown>;
  const ways: string[] = [];
  for (let i = 0; i < (random.integer(3) === 0 ? 3 : 1); i++) {
    if (sort < 6 && isContainer(json['modelTopology']) && i === 0) {
      ways.push(targeted(random, json));
      continue;
    }
    ways.push(disturb(random, json, words));
  }
  if (random.integer(200) === 0) {
    const depth = 10 ** (2 + random.integer(4));
    const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const nested = JSON.stringify({ ...json, modelTopology: { class_name: 'Model', config: 'DEEP' } }).replace(
      '"DEEP"',
      deep,
    );
    return { how: `${depth} levels`, model: new TextEncoder().encode(nested), shards };
  }
  return { how: ways.join(', '), model: text(json), shards };
}

/** Models of TensorFlow.js. */
export const tfjs: Kind = {
  count: 20_000,
  make(seed) {
    const random = new Random(`tfjs/${seed}`);
    const model = pick(random, sound());
    const { how, model: bytes, shards } = hostileModel(random, model);
    const size = pick(random, [24, 16, 21, 32]);
    return {
      title: `${model.name}: ${how.slice(0, 300)}`,
      file: { extension: 'json', bytes },
      run: (folder) => throughTfjs(bytes, shards, folder, { height: size, width: size }, seed % 4 === 0),
    };
  },
};
