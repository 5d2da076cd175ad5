/** @file ONNX weights that lie in files beside the model, as PyTorch writes them, and files that misuse that. */
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, symlinkSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileSource } from '../../src/hub/file-source.ts';
import { openNetwork } from '../../src/import/formats.ts';
import { IMAGE, type Network } from '../../src/import/network.ts';
import { bytesSource, sha256 } from '../../src/import/source.ts';
import type { ModelProto } from '../../src/ir/onnx_pb.ts';
import { TensorProto_DataLocation as Location } from '../../src/ir/onnx_pb.ts';
import { isLazy } from '../../src/ir/tensor.ts';
import { nodeRuntime } from '../../src/runtime/node.ts';
import { float32 } from '../../src/ir/tensor.ts';
import { sharedPath } from '../shared.ts';
import { openBytes } from './open.ts';
import { entry, onnx, weights } from './protos.ts';

const size = { height: 8, width: 8 };
const W = weights(16, 3, 5, 5);
const bytesOfW = new Uint8Array(W.data.buffer);

/** A convolution whose weights lie where `place` says. */
function referring(place: Record<string, string>, more: (proto: ModelProto) => void = () => {}): Uint8Array {
  return onnx((b, x) => b.conv(x, b.constant(W, 'W'), undefined, {}, 'conv'), {
    change(proto) {
      const w = proto.graph!.initializer.find((t) => t.name === 'W')!;
      w.rawData = new Uint8Array();
      w.dataLocation = Location.EXTERNAL;
      w.externalData = Object.entries(place).map(([key, value]) => entry(key, value));
      more(proto);
    },
  });
}

const opened = (bytes: Uint8Array, siblings: Record<string, Uint8Array>): Promise<Network> =>
  openNetwork(bytesSource('folder/net.onnx', bytes, siblings));

async function weightsOf(network: Network): Promise<Float32Array> {
  const { constants } = await network.cut(['conv'], size);
  const [w] = [...constants.values()].filter((c) => c.dims.length === 4);
  if (!w || isLazy(w)) throw new Error('no weights');
  return w.data as Float32Array;
}

describe('weights beside the model', () => {
  it('are read where the file says, and only when a layer is cut', async () => {
    const data = new Uint8Array(64 + bytesOfW.length + 8);
    data.set(bytesOfW, 64);
    const network = await opened(referring({ location: 'w.bin', offset: '64', length: String(bytesOfW.length) }), {
      'w.bin': data,
    });
    expect(network.layers(size).layers[0]).toMatchObject({ dims: [1, 16, 4, 4], parameters: 1200 });
    expect([...network.layers(size).graph.constants.values()].some(isLazy)).toBe(true);
    expect(await weightsOf(network)).toEqual(W.data);
  });

  it('begin at 0 and are as many as the dims say, unless told otherwise', async () => {
    expect(await weightsOf(await opened(referring({ location: 'w.bin' }), { 'w.bin': bytesOfW }))).toEqual(W.data);
    expect(await weightsOf(await opened(referring({ location: './sub/w.bin' }), { 'sub/w.bin': bytesOfW }))).toEqual(
      W.data,
    );
  });

  it('count for the digest', async () => {
    const bytes = referring({ location: 'w.bin' });
    const [one, two] = [bytesOfW, bytesOfW.map((v, i) => (i === 0 ? v ^ 1 : v))];
    const digests = await Promise.all([one, one, two].map(async (w) => (await opened(bytes, { 'w.bin': w })).digest()));
    expect(digests[0]).toBe(digests[1]);
    expect(digests[0]).not.toBe(digests[2]);
    expect(digests[0]).toMatch(/^[0-9a-f]{64}$/);
    const alone = onnx((b, x) => b.relu(x));
    expect(await (await openBytes(alone)).digest()).toBe(await sha256(alone));
  });

  it('that are missing are named, with what to do', async () => {
    await expect(opened(referring({ location: 'w.bin' }), {})).rejects.toThrow(
      expect.objectContaining({
        code: 'bad-file',
        message:
          'folder/net.onnx: the weights of tensor `W` lie in `w.bin`, which is not beside it; put that file into the same folder under that name, or export the model as one file',
        details: { path: 'folder/net.onnx', missing: 'w.bin' },
      }),
    );
  });

  it.each([
    ['../w.bin'],
    ['/etc/passwd'],
    ['sub/../../w.bin'],
    ['C:/w.bin'],
    ['c:w.bin'],
    ['..\\w.bin'],
    ['w.bin\0'],
    ['.'],
    ['..'],
    ['/'],
  ])('are not looked for outside the folder: %j', async (location) => {
    await expect(opened(referring({ location }), { 'w.bin': bytesOfW })).rejects.toThrow(
      expect.objectContaining({
        code: 'bad-file',
        message: `folder/net.onnx: it refers to \`${location}\`, outside its own folder; only files beside it are read, so put that file there and name it without a folder`,
        details: { path: 'folder/net.onnx', sibling: location },
      }),
    );
  });

  it.each<[string, Record<string, string>, RegExp]>([
    [
      'begin after the end',
      { offset: '4801' },
      /^w\.bin: 4800 bytes at 4801 are asked for, the file has 4800; it is damaged or cut short$/,
    ],
    ['begin too late', { offset: '4' }, /^w\.bin: 4800 bytes at 4 are asked for, the file has 4800/],
    [
      'are fewer than the dims say',
      { length: '4796' },
      /tensor `W` of \[16, 3, 5, 5\] needs 4800 bytes, 4796 are given$/,
    ],
    ['are more than the dims say', { length: '4804' }, /needs 4800 bytes, 4804 are given$/],
    ['begin at no number', { offset: 'x' }, /tensor `W`: `x` is no place in a file$/],
    ['begin before the file', { offset: '-4' }, /`-4` is no place in a file$/],
    ['begin at a fraction', { offset: '1.5' }, /`1\.5` is no place in a file$/],
    ['begin beyond all numbers', { offset: '99999999999999999999' }, /`99999999999999999999` is no place in a file$/],
  ])('are refused if they %s', async (_, place, message) => {
    await expect(opened(referring({ location: 'w.bin', ...place }), { 'w.bin': bytesOfW })).rejects.toThrow(
      expect.objectContaining({ code: 'bad-file', message: expect.stringMatching(message) }),
    );
  });

  it('of impossible dims are refused', async () => {
    for (const dims of [
      [-1n, 3n],
      [2n ** 40n, 2n ** 40n],
    ])
      await expect(
        opened(
          referring({ location: 'w.bin' }, (proto) => {
            proto.graph!.initializer.find((t) => t.name === 'W')!.dims = dims;
          }),
          { 'w.bin': bytesOfW },
        ),
      ).rejects.toThrow(`folder/net.onnx: tensor \`W\`: impossible dims [${dims.join(', ')}]`);
  });

  it('that refer to the same bytes again and again are refused', async () => {
    const many = (count: number): Uint8Array =>
      referring({ location: 'w.bin' }, (proto) => {
        const w = proto.graph!.initializer.find((t) => t.name === 'W')!;
        for (let i = 0; i < count; i++) proto.graph!.initializer.push({ ...w, name: `w${i}` });
      });
    await expect(opened(many(2), { 'w.bin': bytesOfW })).resolves.toBeDefined();
    await expect(opened(many(200), { 'w.bin': bytesOfW })).rejects.toThrow(
      expect.objectContaining({
        code: 'too-large',
        message: 'folder/net.onnx: its tensors refer to the same bytes again and again',
      }),
    );
  });

  it('are refused if one of them is not a number, also if they are read late', async () => {
    const spoiled = W.data.slice();
    spoiled[1199] = NaN;
    const network = await opened(referring({ location: 'w.bin' }), { 'w.bin': new Uint8Array(spoiled.buffer) });
    expect(network.layers(size).layers).toHaveLength(2);
    await expect(network.cut(['conv'], size)).rejects.toThrow(
      expect.objectContaining({
        code: 'bad-weights',
        message: 'folder/net.onnx: tensor `W` has values that are NaN; the training diverged or the file is damaged',
      }),
    );
    spoiled[1199] = -Infinity;
    const infinite = await opened(referring({ location: 'w.bin' }), { 'w.bin': new Uint8Array(spoiled.buffer) });
    expect((await weightsOf(infinite))[1199]).toBe(-Infinity);
  });
});

describe('a file on disk', () => {
  let folder = '';
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'phosphene-external-'))));
  afterEach(() => rmSync(folder, { recursive: true }));
  const openFile = async (name: string): Promise<Network> => openNetwork(await fileSource(join(folder, name)));

  it('is followed by a link inside its folder only', async () => {
    mkdirSync(join(folder, 'models/data'), { recursive: true });
    writeFileSync(join(folder, 'outside.bin'), bytesOfW);
    writeFileSync(join(folder, 'models/data/real.bin'), bytesOfW);
    writeFileSync(join(folder, 'models/net.onnx'), referring({ location: 'w.bin' }));
    const link = join(folder, 'models/w.bin');
    symlinkSync('data/real.bin', link);
    const inside = await openFile('models/net.onnx');
    expect(await weightsOf(inside)).toEqual(W.data);
    await inside.close();
    rmSync(link);
    symlinkSync('../outside.bin', link);
    await expect(openFile('models/net.onnx')).rejects.toThrow(
      /net\.onnx: it refers to `w\.bin`, outside its own folder; only files beside it are read/,
    );
    rmSync(link);
    await expect(openFile('models/net.onnx')).rejects.toThrow(/lie in `w\.bin`, which is not beside it/);
    mkdirSync(link);
    await expect(openFile('models/net.onnx')).rejects.toThrow(/w\.bin cannot be read: it is not a regular file/);
  });

  it('may itself be reached by a link', async () => {
    mkdirSync(join(folder, 'real'));
    writeFileSync(join(folder, 'real/w.bin'), bytesOfW);
    writeFileSync(join(folder, 'real/net.onnx'), referring({ location: 'w.bin' }));
    symlinkSync('real', join(folder, 'link'));
    const network = await openFile('link/net.onnx');
    expect(await weightsOf(network)).toEqual(W.data);
    await network.close();
  });

  it('may have more than 2 GiB', async () => {
    writeFileSync(join(folder, 'net.onnx'), referring({ location: 'w.bin', offset: String(3 * 2 ** 30) }));
    // Sparse: only its end takes room.
    const file = openSync(join(folder, 'w.bin'), 'w');
    writeSync(file, bytesOfW, 0, bytesOfW.length, 3 * 2 ** 30);
    closeSync(file);
    const network = await openFile('net.onnx');
    expect(await weightsOf(network)).toEqual(W.data);
    await network.close();
  });
});

const tiny = sharedPath('repro/default_tiny.onnx');
describe.skipIf(!tiny)("PyTorch's default export (needs shared/repro)", () => {
  it('opens with the file that it wrote beside it, and runs', async () => {
    const network = await openNetwork(await fileSource(tiny!));
    const at = { height: network.input.size?.height ?? 32, width: network.input.size?.width ?? 32 };
    const { layers, barrier } = network.layers(at);
    expect(barrier).toBeUndefined();
    expect(layers.length).toBeGreaterThan(1);
    const paths = layers.flatMap((l) => (l.path === undefined ? [] : [l.path]));
    expect(paths.length).toBeGreaterThan(0);
    const { path, name } = layers.findLast((l) => l.path !== undefined)!;
    const graph = await network.cut([path!, name], at);
    expect(graph.outputs.map((o) => o.name)).toEqual([path, name]);
    const program = await nodeRuntime.compile(graph);
    const dims = [1, network.input.channels, at.height, at.width];
    const out = await program.run({
      [IMAGE]: float32(new Float32Array(dims.reduce((a, d) => a * d)).fill(0.5), dims),
    });
    expect(out[path!]!.data).toEqual(out[name]!.data);
    await program.dispose();
    await network.close();
  });
});
