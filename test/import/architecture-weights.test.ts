/** @file Files of weights whose layers have other names than the architecture's: matched by order or by name, as Keras does. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import h5wasm, { type Group } from 'h5wasm/node';
import { afterAll, describe, expect, it } from 'vitest';
import { bytesSource } from '../../src/import/hdf5.ts';
import { weighted } from '../../src/import/keras/index.ts';
import { PICTURE, type Topology, TopologyBuilder } from '../../src/import/keras/topology.ts';
import { type Architecture, openWeights, type StoredWeights } from '../../src/import/keras/weights.ts';
import { sizeOf } from '../../src/ir/tensor.ts';
import { type FixtureWeight, writeFixture } from './fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'phosphene-architecture-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A network with names of its own, automatic ones, a model within, and a classifier. */
function topology(): Topology {
  const t = new TopologyBuilder();
  let x = t.add('Normalization', undefined, PICTURE);
  x = t.add('Conv2D', 'stem', x, { filters: 4, kernel_size: 3 });
  const side = t.add('Conv2D', undefined, x, { filters: 4, kernel_size: 1, use_bias: false });
  x = t.add('Conv2D', undefined, x, { filters: 4, kernel_size: 1, use_bias: false });
  x = t.add('Add', undefined, [side, t.add('BatchNormalization', undefined, x, { scale: false })]);
  x = t.nested('down', x, (y) => t.add('Conv2D', 'down_conv', y, { filters: 6, kernel_size: 2 }));
  x = t.add('GlobalAveragePooling2D', 'pool', x);
  return t.finish(t.add('Dense', 'predictions', x, { units: 5 }));
}

const layers = weighted(topology(), { channels: 3, height: 9, width: 8 });
const architecture: Architecture = { name: 'net', layers, classifier: 1 };

/** A value by which a weight is known: of layer i its k-th weight. */
const mark = (i: number, k: number): number => 10 * (i + 1) + k;

/** What a file holds of a layer, under that name. */
function stored(i: number, name: string, dims?: readonly (readonly number[])[]): FixtureWeight[] {
  return layers[i]!.weights.map((w, k) => {
    const shape = dims?.[k] ?? w.dims;
    return { name: `${name}/${w.name}:0`, shape, data: new Float32Array(sizeOf(shape)).fill(mark(i, k)) };
  });
}

let files = 0;
async function opened(
  groups: Readonly<Record<string, readonly FixtureWeight[]>>,
  of: Architecture = architecture,
): Promise<StoredWeights> {
  const { path, bytes } = await writeFixture(folder, `${files++}.h5`, groups);
  return openWeights(bytesSource(path, bytes), of);
}

/** The layers whose weights are read right, by their names. */
function right(source: StoredWeights): string[] {
  return layers.flatMap(({ owner, weights }, i) => {
    const all = weights.map(({ name, dims }, k) => source.read(owner, name, dims, k)?.data[0]);
    return all.every((v, k) => v === mark(i, k)) ? [owner.name] : [];
  });
}

const names = layers.map((l) => l.owner.name);
/** All layers of a file, under the names that `called` gives; the model within stands under its own. */
const all = (called: (name: string, i: number) => string): Record<string, FixtureWeight[]> =>
  Object.fromEntries(
    names.map((name, i) => {
      const [group, layer = group] = called(name, i).split('/') as [string, string?];
      return [group, stored(i, layer)];
    }),
  );

it('lists the layers with weights in the order of Keras', () => {
  expect(names).toEqual([
    'normalization',
    'stem',
    'conv2d_1',
    'conv2d',
    'batch_normalization',
    'down/down_conv',
    'predictions',
  ]);
  expect(layers[4]!.weights).toEqual([
    { name: 'beta', dims: [4] },
    { name: 'moving_mean', dims: [4] },
    { name: 'moving_variance', dims: [4] },
  ]);
});

describe('weights under names of layers', () => {
  it('are matched by order if all shapes agree, whatever the layers are called', async () => {
    expect(right(await opened(all((name) => name)))).toEqual(names);
    expect(right(await opened(all((_, i) => `layer_${i}`)))).toEqual(names);
    // The counting of another session would match by name, and wrongly.
    const shifted = (name: string): string => ({ conv2d: 'conv2d_1', conv2d_1: 'conv2d' })[name] ?? name;
    expect(right(await opened(all(shifted)))).toEqual(names);
  });

  it('may count what a normalisation has seen', async () => {
    const groups = all((name) => name);
    groups['normalization']!.push({ name: 'normalization/count:0', shape: [], data: Float32Array.of(9) });
    expect(right(await opened(groups))).toEqual(names);
  });

  it('may lack the classifier, or have another', async () => {
    const body = Object.entries(all((_, i) => `x${i}`)).slice(0, -1);
    const source = await opened(Object.fromEntries(body));
    expect(right(source)).toEqual(names.slice(0, -1));
    const other = await opened({ ...Object.fromEntries(body), dense_9: stored(6, 'dense_9', [[6, 2], [2]]) });
    expect(right(other)).toEqual(names.slice(0, -1));
    expect(other.read(layers[6]!.owner, 'kernel', [6, 5], 0)).toBeUndefined();
  });

  it('are found in a model that stands in another', async () => {
    const inner = layers.slice(0, -1).flatMap((_, i) => stored(i, names[i]!.split('/').at(-1)!));
    // Keras lists what is not trained last.
    const moving = /moving|mean|variance/;
    const sorted = [...inner.filter((w) => !moving.test(w.name)), ...inner.filter((w) => moving.test(w.name))];
    const source = await opened({ backbone: sorted, dense: stored(6, 'dense') });
    expect(right(source)).toEqual(names);
  });

  it('are matched by name if they are a part, and all have names of the architecture', async () => {
    const source = await opened({ stem: stored(1, 'stem'), down_conv: stored(5, 'down_conv') });
    expect(right(source)).toEqual(['stem', 'down/down_conv']);
  });

  it('of another architecture are refused, with the first difference', async () => {
    const groups = all((_, i) => `x${i}`);
    groups['x3'] = stored(3, 'x3', [[1, 1, 4, 7]]);
    await expect(opened(groups)).rejects.toMatchObject({
      code: 'bad-weights',
      message: expect.stringMatching(
        /these are not the weights of net: it has 7 layers with weights, 7 are needed, and its layer `x3` has \[1, 1, 4, 7\] where `conv2d` has \[1, 1, 4, 4\]/,
      ),
      details: expect.objectContaining({ option: 'architecture', layer: 'conv2d' }),
    });
    await expect(opened(Object.fromEntries(Object.entries(all((_, i) => `x${i}`)).slice(0, 3)))).rejects.toThrow(
      'it has 3 layers with weights, 7 are needed, and it ends where `conv2d` has [1, 1, 4, 4]',
    );
  });
});

describe('weights under classes of layers', () => {
  /** Writes them as Keras 3 does, in models within models. */
  async function classes(name: string, around: readonly string[], named: boolean): Promise<StoredWeights> {
    await h5wasm.ready;
    const path = join(folder, name);
    const file = new h5wasm.File(path, 'w', { libver: ['earliest', 'latest'] });
    let root: Group = file;
    for (const step of around) root = root.create_group('layers').create_group(step);
    const container = root.create_group('layers');
    layers.forEach(({ owner, weights }, i) => {
      let at = container;
      owner.stored.forEach(({ class: type, index }, level) => {
        const own = index === 0 ? type : `${type}_${index}`;
        const found = at.get(own);
        const group = found instanceof h5wasm.Group ? found : at.create_group(own);
        if (level < owner.stored.length - 1) at = group.create_group('layers');
        else {
          const vars = group.create_group('vars');
          if (named) vars.create_attribute('name', owner.stored.at(-1)!.name);
          weights.forEach(({ dims }, k) =>
            vars.create_dataset({
              name: String(k),
              data: new Float32Array(sizeOf(dims)).fill(mark(i, k)),
              shape: [...dims],
            }),
          );
        }
      });
    });
    file.close();
    return openWeights(bytesSource(path, new Uint8Array(readFileSync(path))), architecture);
  }

  it.each([
    ['outermost', []],
    ['in a model', ['functional']],
    ['in a model in a model', ['sequential', 'functional_1']],
  ])('are found %s', async (name, around) => {
    expect(right(await classes(`${name}.weights.h5`, around, true))).toEqual(names);
    expect(right(await classes(`${name}-unnamed.weights.h5`, around, false))).toEqual(names);
  });

  it('of another architecture are refused', async () => {
    await classes('right.weights.h5', [], false);
    const path = join(folder, 'right.weights.h5');
    const t = new TopologyBuilder();
    const other = weighted(t.finish(t.add('Conv2D', 'c', PICTURE, { filters: 9, kernel_size: 1 })), {
      channels: 3,
      height: 4,
      width: 4,
    });
    const source = bytesSource(path, new Uint8Array(readFileSync(path)));
    expect(() => openWeights(source, { name: 'other', layers: other, classifier: 0 })).toThrow(
      /these are not the weights of other: of its 1 layers with weights 0 are there with their shapes/,
    );
  });
});
