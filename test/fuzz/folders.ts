/** @file Folders of results, spoiled in every way that we could think of, alone and together: seeded, so that each can be made again. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { asciiJson, decodePng, encodePng } from '../../src/output/png.ts';
import { type Raster, raster } from '../../src/output/raster.ts';
import { Random } from '../../src/random.ts';
import { walk } from '../runs/fake.ts';
import { type Chunk, chunksOf, pngOf } from '../runs/png.ts';

/** A way to spoil a folder. */
export interface Case {
  readonly name: string;
  /** Whether a run may refuse the folder: if something is in the way that it must not remove. */
  readonly mayRefuse: boolean;
  /** Spoils the set (LAYER/SET) in the finished folder `out`; whatever lies in `outside` must stay as it is. */
  spoil(out: string, set: string, outside: string): void;
}

interface Place {
  readonly out: string;
  /** The folder of the set. */
  readonly set: string;
  readonly outside: string;
  /** A picture of the set. */
  readonly file: string;
  readonly random: Random;
}

type Spoil = (place: Place) => void;
type Json = Record<string, unknown>;

/** A file's bytes; not those of one that was made huge before, which would take all of a case's time. */
function read(file: string): Buffer {
  if (statSync(file).size > 1e8) throw new Error(`${file} is too large to be spoiled once more`);
  return readFileSync(file);
}

const copy = (from: string, to: string): void => writeFileSync(to, read(from));

// Made once: a gigabyte takes a while to deflate.
const bombs = new Map<number, Buffer>();
function bomb(bytes: number): Buffer {
  const made = bombs.get(bytes) ?? deflateSync(Buffer.alloc(bytes), { level: 9 });
  bombs.set(bytes, made);
  return made;
}

const chunks =
  (change: (chunks: Chunk[]) => readonly Chunk[] | void): Spoil =>
  ({ file }) => {
    const found = chunksOf(read(file));
    writeFileSync(file, pngOf(change(found) ?? found));
  };

const inserted = (type: string, data: () => Uint8Array): Spoil =>
  chunks((found) => void found.splice(1, 0, [type, data()]));

const header = (change: (header: Buffer) => void): Spoil =>
  chunks((found) => {
    const changed = Buffer.from(found[0]![1]);
    change(changed);
    found[0] = ['IHDR', changed];
  });

function rewritten(
  file: string,
  change: (record: Json, pixels: Raster) => { record?: unknown; pixels?: Raster } | void,
): void {
  const { raster: pixels, text } = decodePng(read(file));
  const record = JSON.parse(text['phosphene']!) as Json;
  const changed = change(record, pixels) ?? {};
  writeFileSync(
    file,
    encodePng(changed.pixels ?? pixels, {
      ...text,
      phosphene: asciiJson('record' in changed ? changed.record : record),
    }),
  );
}

const record =
  (change: (record: Json, pixels: Raster) => { record?: unknown; pixels?: Raster } | void): Spoil =>
  ({ file }) =>
    rewritten(file, change);

/** The pictures of a set that are plain files: whoever reads a pipe waits for ever. */
const pictures = (set: string): string[] =>
  readdirSync(set, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /^\d+\.png$/.test(entry.name))
    .map(({ name }) => join(set, name));

const manifest =
  (change: (manifest: Json) => void): Spoil =>
  ({ set }) => {
    const file = join(set, 'manifest.json');
    const found = JSON.parse(read(file).toString()) as Json;
    change(found);
    writeFileSync(file, JSON.stringify(found));
  };

const replacedByFolder = (path: string): void => {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  writeFileSync(join(path, 'kept'), 'x');
};

const linked = (path: string, target: string): void => {
  rmSync(path, { recursive: true, force: true });
  symlinkSync(target, path);
};

/** What a run mends. */
const mended: Readonly<Record<string, Spoil>> = {
  'picture cut short': ({ file, random }) => truncateSync(file, random.integer(read(file).length)),
  'picture empty': ({ file }) => writeFileSync(file, ''),
  'picture gone': ({ file }) => rmSync(file),
  'picture garbage': ({ file, random }) => writeFileSync(file, Uint8Array.from(random.uniform(3000, 0, 256))),
  'one bit': ({ file, random }) => {
    const bytes = read(file);
    bytes[random.integer(bytes.length)]! ^= 1 << random.integer(8);
    writeFileSync(file, bytes);
  },
  'picture of another channel': ({ file, set }) =>
    copy(
      pictures(set).find((other) => other !== file)!,
      file,
    ),
  'picture of another set': ({ out, set, file }) => {
    const others = walk(out)
      .map((name) => join(out, name))
      .filter((name) => /[/\\]\d+\.png$/.test(name) && dirname(name) !== set);
    copy(others[0]!, file);
  },
  'bytes after the end': ({ file }) => appendFileSync(file, 'x'),
  'text but no pixels': chunks((found) => found.filter(([type]) => type !== 'IDAT')),
  'no text': chunks((found) => found.filter(([type]) => type !== 'tEXt')),
  'losses null': record((r) => void (r['losses'] = null)),
  'losses number': record((r) => void (r['losses'] = 5)),
  'losses object': record((r) => void (r['losses'] = { at: 1 })),
  'losses gone': record((r) => void delete r['losses']),
  'losses strings': record((r) => void (r['losses'] = ['x'])),
  'losses short': record((r) => void (r['losses'] as unknown[]).pop()),
  'losses huge': record((r) => void (r['losses'] = Array(1e6).fill(1))),
  'status nonsense': record((r) => void (r['status'] = '__proto__')),
  'status object': record((r) => void (r['status'] = { a: 1 })),
  'recipe null': record((r) => void (r['recipe'] = null)),
  'record array': record(() => ({ record: [1] })),
  'record string': record(() => ({ record: 'x' })),
  'record null': record(() => ({ record: null })),
  'channel string': record((r) => {
    const objective = (r['recipe'] as Json)['objective'] as Json;
    objective['channel'] = String(objective['channel']);
  }),
  'seed changed, same digest': record((r) => void ((r['recipe'] as Json)['seed'] = 1234)),
  'digest changed': record((r) => void (r['digest'] = '0'.repeat(64))),
  'size differs, same record': record(() => ({ pixels: raster(50, 50) })),
  'all sizes differ': ({ set }) => {
    for (const file of pictures(set)) rewritten(file, () => ({ pixels: raster(50, 50) }));
  },
  'pixels changed, same record': record((_, { data }) => void data.fill(200)),
  'one sample changed, same record': record((_, { data }) => void (data[5]! ^= 1)),
  'header asks 16000x16000': header((h) => {
    h.writeUInt32BE(16000, 0);
    h.writeUInt32BE(16000, 4);
  }),
  'header asks nothing': header((h) => h.writeUInt32BE(0, 0)),
  interlaced: header((h) => h.writeUInt8(1, 12)),
  'grey and alpha': header((h) => h.writeUInt8(4, 9)),
  'pixels a bomb': chunks((found) => found.map(([type, data]) => [type, type === 'IDAT' ? bomb(1 << 28) : data])),
  'pixels a small bomb': chunks((found) => found.map(([type, data]) => [type, type === 'IDAT' ? bomb(1 << 21) : data])),
  'iCCP bomb': inserted('iCCP', () => Buffer.concat([Buffer.from('p\0\0'), bomb(1 << 28)])),
  'small iCCP bomb': inserted('iCCP', () => Buffer.concat([Buffer.from('p\0\0'), bomb(1 << 21)])),
  'zTXt bomb': inserted('zTXt', () => Buffer.concat([Buffer.from('p\0\0'), bomb(1 << 28)])),
  'small zTXt bomb': inserted('zTXt', () => Buffer.concat([Buffer.from('p\0\0'), bomb(1 << 21)])),
  'iTXt bomb': inserted('iTXt', () => Buffer.concat([Buffer.from('p\0\x01\0\0\0'), bomb(1 << 28)])),
  'four iCCP bombs': chunks((found) => {
    const data = Buffer.concat([Buffer.from('p\0\0'), bomb(1 << 28)]);
    for (let i = 0; i < 4; i++) found.splice(1, 0, ['iCCP', data]);
  }),
  '100,000 text chunks': chunks((found) => {
    const many = Array.from({ length: 100_000 }, (_, i): Chunk => ['tEXt', Buffer.from(`k${i}\0v`)]);
    found.splice(1, 0, ...many);
  }),
  'text of another record first': inserted('tEXt', () => Buffer.from('phosphene\0{}')),
  'acTL of many frames': inserted('acTL', () => Buffer.from([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])),
  'picture 3 GB sparse': ({ file }) => truncateSync(file, 3e9),
  'picture a link to a picture': ({ file, set, outside }) => {
    const target = join(outside, 'target.png');
    if (!existsSync(target)) copy(pictures(set)[0]!, target);
    linked(file, target);
  },
  'picture a link to nothing': ({ file, outside }) => linked(file, join(outside, 'nothing.png')),
  'picture a link to a folder': ({ file, outside }) => linked(file, outside),
  'picture a pipe': ({ file }) => {
    rmSync(file);
    execFileSync('mkfifo', [file]);
  },
  'picture that may not be read': ({ file }) => chmodSync(file, 0),
  'manifest not json': ({ set }) => writeFileSync(join(set, 'manifest.json'), '{'),
  'manifest empty': ({ set }) => writeFileSync(join(set, 'manifest.json'), ''),
  'manifest gone': ({ set }) => rmSync(join(set, 'manifest.json')),
  'manifest null': ({ set }) => writeFileSync(join(set, 'manifest.json'), 'null'),
  'manifest 3 GB sparse': ({ set }) => truncateSync(join(set, 'manifest.json'), 3e9),
  'manifest deep': ({ set }) => writeFileSync(join(set, 'manifest.json'), '['.repeat(1e6)),
  'manifest of other paths': manifest((m) => {
    for (const filter of m['filters'] as Json[]) filter['file'] = '../../../evil.png';
    (m['grid'] as Json)['file'] = '../evil.png';
  }),
  'manifest all pending': manifest((m) => {
    for (const filter of m['filters'] as Json[]) filter['status'] = 'pending';
  }),
  'manifest a link': ({ set, outside }) => linked(join(set, 'manifest.json'), join(outside, 'canary')),
  'grid gone': ({ set }) => rmSync(join(set, 'stitched_filters.png')),
  'grid garbage': ({ set }) => writeFileSync(join(set, 'stitched_filters.png'), 'x'),
  'grid a link': ({ set, outside }) => linked(join(set, 'stitched_filters.png'), join(outside, 'canary')),
  'copy of the grid a link': ({ out, outside }) => linked(join(out, 'stitched_filters.png'), join(outside, 'canary')),
  'index gone': ({ out }) => rmSync(join(out, 'index.jsonl')),
  'index garbage': ({ out, random }) =>
    writeFileSync(join(out, 'index.jsonl'), Uint8Array.from(random.uniform(5000, 0, 256))),
  'index without an end': ({ out }) => appendFileSync(join(out, 'index.jsonl'), '{"type":"pict'),
  'index 3 GB sparse': ({ out }) => truncateSync(join(out, 'index.jsonl'), 3e9),
  'temporaries of others': ({ out, set }) => {
    for (const folder of [out, set]) writeFileSync(join(folder, '.phosphene-tmp-00000000-1-000000000000'), 'x');
  },
  'temporary a folder': ({ set }) => mkdirSync(join(set, '.phosphene-tmp-00000000-1-000000000001')),
  'the whole set gone': ({ set }) => rmSync(set, { recursive: true }),
};

/** What a run must leave as it is, and say so. */
const refused: Readonly<Record<string, Spoil>> = {
  'picture a folder': ({ file }) => replacedByFolder(file),
  'manifest a folder': ({ set }) => replacedByFolder(join(set, 'manifest.json')),
  'grid a folder': ({ set }) => replacedByFolder(join(set, 'stitched_filters.png')),
  'copy of the grid a folder': ({ out }) => replacedByFolder(join(out, 'stitched_filters.png')),
  'index a folder': ({ out }) => replacedByFolder(join(out, 'index.jsonl')),
  'index a link': ({ out, outside }) => linked(join(out, 'index.jsonl'), join(outside, 'canary')),
  'set a file': ({ set }) => {
    rmSync(set, { recursive: true });
    writeFileSync(set, 'x');
  },
  'set a link': ({ set, outside }) => {
    renameSync(set, join(outside, 'set'));
    symlinkSync(join(outside, 'set'), set);
  },
  'layer a link': ({ set, outside }) => {
    renameSync(dirname(set), join(outside, 'layer'));
    symlinkSync(join(outside, 'layer'), dirname(set));
  },
  'layer a link to nothing': ({ set, outside }) => linked(dirname(set), join(outside, 'nothing')),
};

const all: readonly (readonly [name: string, spoil: Spoil, mayRefuse: boolean])[] = [
  ...Object.entries(mended).map(([name, spoil]) => [name, spoil, false] as const),
  ...Object.entries(refused).map(([name, spoil]) => [name, spoil, true] as const),
];

/** How many ways there are. */
export const ways: number = all.length;

/**
 * `count` cases: first each way alone, then two to four ways together, drawn from `seed`.
 *
 * @example
 * for (const { name, spoil } of cases(1, 500)) spoil('out', 'conv1/keras', 'elsewhere');
 */
export function* cases(seed: number, count: number): Generator<Case, void> {
  for (let i = 0; i < count; i++) yield caseOf(seed, i);
}

/** Case `i` of {@link cases}. */
export function caseOf(seed: number, i: number): Case {
  const random = new Random(`folders/${seed}/${i}`);
  const alone = i < ways;
  const parts = alone ? [all[i]!] : Array.from({ length: 2 + random.integer(3) }, () => all[random.integer(ways)]!);
  return {
    name: `${i}: ${parts.map(([name]) => name).join(' + ')}`,
    mayRefuse: parts.some(([, , mayRefuse]) => mayRefuse),
    spoil(out, set, outside) {
      for (const [, spoil] of parts) {
        const folder = join(out, set);
        try {
          const files = pictures(folder);
          const file = files[random.integer(files.length)] ?? join(folder, '0.png');
          spoil({ out, set: folder, outside, file, random });
        } catch (error) {
          // Together, one may find nothing left to spoil.
          if (alone) throw error;
        }
      }
    },
  };
}
