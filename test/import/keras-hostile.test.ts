/** @file Keras models that strangers made to do harm: archives, configurations and weights that end in a clear error. */
import { describe, expect, it } from 'vitest';
import { zipSync } from 'fflate';
import { openNetwork } from '../../src/import/formats.ts';
import { bytesSource } from '../../src/import/source.ts';

type Json = Record<string, unknown>;
const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const size = { height: 6, width: 5 };

const call = (...names: string[]): unknown[] => [names.map((name) => [name, 0, 0, {}])];
const relu = (name: string, from: string): Json => ({
  class_name: 'ReLU',
  config: { name },
  name,
  inbound_nodes: call(from),
});
const input: Json = {
  class_name: 'InputLayer',
  config: { name: 'img', batch_shape: [null, 6, 5, 3] },
  name: 'img',
  inbound_nodes: [],
};
const model = (...layers: Json[]): Json => ({
  class_name: 'Functional',
  config: {
    name: 'net',
    layers: [input, ...layers],
    input_layers: [['img', 0, 0]],
    output_layers: [[layers.at(-1)!['name'], 0, 0]],
  },
});

const archive = (members: Readonly<Record<string, Uint8Array>>, level: 0 | 9 = 0): Uint8Array =>
  zipSync(Object.fromEntries(Object.entries(members).map(([name, bytes]) => [name, [bytes, { level }]])));
const opened = (bytes: Uint8Array, name = 'net.keras') => openNetwork(bytesSource(name, bytes));
const sound = { 'config.json': text(model(relu('a', 'img'))), 'model.weights.h5': new Uint8Array(0) };

describe('an archive', () => {
  it('opens if nothing is wrong with it', async () => {
    await using network = await opened(archive(sound));
    expect(network.layers(size).layers.map((l) => l.name)).toEqual(['a']);
  });

  it.each(['../config.json', '/config.json', './config.json', 'a/../config.json', 'CONFIG.JSON', 'config.json\0'])(
    'with %j in place of its configuration has none',
    async (name) => {
      const members = { [name]: sound['config.json'], 'model.weights.h5': sound['model.weights.h5'] };
      await expect(opened(archive(members))).rejects.toMatchObject({
        code: 'bad-file',
        message: 'net.keras: is a zip archive without `config.json`, and no `.keras` file; it has 2 members',
      });
    },
  );

  it('that unfolds to much more than it is, or says so, is refused before that', async () => {
    const bomb = archive({ ...sound, 'config.json': new Uint8Array(1 << 24) }, 9);
    // Zeros are no configuration, but are not many either.
    await expect(opened(bomb)).rejects.toMatchObject({ code: 'bad-file' });
    const bytes = archive(sound, 9);
    const view = new DataView(bytes.buffer);
    const entry = bytes.findLastIndex((_, at) => at + 4 <= bytes.length && view.getUint32(at, true) === 0x02014b50);
    const first = bytes.findIndex((_, at) => at + 4 <= bytes.length && view.getUint32(at, true) === 0x02014b50);
    expect(first).toBeLessThan(entry);
    view.setUint32(first + 24, 0x7fffffff, true);
    await expect(opened(bytes)).rejects.toMatchObject({
      code: 'too-large',
      message: expect.stringMatching(/says that it unfolds to 2147483647 bytes/),
    });
  });
});

describe('a configuration', () => {
  const json = (value: unknown) => opened(text(value), 'config.json');

  it('in a circle is refused by name', async () => {
    await expect(json(model(relu('a', 'b'), relu('b', 'a')))).rejects.toThrow(
      /its layer `a` needs what no layer gives, or itself/,
    );
    await expect(json(model(relu('a', 'a')))).rejects.toMatchObject({ code: 'bad-file' });
  });

  it('whose layers have the same name shows both', async () => {
    await using network = await json(model(relu('a', 'img'), relu('b', 'a'), relu('a', 'b')));
    expect(network.layers(size).layers.length).toBeGreaterThan(1);
  });

  it('of models in each other without end is refused', async () => {
    let nested: Json = model(relu('a', 'img'));
    for (let i = 0; i < 40; i++) nested = { class_name: 'Sequential', config: { name: `s${i}`, layers: [nested] } };
    await expect(json(nested)).rejects.toThrow(/more than 32 models in each other/);
  });

  it('of more layers than any network has is refused', async () => {
    const many = Array.from({ length: 20_001 }, (_, i) => relu(`l${i}`, 'img'));
    await expect(json(model(...many))).rejects.toThrow(/more than 20000 layers/);
  });

  it('of many levels of brackets is refused', async () => {
    const deep = `{"class_name":"Functional","config":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    await expect(opened(new TextEncoder().encode(deep), 'config.json')).rejects.toMatchObject({
      name: 'PhospheneError',
    });
  });
});
